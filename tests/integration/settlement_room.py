"""Settlement on a real Postgres: payments as plans, a rail in memory, and the laws at the end."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import msgspec

from engine.clock import Ids
from engine.database import connect, open_pool
from engine.fx.rates import RateBook
from engine.ledger.books import Books, open_accounts
from engine.ledger.chart import Account, Kind, natural, read_account
from engine.ledger.committer import Committer
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.money import CURRENCIES
from engine.payments.lifecycle import State
from engine.payments.settlement.batch import Batch
from engine.payments.settlement.room import SettlementRoom, build_room
from engine.payments.settlement.rules import Rules, read_rules
from engine.payments.settlement.state import BatchState
from engine.ports import PoolStanding
from engine.row_security import as_tenant
from tests.integration.books import assert_books
from tests.integration.owner import Owner
from tests.integration.settlement_rail import KeptKeys, MemoryRail, Pools
from tests.integration.world import TestClock

CODES = {"mpesa_ke": 1, "mtn_ug": 2, "airtel_ke": 3}
CURRENCY = {"mpesa_ke": "KES", "mtn_ug": "UGX", "airtel_ke": "KES"}
MIDS = {"KES": "0.00775", "UGX": "0.00027027"}
PAIR, HOME = "mpesa_ke:mtn_ug", "airtel_ke:mpesa_ke"
SALT_KEY = b"s" * 32
APPROVERS = ("approver_a", "approver_b", "approver_house")


def rules(*, approvers: tuple[str | None, ...] = APPROVERS, **window: int) -> Rules:
    """Two corridors, one of them inside one currency; windows of a minute unless told otherwise."""
    limits = {
        "seconds": 60, "payments": 1000, "exposure_minor": 10**12, "single_above_minor": 10**12,
    } | window  # fmt: skip
    return read_rules(
        {
            "asset": {"code": "USDC", "pegged_to": "USD"},
            "window": limits,
            "approvals_seconds": 600,
            "corridors": [
                {
                    "name": name, "members": name.split(":"), "approvers": list(approvers),
                    "threshold": 2,
                }
                for name in (PAIR, HOME)
            ],
        },
        CURRENCY,
    )  # fmt: skip


def changed(given: Rules, **corridor: Any) -> Rules:
    """With another first corridor; without it when nothing is told of it."""
    first, *others = given.corridors
    if not corridor:
        return msgspec.structs.replace(given, corridors=tuple(others))
    return msgspec.structs.replace(
        given, corridors=(msgspec.structs.replace(first, **corridor), *others)
    )


def make_rail() -> MemoryRail:
    keys = [hashlib.sha256(name.encode()).digest() for name in APPROVERS]
    return MemoryRail({name: Pools(keys, 2) for name in (PAIR, HOME)})


@dataclass
class Hall:
    """One installation. `room` is one process of it; `another` makes a second one."""

    pool: Any
    committer: Committer
    clock: TestClock
    ids: Ids
    rates: RateBook
    rules: Rules
    rail: MemoryRail
    keys: KeptKeys
    room: SettlementRoom
    payments: list[str] = field(default_factory=list)

    def another(self, **changes: Any) -> SettlementRoom:
        told: dict[str, Any] = {
            "tenant": 1, "pool": self.pool, "committer": self.committer, "rates": self.rates,
            "rules": self.rules, "rail": self.rail, "signer": self.keys, "salt_key": SALT_KEY,
            "operators": CODES, "clock": self.clock, "ids": self.ids, "patience_seconds": 0.0,
        } | changes  # fmt: skip
        return build_room(**told)

    # Payments, as the lifecycle leaves them in the journal.

    async def pay(
        self, source: str = "mpesa_ke", destination: str = "mtn_ug", minor: int = 100_000
    ) -> str:
        """A payment that was paid: `minor` of the source's currency is owed."""
        payment = self.ids.hex()
        await self._create(payment, source, destination)
        await self._paid(payment, 1, source, destination, minor)
        self.payments.append(payment)
        return payment

    async def return_(
        self, payment: str, source: str = "mpesa_ke", destination: str = "mtn_ug",
        minor: int = 100_000, *, version: int = 2,
    ) -> None:  # fmt: skip
        """It came back: what was owed for it is owed no more."""
        due = Account(1, CURRENCY[source], Kind.REFUND_DUE)
        legs = ((self.interpool(source, destination), due.number, minor),)
        await self.commit(Plan(payment, version, 1, State.RETURNED, transfers=legs))

    async def pay_again(self, payment: str, destination: str, minor: int, *, version: int) -> None:
        await self._paid(payment, version, "mpesa_ke", destination, minor)

    async def _create(self, payment: str, source: str, destination: str) -> None:
        told = f'[["{"9" * 32}","+254712000001","+256772000002","{source}","{destination}"],1]'
        await self.commit(
            Plan(payment, CREATE, 1, State.COLLECTING, key=payment, hash=payment, facts=told)
        )
        await Owner(self.pool).force(  # all that comes before a payout is nothing to a settlement
            "update payment set state = $2 where id = $1", payment, int(State.PAYING)
        )

    async def _paid(
        self, payment: str, version: int, source: str, destination: str, minor: int
    ) -> None:
        income, spent = CURRENCY[source], CURRENCY[destination]
        funds = Account(1, income, Kind.CUSTOMER_FUNDS).number
        legs = (
            (Account(1, income, Kind.FLOAT, CODES[source]).number, funds, minor),
            (funds, self.interpool(source, destination), minor),
            (
                Account(1, spent, Kind.LOSS).number,
                Account(1, spent, Kind.FLOAT, CODES[destination]).number,
                1,
            ),
        )
        # Where both are of one currency, the last FLOAT credited is the one that paid out.
        await self.commit(Plan(payment, version, 1, State.PAID, transfers=legs))

    async def commit(self, plan: Plan) -> None:
        numbers = {n for debit, credit, _ in plan.transfers for n in (debit, credit)}
        await open_accounts(self.pool, map(read_account, sorted(numbers)))
        answer = await self.committer.submit_until_known(plan)
        assert answer.verdict is Verdict.APPLIED, answer

    def interpool(self, source: str, destination: str) -> int:
        owner = CURRENCIES[CURRENCY[destination]].numeric
        return Account(1, CURRENCY[source], Kind.INTERPOOL, owner).number

    # Settlement.

    async def endow(self) -> None:
        """What the rail's pools hold from the start is in the books."""
        for name, operator in (("mpesa_ke", 1), ("mtn_ug", 2), ("airtel_ke", 3)):
            minor = await self.held_by_rail(name)
            legs = (
                (
                    Account(1, "USDC", Kind.CHAIN_TREASURY, operator).number,
                    Account(1, "USDC", Kind.CHAIN_CAPITAL, operator).number,
                    minor,
                ),
            )
            entry = self.ids.hex()
            await self.commit(Plan(entry, CREATE, 1, 123, key=entry, hash=entry, transfers=legs))

    async def held_by_rail(self, operator: str) -> int:
        total = 0
        for name, pools in self.rail.corridors.items():
            members = name.split(":")
            total += pools.totals[members.index(operator)] if operator in members else 0
        return total

    async def sweep(self, times: int = 4, room: SettlementRoom | None = None) -> None:
        for _ in range(times):
            await (room or self.room).settling.sweep()

    async def close(self, corridor: str = PAIR) -> Batch:
        """Gather what there is and close the window, as somebody asks for it."""
        await self.room.settling.sweep()
        batch = await self.room.closing.close_now(corridor)
        assert batch is not None
        return batch

    async def approve(self, batch: Batch) -> None:
        """Booked and signed, and the process ends there: nothing is asked of the rail yet."""
        assert await self.room.settling._settle_with_the_books(batch)
        seconds = (await self.rail.position()).seconds
        approved = await self.room.approving.approve(await self.reopened(batch), seconds)
        assert approved is not None
        assert await self.room.batches.move_approved(batch, approved.terms)

    async def batches(self, corridor: str | None = None) -> list[Batch]:
        """The oldest first."""
        return (await self.room.batches.newest(1000, corridor))[::-1]

    async def states(self) -> list[BatchState]:
        return [batch.state for batch in await self.batches()]

    async def reopened(self, batch: Batch) -> Batch:
        found = await self.room.batches.get(batch.id)
        assert found is not None
        return found

    async def minor(self, kind: Kind, currency: str = "USDC", owner: int = 0) -> int:
        number = Account(1, currency, kind, owner).number
        stored = await self.pool.fetchval("select amount from balance where id = $1", number)
        return natural(number, stored or 0)

    async def cases(self) -> list[str]:
        rows = await self.pool.fetch(
            "select detail from case_file where kind = 'SETTLEMENT' order by opened_ms, detail"
        )
        return [row["detail"] for row in rows]

    async def close_cases(self) -> None:
        """People say that all of them are mended."""
        await self.pool.execute(
            "update case_file set closed_ms = 1, closed_by = 'two people', note = 'mended'"
            " where closed_ms is null"
        )

    async def assert_laws(self) -> None:
        """Books balance, every obligation is in one place, and the books are the rail's."""
        await assert_books(self.pool)
        assert await Books(self.pool, 1, {}).is_balanced()
        wrong = await self.pool.fetch(NOT_OWED_ONCE)
        assert not wrong, wrong
        drifts = {b.operator: b.drift_minor for b in await self.room.standings.balances()}
        assert not any(drifts.values()), drifts

    async def is_settled(self) -> bool:
        """Whether no window is open and no batch on its way."""
        return not await self.pool.fetchval(
            "select exists (select from settlement_obligation where batch is null)"
            " or exists (select from settlement_batch where state not in (5, 7))"
        )

    async def assert_settled(self) -> None:
        """Nothing waits, nothing is on its way, and books and rail are equal to the unit."""
        await self.assert_laws()
        await self.assert_equal_to_the_rail()

    async def assert_equal_to_the_rail(self) -> None:
        assert await self.minor(Kind.CHAIN_IN_FLIGHT) == 0
        assert await self.minor(Kind.FX_POSITION) == 0
        for balance in await self.room.standings.balances():
            assert balance.books_minor == balance.rail_minor, balance
            assert balance.least_minor == balance.most_minor, balance
        waiting = await self.pool.fetchval(
            "select count(*) from settlement_obligation o left join settlement_batch b"
            " on b.id = o.batch where b.state is distinct from 5"
        )
        assert waiting == 0
        on_rail = sum(len(pools.batches) for pools in self.rail.corridors.values())
        assert on_rail == (await self.states()).count(BatchState.SETTLED)


