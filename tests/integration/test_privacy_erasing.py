"""A customer is forgotten by two people's word; what the law wants stays, and the books stand."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.clients.quote_store import QuoteStore
from engine.clock import CustomerId, Ids
from engine.compliance.history import HistoryStore
from engine.customers.erasing import Erasing
from engine.desk.proposals import Kind, Person, State
from engine.errors import StaffMistake
from engine.ledger.auditor import Pace
from engine.payments.portability_store import PortabilityStore
from engine.privacy.resealing import Resealing
from engine.privacy.seals import seals_of
from tests.integration.books import assert_books
from tests.integration.counter_room import AMINA, BRIAN
from tests.integration.offices import office_of
from tests.integration.owner import Owner
from tests.integration.privacy_room import (
    CARL,
    CLIENT,
    FRIEND,
    KEYS,
    House,
    columns_with,
    live_a_while,
    open_house,
    question,
)

pytestmark = pytest.mark.long("a customer with everything there can be, forgotten twice over")

ASHA, BARAKA = Person("asha"), Person("baraka")


@pytest.fixture(params=[KEYS, {}], ids=["sealed", "plain"])
async def house(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with open_house(database_url, **request.param) as opened:
        yield opened


async def erased(house: House, customer_id: CustomerId) -> State:
    desk = office_of(house.room.world, {}).desk
    asked = await desk.propose(
        Kind.ERASE_CUSTOMER, {"customer": customer_id}, by=ASHA, note="their letter"
    )
    return (await desk.approve(asked.id, by=BARAKA)).state


async def over(house: House) -> None:
    """All that is under way comes to its end, whatever way."""
    await house.pool.execute("update payment set due = null")
    await house.pool.execute("update money_request set closed_as = 'expired', closed_ms = 1")


async def test_what_was_theirs_is_gone_and_the_books_stand(house: House) -> None:
    await live_a_while(house)
    await over(house)
    amina = await house.customers.find(AMINA.msisdn)
    assert amina is not None
    await house.customers.check_pin(amina, "4826", "a turn")  # leaves a mark of the guess
    journal = await house.pool.fetch("select * from journal order by payment, version")
    assert await erased(house, amina.customer_id) is State.DONE
    assert await house.customers.find(AMINA.msisdn) is None
    assert await house.customers.recipients(amina.customer_id) == []
    row = await house.pool.fetchrow("select * from customer where id = $1", amina.customer_id)
    kept = {name: value for name, value in row.items() if value not in (None, 0)}
    assert kept.pop("msisdn") == f"erased:{amina.customer_id}"
    assert kept.keys() == {"id", "tenant", "country", "language", "created_at", "erased_ms"}
    assert await house.pool.fetchval(
        "select count(*) from clearance where decision is null"
    ) == 0  # fmt: skip
    # By which name somebody was held stays with that, sealed where there are keys.
    flagged = set() if seals_of(house.pool).hides else {"clearance.names_sealed"}
    assert await columns_with(house.pool, ["Wanjiru", "Nakato"]) == flagged
    assert await house.pool.fetch("select * from journal order by payment, version") == journal
    report = await office_of(house.room.world, {}, pace=Pace(0, 0)).auditor.audit_all()
    assert report.findings == ()
    await assert_books(house.pool)


async def test_their_number_is_gone_from_requests_ported_numbers_and_payments_not_decided(
    house: House,
) -> None:
    clock = house.room.world.clock
    amina = await house.customers.register(AMINA.msisdn, "KE", "en", "4826")
    await house.room.ask()
    await house.pool.execute("update money_request set requester = $1", amina.customer_id)
    await PortabilityStore(house.pool, 1, clock, Ids(clock)).put_down(
        AMINA.msisdn, "airtel_ke", by="amina", why="their word"
    )
    await HistoryStore(house.pool, 1).look(question(), near_minor=10**9, watched=True)
    theirs = (
        "select (select count(*) from ported_number), (select count(*) from clearance),"
        " (select count(*) from money_request where requester_msisdn like 'erased:%')"
    )
    assert tuple(await house.pool.fetchrow(theirs)) == (1, 1, 0)
    await over(house)
    assert await erased(house, amina.customer_id) is State.DONE
    assert tuple(await house.pool.fetchrow(theirs)) == (0, 0, 1)


async def test_who_asked_them_for_money_sees_no_number_and_no_tombstone(house: House) -> None:
    amina = await house.customers.register(AMINA.msisdn, "KE", "en", "4826")
    await house.room.ask()
    await over(house)
    assert await erased(house, amina.customer_id) is State.DONE
    [asked] = await house.room.counter.requests_by(BRIAN.customer_id)
    assert asked.payer is None


async def test_prices_that_businesses_asked_for_them_are_gone_and_those_of_others_stay(
    house: House,
) -> None:
    await live_a_while(house)
    await over(house)
    store = QuoteStore(house.pool, 1)
    theirs = await house.room.world.quote()
    carls = msgspec.structs.replace(theirs, payer=CARL, quote_id="c" * 32)
    for quote in (theirs, carls):
        await store.keep(CLIENT, quote.quote_id, b"h" * 32, quote)
    amina = await house.customers.find(AMINA.msisdn)
    assert amina is not None
    assert await erased(house, amina.customer_id) is State.DONE
    left = await house.pool.fetch("select key from client_quote")
    assert [row["key"] for row in left] == [carls.quote_id]


async def test_the_number_is_free_for_somebody_new(house: House) -> None:
    first = await house.customers.register(AMINA.msisdn, "KE", "en", "4826")
    await house.customers.save_recipient(first.customer_id, FRIEND, "Mum")
    assert await erased(house, first.customer_id) is State.DONE
    second = await house.customers.register(AMINA.msisdn, "KE", "sw", "9173")
    assert second.customer_id != first.customer_id
    assert await house.customers.recipients(second.customer_id) == []
    assert await erased(house, first.customer_id) is State.DONE  # a repeat touches nobody new
    assert await house.customers.find(AMINA.msisdn) == second


async def test_nobody_is_forgotten_in_the_middle_of_a_payment(house: House) -> None:
    customer = await house.customers.register(CARL, "KE", "en", "4826")
    payment = await house.room.sent()
    await Owner(house.pool).execute("update payment set customer = $1", customer.customer_id)
    assert payment
    with pytest.raises(StaffMistake, match="not over"):
        await Erasing(house.pool, 1, house.room.world.clock).erase(customer.customer_id)
    assert await house.customers.find(CARL) == customer


async def test_one_person_alone_erases_nobody(house: House) -> None:
    customer = await house.customers.register(CARL, "KE", "en", "4826")
    desk = office_of(house.room.world, {}).desk
    asked = await desk.propose(
        Kind.ERASE_CUSTOMER, {"customer": customer.customer_id}, by=ASHA, note="x"
    )
    with pytest.raises(StaffMistake):
        await desk.approve(asked.id, by=ASHA)
    assert await house.customers.find(CARL) == customer


async def test_the_trail_of_it_names_nobody(house: House) -> None:
    customer = await house.customers.register(CARL, "KE", "en", "4826")
    await erased(house, customer.customer_id)
    assert await columns_with(house.pool, [CARL[-9:]]) == set()
    [proposal] = (
        await office_of(house.room.world, {}).proposals.listed(only_open=False, most=5)
    ).proposals
    assert (proposal.made_by, proposal.decided_by, proposal.state) == (ASHA, BARAKA, State.DONE)


async def test_a_tombstone_is_no_number_to_be_sealed(house: House) -> None:
    customer = await house.customers.register(CARL, "KE", "en", "4826")
    await erased(house, customer.customer_id)
    if house.pool.seals.hides:
        assert await Resealing(house.pool, 1, house.pool.seals).seal(lambda _: None)
    kept = await house.pool.fetchval("select msisdn from customer")
    assert kept == f"erased:{customer.customer_id}"
