"""From a preset and a college's answers to an integration draft.

``{{ settings.x }}`` is replaced by the answer: by the answer itself where it is the whole text, so that a list stays a
list, and by its text within a longer one. A longer text one of whose answers is missing is left out, and so is an
object with ``$if: settings.x`` where that answer is empty or false. What the college's own draft says always wins.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from hub_model.access import Access
from hub_model.errors import InvalidInput, Issue
from hub_model.integrations import PresetWebhook

from hub_connectors.spec import Preset, Setting, SettingKind

_PLACE = re.compile(r"\{\{\s*settings\.([A-Za-z0-9]+)\s*\}\}")
_BASE_URL = re.compile(r"\{\{\s*baseUrl\s*\}\}")
_KINDS: Mapping[SettingKind, tuple[type, ...]] = {
    SettingKind.TEXT: (str,),
    SettingKind.NUMBER: (int, float),
    SettingKind.BOOLEAN: (bool,),
    SettingKind.LIST: (list,),
    SettingKind.TABLE: (dict,),
}
_NOTHING = object()
_ACCESS = frozenset(field.alias or name for name, field in Access.model_fields.items())


def expand(preset: Preset, draft: Mapping[str, Any]) -> dict[str, Any]:
    """The draft completed by the preset. ``draft`` is the body as a college wrote it, in camelCase.

    Its ``settings`` hold the answers. Without ``endpoints`` all of the preset's are taken; with them, only the data
    types they name: as the draft says, or as the preset does where the draft says ``true``. A draft whose ``authType``
    is not the preset's brings all of its credentials itself, and one whose webhook has another scheme all of its
    webhook. Raises InvalidInput with a pointer for each answer that is missing or wrong.
    """
    own = dict(draft)
    if own.get("authType") not in (None, preset.draft.get("authType")):
        preset = _without_access(preset)
    scheme = own["webhook"].get("scheme") if isinstance(own.get("webhook"), dict) else None
    if scheme not in (None, preset.webhook_scheme):
        preset = _without_webhook(preset)
    given = own.pop("settings", None)
    answers = _answers(preset, given, str(own.get("baseUrl", "")).rstrip("/"))
    _check_webhook(preset, given or {}, answers, is_named=scheme is not None)
    template = _filled(preset.draft, answers)
    template["endpoints"] = _endpoints(preset, template["endpoints"], own.pop("endpoints", None))
    expanded = laid_over({"type": preset.name, "syncInterval": preset.sync_interval, **template}, own)
    for setting in preset.settings:
        if setting.fills is not None and answers.get(setting.name) is not None:
            _put(expanded, setting.fills.split("."), _written(setting, answers[setting.name]))
    kept = {setting.name: answers[setting.name] for setting in preset.settings if not setting.secret}
    expanded["connector"] = {"name": preset.name, "version": preset.version, "settings": kept}
    origin = _origin_of_webhook(preset, template.get("webhook"), own.get("webhook"), expanded.get("webhook"))
    if origin is not None:
        expanded["connector"]["webhook"] = origin.value
    return expanded


def _without_access(preset: Preset) -> Preset:
    """The preset for a draft that authenticates in another way, and brings all that this needs."""
    draft = {name: value for name, value in preset.draft.items() if name not in _ACCESS}
    asked = [setting for setting in preset.settings if (setting.fills or "").partition(".")[0] not in _ACCESS]
    return preset.model_copy(update={"draft": draft, "settings": asked})


def _without_webhook(preset: Preset) -> Preset:
    """The preset for a draft whose pushes are proven in another way, and that says all of it."""
    draft = {name: value for name, value in preset.draft.items() if name != "webhook"}
    # Answers that only the webhook had a place for are still answers: an edit sends them along.
    return preset.model_copy(update={"draft": draft})


def _origin_of_webhook(preset: Preset, offered: Any, own: Any, expanded: Any) -> PresetWebhook | None:
    if offered is None:
        return PresetWebhook.OFF if preset.webhook is not None and own is None else None
    if own is None:
        return PresetWebhook.OFFERED
    is_presets = isinstance(expanded, dict) and {**expanded, "secret": None} == {**offered, "secret": None}
    return PresetWebhook.TAKEN if is_presets else None


def filled_with_defaults(preset: Preset) -> tuple[dict[str, Any], dict[str, Any]]:
    """The preset's template for a college that answers nothing, and the answers that it then has."""
    answers = {setting.name: setting.default for setting in preset.settings}
    kept = {setting.name: setting.default for setting in preset.settings if setting.fills is None}
    return _filled(preset.draft, answers), kept


def _answers(preset: Preset, given: Any, base_url: str) -> dict[str, Any]:
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise InvalidInput("'settings' is an object.", [Issue("/settings", "not_an_object", "Write an object.")])
    known = {setting.name: setting for setting in preset.settings}
    issues = [
        Issue(f"/settings/{name}", "unknown_setting", f"{preset.title} has no such setting; it has {', '.join(known)}.")
        for name in given
        if name not in known
    ]
    answers: dict[str, Any] = {}
    for setting in preset.settings:
        value = given.get(setting.name, _NOTHING)
        answer = setting.default if value is _NOTHING or value in ("", None) else value
        answers[setting.name] = _BASE_URL.sub(lambda _: base_url, answer) if isinstance(answer, str) else answer
        issues += _issues(setting, answers[setting.name])
    if issues:
        raise InvalidInput(f"The settings of {preset.title} need attention.", issues)
    return answers


