"""Log lines: JSON, complete, and silent about data."""

import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import structlog
from hub_model.errors import Unavailable
from hub_runtime.logging import configure_logging
from hub_runtime.settings import LogLevel

CANARY = "canary-4711"


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    root = logging.getLogger()
    before = root.handlers, root.level
    yield io.BytesIO()
    root.handlers, level = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_event_service_and_what_is_bound(stream: io.BytesIO) -> None:
    configure_logging(service="writer", stream=stream)
    with structlog.contextvars.bound_contextvars(run_id="r1"):
        structlog.get_logger("x").info("batch.written", records=3)
    [line] = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "info", "event": "batch.written", "service": "writer", "run_id": "r1", "records": 3}


def test_lines_below_the_level_are_not_written(stream: io.BytesIO) -> None:
    configure_logging(service="writer", level=LogLevel.WARNING, stream=stream)
    structlog.get_logger().info("batch.written")
    logging.getLogger("third.party").info("hello")
    assert lines(stream) == []


def test_a_third_party_line_takes_the_same_way(stream: io.BytesIO) -> None:
    configure_logging(service="writer", stream=stream)
    logging.getLogger("third.party").warning("lost %s", "it")
    [line] = lines(stream)
    assert (line["event"], line["logger"], line["message"]) == ("library.logged", "third.party", "lost it")


def test_warnings_are_logged(stream: io.BytesIO) -> None:
    configure_logging(service="writer", stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        logging.captureWarnings(capture=True)
        warnings.warn("old way", DeprecationWarning, stacklevel=1)
    assert "old way" in lines(stream)[0]["message"]


def test_processors_see_every_line(stream: io.BytesIO) -> None:
    def redact(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
        return {key: "***" if CANARY in str(value) else value for key, value in event.items()}

    configure_logging(service="writer", processors=[redact], stream=stream)
    structlog.get_logger().info("a.b", token=CANARY)
    logging.getLogger("third.party").error(CANARY)
    assert [line.get("token", line.get("message")) for line in lines(stream)] == ["***", "***"]


def test_an_exception_is_written_without_its_text_and_without_locals(stream: io.BytesIO) -> None:
    configure_logging(service="writer", stream=stream)

    def look_up(student: str) -> None:
        try:
            {}[student]
        except KeyError as error:
            raise ValueError(student) from error

    try:
        look_up(f"student {CANARY}")
    except ValueError:
        structlog.get_logger().exception("work.failed")
    assert CANARY not in stream.getvalue().decode()
    [line] = lines(stream)
    assert [error["type"] for error in line["exception"]] == ["builtins.ValueError", "builtins.KeyError"]
    assert "test_logging.py" in line["exception"][0]["frames"][-1]


def test_the_hubs_own_errors_keep_their_sentence(stream: io.BytesIO) -> None:
    configure_logging(service="writer", stream=stream)
    structlog.get_logger().error("work.failed", exc_info=Unavailable("the broker did not answer"))
    assert lines(stream)[0]["exception"][0]["message"] == "the broker did not answer"


def test_a_value_json_does_not_know_is_written_as_text(stream: io.BytesIO) -> None:
    configure_logging(service="writer", stream=stream)
    structlog.get_logger().info("a.b", path=complex(1, 2))
    assert lines(stream)[0]["path"] == "(1+2j)"
