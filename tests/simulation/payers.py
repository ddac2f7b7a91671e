"""People who pay in by themselves, and the operators by which they can.

They type the code of a payment of theirs, or another word, in its amount or in another, once or
twice, beside the prompt or instead of it. The operator tells of it once, twice, late or never,
unsigned; what was forged speaks of more than it is believed for. Asked, it says what is so, or
nothing.
"""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.clock import PaymentId
from engine.errors import CappError, Unreadable
from engine.fx.quotes import Quote
from engine.ledger.plans import Plan
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.facts import Ending, read_terms
from engine.payments.payment import code_of
from engine.ports import (
    Accepted,
    Acknowledgement,
    Finding,
    Outcome,
    PaidIn,
    PayInAnswer,
    PayInRefusal,
)
from tests.simulation.announcing import Announcements
from tests.simulation.operators import ACKNOWLEDGED, SimulatedOperator

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

HOUR = 3600.0
DAY = 24 * HOUR
SWEPT_EVERY = 300.0
TOLD_AGAIN = 5


class Sent(NamedTuple):
    """Money that somebody sent by themselves, as the operator has it."""

    receipt: str
    amount: Money
    reference: str
    msisdn: str
    told: str  # of the number, where its notice tells one


class PayInOperator(SimulatedOperator):
    """An operator to which people may send money for us."""

    pay_in_acknowledgement = ACKNOWLEDGED

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.sent: dict[str, Sent] = {}
        self.announced: Announcements | None = None
        self.on_answer: Callable[[SimulatedOperator, str, Finding], None] = lambda *_: None

    def read_pay_in(self, body: bytes) -> PaidIn:
        raise Unreadable(self.facts.name, f"{len(body)}")

    def answer_pay_in(self, refusal: PayInRefusal | None) -> Acknowledgement:
        return ACKNOWLEDGED

    def is_payer(self, told: str, msisdn: Msisdn) -> bool:
        return not told or told == msisdn

    async def register_pay_ins(self, *, question_url: str, notice_url: str) -> None:
        """It knows where we are."""

    async def ask_pay_in(self, receipt: str, callback_url: str) -> None:
        """Asked, it answers later, or not at all."""

        def look() -> None:
            if (error := self._mood()) is not None:
                raise error
            if self._happens("silent"):
                return
            finding = self._finding_of(receipt)
            for _ in range(2 if self._happens("callback_twice") else 1):
                delay = self._between(0.1, 60.0)
                pay_in_id = callback_url.rpartition("/")[2]
                self._loop.outside(delay, self.on_answer, self, pay_in_id, finding)

        await self._loop.remote(self._between(0.0, 0.5), look, self._between(0.0, 0.5))

    async def return_pay_in(self, paid: PaidIn, callback_url: str) -> Accepted:
        raise AssertionError("nobody here sends a pay-in back")

    def read_pay_in_answer(self, kind: str, body: bytes) -> PayInAnswer:
        raise Unreadable(self.facts.name, f"{kind} {len(body)}")

    def _finding_of(self, receipt: str) -> Finding:
        sent, name = self.sent.get(receipt), self.facts.name
        if self.announced is not None and (came := self.announced.amount_of(name, receipt)):
            return Finding(Outcome.SUCCEEDED, "ok", amount=came, receipt=receipt)
        if sent is None:
            return Finding(Outcome.FAILED, "no_such_receipt")
        number = Msisdn(sent.msisdn) if self._odds(0.7) else None
        return Finding(
            Outcome.SUCCEEDED, "ok", amount=sent.amount, msisdn=number, receipt=sent.receipt
        )


