"""Compliance's answers carried into real payments: what is counted, what waits for people."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import msgspec
import pytest

from engine.clock import CustomerId
from engine.customers.customers import Customer
from engine.errors import Unreachable
from engine.money import CURRENCIES
from engine.msisdn import Msisdn
from engine.payments.clearing import Clearing
from engine.payments.evidence import Source
from engine.payments.holders import Holders
from engine.payments.lifecycle import State
from engine.payments.told_names import ToldNames
from engine.ports import Finding, OperatorPort, Outcome
from tests.integration.clearing_room import BY_TWO, LISTED, POLICY, Office
from tests.integration.world import CUSTOMER, SUCCEEDED, open_world
from tests.unit.compliance.lists_of_nobody import un
from tests.unit.payments.examples import PAYEE, PAYER
from tests.until import until

OTHER = Msisdn("+256772000099")


@pytest.fixture
async def office(seeded_url: str) -> AsyncIterator[Office]:
    async with open_world(seeded_url) as world:
        yield Office(world)


async def test_what_counts_is_the_amount_before_the_fee_under_the_payers_tier(
    office: Office,
) -> None:
    quote = await office.world.quote(2_000)
    payer = Customer(CustomerId("d" * 32), PAYER, "KE", "en", 1)
    clearance = await office.clearing.clear(payer, quote)
    assert clearance.spend is not None
    assert clearance.spend.customer == payer.customer_id
    assert clearance.spend.currency == CURRENCIES["KES"].numeric
    assert clearance.spend.minor == 200_000
    ceiling = POLICY.limits.of(1, "KES")
    assert clearance.spend.day_minor_max == ceiling.day_minor_max
    assert clearance.spend.month_minor_max == ceiling.month_minor_max


async def test_a_payment_to_a_listed_name_is_collected_and_then_waits(office: Office) -> None:
    await office.load()
    await office.register(LISTED)
    world = office.world
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote())
    payment_id = await world.confirm()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.ON_HOLD


async def test_a_name_listed_meanwhile_is_found_before_the_payout(office: Office) -> None:
    await office.register(LISTED)
    world = office.world
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote())
    payment_id = await world.confirm()
    payment = await world.payment(payment_id)
    assert await office.clearing.clear_again(payment) is None
    await office.load()
    changed = await office.clearing.clear_again(payment)
    assert changed is not None
    assert changed.outcome == "hold"
    world.policy.changed = changed
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.ON_HOLD


async def test_an_innocent_name_is_not_held_by_a_new_list(office: Office) -> None:
    await office.register("Sarah Nakato")
    world = office.world
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote())
    payment = await world.payment(await world.confirm())
    await office.load()
    assert await office.clearing.clear_again(payment) is None


async def test_a_name_that_an_operator_told_is_collected_and_then_waits(office: Office) -> None:
    await office.load()
    world = office.world
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote(), LISTED)
    payment_id = await world.confirm()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.ON_HOLD


async def test_a_name_taken_down_between_confirm_and_payout_is_compared(office: Office) -> None:
    await office.load()
    await office.register("Sarah Nakato")
    world = office.world
    world.policy.asks = office.clearing.clear_again
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote())
    payment_id = await world.confirm()
    await world.dispatched()
    await office.profiles.describe(PAYEE, name=LISTED)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.ON_HOLD
    await world.dispatched()
    assert world.mtn.orders == []


async def test_a_name_taken_down_while_it_is_queued_is_compared_before_it_leaves(
    office: Office,
) -> None:
    await office.load()
    await office.register("Sarah Nakato")
    world = office.world
    world.policy.closed = {"mtn_ug"}
    payment_id = await office.collected()
    assert await world.state(payment_id) is State.PAYOUT_QUEUED
    await office.profiles.describe(PAYEE, name=LISTED)
    assert await office.leave_queue(payment_id) is State.ON_HOLD


async def test_a_name_corrected_after_a_release_holds_again_only_for_somebody_new(
    office: Office,
) -> None:
    await office.load()
    await office.register(LISTED)
    world = office.world
    payment_id = await office.collected()
    world.policy.closed = {"mtn_ug"}
    assert await world.rulings.release(payment_id, BY_TWO)
    await office.profiles.describe(PAYEE, name="Mohammed Kassem Al-Zubaidi")
    await world.rulings.order_payout(await world.payment(payment_id))
    assert await world.state(payment_id) is State.PAYOUT_QUEUED
    await office.profiles.describe(PAYEE, name="Ana Ficticia García Morales")
    assert await office.leave_queue(payment_id) is State.ON_HOLD


async def test_what_people_released_waits_in_the_queue_without_being_held_for_it_again(
    office: Office,
) -> None:
    await office.register(LISTED)
    world = office.world
    world.policy.closed = {"mtn_ug"}
    payment_id = await office.collected()
    await office.load()
    assert await office.leave_queue(payment_id) is State.ON_HOLD
    world.policy.closed = {"mtn_ug"}
    assert await world.rulings.release(payment_id, BY_TWO)
    assert await world.state(payment_id) is State.PAYOUT_QUEUED
    assert await office.leave_queue(payment_id) is State.PAYING


async def test_what_was_released_is_held_again_for_a_list_that_changes_after_that(
    office: Office,
) -> None:
    await office.load()
    await office.register(LISTED)
    world = office.world
    payment_id = await office.collected()
    world.policy.closed = {"mtn_ug"}
    assert await world.rulings.release(payment_id, BY_TWO)
    await office.lists.load(un(), int(world.clock.epoch() * 1000))
    await office.screener.refresh()
    assert await office.leave_queue(payment_id) is State.ON_HOLD


async def test_another_payee_is_compared_with_the_lists_though_they_have_not_changed(
    office: Office,
) -> None:
    await office.load()
    await office.register("Sarah Nakato")
    await office.register(LISTED, OTHER)
    world = office.world
    payment_id = await office.collected()
    payout = await world.live(payment_id)
    await world.tell(payout, SUCCEEDED)
    await world.tell(payout, Finding(Outcome.REVERSED, "reversed"), Source.QUERY)
    assert await world.rulings.repay(payment_id, BY_TWO, payee=OTHER)
    assert await world.state(payment_id) is State.ON_HOLD
    start = world.clock.now() - timedelta(hours=1)
    (flagged,) = await office.history.flagged(start, start + timedelta(hours=2))
    assert flagged.question.payee == OTHER
    assert await world.rulings.release(payment_id, BY_TWO)
    await world.dispatched()
    assert [order.msisdn for order in world.mtn.orders] == [PAYEE, OTHER]


async def test_the_same_payee_is_paid_again_where_no_list_has_changed(office: Office) -> None:
    await office.load()
    await office.register("Sarah Nakato")
    world = office.world
    payment_id = await office.collected()
    payout = await world.live(payment_id)
    await world.tell(payout, SUCCEEDED)
    await world.tell(payout, Finding(Outcome.REVERSED, "reversed"), Source.QUERY)
    assert await world.rulings.repay(payment_id, BY_TWO, payee=PAYEE)
    assert await world.state(payment_id) is State.PAYING


# Names that operators tell.


class Teller:
    """An operator that tells whose wallets numbers are."""

    def __init__(self, name: str | Exception | None = LISTED) -> None:
        self.name = name
        self.asked: list[Msisdn] = []

    async def name_of(self, msisdn: Msisdn) -> str | None:
        self.asked.append(msisdn)
        if isinstance(self.name, Exception):
            raise self.name
        return self.name


async def asking(office: Office, **operators: Teller) -> AsyncIterator[Office]:
    """The office, which asks these operators."""
    ports = cast("dict[str, OperatorPort]", operators)
    names = ToldNames(Holders(ports))
    office.clearing = Clearing(office.compliance, office.world.clock, names=names)
    yield office
    await names.aclose()


@pytest.fixture
def mtn() -> Teller:
    return Teller()


@pytest.fixture
def mpesa() -> Teller:
    return Teller("Jane Wanjiru")


@pytest.fixture
async def asked(office: Office, mtn: Teller, mpesa: Teller) -> AsyncIterator[Office]:
    async for each in asking(office, mtn_ug=mtn, mpesa_ke=mpesa):
        yield each


async def test_the_wallets_operator_is_asked_for_the_name_once_the_lists_have_changed(
    asked: Office, mtn: Teller
) -> None:
    world = asked.world
    world.policy.asks = asked.clearing.clear_again
    world.policy.clearance = await asked.clearing.clear(CUSTOMER, await world.quote(), LISTED)
    payment_id = await world.confirm()
    assert mtn.asked == []
    await asked.load()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.ON_HOLD
    assert mtn.asked == [PAYEE]
    payment = await world.payment(payment_id)
    quote = msgspec.structs.replace(payment.quote, ways=("mtn_ug", "other_ug"))
    facts = msgspec.structs.replace(payment.facts, quote=quote)
    elsewhere = msgspec.structs.replace(payment, facts=facts, way=1)
    assert elsewhere.payout_operator == "other_ug"
    other = Teller("Sarah Nakato")
    async for office in asking(asked, mtn_ug=mtn, other_ug=other):
        assert await office.clearing.clear_again(elsewhere) is not None
    assert (mtn.asked, other.asked) == ([PAYEE] * 2, [])


async def test_a_payment_whose_payee_nobody_has_named_waits_by_its_operators_word(
    asked: Office, mtn: Teller, mpesa: Teller
) -> None:
    """As a client's, which asks no operator for its price."""
    await asked.load()
    payment_id = await asked.collected()
    assert await asked.world.state(payment_id) is State.ON_HOLD
    assert asked.world.mtn.orders == []
    assert (mtn.asked, mpesa.asked) == ([PAYEE], [PAYER])  # once each, and the answers were kept
    case = await asked.world.pool.fetchval("select detail from case_file where kind = 'ON_HOLD'")
    assert "payee resembles ofac_sdn:90001" in case
    assert "as its operator names the wallet" in case
    assert await asked.world.rulings.release(payment_id, BY_TWO)
    await asked.world.dispatched()
    assert await asked.world.state(payment_id) is State.PAYING


