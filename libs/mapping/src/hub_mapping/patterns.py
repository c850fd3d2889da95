"""Regular expressions that a college writes: RE2, whose time grows with the text and nothing else."""

from typing import Any

import re2

from hub_mapping.flaws import flaw

MAX_PATTERN = 200
# Of the compiled program and its automaton together.
_MAX_MEMORY_BYTES = 2 << 20


def compile_pattern(pattern: str) -> Any:
    """The compiled expression; InvalidInput with what RE2 has against it."""
    if not 1 <= len(pattern) <= MAX_PATTERN:
        raise flaw("bad_pattern", f"An expression has 1 to {MAX_PATTERN} characters.")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY_BYTES
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if error.args and not isinstance(error, UnicodeError) else b"it is not valid Unicode"
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise flaw("bad_pattern", f"This is no RE2 expression: {reason}. It has no look-around and no \\1.") from None
