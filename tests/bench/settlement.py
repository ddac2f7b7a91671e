"""Closing ten thousand payments into one batch: CPU per payment, beside a bare insert of its rows.

    python -m tests.bench.settlement [--payments N] [--rounds N]

Payments are in the journal already; measured is what settlement adds: reading them, choosing,
hashing, netting, and the batch's entry in the books. Void unless every payment is in one batch
once, the root can be made again, and the books are right afterwards.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engine.payments.settlement.leaves import hash_of, salt_of
from engine.payments.settlement.merkle import Tree
from engine.payments.settlement.state import BatchState
from engine.schema import migrate
from simulator import embedded
from tests.bench.command import Bench, main
from tests.bench.table import Pace, Section, Void, family_cpu_seconds
from tests.integration.books import assert_books
from tests.integration.owner import Owner
from tests.integration.settlement_room import PAIR, SALT_KEY, Hall, open_hall, rules

PAYMENTS = 10_000
ROUNDS = 3
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}


class Options(NamedTuple):
    """How much is run."""

    payments: int = PAYMENTS
    rounds: int = ROUNDS


class Cost(NamedTuple):
    """CPU of one step over a whole batch, in microseconds a payment."""

    python_us: float
    postgres_us: float

    @property
    def us(self) -> float:
        return self.python_us + self.postgres_us


STEPS = ("read from the journal", "close into one batch", "make one receipt", "bare insert")


def run(options: Options) -> Section:
    """Each step, the median of all rounds. Raises Void."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded.start_postgres(Path(folder) / "postgres", settings=SETTINGS)
        try:
            migrate(server.url)
            with Pace() as pace:
                costs = asyncio.run(_measure(server.url, server.pid, options))
            return section(costs, options, pace.loop_ms)
        finally:
            server.stop()


async def _measure(url: str, postgres: int, options: Options) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {step: [] for step in STEPS}
    given = rules(payments=10_000, seconds=10**6)
    async with open_hall(url, given=given) as hall:
        await hall.pay()  # opens the accounts
        await hall.close()
        await hall.sweep(3)
        for _ in range(options.rounds):
            await _store_payments(hall, options.payments)
            hall.clock.pass_(60)
            async with _cost(postgres, options.payments, costs[STEPS[0]]):
                await hall.room.settling._gathering.gather()
            async with _cost(postgres, options.payments, costs[STEPS[1]]):
                batch = await hall.room.closing.close_now(PAIR)
                hall.rail.is_away = True
                await hall.room.settling.sweep()
            if batch is None or batch.payment_count != options.payments:
                raise Void("the payments are not in one batch")
            await _assert_root(hall, batch.id, batch.merkle_root)
            hall.rail.is_away = False
            await hall.sweep(3)
            async with _cost(postgres, options.payments, costs[STEPS[2]]):
                payment = await hall.pool.fetchval(
                    "select payment from settlement_obligation where batch = $1 limit 1", batch.id
                )
                proof = await hall.room.receipts.of(payment.hex, {})
            if proof is None or len(proof.proof) > 14:
                raise Void("no proof, or one that is too long")
            async with _cost(postgres, options.payments, costs[STEPS[3]]):
                await _insert_bare(hall.pool, batch.id)
        if BatchState.SETTLED not in await hall.states():
            raise Void("nothing was settled")
        await assert_books(hall.pool)
    return costs


async def _assert_root(hall: Hall, batch_id: str, root: bytes) -> None:
    """By the order of the leaves as they are stored, without the batch's own reckoning."""
    owed = await hall.room.approving._obligations.of_batch(batch_id)
    if Tree([hash_of(o.leaf, salt_of(SALT_KEY, o.leaf)) for o in owed]).root != root:
        raise Void("the root is not that of the payments")


@asynccontextmanager
async def _cost(postgres: int, payments: int, into: list[Cost]) -> AsyncIterator[None]:
    theirs, ours = family_cpu_seconds(postgres), time.process_time()
    yield
    ours, theirs = time.process_time() - ours, family_cpu_seconds(postgres) - theirs
    into.append(Cost(ours * 1e6 / payments, theirs * 1e6 / payments))


