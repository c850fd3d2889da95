"""How many requests of a run may be repeated at once: a tenth of them, so that a failing source is not asked thrice.

In this process alone; where the budget is spent, the chain is parked instead and tries again later.
"""

from collections import OrderedDict

import structlog

log = structlog.get_logger(__name__)

_LEAST = 10
_SHARE = 0.1
_MAX_RUNS = 10_000


class RetryBudget:
    """The requests of one run and their repetitions."""

    def __init__(self, run_id: str = "") -> None:
        self._run_id = run_id
        self._requests = self._repeated = 0
        self._is_told = False

    def asked(self) -> None:
        """A request is sent for the first time."""
        self._requests += 1

    def may_repeat(self) -> bool:
        """Whether there is a repetition left; if so, it is taken."""
        if self._repeated < max(_LEAST, self._requests * _SHARE):
            self._repeated += 1
            return True
        if not self._is_told:
            self._is_told = True
            log.warning("retries.spent", run_id=self._run_id, requests=self._requests, repeated=self._repeated)
        return False


class RetryBudgets:
    """The budgets of the runs that were read last."""

    def __init__(self) -> None:
        self._budgets: OrderedDict[str, RetryBudget] = OrderedDict()

    def of(self, run_id: str) -> RetryBudget:
        budget = self._budgets.setdefault(run_id, RetryBudget(run_id))
        self._budgets.move_to_end(run_id)
        while len(self._budgets) > _MAX_RUNS:
            self._budgets.popitem(last=False)
        return budget
