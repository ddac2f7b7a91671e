"""Where settlement becomes objects: the engine's room over the rail that the settings name.

It decides nothing. Opening connects to nobody but the database that is open already.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from channels.settings import BadSettings, Settings
from channels.traffic import tell_log
from channels.wiring import Engine, open_engine
from engine.payments.settlement.room import SettlementRoom, build_room

if TYPE_CHECKING:  # The chain's SDK is slow to import: only who settles on one waits for it.
    from channels.settlement_outside import SettlementOutside


class OpenSettlement(NamedTuple):
    """Settlement of one process."""

    engine: Engine
    outside: "SettlementOutside"
    room: SettlementRoom


@asynccontextmanager
async def open_settlement(engine: Engine) -> AsyncIterator[OpenSettlement | None]:
    """None where no settlement file is set. Raises BadSettings with every fault of the file."""
    where = engine.settings.settlement
    if where is None:
        yield None
        return
    from channels.settlement_outside import build_outside  # as above

    facts = engine.directory.by_name
    outside = build_outside(
        where,
        {name: each.currency for name, each in facts.items()},
        engine.watch.over(tell_log),
    )
    try:
        room = build_room(
            tenant=engine.settings.tenant,
            pool=engine.pool,
            committer=engine.committer,
            rates=engine.rates,
            rules=outside.rules,
            rail=outside.rail,
            signer=outside.signer,
            salt_key=outside.salt_key,
            operators={name: each.code for name, each in facts.items()},
            clock=engine.clock,
            ids=engine.ids,
            lease_seconds=engine.settings.lease_seconds,
        )
        yield OpenSettlement(engine, outside, room)
    finally:
        await outside.aclose()


@asynccontextmanager
async def settlement_of(settings: Settings) -> AsyncIterator[OpenSettlement]:
    """For a command of its own. Raises BadSettings where nothing is settled here."""
    if settings.settlement is None:
        raise BadSettings("CAPP_SETTLEMENT_FILE: is missing, so nothing is settled here")
    async with open_engine(settings) as engine, open_settlement(engine) as opened:
        assert opened is not None, "the settlement file is set"
        yield opened