async def _store_payments(hall: Hall, payments: int) -> None:
    """As the commit leaves them: two rows each in the journal, and what they add up to."""
    at_ms = int(hall.clock.epoch() * 1000)
    ids = [hall.ids.hex() for _ in range(payments)]
    number = hall.interpool("mpesa_ke", "mtn_ug")
    legs = await hall.pool.fetchrow(
        "select debits, credits, amounts from journal where state = 11 limit 1"
    )
    told = f'[["{"9" * 32}","+254712000001","+256772000002","mpesa_ke","mtn_ug"],1]'
    owner = Owner(hall.pool)
    await owner.force(
        "insert into payment (id, tenant, state, version, way, terms)"
        " select unnest($1::uuid[]), 1, 11, 2, 0, 1",
        ids,
    )
    await owner.execute(
        "insert into journal select unnest($1::uuid[]), 1, 1, 2, $2, '{}', '{}', '{}', $3",
        ids, at_ms, told,
    )  # fmt: skip
    await owner.execute(
        "insert into journal select unnest($1::uuid[]), 2, 1, 11, $2, $3, $4, $5, null",
        ids, at_ms, *legs,
    )  # fmt: skip
    for debit, credit, minor in zip(*legs, strict=True):
        for account, change in ((debit, -minor), (credit, minor)):
            await owner.execute(
                "update balance set amount = amount + $2 where id = $1", account, change * payments
            )
    assert number in legs["credits"]
    await owner.execute("analyze journal, payment")


async def _insert_bare(pool: Any, batch_id: str) -> None:
    """The rows of a batch into a table like theirs, 500 a statement, with no reading before."""
    rows = await pool.fetch("select * from settlement_obligation where batch = $1", batch_id)
    await Owner(pool).execute(
        "create table if not exists bare (like settlement_obligation including all);"
        "grant insert on bare to capp_tenant"
    )
    for first in range(0, len(rows), 500):
        part: Sequence[Any] = rows[first : first + 500]
        await pool.execute(
            "insert into bare select * from unnest($1::uuid[], $2::int[], $3::bigint[], $4::int[],"
            " $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::uuid[], $10::int[])",
            [r["payment"].hex for r in part], [r["version"] for r in part],
            [r["account"] for r in part], [r["tenant"] for r in part],
            [r["source"] for r in part], [r["destination"] for r in part],
            [r["minor"] for r in part], [r["at_ms"] for r in part],
            [r["batch"].hex for r in part], [r["leaf"] for r in part],
        )  # fmt: skip


def section(costs: dict[str, list[Cost]], options: Options, loop_ms: float) -> Section:
    header = ("(l) settlement", "CPU µs a payment", "Python", "Postgres", "to bare", "loop ms")
    median = {
        step: Cost(*(statistics.median(column) for column in zip(*told, strict=True)))
        for step, told in costs.items()
    }
    bare = median[STEPS[3]].us
    both = median[STEPS[0]].us + median[STEPS[1]].us
    return Section(
        header,
        tuple(
            (
                step,
                f"{cost.us:.1f}",
                f"{cost.python_us:.1f}",
                f"{cost.postgres_us:.1f}",
                f"{cost.us / bare:.2f}",
                f"{loop_ms:.1f}",
            )
            for step, cost in median.items()
        ),
        (
            f"{options.payments:,} payments a batch, the median of {options.rounds}; every payment"
            " was in one batch once, and a proof had 14 hashes at most",
            "a receipt hashes all leaves of its batch again: its row is one receipt, by payment",
            f"all that settlement adds to a payment: {both:.0f} µs, {both / bare:.1f} times the"
            " bare insert of its row",
        ),
    )


BENCH = Bench(
    module="tests.bench.settlement",
    about=__doc__,
    options=Options,
    run=lambda options: run(options).written(),
    children={},
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))
