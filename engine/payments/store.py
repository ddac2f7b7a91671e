"""Reads of payments, by id or by attempt, many at once; and when they are looked at again."""

from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from engine.clock import AttemptId, CustomerId, PaymentId, epoch_of, first_id_at, made_at
from engine.errors import OurFault
from engine.gather import Gatherer, alone
from engine.ledger.chart import Route, route_accounts
from engine.outbox import QUESTION
from engine.payments.case_store import CaseStore
from engine.payments.evidence import Source
from engine.payments.facts import (
    Ending,
    Facts,
    Ruling,
    holds_terms,
    open_terms,
    read_step,
    read_terms,
)
from engine.payments.keys import PaymentKeys
from engine.payments.lifecycle import State
from engine.payments.payment import Payment, payout_operator
from engine.payments.routing import Directory
from engine.payments.spending import Spent
from engine.ports import Direction
from engine.privacy.places import evidence_place
from engine.privacy.seals import seals_of
from engine.restored import NEVER, Restored

REFERENCE_SEEN_WITHIN = timedelta(days=3)

# Why functions: `decisions/0025-a-read-that-is-planned-once.md`. `read` takes a row of either.
_BY_ID = "select * from payments_by_id($1)"
_BY_ATTEMPT = "select * from payments_by_attempt($1)"


def question_id(attempt_id: str) -> str:
    """The intent that asks about an attempt once it is over: one for each, so that many are one.

    It works both ways: the same of a question's id is the attempt's.
    """
    return f"{int(attempt_id, 16) ^ 1:032x}"


class Attempted(msgspec.Struct, frozen=True):
    """An attempt and the payment it belongs to, as stored now."""

    attempt_id: AttemptId
    direction: Direction
    operator: str  # who was asked: not always the one that would be asked now
    payment: Payment

    @property
    def may_be_to_another(self) -> bool:
        """Whether another payee may have been put in the place of this attempt's since."""
        payment = self.payment
        is_over = payment.live != self.attempt_id
        return is_over and payment.terms > 1 and self.direction is Direction.DISBURSE


ORDER_SOURCES = [int(Source.ACCEPTED), int(Source.REPEATED)]
KNOWN_STATES = [int(state) for state in State]


