"""Whole payment lives per second through the commit, without HTTP, beside their bare rows.

    python -m tests.bench.commit [--seconds N] [--processes N] [--clients N] [--way NAME ...]

A life is confirmed, collected and paid: three steps of the real `Payments` through the real
`Committer` into an embedded Postgres that flushes every commit. Evidence arrives at once. The bare
rows are those of a life that was just stored, copied under fresh ids by plain batched inserts,
with no check, no balance, no update and no delete. Void unless the books are right afterwards.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.clock import AttemptId, Clock, Ids, IntentId, PaymentId
from engine.customers.customers import Customer
from engine.database import connect, open_pool
from engine.fx.quotes import Corridor, Quote
from engine.fx.rates import RateBook
from engine.gather import Gatherer
from engine.ledger.books import open_accounts
from engine.ledger.chart import Route, read_account, route_accounts
from engine.ledger.commit import Committer, Intent, Plan, Verdict, commit, note
from engine.ledger.postings import held_minor, top_up
from engine.money import Money
from engine.msisdn import Msisdn, Prefixes
from engine.outbox import Outbox, SmsEnding
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.notices import SMS, read_notice
from engine.payments.payment import Payment
from engine.payments.planning import Timing
from engine.payments.pricing import price
from engine.payments.routing import Directory
from engine.payments.service import Heard, Payments
from engine.payments.store import Attempted, PaymentStore
from engine.ports import Direction, Finding, OperatorFacts, Outcome
from engine.schema import migrate
from simulator import embedded
from tests.bench import table
from tests.bench.table import (
    CORES,
    Driver,
    Pace,
    Section,
    Void,
    family_cpu_seconds,
    hear_from_parent,
    machine_busy_seconds,
    percentile_ms,
    say_to_parent,
)
from tests.integration.books import assert_books

SECONDS = 6.0
PROCESSES = 2
CLIENTS = 1_000
BATCH = 250
WRITERS = 2
WARM_SECONDS = 1.5
COLLECTOR_THRESHOLDS = (100_000, 20, 20)
# Durable, as in production: fsync stays on. Room, so that no checkpoint falls into a short run.
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB"}
WAYS = {
    "commit": "three steps, payments remembered in memory",
    "reads": "the same, payments read from Postgres as in production",
    "dispatch": "the same, with all that the dispatcher writes",
}
GOAL = 10_000

TENANT = 1
POOL_MINOR = 10**15
TOPPED_UP = 100
_LIMIT = 10**9
KENYA = OperatorFacts(
    1, "mpesa_ke", "KE", "KES", 100, 100, _LIMIT, 1_000, _LIMIT, False, True, _LIMIT
)
UGANDA = OperatorFacts(2, "mtn_ug", "UG", "UGX", 1, 1, _LIMIT, 1, _LIMIT, True, True, _LIMIT)
CORRIDOR = Corridor(
    payer_operator=KENYA.name, payee_operator=UGANDA.name, spread_bp=150, fee_minor=1_000,
    fee_bp=100, amount_minor_min=100, amount_minor_max=_LIMIT, collection_cost_bp=0,
    payout_cost_minor=0,
)  # fmt: skip
ROUTE = route_accounts(TENANT, source=("KES", KENYA.code), destination=("UGX", UGANDA.code))
FOUND = Finding(Outcome.SUCCEEDED, "0", receipt="NLJ7RT61SV")


class Row(NamedTuple):
    """One measured way. CPU in microseconds a life, steps in milliseconds."""

    way: str
    lives: int
    per_second: float
    python_us: float
    postgres_us: float
    others_cores: float
    step_p50_ms: float
    step_p99_ms: float
    batch: float
    loop_ms: float

    @property
    def cpu_us(self) -> float:
        return self.python_us + self.postgres_us

    @property
    def ceiling(self) -> float:
        """Lives a second if all cores did nothing else, at the pace of this run."""
        return CORES * 1e6 / self.cpu_us


# What is lived.


def new_quote(ids: Ids, payer: Msisdn, payee: Msisdn) -> Quote:
    """A price as `Payments.quote` makes it, good for the whole run."""
    amount, mid = Money(100_000, "KES"), Decimal("28.45")
    priced = price(amount, mid, CORRIDOR, KENYA, UGANDA)
    return Quote(
        quote_id=ids.hex(), payer=payer, payee=payee, payer_operator=KENYA.name,
        payee_operator=UGANDA.name, amount=amount, fee=priced.fee, receives=priced.receives,
        rate=priced.rate, mid=f"{mid:f}", spread_minor=priced.spread_minor,
        rounding_minor=priced.rounding_minor, value_at_mid_minor=priced.value_at_mid_minor,
        collection_cost_minor=priced.collection_cost_minor, payout_cost_minor_max=0,
        payer_language="en", payee_language="en", expires_at=int(Clock().epoch()) + 3600,
    )  # fmt: skip


def callback_body(attempt_id: str) -> str:
    """As long as what the adapters keep of an operator's callback."""
    return (
        '{"Body":{"stkCallback":{"MerchantRequestID":"29115-34620561-1","CheckoutRequestID":'
        f'"{attempt_id}","ResultCode":0,"ResultDesc":"The service request is processed '
        'successfully.","CallbackMetadata":{"Item":[{"Name":"Amount","Value":1020.0},'
        '{"Name":"MpesaReceiptNumber","Value":"NLJ7RT61SV"}]}}}}'
    )


