"""``hub dlq``: what the services gave up, and what an operator does about it.

It asks the broker and not the hub's API: the API shows a college its own, and these letters are of all colleges.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from hub_messaging.broker import DeadLetter, DeadLetters
    from hub_security.redaction import Redactor

    from hub_standalone.local import OperatorSettings
    from hub_standalone.settling import Action, Settling

T = TypeVar("T")

_MOST = 1000  # letters in one go: their messages are held in memory, up to 1 MiB each
_HELP = """Messages that were given up: look at them, put them back, or throw them away.

Run it where the hub's settings are. It connects straight to the broker of
HUB_BROKER_URL and the store of HUB_STORE_URL (or their _FILE forms).
Where neither is set it opens the file of the hub that runs in one process:
stop that hub first, and start it again afterwards.

Usually: `list`, `show ID` for the reason, mend the cause, `replay ID`.
"""

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The letter's id, as `list` shows it.")]
QueueOption = Annotated[str | None, typer.Option(help="Only what died in this queue.", show_default="all queues")]


def build_group() -> typer.Typer:
    """The sub-commands, as one group."""
    group = typer.Typer(no_args_is_help=True, help=_HELP)
    group.command("list")(list_letters)
    group.command("show")(show)
    group.command("replay")(replay)
    group.command("discard")(discard)
    return group


def list_letters(
    queue: QueueOption = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many to list.")] = 20,
) -> None:
    """The newest first, one line each: id, when, queue, message, college/integration, attempts, reason."""
    from hub_standalone.letters import facts_of

    async def look(letters: "DeadLetters") -> "tuple[Sequence[DeadLetter], int]":
        return await letters.newest(queue, limit=limit), await letters.count(queue)

    redactor, (found, total) = _look(look)
    _check_queue(queue, total)
    for letter in found:
        facts = facts_of(letter)
        fields = (facts.letter_id, facts.died_at, facts.queue, facts.message_name, facts.about)
        typer.echo(redactor.redact("  ".join((*fields, f"attempts={facts.attempt}", facts.reason))))
    where = f" in {queue}" if queue else ""
    if not found:
        typer.echo(f"No dead letters{where}.", err=True)
    elif total > len(found):
        typer.echo(f"{len(found)} of {total} dead letters{where}: there are more, see --limit.", err=True)
    else:
        typer.echo(f"{len(found)} dead letters{where}." if len(found) > 1 else f"1 dead letter{where}.", err=True)


def show(letter_id: IdArgument) -> None:
    """Why and where it died, its headers, and what its message holds: counts and field names, never students' data."""
    from hub_model.errors import NotFound

    from hub_standalone.letters import describe

    redactor, letter = _look(lambda letters: letters.find(letter_id))
    if letter is None:
        raise NotFound(f"There is no dead letter {letter_id}; `hub dlq list` shows those there are.")
    for line in describe(letter):
        typer.echo(redactor.redact(line))
    typer.echo(f"Next: hub dlq replay {letter_id}, or hub dlq discard {letter_id}", err=True)


def replay(
    letter_ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids, as `list` shows them.")] = None,
    queue: Annotated[str | None, typer.Option(help="With --all: the queue whose letters are meant.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter of --queue, the oldest first.")] = False,
) -> None:
    """Put messages back into their own queues, on their first attempt. Mend first what made them die."""
    from hub_standalone.settling import Action

    ids = letter_ids or []
    if bool(ids) == every or every != bool(queue):
        raise typer.BadParameter("name letters by their ids, or all of one queue: --queue QUEUE --all")

    async def work(session: _Session) -> bool:
        chosen: Sequence[str | DeadLetter] = ids
        total = 0
        if queue is not None:
            total = await session.letters.count(queue)
            _check_queue(queue, total)
            chosen = list(reversed(await session.letters.newest(queue, limit=_MOST)))
            typer.echo(f"{total} dead letters in {queue}.", err=True)
        done = await session.settle(Action.REPLAY, chosen)
        if (left := total - len(chosen)) > 0:
            typer.echo(f"{left} older ones are left: at most {_MOST} go at a time, so run it again.", err=True)
        return done

    _act(work)


def discard(
    letter_ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids, as `list` shows them.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Throw messages away for good. What they carried is missing until the integration syncs again."""
    from hub_standalone.settling import Action

    if not yes:
        typer.confirm(f"Throw away {', '.join(letter_ids)} for good?", abort=True, err=True)
    _act(lambda session: session.settle(Action.DISCARD, letter_ids))


def _check_queue(queue: str | None, letters: int) -> None:
    """Raise NotFound for a name that no queue has. A queue of another version or of a live view may have letters."""
    from hub_messaging.topology import QUEUES
    from hub_model.errors import NotFound

    if queue is not None and not letters and queue not in QUEUES:
        raise NotFound(f"There is no queue {queue!r}. The queues are: {', '.join(QUEUES)}.")


class _Session:
    """The letters while they are at hand, and the terminal."""

    def __init__(self, letters: "DeadLetters", settling: "Settling", redactor: "Redactor") -> None:
        self.letters = letters
        self._settling = settling
        self._redactor = redactor

    async def settle(self, action: "Action", letters: "Sequence[str | DeadLetter]") -> bool:
        """Act on all, say what became of each as it does; whether all were done."""
        verb = {"replayDeadLetter": "replayed", "discardDeadLetter": "discarded"}[action.value]
        done = 0
        async for settled in self._settling.settle(action, letters):
            if settled.error is not None or settled.facts is None:
                typer.echo(self._redactor.redact(f"NOT {verb}  {settled.letter_id}  {settled.error}"))
                continue
            done += 1
            facts = settled.facts
            typer.echo(f"{verb}  {facts.letter_id}  {facts.queue}  {facts.message_name}  {facts.about}")
            if facts.college_id is None:
                typer.echo("  It names no college, so this is in the log and in no college's audit trail.", err=True)
        typer.echo(f"{done} {verb}, {len(letters) - done} not.", err=True)
        return done == len(letters)


def _look(question: "Callable[[DeadLetters], Awaitable[T]]") -> "tuple[Redactor, T]":
    from hub_standalone.backend import open_the_broker

    settings, redactor = _prepare()

    async def look() -> T:
        async with open_the_broker(settings) as broker:
            return await question(broker.dead_letters)

    return redactor, asyncio.run(look())


def _act(work: "Callable[[_Session], Awaitable[bool]]") -> None:
    async def act() -> bool:
        async with _session() as session:
            return await work(session)

    if not asyncio.run(act()):
        raise typer.Exit(1)


@asynccontextmanager
async def _session() -> "AsyncIterator[_Session]":
    from hub_messaging.clock import utc_now

    from hub_standalone.backend import open_backend
    from hub_standalone.settling import Settling, operator

    settings, redactor = _prepare()
    async with open_backend(settings) as (broker, store):
        settling = Settling(broker.dead_letters, store, actor=operator(), clock=utc_now)
        yield _Session(broker.dead_letters, settling, redactor)


def _prepare() -> "tuple[OperatorSettings, Redactor]":
    """The settings, and a log on stderr that holds nothing but what an operator has to hear."""
    from hub_runtime.apart import hide_password
    from hub_runtime.logging import configure_logging
    from hub_runtime.settings import LogLevel, load_settings
    from hub_security.redaction import Redactor

    from hub_standalone.local import OperatorSettings

    settings, redactor = load_settings(OperatorSettings), Redactor()
    for url in (settings.broker_url, settings.store_url):
        hide_password(url, redactor)
    configure_logging(service="hub", level=LogLevel.WARNING, processors=[redactor])
    return settings, redactor
