"""What else reads among stored payments, asked of the real stores in databases of every size.

CPU is that of the one Postgres process behind each connection, pages are what it looked at. It
writes nothing but traces of questions and the auditor's seals.
"""

import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from engine.clock import AttemptId, Clock, CustomerId, Ids, PaymentId, first_id_at, made_at
from engine.compliance.history import HistoryStore, Question
from engine.database import Pool, open_pool
from engine.ledger.auditor import Auditor, Pace
from engine.ledger.books import Books
from engine.money import Money
from engine.msisdn import Msisdn, Prefixes
from engine.outbox import Outbox
from engine.payments.client_store import ClientPayments
from engine.payments.past_store import PastStore
from engine.payments.payment import code_of
from engine.payments.routing import Directory
from engine.payments.statements.ours import OursReader
from engine.payments.statements.terms import Terms
from engine.payments.store import PaymentStore
from engine.privacy.retention import KEPT, Kept, Retention
from engine.row_security import as_tenant
from engine.staff.reading import Reader
from tests.bench.filling import CLIENT, PAYEE, PAYER, Crowd
from tests.bench.lives import KENYA, TENANT, UGANDA
from tests.bench.table import Section, Void, progress
from tests.integration.books import as_agreed

WARM = 6
"""Executions before Postgres settles whether it keeps a plan (five) and we measure."""
ROUNDS = 3
SUBJECTS = 50
A_DAY = timedelta(days=1)
FLAT_MAX = 1.2
OLD_CODE, NO_CODE = "an old payment by its code, for staff", "(a code of nobody, for staff)"
WALKS = (OLD_CODE, NO_CODE)
"""They look at every id that is stored, or at a half of them: asked a tenth as often."""


class Some(NamedTuple):
    """What is asked about: picked from the whole year, and `recent` from the last day."""

    payments: list[PaymentId]
    recent: list[PaymentId]
    attempts: list[AttemptId]
    clients: list[PaymentId]
    customers: list[tuple[CustomerId, Msisdn]]
    busy: CustomerId


class Cost(NamedTuple):
    """One read, of Postgres: microseconds and pages."""

    cpu_us: float
    pages: float


Read = Callable[[int], Awaitable[Any]]
"""Takes a number, to ask about another each time. Answers with what was found."""


class Asking:
    """One database and what it is asked."""

    def __init__(self, pool: Pool, pid: int, reads: Mapping[str, Read]) -> None:
        self.pool = pool
        self.reads = reads
        self._pid = pid

    async def cost(self, name: str, times: int, begun: int) -> Cost:
        """A read's, over so many. Raises Void when one found nothing that should."""
        read, before = self.reads[name], await self._so_far()
        for number in range(begun, begun + times):
            found = await read(number)
            if not found and not name.endswith(")"):
                raise Void(f"{name}: nothing was found")
        after = await self._so_far()
        return Cost(*((now - then) / times for then, now in zip(before, after, strict=True)))

    async def _so_far(self) -> Cost:
        """Postgres tells other processes what it counted only when asked to."""
        await self.pool.fetchval("select pg_stat_force_next_flush()")
        pages = await self.pool.fetchval(
            "select blks_hit + blks_read from pg_stat_database where datname = current_database()"
        )
        return Cost(_run_us(self._pid), pages)


