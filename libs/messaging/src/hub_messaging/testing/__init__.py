"""What adapters and services are tested with: the broker's contract suite, and waiting without sleeping."""

from hub_messaging.testing.contract import BrokerContract, BrokerFactory
from hub_messaging.testing.waiting import WORK, Hands, envelope, stays, wait_until

__all__ = ["WORK", "BrokerContract", "BrokerFactory", "Hands", "envelope", "stays", "wait_until"]
