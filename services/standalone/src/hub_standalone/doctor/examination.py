"""What was found, and how a check is kept from hanging and from taking others down with it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from hub_model.errors import HubError, InvalidInput

T = TypeVar("T")

DEADLINE_S = 10.0

# Nothing is wrong with a file that a running hub has to itself, or that no hub has been started on yet.
_HARMLESS = frozenset(["database_in_use", "no_database"])
# What answers is running and in reach; the refusal itself says what to correct.
_SAYS_WHAT_TO_DO = frozenset(["broker_refused", "store_refused"])


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``fix`` says what to do, where something is to be done."""

    check: str
    status: Status
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found. ``unfinished``: a check ran out of time, and what it began may still be waiting."""

    findings: tuple[Finding, ...]
    unfinished: bool

    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings are not failures."""
        return all(finding.status is not Status.FAILED for finding in self.findings)


@dataclass
class Examination:
    """The findings of one subject, in order."""

    deadline_s: float = DEADLINE_S
    findings: list[Finding] = field(default_factory=list)
    unfinished: bool = False

    def ok(self, check: str, detail: str) -> None:
        self.findings.append(Finding(check, Status.OK, detail))

    def warn(self, check: str, detail: str, fix: str = "") -> None:
        self.findings.append(Finding(check, Status.WARNING, detail, fix))

    def fail(self, check: str, detail: str, fix: str = "") -> None:
        self.findings.append(Finding(check, Status.FAILED, detail, fix))

    async def check(self, name: str, work: Callable[[], Awaitable[T]], *, fix: str = "") -> T | None:
        """The result of ``work``; None after noting that it failed or took longer than the deadline."""
        try:
            async with asyncio.timeout(self.deadline_s):
                return await work()
        except TimeoutError:
            self.unfinished = True
            self.fail(name, f"no answer within {self.deadline_s:g} s.", fix)
        except HubError as error:
            self._note(name, error, fix)
        except Exception as error:  # noqa: BLE001 - a check that breaks is a finding; its text may hold anything
            self.fail(name, f"the check itself broke: {type(error).__name__}.", fix)
        return None

    def _note(self, name: str, error: HubError, fix: str) -> None:
        issues = error.issues if isinstance(error, InvalidInput) else ()
        text = " ".join([_sentence(str(error)), *(_sentence(f"{item.pointer}: {item.message}") for item in issues)])
        if error.code in _HARMLESS:
            self.warn(name, text)
        elif error.code == "topology_differs":
            self.fail("topology", text)
        else:
            self.fail(name, text, "" if error.code in _SAYS_WHAT_TO_DO else fix)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