class PaymentStore:
    """What the engine reads back. Never writes a payment: that is the commit's alone."""

    def __init__(self, pool: Any, directory: Directory, restored: Restored = NEVER) -> None:
        """Of an attempt of before a restore an order may have left in what that lost."""
        self.keys = PaymentKeys(pool)
        self.cases = CaseStore(pool)
        self._restored = restored
        self._pool = pool
        self._directory = directory
        self._seals = seals_of(pool)
        self._routes: dict[tuple[int, str, str, str], Route] = {}
        self._by_id: Gatherer[str, Payment] = Gatherer(self._fetch_payments)
        self._by_attempt: Gatherer[str, Attempted] = Gatherer(self._fetch_attempts)
        self._references: Gatherer[str, frozenset[str]] = Gatherer(self._fetch_references)
        self._ordered_by: Gatherer[str, str] = Gatherer(self._fetch_ordered_by)

    def payment(self, payment_id: PaymentId) -> Awaitable[Payment | None]:
        return self._by_id.get(payment_id)

    def attempt(self, attempt_id: AttemptId) -> Awaitable[Attempted | None]:
        return self._by_attempt.get(attempt_id)

    async def provider_reference(self, attempt_id: AttemptId) -> str | None:
        """What the operator answered when it accepted the attempt, if that is known."""
        row = await self._pool.fetchrow(
            "select body from evidence where attempt = $1 and source = $2",
            attempt_id,
            int(Source.ACCEPTED),
        )
        return self._reference(row["body"], attempt_id) if row else None

    async def provider_references(self, attempt_id: AttemptId) -> frozenset[str]:
        """All that the operator accepted the attempt under: a repeat may have got its own."""
        return await self._references.get(attempt_id) or frozenset()

    async def ordered_by(self, attempt_id: AttemptId) -> str:
        """By which of its operator's ways the attempt began; "" where none was kept."""
        return await self._ordered_by.get(attempt_id) or ""

    async def heard_last(self, payment: Payment, attempt_id: AttemptId) -> int:
        """When a payment's last step was made, or its attempt's order last repeated or accepted,
        whichever is later: until about then the order was under way. Epoch milliseconds.
        """
        heard_ms = int(
            await self._pool.fetchval(
                "select greatest((select at_ms from journal where payment = $1 and version = $2),"
                " (select max(at_ms) from evidence where attempt = $3 and source = any($4)))",
                payment.payment_id, payment.version, attempt_id, ORDER_SOURCES,
            )
        )  # fmt: skip
        return self.left_by(attempt_id, heard_ms)

    def left_by(self, attempt_id: AttemptId, heard_ms: int) -> int:
        """When an attempt's order had left last, by what is known here: the moment of a restore
        that may have forgotten another one is later. Epoch milliseconds.
        """
        if not self._restored.forgot(attempt_id):
            return heard_ms
        return max(heard_ms, int(self._restored.at * 1000))

    async def is_held_elsewhere(self, digest: str, attempt_id: AttemptId) -> bool:
        """Whether another attempt of the last days was accepted under the same reference.

        Walks the evidence of those days: for the rare callback whose answer was lost, only.
        """
        since = first_id_at(made_at(attempt_id) - REFERENCE_SEEN_WITHIN)
        return bool(
            await self._pool.fetchval(
                "select true from evidence where attempt >= $1 and hash = $2 and attempt <> $3"
                " and source = $4 limit 1",
                since, digest, attempt_id, int(Source.ACCEPTED),
            )
        )  # fmt: skip

    async def ended_how(self, payment_id: PaymentId, attempt_id: AttemptId) -> bool | None:
        """How an ended attempt ended: True succeeded, False failed, None when it never ended.

        What was proven last counts: a failed collection may turn out to have succeeded late.
        """
        ending = await self.ending_of(payment_id, attempt_id)
        return ending.succeeded if ending is not None else None

    async def ending_of(self, payment_id: PaymentId, attempt_id: AttemptId) -> Ending | None:
        """What was proven last about an attempt; None when it never ended."""
        for ending in reversed(await self.endings(payment_id)):
            if ending.attempt_id == attempt_id:
                return ending
        return None

    async def spent(self, tenant: int, customer_id: CustomerId, currency: int) -> Spent | None:
        """What counts against the customer's limits; None when nothing ever did."""
        row = await self._pool.fetchrow(
            "select day, day_minor, month, month_minor from spending"
            " where tenant = $1 and customer = $2 and currency = $3",
            tenant, customer_id, currency,
        )  # fmt: skip
        return Spent(*row) if row else None

    async def collected_attempt(self, payment_id: PaymentId) -> AttemptId | None:
        """The attempt that collected: the first one of a payment that ended."""
        endings = await self.endings(payment_id)
        return endings[0].attempt_id if endings else None

    async def collected_receipt(self, payment_id: PaymentId) -> str | None:
        """The operator's own number of the money that was collected, where it told one."""
        endings = await self.endings(payment_id)
        collected = endings[0].attempt_id if endings else None
        receipts = [e.receipt for e in endings if e.attempt_id == collected and e.succeeded]
        return receipts[-1] if receipts else None

    async def was_ruled(self, payment_id: PaymentId, proposal_id: str) -> bool:
        """Whether a step of the payment carried out this proposal."""
        steps = await self._steps(payment_id)
        return any(isinstance(s, Ruling) and s.proposal == proposal_id for s in steps)

    async def was_ruled_since(self, payment_id: PaymentId, epoch: float) -> bool:
        """Whether a step carried out what two people have proposed since that moment."""
        proposals = [s.proposal for s in await self._steps(payment_id) if isinstance(s, Ruling)]
        return any(epoch_of(proposal) >= epoch for proposal in proposals if proposal)

    async def payees(self, payment: Payment) -> frozenset[str]:
        """Every number that payouts were ordered to: people may have put another in its place."""
        if payment.terms == 1:
            return frozenset({str(payment.quote.payee)})
        rows = await self._pool.fetch(
            "select facts from journal where payment = $1 and version <= $2 and facts is not null",
            payment.payment_id, payment.terms,
        )  # fmt: skip
        texts = [open_terms(row["facts"], self._seals, payment.payment_id) for row in rows]
        return frozenset(str(read_terms(text).quote.payee) for text in texts if holds_terms(text))

    async def endings(self, payment_id: PaymentId) -> list[Ending]:
        """How a payment's attempts ended, oldest first."""
        return [s for s in await self._steps(payment_id) if isinstance(s, Ending)]

    async def paid_by(self, payment_id: PaymentId) -> AttemptId | None:
        """The attempt that a paid payment was paid by; None where its last step says otherwise: two
        people saw it paid by an order that these books do not know.
        """
        last = (await self._steps(payment_id))[-1:]
        return last[0].attempt_id if last and isinstance(last[0], Ending) else None

    async def _steps(self, payment_id: PaymentId) -> list[Ending | Ruling]:
        rows = await self._pool.fetch(
            "select facts from journal where payment = $1 and version > 1 and facts is not null"
            " order by version",
            payment_id,
        )
        try:
            return [read_step(row["facts"]) for row in rows]
        except ValueError as error:
            raise OurFault(f"a step of payment {payment_id} was written by other code") from error

    async def put_question(
        self, payment: Payment, attempt_id: AttemptId, now: int, ask_at: int
    ) -> None:
        """Have the operator asked about an attempt that is over, from then on until it answers.

        News while the question stands keeps it from being struck by what was asked before. `now`
        and `ask_at` are epoch seconds.
        """
        await self._pool.execute(
            "insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until,"
            "  put_off_until) values ($1, $2, $3, $4, $5, $6, $7, $7) on conflict (id) do update"
            " set not_before = greatest(outbox.not_before, excluded.not_before)",
            question_id(attempt_id), payment.payment_id, payment.facts.tenant, QUESTION, str(now),
            now, ask_at,
        )  # fmt: skip

    async def strike_question(self, attempt_id: AttemptId, news_before: int) -> None:
        """The operator has answered: forget the question, unless there was news of it later."""
        await self._pool.execute(
            "delete from outbox where id = $1 and not_before <= $2",
            question_id(attempt_id), news_before,
        )  # fmt: skip

    async def set_due(self, payment: Payment, due: int) -> None:
        """Look again then, unless the payment has moved on meanwhile."""
        await self._pool.execute(
            "update payment set due = $3 where id = $1 and version = $2",
            payment.payment_id, payment.version, due,
        )  # fmt: skip

    async def hurry(self, payment: Payment, due: int) -> None:
        """Look no later than then, unless the payment has moved on meanwhile."""
        await self._pool.execute(
            "update payment set due = least(due, $3) where id = $1 and version = $2",
            payment.payment_id, payment.version, due,
        )  # fmt: skip

    async def put_off(self, payment_id: PaymentId, leased_until: int, due: int) -> None:
        """Whoever leased it cannot look after it: nobody does before then, if it stays as it is."""
        await self._pool.execute(
            "update payment set due = $3 where id = $1 and due = $2", payment_id, leased_until, due
        )

    async def lease_due(self, now: int, lease_seconds: int, most: int) -> list[PaymentId]:
        """Payments whose deadline has passed; nobody else gets them until the lease ends.

        Who waits longest comes first. A state that this code does not know is left to the newer
        code that wrote it.
        """
        rows = await self._pool.fetch(
            "with old as (select id, due from payment where due <= $1 and state = any($4)"
            "   order by due, id limit $3 for update skip locked),"
            " leased as (update payment set due = $2 from old where payment.id = old.id)"
            " select id from old order by due, id",
            now, now + lease_seconds, most, KNOWN_STATES,
        )  # fmt: skip
        return [PaymentId(row["id"].hex) for row in rows]

    async def waits(self, payment_id: PaymentId) -> bool:
        """Whether a payment is to be looked at again; one that rests or has ended is not."""
        due = await self._pool.fetchval("select due from payment where id = $1", payment_id)
        return due is not None

    async def _fetch_payments(self, ids: Sequence[str]) -> dict[str, Payment | Exception]:
        rows = await self._pool.fetch(_BY_ID, list(ids))
        return {row["id"].hex: alone(_named(row), self.read, row) for row in rows}

    async def _fetch_attempts(self, ids: Sequence[str]) -> dict[str, Attempted | Exception]:
        rows = await self._pool.fetch(_BY_ATTEMPT, list(ids))
        return {row["attempt"].hex: alone(_named(row), self._attempted, row) for row in rows}

    async def _fetch_references(self, ids: Sequence[str]) -> dict[str, frozenset[str] | Exception]:
        rows = await self._pool.fetch(
            "select * from evidence_from($1, $2)", list(ids), int(Source.ACCEPTED)
        )
        return {row["attempt"].hex: alone("evidence", self._all_references, row) for row in rows}

    def _all_references(self, row: Any) -> frozenset[str]:
        attempt_id = row["attempt"].hex
        return frozenset(self._reference(body, attempt_id) for body in row["bodies"])

    async def _fetch_ordered_by(self, ids: Sequence[str]) -> dict[str, str | Exception]:
        rows = await self._pool.fetch(
            "select * from evidence_from($1, $2)", list(ids), int(Source.ORDERED)
        )
        return {row["attempt"].hex: alone("evidence", self._first_body, row) for row in rows}

    def _first_body(self, row: Any) -> str:
        return self._seals.open(row["bodies"][0], evidence_place(row["attempt"].hex))

    def _reference(self, body: str, attempt_id: str) -> str:
        return msgspec.json.decode(self._seals.open(body, evidence_place(attempt_id)), type=str)

    def _attempted(self, row: Any) -> Attempted:
        operator = self._directory.by_code[row["operator"]].name
        return Attempted(
            AttemptId(row["attempt"].hex), Direction(row["direction"]), operator, self.read(row)
        )

    def read(self, row: Any) -> Payment:
        """A payment from a row with id, state, version, live, way, terms and facts.

        Raises ValueError or LookupError for a row that newer code wrote.
        """
        payment_id = PaymentId(row["id"].hex)
        facts = read_terms(open_terms(row["facts"], self._seals, payment_id))
        live = row["live"]
        return Payment(
            payment_id=payment_id,
            facts=facts,
            route=self.route(facts, row["way"]),
            state=State(row["state"]),
            version=row["version"],
            live=AttemptId(live.hex) if live is not None else None,
            way=row["way"],
            terms=row["terms"],
        )

    def route(self, facts: Facts, way: int = 0) -> Route:
        """The accounts of a payment that goes this way, resolved once per corridor."""
        quote = facts.quote
        key = facts.tenant, quote.payer_operator, payout_operator(quote, way), facts.refund_operator
        if (found := self._routes.get(key)) is None:
            payer = self._directory.by_name[quote.payer_operator]
            payee = self._directory.by_name[key[2]]
            refunds = self._directory.by_name[facts.refund_operator or quote.payer_operator]
            found = self._routes[key] = route_accounts(
                facts.tenant,
                source=(payer.currency, payer.code),
                destination=(payee.currency, payee.code),
                refunds_at=refunds.code,
            )
        return found


def _named(row: Any) -> str:
    return f"payment {row['id'].hex}"
