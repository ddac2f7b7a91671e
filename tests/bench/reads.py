"""What the rule that keeps tenants apart costs short reads, in Postgres' own time.

    python -m tests.bench.reads [--reads N] [--rounds N]

The real stores ask for one row each, in turns by the tenant's role and by the tables' owner, whom
no rule holds. CPU is of the one server process behind each connection, told by the kernel to the
nanosecond. Void when the two read different things.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from engine.clients.clients import ClientId, KeyId
from engine.clients.store import ClientStore
from engine.clock import Clock, Ids, PaymentId
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.database import Pool, connect, open_pool
from engine.msisdn import Msisdn
from engine.payments.client_store import ClientPayments
from engine.payments.routing import Directory
from engine.payments.store import PaymentStore
from engine.row_security import as_tenant
from engine.schema import migrate
from simulator import embedded
from tests.bench.command import Bench, main
from tests.bench.table import Pace, Section, Void
from tests.integration.client_room import PRICE, ClientRoom, open_client_room

READS = 300
ROUNDS = 9
WARM = 10
"""Executions before Postgres settles whether it keeps a plan (five) and we measure."""
ROWS = 2_000
PAYMENTS = 40
KEY = "order-00000001"
GOAL = 1.10


class Options(NamedTuple):
    """How much is run."""

    reads: int = READS
    rounds: int = ROUNDS


class Cost(NamedTuple):
    """CPU of Postgres for one read, in microseconds; medians of the rounds."""

    name: str
    held_us: float
    unheld_us: float
    ratio: float  # the median of the rounds' own, which a neighbour disturbs less


Read = Callable[[], Awaitable[Any]]


def run(options: Options) -> Section:
    """Every read in turns by both. Raises Void."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = embedded.start_postgres(Path(folder) / "postgres")
        try:
            migrate(postgres.url)
            with Pace() as pace:
                costs = asyncio.run(_measure(postgres.url, options))
            return _section(costs, pace.loop_ms, options)
        finally:
            postgres.stop()


async def _measure(url: str, options: Options) -> list[Cost]:
    async with open_client_room(url) as room:
        made = await _fill(room, url)
        directory = room.engine.directory
        held = await _open_side(as_tenant(url, 1), directory, made)
        unheld = await _open_side(url, directory, made)
    try:
        return [await _compare(name, held, unheld, options) for name in held.reads]
    finally:
        await held.pool.close()
        await unheld.pool.close()


class Made(NamedTuple):
    """What there is to be read."""

    client: ClientId
    key: KeyId
    payment: PaymentId


async def _fill(room: ClientRoom, url: str) -> Made:
    """Customers of two tenants, and payments of a client; the first is read."""
    owner = await connect(url)
    for tenant in (1, 2):
        await owner.execute(
            "insert into customer (id, tenant, msisdn, country, language, tier, created_at)"
            " select gen_random_uuid(), $1, '+25472' || lpad(n::text, 7, '0'), 'KE', 'en', 0, now()"
            " from generate_series(1, $2) n", tenant, ROWS,
        )  # fmt: skip
    made = [await _send(room, serial) for serial in range(1, PAYMENTS)]
    await room.engine.dispatcher.idle()
    await owner.execute("analyze")
    await owner.close()
    holder = await room.keys.prove(room.texts["shop"], fresh=True)
    return Made(holder.client_id, holder.key_id, made[0])


async def _send(room: ClientRoom, serial: int) -> PaymentId:
    asked = {**PRICE, "payer": f"+25472{serial:07d}"}
    answer = await room.post("/payments/send", asked, key=f"order-{serial:08d}")
    if answer.status_code != 201:
        raise Void(answer.text)
    return PaymentId(answer.json()["id"])


class Side(NamedTuple):
    """Who reads: a pool of one connection, and what it is asked."""

    pool: Pool
    pid: int
    reads: dict[str, Read]


async def _open_side(url: str, directory: Directory, made: Made) -> Side:
    pool = await open_pool(url, size=1)
    clock = Clock()
    store = PaymentStore(pool, directory)
    own, clients = ClientPayments(pool, 1, store), ClientStore(pool, 1)
    customers = Customers(pool, 1, PinKeys({1: b"p" * 32}), Ids(clock), clock)
    return Side(
        pool, await pool.fetchval("select pg_backend_pid()"),
        {
            "a customer, by number": partial(customers.find, Msisdn("+254720000042")),
            "an API key": partial(clients.key, made.key),
            "a payment, by its id": partial(store.payment, made.payment),
            "a client's own payment": partial(own.find, made.client, made.payment),
            "what stands under a key": partial(own.by_key, made.client, KEY),
            "a client's last twenty": partial(own.listed, made.client, most=20),
        },
    )  # fmt: skip


async def _compare(name: str, held: Side, unheld: Side, options: Options) -> Cost:
    if await held.reads[name]() != await unheld.reads[name]() or not await held.reads[name]():
        raise Void(f"{name}: not the same was read")
    for side in (held, unheld):
        await _cpu_us(side, name, WARM)
    pairs = []
    for number in range(options.rounds):
        order = (held, unheld) if number % 2 else (unheld, held)
        took = {side.pid: await _cpu_us(side, name, options.reads) for side in order}
        pairs.append((took[held.pid], took[unheld.pid]))
    return Cost(
        name,
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        statistics.median(pair[0] / pair[1] for pair in pairs),
    )


async def _cpu_us(side: Side, name: str, reads: int) -> float:
    """Of Postgres, a read, in microseconds."""
    read, before = side.reads[name], _cpu_ns(side.pid)
    for _ in range(reads):
        await read()
    return (_cpu_ns(side.pid) - before) / 1000 / reads


def _cpu_ns(pid: int) -> int:
    """On a core so far; proc(5), /proc/[pid]/schedstat."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def _section(costs: list[Cost], loop_ms: float, options: Options) -> Section:
    together = statistics.geometric_mean(cost.ratio for cost in costs)
    return Section(
        ("(o) short reads, Postgres alone", "tenant's role us", "owner us", "ratio"),
        tuple(
            (cost.name, f"{cost.held_us:.0f}", f"{cost.unheld_us:.0f}", f"{cost.ratio:.2f}")
            for cost in costs
        ),
        (
            f"All together (geometric mean): {together:.2f}; goal: {GOAL:.2f}."
            f" {options.reads} reads in each of {options.rounds} rounds; loop ms {loop_ms:.1f}.",
        ),
    )


BENCH = Bench(
    "tests.bench.reads", __doc__.split("\n")[0], Options, lambda options: run(options).written()
)

if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))
