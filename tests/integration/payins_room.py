"""Pay-ins on a real Postgres: an operator that announces them as a test tells it, and an office."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from channels.addresses import CallbackAddresses
from channels.office import Office
from channels.payins import PayInRoom, build_pay_ins
from engine.clock import Ids, PaymentId
from engine.desk.proposals import Kind, Person, Proposal
from engine.ledger.auditor import Pace
from engine.ledger.committer import Committer
from engine.ledger.entries import Manual
from engine.ledger.plans import Plan, Verdicted
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.payins.judging import PayIn
from engine.payments.payment import code_of
from engine.ports import (
    Accepted,
    Acknowledgement,
    Finding,
    OperatorFacts,
    Outcome,
    PaidIn,
    PayInAnswer,
    PayInRefusal,
)
from tests.integration.books import assert_books
from tests.integration.offices import office_of
from tests.integration.test_statements import Bureau, bureau_of
from tests.integration.world import ScriptedOperator, World, open_world
from tests.unit.payments.examples import MPESA

AMINA, BRIAN = Person("amina"), Person("brian")
TOTAL = Money(102_000, "KES")
"""What the payment of `World.confirm` costs its payer, fee included."""
CAME = Finding(Outcome.SUCCEEDED, "Completed")


@dataclass
class Announcing(ScriptedOperator):
    """Tells of pay-ins, and answers the next of `replies` when it is to ask or to give back.

    What a company's bytes mean is the doors' affair: whoever comes here with any is told loudly.
    """

    pay_in_acknowledgement: Acknowledgement = field(default_factory=Acknowledgement)
    replies: list[Exception] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)

    def read_pay_in(self, body: bytes) -> PaidIn:
        raise AssertionError("this room is given values, not bytes")

    def answer_pay_in(self, refusal: PayInRefusal | None) -> Acknowledgement:
        raise AssertionError("this room is given values, not bytes")

    def is_payer(self, told: str, msisdn: Msisdn) -> bool:
        return told in ("", str(msisdn))

    async def register_pay_ins(self, *, question_url: str, notice_url: str) -> None:
        raise AssertionError("nobody registers addresses here")

    async def ask_pay_in(self, receipt: str, callback_url: str) -> None:
        self.asked.append(receipt)
        self._reply()

    async def return_pay_in(self, paid: PaidIn, callback_url: str) -> Accepted:
        self.returned.append(paid.receipt)
        self._reply()
        return Accepted("conversation")

    def read_pay_in_answer(self, kind: str, body: bytes) -> PayInAnswer:
        raise AssertionError("this room is given values, not bytes")

    def _reply(self) -> None:
        if self.replies:
            raise self.replies.pop(0)


@dataclass
class Till:
    """One process's pay-ins, and shorthands for what customers, operators and people do."""

    world: World
    office: Office
    room: PayInRoom
    mpesa: Announcing

    async def announce(
        self,
        reference: str,
        receipt: str = "RKL51ZDR4F",
        amount: Money = TOTAL,
        payer: str = "",
        *,
        proven: bool = False,
    ) -> PayIn:
        """What an operator's notice leads to, at its door."""
        paid = PaidIn(receipt, amount, reference, payer)
        heard = await self.room.pay_ins.hear("mpesa_ke", paid, proven=proven)
        await self.room.pay_ins.look(heard.id, may_call=False)
        await self.world.dispatched()
        return await self.again(heard)

    async def again(self, pay_in: PayIn) -> PayIn:
        found = await self.room.store.get(pay_in.id)
        assert found is not None
        return found

    async def sweep(self) -> None:
        await self.room.watch.sweep(100)
        await self.world.dispatched()

    async def waiting(self, shillings: int = 1000) -> PaymentId:
        """A payment whose payer has the prompt on the phone."""
        payment_id = await self.world.confirm(shillings=shillings)
        await self.world.dispatched()
        return payment_id

    async def agree(self, kind: Kind, **fields: str) -> Proposal:
        asked = await self.office.desk.propose(kind, fields, by=AMINA, note="they called")
        decided = await self.office.desk.approve(asked.id, by=BRIAN)
        await self.world.dispatched()
        return decided

    async def suspense(self) -> int:
        return await self._minor("SUSPENSE mpesa_ke")

    async def held(self) -> int:
        return await self._minor("RETURN_HELD mpesa_ke")

    async def float_(self) -> int:
        return await self._minor("FLOAT mpesa_ke")

    async def _minor(self, name: str) -> int:
        lines = await self.world.books.trial_balance()
        return sum(line.minor for line in lines if (line.name, line.currency) == (name, "KES"))

    async def open_cases(self) -> list[str]:
        rows = await self.world.pool.fetch(
            "select kind from case_file where closed_ms is null order by kind"
        )
        return [row["kind"] for row in rows]


def code(payment_id: PaymentId) -> str:
    return code_of(payment_id)


def till_of(world: World, mpesa: Announcing) -> Till:
    """The pay-ins of one process."""
    room = build_pay_ins(
        tenant=1, pool=world.pool, committer=world.committer, payments=world.payments,
        store=world.store, operators={"mpesa_ke": mpesa, "mtn_ug": world.mtn},
        addresses=CallbackAddresses("http://door", [b"k" * 16]), clock=world.clock,
        ids=Ids(world.clock),
    )  # fmt: skip
    office = office_of(world, room.returns.executors(), pace=Pace(0, 0))
    return Till(world, office, room, mpesa)


Meanwhile = Callable[[], Awaitable[object]]


class Interrupted(Committer):
    """Something happens before the first entry of a kind is committed, or right after it."""

    def __init__(
        self, inner: Committer, kind: Manual, before: Meanwhile | None, after: Meanwhile | None
    ) -> None:
        """Everything else is `inner`'s."""
        self._inner = inner
        self._kind = kind
        self._before, self._after = before, after

    async def submit_until_known(
        self, plan: Plan, *, is_urgent: bool = True, until: float | None = None
    ) -> Verdicted:
        if plan.state != self._kind:
            return await self._inner.submit_until_known(plan, is_urgent=is_urgent, until=until)
        before, self._before = self._before, None
        if before is not None:
            await before()
        answer = await self._inner.submit_until_known(plan, is_urgent=is_urgent, until=until)
        after, self._after = self._after, None
        if after is not None:
            await after()
        return answer


def beside(
    till: Till,
    *,
    before: Meanwhile | None = None,
    after: Meanwhile | None = None,
    kind: Manual = Manual.SUSPENDED,
) -> Till:
    """Another process's pay-ins, in which something happens beside its first entry of a kind."""
    committer = Interrupted(till.world.committer, kind, before, after)
    return till_of(replace(till.world, committer=committer), till.mpesa)


def bureau_at(till: Till) -> Bureau:
    """The same process's statements."""
    room = till.room
    return bureau_of(till.world, hear_return=room.returns.hear_return, hear_owners=room.owners.hear)


@asynccontextmanager
async def open_till(database_url: str, payer: OperatorFacts = MPESA) -> AsyncIterator[Till]:
    """On leaving, the books are added up, by the laws and by the auditor."""
    async with open_world(database_url, payer=payer) as world:
        till = till_of(world, Announcing(payer))
        yield till
        await world.dispatched()
        await assert_books(world.pool)
        assert await world.books.is_balanced()
        report = await till.office.auditor.audit_all()
        assert report.findings == ()
