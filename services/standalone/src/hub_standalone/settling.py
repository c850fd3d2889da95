"""Replays and discards dead letters for an operator, each with an entry in its college's audit trail.

Invariant: nothing is replayed or discarded without an entry. It is written before the act; an act that then fails is
followed by an entry that says so. A message that names no college has no trail to be in: the log says so instead.
"""

import os
import pwd
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog
from hub_messaging.broker import DeadLetter, DeadLetters
from hub_messaging.clock import Clock
from hub_model.errors import HubError, NotFound, Unavailable
from hub_model.ids import new_id
from hub_model.logs import AuditEntry
from hub_storage.repositories import Audit
from hub_storage.store import Store

from hub_standalone.letters import Facts, facts_of

log = structlog.get_logger(__name__)

ROLE = "Operator"


class Action(StrEnum):
    """What an operator may do with a letter; the value is its name in the audit trail."""

    REPLAY = "replayDeadLetter"
    DISCARD = "discardDeadLetter"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one letter; ``error`` is None when it was done."""

    letter_id: str
    facts: Facts | None = None
    error: str | None = None


class Settling:
    """One operator's work on dead letters."""

    def __init__(self, letters: DeadLetters, store: Store, *, actor: str, clock: Clock) -> None:
        self._letters = letters
        self._audit = Audit(store)
        self._actor = actor
        self._clock = clock

    async def settle(self, action: Action, letters: Sequence[str | DeadLetter]) -> AsyncIterator[Settled]:
        """Act on one after the other, given by id or as found.

        One that cannot be replayed keeps none of the others back, unless broker or store cannot be reached: then the
        rest is not tried.
        """
        gone: Unavailable | None = None
        for given in letters:
            letter_id = given if isinstance(given, str) else given.id
            if gone is not None:
                yield Settled(letter_id, error="not tried")
                continue
            try:
                yield await self._settle(action, given)
            except HubError as error:
                gone = error if isinstance(error, Unavailable) else None
                yield Settled(letter_id, error=str(error))

    async def _settle(self, action: Action, given: str | DeadLetter) -> Settled:
        letter = await self._letters.find(given) if isinstance(given, str) else given
        if letter is None:
            raise NotFound("there is no dead letter of this id")
        facts = facts_of(letter)
        await self._note(action, facts)
        act = self._letters.replay if action is Action.REPLAY else self._letters.discard
        try:
            if not await act(letter.id):
                raise NotFound("somebody else was faster: the letter is gone")
        except HubError as error:
            await self._note(action, facts, refused=error.code)
            raise
        return Settled(letter.id, facts)

    async def _note(self, action: Action, facts: Facts, *, refused: str | None = None) -> None:
        changes = {
            "letterId": facts.letter_id,
            "queue": facts.queue,
            "message": facts.message_name,
            "reason": facts.reason,
            **({"refused": refused} if refused else {}),
        }
        if facts.college_id is None:
            log.warning("dead_letter.not_audited", action=action.value, actor=self._actor, **changes)
            return
        await self._audit.add(
            AuditEntry(
                id=new_id(),
                college_id=facts.college_id,
                at=self._clock(),
                actor=self._actor,
                role=ROLE,
                action=action.value,
                target=facts.integration_id,
                allowed=refused is None,
                changes=changes,
            )
        )


def operator() -> str:
    """Who runs this command, as the audit trail names them. By the process's user: LOGNAME could say anything."""
    user_id = os.getuid()
    try:
        return f"operator:{pwd.getpwuid(user_id).pw_name}"
    except KeyError:  # a container's user need not have a name
        return f"operator:uid-{user_id}"