class Remembered(PaymentStore):
    """A store that already knows the payments of this process: no reads of its own."""

    def __init__(self, pool: Any, directory: Directory) -> None:
        super().__init__(pool, directory)
        self.by_attempt: dict[str, Payment] = {}

    async def attempt(self, attempt_id: AttemptId) -> Attempted | None:
        payment = self.by_attempt.pop(attempt_id)
        assert payment.live_direction is not None
        return Attempted(attempt_id, payment.live_direction, payment)


class Lives:
    """The payments of one driving process, lived one way."""

    def __init__(self, way: str, pool: Any, committer: Committer, clock: Clock, ids: Ids) -> None:
        directory = Directory({f.name: f for f in (KENYA, UGANDA)}, Prefixes({}), {})
        self._remembered = Remembered(pool, directory) if way == "commit" else None
        self._dispatches = way == "dispatch"
        self._committer = committer
        self._ids = ids
        self._heard: dict[str, tuple[Payment, tuple[Intent, ...]]] = {}
        self._outbox = Outbox(pool, clock, lease_seconds=60)
        self._struck: Gatherer[tuple[str, str], bool] = Gatherer(self._strike)
        self._endings: set[asyncio.Future[Any]] = set()
        self._payments = Payments(
            tenant=TENANT,
            committer=committer,
            store=self._remembered or PaymentStore(pool, directory),
            rates=RateBook(TENANT, clock, stale_after_seconds=3600),
            directory=directory,
            language_of=_english,
            clock=clock,
            ids=ids,
            timing=Timing(),
            hear=self._hear,
        )
        self.steps: list[float] = []
        self.lived = 0

    async def live(self, payer: Customer, priced: Quote) -> None:
        """One payment from confirmed to paid. Raises Void when a step is not taken."""
        now = time.perf_counter
        quote = msgspec.structs.replace(priced, quote_id=self._ids.hex())
        began = now()
        confirmed = await self._payments.confirm(payer=payer, quote=quote, key=quote.quote_id)
        self.steps.append(now() - began)
        for _ in (Direction.COLLECT, Direction.DISBURSE):
            payment, _ = self._heard.pop(confirmed.payment_id)
            assert payment.live is not None
            await self._order(payment, payment.live)
            began = now()
            heard = await self._payments.apply_finding(
                payment.live, FOUND, Source.CALLBACK, callback_body(payment.live)
            )
            self.steps.append(now() - began)
            if heard is not Heard.ADVANCED:
                raise Void(f"{payment.state.name} heard of its success and was {heard}")
        self._end_receipts(*self._heard.pop(confirmed.payment_id))
        self.lived += 1

    async def settled(self) -> None:
        """Wait until the receipts' intents are struck off."""
        while self._endings:
            await asyncio.gather(*self._endings)

    def _hear(self, payment: Payment, intents: tuple[Intent, ...]) -> None:
        self._heard[payment.payment_id] = payment, intents
        if self._remembered is not None and payment.live is not None:
            self._remembered.by_attempt[payment.live] = payment

    async def _order(self, payment: Payment, attempt_id: AttemptId) -> None:
        """What the dispatcher stores around an operator call."""
        if self._dispatches:
            if not await self._outbox.claim(attempt_id):
                raise Void("an intent was not there to be claimed")
            await self._payments.record_accepted(payment, attempt_id, f"ws_CO_{attempt_id}")

    def _end_receipts(self, payment: Payment, intents: tuple[Intent, ...]) -> None:
        """Nobody waits for receipts: the next payment is begun meanwhile."""
        for intent in intents:
            ending = asyncio.ensure_future(
                self._send(payment, intent)
                if self._dispatches
                else self._struck.get((intent.id, payment.payment_id))
            )
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _send(self, payment: Payment, intent: Intent) -> None:
        assert intent.kind == SMS
        if not await self._outbox.claim(intent.id):
            raise Void("a receipt was not there to be claimed")
        template = read_notice(intent.payload or "").template
        await self._outbox.end_sms(
            SmsEnding(IntentId(intent.id), payment.payment_id, TENANT, template, "sent", intent.id)
        )

    async def _strike(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bool]:
        """Many at once, as `Outbox.end_sms` does."""
        plan = note(pairs[0][1], TENANT, done=tuple(intent_id for intent_id, _ in pairs))
        await self._committer.submit_until_known(plan)
        return dict.fromkeys(pairs, True)


