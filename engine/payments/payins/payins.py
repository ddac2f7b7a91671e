"""The story of money that a customer sent of their own accord: told, proven, and whose it is.

It is stored before anybody is answered, and booked once: as a payment's collection, or in
SUSPENSE until two people know better. Nothing of it is believed above an amount, or once a payment
is over, before the operator was asked.
"""

import logging
from collections.abc import Callable, Mapping

import msgspec

from engine.clock import AttemptId, Clock
from engine.errors import OurFault, OutcomeUnknown, Rejected, Throttled, Unreachable
from engine.ledger.plans import Evidence
from engine.payments.evidence import Source, body_hash
from engine.payments.facts import Ending
from engine.payments.lifecycle import Event
from engine.payments.payins.judging import (
    EVENTS,
    Judgement,
    PayIn,
    Stage,
    Verdict,
    judge,
    refusal,
    shown,
)
from engine.payments.payins.owners import AT_FIRST, Owners
from engine.payments.payins.store import (
    CONFLICT,
    LOOK_AGAIN_SECONDS,
    WITH_AN_OWNER,
    PayInStore,
)
from engine.payments.payins.strays import Strays
from engine.payments.payment import Payment
from engine.payments.sequel import Following, Sequel
from engine.payments.stepping import Stepper
from engine.payments.store import PaymentStore
from engine.ports import Finding, OperatorPort, Outcome, PaidIn, PayInPort, PayInRefusal

log = logging.getLogger(__name__)

TRIES_MAX = 5
LEASE_SECONDS = 60
ASK_AGAIN_SECONDS = (60, 300, 1800, 7200, 14_400, 43_200)
"""How long after each question the next one follows; then people are told."""

Address = Callable[[int, AttemptId], str]


