"""The processes: whether they are ready, and whether their clocks agree with this machine's."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from hub_messaging.clock import Clock
from hub_model.errors import Unavailable

from hub_standalone.client import ask
from hub_standalone.doctor.examination import Examination

WARN_SKEW_S = 2.0
FAIL_SKEW_S = 60.0
_CLOCK_FIX = "Let both machines keep time by NTP; tokens, webhook signatures and due times rely on it."


async def look_at_service(exam: Examination, url: str, *, is_expected: bool, clock: Clock) -> None:
    """One process, by its health addresses. Where it is not expected, it may as well not be there."""
    name = f"service {url}"

    async def ready() -> bool:
        try:
            answer = await ask(url, "/health/ready")
        except Unavailable as error:
            if is_expected or error.code != "nothing_there":
                raise
            exam.warn(name, "nothing answers there.", "Start it, or say where the services are: --url, once for each.")
            return False
        status = answer.body.get("status")
        if answer.status == 200 and status == "ready":
            exam.ok(name, "ready.")
        elif status == "not_ready":
            failed = ", ".join(str(part) for part in answer.body.get("failed", ()))
            exam.fail(name, f"not ready: {failed}.", "Its log says why (service.not_ready, process.waiting).")
        elif status == "stopping":
            exam.warn(name, "stopping.")
        else:
            exam.fail(name, f"answers {answer.status}, but not like a hub.", "Is the address right?")
        return True

    if await exam.check(name, ready, fix="Is it running there? Its log says why it ended."):
        await exam.check("clock", lambda: _compare_clocks(exam, url, clock))


async def _compare_clocks(exam: Examination, url: str, clock: Clock) -> None:
    sent = clock()
    answer = await ask(url, "/health/live")
    received = clock()
    try:
        told = parsedate_to_datetime(answer.date or "")
        skew_s = least_skew_s(told, sent=sent, received=received)
    except (ValueError, TypeError):
        exam.warn("clock", f"{url} does not say what time it is.")
        return
    detail = f"this machine is at least {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} {url}."
    if abs(skew_s) > FAIL_SKEW_S:
        exam.fail("clock", detail, _CLOCK_FIX)
    elif abs(skew_s) > WARN_SKEW_S:
        exam.warn("clock", detail, _CLOCK_FIX)
    else:
        exam.ok("clock", f"agrees with {url} to {WARN_SKEW_S:g} s.")


def least_skew_s(told: datetime, *, sent: datetime, received: datetime) -> float:
    """How far this clock is ahead of the other's (negative: behind), at least.

    A Date header tells whole seconds, cut off, and was written some time between ``sent`` and ``received``.
    """
    ahead = (sent - told - timedelta(seconds=1)).total_seconds()
    behind = (told - received).total_seconds()
    return ahead if ahead > 0 else -behind if behind > 0 else 0.0
