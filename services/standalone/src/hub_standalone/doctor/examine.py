"""All checks, at the same time: one that takes its whole deadline keeps no other waiting."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from hub_messaging.clock import Clock
from hub_runtime.apart import hide_password
from hub_runtime.settings import load_settings
from hub_security.redaction import Redactor

from hub_standalone.doctor.backends import look_at_broker, look_at_one_file, look_at_store
from hub_standalone.doctor.examination import DEADLINE_S, Examination, Report
from hub_standalone.doctor.files import look_at_disk, look_at_keys, look_at_settings, look_at_tokens
from hub_standalone.doctor.services import look_at_service
from hub_standalone.local import OperatorSettings

Look = Callable[[Examination], Awaitable[None]]


async def examine(urls: Sequence[str], *, is_asked_for: bool, clock: Clock, deadline_s: float = DEADLINE_S) -> Report:
    """Everything that can be seen from here. Without ``urls`` the local hub is asked.

    That nothing answers at a URL is a failure where it ``is_asked_for``. Each check has ``deadline_s``. Passwords of
    URLs are in no text of the report.
    """
    redactor = Redactor()
    first = Examination(deadline_s)
    settings = await first.check("settings", partial(asyncio.to_thread, load_settings, OperatorSettings))
    exams = [first]
    looks = [_at_service(url, is_expected=is_asked_for, clock=clock) for url in urls]
    if settings is None:
        first.warn("broker", "not looked at, nor anything else that the settings name.")
    else:
        for url in (settings.broker_url, settings.store_url):
            hide_password(url, redactor)
        looks = [
            _at_files(settings, clock),
            *_at_backends(settings),
            *(looks or [_at_service(settings.url, is_expected=False, clock=clock)]),
        ]
    exams += [Examination(deadline_s) for _ in looks]
    await asyncio.gather(*(look(exam) for look, exam in zip(looks, exams[1:], strict=True)))
    findings = [finding for exam in exams for finding in exam.findings]
    shown = (replace(item, check=redactor.redact(item.check), detail=redactor.redact(item.detail)) for item in findings)
    return Report(tuple(shown), unfinished=any(exam.unfinished for exam in exams))


def _at_files(settings: OperatorSettings, clock: Clock) -> Look:
    async def look(exam: Examination) -> None:
        await exam.check("settings", partial(asyncio.to_thread, look_at_settings, exam, settings))
        await exam.check("tokens", partial(asyncio.to_thread, look_at_tokens, exam, settings))
        await exam.check("keys", partial(asyncio.to_thread, look_at_keys, exam, settings, clock=clock))
        if settings.is_embedded:
            await exam.check("disk", partial(asyncio.to_thread, look_at_disk, exam, settings, free_bytes=_free_bytes))

    return look


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _at_backends(settings: OperatorSettings) -> Sequence[Look]:
    if settings.is_embedded:
        return [partial(look_at_one_file, settings=settings)]
    return [partial(look_at_broker, settings=settings), partial(look_at_store, settings=settings)]


def _at_service(url: str, *, is_expected: bool, clock: Clock) -> Look:
    return partial(look_at_service, url=url, is_expected=is_expected, clock=clock)
