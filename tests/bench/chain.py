"""CPU of one transaction to the chain: our submitter beside the SDK's own `TransactionWorker`.

    python -m tests.bench.chain [--seconds N]

Both send to our own node in a third program, in turns, an account each. Ours is the submitter that
serves: it sends settlements that are approved by two and move nothing, tries each on the node
first, stores its place and its bytes in Postgres, has it paid for by a sponsor, so it signs twice,
and knows of each how it ended. The worker sends what does nothing, signs once and knows that it was
taken in. CPU is user and system time of the sending program, and of Postgres for ours. Void unless
every number of the account was used once, in order, without a hole, a hundred at a time.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import yaml
from aptos_sdk.account import Account
from aptos_sdk.async_client import ClientConfig, RestClient
from aptos_sdk.bcs import Serializer
from aptos_sdk.transaction_worker import TransactionQueue, TransactionWorker
from aptos_sdk.transactions import EntryFunction, TransactionArgument, TransactionPayload

from channels.settlement_file import chain_of, members_of, read_document
from engine.clock import Clock, Ids
from engine.database import open_pool
from engine.payments.settlement.batch_store import BatchStore
from engine.payments.settlement.errand_store import ErrandStore, Transaction
from engine.payments.settlement.state import ErrandState
from engine.payments.settlement.submitting import Submitting
from engine.ports import Approval, Settlement, SettlementTerms, SignerPort
from engine.schema import migrate
from providers.aptos import Aptos, build_settlement_rail
from providers.signers import build_signer
from simulator import embedded
from simulator.devnet.bootstrap import Bootstrap, Wanted
from simulator.devnet.customer import Customer
from simulator.devnet.devnet import Devnet
from simulator.devnet.executors import open_executor
from simulator.devnet.node import NodeSettings
from simulator.serving import serving
from tests.bench.command import Bench, main
from tests.bench.table import (
    Driver,
    Pace,
    Section,
    Void,
    family_cpu_seconds,
    hear_from_parent,
    say_to_parent,
)

SECONDS = 6.0
TRANSACTIONS_PER_SECOND = 100
"""How many of each way are sent for one second of the run."""

TURN = 300
IN_FLIGHT = 100
OCTAS = 10**15
GOAL_TO_SDK = 1.0
CORRIDOR = "mpesa_ke:mtn_ug"
APPROVALS_SECONDS = 3600


class Sent(NamedTuple):
    """What sending some cost the program that sent; the most that were under way at once."""

    cpu_seconds: float
    seconds: float
    most: int


Send = Callable[[int], Awaitable[Sent]]
"""Send so many, wait until all have their place."""


# The node.


async def answer_transactions(folder: str) -> None:
    """The node's program: say where, and make blocks until nobody listens any more."""
    funded = {bytes(_worker().address().address): OCTAS}
    devnet = Devnet(open_executor("model"), settings=NodeSettings(), funded=funded)
    async with serving({"devnet": (devnet.app(), 0)}) as urls:
        customer = Customer(f"{urls['devnet']}/v1", urls["devnet"])
        wanted = Wanted([(CORRIDOR.split(":")[0], CORRIDOR.split(":")[1])])
        await Bootstrap(customer, Path(folder), wanted).run()
        await customer.aclose()
        say_to_parent(urls["devnet"])
        await asyncio.to_thread(hear_from_parent)


def _worker() -> Account:
    return Account.load_key("ed25519-priv-0x" + "5d" * 32)


# The ways to send.


class Place(NamedTuple):
    """Where a sender finds what it needs."""

    url: str
    folder: Path
    database: str


class CountedErrands(ErrandStore):
    """As the store; `most` is how many of an account were undecided at once."""

    most = 0

    async def oldest_signed(self, account: str) -> Transaction | None:
        self.most = max(self.most, await self.live_count(account))
        return await super().oldest_signed(account)


def _rail_of(place: Place) -> tuple[Aptos, SignerPort]:
    document = read_document(place.folder / "settlement.yaml")
    signer = build_signer(document["keys"])
    return build_settlement_rail(chain_of(document), members_of(document), signer), signer


