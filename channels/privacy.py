"""Pools whose stores seal what they write about people, where keys are set.

One place, so that a command that opens a pool of its own cannot forget the keys.
"""

from collections.abc import Callable
from typing import Any

from channels.settings import Settings
from engine.clock import Clock, SystemRandom
from engine.database import Pool, open_pool
from engine.ledger.plans import Plan
from engine.payments.sealed_plans import PlanSealer
from engine.privacy.ring import KeyRing
from engine.privacy.wrapping import HeldKeys


async def open_sealed_pool(settings: Settings, *, size: int = 8) -> Pool:
    """As `open_pool`, with the tenant's keys read. Raises KeyNotAtHand, or Tampered."""
    pool = await open_pool(settings.database_url, size=size)
    try:
        await give_keys(settings, pool)
    except BaseException:
        await pool.close()
        raise
    return pool


async def give_keys(settings: Settings, pool: Any) -> KeyRing | None:
    """Have what goes through the pool sealed; None where no keys are set, and nothing is."""
    if not settings.data_keys:
        return None
    random = SystemRandom()
    wrap = HeldKeys(settings.data_keys, random)
    ring = KeyRing(pool, settings.tenant, wrap, random, Clock())
    await ring.begin()
    pool.seals = ring
    return ring


def plan_sealer(pool: Pool) -> Callable[[Plan], Plan]:
    """What the committer writes plans down with."""
    return PlanSealer(pool.seals)
