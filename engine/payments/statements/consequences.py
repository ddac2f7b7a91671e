"""What follows from a comparison: the payments hear, people are called, stray money is put aside.

It decides nothing about pairs; `matching` did. Every step may be repeated.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from engine.clock import Clock, PaymentId
from engine.outbox import Outbox
from engine.payments.evidence import Source
from engine.payments.service import Payments
from engine.payments.statements.cases import (
    CONTRADICTION,
    MISSING_HERE,
    MISSING_THERE,
    Case,
    StatementCases,
)
from engine.payments.statements.judged import Class, Judged, Ours, Standing, over_on
from engine.payments.statements.lines import Line, Moved, PaidInLine, Side, named_id
from engine.payments.statements.pay_ins import HearReturn, PaidIns
from engine.payments.statements.store import StatementStore, Stored
from engine.payments.statements.suspense import Suspense
from engine.payments.statements.terms import Terms, TermsBook
from engine.payments.stepping import Heard
from engine.payments.store import PaymentStore
from engine.payments.withholding import withhold
from engine.ports import Direction, Finding, OperatorFacts, Outcome, Reason

log = logging.getLogger(__name__)

AT_ONCE = 50
"""How many findings are applied beside each other."""


class Consequences:
    """Acts on what was judged, for one tenant."""

    def __init__(
        self,
        store: StatementStore,
        cases: StatementCases,
        payments: Payments,
        suspense: Suspense,
        pay_ins: PaidIns,
        terms: TermsBook,
        clock: Clock,
        orders: tuple[PaymentStore, Outbox],
        hear_return: HearReturn,
    ) -> None:
        """`orders`: what is known of them, and what keeps them from leaving."""
        self._store = store
        self._cases = cases
        self._known, self._outbox = orders
        self._pay_ins = pay_ins
        self._hear_return = hear_return
        self._payments = payments
        self._suspense = suspense
        self._terms = terms
        self._clock = clock

    async def act(
        self,
        facts: OperatorFacts,
        judged: Sequence[Judged],
        known: Mapping[str, Stored],
        today: date,
        paid_in: Mapping[str, PaidInLine],
        moved: Mapping[str, Moved | None],
    ) -> int:
        """Money first, then the payments, then people; last it is written down as done."""
        terms = self._terms.of(facts.name)
        now_ms = self._now_ms()
        back, lost = await self._take_back(facts, judged, known, paid_in)
        judged = [j for j in judged if j.theirs is None or j.theirs.line_id not in lost]
        fresh = [j for j in judged if j.kind is not Class.OTHER_DAY and _is_news(j, known)]
        told = await self._tell(fresh) + await self._tell_returns(judged, paid_in)
        cases = [case for j in judged for case in self._cases_of(j, today, terms)]
        await self._cases.open(cases, terms, now_ms)
        # One of another amount is not held to its pair: the attempt's own day just opened it again.
        differs = [j for j in judged if j.kind is Class.AMOUNT_DIFFERS and not _is_news(j, known)]
        await self._close_explained(facts.name, [*fresh, *differs], now_ms)
        await self._store.settle(fresh, now_ms)
        await self._follow(judged, known, paid_in)
        put = await self._put_aside(facts, judged, known, today, moved)
        return back + told + put

    async def _tell(self, fresh: Iterable[Judged]) -> int:
        """Hand what is proven to the payments; returns how many moved by it."""
        proofs = [j for j in fresh if j.proves is not None]
        moved = 0
        for n in range(0, len(proofs), AT_ONCE):
            heard = await asyncio.gather(*[self._apply(j) for j in proofs[n : n + AT_ONCE]])
            moved += sum(h is Heard.ADVANCED for h in heard)
        return moved

    async def _tell_returns(
        self, judged: Iterable[Judged], paid_in: Mapping[str, PaidInLine]
    ) -> int:
        """End the returns of pay-ins that a line shows to have gone; how many.

        Looked at whenever their day is, until they have ended: the line was there before, or the
        order left only then.
        """
        gone = 0
        for j in judged:
            known = paid_in.get(j.theirs.line_id) if j.theirs else None
            if j.kind is not Class.PAID_IN or known is None or known.on_its_way is None:
                continue
            assert j.theirs is not None
            line = j.theirs.line
            finding = Finding(
                Outcome.SUCCEEDED, _CODES[Outcome.SUCCEEDED], amount=line.amount,
                receipt=line.receipt,
            )  # fmt: skip
            gone += await self._hear_return(known.on_its_way, finding)
            log.info("statement: %s is a pay-in's way back", line.receipt)
        return gone

    async def _apply(self, judged: Judged) -> Heard:
        attempt = judged.ours or judged.hint
        assert attempt is not None and judged.proves is not None
        line = judged.theirs.line if judged.theirs else None
        if line is None and not await self._kept_from_leaving(attempt):
            log.info("statement: %s may have left again", attempt.code)
            return Heard.KEPT
        finding = Finding(
            judged.proves,
            code=_CODES[judged.proves],
            reason=Reason.OTHER if judged.proves is Outcome.FAILED else None,
            amount=attempt.amount,
            receipt=line.receipt if line else None,
        )
        body = msgspec.json.encode(_told(judged, line)).decode()
        heard = await self._payments.apply_finding(
            attempt.attempt_id, finding, Source.STATEMENT, body
        )
        log.info("statement: %s %s: %s", attempt.code, judged.why, heard)
        return heard

    async def _kept_from_leaving(self, o: Ours) -> bool:
        """Whether an order that a statement lacks has not left since it was judged, nor will."""
        payment = await self._known.payment(PaymentId(o.payment_id))
        if payment is None or payment.live != o.attempt_id:
            return False

        async def look() -> str:
            now = await self._payments.stepper.again(payment)
            left_ms = await self._known.heard_last(now, o.attempt_id)
            has_left = now.live != o.attempt_id or left_ms > (o.left_ms or 0)
            return "it left since" if has_left else ""

        code = _CODES[Outcome.FAILED]
        return not await withhold(
            self._outbox, payment, o.attempt_id, o.direction, code=code, look=look
        )  # fmt: skip

    # What people hear.

    def _cases_of(self, j: Judged, today: date, terms: Terms) -> list[Case]:
        if j.kind is Class.MISSING_THERE and j.ours is not None:
            if (today - over_on(j.ours, terms)).days < terms.ageing_days:
                return []
            attempt = j.ours
            detail = f"{_attempt_words(attempt)}: {j.why}"
            return [Case(attempt.payment_id, MISSING_THERE, attempt.attempt_id, detail)]
        if j.theirs is None:
            return []
        line, id_ = j.theirs.line, j.theirs.line_id
        if j.is_moved_too and j.ours is not None:
            detail = (
                f"{_line_words(line)}, the {_attempt_words(j.ours)}: people booked a movement of"
                " ours under its name too"
            )
            twice = Case(j.ours.payment_id, CONTRADICTION, named_id(id_, "moved too"), detail)
            once = msgspec.structs.replace(j, is_moved_too=False)
            return [twice, *self._cases_of(once, today, terms)]
        detail = f"{_line_words(line)}: {j.why}"
        if j.kind is Class.MISSING_HERE:
            return [Case(id_, MISSING_HERE, id_, detail)]
        # What proves something is told to the payment, which calls people itself where it must.
        is_for_people = j.kind in (Class.AMOUNT_DIFFERS, Class.CONTRADICTION) and j.proves is None
        if is_for_people and (found := j.ours or j.hint) is not None:
            detail = f"{detail}; ours is {found.amount} of {found.code}"
            return [Case(found.payment_id, j.kind.name, id_, detail)]
        return []

    async def _close_explained(self, operator: str, fresh: Sequence[Judged], now_ms: int) -> None:
        paired = [j for j in fresh if j.theirs is not None and j.ours is not None]
        lines = [j.theirs.line_id for j in paired if j.theirs]
        attempts = [j.ours.attempt_id for j in paired if j.ours]
        note = "a later comparison paired the two"
        await self._cases.close(MISSING_HERE, lines, note, now_ms)
        await self._cases.close(MISSING_THERE, attempts, note, now_ms)
        paid_in = [j.theirs.line_id for j in fresh if j.kind is Class.PAID_IN and j.theirs]
        await self._cases.close(MISSING_HERE, paid_in, "it is a pay-in's", now_ms)
        moved = [j.theirs.line_id for j in fresh if j.kind is Class.MOVED and j.theirs]
        await self._cases.close(MISSING_HERE, moved, "people moved it", now_ms)
        owners = [
            (j.theirs.line.receipt, j.ours.payment_id)
            for j in paired
            if j.theirs and j.ours and j.theirs.line.side is Side.IN and _is_a_payments(j)
        ]
        await self._pay_ins.find_denied(operator, owners)

    # Money for nobody.

    async def _put_aside(
        self,
        facts: OperatorFacts,
        judged: Iterable[Judged],
        known: Mapping[str, Stored],
        today: date,
        moved: Mapping[str, Moved | None],
    ) -> int:
        """Book what came in for nobody once it has aged. What went out is for people alone, and so
        is what goes by the name of something that they moved: that is booked. So is what is listed
        in two amounts, or is booked in another one: a movement would be booked twice."""
        ageing = timedelta(days=self._terms.of(facts.name).ageing_days)
        aged = [
            j.theirs
            for j in judged
            if j.kind is Class.MISSING_HERE
            and j.theirs is not None
            and j.theirs.line.side is Side.IN
            and today - j.theirs.line.day >= ageing
            and known[j.theirs.line_id].suspended_ms is None
            and j.theirs.line_id not in moved
            and not j.is_doubted
        ]
        put = 0
        for theirs in aged:
            if await self._suspense.put(facts, theirs.line):
                await self._store.set_suspended(theirs.line_id, self._now_ms())
                put += 1
        return put

    async def _take_back(
        self,
        facts: OperatorFacts,
        judged: Iterable[Judged],
        known: Mapping[str, Stored],
        paid_in: Mapping[str, PaidInLine],
    ) -> tuple[int, set[str]]:
        """Before a payment is told of its money, that money leaves SUSPENSE: a pay-in's too, which
        may lie there before any statement lists it, or since one did. So does what people have
        said they moved. Returns how many did, and the lines whose money people have begun to send
        on meanwhile: no payment hears of those.
        """
        back, lost = 0, set()
        for j in judged:
            if j.theirs is None or not (_is_a_payments(j) or j.kind is Class.MOVED):
                continue
            theirs, line_id = j.theirs, j.theirs.line_id
            is_noted = known[line_id].suspended_ms is not None
            is_suspended = line_id in paid_in and paid_in[line_id].is_suspended
            if not is_noted and not is_suspended and not await self._lies_unnoted(known[line_id]):
                continue
            if not is_noted:  # or a crash after the claim would leave it there for ever
                await self._store.set_suspended(line_id, self._now_ms())
            owner = j.ours or j.hint
            payment = owner.payment_id if owner else None
            if not await self._pay_ins.find(facts.name, theirs.line.receipt, payment):
                lost.add(line_id)
                continue
            await self._suspense.take_back(theirs.line)
            await self._store.set_suspended(line_id, None)
            back += 1
        return back, lost

    async def _lies_unnoted(self, stored: Stored) -> bool:
        """Whether it was booked for nobody by who died before it was noted."""
        was_nobodys = stored.kind == Class.MISSING_HERE
        return was_nobodys and await self._suspense.is_put(stored.theirs.line)

    async def _follow(
        self,
        judged: Iterable[Judged],
        known: Mapping[str, Stored],
        paid_in: Mapping[str, PaidInLine],
    ) -> None:
        """A pay-in suspends its own money, under the line's key: here it is only noted, for the
        day on which the line's owner is found. What people sent on lies there no more."""
        alone = [
            j.theirs.line_id
            for j in judged
            if j.theirs and j.theirs.line_id in paid_in
            if j.kind in (Class.PAID_IN, Class.MISSING_HERE)
        ]
        for line in alone:
            lies_there = paid_in[line].is_suspended
            if lies_there != (known[line].suspended_ms is not None):
                await self._store.set_suspended(line, self._now_ms() if lies_there else None)

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