async def test_a_payer_whom_nobody_has_named_waits_by_their_operators_word(
    asked: Office, mtn: Teller, mpesa: Teller
) -> None:
    await asked.load()
    mtn.name, mpesa.name = "Sarah Nakato", LISTED
    assert await asked.world.state(await asked.collected()) is State.ON_HOLD


async def test_operators_that_tell_nothing_hold_nobody(
    asked: Office, mtn: Teller, mpesa: Teller
) -> None:
    await asked.load()
    mtn.name, mpesa.name = Unreachable("mtn_ug", "away"), None
    assert await asked.world.state(await asked.collected()) is State.PAYING


async def test_the_questions_leave_with_the_confirm_and_for_no_name_that_was_told(
    asked: Office, mtn: Teller, mpesa: Teller
) -> None:
    await asked.load()
    await asked.clearing.clear(CUSTOMER, await asked.world.quote(), "Sarah Nakato")
    await until(lambda: mpesa.asked)
    await asked.clearing.clear(CUSTOMER, await asked.world.quote())
    await until(lambda: mtn.asked)
    assert (mtn.asked, mpesa.asked) == ([PAYEE], [PAYER])


async def test_without_a_list_no_operator_is_asked_for_a_name(
    asked: Office, mtn: Teller, mpesa: Teller
) -> None:
    assert await asked.world.state(await asked.collected()) is State.PAYING
    assert (mtn.asked, mpesa.asked) == ([], [])


