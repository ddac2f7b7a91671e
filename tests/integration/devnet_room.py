"""Settlement on a real Postgres and a real node over HTTP, and one look at every balance of both.

The node's time stands still until it is moved. What is on the chain is read past the adapter: from
the node's own history, and from the resources of its stores.
"""

import math
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import yaml
from aptos_sdk.account import Account as Key
from aptos_sdk.account_address import AccountAddress
from aptos_sdk.bcs import Serializer

from channels.settings import SettlementSettings
from channels.settlement_file import chain_of, members_of, read_document
from channels.settlement_outside import SettlementOutside, build_outside
from engine.clock import Ids
from engine.ledger.auditor import Auditor, Pace
from engine.ledger.chart import OF_SETTLEMENT, Account, Kind, read_account
from engine.ledger.entries import Manual
from engine.payments.settlement.batch import Batch
from engine.payments.settlement.room import SettlementRoom, build_room
from engine.payments.settlement.rules import Rules
from engine.payments.settlement.state import BatchState
from engine.ports import Refusal, Settlement, Slot
from providers.aptos import Aptos, read_settings
from providers.http import Timeouts
from simulator.devnet.bootstrap import Bootstrap, Wanted, Window, member
from simulator.devnet.contracts import ASSET, COMPLIANCE, GOVERNANCE, LIQUIDITY, SETTLEMENT
from simulator.devnet.customer import Argument, Customer, address, call, many_octets, octets, u64
from simulator.devnet.devnet import Devnet
from simulator.devnet.executor import Executor
from simulator.devnet.executors import open_executor
from simulator.devnet.faults import FaultName, FaultTarget, NodeFault
from simulator.devnet.keyring import Keyring
from simulator.devnet.ledger import Committed
from simulator.devnet.node import NodeSettings
from simulator.operators.world import World
from simulator.serving import serving
from tests.integration.books import as_agreed
from tests.integration.settlement_room import CODES, CURRENCY, HOME, PAIR, Hall, open_books
from tests.integration.world import TestClock

APPROVALS_SECONDS, EXPIRES_SECONDS = 600, 60
PROVIDED_MINOR = 1_000_000_000
BLOCK_MS = 2
PATIENCE_SECONDS = 0.1  # for a node that makes blocks at once, or only when it is told to
_NODE = NodeSettings(
    block_milliseconds=BLOCK_MS, idle_block_milliseconds=1_000_000, long_poll_seconds=0.05
)
WANTED = Wanted(
    [("mpesa_ke", "mtn_ug"), ("airtel_ke", "mpesa_ke")],
    # Nothing but a test closes these windows.
    Window(10**6, 10_000, exposure_minor=10**15, single_above_minor=10**15),
    approvals_seconds=APPROVALS_SECONDS,
    expires_seconds=EXPIRES_SECONDS,
    provided_minor=PROVIDED_MINOR,
)
_STORE = "0x1::fungible_asset::FungibleStore"
NEITHER = (BatchState.SETTLED, BatchState.REOPENED)
OpenExecutor = Callable[[], Executor]


class ChainClock:
    """The chain's own time in seconds; it goes with nobody's until it is moved."""

    def __init__(self, epoch: float) -> None:
        self.epoch = epoch

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.epoch, UTC)


def _model() -> Executor:
    return open_executor("model")


@asynccontextmanager
async def _served(
    folder: Path, clock: ChainClock, executor: Executor
) -> AsyncIterator[tuple[str, Devnet]]:
    devnet = Devnet(executor, world=World(clock=clock.now), settings=_NODE, folder=folder / "chain")
    async with serving({"devnet": (devnet.app(), 0)}) as urls:
        yield urls["devnet"], devnet


async def make_chain(folder: Path, open_: OpenExecutor = _model) -> Path:
    """A chain made ready once, to be copied for each test: accounts, contracts, pools."""
    clock = ChainClock(TestClock().epoch())
    async with _served(folder, clock, open_()) as (url, _):
        customer = Customer(f"{url}/v1", url)
        try:
            await Bootstrap(customer, folder / "settlement", WANTED).run()
        finally:
            await customer.aclose()
    return folder


class ChainPool(NamedTuple):
    """One member's pool of one corridor, and the store that holds its money."""

    corridor: str
    operator: str
    pool: AccountAddress
    funds: AccountAddress
    provided_by: bytes