def _account_of(place: Place) -> str:
    """The address that settlements of the corridor are sent from."""
    told = yaml.safe_load((place.folder / "settlement.yaml").read_text("utf-8"))
    key = told["aptos"]["accounts"]["submitters"][0]
    return str(Account.load_key((place.folder / "keys" / f"{key}.key").read_text()).address())


@asynccontextmanager
async def by_submitter(place: Place) -> AsyncIterator[Send]:
    """As the server sends: stored, tried, signed for by two, followed to its end."""
    rail, signer = _rail_of(place)
    pool = await open_pool(place.database)
    clock = Clock()
    ids, errands = Ids(clock), CountedErrands(pool, 1)
    submitting = Submitting(errands, BatchStore(pool, 1), rail, clock=clock, ids=ids)

    async def approved() -> Settlement:
        seconds = (await rail.position()).seconds + APPROVALS_SECONDS
        batch, root = bytes.fromhex(ids.hex()), os.urandom(32)
        terms = SettlementTerms(CORRIDOR, batch, root, 1, (0, 0), (0, 0), seconds)
        told = rail.terms_hash(terms)
        keys = ("approver_mpesa_ke", "approver_mtn_ug")
        signed = [Approval(i, await signer.sign(key, told)) for i, key in enumerate(keys)]
        return Settlement(terms, tuple(signed))

    async def send(count: int) -> Sent:
        settlements = [await approved() for _ in range(count)]  # not what is measured
        cpu, began = time.process_time(), time.perf_counter()
        wanted = [settlement.terms.batch_id.hex() for settlement in settlements]
        for id_, settlement in zip(wanted, settlements, strict=True):
            await submitting.want(id_, settlement)
        while await submitting.sweep((await rail.position()).seconds):
            pass
        ours, seconds = time.process_time() - cpu, time.perf_counter() - began
        ended = [await errands.get(id_) for id_ in wanted]
        if any(each is None or each.state is not ErrandState.DONE for each in ended):
            raise Void("a settlement was not done")
        return Sent(ours, seconds, errands.most)

    yield send
    await pool.close()
    await rail.aclose()


@asynccontextmanager
async def by_worker(place: Place) -> AsyncIterator[Send]:
    """As the SDK sends: its window, its signatures, its HTTP client."""
    account = _worker()
    client = RestClient(f"{place.url}/v1", ClientConfig(max_gas_amount=20_000))
    queue = TransactionQueue(client)
    worker = TransactionWorker(account, client, queue.next)
    worker.start()  # type: ignore[no-untyped-call]
    to_itself = EntryFunction.natural(
        "0x1::aptos_account",
        "transfer",
        [],
        [
            TransactionArgument(account.address(), Serializer.struct),
            TransactionArgument(0, Serializer.u64),
        ],
    )

    async def send(count: int) -> Sent:
        cpu, began = time.process_time(), time.perf_counter()
        for _ in range(count):
            await queue.push(TransactionPayload(to_itself))
        for _ in range(count):
            _, _, error = await worker.next_processed_transaction()
            if error is not None:
                raise Void(f"the worker could not submit: {error!r}")
        return Sent(time.process_time() - cpu, time.perf_counter() - began, 0)  # it does not say

    yield send
    worker.stop()  # type: ignore[no-untyped-call]
    await client.close()  # type: ignore[no-untyped-call]


WAYS = {"ours": by_submitter, "worker": by_worker}
NAMES = {"ours": "our submitter, stored, to its end", "worker": "the SDK's TransactionWorker"}


async def send_in_turns(way: str, url: str, folder: str, database: str) -> None:
    """A sender's program: send as many as it is told to, again and again."""
    async with WAYS[way](Place(url, Path(folder), database)) as send:
        while (count := hear_from_parent()) is not None:
            say_to_parent((count, *await send(count)))


# The run.


class Options(NamedTuple):
    """How much is run."""

    seconds: float = SECONDS


