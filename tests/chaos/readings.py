"""Reads what laws are judged by: our database, and the operators' ledgers over HTTP.

It changes nothing, and asks the server for nothing: what a process believes is no proof.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import asyncpg

from engine.ledger.books import describe
from engine.ledger.chart import read_account
from engine.ledger.entries import MANUAL_FROM, Manual
from engine.outbox import QUESTION
from engine.payments.evidence import Source
from engine.payments.facts import open_terms, read_terms
from engine.payments.lifecycle import State
from engine.payments.notices import SMS
from engine.payments.payins.judging import Stage
from engine.payments.payment import code_of
from engine.payments.unresolved import UNRESOLVED
from engine.privacy.seals import Seals
from tests.chaos.laws import TERMINAL, Deposit, Movement, Placed, Reading, Stored
from tests.e2e.city import CODES, START_MINOR, City
from tests.integration.books import LAWS

UNDER_WAY = (
    "POOL_HELD", "CUSTOMER_FUNDS", "PAYOUT_IN_FLIGHT", "REFUND_DUE", "REFUND_IN_FLIGHT",
)  # fmt: skip
NAMES = {code: name for name, code in CODES.items()}
OPERATORS = ("mpesa_ke", "mtn_ug")
"""Two are enough to lose money between."""
OF_DEPOSITS = tuple(range(Manual.SUSPENDED, Manual.RETURN_FAILED + 1))
TAKE_OUR_NAMES = frozenset({"mtn_ug"})
"""Whose statements call a collection as we have named it, whatever was answered."""
STARTS = {name: START_MINOR[name] for name in OPERATORS}
_OPEN = "select 1 from case_file c where c.payment = p.id and c.closed_ms is null"


async def unended(connection: Any) -> Counter[str]:
    """Payments that have neither ended nor called for a person, by state."""
    return await _unended(connection, f"not exists ({_OPEN})")


async def unended_or_asked(connection: Any) -> Counter[str]:
    """Payments that have not ended, whoever was called for them."""
    return await _unended(connection, "true")


async def _unended(connection: Any, which: str) -> Counter[str]:
    terminal = [state.value for state in State if state.name in TERMINAL]
    rows = await connection.fetch(
        f"select state from payment p where state < $1 and state <> all($2) and {which}",
        MANUAL_FROM, terminal,
    )  # fmt: skip
    return Counter(State(row["state"]).name for row in rows)


async def called_for(connection: Any) -> Counter[str]:
    """Payments that are over and whose end people are still called for: seconds later no more."""
    terminal = [state.value for state in State if state.name in TERMINAL]
    waiting = await connection.fetchval(
        "select count(*) from case_file c join payment p on p.id = c.payment"
        " where c.kind = $1 and c.closed_ms is null and p.state = any($2)",
        UNRESOLVED, terminal,
    )  # fmt: skip
    return Counter({UNRESOLVED: waiting} if waiting else {})


async def doubted(connection: Any) -> Counter[str]:
    """Late news of collections that are over: operators are yet to be asked about it."""
    waiting = await connection.fetchval("select count(*) from outbox where kind = $1", QUESTION)
    return Counter({"doubted": waiting} if waiting else {})


async def unsent(connection: Any) -> Counter[str]:
    """Notices to people that have not left yet: what could not leave is tried again, ever later."""
    waiting = await connection.fetchval("select count(*) from outbox where kind = $1", SMS)
    return Counter({"unsent": waiting} if waiting else {})


async def untold(connection: Any) -> Counter[str]:
    """Messages to businesses that nobody has heard yet and that are tried again."""
    waiting = await connection.fetchval("select count(*) from hook_delivery where state = 1")
    return Counter({"untold": waiting} if waiting else {})


async def paused_until(connection: Any) -> float:
    """Until when operators are left alone, or were before the small payments that find out whether
    they are back; epoch seconds, 0 when none is."""
    ms = await connection.fetchval("select max(until_ms) from breaker where position <> 'closed'")
    return (ms or 0) / 1000


async def entries(connection: Any) -> int:
    """How many there are in the journal."""
    return int(await connection.fetchval("select count(*) from journal"))


async def is_put_aside(connection: Any, receipt: str) -> bool:
    """Whether an operator has listed it, and its money lies in SUSPENSE."""
    return bool(
        await connection.fetchval(
            "select true from statement_line where receipt = $1 and suspended_ms is not null",
            receipt,
        )
    )


async def broken_books(connection: Any) -> list[str]:
    """The laws of the books that do not hold, each with how often."""
    found = {breach: await connection.fetchval(sql) for breach, sql in LAWS.items()}
    return [f"the books have {breach}: {count}" for breach, count in found.items() if count]


async def read(city: City, placed: Sequence[Placed]) -> Reading:
    """One look at everything. Only while nothing moves."""
    connection = await asyncpg.connect(city.stack.database_url)
    try:
        stored = await _stored(connection, await city.seals(connection))
        grown_in_books = await _float_growth(connection)
        grown_by_deposits = await _deposit_growth(connection)
        deposits = await _deposits(connection)
    finally:
        await connection.close()
    theirs = await city.merchant_minor()
    people = {number for payment in stored for number in (payment.payer, payment.payee)}
    return Reading(
        placed=list(placed),
        stored=stored,
        movements=await movements(city),
        grown_in_books=grown_in_books,
        grown_at_operators={n: theirs[n] - start.theirs for n, start in STARTS.items()},
        inboxes={number: await _inbox(city, number) for number in sorted(people)},
        deposits=deposits,
        grown_by_deposits=grown_by_deposits,
    )


async def _stored(connection: Any, seals: Seals) -> list[Stored]:
    effects, cases = await _effects(connection), await _cases(connection)
    unsure = await _unsure(connection)
    rows = await connection.fetch(
        "select p.id, p.state, j.facts, (p.live is null and p.state <> $3) or exists ("
        "   select from evidence e where e.payment = p.id and e.source = $2"
        "   and e.attempt = coalesce(p.live, e.attempt)) as is_named from payment p"
        " join journal j on j.payment = p.id and j.version = 1 where p.state < $1",
        MANUAL_FROM, int(Source.ACCEPTED), int(State.COLLECT_FAILED),
    )  # fmt: skip
    return [
        _payment(row, seals, effects[row["id"]], cases[row["id"]], unsure[row["id"]])
        for row in rows
    ]


def _payment(
    row: Any, seals: Seals, effects: Counter[str], cases: Sequence[str], unsure: Collection[str]
) -> Stored:
    quote = read_terms(open_terms(row["facts"], seals, row["id"].hex)).quote
    return Stored(
        code=code_of(row["id"].hex),
        state=State(row["state"]).name,
        payer=quote.payer.removeprefix("+"),
        payee=quote.payee.removeprefix("+"),
        payer_operator=quote.payer_operator,
        payee_operator=quote.payee_operator,
        total_minor=quote.total_minor,
        receives_minor=quote.receives.minor,
        # A float account grows by debits.
        grown={name: -effects[f"FLOAT {name}"] for name in STARTS},
        under_way={k: v for k, v in effects.items() if k.startswith(UNDER_WAY)},
        cases=tuple(cases),
        unsure=frozenset(unsure),
        is_named=row["is_named"]
        or (row["state"] == State.COLLECT_FAILED and quote.payer_operator in TAKE_OUR_NAMES),
    )


async def _unsure(connection: Any) -> dict[object, set[str]]:
    rows = await connection.fetch(
        "select payment, template from sms_message where status = 'unknown'"
    )
    found: dict[object, set[str]] = defaultdict(set)
    for row in rows:
        found[row["payment"]].add(row["template"])
    return found


async def _effects(connection: Any) -> dict[object, Counter[str]]:
    """What all postings of each payment come to: credits less debits by account."""
    rows = await connection.fetch(
        "select payment, account, sum(minor)::bigint as minor from ("
        " select payment, unnest(debits) as account, -unnest(amounts) as minor from journal"
        " union all select payment, unnest(credits), unnest(amounts) from journal) l"
        " group by payment, account"
    )
    found: dict[object, Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[row["payment"]][_named(row["account"])] += row["minor"]
    return found


def _named(number: int) -> str:
    """Floats by operator; what is on its way by currency too, or two could cancel out."""
    name = describe(number, NAMES)
    return name if name.startswith("FLOAT ") else f"{name} {read_account(number).currency}"


async def _cases(connection: Any) -> dict[object, list[str]]:
    rows = await connection.fetch(
        "select payment, kind, detail from case_file where closed_ms is null order by opened_ms"
    )
    found: dict[object, list[str]] = defaultdict(list)
    for row in rows:
        found[row["payment"]].append(f"{row['kind']}: {row['detail']}")
    return found


async def _deposits(connection: Any) -> list[Deposit]:
    rows = await connection.fetch("select receipt, minor, stage, asked from pay_in")
    return [
        Deposit(row["receipt"], row["minor"], Stage(row["stage"]).name, row["asked"])
        for row in rows
    ]


async def _deposit_growth(connection: Any) -> dict[str, int]:
    """What entries about strangers' money come to on our floats."""
    effects = await _effects(connection)
    rows = await connection.fetch(
        "select distinct payment from journal where state = any($1)", OF_DEPOSITS
    )
    of = [effects[row["payment"]] for row in rows]
    return {name: -sum(effect[f"FLOAT {name}"] for effect in of) for name in STARTS}


async def _float_growth(connection: Any) -> dict[str, int]:
    rows = await connection.fetch("select id, amount from balance")
    held: Counter[str] = Counter()
    for row in rows:
        held[describe(row["id"], NAMES)] -= row["amount"]
    return {name: held[f"FLOAT {name}"] - start.ours for name, start in STARTS.items()}


async def _inbox(city: City, number: str) -> list[str]:
    return [message.text for message in await city.admin.messages(f"+{number}", after=0)]


async def at_work_for(city: City, numbers: Collection[str]) -> Counter[str]:
    """Those whose orders an operator is carrying out: their money may move yet."""
    found: Counter[str] = Counter()
    for operator, url in city.places.operators.items():
        response = (await city.client.get(f"{url}/_sandbox/work")).raise_for_status()
        found[operator] = len({*response.json()["at_work_for"]} & {*numbers})
    return +found


async def movements(city: City) -> list[Movement]:
    found: list[Movement] = []
    for operator, url in city.places.operators.items():
        response = (await city.client.get(f"{url}/_sandbox/ledger")).raise_for_status()
        found += [
            Movement(
                operator, moved["kind"], moved["msisdn"], moved["amount_minor"], moved["receipt"]
            )
            for moved in response.json()["movements"]
        ]
    return found