# Worked out from the journal anew, without what the room keeps of it.
NOT_OWED_ONCE = """
with rows as (
  select j.payment, j.version, l.account, sum(l.minor) as minor from journal j
    cross join lateral (
      select unnest(j.debits) as account, -unnest(j.amounts) as minor
      union all select unnest(j.credits), unnest(j.amounts)) l
   where (l.account >> 24 & 255) = 12 and j.state not in (120, 121) group by 1, 2, 3)
select coalesce(r.payment, o.payment) as payment, r.minor as owed, o.minor as kept
  from rows r full join settlement_obligation o using (payment, version, account)
 where r.minor is distinct from o.minor"""


WRITTEN = (
    "journal", "payment", "balance", "fx_rate", "case_file", "decision",
    "audit_block", "audit_fence", "audit_late", "audit_sum", "audit_position",
    "settlement_obligation", "settlement_position", "settlement_look", "settlement_corridor",
    "settlement_batch", "settlement_approval", "settlement_errand", "settlement_transaction",
    "settlement_account", "settlement_dispute",
)  # fmt: skip
"""Tests of a module may share a database: each begins with empty books."""


class Ledgers(NamedTuple):
    """What every installation here has before it has a rail."""

    pool: Any
    committer: Committer
    clock: TestClock
    rates: RateBook


