"""What was earned is what the accounts of income and cost moved by, whatever became of payments."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from channels.commands.earnings import say_earned
from channels.office import Office
from engine.clock import PaymentId
from engine.desk.proposals import Kind, Person
from engine.ledger.account_statement import read_statement
from engine.ledger.chart import read_account
from engine.msisdn import Msisdn
from engine.payments.earnings import EARNED_IN, Corridor, Earned, Earnings
from engine.payments.evidence import Source
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.ports import Finding, Outcome, Reason
from tests.integration.books import assert_books
from tests.integration.offices import office_of
from tests.integration.world import CUSTOMER, FAILED, SUCCEEDED, World, open_world

pytestmark = pytest.mark.long("payments of several fates are made for a few figures")

DAY = timedelta(days=1)
HERE = Corridor("mpesa_ke", "mtn_ug")
NONE = Corridor("", "")


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await assert_books(opened.pool)


@pytest.fixture
def office(world: World) -> Office:
    return office_of(world, {})


def now_ms(world: World) -> int:
    return int(world.clock.epoch() * 1000)


async def told(world: World, payment_id: PaymentId, finding: Finding = SUCCEEDED) -> None:
    await world.dispatched()
    await world.tell(await world.live(payment_id), finding)
    await world.dispatched()


async def paid(world: World) -> PaymentId:
    payment_id = await world.confirm()
    await told(world, payment_id)
    await told(world, payment_id)
    assert await world.state(payment_id) is State.PAID
    return payment_id


async def agreed(office: Office, kind: Kind, **fields: object) -> None:
    asked = await office.desk.propose(kind, fields, by=Person("asha"), note="because")
    await office.desk.approve(asked.id, by=Person("babu"))


async def moved(world: World, from_ms: int, to_ms: int) -> Counter[str]:
    """What the accounts themselves say, income above zero."""
    sums: Counter[str] = Counter()
    for line in await world.books.trial_balance():
        account = read_account(line.number)
        if account.kind in EARNED_IN:
            of_it = await read_statement(world.pool, account, from_ms=from_ms, to_ms=to_ms)
            grown = of_it.closing_minor - of_it.opening_minor
            sums[line.currency] += grown if line.side == "credit" else -grown
    return sums


async def test_what_was_earned_is_told_by_corridor_and_is_what_the_books_moved(
    world: World, office: Office
) -> None:
    start = now_ms(world)
    for _ in range(2):
        await paid(world)
    failed = await world.confirm()  # collected, not paid out, given back
    await told(world, failed)
    await told(world, failed, FAILED)
    await told(world, failed)
    assert await world.state(failed) is State.REFUNDED
    corrected = await world.payment(await paid(world))
    await agreed(
        office, Kind.ADJUSTMENT, debit="FEE_INCOME:KES", credit="ROUNDING:KES", minor=5,
        payment=corrected.payment_id,
    )  # fmt: skip
    await agreed(
        office, Kind.ADJUSTMENT, debit="LOSS:KES", credit="FLOAT:mpesa_ke:KES", minor=700
    )  # fmt: skip
    quote, earnings = corrected.quote, Earnings(world.pool, 1)
    end = now_ms(world) + 1
    found = await earnings.earned(start, end)
    assert found == [
        Earned(NONE, "KES", 0, 0, 0, 0, 0, -700),
        Earned(
            HERE, "KES", 3, 3 * quote.fee.minor - 5, 3 * quote.spread_minor,
            3 * quote.rounding_minor + 5, 0, 0,
        ),
    ]  # fmt: skip
    sums = Counter({"KES": sum(each.earned_minor for each in found)})
    assert sums == +await moved(world, start, end)
    assert await world.balance("FEE_INCOME", "KES") == 3 * quote.fee.minor - 5


async def test_what_is_undone_later_is_taken_off_then(world: World) -> None:
    payment_id = await paid(world)
    quote = (await world.payment(payment_id)).quote
    payout = (await world.store.endings(payment_id))[-1].attempt_id
    start = now_ms(world)
    world.clock.pass_(31 * 86_400)
    later = now_ms(world)
    await world.tell(payout, Finding(Outcome.REVERSED, "listed_undone"), Source.STATEMENT)
    assert await world.rulings.refund(payment_id, Ruling("it came back", by=("asha", "babu")))
    earnings = Earnings(world.pool, 1)
    (first,), (second,) = [
        await earnings.earned(0, start + 1), await earnings.earned(later, now_ms(world) + 1)
    ]  # fmt: skip
    assert (first.corridor, first.payments, first.fee_minor) == (HERE, 1, quote.fee.minor)
    assert (second.corridor, second.earned_minor) == (HERE, -first.earned_minor)


async def test_what_is_paid_again_to_another_number_is_earned_once_in_its_corridor(
    world: World,
) -> None:
    payment_id = await paid(world)
    quote = (await world.payment(payment_id)).quote
    payout = (await world.store.endings(payment_id))[-1].attempt_id
    await world.tell(payout, Finding(Outcome.REVERSED, "listed_undone"), Source.STATEMENT)
    ruling = Ruling("another number", by=("asha", "babu"))
    assert await world.rulings.repay(payment_id, ruling, payee=Msisdn("+256772000099"))
    await told(world, payment_id)
    assert await world.state(payment_id) is State.PAID
    (found,) = await Earnings(world.pool, 1).earned(0, now_ms(world) + 1)
    assert (found.corridor, found.payments) == (HERE, 1)
    assert (found.fee_minor, found.spread_minor) == (quote.fee.minor, quote.spread_minor)


async def test_what_paying_out_cost_is_what_the_way_that_paid_charges(world: World) -> None:
    """The dearest of the ways was held; the rest of that is free again, and nobody's cost."""
    free = await world.balance("POOL_AVAIL", "UGX")
    quote = msgspec.structs.replace(
        await world.quote(), ways=("mtn_ug", "other_ug"), payout_cost_minor_max=300,
        way_costs=(300, 120),
    )  # fmt: skip
    confirmed = await world.payments.confirming.confirm(
        payer=CUSTOMER, quote=quote, key=quote.quote_id
    )
    await told(world, confirmed.payment_id)
    refused = msgspec.structs.replace(FAILED, reason=Reason.CONFIGURATION)
    await told(world, confirmed.payment_id, refused)
    assert await world.balance("PAYOUT_IN_FLIGHT other_ug", "UGX") == quote.receives.minor + 300
    await told(world, confirmed.payment_id)
    assert await world.state(confirmed.payment_id) is State.PAID
    left = quote.receives.minor + 120
    assert await world.balance("FLOAT other_ug", "UGX") == -left
    assert await world.balance("POOL_AVAIL", "UGX") == free - left
    assert await world.balance("POOL_HELD", "UGX") == 0
    (charged,) = await Earnings(world.pool, 1).charged(0, now_ms(world) + 1)
    assert (charged.corridor, charged.charge.minor) == (HERE, 120)


async def test_what_operators_keep_is_a_cost_and_what_a_payout_costs_is_told_beside(
    database_url: str,
) -> None:
    async with open_world(database_url) as first:
        await first.pool.execute(
            "update corridor set collection_cost_bp = 50, payout_cost_minor = 30"
        )
        async with open_world(database_url, clock=first.clock, seeded=False) as world:
            quote = (await world.payment(await paid(world))).quote
            office, end = office_of(world, {}), now_ms(world) + 1
            (earned,) = await Earnings(world.pool, 1).earned(0, end)
            assert earned.cost_minor == -quote.collection_cost_minor == -510
            said: list[str] = []
            now = world.clock.now()
            await say_earned(office, now - DAY, now, end, is_csv=False, say=said.append)
            assert said[-2].split() == ["KES", "in", "all", "29.91"]
            assert said[-1].endswith("paying out cost UGX 30, which the pool bore")
            await say_earned(office, now - DAY, now, end, is_csv=True, say=said.append)
            assert said[-1].splitlines()[1] == (
                "mpesa_ke,mtn_ug,KES,1,20.00,15.00,0.01,-5.10,0.00,29.91"
            )
