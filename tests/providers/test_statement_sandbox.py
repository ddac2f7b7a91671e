"""The sandbox's statement, read by our reader: what really moved, and each fault of a line."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from random import Random

import httpx
import pytest

from engine.payments.statements.lines import Line, Side, breaks_of, closing_minor
from engine.payments.statements.neutral import Reading, read_statement
from engine.payments.statements.terms import Terms
from simulator.operators.mtn_momo import MtnSandbox, MtnSettings, mtn_momo_app
from simulator.operators.world import World

NOON = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
DAY = date(2026, 11, 20)
TERMS = Terms(utc_offset_minutes=180)
PAYER, PAYEE, OTHER_PAYER = "256772000001", "256772000002", "256772000003"


class HandClock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sandbox(clock: HandClock) -> MtnSandbox:
    world = World(clock=clock, random=Random(5))
    made = MtnSandbox(world, MtnSettings(), collection_minor=100, disbursement_minor=10_000)
    payee = made.wallets.open(PAYEE)
    for n, payer in enumerate((PAYER, OTHER_PAYER, PAYER)):
        clock.now += timedelta(minutes=1)
        wallet = made.wallets.open(payer)
        made.ledger.collect(
            wallet, amount_minor=1_000 + n, currency="UGX", reference=f"in-{n}", receipt=f"1{n}"
        )
    clock.now += timedelta(minutes=1)
    made.ledger.pay(payee, amount_minor=500, currency="UGX", reference="out-0", receipt="20")
    return made


@pytest.fixture
async def client(sandbox: MtnSandbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(mtn_momo_app(sandbox))
    async with httpx.AsyncClient(transport=transport, base_url="http://mtn") as opened:
        yield opened


async def statement(client: httpx.AsyncClient, day: date = DAY) -> tuple[Line, ...]:
    response = await client.get("/_sandbox/statement", params={"day": day.isoformat()})
    assert response.status_code == 200
    lines, faults = read(response.content, day)
    assert faults == ()
    return lines


def read(body: bytes, day: date) -> Reading:
    return read_statement("mtn_ug", "UGX", day, body, TERMS)


async def arm(client: httpx.AsyncClient, fault: str, msisdn: str = PAYEE) -> None:
    body = {"on": "statement", "fault": fault, "msisdn": msisdn}
    assert (await client.post("/_sandbox/faults", json=body)).status_code == 201


async def test_it_lists_what_moved_with_the_balance_after_it(client: httpx.AsyncClient) -> None:
    lines = await statement(client)
    assert [(made.receipt, made.reference, made.side, made.amount.minor) for made in lines] == [
        ("10", "in-0", Side.IN, 1_000),
        ("11", "in-1", Side.IN, 1_001),
        ("12", "in-2", Side.IN, 1_002),
        ("20", "out-0", Side.OUT, 500),
    ]
    assert lines[0].balance_minor == 100 + 10_000 + 1_000
    assert closing_minor(lines) == 100 + 10_000 + 3_003 - 500
    assert breaks_of(lines) == ()
    assert lines[0].counterparty == "+2567*****001"


async def test_another_day_is_empty_and_its_midnight_is_east_african(
    client: httpx.AsyncClient, sandbox: MtnSandbox, clock: HandClock
) -> None:
    assert await statement(client, DAY - timedelta(days=1)) == ()
    clock.now = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)  # half past midnight
    payer = sandbox.wallets.open(PAYER)
    sandbox.ledger.collect(payer, amount_minor=7, currency="UGX", reference="x", receipt="30")
    assert [made.receipt for made in await statement(client, DAY + timedelta(days=1))] == ["30"]
    assert len(await statement(client)) == 4
    assert len((await client.get("/_sandbox/statement")).content.splitlines()) == 2  # today's


@pytest.mark.parametrize(
    ("fault", "receipts", "breaks"),
    [
        ("line_dropped", ["10", "11", "12"], 0),  # the last one: no balance follows it
        ("line_doubled", ["10", "11", "12", "20", "20"], 1),
        ("line_wrong_amount", ["10", "11", "12", "20"], 1),
    ],
)
async def test_a_fault_spoils_one_line_of_one_file(
    client: httpx.AsyncClient, fault: str, receipts: list[str], breaks: int
) -> None:
    honest = await statement(client)
    await arm(client, fault)
    spoilt = await statement(client)
    assert [made.receipt for made in spoilt] == receipts
    assert len(breaks_of(spoilt)) == breaks
    assert await statement(client) == honest


async def test_a_dropped_line_in_the_middle_breaks_the_balance(client: httpx.AsyncClient) -> None:
    await arm(client, "line_dropped", OTHER_PAYER)
    lines = await statement(client)
    assert [made.receipt for made in lines] == ["10", "12", "20"]
    (gap,) = breaks_of(lines)
    assert (gap.line.receipt, gap.gap_minor) == ("12", 1_001)


async def test_an_unknown_line_is_money_nobody_sent(client: httpx.AsyncClient) -> None:
    await arm(client, "line_unknown")
    *honest, strange = await statement(client)
    assert len(honest) == 4
    assert (strange.side, strange.amount.minor, strange.reference) == (Side.IN, 500, None)
    assert strange.receipt not in {made.receipt for made in honest}


async def test_a_line_kept_back_comes_with_the_next_days_file_for_good(
    client: httpx.AsyncClient,
) -> None:
    await arm(client, "line_next_day")
    for _ in range(2):
        assert [made.receipt for made in await statement(client)] == ["10", "11", "12"]
    for _ in range(2):
        (late,) = await statement(client, DAY + timedelta(days=1))
        assert (late.receipt, TERMS.day_of(late.completed_ms)) == ("20", DAY)


async def test_a_fault_that_cannot_happen_to_a_statement_is_refused(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post(
        "/_sandbox/faults", json={"on": "statement", "fault": "callback_twice"}
    )
    assert response.status_code == 400
    assert (await client.get("/_sandbox/statement", params={"day": "soon"})).status_code == 400