@asynccontextmanager
async def open_books(database_url: str) -> AsyncIterator[Ledgers]:
    """Books in which nothing is written, whoever wrote before, and rates that never grow old."""
    serving = as_tenant(database_url, 1)
    pool = await open_pool(serving)
    await Owner(pool).execute("; ".join(f"delete from {table}" for table in WRITTEN))
    clock = TestClock()
    committer = Committer(partial(connect, serving), clock, writers=1)
    await committer.start()
    try:
        at_ms = int(clock.epoch() * 1000)
        await pool.executemany(
            "insert into fx_rate (tenant, base, quote, at_ms, mid, source) values"
            " (1, $1, 'USD', $2, $3, 'test') on conflict do nothing",
            [(currency, at_ms, Decimal(mid)) for currency, mid in MIDS.items()],
        )
        rates = RateBook(1, clock, stale_after_seconds=10**9)
        await rates.refresh(pool)
        yield Ledgers(pool, committer, clock, rates)
    finally:
        await committer.stop()
        await pool.close()


@asynccontextmanager
async def open_hall(database_url: str, *, given: Rules | None = None) -> AsyncIterator[Hall]:
    """On leaving, the laws are looked at."""
    async with open_books(database_url) as books:
        pool, committer, clock, rates = books
        ids, rail, keys = Ids(clock), make_rail(), KeptKeys()
        told = given or rules()
        room = build_room(
            tenant=1, pool=pool, committer=committer, rates=rates, rules=told, rail=rail,
            signer=keys, salt_key=SALT_KEY, operators=CODES, clock=clock, ids=ids,
            patience_seconds=0.0,
        )  # fmt: skip
        hall = Hall(pool, committer, clock, ids, rates, told, rail, keys, room)
        await hall.endow()
        yield hall
        rail.is_away = rail.is_stale = False
        await hall.assert_laws()


__all__ = ["HOME", "PAIR", "Hall", "PoolStanding", "open_books", "open_hall", "rules"]
