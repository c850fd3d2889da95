"""Collects everything that is wrong with a mapping, so that it can be mended in one go."""

from collections.abc import Iterator
from contextlib import contextmanager

from hub_model.errors import InvalidInput, Issue


class Problems:
    """The issues found so far, each at its JSON Pointer into the mapping."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def add(self, pointer: str, code: str, message: str) -> None:
        self.issues.append(Issue(pointer, code, message))

    @contextmanager
    def at(self, pointer: str, prefix: str = "") -> Iterator[None]:
        """Whatever is refused inside is a problem of this place."""
        try:
            yield
        except InvalidInput as error:
            self.add(pointer, error.code, f"{prefix}{error}")

    def raise_any(self, what: str) -> None:
        """Raise InvalidInput with every problem, if there is one."""
        if self.issues:
            first = self.issues[0]
            more = f" (and {len(self.issues) - 1} more)" if len(self.issues) > 1 else ""
            raise InvalidInput(
                f"{what} cannot be used: {first.pointer or '/'}: {first.message}{more}",
                self.issues,
                code="invalid_mapping",
            )
