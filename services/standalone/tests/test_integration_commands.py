"""The commands that talk to a hub, against one that answers what a test tells it to."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hub_standalone.keys import create_keys

Hub = Callable[..., Any]

INTEGRATION = {"id": "i1", "name": "ERP", "type": "sms", "status": "active", "lastSync": None}
COUNTS = dict.fromkeys(
    ("fetched", "inserted", "updated", "unchanged", "stale", "deleted", "duplicate", "rejected", "skipped"), 0
)


@dataclass
class FakeHub:
    """``answers`` maps "METHOD /path" to (status, body), or to a list of them, the last of which repeats."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def answer(self, method: str, target: str, body: Any, token: str | None) -> tuple[int, Any]:
        self.requests.append((method, target, body))
        self.tokens.add(token)
        found = self.answers.get(f"{method} {target.partition('?')[0]}", (404, {"title": "There is no such thing"}))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        status, answer = found
        return status, answer


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = hub.answer(self.command, self.path, body, self.headers.get("authorization"))
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            is_stream = content.startswith(b"event: ")
            media_type = "application/json" if status < 400 else "application/problem+json"
            self.send_header("content-type", "text/event-stream" if is_stream else media_type)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing: what the command prints is under test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HUB_URL", hub.url)
    monkeypatch.setenv("HUB_TOKEN", "a-token")
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run_of(status: str, stream_status: str, *, failure: Any = None, **counts: int) -> dict[str, Any]:
    stream = {"status": stream_status, "counts": COUNTS | counts, "expectedRecords": 100, "failure": failure}
    return {"id": "r1", "integrationId": "i1", "status": status, "streams": {"students": stream}}


def test_a_hub_that_speaks_no_json_is_not_taken_for_one(hub: Hub, fake_hub: FakeHub) -> None:
    fake_hub.answers["GET /api/integrations"] = (200, b"<html>welcome</html>")
    outcome = hub("integrations", "list")
    assert outcome.code == 1
    assert "not like a hub" in outcome.err


def test_every_page_of_integrations_is_listed_a_line_each(hub: Hub, fake_hub: FakeHub) -> None:
    fake_hub.answers["GET /api/integrations"] = [
        (200, {"items": [INTEGRATION], "nextCursor": "more"}),
        (200, {"items": [INTEGRATION | {"id": "i2"}], "nextCursor": None}),
    ]
    outcome = hub("integrations", "list")
    assert outcome.out == "i1\tERP\tsms\tactive\tnever\ni2\tERP\tsms\tactive\tnever\n"
    assert "cursor=more" in fake_hub.requests[1][1]
    assert fake_hub.tokens == {"Bearer a-token"}


def test_without_a_token_the_development_key_is_used_and_that_is_said(
    hub: Hub, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.answers["GET /api/integrations"] = (200, {"items": [], "nextCursor": None})
    monkeypatch.delenv("HUB_TOKEN")
    create_keys(Path(".hub/keys"))
    outcome = hub("integrations", "list", "--college", "c-9")
    assert outcome.code == 0
    assert "c-9" in outcome.err
    assert fake_hub.tokens != {"Bearer a-token"}


def test_a_created_integration_shows_its_secret_once_and_what_to_do_next(hub: Hub, fake_hub: FakeHub) -> None:
    made = INTEGRATION | {"webhook": {"url": "http://h/w"}, "webhookSecret": "s3cr3t", "warnings": ["no TLS"]}
    fake_hub.answers["POST /api/integrations"] = (201, made)
    Path("erp.json").write_text(json.dumps({"name": "ERP"}))
    outcome = hub("integrations", "create", "erp.json")
    assert fake_hub.requests[0][2] == {"name": "ERP"}
    for text in ("i1", "http://h/w", "s3cr3t", "no TLS", "hub integrations test i1"):
        assert text in outcome.out


@pytest.mark.parametrize(
    ("placement", "secret", "expected"),
    [
        (
            {"placement": "address"},
            "s3cr3t",
            ["Webhooks go to http://h/w/s3cr3t", "The last part is their secret, shown"],
        ),
        ({"placement": "address"}, None, ["Webhooks go to http://h/w/SECRET", "The last part is their secret, which"]),
        ({"placement": "body"}, "s3cr3t", ["Webhooks go to http://h/w\n", "Their secret, shown only now: s3cr3t"]),
        (None, None, ["Webhooks go to http://h/w\n"]),
    ],
)
def test_create_tells_where_webhooks_go_and_the_secret_where_there_is_one(
    hub: Hub, fake_hub: FakeHub, placement: Any, secret: str | None, expected: list[str]
) -> None:
    webhook = {"url": "http://h/w", "secretPlacement": placement}
    made = INTEGRATION | {"webhook": webhook, "webhookSecret": secret, "warnings": []}
    fake_hub.answers["POST /api/integrations"] = (201, made)
    Path("erp.json").write_text("{}")
    outcome = hub("integrations", "create", "erp.json")
    assert [text for text in expected if text not in outcome.out] == []
    assert ("secret" in outcome.out) is (len(expected) > 1)


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "cannot be read"), ("{", "is not JSON"), ("[]", "one JSON object")]
)
def test_a_draft_that_is_none_is_not_sent(hub: Hub, fake_hub: FakeHub, content: str | None, reason: str) -> None:
    if content is not None:
        Path("erp.json").write_text(content)
    outcome = hub("integrations", "create", "erp.json")
    assert outcome.code == 1
    assert reason in outcome.err
    assert fake_hub.requests == []


