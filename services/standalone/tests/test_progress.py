import io
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hub_standalone.client import HubClient
from hub_standalone.progress import ProgressView, describe_counts, describe_wait
from rich.console import Console

COUNTS = dict.fromkeys(
    ("fetched", "inserted", "updated", "unchanged", "stale", "deleted", "duplicate", "rejected", "skipped"), 0
)


def stream(
    status: str, *, expected: int | None = 100, failure: Any = None, waiting: Any = None, **counts: int
) -> dict[str, Any]:
    return {
        "status": status,
        "counts": COUNTS | counts,
        "expectedRecords": expected,
        "failure": failure,
        "waiting": waiting,
    }


def wait(code: str = "rate_limited", until: str | None = "2026-03-01T14:05:30.000000Z") -> dict[str, Any]:
    message = "The source does not answer; the hub tries again."
    return {"since": "2026-03-01T12:05:30.000000Z", "until": until, "code": code, "message": message}


async def watched(steps: list[tuple[Any, ...]], *, terminal: bool) -> str:
    """What is shown of a run that is in one state after the other."""
    remaining = list(steps)

    def answer(_: httpx2.Request) -> httpx2.Response:
        status, streams, *preparing = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        run = {"id": "r", "status": status, "streams": streams, "preparing": preparing[0] if preparing else None}
        return httpx2.Response(200, json=run)

    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, width=100, color_system=None)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://hub") as http:
        with ProgressView(console) as view:
            run = await view.follow(HubClient(http), "ERP", "i", "r")
    assert run["status"] == steps[-1][0]
    return shown.getvalue()


STEPS = [
    ("queued", {"marks": stream("running", expected=None), "students": stream("running", expected=None)}),
    ("running", {"marks": stream("running", fetched=40, inserted=40), "students": stream("running", expected=None)}),
    ("running", {"marks": stream("running", fetched=40, inserted=40), "students": stream("succeeded", unchanged=7)}),
    (
        "succeeded",
        {"marks": stream("succeeded", inserted=99, rejected=1), "students": stream("succeeded", unchanged=7)},
    ),
]


async def test_on_a_terminal_every_running_stream_has_a_bar() -> None:
    shown = await watched(STEPS, terminal=True)
    assert "ERP: marks" in shown
    assert "40/100" in shown
    assert "0/?" in shown


@pytest.mark.parametrize("terminal", [True, False])
async def test_every_stream_that_ended_is_told_of_once_in_words(terminal: bool) -> None:
    shown = await watched(STEPS, terminal=terminal)
    assert shown.count("ERP: students succeeded: 7 unchanged") == 1
    assert shown.count("ERP: marks succeeded: 99 inserted, 1 rejected") == 1


async def test_elsewhere_nothing_but_these_lines_is_shown() -> None:
    assert await watched(STEPS, terminal=False) == (
        "  ERP: students succeeded: 7 unchanged\n  ERP: marks succeeded: 99 inserted, 1 rejected\n"
    )


async def test_a_run_that_is_cancelled_before_it_began_ends_the_watch() -> None:
    assert await watched([("cancelled", {"marks": stream("running")})], terminal=False) == ""


def test_a_failed_stream_says_why() -> None:
    failed = stream("failed", inserted=1200, failure={"message": "The token was refused."})
    assert describe_counts(failed) == "1,200 inserted; The token was refused."


def test_a_stream_that_brought_nothing_says_so() -> None:
    assert describe_counts(stream("succeeded")) == "nothing new"


@pytest.fixture
def _in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


SLOW = "waiting for the source until 19:35 (asked us to slow down)"


@pytest.mark.usefixtures("_in_kolkata")
def test_a_wait_is_told_in_words_and_in_the_time_of_the_place() -> None:
    assert describe_wait(wait()) == SLOW
    assert describe_wait(wait(until=None)) == "waiting for the source (asked us to slow down)"
    assert describe_wait(wait("source_timeout")) == (
        "waiting for the source until 19:35: The source does not answer; the hub tries again."
    )


@pytest.mark.usefixtures("_in_kolkata")
async def test_a_stream_that_waits_is_said_to_once_where_there_are_no_bars() -> None:
    waiting = ("running", {"marks": stream("running", waiting=wait())})
    shown = await watched([waiting, waiting, ("succeeded", {"marks": stream("succeeded", inserted=2)})], terminal=False)
    assert shown == f"  ERP: marks is {SLOW}\n  ERP: marks succeeded: 2 inserted\n"


@pytest.mark.usefixtures("_in_kolkata")
async def test_a_bar_says_that_its_stream_waits_and_no_longer_when_it_goes_on() -> None:
    steps = [
        ("running", {"marks": stream("running", waiting=wait())}),
        ("running", {"marks": stream("running", fetched=40)}),
        ("succeeded", {"marks": stream("succeeded", inserted=99)}),
    ]
    shown = await watched(steps, terminal=True)
    assert "waiting for the source until 19:35" in shown
    assert "waiting" not in shown[shown.index("40/100") - 100 : shown.index("40/100")]


@pytest.mark.parametrize("terminal", [True, False])
async def test_a_stream_that_others_need_is_named_while_it_is_read(terminal: bool) -> None:
    marks = {"marks": stream("running", expected=None)}
    steps = [
        ("running", marks, {"stream": "courses", "pages": 1, "rows": 20}),
        ("running", marks, {"stream": "courses", "pages": 2, "rows": 40}),
        ("running", marks, {"stream": "users", "pages": 0, "rows": 0}),
        ("succeeded", {"marks": stream("succeeded", inserted=99)}),
    ]
    shown = await watched(steps, terminal=terminal)
    if terminal:
        assert "ERP: reading courses" in shown
        assert "ERP: reading users" in shown
    else:
        lines = ["ERP: reading courses", "ERP: reading users", "ERP: marks succeeded: 99 inserted"]
        assert shown == "".join(f"  {line}\n" for line in lines)
