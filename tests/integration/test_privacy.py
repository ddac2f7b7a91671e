"""With keys set, no number and no name stands plain in any column of any table, and all is found.

The guard reads the whole database: a column that somebody adds is looked at from its first day, and
a table in which nothing was written is named.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import httpx
import pytest
from starlette.applications import Starlette

from channels.inspect import Inspection
from engine.clients.quote_store import QuoteStore
from engine.clock import Ids
from engine.compliance.history import HistoryStore
from engine.compliance.profiles import Profiles
from engine.customers.customers import Customer
from engine.errors import Tampered
from engine.messages.quiet import OptOuts
from engine.once import Answered
from engine.payments.payins.judging import Stage
from engine.payments.portability_store import PortabilityStore
from engine.payments.statements.store import StatementStore
from tests.integration.counter_room import AMINA, BRIAN
from tests.integration.owner import Owner
from tests.integration.privacy_room import (
    ANSWERED,
    ASKED,
    CARL,
    CLIENT,
    FRIEND,
    KEYS,
    NAMED,
    PEOPLE,
    QUIET,
    SEALED,
    UNWRITTEN,
    House,
    columns_with,
    live_a_while,
    once_of,
    open_house,
    question,
    unwritten,
)

pytestmark = pytest.mark.long(
    "every column after everything there is; tests/e2e/test_what_is_left.py reads every table"
)


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    async with open_house(database_url, **KEYS) as opened:
        assert opened.pool.seals.hides
        yield opened


async def test_no_number_and_no_name_stands_plain_anywhere(house: House) -> None:
    await live_a_while(house)
    assert await columns_with(house.pool, PEOPLE) == set()
    strangers = await unwritten(house.pool) - UNWRITTEN
    assert strangers == set(), "nothing is proven of these: let live_a_while write them"


async def test_the_guard_sees_a_column_that_was_forgotten(database_url: str) -> None:
    """The same life without keys: every column that is sealed is one the guard looks into."""
    async with open_house(database_url) as plain:
        await live_a_while(plain)
        assert await columns_with(plain.pool, PEOPLE) == SEALED


async def test_people_are_found_by_their_numbers(house: House) -> None:
    await live_a_while(house)
    world, counter = house.room.world, house.room.counter
    amina = await house.customers.find(AMINA.msisdn)
    assert amina is not None and amina.msisdn == AMINA.msisdn
    assert await house.customers.register(AMINA.msisdn, "KE", "sw", "9173") == amina
    assert await house.customers.find(CARL) is None
    [mum] = await house.customers.recipients(amina.customer_id)
    assert (mum.msisdn, mum.name) == (FRIEND, "Mum Nakato")
    profile = (await Profiles(house.pool, 1).find([AMINA.msisdn]))[AMINA.msisdn]
    assert (profile.name, profile.msisdn) == ("Amina Wanjiru", AMINA.msisdn)
    assert await Profiles(house.pool, 1).number_of(amina.customer_id) == AMINA.msisdn
    [asked] = await counter.requests_to(AMINA.msisdn)
    assert asked.requester == BRIAN.msisdn
    received = await counter.recent_payments(BRIAN.customer_id, BRIAN.msisdn)
    assert [(p.incoming, p.payer) for p in received] == [(True, AMINA.msisdn)]
    sent = await counter.recent_payments(AMINA.customer_id, AMINA.msisdn)
    assert {p.payee for p in sent} == {BRIAN.msisdn}
    assert await OptOuts(house.pool, 1, world.clock).are_quiet(QUIET)
    assert not await OptOuts(house.pool, 1, world.clock).are_quiet(CARL)
    ported = PortabilityStore(house.pool, 1, world.clock, Ids(world.clock))
    assert (await ported.seen(CARL)).put_down == "airtel_ke"
    assert [word.operator for word in await ported.history(CARL)] == ["airtel_ke"]


async def test_the_inspection_door_finds_payments_by_either_number(house: House) -> None:
    """The payer stands in no payment's terms but sealed: the customer's row leads there."""
    await live_a_while(house)
    amina = await house.customers.find(AMINA.msisdn)
    assert amina is not None
    await Owner(house.pool).execute("update payment set customer = $1", amina.customer_id)
    world = house.room.world
    door = Inspection(
        pool=world.pool, tenant=1, store=world.store, books=world.books,
        directory=world.directory, token="t" * 32,
    )  # fmt: skip
    transport = httpx.ASGITransport(Starlette(routes=door.routes()))
    found = []
    async with httpx.AsyncClient(transport=transport, base_url="http://capp.test") as client:
        for number in (AMINA.msisdn, BRIAN.msisdn, CARL):
            answer = await client.get(
                "/inspect/payments", params={"msisdn": number},
                headers={"authorization": f"Bearer {'t' * 32}"},
            )  # fmt: skip
            found.append(len(answer.json()["payments"]))
    assert found == [3, 3, 0]


async def test_what_was_sealed_is_read_where_it_is_needed(house: House) -> None:
    await live_a_while(house)
    world = house.room.world
    [flagged] = await HistoryStore(house.pool, 1).flagged(
        datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
    )
    assert (flagged.question.payer, flagged.question.payee) == (AMINA.msisdn, CARL)
    assert await HistoryStore(house.pool, 1).names_of(question().quote_id) == [NAMED]
    dossier = await HistoryStore(house.pool, 1).look(question(), near_minor=1, watched=True)
    assert dossier.payer is not None and dossier.payer.name == "Amina Wanjiru"
    [pay_in] = await house.till.room.store.listed(list(Stage), 10)
    assert (pay_in.paid.payer, pay_in.paid.reference) == (AMINA.msisdn, "for Amina 0712000001")
    [line] = await StatementStore(house.pool, 1).lines(
        "mpesa_ke", date(2026, 11, 1), date(2026, 11, 30), []
    )
    assert line.theirs.line.counterparty == f"{CARL.digits} CARL OTIENO"
    proposals = (await house.till.office.proposals.listed(only_open=True, most=10)).proposals
    assert any(CARL in proposal.body for proposal in proposals)
    told = await once_of(house).take(ASKED)
    assert told == Answered(201, ANSWERED)
    promised = await QuoteStore(house.pool, 1).known(CLIENT, "q1", b"h" * 32)
    assert promised is not None and promised.quote.payee == BRIAN.msisdn
    taken = await QuoteStore(house.pool, 1).take(CLIENT, promised.quote.quote_id, "p1")
    assert taken == promised.quote
    assert {sms.to for sms in world.sms.sent} >= {AMINA.msisdn, BRIAN.msisdn}


async def test_who_cannot_be_read_keeps_nobody_else_from_being_found(house: House) -> None:
    """They dial in the same moment and are looked up together."""
    who = (FRIEND, AMINA.msisdn, BRIAN.msisdn)
    for msisdn in who:
        await house.customers.register(msisdn, "KE", "en", "4826")
    await house.pool.execute(
        "update customer c set msisdn_sealed = o.msisdn_sealed from customer o"
        " where c.msisdn = any($1::text[]) and o.msisdn = any($2::text[])",
        house.pool.seals.indexes(AMINA.msisdn), house.pool.seals.indexes(BRIAN.msisdn),
    )  # fmt: skip
    finds = [house.customers.find(msisdn) for msisdn in who]
    friend, amina, brian = await asyncio.gather(*finds, return_exceptions=True)
    assert isinstance(amina, Tampered)
    found = [one.msisdn for one in (friend, brian) if isinstance(one, Customer)]
    assert found == [FRIEND, BRIAN.msisdn]


@pytest.mark.parametrize("column", ["msisdn_sealed", "name"])
async def test_a_value_that_was_moved_to_another_row_is_refused(house: House, column: str) -> None:
    """Who can write to the database cannot have one customer taken for another."""
    profiles = Profiles(house.pool, 1)
    for msisdn, name in ((AMINA.msisdn, "Amina Wanjiru"), (BRIAN.msisdn, "Brian Okello")):
        await house.customers.register(msisdn, "KE", "en", "4826")
        await profiles.describe(msisdn, name=name)
    await house.pool.execute(
        f"update customer c set {column} = o.{column} from customer o where o.id <> c.id"
    )
    with pytest.raises(Tampered, match="was not sealed there"):
        await profiles.find([AMINA.msisdn])