def test_a_refusal_names_the_field_and_the_fix(hub: Hub, fake_hub: FakeHub) -> None:
    fake_hub.answers["POST /api/integrations"] = (
        422,
        {
            "title": "The input is not valid",
            "detail": "Mend /syncInterval and send it again.",
            "code": "invalid_input",
            "errors": [{"pointer": "/syncInterval", "code": "value_error", "message": "the shortest is 5 minutes"}],
        },
    )
    Path("erp.json").write_text("{}")
    outcome = hub("integrations", "create", "erp.json")
    assert outcome.code == 1
    assert outcome.err == (
        "hub: The input is not valid: Mend /syncInterval and send it again.\n"
        "  /syncInterval: the shortest is 5 minutes\n"
    )


def events(*named: tuple[str, Any]) -> bytes:
    return b"".join(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in named)


def test_a_failed_check_says_what_to_do_and_fails_the_command(hub: Hub, fake_hub: FakeHub) -> None:
    checks = [
        {"name": "address", "ok": True, "detail": "reached", "fix": ""},
        {"name": "clock", "ok": True, "detail": "95 s behind", "fix": "Have it set."},
        {"name": "credentials", "ok": False, "detail": "refused with 401", "fix": "Give another apiKey."},
    ]
    result = {"success": False, "message": "", "checks": checks}
    told = events(*(("check", check) for check in checks), ("result", result))
    fake_hub.answers["POST /api/integrations/i1/test"] = (200, told)
    outcome = hub("integrations", "test", "i1")
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "  ok    address: reached",
        "  warn  clock: 95 s behind",
        "        Have it set.",
        "  FAIL  credentials: refused with 401",
        "        Give another apiKey.",
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (events(("problem", {"title": "Nobody answered in time", "status": 504, "detail": "Try again."})), "Try again"),
        (events(("check", {"name": "address", "ok": True, "detail": "reached", "fix": ""})), "broke off"),
        ({"success": True}, "not like a hub"),
    ],
)
def test_a_test_without_a_result_is_an_error(hub: Hub, fake_hub: FakeHub, answer: Any, words: str) -> None:
    fake_hub.answers["POST /api/integrations/i1/test"] = (200, answer)
    outcome = hub("integrations", "test", "i1")
    assert outcome.code == 1
    assert words in outcome.err


def test_a_sync_is_watched_to_its_end(hub: Hub, fake_hub: FakeHub) -> None:
    fake_hub.answers["POST /api/integrations/i1/sync"] = (202, {"runId": "r1", "status": "queued"})
    fake_hub.answers["GET /api/integrations/i1/runs/r1"] = [
        (200, run_of("queued", "running")),
        (200, run_of("running", "running", fetched=50, inserted=50)),
        (200, run_of("succeeded", "succeeded", fetched=1240, inserted=1239, rejected=1)),
    ]
    outcome = hub("integrations", "sync", "i1")
    assert outcome.code == 0
    assert outcome.out == "  sync: students succeeded: 1,239 inserted, 1 rejected\nRun r1 succeeded.\n"


def test_a_sync_that_fails_says_why_and_fails_the_command(hub: Hub, fake_hub: FakeHub) -> None:
    failure = {"message": "The token was refused.", "code": "unauthorized"}
    fake_hub.answers["POST /api/integrations/i1/sync"] = (202, {"runId": "r1", "status": "queued"})
    fake_hub.answers["GET /api/integrations/i1/runs/r1"] = (200, run_of("failed", "failed", failure=failure))
    outcome = hub("integrations", "sync", "i1")
    assert outcome.code == 1
    assert "The token was refused." in outcome.out
    assert "hub integrations logs i1" in outcome.out


def test_logs_read_downwards(hub: Hub, fake_hub: FakeHub) -> None:
    entries = [
        {"at": "2026-01-02", "level": "error", "message": "b"},
        {"at": "2026-01-01", "level": "info", "message": "a"},
    ]
    fake_hub.answers["GET /api/integrations/i1/logs"] = (200, {"items": entries, "nextCursor": None})
    outcome = hub("integrations", "logs", "i1", "--limit", "7")
    assert outcome.out == "2026-01-01  info     a\n2026-01-02  error    b\n"
    assert "limit=7" in fake_hub.requests[0][1]


def test_an_id_that_is_unknown_is_said_to_be(hub: Hub, fake_hub: FakeHub) -> None:
    outcome = hub("integrations", "logs", "nope")
    assert (outcome.code, outcome.err) == (1, "hub: There is no such thing\n")