class Turn(NamedTuple):
    """What a sender's program tells of one turn, or of all its turns. Postgres is counted here."""

    sent: int
    cpu_seconds: float
    seconds: float
    most: int
    postgres_seconds: float = 0.0

    @property
    def cpu_us(self) -> float:
        return (self.cpu_seconds + self.postgres_seconds) / self.sent * 1_000_000


def run(options: Options) -> Section:
    """Start everything, let the ways take turns, look into the ledger. Raises Void."""
    turns = max(round(options.seconds * TRANSACTIONS_PER_SECOND / TURN), 1)
    with ExitStack() as running, Pace() as pace:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        server = embedded.start_postgres(folder / "postgres")
        running.callback(server.stop)
        migrate(server.url)
        node = running.enter_context(Driver("tests.bench.chain", "node", str(folder / "chain")))
        place = Place(node.listen(), folder / "chain", server.url)
        senders = {
            way: running.enter_context(
                Driver("tests.bench.chain", "send", way, place.url, str(place.folder), server.url)
            )
            for way in WAYS
        }
        told: dict[str, list[Turn]] = {way: [] for way in WAYS}
        for _ in range(1 + turns):
            for way, sender in senders.items():
                theirs = family_cpu_seconds(server.pid)
                sender.tell(TURN)
                turn = Turn(*sender.listen())
                theirs = family_cpu_seconds(server.pid) - theirs
                told[way].append(turn._replace(postgres_seconds=theirs if way == "ours" else 0.0))
        accounts = {"ours": _account_of(place), "worker": str(_worker().address())}
        for account in accounts.values():
            _check_ledger(place.url, account, TURN * (1 + turns))
    rows = {way: _total(each[1:]) for way, each in told.items()}  # the first opens connections
    if rows["ours"].most != IN_FLIGHT:
        raise Void(f"only {rows['ours'].most} were under way at once")
    return section(rows, pace.loop_ms)


def _check_ledger(url: str, account: str, count: int) -> None:
    """Raises Void unless the numbers from 0 on are all there, and all succeeded."""
    place, found = f"{url}/v1/accounts/{account}", list[tuple[str, bool]]()
    with httpx.Client(trust_env=False) as client:
        for _ in range(200):  # the worker does not wait for the end of what it has sent
            if client.get(place).json()["sequence_number"] == str(count):
                break
            time.sleep(0.05)
        for first in range(0, count, 100):
            asked = {"start": first, "limit": 100}
            page = client.get(f"{place}/transactions", params=asked).json()
            found += [(each["sequence_number"], each["success"]) for each in page]
    if found != [(str(number), True) for number in range(count)]:
        raise Void(f"the ledger has not the numbers 0 to {count - 1} of {account}, once each")


def _total(turns: list[Turn]) -> Turn:
    sums = [sum(column) for column in zip(*turns, strict=True)]
    return Turn(int(sums[0]), sums[1], sums[2], max(turn.most for turn in turns), sums[4])


# The table.


def section(rows: Mapping[str, Turn], loop_ms: float) -> Section:
    limit = rows["worker"].cpu_us
    return Section(
        (
            "(j) one transaction to the chain",
            "CPU µs",
            "of it Postgres",
            "to SDK",
            "per second",
            "sent",
            "loop ms",
        ),
        tuple(
            (
                NAMES[way],
                f"{row.cpu_us:.0f}",
                f"{row.postgres_seconds / row.sent * 1_000_000:.0f}",
                f"{row.cpu_us / limit:.2f}",
                f"{row.sent / row.seconds:.0f}",
                f"{row.sent:,}",
                f"{loop_ms:.1f}",
            )
            for way, row in rows.items()
        ),
        (
            f"{IN_FLIGHT} in flight of one account, each number used once and in order; the node"
            " sets the rate",
            f"goal: at most {GOAL_TO_SDK:g} of the SDK's own",
        ),
    )


BENCH = Bench(
    module="tests.bench.chain",
    about=__doc__,
    options=Options,
    run=lambda options: run(options).written(),
    children={"node": answer_transactions, "send": send_in_turns},
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))