async def _english(_: Msisdn) -> str:
    return "en"


# A driving process.


class Task(NamedTuple):
    """What a driving process is to do."""

    way: str
    url: str
    clients: int
    seconds: float
    number: int
    pattern: dict[str, Any] | None = None  # for the bare rows


class Driven(NamedTuple):
    """What it did. `lives` were measured, `stored` are all, the warming up included."""

    lives: int
    stored: int
    seconds: float
    cpu_seconds: float
    steps: Sequence[float]
    batch: float


async def drive(task: Task) -> None:
    """Warm up, say so, wait for the word, measure, tell, and stay connected until released."""
    # Thousands of live payments are no reason to walk them all the time: a quarter of the CPU.
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    clock = Clock()
    ids = Ids(clock)
    committer = Committer(partial(connect, task.url), clock, writers=WRITERS, batch_max=BATCH)
    await committer.start()
    pool = await open_pool(task.url)
    lives = Lives(task.way, pool, committer, clock, ids)

    async def client(number: int) -> None:
        serial = task.number * task.clients + number
        customer = Customer(ids.customer(), Msisdn(f"+2547{serial:08d}"), "KE", "en", 0)
        priced = new_quote(ids, customer.msisdn, Msisdn(f"+2567{serial:08d}"))
        while time.perf_counter() < until:
            await lives.live(customer, priced)

    async def all_clients() -> None:
        await asyncio.gather(*(client(n) for n in range(task.clients)))
        await lives.settled()

    until = time.perf_counter() + WARM_SECONDS
    await all_clients()
    say_to_parent("warm")
    hear_from_parent()
    before, lives.steps = lives.lived, []
    committer.batches = committer.plans = 0
    gc.freeze()
    began, cpu = time.perf_counter(), time.process_time()
    until = began + task.seconds
    await all_clients()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    batch = committer.plans / max(committer.batches, 1)
    say_to_parent(Driven(lives.lived - before, lives.lived, seconds, cpu, lives.steps, batch))
    hear_from_parent()
    await committer.stop()
    await pool.close()


