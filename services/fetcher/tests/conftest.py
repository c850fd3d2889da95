"""A college's system that behaves as it is told, and the fetcher's parts wired to it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from hub_fetcher.auth.credentials import secret_params
from hub_fetcher.auth.tokens import TokenCache
from hub_fetcher.fetching import Fetching
from hub_fetcher.handlers import fetch_pages, start_sync
from hub_fetcher.limits.pace import Paces, Pacing
from hub_fetcher.opening import Opener
from hub_fetcher.planning import Planner
from hub_fetcher.sources import Sources
from hub_fetcher.transport import Patience, Transport
from hub_fetcher.walking.joins import Lookups
from hub_fetcher.walking.reading import Limits, Reading
from hub_fetcher.walking.stretch import fetch_stretch
from hub_fetcher.walking.walk import Walk
from hub_messaging.handling import Context
from hub_model.access import credential_origin
from hub_model.base import parse_datetime
from hub_model.integrations import Integration, IntegrationDraft, SealedSecret
from hub_model.messages import BatchFetched, Message, PageRequested, StreamFinished, SyncFailed, SyncRequested, Trigger
from hub_model.records import DataType
from hub_model.runs import new_run
from hub_security.egress import open_client
from hub_security.keys import PublicKeys, generate_keys, load_private_keys, load_public_keys
from hub_security.vault import SecretBinding, SecretOpener, SecretSealer
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, Chains, Integrations, Runs, SourceLimits, StreamStates, Tables, Tokens
from hub_storage.store import Store

NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
KEY = "canary-api-key-0123456789"
IDS = {"college_id": "college-1", "integration_id": "integration-1", "run_id": "run-1"}
MOST_STEPS = 300  # of one run: a walk that goes round in circles is to fail a test, and not to hang it


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass
class Answer:
    """A response. ``cut`` leaves out the end of the body and hangs up; ``raw`` is sent as it is; ``drip_s`` is the
    pause after each byte of the body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    raw: bytes | None = None
    drip_s: float = 0


class College:
    """A local HTTP server. ``answer`` is what it does; ``asked`` is what it saw."""

    def __init__(self) -> None:
        self.answer: Callable[[Asked], Answer | Awaitable[Answer]] = lambda asked: Answer(status=404)
        self.asked: list[Asked] = []
        self.url = ""
        self.open_at_once = self.most_at_once = 0

    @staticmethod
    def json(value: Any, status: int = 200, **headers: str) -> Answer:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return Answer(orjson.dumps(value), status, {"Content-Type": "application/json", **named})

    def serve_rows(self, rows: list[Any], *, size: int = 100, delay_s: float = 0) -> None:
        """The seed's envelope over these rows."""

        async def answer(asked: Asked) -> Answer:
            await asyncio.sleep(delay_s)
            page, limit = int(asked.query.get("page", 1)), int(asked.query.get("limit", size))
            part = rows[(page - 1) * limit : page * limit]
            paging = {"page": page, "limit": limit, "total": len(rows)}
            return self.json({"success": True, "data": part, "pagination": paging})

        self.answer = answer

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                method, target, _ = line.decode().split()
                headers: dict[str, str] = {}
                while (header := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode("latin-1").partition(":")
                    headers[name.strip().lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                asked = Asked(method, target, headers, body)
                self.asked.append(asked)
                self.open_at_once += 1
                self.most_at_once = max(self.most_at_once, self.open_at_once)
                try:
                    answer = self.answer(asked)
                    if not isinstance(answer, Answer):
                        answer = await answer
                finally:
                    self.open_at_once -= 1
                if not await self._send(writer, answer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, answer: Answer) -> bool:
        if answer.raw is not None:
            writer.write(answer.raw)
            await writer.drain()
            return False
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body = answer.body[: len(answer.body) - answer.cut]
        writer.write(f"HTTP/1.1 {answer.status} Told\r\n{head}\r\n".encode())
        for index in range(len(body) if answer.drip_s else 0):
            writer.write(body[index : index + 1])
            await writer.drain()
            await asyncio.sleep(answer.drip_s)
        writer.write(b"" if answer.drip_s else body)
        await writer.drain()
        return not answer.cut


@pytest.fixture
async def college() -> AsyncIterator[College]:
    system = College()
    server = await asyncio.start_server(system.handle, "127.0.0.1", 0)
    system.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield system
    server.close()


@pytest.fixture(name="NOW")
def now() -> datetime:
    return NOW


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


@pytest.fixture(scope="session")
def keys_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "keys"
    generate_keys(folder)
    return folder


@pytest.fixture(scope="session")
def public_keys(keys_folder: Path) -> PublicKeys:
    return load_public_keys(keys_folder / "public.json")


@pytest.fixture
def opener(keys_folder: Path) -> SecretOpener:
    return SecretOpener(load_private_keys(keys_folder / "fetcher.json"))


NewSources = Callable[[], Awaitable[Sources]]
MakeIntegration = Callable[..., Integration]


@pytest.fixture
def make_integration(college: College, public_keys: PublicKeys) -> MakeIntegration:
    """An integration with the college; ``secrets`` are sealed for ``origin``, which is the right one by default."""

    def make(
        *, secrets: dict[str, str] | None = None, origin: str | None = None, version: int = 1, **draft: Any
    ) -> Integration:
        draft = {"authType": "bearer", "baseUrl": college.url, "endpoints": {"students": "/students"}, **draft}
        settings = IntegrationDraft.model_validate({"name": "ERP", "type": "erp", **draft})
        sealed: dict[str, SealedSecret] = {}
        for name, value in ({"apiKey": KEY} if secrets is None else secrets).items():
            sealed[name] = SecretSealer(public_keys).seal(
                value,
                SecretBinding(IDS["college_id"], IDS["integration_id"], name),
                recipient="fetcher",
                origin=origin or credential_origin(settings),
                version=version,
                now=NOW,
            )
        return Integration(
            id=IDS["integration_id"],
            college_id=IDS["college_id"],
            settings=settings,
            secrets=sealed,
            created_at=NOW,
            created_by="p",
            updated_at=NOW,
            updated_by="p",
        )

    return make


@pytest.fixture
def sleeps() -> list[float]:
    """How long the fetcher would have slept; it does not."""
    return []


class MemoryLimits(SourceLimits):
    """The shared limits without a store: one document for each source."""

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, Any]] = {}
        self.looks = self.writes = 0

    async def blocked_until(self, college_id: str, source: str) -> datetime | None:
        self.looks += 1
        until = self._documents.get(source, {}).get("blockedUntil")
        return parse_datetime(until) if until else None

    async def _change(self, college_id: str, source: str, change: Callable[[Any], Any]) -> None:
        self.writes += 1
        document = self._documents.get(source, {})
        self._documents[source] = change(document) or document


