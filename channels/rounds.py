"""The worker for many tenants: everybody's loops in one process, each with an engine of its own.

It refuses to know what the loops do.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from channels.settings import BadSettings, Settings
from channels.tenants import Tenant
from engine.correlation import speaking_of
from engine.memory import end_if_refused

log = logging.getLogger(__name__)

Work = Callable[[Settings], Awaitable[object]]


async def make_rounds(
    tenants: Sequence[Tenant], stop: asyncio.Event, work: Work, *, is_strict: bool
) -> None:
    """Work for all at once, until `stop` is set, which `work` looks at itself.

    A tenant whose work raises is told, and the others go on; when `is_strict`, or when nobody is
    left, all are stopped and BadSettings says who could not be served.
    """
    faults: dict[str, str] = {}

    async def go_round(tenant: Tenant) -> None:
        with speaking_of(tenant=tenant.name):
            try:
                await work(tenant.settings)
            except Exception as error:
                end_if_refused(error)
                # Of bad settings the sentence is all, and a trace would hide it.
                is_ours = not isinstance(error, BadSettings)
                log.error("this tenant is not worked for: %s", error, exc_info=is_ours)
                faults[tenant.name] = str(error) or type(error).__name__
                if is_strict or len(faults) == len(tenants):
                    stop.set()

    await asyncio.gather(*(go_round(tenant) for tenant in tenants))
    if faults and (is_strict or len(faults) == len(tenants)):
        raise BadSettings("; ".join(f"{name}: {fault}" for name, fault in faults.items()))
