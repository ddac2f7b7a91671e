"""An office on a real Postgres: some money in the pools, payments made by hand, time the test's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from channels.office import Office, build_office
from engine.clock import Ids
from engine.database import connect, open_pool
from engine.desk.proposals import Kind, Person, Proposal
from engine.ledger import postings
from engine.ledger.auditor import Pace
from engine.ledger.books import open_accounts
from engine.ledger.chart import Account, read_account
from engine.ledger.chart import Kind as AccountKind
from engine.ledger.committer import Committer
from engine.ledger.entries import Manual
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.ledger.postings import Transfers
from engine.payments.lifecycle import State
from engine.ports import Direction, OperatorFacts
from engine.row_security import as_tenant
from tests.integration.offices import agrees
from tests.integration.world import TestClock
from tests.unit.payments.examples import MPESA, MTN, ROUTE, quote

AIRTEL = msgspec.structs.replace(MTN, code=4, name="airtel_ug")
OPERATORS: dict[str, OperatorFacts] = {f.name: f for f in (MPESA, MTN, AIRTEL)}
ASHA, BABU, CHEP = Person("asha"), Person("babu"), Person("chep")
POOL_UGX = 1_000_000
POOL_KES = 5_000_000
QUOTE = quote()
HELD = postings.held_minor(QUOTE)


@dataclass
class Room:
    """One process's office, and shorthands for what people and payments do."""

    office: Office
    committer: Committer
    clock: TestClock
    ids: Ids

    @property
    def pool(self) -> Any:
        return self.office.pool

    async def propose(self, kind: Kind, by: Person = ASHA, **fields: Any) -> Proposal:
        return await self.office.desk.propose(kind, fields, by=by, note="because")

    async def agreed(self, kind: Kind, **fields: Any) -> Proposal:
        """Asha asks, Babu agrees."""
        proposal = await self.propose(kind, **fields)
        return await self.office.desk.approve(proposal.id, by=BABU)

    async def minor(self, kind: AccountKind, currency: str, operator: int = 0) -> int:
        account = Account(1, currency, kind, operator)
        names = {line.number: line.minor for line in await self.office.books.trial_balance()}
        return names.get(account.number, 0)

    async def committed(self, plan: Plan) -> Verdict:
        return (await self.committer.submit(plan)).verdict

    async def reserve(self) -> Plan:
        """A payment that holds liquidity and is being collected."""
        payment, attempt = self.ids.payment(), self.ids.attempt()
        plan = Plan(
            payment, CREATE, 1, State.COLLECTING, key=payment, begins=attempt,
            due=int(self.clock.epoch()) + 60, direction=Direction.COLLECT, operator=MPESA.code,
            transfers=postings.hold(QUOTE, ROUTE),
        )  # fmt: skip
        return plan if await self.committed(plan) is Verdict.APPLIED else plan._replace(key=None)

    async def follow(
        self, plan: Plan, state: State, transfers: Transfers, *, begins: Direction | None = None
    ) -> Plan:
        """The payment's next step; without a new attempt it is over."""
        attempt = self.ids.attempt() if begins else None
        step = Plan(
            plan.payment, plan.version + 1, 1, state, transfers=transfers, ends=plan.begins,
            begins=attempt, due=int(self.clock.epoch()) + 60 if begins else 0,
            direction=begins or 0, operator=MTN.code if begins is Direction.DISBURSE else 1,
        )  # fmt: skip
        assert await self.committed(step) is Verdict.APPLIED
        return step

    async def collect(self, plan: Plan) -> Plan:
        moved = (*postings.receive(QUOTE, ROUTE), *postings.send(QUOTE, ROUTE))
        return await self.follow(plan, State.PAYING, moved, begins=Direction.DISBURSE)

    async def pay(self, plan: Plan) -> Plan:
        return await self.follow(plan, State.PAID, postings.settle(QUOTE, ROUTE))

    async def fail(self, plan: Plan) -> Plan:
        """The collection definitely failed."""
        return await self.follow(plan, State.COLLECT_FAILED, postings.release(QUOTE, ROUTE))

    async def pay_whole(self) -> Plan:
        return await self.pay(await self.collect(await self.reserve()))


@asynccontextmanager
async def open_room(
    database_url: str, *, clock: TestClock | None = None, pace: Pace | None = None
) -> AsyncIterator[Room]:
    """Another one on the same database is another process."""
    clock = clock or TestClock()
    serving = as_tenant(database_url, 1)
    pool = await open_pool(serving, size=4)
    committer = Committer(partial(connect, serving), clock, writers=1)
    await committer.start()
    ids = Ids(clock)
    office = build_office(
        tenant=1, pool=pool, committer=committer, operators=OPERATORS, clock=clock, ids=ids,
        ahead=agrees, pace=pace,
    )  # fmt: skip
    room = Room(office, committer, clock, ids)
    try:
        await _endow(room)
        yield room
    finally:
        await committer.stop()
        await pool.close()


async def _endow(room: Room) -> None:
    await open_accounts(room.pool, [read_account(number) for number in ROUTE])
    await open_accounts(room.pool, [Account(1, "KES", AccountKind.POOL_AVAIL)])
    pool_kes = Account(1, "KES", AccountKind.POOL_AVAIL).number
    plan = Plan(
        room.ids.payment(), CREATE, 1, Manual.SEEDED, key="endowment",
        transfers=(
            (ROUTE.destination_float, ROUTE.pool_avail, POOL_UGX),
            (ROUTE.source_float, pool_kes, POOL_KES),
        ),
    )  # fmt: skip
    assert await room.committed(plan) in (Verdict.APPLIED, Verdict.DUPLICATE)