class Payers:
    """Everybody who pays in, in one world."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._busy = 0
        self._number = 0
        self._odds = chance.choice((0.15, 0.4, 0.8))
        self._strange = 0.5 if world.options.strays else 0.15  # how many name no payment
        self.meant: dict[str, PaymentId] = {}  # by receipt: the payment that it was sent for
        self.is_assigned: Callable[[str, str], bool] = lambda *_: False
        self.announced = Announcements(world, self, chance)

    def begin(self) -> None:
        """Some of those who take a payment on send its money by themselves."""
        self._world.model.watchers.append(self._on_plan)
        for port in self._world.operators.values():
            if isinstance(port, PayInOperator):
                port.on_answer = self._answer
                port.announced = self.announced
        self.announced.begin()
        self._world.loop.outside(SWEPT_EVERY, self._sweep_later)

    @property
    def is_busy(self) -> bool:
        """Whether money is on its way, or one that came is still to be looked at."""
        rows = self._world.model.pay_ins.values()
        return self._busy > 0 or any(row.due_ms is not None for row in rows)

    def sent(self, operator: str, receipt: str | None) -> Sent | None:
        """What really came under that receipt."""
        port = self._world.operators[operator]
        return port.sent.get(receipt or "") if isinstance(port, PayInOperator) else None

    def is_of(self, ending: Ending, payment: str, operator: str, quote: Quote) -> bool:
        """Whether an ending is by money that came for that payment."""
        sent = self.sent(operator, ending.receipt)
        if sent is None:
            return False
        is_payers = sent.told in ("", quote.payer)
        is_its = (sent.reference, sent.amount) == (code_of(payment), quote.total) and is_payers
        if not is_its and not self.is_assigned(sent.receipt, payment):
            self._world.laws.broken("took another's money", payment=payment, sent=sent)
        return True

    # What people do.

    def _on_plan(self, plan: Plan) -> None:
        if plan.version != 0 or plan.customer is None or self._world.is_calm:
            return
        if self._chance.random() >= self._odds:
            return
        quote = read_terms(str(plan.facts)).quote
        for _ in range(2 if self._chance.random() < 0.1 else 1):
            self._busy += 1
            delay = self._chance.choice((10.0, 60.0, 600.0, HOUR, DAY)) * self._chance.random()
            self._world.loop.outside(delay, self._send, PaymentId(plan.payment), quote)

    def _send(self, payment_id: PaymentId, quote: Quote) -> None:
        """In the right amount by the right word, mostly."""
        chance = self._chance
        port = self._world.operators[quote.payer_operator]
        assert isinstance(port, PayInOperator)
        total, unit = quote.total, port.facts.unit_minor
        amount = total
        if chance.random() < 0.1:
            amount = Money(total.minor + unit * chance.choice((-1, 1, 10)), total.currency)
        reference = code_of(payment_id)
        if chance.random() < self._strange:
            reference = chance.choice(("", "RENT", reference[:-1], "0712345678"))
        number = str(quote.payer)
        if chance.random() < 0.1:
            number = number[:-1] + "9"
        self._number += 1
        told = number if chance.random() < 0.7 else ""
        sent = Sent(f"P{self._number}", amount, reference, number, told)
        port.sent[sent.receipt] = sent
        self.meant[sent.receipt] = payment_id
        self._world.happened["paid in"] += 1
        self._world.trace("pays in", port.facts.name, payment_id, *sent[:3])
        if self._world.clerk is not None:
            self._world.clerk.enter_sent(port.facts.name, sent)
        self._tell(port, PaidIn(sent.receipt, amount, reference, told))
        above = port.facts.confirm_callback_above_minor
        if self._happens("callback_forged") and total.minor > above:
            forged = PaidIn(f"F{self._number}", total, code_of(payment_id), "")
            self.deliver(port, forged, chance.uniform(0.0, 60.0))
        self._busy -= 1

    def _tell(self, port: PayInOperator, paid: PaidIn) -> None:
        if self._happens("silent"):
            return
        is_late = self._happens("callback_late")
        for _ in range(2 if self._happens("callback_twice") else 1):
            late = self._chance.uniform(600.0, 3 * DAY)
            self.deliver(port, paid, late if is_late else self._chance.uniform(0.0, 10.0))

    # What is heard of it.

    def deliver(self, port: SimulatedOperator, paid: PaidIn, delay: float, tries: int = 0) -> None:
        """Have one of our processes told of it, after so many seconds."""
        self._busy += 1
        self._world.loop.outside(delay, self._spawn, port, paid, tries)

    def _spawn(self, port: SimulatedOperator, paid: PaidIn, tries: int) -> None:
        self._world.loop.spawn(self._delivered(port, paid, tries))

    async def _delivered(self, port: SimulatedOperator, paid: PaidIn, tries: int) -> None:
        world, restored = self._world, self._world.restored
        machine = world.any_machine(self._chance)
        try:
            await world.request(machine, lambda door: door.hear_pay_in(port.facts.name, paid))
        except (OSError, TimeoutError, CappError, LookupError):
            world.trace("pay-in not taken", paid.receipt)
            if tries < TOLD_AGAIN:
                self.deliver(port, paid, 10.0 * 4**tries, tries + 1)
            return
        finally:
            self._busy -= 1
        rows = world.model.pay_ins.values()
        world.trace("pay-in", paid.receipt)
        is_kept = any(row.stands.paid.receipt == paid.receipt for row in rows)
        if restored is world.restored and not is_kept:
            world.laws.broken("acknowledged and not kept", receipt=paid.receipt)

    def _answer(self, port: SimulatedOperator, pay_in_id: str, finding: Finding) -> None:
        self._world.loop.spawn(self._answered(pay_in_id, finding))

    async def _answered(self, pay_in_id: str, finding: Finding) -> None:
        machine = self._world.any_machine(self._chance)
        try:
            await self._world.request(
                machine, lambda door: door.pay_ins.hear_answer(pay_in_id, finding)
            )
        except (OSError, TimeoutError, CappError):
            self._world.trace("an answer not taken", pay_in_id)

    def _sweep_later(self) -> None:
        if any(row.due_ms is not None for row in self._world.model.pay_ins.values()):
            self._world.loop.spawn(self._sweep())
        self._world.loop.outside(SWEPT_EVERY, self._sweep_later)

    async def _sweep(self) -> None:
        """As the worker does it."""

        async def sweep(machine: "Machine") -> int:
            return await machine.pay_in_watch.sweep(100)

        await self._world.served(sweep, self._chance, tries=1)

    def _happens(self, name: str) -> bool:
        if self._chance.random() >= getattr(self._world.weather, name):
            return False
        self._world.happened["pay-in " + name] += 1
        return True
