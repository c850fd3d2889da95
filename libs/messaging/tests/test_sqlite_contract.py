"""The SQLite broker keeps every promise of the port."""

from hub_messaging.testing import BrokerContract


class TestSqliteBroker(BrokerContract):
    """On a file, opened by its URL. Its claims do not expire, so a slow handler need not be very slow."""

    slow_s = 0.3
