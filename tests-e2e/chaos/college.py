"""A college under load: its students are synced again and again while they change, and its gate pushes all the time."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from chaos.caller import Caller, StillAtWork
from chaos.history import History
from crash.source import student
from hub_security.signatures import sign_legacy

STUDENTS = 600
PAGE_SIZE = 50
ENDED = ("succeeded", "partial", "failed", "cancelled")
_POLL_S = 0.3
_FIRST_RUN_S = 30.0
_BURST = 10


@dataclass
class College:
    """One college. Its ERP, which is synced, serves ``rows``; ``runs`` says how many changed before each sync."""

    id: str
    api: Caller
    gateway: Caller
    history: History
    rng: random.Random
    rows: list[dict[str, str]] = field(default_factory=lambda: [student(number) for number in range(STUDENTS)])
    erp: dict[str, Any] = field(default_factory=dict)
    gate: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)

    async def connect(self, erp_url: str, *, gate_url: str) -> None:
        """The ERP and the gate; the gate has nothing to be asked for, it only pushes."""
        self.erp = await self._create("ERP", erp_url, "students", enabled=False)
        self.gate = await self._create("Gate", gate_url, "attendance", enabled=True)
        # Enabling syncs at once: that is the first run.
        await self.api.until_taken("PATCH", f"{self._path}/toggle", json={"enabled": True})
        async with asyncio.timeout(_FIRST_RUN_S):
            while not (runs := (await self.api.until_taken("GET", f"{self._path}/runs")).json()["items"]):
                await asyncio.sleep(_POLL_S)
        self.runs[runs[0]["id"]] = 0
        await self._follow(runs[0]["id"])

    async def _create(self, name: str, url: str, data_type: str, *, enabled: bool) -> dict[str, Any]:
        draft = {
            "name": name,
            "type": "erp",
            "baseUrl": url,
            "authType": "bearer",
            "apiKey": "a-key-of-the-college",
            "endpoints": {data_type: {"path": "/", "pagination": {"type": "page", "pageSize": PAGE_SIZE}}},
            "syncInterval": 1440,
            "enabled": enabled,
        }
        made: dict[str, Any] = (await self.api.until_taken("POST", "/api/integrations", json=draft)).json()
        return made

    @property
    def _path(self) -> str:
        return f"/api/integrations/{self.erp['id']}"

    async def sync_until(self, stopped: asyncio.Event) -> None:
        """Change some rows and sync, again and again. No run reads meanwhile, so what each must count is known."""
        while not stopped.is_set():
            self.change()
            await self.sync()

    def change(self) -> None:
        """A quarter of the rows becomes different; only ever before a run."""
        for row in self.rng.sample(self.rows, STUDENTS // 4):
            row["name"] = f"{row['name'].partition(' v')[0]} v{len(self.runs)}"

    async def sync(self) -> None:
        """One run from its request to its end."""
        for number in count():
            key = f"{self.id}-{len(self.runs)}-{number}"
            run_id = await self._begin(key)
            if run_id is not None and run_id not in self.runs:
                break
            # The run before has ended, and its integration has not heard of it yet.
            self.history.note("sync.shared", college=self.id, run=run_id)
            await asyncio.sleep(_POLL_S)
        self.runs[run_id] = STUDENTS // 4
        self.history.note("sync.accepted", college=self.id, run=run_id)
        await self._follow(run_id)

    async def _begin(self, key: str) -> str | None:
        """The run that answers the request; None if a first try left its key locked, and no run: take another key."""
        try:
            begun = await self.api.until_taken("POST", f"{self._path}/sync", headers={"idempotency-key": key})
        except StillAtWork:
            runs = (await self.api.until_taken("GET", f"{self._path}/runs")).json()["items"]
            return next((run["id"] for run in runs if run["id"] not in self.runs), None)
        return str(begun.json()["runId"])

    async def _follow(self, run_id: str) -> None:
        while True:
            run = (await self.api.until_taken("GET", f"{self._path}/runs/{run_id}")).json()
            if run["status"] in ENDED:
                self.history.note("run.ended", college=self.id, run=run_id, status=run["status"], counts=run["counts"])
                return
            await asyncio.sleep(_POLL_S)

    async def push_until(self, stopped: asyncio.Event, per_s: float) -> None:
        """Students come through the gate, each once; a push is repeated until it is accepted.

        They come in bursts, so that whatever dies has something in its hands.
        """
        numbers = count(1)
        while not stopped.is_set():
            burst = [(f"G{next(numbers):06d}", self.rng.choice(["present", "late"])) for _ in range(_BURST)]
            await asyncio.gather(*(self._push(*student) for student in burst))
            await asyncio.sleep(_BURST / per_s)

    async def _push(self, student_id: str, attendance: str) -> None:
        record = {"studentId": student_id, "date": "2026-07-20", "attendance": attendance, "subject": "Gate"}
        body = json.dumps({"dataType": "attendance", "records": [record]}).encode()
        signature = sign_legacy(self.gate["webhookSecret"], body)
        self.sent[student_id] = attendance
        await self.gateway.until_taken(
            "POST",
            f"/api/webhooks/integrations/{self.gate['id']}",
            content=body,
            headers={"content-type": "application/json", "x-webhook-signature": signature},
        )
        self.accepted[student_id] = attendance
        self.history.note("push.accepted", college=self.id, student=student_id)
