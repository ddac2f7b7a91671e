"""Finished payments by the million: all rows of one that was lived, copied under ids of their own.

They lie in the partitions of a year, in the order of time, and what is kept for some days only is
there for those days. Each month is written beside the table and its indexes are built in the end,
so nothing of it passes through the log where `wal_level` is minimal. Knows no figures.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg

from engine.clock import first_id_at
from engine.compliance.history import KEPT_DAYS
from engine.ledger import audit_store
from engine.ledger.audit_rows import ROW_DIGEST, Chain
from engine.ledger.auditor import chained
from engine.payments.lifecycle import State
from tests.bench.lives import TENANT

MONTHS = 12
"""The year until now, this month the last of them."""
PAYMENTS_OF_A_CUSTOMER = 20
REGISTERED_MIN = 20_000
"""Where those who paid are fewer, others are registered who have not paid yet: as many people must
live in each database, or those of the smallest meet their own traces and rows again and again.
"""
BUSY_PAYMENTS_MAX = 10_000
BUSY_SHARE_MAX = 10
"""One customer has so many payments, or that part of all; and as many are paid to that customer."""
CLIENT_EVERY = 10
"""Each tenth payment was asked for by the one client of the API."""
CLIENT = "0190c11e" + "0" * 24
FILLERS = 3
_JOURNAL_FILL = 88
"""From when on a page is full, once these rows are in. Where a payment's long first row does not
fit any more, short rows of later steps do, and in a real month they are there. Here that room is
left over on every page, and each short row to come would begin on a page that nobody has touched.
"""
_LIFE_MS = 20_000
"""Between the first row of a payment and its last; all of it lies in one month."""
PAYER, PAYEE = "+2547{:08d}", "+2567{:08d}"
SETTINGS = {
    "wal_level": "minimal", "max_wal_senders": "0", "fsync": "off", "full_page_writes": "off",
    "synchronous_commit": "off", "max_wal_size": "16GB", "checkpoint_timeout": "1h",
    "shared_buffers": "2GB", "maintenance_work_mem": "512MB", "autovacuum": "off",
    "synchronize_seqscans": "off", "max_parallel_workers_per_gather": "0",
}  # fmt: skip
"""For filling alone. Nothing is measured under them."""


class Crowd(NamedTuple):
    """So many finished payments, and the people they are of. Customer 0 is the busy one."""

    payments: int

    @property
    def customers(self) -> int:
        """Who have paid and were paid."""
        return max(self.payments // PAYMENTS_OF_A_CUSTOMER, 100)

    @property
    def registered(self) -> int:
        return max(self.customers, REGISTERED_MIN)

    @property
    def busy_every(self) -> int:
        """Each so-many-th payment is of the busy customer, and the one after it is to them."""
        busy = min(BUSY_PAYMENTS_MAX, self.payments // BUSY_SHARE_MAX)
        return self.payments // busy


class Month(NamedTuple):
    """A month of the past, or this one up to now; and which of the payments were made in it."""

    suffix: str
    first_id: str
    next_id: str
    next_ms: int
    begun: int
    until: int


class Year(NamedTuple):
    """When the first payment was made, within what time all were, and by which months."""

    begins_ms: int
    span_ms: int
    months: list[Month]


def year(count: int, now: datetime) -> Year:
    """`count` payments evenly over the year until now, by the months they fall in."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begins = [first]
    while len(begins) < MONTHS:
        begins.insert(0, (begins[0] - timedelta(days=1)).replace(day=1))
    edges = [*begins, (first + timedelta(days=32)).replace(day=1)]
    begins_ms = _ms(begins[0])
    span_ms = _ms(now - timedelta(minutes=2)) - begins_ms
    # A payment's moment is its number's share of the time, rounded down.
    numbers = [min(-(-(_ms(edge) - begins_ms) * count // span_ms), count) for edge in edges]
    return Year(
        begins_ms, span_ms,
        [
            Month(f"{edge:%Y_%m}", first_id_at(edge), first_id_at(next_), _ms(next_), begun, until)
            for edge, next_, begun, until in zip(
                begins, edges[1:], numbers, numbers[1:], strict=False
            )
        ],
    )  # fmt: skip


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


async def read_life(connection: Any) -> dict[str, Any]:
    """All rows of one finished payment that the dispatcher carried out, as text and numbers."""
    payment = await connection.fetchval(
        "select id::text from payment where state = $1 order by id desc limit 1", State.PAID
    )

    async def rows(of: str, order: str) -> list[dict[str, Any]]:
        found = await connection.fetch(
            f"select * from {of} where payment = $1::text::uuid order by {order}", payment
        )
        return [dict(row) for row in found]

    return {
        "payment": payment.replace("-", ""),
        "journal": await rows("journal", "version"),
        "attempt": await rows("attempt", "id"),
        "evidence": await rows("evidence", "attempt, at_ms"),
        "sms_message": await rows("sms_message", "id"),
    }


async def fill(url: str, crowd: Crowd, pattern: Mapping[str, Any]) -> None:
    """Store the crowd in a database that has been migrated and endowed. It must hold no other."""
    past = year(crowd.payments, datetime.now(UTC))
    owner = await asyncpg.connect(url)
    try:
        await _keep_pattern(owner, pattern)
        await _make_customers(owner, crowd, past.begins_ms)
        await owner.execute("create unlogged table filled (like filled_month)")
        await _at_once([_fill_month(url, crowd, pattern, m, past) for m in past.months])
        for month in past.months:
            for name in _PARTITIONED:
                await _put_in_place(owner, name, month)
        await _at_once([_fill_whole(url, *whole) for whole in _wholes(crowd, pattern)])
        await _fill_balances(owner, crowd, pattern)
        await _seal(url, owner, crowd, pattern, past)
        await owner.execute("drop table filled, filled_month, filled_customer, filled_evidence")
        await owner.execute("drop table filled_journal")
    finally:
        await owner.close()


async def _seal(url: str, owner: Any, crowd: Crowd, pattern: Mapping[str, Any], past: Year) -> None:
    until_ms = past.begins_ms + past.span_ms + _LIFE_MS
    await _at_once([_seal_month(url, month, until_ms) for month in past.months])
    await _fill_sums(owner, crowd, pattern, past, until_ms)


async def settle(url: str) -> None:
    """Measure every table and mark what all may see, as autovacuum would have by now."""
    owner = await asyncpg.connect(url)
    tables = await owner.fetch(
        "select oid::regclass::text as name from pg_class"
        " where relkind = 'r' and relnamespace = 'public'::regnamespace"
        " and pg_relation_size(oid) > 0 order by pg_relation_size(oid) desc"
    )
    await owner.close()
    waiting = iter([table["name"] for table in tables])

    async def vacuum() -> None:
        connection = await asyncpg.connect(url)
        for table in waiting:
            await connection.execute(f"vacuum (analyze) {table}")
        await connection.close()

    await _at_once([vacuum() for _ in range(FILLERS)])
    owner = await asyncpg.connect(url)
    # Earlier versions know no `only` here, and measure the months once more.
    only = "only " if owner.get_server_version().major >= 18 else ""
    await owner.execute("analyze " + ", ".join(only + table for table in _PARTITIONED))
    await owner.close()


async def _at_once(work: Sequence[Any]) -> None:
    room = asyncio.Semaphore(FILLERS)

    async def one(each: Any) -> None:
        async with room:
            await each

    await asyncio.gather(*map(one, work))


# What the months are made of.


def _uuid7(at_ms: str, ending: str) -> str:
    """A UUID version 7 of these milliseconds, ending in digits of this text. `uuidv7()` is known to
    Postgres 18 only, and asks the system for chance each time, which took longer than all rows of
    the payment.
    """
    digits = f"md5({ending})"
    return (
        f"(lpad(to_hex({at_ms}), 12, '0') || '7' || left({digits}, 3) || '9'"
        f" || right({digits}, 15))::uuid"
    )


# `uuid_extract_timestamp()` came with Postgres 17.
_MADE_AT = "to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)"


_CUSTOMERS = f"""
insert into filled_customer
  select n, {_uuid7("($1::float8 + n * $2::float8)::bigint", "'customer' || n")}
    from generate_series(0, $3::bigint - 1) n"""


def _id(after_ms: int, kind: str) -> str:
    """The one of a payment's moment and so much later."""
    return _uuid7(f"at_ms + {after_ms}", f"'{kind}' || l.n")


# Who pays and who is paid is spread over all customers. `n` orders the year.
_MONTH = f"""
insert into {{month}}
select l.n, at_ms, {_id(0, "payment")}, {_id(-9_000, "quote")}, {_id(10, "collect")},
       {_id(4_000, "disburse")}, {_id(6_000, "to payer")}, {_id(6_001, "to payee")},
       c.id, payer, payee, l.n % {CLIENT_EVERY} = 7
  from (select n, case when n % {{busy_every}} = 0 then 0
                  else 1 + (n * 7919) % ({{customers}} - 1) end as payer,
               case when n % {{busy_every}} = 1 then 0
                  else 1 + (n * 104729 + 17) % ({{customers}} - 1) end as payee,
               least({{first_ms}} + n * {{span_ms}} / {{payments}}, {{last_ms}}) as at_ms
          from generate_series({{begun}}::bigint, {{until}}::bigint - 1) n) l
  join filled_customer c on c.n = l.payer order by l.n"""


async def _keep_pattern(owner: Any, pattern: Mapping[str, Any]) -> None:
    await owner.execute(
        "create unlogged table filled_month (n bigint, at_ms bigint, payment uuid, quote uuid,"
        " collect uuid, disburse uuid, to_payer uuid, to_payee uuid, customer uuid, payer int,"
        " payee int, by_client boolean);"
        "create unlogged table filled_customer (n bigint, id uuid);"
        "create unlogged table filled_journal (version int, state smallint, after_ms int,"
        " debits bigint[], credits bigint[], amounts bigint[], facts text);"
        "create unlogged table filled_evidence (direction smallint, after_ms int, source smallint,"
        " body text)"
    )
    begun = pattern["journal"][0]["at_ms"]
    directions = {row["id"]: row["direction"] for row in pattern["attempt"]}
    await owner.executemany(
        "insert into filled_journal values ($1, $2, $3, $4, $5, $6, $7)",
        [
            (r["version"], r["state"], _after(r, begun), r["debits"], r["credits"], r["amounts"],
             r["facts"]) for r in pattern["journal"]
        ],
    )  # fmt: skip
    await owner.executemany(
        "insert into filled_evidence values ($1, $2, $3, $4)",
        [
            (directions[r["attempt"]], _after(r, begun), r["source"], r["body"])
            for r in pattern["evidence"]
        ],
    )


def _after(row: Mapping[str, Any], begun_ms: int) -> int:
    """A life's steps lie within the seconds that its ids are apart."""
    return min(max(int(row["at_ms"]) - begun_ms, 0), 6_000)


async def _make_customers(owner: Any, crowd: Crowd, first_ms: int) -> None:
    """All registered in the month before the first payment."""
    since_ms, apart_ms = first_ms - 30 * _DAY_MS, 29 * _DAY_MS / crowd.registered
    await owner.execute(_CUSTOMERS, since_ms, apart_ms, crowd.registered)
    await owner.execute("analyze filled_customer")


async def _fill_month(
    url: str, crowd: Crowd, pattern: Mapping[str, Any], month: Month, past: Year
) -> None:
    """One transaction: tables that it made itself need no log."""
    connection = await asyncpg.connect(url)
    life = f"filled_{month.suffix}"
    try:
        async with connection.transaction():
            await connection.execute(f"create unlogged table {life} (like filled_month)")
            await connection.execute(
                _MONTH.format(
                    month=life, busy_every=crowd.busy_every,
                    customers=crowd.customers, payments=crowd.payments, first_ms=past.begins_ms,
                    span_ms=past.span_ms, last_ms=month.next_ms - _LIFE_MS, begun=month.begun,
                    until=month.until,
                )
            )  # fmt: skip
            for name, columns, select in _rows_of_a_month(pattern):
                await _write_beside(connection, name, columns, select, month, life)
            await connection.execute(f"insert into filled select * from {life}")
            await connection.execute(f"drop table {life}")
    finally:
        await connection.close()


_PARTITIONED = ("payment", "journal", "attempt", "evidence", "sms_message")
_KEY_OF = {"journal": "payment", "evidence": "attempt"}


def _rows_of_a_month(pattern: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(table, columns, select from `life`), all in the order of time."""
    collect, disburse = pattern["attempt"]
    to_payer, to_payee = pattern["sms_message"]
    return [
        (
            "payment", "id, tenant, state, version, way, terms, customer",
            f"select payment, {TENANT}, {int(State.PAID)}, {pattern['journal'][-1]['version']}, 0,"
            " 1, customer from life",
        ),
        (
            "journal",
            "payment, version, tenant, state, at_ms, debits, credits, amounts, facts",
            f"select payment, version, {TENANT}, state, at_ms + after_ms, debits, credits, amounts,"
            f" case version when 1 then {_terms(pattern)}"
            f" when 2 then replace(facts, '{collect['id'].hex}', {_hex('collect')})"
            f" else replace(facts, '{disburse['id'].hex}', {_hex('disburse')}) end"
            " from life cross join filled_journal",
        ),
        (
            "attempt", "id, payment, tenant, direction, operator",
            f"select case d when 1 then collect else disburse end, payment, {TENANT}, d,"
            f" case d when 1 then {collect['operator']} else {disburse['operator']} end"
            " from life cross join (values (1), (2)) a (d)",
        ),
        (
            "evidence", "attempt, hash, payment, tenant, at_ms, source, body",
            f"select attempt, md5(body)::uuid, payment, {TENANT}, at_ms, source, body from ("
            " select payment, case direction when 1 then collect else disburse end as attempt,"
            " at_ms + after_ms as at_ms, source, replace(body, case direction"
            f" when 1 then '{collect['id'].hex}' else '{disburse['id'].hex}' end,"
            f" case direction when 1 then {_hex('collect')} else {_hex('disburse')} end) as body"
            " from life cross join filled_evidence) e",
        ),
        (
            "sms_message",
            "id, payment, tenant, template, status, message_id, at_ms, gateway, segments",
            "select id, payment, 1, template, 'sent', 'ATXid_' || md5(id::text),"
            " at_ms + 6500, 'africastalking', 1 from ("
            "select payment, at_ms, case d when 1 then to_payer else to_payee end as id,"
            f" case d when 1 then '{to_payer['template']}' else '{to_payee['template']}' end"
            " as template from life cross join (values (1), (2)) a (d)) m",
        ),
    ]  # fmt: skip


def _terms(pattern: Mapping[str, Any]) -> str:
    """The facts of the first step with another quote, other people, and a client who asked."""
    facts = pattern["journal"][0]["facts"]
    begins = re.match(r'\[\["([0-9a-f]{32})","(\+\d+)","(\+\d+)"', facts)
    assert begins is not None, "terms that are sealed are no pattern"
    quote, payer, payee = begins.groups()
    (customer,) = set(re.findall(r'"([0-9a-f]{32})"', facts)) - {quote}
    if not facts.endswith('""]'):
        raise ValueError("a life that a client asked for is no pattern")
    written = f"left(facts, -3) || case when by_client then '\"{CLIENT}\"]' else '\"\"]' end"
    for old, new in (
        (quote, _hex("quote")), (customer, _hex("customer")), (payer, _number(PAYER, "payer")),
        (payee, _number(PAYEE, "payee")),
    ):  # fmt: skip
        written = f"replace({written}, '{old}', {new})"
    return written


def _hex(column: str) -> str:
    return f"replace({column}::text, '-', '')"


def _number(form: str, column: str) -> str:
    return f"'{form.partition('{')[0]}' || lpad({column}::text, 8, '0')"


async def _write_beside(
    connection: Any, name: str, columns: str, select: str, month: Month, life: str
) -> None:
    """A table like the partition that will be, with all that the month already holds."""
    beside, key = _beside(name, month), _KEY_OF.get(name, "id")
    await connection.execute(
        f"create table {beside} (like {name} including all excluding indexes)"
        + (" with (fillfactor = 50)" if name == "payment" else "")
    )
    await connection.execute(
        f"alter table {beside} add constraint within check"
        f" ({key} >= '{month.first_id}' and {key} < '{month.next_id}')"
    )
    if await connection.fetchval("select to_regclass($1)", f"{name}_{month.suffix}") is not None:
        await connection.execute(f"insert into {beside} select * from {name}_{month.suffix}")
    await connection.execute(
        f"insert into {beside} ({columns}) {select.replace('from life', f'from {life} life')}"
    )
    if name == "journal":
        await connection.execute(f"alter table {beside} set (fillfactor = {_JOURNAL_FILL})")
    await _index_like(connection, name, beside)


def _beside(name: str, month: Month) -> str:
    return f"filling_{name}_{month.suffix}"


async def _index_like(connection: Any, parent: str, table: str) -> None:
    """The parent's indexes, so that becoming its partition is a matter of names."""
    for row in await connection.fetch(_INDEXES, parent):
        if row["constraint_"] is not None:
            await connection.execute(f"alter table {table} add {row['constraint_']}")
        else:
            made = row["made"].replace(f" ON ONLY public.{parent} ", f" ON {table} ")
            made = re.sub(r" INDEX \S+ ON ", " INDEX ON ", made)
            await connection.execute(made)


_INDEXES = """
select pg_get_indexdef(i.indexrelid) as made, pg_get_constraintdef(c.oid) as constraint_
  from pg_index i left join pg_constraint c on c.conindid = i.indexrelid and c.contype in ('p', 'u')
 where i.indrelid = $1::text::regclass order by i.indexrelid"""


async def _put_in_place(connection: Any, name: str, month: Month) -> None:
    part = f"{name}_{month.suffix}"
    if await connection.fetchval("select to_regclass($1)", part) is not None:
        await connection.execute(f"drop table {part}")
    await connection.execute(f"alter table {_beside(name, month)} rename to {part}")
    await connection.execute(
        f"alter table {name} attach partition {part}"
        f" for values from ('{month.first_id}') to ('{month.next_id}')"
    )
    await connection.execute(f"alter table {part} drop constraint within")
    await connection.execute("select shield_partition($1::text::regclass, $2::text::regclass)",
                             name, part)  # fmt: skip


# What is not kept by the month.


def _wholes(crowd: Crowd, pattern: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(table, columns, select), read from all the months in the order of time."""
    first_journal = pattern["journal"][0]
    spent = re.search(r',\["[0-9a-f]{32}",(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\]',
                      first_journal["facts"])  # fmt: skip
    assert spent is not None, "a life that counts against no limit is no pattern"
    currency, day, month, minor, day_max, month_max = spent.groups()
    kept_ms = _ms(datetime.now(UTC) - timedelta(days=KEPT_DAYS))
    return [
        (
            "sms_report", "message_id, status, tenant, delivered, failure, at_ms",
            f"select 'ATXid_' || md5((case d when 1 then to_payer else to_payee end)::text),"
            f" 'Success', {TENANT}, true, '', at_ms + 9000"
            " from filled cross join (values (1), (2)) a (d)",
        ),
        (
            "payment_key", "tenant, key, payment, hash",
            f"select {TENANT}, case when by_client then 'client:{CLIENT}:order-' || n"
            " else 'turn:' || left(payment::text, 8) || left(md5(payment::text), 16) || ':6' end,"
            " payment,"
            " md5(quote::text)::uuid from filled",
        ),
        (
            "clearance",
            "tenant, quote, at_ms, payer, payee, minor, currency, receives_minor,"
            " receives_currency",
            f"select {TENANT}, quote, at_ms - 9000, {_number(PAYER, 'payer')},"
            f" {_number(PAYEE, 'payee')}, {minor}, 'KES', 28023, 'UGX'"
            f" from filled where at_ms > {kept_ms}",
        ),
        (
            "customer", "id, tenant, msisdn, country, language, tier, created_at",
            f"select id, {TENANT}, {_number(PAYER, 'n')}, 'KE', 'en', 0,"
            f" {_MADE_AT} from filled_customer",
        ),
        (
            "spending",
            "tenant, customer, currency, day, day_minor, day_minor_max, month, month_minor,"
            " month_minor_max",
            f"select {TENANT}, id, {currency}, {day}, {minor}, {day_max}, {month}, {minor},"
            f" {month_max} from filled_customer",
        ),
    ]  # fmt: skip


async def _fill_whole(url: str, name: str, columns: str, select: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(f"create temp table was on commit drop as table {name}")
            indexes = await connection.fetch(_NAMED_INDEXES, name)
            await connection.execute(f"truncate {name}")
            for row in indexes:
                await connection.execute(row["dropped"])
            await connection.execute(f"insert into {name} select * from was")
            await connection.execute(f"insert into {name} ({columns}) {select}")
            for row in indexes:
                await connection.execute(row["made"])
    finally:
        await connection.close()


_NAMED_INDEXES = """
select case when c.oid is null then format('drop index %s', i.indexrelid::regclass)
            else format('alter table %s drop constraint %I', i.indrelid::regclass, c.conname) end
         as dropped,
       case when c.oid is null then pg_get_indexdef(i.indexrelid)
            else format('alter table %s add constraint %I %s', i.indrelid::regclass, c.conname,
                        pg_get_constraintdef(c.oid)) end as made
  from pg_index i left join pg_constraint c on c.conindid = i.indexrelid and c.contype in ('p', 'u')
 where i.indrelid = $1::text::regclass order by i.indexrelid"""


# What the steps have left: balances, and the auditor's seals.


async def _fill_balances(owner: Any, crowd: Crowd, pattern: Mapping[str, Any]) -> None:
    await owner.executemany(
        "update balance set amount = amount + $2 where id = $1",
        list(_moved(pattern["journal"], crowd.payments).items()),
    )


def _moved(journal: Sequence[Mapping[str, Any]], times: int) -> dict[int, int]:
    """What so many equal payments do to every account; credits positive."""
    moved: dict[int, int] = {}
    for row in journal:
        for debit, credit, minor in zip(row["debits"], row["credits"], row["amounts"], strict=True):
            moved[debit] = moved.get(debit, 0) - minor * times
            moved[credit] = moved.get(credit, 0) + minor * times
    return moved


async def _seal_month(url: str, month: Month, until_ms: int) -> None:
    """A block of the auditor's for each day, as `engine.ledger.audit_store.seal` digests it."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("set work_mem = '64MB'")
        days = await connection.fetch(_DAYS.format(month=month.suffix), TENANT, until_ms, _DAY_MS)
        last = Chain(f"journal_{month.suffix}", 0, 0, b"")
        for day in days:
            block = Chain(
                last.partition, last.number + 1, min((day["day"] + 1) * _DAY_MS, until_ms),
                chained(last.hash, day["digest"]),
            )  # fmt: skip
            await audit_store.add_block(
                connection, TENANT, block, from_ms=last.sealed_ms,
                sealed=audit_store.Sealed(day["entries"], day["digest"]), now_ms=until_ms,
            )  # fmt: skip
            last = block
    finally:
        await connection.close()


_DAY_MS = 86_400_000
_DAYS = f"""
select at_ms / $3 as day, count(*) as entries,
       sha256(string_agg({ROW_DIGEST}, ''::bytea order by payment, version)) as digest
  from journal_{{month}} where tenant = $1 and at_ms < $2 group by 1 order by 1"""


async def _fill_sums(
    owner: Any, crowd: Crowd, pattern: Mapping[str, Any], past: Year, until_ms: int
) -> None:
    """What the sealed rows add up to: all payments, and the endowment if that is older."""
    endowed = await owner.fetch(
        "select j.debits, j.credits, j.amounts from payment p join journal j on j.payment = p.id"
        " where p.customer is null and p.id >= $1 and j.at_ms < $2",
        past.months[-1].first_id, until_ms,
    )  # fmt: skip
    sums = _moved(pattern["journal"], crowd.payments)
    for account, minor in _moved(endowed, 1).items():
        sums[account] = sums.get(account, 0) + minor
    await owner.executemany(
        "insert into audit_sum (account, tenant, minor) values ($1, $2, $3)",
        [(account, TENANT, minor) for account, minor in sums.items()],
    )
