"""What each field of a draft allows and the draft as a whole does not: a sync could only fail by it or lose records."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hub_model.answers import ResponseFormat
from hub_model.endpoints import Deletes, Request, Stream, placeholders
from hub_model.errors import Issue
from hub_model.integrations import IntegrationDraft
from hub_model.pagination import PagePagination
from hub_runtime.pointers import pointer_to

_MOST_LEVELS = 32
_TOO_MUCH = 2**63
_NO_DELIMITERS = '"\r\n\0'


def request_contradictions(pointer: str, request: Request, *, has_windows: bool) -> Iterator[Issue]:
    """``has_windows``: the request is made for windows, which ``{{ window.start }}`` may speak of."""
    yield from _unfilled(pointer, request, has_windows=has_windows)
    yield from _unreadable(pointer, request)
    names = [join.as_ for join in request.joins] if isinstance(request, Stream) else []
    for place, name in enumerate(names):
        if name in names[:place]:
            message = f"Another join puts its row into '{name}' too, and would be lost. Choose another name."
            yield Issue(f"{pointer}/joins/{place}/as", "not_unique", message)


def unstorable(draft: IntegrationDraft) -> Iterator[Issue]:
    """Numbers and depths that no JSON document of ours holds exactly."""
    yield from _unstorable(draft.model_dump(mode="json", by_alias=True, exclude_unset=True), [])


def _unfilled(pointer: str, request: Request, *, has_windows: bool) -> Iterator[Issue]:
    count = request.pagination.count if isinstance(request.pagination, PagePagination) else None
    parts = {
        "/path": request.path,
        "/params": request.params,
        "/body": request.body,
        "/pagination/count/path": count.path if count else None,
    }
    has_parent = isinstance(request, Stream) and request.parent is not None
    for below, value in parts.items():
        for name in dict.fromkeys(placeholders(value)):
            if name.startswith("parent.") and not has_parent:
                fix = "which deletes do not have" if isinstance(request, Deletes) else "so name it in 'parent'"
                yield Issue(pointer + below, "value_error", f"{{{{ {name} }}}} is of a parent's row, {fix}.")
            if name.startswith("window.") and not has_windows:
                message = f"{{{{ {name} }}}} is a bound of what is new since the last sync, so set 'incremental'."
                yield Issue(pointer + below, "value_error", message)


def _unreadable(pointer: str, request: Request) -> Iterator[Issue]:
    text = request.text
    if text.delimiter in _NO_DELIMITERS or (text.delimiter == " " and request.format is ResponseFormat.CSV):
        yield Issue(f"{pointer}/text/delimiter", "value_error", "Lines are cut at another character, such as ; or \\t.")
    twice = [name for name, count in Counter(text.columns or ()).items() if count > 1]
    if twice:
        message = f"Two columns have the name {twice[0]}, and one would be lost. Give each its own name."
        yield Issue(f"{pointer}/text/columns", "not_unique", message)


def _unstorable(value: Any, steps: list[int | str]) -> Iterator[Issue]:
    # What does not fit into 64 bits has become a float on its way here.
    if isinstance(value, int | float) and not -_TOO_MUCH < value < _TOO_MUCH:
        yield Issue(pointer_to(steps), "value_error", "A number of so many digits does not arrive exactly; write text.")
    if not isinstance(value, dict | list):
        return
    if len(steps) >= _MOST_LEVELS:
        yield Issue(pointer_to(steps), "value_error", f"There are more than {_MOST_LEVELS} levels; nothing is so deep.")
        return
    for step, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _unstorable(item, [*steps, step])
