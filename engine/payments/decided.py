"""Every decision that was kept, in payments and in the log, for whoever asks why. Reads only."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from engine.clock import PaymentId, first_id_at
from engine.decision_log import DecisionLog, Kept
from engine.decisions import Decision
from engine.payments.facts import Facts, read_step, read_terms
from engine.payments.payment import CODE_LENGTH, code_of

STATES_OF_PAYMENTS_BELOW = 100  # journal rows of other states belong to no payment
_HEX_OF_CODE = 12  # 48 of the code's 50 bits


class Decided:
    """The decisions of one tenant."""

    def __init__(self, pool: Any, tenant: int, log: DecisionLog) -> None:
        self._pool = pool
        self._tenant = tenant
        self._log = log

    async def of(self, payment_id: PaymentId) -> list[Kept]:
        """All about one payment: those of its steps in their order, then those of the log."""
        rows = await self._pool.fetch(
            "select payment, facts, at_ms from journal where payment = $1 and tenant = $2"
            " and facts is not null and state < $3 order by version",
            payment_id, self._tenant, STATES_OF_PAYMENTS_BELOW,
        )  # fmt: skip
        return [*_kept(rows), *await self._log.of(payment_id)]

    async def quote_of(self, payment_id: PaymentId) -> str | None:
        """The id of the price that a payment was taken on at; None for no payment of ours."""
        terms = await self._pool.fetchval(
            "select facts from journal where payment = $1 and tenant = $2 and version = 1",
            payment_id, self._tenant,
        )  # fmt: skip
        return read_terms(terms).quote.quote_id if terms is not None else None

    async def since(self, moment: datetime, *, most: int = 1_000) -> list[Kept]:
        """Those of the oldest `most` steps of payments made since then, and as many of the log."""
        rows = await self._pool.fetch(
            "select payment, facts, at_ms from journal where payment >= $1 and tenant = $2"
            " and facts is not null and state < $4 order by payment, version limit $3",
            UUID(first_id_at(moment)), self._tenant, most, STATES_OF_PAYMENTS_BELOW,
        )  # fmt: skip
        return [*_kept(rows), *await self._log.since(moment, most=most)]

    async def payment_of(self, code: str) -> PaymentId | None:
        """The newest payment with this code, or with this id. Walks all payments: for people."""
        if len(code) == 32:
            return PaymentId(code.lower())
        rows = await self._pool.fetch(
            "select id from payment where tenant = $1"
            " and right(replace(id::text, '-', ''), $2) = $3 order by id desc",
            self._tenant, _HEX_OF_CODE, _tail_of(code.upper()),
        )  # fmt: skip
        found = (PaymentId(row["id"].hex) for row in rows)
        return next((id_ for id_ in found if code_of(id_) == code.upper()), None)


def _kept(rows: Iterable[Any]) -> list[Kept]:
    return [
        Kept(row["payment"].hex, PaymentId(row["payment"].hex), decision, row["at_ms"])
        for row in rows
        for decision in _decisions_in(row["facts"])
    ]


def _decisions_in(text: str) -> tuple[Decision, ...]:
    if text.startswith("["):
        return _of_terms(read_terms(text))
    return read_step(text).decisions


def _of_terms(facts: Facts) -> tuple[Decision, ...]:
    clearance = () if facts.clearance is None else (facts.clearance,)
    return (*facts.quote.decisions, *clearance)


def _tail_of(code: str) -> str:
    """The last hex digits of every id that has this code; none has them if it is no code."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    if len(code) != CODE_LENGTH or not set(code) <= set(digits):
        return ""
    bits = 0
    for letter in code:
        bits = bits << 5 | digits.index(letter)
    return f"{bits & (1 << 4 * _HEX_OF_CODE) - 1:0{_HEX_OF_CODE}x}"