async def drive_bare(task: Task) -> None:
    """The same life's rows by plain inserts, one transaction a batch, on two connections."""
    assert task.pattern is not None
    ids = Ids(Clock())
    connections = [await connect(task.url) for _ in range(WRITERS)]
    stored = 0

    async def insert(connection: Any) -> None:
        nonlocal stored
        while time.perf_counter() < until:
            await insert_lives(connection, task.pattern or {}, ids, BATCH)
            stored += BATCH

    until = time.perf_counter() + WARM_SECONDS
    await asyncio.gather(*map(insert, connections))
    say_to_parent("warm")
    hear_from_parent()
    before, began, cpu = stored, time.perf_counter(), time.process_time()
    until = began + task.seconds
    await asyncio.gather(*map(insert, connections))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    say_to_parent(Driven(stored - before, stored, seconds, cpu, [], BATCH))
    hear_from_parent()
    for connection in connections:
        await connection.close()


async def read_pattern(connection: Any) -> dict[str, Any]:
    """The rows of one finished life, to be copied; the intents are gone by then."""
    payment = await connection.fetchrow(
        "select id::text, tenant, state, version, customer::text from payment"
        " where state = $1 limit 1", State.PAID,
    )  # fmt: skip
    journal = await connection.fetch(
        "select version, state, at_ms, debits, credits, amounts, facts from journal"
        " where payment = $1::uuid order by version", payment["id"].replace("-", ""),
    )  # fmt: skip
    evidence = await connection.fetch(
        "select source, body from evidence where payment = $1::uuid", payment["id"].replace("-", "")
    )
    return {
        "payment": dict(payment),
        "journal": [dict(row) for row in journal],
        "evidence": [dict(row) for row in evidence],
        "intents": [
            (Direction.COLLECT, None), (Direction.DISBURSE, None),
            (SMS, "receipt_payer:payer:"), (SMS, "receipt_payee:payee:"),
        ],
    }  # fmt: skip


async def insert_lives(connection: Any, pattern: dict[str, Any], ids: Ids, count: int) -> None:
    """`count` copies of the pattern under fresh ids, in one transaction."""
    payment = pattern["payment"]
    payments, hashes, customers = ([ids.hex() for _ in range(count)] for _ in range(3))
    async with connection.transaction():
        run = connection.execute
        await run(
            "insert into payment_key select $1, k, i, h"
            " from unnest($2::text[], $3::uuid[], $4::uuid[]) u(k, i, h)",
            TENANT, [ids.hex() for _ in range(count)], payments, hashes,
        )  # fmt: skip
        await run(
            "insert into payment select i, $1, $2, $3, null, null, c"
            " from unnest($4::uuid[], $5::uuid[]) u(i, c)",
            TENANT, payment["state"], payment["version"], payments, customers,
        )  # fmt: skip
        for row in pattern["journal"]:
            await run(
                "insert into journal select i, $1, $2, $3, $4, $5, $6, $7, $8"
                " from unnest($9::uuid[]) u(i)",
                row["version"], TENANT, row["state"], row["at_ms"], row["debits"], row["credits"],
                row["amounts"], row["facts"], payments,
            )  # fmt: skip
        for n, row in enumerate(pattern["evidence"], 1):
            attempts = [ids.hex() for _ in range(count)]
            await run(
                "insert into attempt select a, i, $1, $2, $3"
                " from unnest($4::uuid[], $5::uuid[]) u(a, i)",
                TENANT, n, n, attempts, payments,
            )  # fmt: skip
            await run(
                "insert into evidence select a, h, i, $1, $2, $3, $4"
                " from unnest($5::uuid[], $6::uuid[], $7::uuid[]) u(a, h, i)",
                TENANT, pattern["journal"][0]["at_ms"], row["source"], row["body"], attempts,
                hashes, payments,
            )  # fmt: skip
        for kind, payload in pattern["intents"]:
            await run(
                "insert into outbox select o, i, $1, $2, $3, 0, 0, null"
                " from unnest($4::uuid[], $5::uuid[]) u(o, i)",
                TENANT, kind, payload, [ids.hex() for _ in range(count)], payments,
            )  # fmt: skip


