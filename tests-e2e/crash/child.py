"""The standalone system over ports that crash: ``child.py STEP:COUNT`` (see ``crashing``), or no argument."""

import asyncio
import sys

from crash.crashing import CrashingBroker, CrashingStore, CrashPlan
from hub_runtime.logging import configure_logging
from hub_standalone.main import NAME, build_system, open_adapters, serve
from hub_standalone.settings import StandaloneSettings


async def main(plan: CrashPlan) -> int:
    settings = StandaloneSettings()
    configure_logging(service=NAME, level=settings.log_level)
    async with open_adapters(settings) as (broker, store):
        system = build_system(settings, broker=CrashingBroker(broker, plan), store=CrashingStore(store, plan))
        return await serve(system, settings)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(CrashPlan(sys.argv[1] if len(sys.argv) > 1 else ""))))
