"""Money that customers send of their own accord: its doors, and its parts put together.

Where operators ask before they take it, they are answered within their time or not at all.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from channels.addresses import ANY_ATTEMPT, CallbackAddresses
from channels.webhooks import Knock, OperatorDoor, Reception, Taken, refused
from engine.clock import Clock, Ids
from engine.desk.booking import Booker
from engine.desk.store import ProposalStore
from engine.errors import CappError, Unreadable
from engine.ledger.committer import Committer
from engine.outages import AWAY
from engine.payments.payins.collected import Collected
from engine.payments.payins.judging import shown
from engine.payments.payins.owners import Owners
from engine.payments.payins.payins import PayIns
from engine.payments.payins.returns import PayInReturns
from engine.payments.payins.store import PayInStore
from engine.payments.payins.strays import Strays
from engine.payments.payins.watch import PayInWatch
from engine.payments.service import Payments
from engine.payments.statements.suspense import Suspense
from engine.payments.store import PaymentStore
from engine.ports import (
    PAY_IN_KINDS,
    PAY_IN_NOTICE,
    PAY_IN_QUESTION,
    PAY_IN_RETURN,
    PAY_IN_STATUS,
    OperatorPort,
    PaidIn,
    PayInPort,
    PayInRefusal,
)
from engine.traffic.messages import Fate

log = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 5.0
"""M-PESA waits about eight (reference mpesa.md, section 7); the way there and back takes some."""


_ANNOUNCED: Final = (PAY_IN_QUESTION, PAY_IN_NOTICE)
"""What operators come with by themselves: on the registered address alone."""


@dataclass(frozen=True)
class PayInRoom:
    """The pay-ins of one process."""

    pay_ins: PayIns
    returns: PayInReturns
    owners: Owners
    store: PayInStore
    watch: PayInWatch


def build_pay_ins(
    *,
    tenant: int,
    pool: Any,
    committer: Committer,
    payments: Payments,
    store: PaymentStore,
    operators: dict[str, OperatorPort],
    addresses: CallbackAddresses,
    clock: Clock,
    ids: Ids,
) -> PayInRoom:
    """Nothing is opened or read here; `payments` hands over what comes beside a collection."""
    kept = PayInStore(pool, tenant, clock, ids)
    strays = Strays(
        tenant=tenant,
        suspense=Suspense(pool, tenant, committer, ids),
        payments=store,
        operators={name: port.facts for name, port in operators.items()},
        clock=clock,
    )
    owners = Owners(
        collected=Collected(pool, tenant), store=kept, strays=strays, payments=store, clock=clock
    )
    pay_ins = PayIns(
        store=kept,
        payments=store,
        stepper=payments.stepper,
        sequel=payments.sequel,
        strays=strays,
        owners=owners,
        operators=operators,
        address=addresses.address,
        clock=clock,
    )
    returns = PayInReturns(
        pay_ins=pay_ins,
        store=kept,
        strays=strays,
        owners=owners,
        payments=store,
        booker=Booker(pool, committer, tenant),
        proposals=ProposalStore(pool, tenant),
        operators=operators,
        address=addresses.address,
        clock=clock,
    )
    payments.late_news.hear_money = pay_ins.hear_stray
    return PayInRoom(pay_ins, returns, owners, kept, PayInWatch(kept, pay_ins, owners, returns))


class PayInDoor(OperatorDoor):
    """The door of one kind of word about pay-ins. It must stand before the operators' callbacks."""

    def __init__(self, reception: Reception, room: PayInRoom, kind: str) -> None:
        super().__init__(reception)
        self.kind = kind
        self._room = room

    async def _hear(self, knock: Knock) -> Taken:
        port = knock.port
        if not isinstance(port, PayInPort):
            raise Unreadable(port.facts.name, "a pay-in, of which it tells nobody")
        if self.kind in _ANNOUNCED and knock.attempt_id != ANY_ATTEMPT:
            # A kind is in no MAC. Whoever was given the address of one order or question could
            # else announce money for every payment.
            return refused(Fate.UNKNOWN_ATTEMPT)
        match self.kind:
            case kind if kind == PAY_IN_QUESTION:
                return await self._answer_question(knock, port)
            case kind if kind == PAY_IN_NOTICE:
                return await self._hear_notice(knock, port)
            case _:
                return await self._hear_answer(knock, port)

    async def _answer_question(self, knock: Knock, port: PayInPort) -> Taken:
        """Within the operator's time. Where we cannot tell the money had better not come."""
        paid, name = port.read_pay_in(knock.body), knock.port.facts.name
        refusal: PayInRefusal | None = PayInRefusal.OTHER
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                refusal = await self._room.pay_ins.refusal(name, paid)
        except (*AWAY, CappError) as error:
            log.warning("%s is told not to take money now: %s", name, type(error).__name__)
        return Taken(port.answer_pay_in(refusal), Fate.ANSWERED, shown=_shown(paid, refusal))

    async def _hear_notice(self, knock: Knock, port: PayInPort) -> Taken:
        """Stored, and then answered whatever comes of it: the sweep looks at what is left."""
        paid, pay_ins = port.read_pay_in(knock.body), self._room.pay_ins
        pay_in = await pay_ins.hear(knock.port.facts.name, paid)
        try:
            await pay_ins.look(pay_in.id, may_call=False)
        except (*AWAY, CappError) as error:
            log.warning("pay-in %s is looked at again later: %s", paid.receipt, error)
        return Taken(port.pay_in_acknowledgement, Fate.PAID_IN, shown=_shown(paid))

    async def _hear_answer(self, knock: Knock, port: PayInPort) -> Taken:
        """What was said of one pay-in, on the address that it was asked about with."""
        answer = port.read_pay_in_answer(self.kind, knock.body)
        hear = {
            PAY_IN_STATUS: self._room.pay_ins.hear_answer,
            PAY_IN_RETURN: self._room.returns.hear_return,
        }.get(self.kind)
        if hear is not None and not await hear(knock.attempt_id, answer.finding):
            return refused(Fate.UNKNOWN_ATTEMPT)
        told = {"outcome": answer.finding.outcome, "code": answer.finding.code}
        return Taken(
            answer.acknowledgement, Fate.ANSWERED, shown=msgspec.json.encode(told).decode()
        )


def pay_in_doors(reception: Reception, room: PayInRoom) -> list[PayInDoor]:
    """One for each kind."""
    return [PayInDoor(reception, room, kind) for kind in PAY_IN_KINDS]


def _shown(paid: PaidIn, refusal: PayInRefusal | None = None) -> str:
    """What of it may be kept with the traffic."""
    told = {
        "receipt": paid.receipt,
        "minor": paid.amount.minor,
        "currency": paid.amount.currency,
        "reference": shown(paid.reference),
        "refused": refusal,
    }
    return msgspec.json.encode(told).decode()
