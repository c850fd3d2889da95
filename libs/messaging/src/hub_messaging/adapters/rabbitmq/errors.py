"""The driver's errors as the port's. Texts of the driver are passed on only where they name queues and arguments."""

from collections.abc import Callable, Sequence

from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AMQPError,
    AuthenticationError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
    InvalidFrameError,
    ProbableAuthenticationError,
    PublishError,
)
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource, ConnectionNotAllowed
from hub_model.errors import BackendUnavailable, Conflict, HubError, InvalidInput, QueueFull, Unroutable

# Everything that a call of the driver may raise: RuntimeError is its "closed already", TimeoutError is an OSError.
DRIVER_ERRORS: tuple[type[Exception], ...] = CONNECTION_EXCEPTIONS


def _is_other(doing: str, error: Exception) -> HubError:
    return Conflict(
        f"{doing}: RabbitMQ has it with other arguments than this version declares: {_text(error)}. Run the version "
        "that declared it, or stop its consumers, let it run empty, delete it (rabbitmqctl delete_queue NAME) and "
        "start again",
        code="topology_differs",
    )


def _is_refused(doing: str, _: Exception) -> HubError:
    return InvalidInput(
        f"{doing}: RabbitMQ refuses. Check user, password and virtual host in HUB_BROKER_URL, and that the user may "
        "configure, write and read there (rabbitmqctl list_permissions -p VHOST)",
        code="broker_refused",
    )


def _away(message: str) -> HubError:
    """A college is told neither the broker's address nor what an operator would do about it."""
    return BackendUnavailable(
        message, public="The hub cannot reach its message broker just now. Try again in a few minutes."
    )


# The first that fits.
_MEANINGS: Sequence[tuple[type[Exception], Callable[[str, Exception], HubError]]] = (
    (PublishError, lambda doing, _: Unroutable(f"{doing}: no queue is bound")),
    # The only reason for which a broker refuses to store: a queue is at its limit.
    (DeliveryError, lambda doing, _: QueueFull(f"{doing}: a queue is at its limit")),
    (ChannelPreconditionFailed, _is_other),
    (
        ChannelLockedResource,
        lambda doing, _: Conflict(f"{doing}: the queue belongs to another consumer", code="queue_in_use"),
    ),
    (ChannelNotFoundEntity, lambda doing, error: _away(f"{doing}: {_text(error)}")),
    # The driver does not say why the broker closed the connection instead of opening it; it may just be starting.
    (
        InvalidFrameError,
        lambda doing, _: _away(
            f"{doing}: RabbitMQ ended the handshake. Does the virtual host in HUB_BROKER_URL exist "
            "(rabbitmqctl list_vhosts), and may the user access it?"
        ),
    ),
    (AuthenticationError, _is_refused),
    (ProbableAuthenticationError, _is_refused),
    (ConnectionNotAllowed, _is_refused),
    (ChannelAccessRefused, _is_refused),
    (TimeoutError, lambda doing, _: _away(f"{doing}: RabbitMQ did not answer in time")),
)


def translated(error: Exception, doing: str) -> HubError:
    """What ``error`` means to a user of the port. ``doing`` says, for an operator, what was being done."""
    for kind, meaning in _MEANINGS:
        if isinstance(error, kind):
            return meaning(doing, error)
    # What the network or the certificate check says names hosts and ports, and no credentials.
    reason = error.__cause__ if isinstance(error.__cause__, OSError) else error
    text = type(reason).__name__ if isinstance(reason, AMQPError) else f"{type(reason).__name__}: {reason}"
    return _away(f"{doing}: {text}")


def _text(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__
