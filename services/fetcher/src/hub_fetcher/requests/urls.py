"""Small changes to URLs and headers."""

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit


def merge_headers(*headers: Mapping[str, str]) -> dict[str, str]:
    """All of them; of one name in any spelling the last."""
    merged = {name.lower(): (name, value) for mapping in headers for name, value in mapping.items()}
    return dict(merged.values())


def with_params(url: str, params: Iterable[tuple[str, str]]) -> str:
    """The URL with these parameters added."""
    query = urlencode(list(params), quote_via=quote, safe="")
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def without_params(url: str, names: frozenset[str]) -> str:
    """The URL without the parameters of these names: a source's own next link may repeat the credential."""
    parts = urlsplit(url)
    if not names or not parts.query:
        return url
    kept = [part for part in parts.query.split("&") if not names & {name for name, _ in parse_qsl(part, True)}]
    return urlunsplit(parts._replace(query="&".join(kept)))


def replaced(params: Iterable[tuple[str, str]], by: Mapping[str, str]) -> list[tuple[str, str]]:
    """The parameters, those named in ``by`` taken out and put at the end with their new values."""
    return [*((name, value) for name, value in params if name not in by), *by.items()]
