"""CPU of sending one transaction: our lane beside the SDK's own `TransactionWorker`.

    python -m tests.bench.chain [--seconds N]

Both send what does nothing to our own node in a third program, in turns, an account each. The lane
has every transaction paid for by a sponsor, so it signs twice, and knows of each how it ended; the
worker signs once and knows that it was taken in. CPU is user and system time of the sending
program. Void unless every number of the account was used once, in order, without a hole.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import NamedTuple

import httpx
from aptos_sdk.account import Account
from aptos_sdk.async_client import ClientConfig, RestClient
from aptos_sdk.bcs import Serializer
from aptos_sdk.transaction_worker import TransactionQueue, TransactionWorker
from aptos_sdk.transactions import EntryFunction, TransactionArgument, TransactionPayload

from engine.ports import Prepared, Slot, Standing
from providers.aptos import build_settlement_rail
from providers.aptos.submitting import Lane
from simulator.devnet.devnet import Devnet
from simulator.devnet.executors import open_executor
from simulator.devnet.node import NodeSettings
from simulator.serving import serving
from tests.bench.command import Bench, main
from tests.bench.table import Driver, Pace, Section, Void, hear_from_parent, say_to_parent
from tests.providers.aptos_subjects import CORRIDORS, NamedKeys, keys, settings_file

SECONDS = 6.0
TRANSACTIONS_PER_SECOND = 100
"""How many of each way are sent for one second of the run."""

TURN = 300
IN_FLIGHT = 100
OCTAS = 10**15
GOAL_TO_SDK = 1.0

Send = Callable[[int], Awaitable[int]]
"""Send so many, wait until all have their place; the most that were under way at once."""


# The node.


async def answer_transactions() -> None:
    """The node's program: say where, and make blocks until nobody listens any more."""
    signer = keys()
    funded = {signer.address("sponsor"): OCTAS, bytes(_worker().address().address): OCTAS}
    devnet = Devnet(open_executor("model"), settings=NodeSettings(), funded=funded)
    async with serving({"devnet": (devnet.app(), 0)}) as urls:
        await _make(urls["devnet"], "0x" + signer.address("submitter_1").hex())
        say_to_parent(urls["devnet"])
        await asyncio.to_thread(hear_from_parent)


async def _make(url: str, account: str) -> None:
    """The submitter only comes to be: the sponsor pays for what it sends."""
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(f"{url}/mint", params={"address": account, "amount": 1})
        for _ in range(200):
            if (await client.get(f"{url}/v1/accounts/{account}")).status_code == 200:
                return
            await asyncio.sleep(0.05)
    raise Void("the faucet made no account")


def _worker() -> Account:
    return Account.load_key("ed25519-priv-0x" + "5d" * 32)


# The ways to send.


@asynccontextmanager
async def by_lane(url: str) -> AsyncIterator[Send]:
    """As ours are sent: through the node's door, signed for by two."""
    signer: NamedKeys = keys()
    rail = build_settlement_rail(settings_file(url), CORRIDORS, signer)

    async def nothing(slot: Slot) -> Prepared:
        return await rail.prepare_nothing(slot)

    async with Lane(rail, "submitter_1") as lane:

        async def send(count: int) -> int:
            carried = await asyncio.gather(*[lane.carry(nothing) for _ in range(count)])
            if any(each.found.standing is not Standing.DONE for each in carried):
                raise Void("a transfer of nothing was not done")
            if lane.resent or lane.holes_filled:
                raise Void(f"{lane.resent} were sent again, {lane.holes_filled} holes filled")
            return lane.undecided_most

        yield send
    await rail.aclose()


@asynccontextmanager
async def by_worker(url: str) -> AsyncIterator[Send]:
    """As the SDK sends: its window, its signatures, its HTTP client."""
    account = _worker()
    client = RestClient(f"{url}/v1", ClientConfig(max_gas_amount=20_000))
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

    async def send(count: int) -> int:
        for _ in range(count):
            await queue.push(TransactionPayload(to_itself))
        for _ in range(count):
            _, _, error = await worker.next_processed_transaction()
            if error is not None:
                raise Void(f"the worker could not submit: {error!r}")
        return 0  # it does not say

    yield send
    worker.stop()  # type: ignore[no-untyped-call]
    await client.close()  # type: ignore[no-untyped-call]


WAYS = {"lane": by_lane, "worker": by_worker}
NAMES = {"lane": "our lane, sponsored, to its end", "worker": "the SDK's TransactionWorker"}


async def send_in_turns(way: str, url: str) -> None:
    """A sender's program: send as many as it is told to, again and again."""
    async with WAYS[way](url) as send:
        while (count := hear_from_parent()) is not None:
            began, at = time.process_time(), time.perf_counter()
            most = await send(count)
            say_to_parent((count, time.process_time() - began, time.perf_counter() - at, most))


# The run.


class Options(NamedTuple):
    """How much is run."""

    seconds: float = SECONDS


class Turn(NamedTuple):
    """What a sender's program tells of one turn, or of all its turns."""

    sent: int
    cpu_seconds: float
    seconds: float
    most: int

    @property
    def cpu_us(self) -> float:
        return self.cpu_seconds / self.sent * 1_000_000


def run(options: Options) -> Section:
    """Start everything, let the ways take turns, look into the ledger. Raises Void."""
    turns = max(round(options.seconds * TRANSACTIONS_PER_SECOND / TURN), 1)
    with ExitStack() as running, Pace() as pace:
        node = running.enter_context(Driver("tests.bench.chain", "node"))
        url = node.listen()
        senders = {
            way: running.enter_context(Driver("tests.bench.chain", "send", way, url))
            for way in WAYS
        }
        told: dict[str, list[Turn]] = {way: [] for way in WAYS}
        for _ in range(1 + turns):
            for way, sender in senders.items():
                sender.tell(TURN)
                told[way].append(Turn(*sender.listen()))
        for way in WAYS:
            _check_ledger(url, _sender_of(way), TURN * (1 + turns))
    rows = {way: _total(each[1:]) for way, each in told.items()}  # the first opens connections
    if rows["lane"].most != IN_FLIGHT:
        raise Void(f"only {rows['lane'].most} were under way at once")
    return section(rows, pace.loop_ms)


def _sender_of(way: str) -> str:
    ours = keys().address("submitter_1")
    return "0x" + (ours if way == "lane" else bytes(_worker().address().address)).hex()


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
    count, cpu, seconds = (sum(column) for column in zip(*[t[:3] for t in turns], strict=True))
    return Turn(count, cpu, seconds, max(turn.most for turn in turns))


# The table.


def section(rows: Mapping[str, Turn], loop_ms: float) -> Section:
    limit = rows["worker"].cpu_us
    return Section(
        ("(j) one transaction to the chain", "CPU µs", "to SDK", "per second", "sent", "loop ms"),
        tuple(
            (
                NAMES[way],
                f"{row.cpu_us:.0f}",
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
