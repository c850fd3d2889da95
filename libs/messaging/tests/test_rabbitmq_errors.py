"""Every error of the driver becomes one of the port's."""

import asyncio

import aio_pika.exceptions
import aiormq.exceptions
import pytest
from aiormq.abc import DeliveredMessage
from hub_messaging.adapters.rabbitmq.errors import DRIVER_ERRORS, translated
from hub_model.errors import (
    BackendUnavailable,
    Conflict,
    InvalidInput,
    PermanentError,
    QueueFull,
    TransientError,
    Unroutable,
)
from pamqp.commands import Basic
from pamqp.header import ContentHeader

NAMED = {
    "PublishError": Unroutable,
    "DeliveryError": QueueFull,
    "ChannelPreconditionFailed": Conflict,
    "ChannelLockedResource": Conflict,
    "AuthenticationError": InvalidInput,
    "ProbableAuthenticationError": InvalidInput,
    "ConnectionNotAllowed": InvalidInput,
    "ChannelAccessRefused": InvalidInput,
}
CLASSES = sorted(
    {
        kind
        for module in (aiormq.exceptions, aio_pika.exceptions)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    },
    key=lambda kind: kind.__name__,
)


def an(kind: type[Exception]) -> Exception:
    if kind is aiormq.exceptions.PublishError:
        returned = DeliveredMessage(Basic.Return(312, "NO_ROUTE", "hub", "key"), ContentHeader(), b"", None)
        return kind(returned, returned.delivery)
    if kind is aiormq.exceptions.DeliveryError:
        return kind(None, Basic.Nack(1))
    return kind("a text")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_of_the_driver_is_caught_and_has_a_meaning(kind: type[Exception]) -> None:
    error = an(kind)
    assert isinstance(error, DRIVER_ERRORS)
    meaning = translated(error, "publishing to key")
    assert type(meaning) is NAMED.get(kind.__name__, BackendUnavailable)
    assert str(meaning).startswith("publishing to key")


@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionRefusedError(), OSError("no route"), RuntimeError("closed")]
)
def test_what_the_network_does_is_worth_another_try(error: Exception) -> None:
    assert isinstance(error, DRIVER_ERRORS)
    assert isinstance(translated(error, "x"), TransientError)


def test_only_what_a_person_must_mend_is_permanent() -> None:
    permanent = {kind.__name__ for kind in CLASSES if isinstance(translated(an(kind), "x"), PermanentError)}
    assert permanent == {name for name, meaning in NAMED.items() if issubclass(meaning, PermanentError)}


def test_a_cancellation_is_not_an_error_of_the_driver() -> None:
    assert not issubclass(asyncio.CancelledError, DRIVER_ERRORS)


def test_a_college_is_not_told_where_the_broker_is() -> None:
    error = translated(ConnectionRefusedError(111, "refused"), "connecting to RabbitMQ at broker.internal:5672")
    assert "broker.internal" in str(error)
    assert error.public == "The hub cannot reach its message broker just now. Try again in a few minutes."
