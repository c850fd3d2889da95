"""The ``Link`` header (RFC 8288), as far as paging needs it."""

import re
from collections.abc import Iterable

_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^\s=;,"<>]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)')
_PARAM = re.compile(r';\s*([^\s=;,"<>]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')


def next_link(headers: Iterable[str]) -> str | None:
    """The target of the first link whose ``rel`` names ``next``; several headers and several rels are fine."""
    for header in headers:
        for target, params in _LINK.findall(header[:16_384]):
            for name, quoted, plain in _PARAM.findall(params):
                if name.lower() == "rel" and "next" in (quoted or plain).lower().split():
                    return str(target)
    return None