# The run.


class Options(NamedTuple):
    """How much is run."""

    seconds: float = SECONDS
    processes: int = PROCESSES
    clients: int = CLIENTS
    ways: Sequence[str] = tuple(WAYS)


def run(options: Options) -> Section:
    """All ways and the bare rows, each in a database of its own. Raises Void."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = embedded.start_postgres(Path(folder) / "postgres", settings=SETTINGS)
        try:
            migrate(postgres.url)
            asyncio.run(_endow(postgres.url))
            rows, pattern = [], None
            for way in options.ways:
                url = asyncio.run(_fresh_database(postgres.url, way))
                row, stored = measure(way, url, options, postgres.pid)
                asyncio.run(check(url, stored, evidence_each=4 if way == "dispatch" else 2))
                pattern = pattern or asyncio.run(_pattern_of(url))
                rows.append(row)
            url = asyncio.run(_fresh_database(postgres.url, "bare"))
            bare, _ = measure("bare", url, options, postgres.pid, pattern)
            return section(rows, bare)
        finally:
            postgres.stop()


def measure(
    way: str, url: str, options: Options, postmaster: int, pattern: dict[str, Any] | None = None
) -> tuple[Row, int]:
    """Let the driving processes run together; the row, and how many lives they had stored."""
    with ExitStack() as closing:
        drivers = [
            closing.enter_context(Driver("tests.bench.commit", "drive"))
            for _ in range(options.processes)
        ]
        for number, driver in enumerate(drivers):
            driver.tell(Task(way, url, options.clients, options.seconds, number, pattern))
        for driver in drivers:
            driver.listen()
        postgres, busy = family_cpu_seconds(postmaster), machine_busy_seconds()
        with Pace() as pace:
            for driver in drivers:
                driver.tell("go")
            done = [Driven(*driver.listen()) for driver in drivers]
        postgres = family_cpu_seconds(postmaster) - postgres
        busy = machine_busy_seconds() - busy
        for driver in drivers:
            driver.tell("end")
    lives = sum(d.lives for d in done)
    python = sum(d.cpu_seconds for d in done)
    steps = [step for d in done for step in d.steps] or [0.0]
    row = Row(
        way=way,
        lives=lives,
        per_second=sum(d.lives / d.seconds for d in done),
        python_us=python / lives * 1e6,
        postgres_us=postgres / lives * 1e6,
        others_cores=max(busy - python - postgres, 0) / max(d.seconds for d in done),
        step_p50_ms=percentile_ms(steps, 0.5),
        step_p99_ms=percentile_ms(steps, 0.99),
        batch=sum(d.batch for d in done) / len(done),
        loop_ms=pace.loop_ms,
    )
    return row, sum(d.stored for d in done)


async def check(url: str, lives: int, *, evidence_each: int) -> None:
    """Every law of the books, and exactly the lives that were acknowledged. Raises Void."""
    connection = await asyncpg.connect(url)
    try:
        await assert_books(connection)
        states = await connection.fetch("select state, count(*) as n from payment group by 1")
        found = {row["state"]: row["n"] for row in states}
        _same("payments by state", found, {State.PAID: lives, TOPPED_UP: 1})
        for name, expected in (
            ("attempt", 2 * lives), ("evidence", evidence_each * lives), ("outbox", 0),
            ("journal", 3 * lives + 1), ("payment_key", lives + 1), ("case_file", 0),
        ):  # fmt: skip
            _same(name, await connection.fetchval(f"select count(*) from {name}"), expected)
        amounts = dict(await connection.fetch("select id, amount from balance"))
        _same("balances", amounts, expected_balances(lives))
    except AssertionError as error:
        raise Void(str(error)) from error
    finally:
        await connection.close()


def expected_balances(lives: int) -> dict[int, int]:
    """What so many equal payments leave in every account: credits positive."""
    quote = new_quote(Ids(Clock()), Msisdn("+254700000000"), Msisdn("+256700000000"))
    expected = dict.fromkeys(ROUTE, 0)
    held = held_minor(quote) * lives
    expected[ROUTE.pool_avail] = POOL_MINOR - held
    expected[ROUTE.destination_float] = held - POOL_MINOR
    expected[ROUTE.source_float] = -quote.total.minor * lives
    expected[ROUTE.fee_income] = quote.fee.minor * lives
    expected[ROUTE.fx_spread] = quote.spread_minor * lives
    expected[ROUTE.rounding] = quote.rounding_minor * lives
    expected[ROUTE.interpool] = quote.value_at_mid_minor * lives
    return expected


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Void(f"{what}: found {found}, expected {expected}")


async def _endow(url: str) -> None:
    """Accounts of the route, and a pool that nobody empties."""
    clock = Clock()
    connection = await connect(url)
    await open_accounts(connection, [read_account(number) for number in Route(*ROUTE)])
    transfers = top_up(ROUTE.destination_float, ROUTE.pool_avail, POOL_MINOR)
    plan = Plan(
        PaymentId(Ids(clock).hex()), 0, TENANT, TOPPED_UP, key="endowment", transfers=transfers
    )
    (answer,) = await commit(connection, [plan], int(clock.epoch() * 1000))
    await connection.close()
    if answer.verdict is not Verdict.APPLIED:
        raise Void(f"the endowment was {answer.verdict.name}")


async def _fresh_database(url: str, name: str) -> str:
    """A copy of the endowed one, on a server that has written down all before it."""
    base = url.rpartition("/")[0]
    connection = await asyncpg.connect(f"{base}/postgres")
    await connection.execute(f"create database bench_{name} template {embedded.DATABASE}")
    await connection.execute("checkpoint")
    await connection.close()
    return f"{base}/bench_{name}"


async def _pattern_of(url: str) -> dict[str, Any]:
    connection = await asyncpg.connect(url)
    try:
        return await read_pattern(connection)
    finally:
        await connection.close()


# The table.


def section(rows: Sequence[Row], bare: Row) -> Section:
    """The rows, each with its CPU and its rate against the bare rows'."""
    header = (
        "(b) the commit, whole lives", "lives/s", "CPU us", "Python", "Postgres", "to bare",
        "ceiling/s", "step p50 ms", "p99 ms", "batch", "others' cores", "loop ms",
    )  # fmt: skip
    cells = tuple(
        (
            row.way,
            f"{row.per_second:,.0f}",
            f"{row.cpu_us:.0f}",
            f"{row.python_us:.0f}",
            f"{row.postgres_us:.0f}",
            f"{row.cpu_us / bare.cpu_us:.2f}",
            f"{row.ceiling:,.0f}",
            f"{row.step_p50_ms:.0f}" if row is not bare else "",
            f"{row.step_p99_ms:.0f}" if row is not bare else "",
            f"{row.batch:.0f}",
            f"{row.others_cores:.2f}",
            f"{row.loop_ms:.1f}",
        )
        for row in (*rows, bare)
    )
    remarks = [f"{name}: {what}" for name, what in WAYS.items()]
    remarks.append("bare: the same rows by plain batched inserts, nothing checked")
    remarks.append(f"goal: {GOAL:,} lives/s of `commit` on {CORES} free cores; books checked")
    return Section(header, cells, tuple(remarks))


def main(arguments: Sequence[str]) -> int:
    """The command line; `drive` is what the run starts as its children."""
    if list(arguments) == ["drive"]:
        task = Task(*hear_from_parent())
        return table.drive(drive_bare(task) if task.way == "bare" else drive(task))
    parser = argparse.ArgumentParser(prog="tests.bench.commit", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--way", dest="ways", action="append", choices=tuple(WAYS))
    found = vars(parser.parse_args(arguments))
    options = Options(**{name: value for name, value in found.items() if value is not None})
    try:
        written = run(options).written()
    except Void as error:
        sys.stderr.write(f"void: {error}\n")
        return 1
    sys.stdout.write(written + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
