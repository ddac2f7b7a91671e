"""Payments that a fault of our own keeps from going on, and messages of none that it keeps from
leaving: told to people until they do.

A key that is not set, an operator that the settings lack, a row that somebody changed: no answer of
a company mends that, and nobody else tells of it (`decisions/0040`).
"""

import asyncio
import logging
from typing import Any, NamedTuple

from engine.clock import Clock, IntentId, PaymentId, epoch_of
from engine.errors import NotServed, OurFault
from engine.memory import end_if_refused
from engine.outages import server_away
from engine.outbox import QUESTION
from engine.payments.lifecycle import TERMINAL
from engine.payments.payment import Payment, code_of
from engine.payments.stepping import WAITS_FOR_PEOPLE
from engine.payments.store import PaymentStore

log = logging.getLogger(__name__)

OUR_FAULT = "OUR_FAULT"
CLOSED_BY = "our faults"
MENDED_SECONDS = 600
"""So long after its last step a payment may yet be brought on by a process that has the key, or is
of a newer version: nobody is called before."""
AGAIN_SECONDS = 24 * 3600
"""So long is nothing said of what two people have closed."""


class OurFaults:
    """Whoever meets such a payment says so here. Safe to repeat: the same complaint is one case."""

    def __init__(self, store: PaymentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def tell(
        self,
        payment_id: PaymentId,
        what: str,
        error: Exception,
        *,
        after_seconds: int = MENDED_SECONDS,
    ) -> None:
        """Put it on somebody's desk, unless the payment has moved within `after_seconds`.

        Nothing is said while the database is away or has no role for us: then all of them wait.
        """
        if isinstance(error, NotServed) or server_away(error) is not None:
            return
        found = await self._store.cases.standing(payment_id, OUR_FAULT)
        now_ms = int(self._clock.epoch() * 1000)
        if found is None or now_ms < found.moved_ms + after_seconds * 1000:
            return
        if now_ms < (found.closed_ms or 0) + AGAIN_SECONDS * 1000:
            return
        detail = f"{what}, by a fault of our own: {words_of(error)}"
        await self._store.cases.open_one(payment_id, found.tenant, OUR_FAULT, detail, now_ms)
        log.error("case %s %s: %s", OUR_FAULT, code_of(payment_id), detail)

    async def tell_of_message(self, intent_id: IntentId, error: Exception) -> None:
        """The same of a message that belongs to no payment, once it has waited as long. Whom it is
        for nobody can read: the case is the message's, and one for good.
        """
        now = self._clock.epoch()
        if now < epoch_of(intent_id) + MENDED_SECONDS:
            return
        detail = f"a message waits, by a fault of our own: {words_of(error)}"
        told = await self._store.cases.open_of_message(
            intent_id, OUR_FAULT, detail, int(now * 1000)
        )
        if told:
            log.error("case %s %s: %s", OUR_FAULT, intent_id, detail)


def words_of(error: Exception) -> str:
    """What may be told of it outside the log: what others raise may hold a number, or a key."""
    return str(error) if isinstance(error, OurFault) else f"{type(error).__name__}, see the log"


class _Open(NamedTuple):
    payment_id: PaymentId
    hash: str


class Mended:
    """The open ones of one tenant, closed when their payment goes on, or their message is gone."""

    def __init__(self, pool: Any, tenant: int, store: PaymentStore, clock: Clock) -> None:
        self._pool = pool
        self._tenant = tenant
        self._store = store
        self._clock = clock
        self._after = _FIRST

    async def sweep(self, most: int) -> int:
        """Look at the next `most` of them; how many were closed. Safe to repeat.

        What cannot be read stays, and keeps up nobody behind it.
        """
        rows = await self._pool.fetch(
            _GOES_ON, self._tenant, OUR_FAULT, self._after, _AT_REST, QUESTION, most
        )
        cases = [_Open(PaymentId(row["payment"].hex), row["hash"].hex) for row in rows]
        self._after = cases[-1].payment_id if len(cases) == most else _FIRST
        read = await asyncio.gather(
            *[self._store.payment(case.payment_id) for case in cases], return_exceptions=True
        )
        for one in read:
            if isinstance(one, Exception):
                end_if_refused(one)
        goes_on = [case for case, one in zip(cases, read, strict=True) if isinstance(one, Payment)]
        for case in goes_on:
            await self._pool.execute(
                _CLOSE, case.payment_id, OUR_FAULT, case.hash, int(self._clock.epoch() * 1000),
                CLOSED_BY, "it goes on",
            )  # fmt: skip
        return len(goes_on) + await self._close_of_messages(most)

    async def _close_of_messages(self, most: int) -> int:
        """Those of messages that were sent since, or came too late to be worth it."""
        gone = await self._pool.fetch(_GONE, self._tenant, OUR_FAULT, most)
        for row in gone:
            await self._pool.execute(
                _CLOSE, row["payment"], OUR_FAULT, row["hash"], int(self._clock.epoch() * 1000),
                CLOSED_BY, "it waits no more",
            )  # fmt: skip
        return len(gone)


_FIRST = "0" * 32
_AT_REST = [int(state) for state in (*TERMINAL, *WAITS_FOR_PEOPLE)]

# Whose order has left, or who rests: of one in a queue, or between two orders, nobody knows yet.
_GOES_ON = """
select c.payment, c.hash from case_file c join payment p on p.id = c.payment
 where c.tenant = $1 and c.kind = $2 and c.closed_ms is null and c.payment > $3
   and (p.live is not null or p.state = any((select $4::smallint[])::smallint[]))
   and not exists (select from outbox o where o.payment = p.id and (o.id = p.live or o.kind = $5))
 order by c.payment limit $6"""

# A message's case has its own id in both places.
_GONE = """
select c.payment, c.hash from case_file c
 where c.tenant = $1 and c.kind = $2 and c.closed_ms is null and c.hash = c.payment
   and not exists (select from outbox o where o.id = c.payment)
 order by c.payment limit $3"""

_CLOSE = """
update case_file set closed_ms = $4, closed_by = $5, note = $6
 where payment = $1 and kind = $2 and hash = $3 and closed_ms is null"""