class PayIns:
    """The pay-ins of one tenant. Every method may be repeated."""

    def __init__(
        self,
        *,
        store: PayInStore,
        payments: PaymentStore,
        stepper: Stepper,
        sequel: Sequel,
        strays: Strays,
        owners: Owners,
        operators: Mapping[str, OperatorPort],
        address: Address,
        clock: Clock,
    ) -> None:
        """`address` makes the address for an operator's answer about one pay-in."""
        self._store = store
        self._payments = payments
        self._stepper = stepper
        self._sequel = sequel
        self._strays = strays
        self._owners = owners
        self._operators = operators
        self._address = address
        self._clock = clock

    async def refusal(self, operator: str, paid: PaidIn) -> PayInRefusal | None:
        """Whether money that is about to be sent is wanted; changes nothing."""
        payment = await self._waiting(paid.reference)
        agrees = payment is not None and self._agrees(operator, paid, payment)
        return refusal(operator, paid, payment, payer_agrees=agrees)

    async def hear(self, operator: str, paid: PaidIn, *, proven: bool = False) -> PayIn:
        """Store what an operator told. Once it is stored the operator may be answered."""
        pay_in = await self._store.hear(operator, paid, proven=proven)
        if pay_in.paid.amount != paid.amount:
            told = f"{operator} told {paid.receipt} of {pay_in.paid.amount} and of {paid.amount}"
            await self._store.open_case(pay_in, told, CONFLICT)
        return pay_in

    async def hear_stray(self, operator: str, paid: PaidIn, proven: bool) -> None:
        """Money beside a collection that is over (`HearMoney`); looked at by the next sweep."""
        await self.hear(operator, paid, proven=proven)

    async def hear_answer(self, pay_in_id: str, finding: Finding) -> bool:
        """What the operator says of money that we asked about. False: we know of none such.

        Only what it lists as final counts; that it was undone since is a denial too.
        """
        pay_in = await self._store.get(pay_in_id)
        if pay_in is None:
            return False
        if pay_in.stage is not Stage.HEARD:
            return True
        if finding.outcome in (Outcome.FAILED, Outcome.REVERSED):
            await self._deny(pay_in, f"{pay_in.operator} was asked and says {finding.code}")
        elif finding.outcome is Outcome.SUCCEEDED:
            await self._hear_proof(pay_in, finding)
        return True

    async def look(self, pay_in_id: str, *, may_call: bool) -> None:
        """Do what can be done about one: prove it, book it. Safe to repeat by anybody at once.

        Without `may_call` what must be asked is left to the next sweep: somebody waits for us.
        Raises OurFault when the commit refuses what the lifecycle allows: to be tried again.
        """
        for _ in range(TRIES_MAX):
            pay_in = await self._store.get(pay_in_id)
            if pay_in is None or pay_in.stage is not Stage.HEARD:
                return
            if await self._settle(pay_in, may_call=may_call):
                return
        raise OurFault(f"pay-in {pay_in_id} moved {TRIES_MAX} times under one look")

    async def take(self, pay_in: PayIn, payment: Payment, event: Event) -> bool:
        """Make it the collection of a payment; False when that moved meanwhile: look again."""
        attempt_id = payment.live or await self._store.collection_of(payment.payment_id)
        if attempt_id is None:
            raise OurFault(f"{payment.code} was never to be collected")
        following = Following()
        if event is Event.COLLECTION_SUCCEEDED:
            following = await self._sequel.after_collected(payment)
        ending = Ending(
            attempt_id, True, "paid_in", Source.PAY_IN, pay_in.paid.receipt, following.decisions
        )
        after = await self._stepper.take(
            payment, event, then=following.event, onward=following.onward, facts=ending,
            kept=(_evidence(attempt_id, pay_in),),
        )  # fmt: skip
        return after is not None

    # One look.

    async def _settle(self, pay_in: PayIn, *, may_call: bool) -> bool:
        """False when something moved meanwhile."""
        if not pay_in.proven and self._needs_proof(pay_in):
            return not may_call or await self._ask(pay_in)
        payment, judgement = await self._judge(pay_in)
        match judgement.verdict:
            case Verdict.KNOWN | Verdict.ASSUMED:
                assert payment is not None
                return await self._rest_known(pay_in, payment, judgement)
            case Verdict.LATE if not pay_in.proven:
                return not may_call or await self._ask(pay_in)
            case Verdict.COLLECTS | Verdict.LATE:
                assert payment is not None
                if not await self._strays.claim(pay_in):
                    return await self._contradict(pay_in)
                return await self._collect(pay_in, payment, EVENTS[judgement.verdict])
            case Verdict.STRANGE:
                await self._suspend(pay_in, judgement.why)
                return True

    async def _judge(self, pay_in: PayIn) -> tuple[Payment | None, Judgement]:
        payment = await self._named(pay_in.paid.reference)
        judgement = judge(pay_in, None, (), payer_agrees=False)
        if payment is not None:
            endings = await self._payments.endings(payment.payment_id)
            agrees = self._agrees(pay_in.operator, pay_in.paid, payment)
            judgement = judge(pay_in, payment, endings, payer_agrees=agrees)
        if judgement.verdict is Verdict.KNOWN:
            return payment, judgement
        # By a statement, or by us before a crash: it stays there until its owner is found.
        is_put = await self._strays.is_put(pay_in)
        why = judgement.why or "it is suspended already"
        if is_put or judgement.verdict in (Verdict.STRANGE, Verdict.LATE):
            owner = await self._owners.of(pay_in, AT_FIRST)
            if owner is not None:
                return owner, Judgement(Verdict.KNOWN, why)
        return payment, Judgement(Verdict.STRANGE, why) if is_put else judgement

    async def _collect(self, pay_in: PayIn, payment: Payment, event: Event) -> bool:
        if not await self.take(pay_in, payment, event):
            return False
        return await self._rest_with(pay_in, payment)

    async def _rest_known(self, pay_in: PayIn, payment: Payment, judgement: Judgement) -> bool:
        """It is the payment's collection already. Where it is put aside, or its receipt alone shows
        whose it is and somebody may be putting it aside this moment, it is looked at once more."""
        await self._owners.compare(pay_in, payment)
        is_put = judgement.verdict is Verdict.KNOWN and await self._strays.is_put(pay_in)
        again = is_put or bool(judgement.why)
        rests = await self._rest_with(pay_in, payment, is_looked_at_again=again)
        now = await self._store.get(pay_in.id) if is_put else None
        if now is not None and now.stage in WITH_AN_OWNER:
            await self._strays.take_back(pay_in)
        return rests

    async def _rest_with(
        self, pay_in: PayIn, payment: Payment, *, is_looked_at_again: bool = False
    ) -> bool:
        """It is booked with the payment. A second one of the same payment is another's money."""
        again_ms = self._again_ms() if is_looked_at_again else None
        if await self._store.settle(
            pay_in, Stage.TAKEN, payment=payment.payment_id, again_ms=again_ms
        ):
            log.info("pay-in %s is the collection of %s", pay_in.paid.receipt, payment.code)
            return True
        now = await self._store.get(pay_in.id)
        if now is not None and now.stage is Stage.HEARD:
            await self._suspend(pay_in, f"{payment.code} has been paid in before")
        return True

    async def _suspend(self, pay_in: PayIn, why: str) -> None:
        """Money first, then people; last it is written down as done."""
        paid = pay_in.paid
        if await self._strays.is_back(pay_in):
            await self._deny(pay_in, "a statement found its owner before it was told of")
            return
        if not await self._strays.put(pay_in):
            await self._contradict(pay_in)
            return
        told = f"{pay_in.operator} {paid.receipt}, {paid.amount} for {shown(paid.reference)}: {why}"
        await self._store.open_case(pay_in, told)
        if await self._store.settle(pay_in, Stage.SUSPENDED, again_ms=self._again_ms()):
            log.warning("pay-in %s is suspended: %s", paid.receipt, why)
            return
        now = await self._store.get(pay_in.id)
        if now is not None and now.stage in WITH_AN_OWNER:
            await self._owners.look(now)  # whoever found its owner was faster

    async def _contradict(self, pay_in: PayIn) -> bool:
        """Its receipt is booked as a statement lists it, which stands. True."""
        listed = "its statement lists another amount, which is booked"
        await self._owners.call_people(pay_in, listed)
        await self._store.settle(pay_in, Stage.DENIED)
        return True

    async def _deny(self, pay_in: PayIn, why: str) -> None:
        paid = pay_in.paid
        await self._store.open_case(pay_in, f"{paid.receipt}, {paid.amount}: {why}; not booked")
        await self._store.settle(pay_in, Stage.DENIED)

    # Proof.

    async def _hear_proof(self, pay_in: PayIn, finding: Finding) -> None:
        if wrong := _contradiction(pay_in, finding):
            await self._deny(pay_in, wrong)
            return
        payment = await self._named(pay_in.paid.reference)
        if payment is not None and finding.msisdn not in (None, payment.quote.payer):
            await self._hear_of_another(pay_in, payment)
            return
        await self._store.prove(pay_in.id)
        await self.look(pay_in.id, may_call=False)

    async def _hear_of_another(self, pay_in: PayIn, payment: Payment) -> None:
        """It came, and not from the payer: booked, so that it can go back. Never marked as proven
        first, for what we were told of the sender may agree with the payer all the same."""
        why = f"{pay_in.operator} was asked and tells another payer than that of {payment.code}"
        endings = await self._payments.endings(payment.payment_id)
        verdict = judge(pay_in, payment, endings, payer_agrees=False).verdict
        is_booked = verdict is Verdict.KNOWN or await self._owners.of(pay_in, AT_FIRST) is not None
        if is_booked:
            await self._deny(pay_in, why)  # with a payment
        else:
            await self._suspend(pay_in, why)

    async def _ask(self, pay_in: PayIn) -> bool:
        """One question; the answer comes by its own address. In the end people are told. True."""
        if pay_in.asked >= len(ASK_AGAIN_SECONDS):
            await self._deny(pay_in, f"{pay_in.operator} does not say whether it came")
            return True
        again_ms = int((self._clock.epoch() + ASK_AGAIN_SECONDS[pay_in.asked]) * 1000)
        port = self._port(pay_in.operator)
        if port is None or not await self._store.is_turn_to_ask(pay_in, again_ms):
            return True
        url = self._address(self._operators[pay_in.operator].facts.code, AttemptId(pay_in.id))
        try:
            await port.ask_pay_in(pay_in.paid.receipt, url)
        except (Throttled, Unreachable, OutcomeUnknown, Rejected) as error:
            log.warning("pay-in %s is not proven yet: %s", pay_in.paid.receipt, error)
        return True

    def _again_ms(self) -> int:
        return int((self._clock.epoch() + LOOK_AGAIN_SECONDS) * 1000)

    def _needs_proof(self, pay_in: PayIn) -> bool:
        port = self._operators.get(pay_in.operator)
        if port is None:
            raise OurFault(f"{pay_in.operator} is none of our operators now")
        return pay_in.paid.amount.minor > port.facts.confirm_callback_above_minor

    # Whom it may be from.

    def _agrees(self, operator: str, paid: PaidIn, payment: Payment) -> bool:
        port = self._port(operator)
        return port is not None and port.is_payer(paid.payer, payment.quote.payer)

    def _port(self, operator: str) -> PayInPort | None:
        port = self._operators.get(operator)
        return port if isinstance(port, PayInPort) else None

    async def _waiting(self, reference: str) -> Payment | None:
        payment_id = await self._store.waiting_payment(reference)
        return await self._payments.payment(payment_id) if payment_id else None

    async def _named(self, reference: str) -> Payment | None:
        found = await self._waiting(reference)
        if found is not None:
            return found
        payment_id = await self._store.recent_payment(reference)
        return await self._payments.payment(payment_id) if payment_id else None


def _contradiction(pay_in: PayIn, finding: Finding) -> str:
    """What of an answer speaks of other money than we were told of; "" when nothing does."""
    paid = pay_in.paid
    if finding.amount is not None and finding.amount != paid.amount:
        return f"{pay_in.operator} was asked and says {finding.amount}"
    if finding.receipt is not None and finding.receipt != paid.receipt:
        return f"{pay_in.operator} answered about {finding.receipt}"
    return ""


def _evidence(attempt_id: AttemptId, pay_in: PayIn) -> Evidence:
    """What is kept with the payment: no number, hidden or not."""
    paid = pay_in.paid
    told = {
        "receipt": paid.receipt,
        "minor": paid.amount.minor,
        "currency": paid.amount.currency,
        "pay_in": pay_in.id,
        "proven": pay_in.proven,
    }
    body = msgspec.json.encode(told).decode()
    return Evidence(attempt_id, body_hash(Source.PAY_IN, body), Source.PAY_IN, body)
