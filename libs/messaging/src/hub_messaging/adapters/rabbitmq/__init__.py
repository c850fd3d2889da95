"""The broker on RabbitMQ, for services that run apart."""

from hub_messaging.adapters.rabbitmq.broker import RabbitBroker
from hub_messaging.adapters.rabbitmq.timing import Timing

__all__ = ["RabbitBroker", "Timing"]
