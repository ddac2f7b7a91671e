"""When and how a window is closed: its obligations are chosen, counted, hashed and netted.

It moves no money and calls nobody. What it chose is in the books as soon as `Settling` books it;
what becomes visible while it chooses waits for the next window.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from engine.clock import Clock, Ids
from engine.database import stand_open
from engine.decision_log import Kept, store_decisions
from engine.errors import NoWayNow, StaffMistake
from engine.fx.consensus import plain_digits
from engine.fx.rates import RateBook
from engine.ledger.chart import read_account
from engine.payments.settlement import deciding, netting
from engine.payments.settlement.batch import Batch, work_out
from engine.payments.settlement.batch_store import BatchStore
from engine.payments.settlement.netting import Gross, Mid
from engine.payments.settlement.obligation_store import ObligationStore, Summed
from engine.payments.settlement.rules import Corridor, Rules
from engine.payments.settlement.state import BatchState
from engine.payments.settlement.windows import Cause, Waiting, why_close

log = logging.getLogger(__name__)

WORK_OUT_SECONDS_MAX = 300
"""So long may working out a window take, on whatever machine; its corridor waits as long where the
process was stopped in it."""
BATCHES_MAX = 20
"""So many batches one look closes in one corridor; the rest is for the next."""


class _Seen(NamedTuple):
    """What a window was closed for: who waited, and by which rates that was weighed."""

    now_ms: int
    waiting: Waiting | None = None
    mids: Sequence[Mid] = ()


class Closing:
    """Closes the windows of all corridors. Any number may run; each window is closed once."""

    def __init__(
        self,
        pool: Any,
        tenant: int,
        obligations: ObligationStore,
        batches: BatchStore,
        rates: RateBook,
        rules: Rules,
        *,
        salt_key: bytes,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`salt_key` keeps the neighbours in a proof from being guessed; it never changes."""
        self._pool = pool
        self._tenant = tenant
        self._obligations = obligations
        self._batches = batches
        self._rates = rates
        self._rules = rules
        self._salt_key = salt_key
        self._clock = clock
        self._ids = ids

    async def close_due(self) -> list[Batch]:
        """Close whatever is due. A corridor whose rates are stale stays open, and the log says so.

        Safe to repeat.
        """
        closed: list[Batch] = []
        for corridor in self._rules.corridors:
            try:
                closed += await self._close_corridor(corridor)
            except NoWayNow:
                log.warning("settlement of %s waits for its rates", corridor.name)
        return closed

    async def close_now(self, name: str) -> Batch | None:
        """Close a corridor's window because somebody says so; None when nothing waits in it.

        Raises StaffMistake for no corridor, while the books do not add up and while somebody else
        closes it, NoWayNow when its rates are stale.
        """
        corridor = self._rules.corridor(name)
        if corridor is None:
            known = ", ".join(c.name for c in self._rules.corridors)
            raise StaffMistake(f"no corridor {name!r}; known: {known}")
        if not await self._obligations.adds_up():
            raise StaffMistake(
                "what is owed does not add up, and no window is closed until it does"
            )
        batch = await self._close(corridor, Cause.ASKED, _Seen(self._now_ms()))
        if batch is None and await self._obligations.waiting(corridor.members):
            raise StaffMistake(f"somebody else closes a window of {name} at this moment")
        return batch

    async def waiting(self, corridor: Corridor) -> Waiting:
        """What waits in a corridor now. Raises NoWayNow when its rates are stale."""
        summed = await self._obligations.waiting(corridor.members)
        return self._waiting(corridor, summed, self._mids(s.account for s in summed))

    async def _close_corridor(self, corridor: Corridor) -> list[Batch]:
        rest = await self._batches.rest_of(corridor.name)
        if rest.not_before_ms > self._now_ms():
            return []
        closed: list[Batch] = []
        while len(closed) < BATCHES_MAX:
            summed = await self._obligations.waiting(corridor.members)
            mids = self._mids(s.account for s in summed)
            large, now_ms = self._large(summed, mids), self._now_ms()
            waiting = None if large else self._waiting(corridor, summed, mids)
            cause = Cause.SINGLE
            if waiting is not None:
                closes = why_close(self._rules.window, waiting, now_ms)
                if closes is None:
                    break
                cause = closes
            seen = _Seen(now_ms, waiting, mids)
            batch = await self._close(corridor, cause, seen, least=large)
            if batch is None:
                break  # somebody else is at it
            closed.append(batch)
        return closed

    async def _close(
        self,
        corridor: Corridor,
        cause: Cause,
        seen: _Seen,
        *,
        least: Mapping[int, int] | None = None,
    ) -> Batch | None:
        """In one transaction: who chooses stores what follows from the choice, and why."""
        most = 1 if cause is Cause.SINGLE else self._rules.window.payments
        async with self._pool.acquire() as connection, connection.transaction():
            if not await self._batches.turn(connection, corridor.name):
                return None
            owed = await self._obligations.oldest(
                connection, corridor.members, most, least=least or {}
            )
            if not owed:
                return None
            # Of what was chosen, not of what was seen to wait: more may have come since.
            mids = self._mids(o.account for o in owed)
            # Ten thousand hashes take a while; whoever else is in this process goes on meanwhile.
            await stand_open(connection, WORK_OUT_SECONDS_MAX)
            content = await asyncio.to_thread(
                work_out, [(o.account, o.leaf) for o in owed], mids, members=corridor.members,
                asset=self._rules.asset.code, salt_key=self._salt_key,
            )  # fmt: skip
            batch = Batch(
                self._ids.hex(), corridor.name, BatchState.CLOSING, cause, self._now_ms(),
                content.payment_count, content.merkle_root, content.basis, *content.nets,
            )  # fmt: skip
            await self._batches.add(connection, batch)
            await self._keep(connection, corridor, batch, seen)
            marked = await self._obligations.mark(connection, batch.id, owed)
            assert marked == len(owed), "only whoever has the turn marks obligations"
        log.info(
            "settlement window %s of %s closed by %s: %d payments, %d minor units move",
            batch.id, corridor.name, cause, batch.payment_count, batch.net_minor,
        )  # fmt: skip
        return batch

    async def _keep(self, connection: Any, corridor: Corridor, batch: Batch, seen: _Seen) -> None:
        inputs = deciding.Inputs(
            corridor.name, corridor.members, self._rules.asset.code, self._rules.window,
            batch.cause is Cause.ASKED, seen.waiting, seen.now_ms, tuple(seen.mids),
            batch.basis.grosses, batch.basis.mids,
        )  # fmt: skip
        kept = Kept(self._ids.hex(), None, deciding.decide(inputs))
        await store_decisions(connection, self._tenant, [kept])

    def _mids(self, interpools: Iterable[int]) -> tuple[Mid, ...]:
        """One rate for each currency. Raises NoWayNow when one is stale or missing."""
        currencies = sorted({read_account(account).currency for account in set(interpools)})
        return tuple(self._mid(currency) for currency in currencies)

    def _mid(self, currency: str) -> Mid:
        rate = self._rates.rate(currency, self._rules.asset.pegged_to)
        return Mid(currency, plain_digits(rate.mid), rate.at_ms)

    def _waiting(
        self, corridor: Corridor, summed: Sequence[Summed], mids: Sequence[Mid]
    ) -> Waiting:
        grosses = [Gross(s.source, read_account(s.account).currency, s.minor) for s in summed]
        by_currency = {mid.currency: mid.mid for mid in mids}
        owed = netting.owed(corridor.members, grosses, by_currency, self._rules.asset.code)
        return Waiting(
            sum(s.payments for s in summed),
            min((s.oldest_ms for s in summed), default=0),
            int(abs(owed)),
        )

    def _large(self, summed: Sequence[Summed], mids: Sequence[Mid]) -> dict[int, int]:
        """By account the smallest amount that is settled alone, where such a one waits."""
        by_currency = {mid.currency: mid.mid for mid in mids}
        out = {}
        for waiting in summed:
            currency = read_account(waiting.account).currency
            least = deciding.large_from(
                self._rules.window, currency, by_currency, self._rules.asset.code
            )
            if waiting.largest_minor >= least:
                out[waiting.account] = least
        return out

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)