@pytest.fixture
def shared_limits() -> MemoryLimits:
    return MemoryLimits()


@pytest.fixture
def pacing(sleeps: list[float], shared_limits: MemoryLimits) -> Pacing:
    """Time passes only by sleeping."""

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        await asyncio.sleep(0)

    def clock() -> datetime:
        return NOW + timedelta(seconds=sum(sleeps))

    return Pacing(limits=shared_limits, worker_id="worker", clock=clock, sleep=sleep, jitter=lambda: 0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with SqliteDatabase(tmp_path / "fetcher.db") as database:
        store = SqliteStore(database)
        await store.open(SPECS)
        yield store


@pytest.fixture
async def new_sources(opener: SecretOpener, store: Store, pacing: Pacing) -> AsyncIterator[NewSources]:
    """Makes the sources of a worker of its own, beside others on the same store."""
    async with AsyncExitStack() as stack:

        async def new() -> Sources:
            client = await stack.enter_async_context(open_client(allowed_networks=["127.0.0.0/8"]))
            transport = Transport(client, clock=pacing.clock, sleep=pacing.sleep)
            monotonic = asyncio.get_running_loop().time
            tokens = TokenCache(Tokens(store), opener, clock=pacing.clock, monotonic=monotonic)
            patience = Patience(deadline_s=5, max_body_bytes=4_000_000)
            return Sources(transport, opener, tokens, patience, Paces(pacing))

        yield new


@pytest.fixture
async def sources(new_sources: NewSources) -> Sources:
    return await new_sources()


@dataclass
class Walked:
    """What a chain of stretches gave: every message in order, the batches' records, and the last message."""

    messages: list[Message]
    steps: int

    @property
    def batches(self) -> list[BatchFetched]:
        return [message for message in self.messages if isinstance(message, BatchFetched)]

    @property
    def records(self) -> list[Any]:
        return [record for batch in self.batches for record in batch.records]

    @property
    def last(self) -> Any:
        return self.messages[-1]


WalkAll = Callable[..., Awaitable[Walked]]


@pytest.fixture
def walk_all(sources: Sources, make_integration: MakeIntegration) -> WalkAll:
    """Follow a stream's chain to its end, each position through its written form."""

    async def walk(
        endpoint: dict[str, Any] | None = None,
        *,
        limits: Limits | None = None,
        integration: Integration | None = None,
        request: PageRequested | None = None,
        most_steps: int = 100,
        monotonic: Callable[[], float] | None = None,
    ) -> Walked:
        integration = integration or make_integration(endpoints={"students": {"path": "/students", **(endpoint or {})}})
        settings = integration.settings.endpoints[DataType.STUDENTS]
        request = request or PageRequested(**IDS, data_type=DataType.STUDENTS, observed_at=NOW)
        walked = Walked([], 0)
        while walked.steps < most_steps:
            walked.steps += 1
            source = sources.open(integration, settings)
            reading = Reading(stream=settings, plan=source.plan)
            walking = Walk(request, reading, clock=lambda: NOW, secret_params=secret_params(integration))
            limits = limits or Limits()
            monotonic = monotonic or asyncio.get_running_loop().time
            async with aclosing(fetch_stretch(walking, source.read, limits, monotonic=monotonic)) as messages:
                walked.messages += [message async for message in messages]
            if not isinstance(walked.last, PageRequested):
                break
            request = PageRequested.model_validate_json(walked.last.model_dump_json())
        return walked

    return walk


class Hub:
    """The fetcher over a real store; ``now`` is moved by a test. States are saved as the writer would."""

    def __init__(self, store: SqliteStore, sources: Any) -> None:
        self.now = NOW
        self.store = store
        self.states = StreamStates(store)
        tables = Tables(store)
        self.fetching = Fetching(
            integrations=Integrations(store),
            runs=Runs(store),
            chains=Chains(store),
            tables=tables,
            opener=Opener(sources, tables, Lookups(max_bytes=10_000_000)),
            planner=Planner(sources, self.states, self.clock),
            limits=Limits(pages=3),
            clock=self.clock,
            monotonic=time.monotonic,
        )
        self.runs = 0

    def clock(self) -> datetime:
        return self.now

    async def sync(self, integration: Integration, *, twice: bool = False, unwritten: str = "") -> dict[str, Any]:
        """One run: what each stream gave, and its end. ``twice``: each message was handled half before.

        The writer has not written the stream ``unwritten``.
        """
        self.runs += 1
        ids: dict[str, Any] = {
            "college_id": integration.college_id,
            "integration_id": integration.id,
            "run_id": f"run-{self.runs}",
        }
        if await self.fetching.integrations.find(integration.college_id, integration.id) is None:
            await self.fetching.integrations.add(integration)
        types = tuple(integration.settings.endpoints)
        await self.fetching.runs.add(new_run(**ids, trigger=Trigger.MANUAL, data_types=types, now=self.now))
        request = SyncRequested(**ids, trigger=Trigger.MANUAL, data_types=types, requested_at=self.now)
        queue: list[Any] = list(await start_sync(request, _context("s"), hub=self.fetching))
        told: dict[str, Any] = {}
        steps = 0
        while queue:
            steps += 1
            assert steps <= MOST_STEPS, "the run does not end"
            message = PageRequested.model_validate_json(queue.pop(0).model_dump_json())
            copy = _context(f"{message.table}{message.data_type}{message.step}")
            if twice:
                given = fetch_pages(message, copy, hub=self.fetching)
                async for output in given:
                    if not isinstance(output, PageRequested):
                        told[output.message_id] = output
                    break
                await given.aclose()
            async for output in fetch_pages(message, copy, hub=self.fetching):
                if isinstance(output, PageRequested):
                    queue.append(output)
                else:
                    told[output.message_id] = output
        ends = {m.data_type: m for m in told.values() if isinstance(m, StreamFinished | SyncFailed)}
        for end in (end for data_type, end in ends.items() if data_type != unwritten):
            for name, state in end.states.items():
                await self.states.advance("college-1", integration.id, name, state, began_at=self.now)
        records = [record for m in told.values() if isinstance(m, BatchFetched) for record in m.records]
        batches = [m for m in told.values() if isinstance(m, BatchFetched)]
        return {"records": records, "ends": ends, "batches": batches}


def _context(copy_id: str) -> Context:
    return Context("m", copy_id, 1, NOW)


@pytest.fixture
async def hub(tmp_path: Path, sources: Any) -> AsyncIterator[Hub]:
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        store = SqliteStore(database)
        await store.open(SPECS)
        hub = Hub(store, sources)
        yield hub
        await store.close()
