"""What a stream's answers were short of, counted by a word for it, and told once at its end.

The words are ``round:<records>``, ``ragged``, ``ignored:<status>``, ``loss:<code word>`` and ``warning:<code word>``.
"""

from collections.abc import Mapping

_RAGGED = "{count} lines of the source's answers do not have the columns of the header; they are among the rejected."
_IGNORED = (
    "The source answered {word} to {count} requests, which the endpoint's 'responseFilters' ignore: what it refused "
    "was not read."
)
_LOSS = "The source says {count} times, beside its records, that it left something out{of}."
_ROUND = (
    "Exactly {word} records came in {count} of the source's answers, and nothing tells whether that is all. If it is "
    "not, set the endpoint's 'pagination' as the source's documentation describes it; if it is, set it to 'none'."
)
_WARNING = "The source told {count} warnings beside its records{of}."


def sentences(remarks: Mapping[str, int]) -> tuple[str, ...]:
    """One sentence for each word, for a principal."""
    return tuple(_sentence(*remark) for remark in sorted(remarks.items()))


def is_incomplete(remarks: Mapping[str, int]) -> bool:
    """Whether something may be missing. Plain warnings and round numbers are told, and take nothing away."""
    return any(not remark.startswith(("warning:", "round:")) for remark in remarks)


def _sentence(remark: str, count: int) -> str:
    kind, _, word = remark.partition(":")
    text = {"ragged": _RAGGED, "ignored": _IGNORED, "loss": _LOSS, "round": _ROUND}.get(kind, _WARNING)
    return text.format(count=count, word=word, of=f" ({word})" if word else "")