def _check_webhook(preset: Preset, given: Mapping[str, Any], answers: Mapping[str, Any], *, is_named: bool) -> None:
    """Refuse a webhook that is wanted, by its scheme or by an answer, and stands or falls with another answer."""
    needed = preset.webhook_needs
    if needed is None or answers[needed.name]:
        return
    elsewhere = set(places({name: value for name, value in preset.draft.items() if name != "webhook"}))
    wanted = [
        setting
        for setting in preset.settings
        if setting.name in set(places(preset.webhook)) - elsewhere
        and given.get(setting.name) not in (None, "", [], setting.default)
    ]
    if is_named or wanted:
        reason = f"The webhooks of {preset.title} need it. {needed.help} Example: {needed.example}"
        issue = Issue(f"/settings/{needed.name}", "missing", f"{needed.label} is not answered. {reason}")
        raise InvalidInput(f"The settings of {preset.title} need attention.", [issue])


def _issues(setting: Setting, value: Any) -> Iterator[Issue]:
    pointer = f"/settings/{setting.name}"
    if value is None:
        if setting.required:
            message = f"{setting.label} is needed. {setting.help}"
            yield Issue(pointer, "missing", f"{message} Example: {setting.example}" if not setting.secret else message)
        return
    is_number = setting.kind is SettingKind.NUMBER and isinstance(value, bool)
    if is_number or not isinstance(value, _KINDS[setting.kind]):
        yield Issue(pointer, "wrong_kind", f"{setting.label} is a {setting.kind}. Example: {setting.example}")
    elif setting.choices and value not in setting.choices:
        yield Issue(pointer, "not_a_choice", f"Choose one of: {', '.join(map(str, setting.choices))}.")
    elif setting.pattern is not None and not all(
        isinstance(text, str) and re.fullmatch(setting.pattern, text)
        for text in (value if isinstance(value, list) else [value])
    ):
        yield Issue(pointer, "wrong_form", f"{setting.help} Example: {setting.example}")


def _endpoints(preset: Preset, offered: Mapping[str, Any], own: Any) -> dict[str, Any]:
    if not own:
        return dict(offered)
    if not isinstance(own, dict):
        message = f'Write an object such as {{"{next(iter(offered))}": true}}.'
        raise InvalidInput("'endpoints' is an object.", [Issue("/endpoints", "not_an_object", message)])
    message = f"{preset.title} brings {', '.join(offered)}; for another data type write the endpoint yourself."
    issues = [
        Issue(f"/endpoints/{name}", "not_offered", message)
        for name, value in own.items()
        if value is True and name not in offered
    ]
    if issues:
        raise InvalidInput(message, issues)
    return {name: offered[name] if value is True else value for name, value in own.items()}


def _filled(value: Any, answers: Mapping[str, Any]) -> Any:
    """The value with answers in the places of settings."""
    if isinstance(value, str):
        whole = _PLACE.fullmatch(value)
        write = _escaped if value.lstrip().startswith("<") else str
        return answers[whole[1]] if whole else _PLACE.sub(lambda place: write(answers[place[1]]), value)
    if isinstance(value, list):
        return [_filled(item, answers) for item in value if _is_kept(item, answers)]
    if isinstance(value, dict):
        return {
            _filled(name, answers): _filled(item, answers)
            for name, item in value.items()
            if name != "$if" and _is_kept(item, answers)
        }
    return value


def _is_kept(value: Any, answers: Mapping[str, Any]) -> bool:
    if isinstance(value, str) and not _PLACE.fullmatch(value):
        return all(answers[name] is not None for name in _PLACE.findall(value))
    condition = value.get("$if") if isinstance(value, dict) else None
    return condition is None or bool(answers[condition.removeprefix("settings.")])


def _escaped(answer: Any) -> str:
    """In XML an answer must not end the text that it stands in."""
    return escape(str(answer), {'"': "&quot;", "'": "&apos;"})


def _written(setting: Setting, answer: Any) -> Any:
    return answer if setting.fills_as == "{}" else setting.fills_as.replace("{}", str(answer))


def laid_over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """``own`` laid over ``base``: objects field by field, everything else as a whole."""
    merged = dict(base)
    for name, value in own.items():
        below = base.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[name] = laid_over(below, value)
        elif value is not None:
            merged[name] = value
    return merged


def _put(draft: dict[str, Any], path: list[str], answer: Any) -> None:
    """Set a field of the draft, unless it is there. Entries of a list are found by their ``name``."""
    head, rest = path[0], path[1:]
    if not rest:
        draft.setdefault(head, answer)
        return
    inner = draft.setdefault(head, {})
    if isinstance(inner, list):
        inner = next(entry for entry in inner if entry["name"] == rest[0])
        rest = ["value"]
    _put(inner, rest, answer)


def places(value: Any) -> Iterator[str]:
    """The names of all settings that a template uses."""
    if isinstance(value, str):
        yield from _PLACE.findall(value)
    elif isinstance(value, dict):
        if "$if" in value:
            yield value["$if"].removeprefix("settings.")
        for name, item in value.items():
            yield from places(name)
            yield from places(item)
    elif isinstance(value, list):
        for item in value:
            yield from places(item)