def _run_us(pid: int) -> float:
    """On a core so far; proc(5), /proc/[pid]/schedstat."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000


async def ask(urls: Mapping[int, str], times: int) -> dict[str, list[list[Cost]]]:
    """Every read of every database, by turns: for each database its rounds. Raises Void."""
    houses = [await _open(url, Crowd(size)) for size, url in urls.items()]
    try:
        found: dict[str, list[list[Cost]]] = {}
        for name in houses[0].reads:
            rounds: list[list[Cost]] = [[] for _ in houses]
            warm, often = (1, max(times // 10, 1)) if name in WALKS else (WARM, times)
            for house in houses:
                await house.cost(name, warm, 0)
            for round_ in range(ROUNDS):
                for house, costs in zip(houses, rounds, strict=True):
                    costs.append(await house.cost(name, often, WARM + round_ * often))
            found[name] = rounds
            middle = [median(cost.cpu_us for cost in costs) for costs in rounds]
            progress(f"{name}: {[round(us) for us in middle]} us")
        return found
    finally:
        for house in houses:
            await house.pool.close()


async def _open(url: str, crowd: Crowd) -> Asking:
    some = await _pick(url, crowd)
    # In one process each, so that all of its CPU is seen.
    pool = await open_pool(f"{as_tenant(url, TENANT)}&max_parallel_workers_per_gather=0", size=1)
    pid = await pool.fetchval("select pg_backend_pid()")
    return Asking(pool, pid, reads_of(pool, crowd, some))


async def _pick(url: str, crowd: Crowd) -> Some:
    chance = random.Random(7)  # any will do, and each run the same
    connection = await asyncpg.connect(url)

    async def ids(
        table: str, column: str = "id", which: str = "true", since: Sequence[datetime] = ()
    ) -> list[Any]:
        found = []
        for moment in since or moments:
            id_ = await connection.fetchval(
                f"select {column} from {table} where {which} and {column} > $1"
                f" order by {column} limit 1", first_id_at(moment),
            )  # fmt: skip
            found.append(id_.hex)
        return found

    try:
        first = made_at(
            PaymentId((await connection.fetchval("select id from payment order by id limit 1")).hex)
        )
        past = datetime.now(UTC) - timedelta(hours=1) - first
        moments = [first + past * chance.random() for _ in range(SUBJECTS)]
        of_a_day = [first + past - A_DAY * chance.random() for _ in range(SUBJECTS)]
        people = [PAYER.format(chance.randrange(1, crowd.customers)) for _ in range(SUBJECTS)]
        rows = await connection.fetch(
            "select id, msisdn from customer where msisdn = any($1::text[])",
            [PAYER.format(0), *people],
        )
        numbers = {row["msisdn"]: CustomerId(row["id"].hex) for row in rows}
        return Some(
            await ids("payment", which="customer is not null"),
            await ids("payment", which="customer is not null", since=of_a_day),
            await ids("attempt"),
            await ids("journal", "payment", "version = 1 and right(facts, 3) <> '\"\"]'"),
            [(numbers[number], Msisdn(number)) for number in people],
            numbers[PAYER.format(0)],
        )
    finally:
        await connection.close()


def reads_of(pool: Pool, crowd: Crowd, some: Some) -> dict[str, Read]:
    """By name; one in brackets finds nothing as a rule."""
    clock = Clock()
    directory = Directory({f.name: f for f in (KENYA, UGANDA)}, Prefixes({}), {})
    store = PaymentStore(pool, directory)
    keys = store.keys
    past, own = PastStore(pool, TENANT, store, directory), ClientPayments(pool, TENANT, store)
    history, outbox = HistoryStore(pool, TENANT), Outbox(pool, clock, lease_seconds=60)
    books, staff = Books(pool, TENANT, {}), Reader(pool, TENANT, store)
    ours = OursReader(pool, TENANT, store, lambda _, attempt_id: (attempt_id,), lambda *_: False)
    auditor = Auditor(pool, TENANT, {}, clock, Pace(), lambda facts, _: facts, as_agreed)
    retention, ids = Retention(pool, TENANT, clock, {}), Ids(clock)
    busy_as_payee = Msisdn(PAYEE.format(0))

    def one(of: Sequence[Any], number: int) -> Any:
        return of[number % len(of)]

    def whose(number: int) -> tuple[CustomerId, Msisdn]:
        customer, msisdn = one(some.customers, number)
        return customer, msisdn

    async def of_staff(number: int) -> Any:
        payment = await store.payment(one(some.payments, number))
        assert payment is not None
        return await staff.attempts(payment)

    async def look(payer: str, payee: str) -> Any:
        money = Money(100_000, "KES"), Money(28_023, "UGX")
        people = Msisdn(payer), Msisdn(payee)
        asked = Question(ids.hex(), clock.now(), *people, *money)
        return await history.look(asked, near_minor=3_500_000, watched=True)

    async def day(number: int) -> Any:
        """An attempt of a day's, so that a day with more does not cost more."""
        moment = made_at(PaymentId(one(some.payments, number))).date()
        return await ours.ids_between(KENYA, moment, moment, Terms())

    return {
        "a payment, by its id": lambda n: store.payment(one(some.payments, n)),
        "a payment, by an attempt": lambda n: store.attempt(one(some.attempts, n)),
        "a client's own payment": lambda n: own.find(CLIENT, one(some.clients, n)),
        "(what stands under a key)": lambda n: keys.payment(TENANT, _key(one(some.payments, n))),
        "(a key that is new)": lambda n: keys.payment(TENANT, f"turn:{n:024x}:6"),
        "a client's newest twenty": lambda _: own.listed(CLIENT, most=20),
        "a page of twenty from a cursor": lambda n: own.listed(
            CLIENT, before=one(some.clients, n), most=20
        ),
        "(the same of one payer)": lambda n: own.listed(
            CLIENT, customer=one(some.customers, n)[0], most=20
        ),
        "a customer's last ten": lambda n: past.recent_payments(*one(some.customers, n)),
        "(a customer's last minutes)": lambda n: past.confirmed_since(
            one(some.customers, n)[0], clock.now() - timedelta(minutes=10)
        ),
        "a customer's last payees": lambda n: past.recent_payees(one(some.customers, n)[0]),
        "(a customer's payment by a code)": lambda n: past.find(
            *whose(n), code_of(one(some.payments, n))
        ),
        "the busy customer's last ten": lambda _: past.recent_payments(some.busy, busy_as_payee),
        "the busy customer's last payees": lambda _: past.recent_payees(some.busy),
        "(the busy customer's payment by a code)": lambda n: past.find(
            some.busy, busy_as_payee, code_of(one(some.payments, n))
        ),
        "what counts against a limit": lambda n: store.spent(
            TENANT, one(some.customers, n)[0], 404
        ),
        "what went before a payment": lambda n: look(
            one(some.customers, n)[1], PAYEE.format(n % crowd.customers)
        ),
        "what went before one of the busy": lambda _: look(PAYER.format(0), PAYEE.format(0)),
        "(payments whose time has come)": lambda _: store.lease_due(int(clock.epoch()), 60, 100),
        "(intents left behind)": lambda _: outbox.lease_left_behind(100),
        "a sweep of the auditor": lambda _: auditor.audit(),
        "a trial balance": lambda _: books.trial_balance(),
        "a trial balance of a minute ago": lambda _: books.trial_balance_at(
            int((clock.epoch() - 60) * 1000)
        ),
        "a day's attempts, for its statement": day,
        "a payment's attempts, for staff": of_staff,
        "a day's payment by its code, for staff": lambda n: staff.find(
            code_of(one(some.recent, n))
        ),
        OLD_CODE: lambda n: staff.find(code_of(one(some.payments, n))),
        NO_CODE: lambda n: staff.find(code_of(f"{n:032x}")),
        **{
            f"(old {kept.kind} to be forgotten)": _forgetting(retention, kept)
            for kept in KEPT
            if kept.kind in ("evidence", "flagged", "messages", "reports")
        },
        "(old traces to be forgotten)": lambda _: history.forget(clock.now()),
    }


def _forgetting(retention: Retention, kept: Kept) -> Read:
    return lambda _: retention.forget(kept)


def _key(payment_id: str) -> str:
    """As `filling` names it; a client's payment has another."""
    word = hashlib.md5(str(UUID(payment_id)).encode(), usedforsecurity=False).hexdigest()
    return f"turn:{payment_id[:8]}{word[:16]}:6"


def section(sizes: Sequence[int], asked: Mapping[str, list[list[Cost]]]) -> Section:
    """A row a read: pages and microseconds in every database."""
    header = (
        "(p) reads among them, Postgres alone",
        *(f"us at {size:,}" for size in sizes),
        "to fewest",
        *(f"pages at {size:,}" for size in sizes),
    )
    rows = []
    for name, houses in asked.items():
        us = [median(cost.cpu_us for cost in rounds) for rounds in houses]
        pages = [median(cost.pages for cost in rounds) for rounds in houses]
        rows.append(
            (
                name,
                *(f"{each:,.0f}" for each in us),
                f"{us[-1] / us[0]:.2f}",
                *(f"{each:,.0f}" for each in pages),
            )
        )
    return Section(header, tuple(rows))
