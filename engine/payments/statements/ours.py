"""Our side of a comparison: attempts at one operator as the books hold them. Reads only."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from engine.clock import AttemptId, epoch_ms_of, first_id_at
from engine.ledger.entries import MANUAL_FROM
from engine.payments.evidence import Source
from engine.payments.facts import Ending, read_step
from engine.payments.payment import Payment
from engine.payments.statements.judged import Ours, Standing
from engine.payments.statements.terms import Terms
from engine.payments.store import ORDER_SOURCES, Attempted, PaymentStore
from engine.ports import Direction, OperatorFacts
from engine.privacy.places import evidence_place
from engine.privacy.seals import seals_of

CHUNK = 2000
"""How many attempts are read at once: bounds what one question to the database holds."""

ReferencesOf = Callable[[str, AttemptId], tuple[str, ...]]
"""(operator, attempt) -> the words under which that operator may name the attempt."""

PaysBack = Callable[[str, str], bool]
"""(operator, `OperatorFacts.orders_by`) -> whether a refund that began so is a payout."""


class _Ended(NamedTuple):
    ending: Ending
    at_ms: int


class OursReader:
    """Reads the attempts of one tenant."""

    def __init__(
        self,
        pool: Any,
        tenant: int,
        store: PaymentStore,
        references_of: ReferencesOf,
        pays_back: PaysBack,
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._store = store
        self._references_of = references_of
        self._pays_back = pays_back
        self._seals = seals_of(pool)

    async def ids_between(
        self, facts: OperatorFacts, first: date, last: date, terms: Terms
    ) -> list[AttemptId]:
        """The attempts at an operator that began on its days `first` to `last`."""
        rows = await self._pool.fetch(
            "select id from attempt where id >= $1 and id < $2 and operator = $3 and tenant = $4",
            first_id_at(terms.begins(first)),
            first_id_at(terms.begins(last + timedelta(days=1))),
            facts.code,
            self._tenant,
        )
        return [AttemptId(row["id"].hex) for row in rows]

    async def ended_ids(self, first: date, last: date, terms: Terms) -> list[AttemptId]:
        """The attempts at any operator that ended on those days and began before: unknown for
        long, they are listed when they moved."""
        begun = first_id_at(terms.begins(first))
        rows = await self._pool.fetch(
            "select facts from journal where payment < $1 and at_ms >= $2 and at_ms < $3"
            " and tenant = $4 and version > 1 and facts is not null and state < $5",
            begun, terms.ends_ms(first - timedelta(days=1)), terms.ends_ms(last), self._tenant,
            MANUAL_FROM,
        )  # fmt: skip
        steps = [read_step(row["facts"]) for row in rows]
        return [s.attempt_id for s in steps if isinstance(s, Ending) and s.attempt_id < begun]

    async def live_ids(self, facts: OperatorFacts) -> list[AttemptId]:
        """The attempts at an operator that may be moving money now, however old."""
        rows = await self._pool.fetch(
            "select p.live from payment p join attempt a on a.id = p.live"
            " where p.due is not null and p.live is not null and p.tenant = $1"
            " and a.operator = $2",
            self._tenant,
            facts.code,
        )
        return [AttemptId(row["live"].hex) for row in rows]

    async def read(self, facts: OperatorFacts, ids: Iterable[AttemptId]) -> list[Ours]:
        """Those of the attempts that are there and were made at this operator."""
        found: list[Ours] = []
        rest = iter(sorted(set(ids)))
        while chunk := list(islice(rest, CHUNK)):
            found += await self._read_chunk(facts, chunk)
        return found

    async def _read_chunk(self, facts: OperatorFacts, ids: Sequence[AttemptId]) -> list[Ours]:
        attempted = await asyncio.gather(*[self._store.attempt(id_) for id_ in ids])
        here = [a for a in attempted if a is not None and a.operator == facts.name]
        ended, collected = await self._ended(here)
        references = await self._accepted(ids)
        left = await self._left(here)
        unsent = await self._unsent(ids)
        given_back = await asyncio.gather(
            *[self._given_back(facts, a, collected.get(a.payment.payment_id)) for a in here]
        )
        return [
            self._ours(
                a,
                ended.get(a.attempt_id),
                references.get(a.attempt_id, ()),
                masked=await self._masked(a),
                waits=a.attempt_id in unsent,
                left_ms=left.get(a.attempt_id),
                gives_back=gives_back,
            )
            for a, gives_back in zip(here, given_back, strict=True)
        ]

    def _ours(
        self,
        a: Attempted,
        ended: _Ended | None,
        accepted: tuple[str, ...],
        *,
        masked: str,
        waits: bool,
        gives_back: tuple[str, ...],
        left_ms: int | None,
    ) -> Ours:
        named = self._references_of(a.operator, a.attempt_id)
        return Ours(
            attempt_id=a.attempt_id,
            payment_id=a.payment.payment_id,
            code=a.payment.code,
            direction=a.direction,
            amount=a.payment.amount_of(a.direction),
            booked_fee_minor=_booked_fee_minor(a.payment, a.direction),
            standing=_standing(ended, waits=waits),
            receipt=ended.ending.receipt if ended else None,
            references=(*named, *accepted),
            masked=masked,
            begun_ms=epoch_ms_of(a.attempt_id),
            ended_ms=ended.at_ms if ended else None,
            gives_back=gives_back,
            by_pay_in=ended is not None and ended.ending.source == Source.PAY_IN,
            left_ms=left_ms,
        )

    async def _masked(self, a: Attempted) -> str:
        """Whose wallet; "" where people have put another in its place, and it may be either's."""
        if a.may_be_to_another and len(await self._store.payees(a.payment)) > 1:
            return ""
        return a.payment.msisdn_of(a.direction).masked

    async def _ended(
        self, attempted: Sequence[Attempted]
    ) -> tuple[dict[AttemptId, _Ended], dict[str, Ending]]:
        """How each ended, and by payment how its collection did; what was proven last counts."""
        rows = await self._pool.fetch(
            "select payment, at_ms, facts from journal where payment = any($1::uuid[])"
            " and version > 1 and facts is not null order by payment, version",
            list({a.payment.payment_id for a in attempted}),
        )
        ended: dict[AttemptId, _Ended] = {}
        collected: dict[str, Ending] = {}  # what ends first is the collection
        for row in rows:
            step, payment = read_step(row["facts"]), row["payment"].hex
            if not isinstance(step, Ending):
                continue
            ended[step.attempt_id] = _Ended(step, row["at_ms"])
            if collected.setdefault(payment, step).attempt_id == step.attempt_id:
                collected[payment] = step
        return ended, collected

    async def _given_back(
        self, facts: OperatorFacts, a: Attempted, collection: Ending | None
    ) -> tuple[str, ...]:
        """How a statement may name what a refund undoes; nothing where a refund is a payout."""
        if a.direction is not Direction.REFUND or collection is None:
            return ()
        by = await self._store.ordered_by(a.attempt_id) if facts.orders_by else ""
        if self._pays_back(a.operator, by) if by else facts.refund_is_payout:
            return ()
        named = self._references_of(a.operator, collection.attempt_id)
        told = (collection.receipt,) if collection.receipt else ()
        return (*told, collection.attempt_id, *named)

    async def _accepted(self, ids: Sequence[AttemptId]) -> dict[AttemptId, tuple[str, ...]]:
        """What the operator answered when it took the order: a repeat may have got its own."""
        rows = await self._pool.fetch(
            "select attempt, body from evidence where attempt = any($1::uuid[]) and source = $2"
            " order by attempt, hash",
            list(ids),
            int(Source.ACCEPTED),
        )
        found: dict[AttemptId, tuple[str, ...]] = {}
        for row in rows:
            attempt_id = AttemptId(row["attempt"].hex)
            body = self._seals.open(row["body"], evidence_place(attempt_id))
            told = msgspec.json.decode(body, type=str)
            found[attempt_id] = (*found.get(attempt_id, ()), told)
        return found

    async def _left(self, attempted: Sequence[Attempted]) -> dict[AttemptId, int]:
        """Of those under way when their orders had left last, at the latest (`heard_last`)."""
        live = [a for a in attempted if a.payment.live == a.attempt_id]
        rows = await self._pool.fetch(
            "select k.attempt, greatest((select j.at_ms from journal j"
            "   where j.payment = k.payment and j.version = k.version),"
            "  (select max(e.at_ms) from evidence e"
            "   where e.attempt = k.attempt and e.source = any($4::smallint[]))) as at_ms"
            " from unnest((select $1::uuid[]), (select $2::uuid[]), (select $3::int[]))"
            "  as k (attempt, payment, version)",
            [a.attempt_id for a in live], [a.payment.payment_id for a in live],
            [a.payment.version for a in live], ORDER_SOURCES,
        )  # fmt: skip
        heard = {AttemptId(row["attempt"].hex): row["at_ms"] for row in rows}
        return {id_: self._store.left_by(id_, at_ms) for id_, at_ms in heard.items()}

    async def _unsent(self, ids: Sequence[AttemptId]) -> set[AttemptId]:
        """Those whose order has not been struck off the outbox."""
        rows = await self._pool.fetch("select id from outbox where id = any($1::uuid[])", list(ids))
        return {AttemptId(row["id"].hex) for row in rows}


def _standing(ended: _Ended | None, *, waits: bool) -> Standing:
    if ended is None:
        return Standing.UNSENT if waits else Standing.OPEN
    return Standing.SUCCEEDED if ended.ending.succeeded else Standing.FAILED


def _booked_fee_minor(payment: Payment, direction: Direction) -> int:
    """What our postings hold that the operator keeps or charges (`engine/ledger/postings.py`)."""
    quote = payment.quote
    if direction is Direction.COLLECT:
        return quote.collection_cost_minor
    if direction is Direction.DISBURSE:
        return quote.by_way(payment.way).payout_cost_minor
    return 0