async def test_a_list_that_comes_while_an_operator_is_asked_is_asked_about_as_well(
    asked: Office, mtn: Teller, mpesa: Teller
) -> None:
    """The payee's name was compared at the confirm, the payer's is asked for; then there is a new
    list, by which nobody was compared.
    """
    await asked.load()
    world = asked.world
    world.policy.asks = asked.clearing.clear_again
    quote = await world.quote()
    world.policy.clearance = await asked.clearing.clear(CUSTOMER, quote, "Sarah Nakato")
    payment_id = await world.confirm(quote=quote)
    telling = mpesa.name_of

    async def change_lists(msisdn: Msisdn) -> str | None:
        await asked.lists.load(un(), int(world.clock.epoch() * 1000))
        await asked.screener.refresh()
        return await telling(msisdn)

    await until(lambda: mpesa.asked)
    names = ToldNames(Holders(cast("dict[str, OperatorPort]", {"mtn_ug": mtn, "mpesa_ke": mpesa})))
    asked.clearing = Clearing(asked.compliance, world.clock, names=names)
    world.policy.asks = asked.clearing.clear_again
    mpesa.name_of, mtn.name = change_lists, "Vymyshlen Nesushchestvuyev"  # type: ignore[method-assign]
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await names.aclose()
    assert await world.state(payment_id) is State.ON_HOLD