@dataclass(kw_only=True)
class ChainHall(Hall):
    """One installation on one chain; `another` is a second process of it."""

    rail: Any
    keys: Any
    url: str
    devnet: Devnet
    chain_clock: ChainClock
    folder: Path
    file: dict[str, Any]
    outside: SettlementOutside
    customer: Customer
    pools: tuple[ChainPool, ...] = ()
    auditor: Any = None

    # Another process.

    def another(self, **changes: Any) -> SettlementRoom:
        told: dict[str, Any] = {
            "tenant": 1, "pool": self.pool, "committer": self.committer, "rates": self.rates,
            "rules": self.rules, "rail": self.rail, "signer": self.keys,
            "salt_key": self.outside.salt_key, "operators": CODES, "clock": self.clock,
            "ids": self.ids, "patience_seconds": PATIENCE_SECONDS,
        } | changes  # fmt: skip
        return build_room(**told)

    def another_rail(
        self,
        *,
        read_seconds: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Aptos:
        """The adapter of another process. Whoever opens it closes it."""
        settings = read_settings(chain_of(self.file), members_of(self.file))
        timeouts = Timeouts(connect_seconds=3.0, read_seconds=read_seconds, pool_seconds=5.0)
        return Aptos(settings._replace(timeouts=timeouts), self.keys, transport=transport)

    # Time.

    def pass_both(self, seconds: float) -> None:
        """Our clocks and the chain's."""
        self.clock.pass_(seconds)
        self.pass_chain(seconds)

    def pass_chain(self, seconds: float) -> None:
        """The chain's alone; a block says so."""
        self.chain_clock.epoch += seconds
        self.devnet.node.make_block()

    # What goes wrong at the node.

    def arm(
        self,
        fault: FaultName,
        on: FaultTarget = "any",
        times: int | None = 1,
        *,
        seconds: float | None = None,
    ) -> None:
        sight = self.devnet.node.frozen_sight() if fault == "stale" else None
        self.devnet.faults.arm(NodeFault(fault, on, times, seconds), sight)

    def disarm(self) -> None:
        self.devnet.faults.clear()
        self.devnet.node.leave_branch()

    def by_hand(self, *, by_hand: bool = True) -> None:
        """Whether blocks are made only when `pass_chain` makes one."""
        settings = self.devnet.node.settings
        self.devnet.node.settings = msgspec.structs.replace(settings, blocks_by_hand=by_hand)

    # Those who run the chain.

    def key(self, name: str) -> Key:
        return Keyring(self.folder / "settlement" / "keys").account(name)

    def place(self, name: str) -> AccountAddress:
        return AccountAddress.from_str_relaxed(self.file["aptos"]["addresses"][name])

    async def carry_out(self, who: str, module: str, function: str, *arguments: Argument) -> bytes:
        """As that account, which pays for it itself; the transaction's hash."""
        key = self.key(who)
        await self.customer.fund([(key.address(), 10**9)])
        [done] = await self.customer.carry_out(key, [call(module, function, *arguments)])
        return bytes.fromhex(str(done["hash"])[2:])

    async def pause(self, *, paused: bool) -> None:
        who, function = ("pauser", "pause") if paused else ("admin", "unpause")
        await self.carry_out(who, GOVERNANCE, function, address(self.place("governance")))

    async def freeze(self, operator: str, *, frozen: bool) -> None:
        """The asset's issuer, and the store of that operator's pool."""
        funds = self.pool_of(operator).funds
        await self.carry_out("admin", ASSET, "freeze_store", address(funds), _boolean(frozen))

    async def bar(self, operator: str, *, barred: bool) -> None:
        who = self.key(member(operator)).address()
        [subject] = await self.customer.view(f"{COMPLIANCE}::subject_of", str(who))
        told = many_octets([bytes.fromhex(subject[2:])])
        registry = address(self.place("registry"))
        reasons = [octets(b"\1")] if barred else []
        await self.carry_out(
            "compliance_officer", COMPLIANCE, "bar" if barred else "unbar", registry, u64(1), told,
            *reasons,
        )  # fmt: skip

    async def empty_pool(self, operator: str) -> None:
        """The operator takes out what is in it, and our books are told."""
        pool = self.pool_of(operator)
        who = self.key(member(operator)).address()
        [shares] = await self.customer.view(f"{LIQUIDITY}::shares_of", str(pool.pool), str(who))
        hash_ = await self.carry_out(
            member(operator), LIQUIDITY, "withdraw", address(pool.pool), u64(int(shares))
        )
        await self.room.capital.book(operator, hash_)

    async def fill_pool(self, operator: str, minor: int) -> None:
        """The operator provides again, and our books are told, twice."""
        hash_ = await self.carry_out(
            member(operator), LIQUIDITY, "provide", address(self.pool_of(operator).pool), u64(minor)
        )
        for _ in range(2):
            assert await self.room.capital.book(operator, hash_, expected_minor=minor) == minor

    def pool_of(self, operator: str, corridor: str = PAIR) -> ChainPool:
        [found] = [p for p in self.pools if (p.operator, p.corridor) == (operator, corridor)]
        return found

    async def drain_sponsor(self) -> int:
        """Somebody takes the APT with which fees are paid; how much is left, in octas."""
        sponsor = self.key("sponsor")
        left = await self.customer.octas(sponsor.address())
        await self.customer.carry_out(
            sponsor,
            [
                call(
                    "0x1::aptos_account", "transfer", address(self.key("admin").address()),
                    u64(left - 5_000),
                )
            ],
        )  # fmt: skip
        return await self.customer.octas(sponsor.address())

    async def fund_sponsor(self) -> None:
        await self.customer.fund([(self.key("sponsor").address(), 10**10)])

    # Directly with the rail, past the room.

    async def hand_in(self, settlement: Settlement) -> Refusal | None:
        """As one of our submitters would without a trial; why the chain refused it."""
        account = self.rail.account_for(settlement)
        number = await self.rail.next_sequence_number(account)
        seconds = (await self.rail.position()).seconds
        slot = Slot(account, number, seconds + EXPIRES_SECONDS)
        prepared = await self.rail.prepare(settlement, slot, units_max=200_000)
        await self.rail.send(prepared)
        found = await self.rail.wait(prepared, seconds=10)
        refusal: Refusal | None = found.refusal
        return refusal

    async def approved(self, batch: Batch) -> Settlement:
        """The terms as our keys approved them."""
        settlement = await self.room.approving.approved(await self.reopened(batch))
        assert settlement is not None
        return settlement

    # Looking.

    async def endow(self) -> None:
        """What the bootstrap provided is booked as the rail shows it."""
        for pool in self.pools:
            assert await self.room.capital.book(pool.operator, pool.provided_by)

    def committed(self) -> list[Committed]:
        """All transactions of the chain, in order, from the node's own history."""
        return self.devnet.node.ledger.transactions()

    def sent_by(self, account: str) -> list[Committed]:
        """What of an account of ours the chain has taken, in order, refused or not."""
        sender = self.key(account).address().address
        return [each for each in self.committed() if each.signed.raw.sender == sender]

    def settled_on_chain(self) -> list[str]:
        """The ids of all batches that the contracts say they settled, in order."""
        kind = f"{SETTLEMENT}::Settled"
        return [
            str(event.data["batch_id"]).removeprefix("0x")
            for each in self.committed()
            for event in each.events
            if event.type == kind
        ]

    async def held_by_rail(self, operator: str) -> int:
        """What the stores of an operator's pools hold, as the asset itself has it."""
        return sum(self._balance(p.funds) for p in self.pools if p.operator == operator)

    def _balance(self, store: AccountAddress) -> int:
        # Past the node's interface: what is armed there must not mislead us too.
        found = self.devnet.node.executor.resource(store.address, _STORE)
        assert found is not None, "a pool without a store"
        return int(found["balance"])

    async def assert_balances(self) -> None:
        """Every balance that settlement knows, by what the journal and the chain come to.

        At any moment: what is closed and not final is on its way, and may have arrived.
        """
        told = await self._expected()
        rows = await self.pool.fetch("select id, amount from balance")
        ours = {Kind.INTERPOOL, *OF_SETTLEMENT}
        there = {r["id"]: r["amount"] for r in rows if read_account(r["id"]).kind in ours}
        wrong = {
            read_account(number): (there.get(number, 0), told[number])
            for number in there.keys() | told.keys()
            if there.get(number, 0) != told[number]
        }
        assert not wrong, wrong
        findings = (await self.auditor.audit_all()).findings
        assert findings == (), findings

    async def _expected(self) -> Counter[int]:
        """Account to stored amount (credits are above zero). What it does not name is zero."""
        told: Counter[int] = Counter()
        for row in await self.pool.fetch(_OWED):
            told[row["account"]] += row["minor"]
        standing = dict(await self.pool.fetch("select id, state from payment"))
        standing = {id_.hex: state for id_, state in standing.items()}
        on_chain = Counter(self.settled_on_chain())
        assert not on_chain or max(on_chain.values()) == 1, "a batch was carried out twice"
        flows = Counter({operator: await self.held_by_rail(operator) for operator in CODES})
        for batch in await self.batches():
            state = standing.get(batch.id)
            is_final = state == Manual.SETTLEMENT_FINAL
            if is_final or state == Manual.SETTLEMENT_CLOSED:
                self._take_out(told, batch)
            if state == Manual.SETTLEMENT_CLOSED:
                told[_asset(Kind.CHAIN_IN_FLIGHT)] += batch.net_minor
                told[_asset(Kind.FX_POSITION)] -= batch.net_minor
            assert not is_final or on_chain[batch.id], "booked as final, and not on the chain"
            if on_chain[batch.id] and not is_final:  # it arrived, and we have not heard of it
                self._flow(flows, batch)
        unheard = set(on_chain) - {batch.id for batch in await self.batches()}
        assert not unheard, "the chain settled what we do not know"
        for operator, code in CODES.items():
            told[_asset(Kind.CHAIN_TREASURY, code)] = -flows[operator]
            told[_asset(Kind.CHAIN_CAPITAL, code)] = await self._provided(operator)
        return told

    def _take_out(self, told: Counter[int], batch: Batch) -> None:
        for account, minor in batch.basis.interpool.items():
            told[account] -= minor
            currency = read_account(account).currency
            told[Account(1, currency, Kind.FX_POSITION).number] += minor

    def _flow(self, flows: Counter[str], batch: Batch) -> None:
        for operator, debit, credit in zip(
            batch.corridor.split(":"), batch.debits, batch.credits, strict=True
        ):
            flows[operator] += debit - credit

    async def _provided(self, operator: str) -> int:
        """What came in from outside and was not taken out again, by the chain's own events."""
        pools = {str(pool.pool) for pool in self.pools if pool.operator == operator}
        signs = {f"{LIQUIDITY}::Provided": 1, f"{LIQUIDITY}::Withdrawn": -1}
        return sum(
            signs[event.type] * int(event.data["amount"])
            for each in self.committed()
            for event in each.events
            if event.type in signs and _shown(event.data["pool"]) in pools
        )

    async def assert_equal_to_the_rail(self) -> None:
        """Nothing is open: what is settled is what the chain settled, each once, to the unit."""
        await self.assert_balances()
        batches = await self.batches()
        assert {batch.state for batch in batches} <= set(NEITHER), await self.states()
        settled = [batch.id for batch in batches if batch.state is BatchState.SETTLED]
        assert sorted(self.settled_on_chain()) == sorted(settled)
        assert await self.minor(Kind.CHAIN_IN_FLIGHT) == 0
        assert await self.minor(Kind.FX_POSITION) == 0
        for balance in await self.room.standings.balances():
            assert balance.books_minor == balance.rail_minor, balance
            assert balance.books_minor == await self.held_by_rail(balance.operator)
        assert await self.is_settled(), "something waits for a window"
        await self._assert_no_place_is_empty()

    async def _assert_no_place_is_empty(self) -> None:
        for account in self.rail.accounts:
            numbers = [each.signed.raw.sequence_number for each in self.sent_by(account)]
            assert numbers == list(range(len(numbers)))
            live = await self.pool.fetchval(
                "select count(*) from settlement_transaction where account = $1"
                " and stage in (1, 2)",
                account,
            )
            assert live == 0, f"something of {account} may still happen"

    async def until_settled(self, rooms: int = 1, *, sweeps: int = 12) -> None:
        """Sweep until nothing waits and nothing is on its way; nobody's clock moves."""
        for turn in range(sweeps):
            room = self.room if turn % rooms == 0 else self.another()
            await room.settling.sweep()
            if not await self.pool.fetchval(
                "select exists (select from settlement_batch where state not in (5, 7))"
            ):
                return
        raise AssertionError(await self.states())


# What INTERPOOL would hold if no window had ever been closed, from the journal alone.
_OWED = f"""
select l.account, sum(l.minor)::bigint as minor from journal j cross join lateral (
    select unnest(j.debits) as account, -unnest(j.amounts) as minor
    union all select unnest(j.credits), unnest(j.amounts)) l
 where (l.account >> 24 & 255) = {int(Kind.INTERPOOL)}
   and j.state not in ({int(Manual.SETTLEMENT_CLOSED)}, {int(Manual.SETTLEMENT_REOPENED)})
 group by 1"""


def _asset(kind: Kind, owner: int = 0) -> int:
    return Account(1, "USDC", kind, owner).number


def _shown(pool: Any) -> str:
    told = pool["inner"] if isinstance(pool, dict) else pool
    return str(AccountAddress.from_str_relaxed(str(told)))


def _boolean(value: bool) -> Argument:
    return Argument(value, Serializer.bool)


@asynccontextmanager
async def open_chain_hall(
    database_url: str,
    made: Path,
    folder: Path,
    *,
    open_: OpenExecutor = _model,
    given: Callable[[Rules], Rules] = lambda rules: rules,
) -> AsyncIterator[ChainHall]:
    """A copy of the chain that was made, and books of its own. On leaving, all is looked at."""
    shutil.copytree(made / "chain", folder / "chain")
    shutil.copytree(made / "settlement", folder / "settlement")
    async with open_books(database_url) as books:
        chain_clock = ChainClock(math.floor(books.clock.epoch()))
        async with _served(folder, chain_clock, open_()) as (url, devnet):
            outside, file = _tell(folder, url)
            customer = Customer(f"{url}/v1", url, clock=lambda: chain_clock.epoch)
            rules = given(outside.rules)
            ids = Ids(books.clock)
            room = build_room(
                tenant=1, pool=books.pool, committer=books.committer, rates=books.rates,
                rules=rules, rail=outside.rail, signer=outside.signer, salt_key=outside.salt_key,
                operators=CODES, clock=books.clock, ids=ids, patience_seconds=PATIENCE_SECONDS,
            )  # fmt: skip
            hall = ChainHall(
                pool=books.pool, committer=books.committer, clock=books.clock, ids=ids,
                rates=books.rates, rules=rules, rail=outside.rail, keys=outside.signer, room=room,
                url=url, devnet=devnet, chain_clock=chain_clock, folder=folder, file=file,
                outside=outside, customer=customer,
            )  # fmt: skip
            hall.auditor = Auditor(
                books.pool, 1, {}, books.clock, Pace(lag_seconds=0, block_seconds=0),
                lambda facts, _: facts, as_agreed,
            )  # fmt: skip
            try:
                hall.pools = await _pools(hall)
                await hall.endow()
                yield hall
                hall.disarm()
                await hall.assert_laws()
                await hall.assert_balances()
            finally:
                await customer.aclose()
                await outside.aclose()


def _tell(folder: Path, url: str) -> tuple[SettlementOutside, dict[str, Any]]:
    """The server's own file, of this copy of the chain."""
    path = folder / "settlement" / "settlement.yaml"
    told = yaml.safe_load(path.read_text("utf-8"))
    told["aptos"]["node"] = f"{url}/v1"
    told["keys"]["folder"] = str(folder / "settlement" / "keys")
    path.write_text(yaml.safe_dump(told, sort_keys=False), "utf-8")
    settings = SettlementSettings(str(path), str(folder / "settlement" / "salt"))
    return build_outside(settings, CURRENCY), dict(read_document(path))


async def _pools(hall: ChainHall) -> tuple[ChainPool, ...]:
    lines = yaml.safe_load((hall.folder / "settlement" / "provided.yaml").read_text("utf-8"))
    found = []
    for line in lines:
        [funds] = await hall.customer.view(f"{LIQUIDITY}::funds_of", line["address"])
        found.append(
            ChainPool(
                line["corridor"], line["operator"],
                AccountAddress.from_str_relaxed(line["address"]),
                AccountAddress.from_str_relaxed(funds),
                bytes.fromhex(line["transaction"].removeprefix("0x")),
            )
        )  # fmt: skip
    return tuple(found)


__all__ = ["HOME", "PAIR", "ChainHall", "make_chain", "open_chain_hall"]