_CODES = {
    Outcome.SUCCEEDED: "listed",
    Outcome.FAILED: "not_listed",
    Outcome.REVERSED: "listed_undone",
}


def _is_news(judged: Judged, known: Mapping[str, Stored]) -> bool:
    """Whether it was not written down before; an attempt without a line never is."""
    if judged.theirs is None:
        return True
    stored = known[judged.theirs.line_id]
    return (stored.kind, stored.theirs.pinned) != (judged.kind, judged.pair_to_keep)


def _is_a_payments(judged: Judged) -> bool:
    """Whether a payment holds a line's money, or is about to.

    What came back of a refund no payment takes: that one is over, and people pay the payer anew.
    """
    undone = judged.hint if judged.proves is Outcome.REVERSED else None
    if undone is not None and undone.direction is Direction.REFUND:
        return False
    if judged.proves is not None or judged.kind in (Class.MATCHED, Class.NEXT_DAY):
        return True
    return judged.kind is Class.CONTRADICTION and _is_held(judged)


def _is_held(judged: Judged) -> bool:
    """Whether a payment has this very receipt, in this amount: whatever number the line tells, its
    money is not beside that."""
    theirs, ours = judged.theirs, judged.ours
    if theirs is None or ours is None or ours.standing is not Standing.SUCCEEDED:
        return False
    return ours.receipt == theirs.line.receipt


def _told(judged: Judged, line: Line | None) -> dict[str, Any]:
    """What is kept as evidence: no phone number."""
    if line is None:
        return {"absent": judged.why}
    return {
        "receipt": line.receipt,
        "day": line.day.isoformat(),
        "side": line.side.name.lower(),
        "minor": line.amount.minor,
        "currency": line.amount.currency,
        "fee_minor": line.fee_minor,
    }


def _line_words(line: Line) -> str:
    moved = f"{line.amount} {line.side.name.lower()}"
    return f"{line.operator} lists {line.receipt} of {line.day}, {moved}"


def _attempt_words(o: Ours) -> str:
    return f"{o.direction.name.lower()} of {o.amount} for {o.code}"
