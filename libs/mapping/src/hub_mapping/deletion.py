"""Whether a source says that a record is gone."""

import re

from hub_mapping.flaws import flaw
from hub_mapping.texts import word_key

_YES = frozenset(["true", "t", "yes", "y", "1", "deleted", "tobedeleted", "removed"])
_NO = frozenset(["false", "f", "no", "n", "0", "", "null", "none", "active"])
_DATE = re.compile(r"(?:19|20|21)[0-9]{2}-[01][0-9]-[0-3][0-9](?:[t ].*)?")
_LEAST_EPOCH_S = 100_000_000


def is_deleted(value: object) -> bool:
    """Read a delete marker: true, 1, "yes", "deleted", or the time of deletion.

    Any other word is refused rather than taken for true: a path that points to a status by mistake must not delete
    a college's students.
    """
    if value is None or type(value) is bool:
        return bool(value)
    if isinstance(value, str | int | float):
        word = word_key(value)
        if word in _YES or word in _NO:
            return word in _YES
        if _DATE.fullmatch(word) if isinstance(value, str) else value >= _LEAST_EPOCH_S:
            return True
    raise flaw(
        "not_a_delete_marker",
        "Is neither true nor false, nor a time of deletion; for a status write a rule for recordStatus with map.",
    )
