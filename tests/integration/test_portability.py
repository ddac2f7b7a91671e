"""Whose wallet a number is, from what we saw and put down ourselves, on a real Postgres."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import asyncpg
import pytest

from channels.cli import _parser
from channels.commands import ported
from engine.clock import Ids
from engine.customers.customers import Customer
from engine.customers.store import Customers
from engine.decisions import Kind
from engine.errors import CustomerMistake, StaffMistake
from engine.fx.quotes import Quote
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.facts import read_terms
from engine.payments.portability import Source
from engine.payments.portability_store import PortabilityStore
from engine.payments.replays import differing
from engine.payments.wallets import Wallets
from tests.integration.counter_room import Counted
from tests.integration.customers_room import PIN
from tests.integration.customers_room import customers as house_of
from tests.integration.owner import Owner
from tests.integration.world import CUSTOMER, World, open_world, settings_for
from tests.unit.payments.examples import PAYEE

pytestmark = pytest.mark.long("sightings in each order, on a real Postgres")

MTN, AIRTEL, SAFARICOM, TEST_NETWORK = "64110", "64101", "63902", "99999"
AIRTELS = Msisdn("+256752000001")
"""A number of a range that we cannot pay into."""


class Room(NamedTuple):
    """A world, its customers, and what staff put down."""

    world: World
    store: PortabilityStore
    wallets: Wallets
    house: Customers
    counted: Counted

    async def dials(self, network: str, msisdn: Msisdn = AIRTELS) -> Customer:
        """As a dial does: found, and the network noted."""
        self.world.clock.pass_(1)
        known = await self.house.find(msisdn) or await self.house.register(msisdn, "UG", "en", PIN)
        await self.house.note_network(known, network)
        found = await self.house.find(msisdn)
        assert found is not None
        return found

    async def put_down(self, operator: str | None, msisdn: Msisdn = AIRTELS) -> bool:
        self.world.clock.pass_(1)
        return await self.store.put_down(msisdn, operator, by="asha", why="called her")

    async def believed(self, msisdn: Msisdn = AIRTELS) -> tuple[str | None, Source]:
        wallet = await self.wallets.of(msisdn)
        return wallet.operator, wallet.source

    async def quote(self, payee: Msisdn = AIRTELS, wallet: str | None = None) -> Quote:
        return await self.world.payments.selling.quote(
            payer=CUSTOMER, network=SAFARICOM, payee=payee, amount=Money(100_000, "KES"),
            wallet=wallet,
        )  # fmt: skip


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[Room]:
    async with open_world(seeded_url) as world:
        store = PortabilityStore(world.pool, 1, world.clock, Ids(world.clock))
        counted = Counted(world.pool)
        house = house_of(counted, world.clock)
        yield Room(world, store, Wallets(world.directory, store), house, counted)


# Who is believed.


async def test_a_customer_has_the_wallet_of_who_serves_their_dial(room: Room) -> None:
    assert await room.believed() == ("airtel_ug", Source.PREFIX)
    await room.dials(MTN)
    assert await room.believed() == ("mtn_ug", Source.DIALLED)


async def test_what_staff_put_down_holds_until_dials_come_by_another_network(room: Room) -> None:
    await room.dials(AIRTEL)
    assert await room.put_down("mtn_ug")
    assert await room.believed() == ("mtn_ug", Source.PUT_DOWN)
    await room.dials(AIRTEL)  # one more dial by the same network is no news
    assert await room.believed() == ("mtn_ug", Source.PUT_DOWN)
    await room.dials(MTN)
    await room.dials(AIRTEL)
    assert await room.believed() == ("airtel_ug", Source.DIALLED)


async def test_a_word_that_was_taken_back_counts_no_more_and_is_kept(room: Room) -> None:
    assert await room.put_down("mtn_ug")
    assert await room.put_down(None)
    assert await room.believed() == ("airtel_ug", Source.PREFIX)
    assert [(w.operator, w.by) for w in await room.store.history(AIRTELS)] == [
        (None, "asha"), ("mtn_ug", "asha"),
    ]  # fmt: skip


async def test_the_same_word_again_is_not_written_again(room: Room) -> None:
    assert await room.put_down("mtn_ug")
    assert not any(await asyncio.gather(*(room.put_down("mtn_ug") for _ in range(5))))
    assert len(await room.store.history(AIRTELS)) == 1
    assert not await room.put_down(None, PAYEE)  # nothing was put down, nothing to take back
    assert await room.store.history(PAYEE) == []


async def test_a_traveller_is_still_at_home(room: Room) -> None:
    await room.dials(SAFARICOM)
    assert await room.believed() == ("airtel_ug", Source.PREFIX)


async def test_a_word_about_another_tenants_number_is_none(room: Room) -> None:
    clock = room.world.clock
    theirs = PortabilityStore(Owner(room.world.pool), 2, clock, Ids(clock))
    await theirs.put_down(AIRTELS, "mtn_ug", by="asha", why="")
    assert await room.believed() == ("airtel_ug", Source.PREFIX)


async def test_a_database_that_is_away_leaves_the_prefix(room: Room) -> None:
    await room.put_down("mtn_ug")
    away = PortabilityStore(Away(), 1, room.world.clock, Ids(room.world.clock))
    wallet = await Wallets(room.world.directory, away).of(AIRTELS)
    assert (wallet.operator, wallet.source) == ("airtel_ug", Source.PREFIX)


class Away:
    """A pool without a server."""

    async def fetch(self, *_: object) -> None:
        raise asyncpg.InterfaceError("the connection is closed")


# What a dial costs.


async def test_a_dial_by_the_same_network_writes_nothing(room: Room) -> None:
    await room.dials(MTN)
    room.counted.statements.clear()
    customer = await room.dials(MTN)
    assert customer.network == MTN
    assert [s for s in room.counted.statements if "update" in s] == []


async def test_two_dials_of_one_moment_note_one_beginning(room: Room) -> None:
    before = await room.house.register(AIRTELS, "UG", "en", PIN)
    await room.house.note_network(before, MTN)
    began = (await room.store.seen(AIRTELS)).network_since_ms
    room.world.clock.pass_(1)
    await room.house.note_network(before, MTN)  # found before the other was noted
    assert (await room.store.seen(AIRTELS)).network_since_ms == began > 0


@pytest.mark.parametrize("network", ["", "sms", TEST_NETWORK, "6411", "٦٤١١٠"])
async def test_what_is_no_network_is_no_news(room: Room, network: str) -> None:
    await room.dials(MTN)
    assert (await room.dials(network)).network == MTN


# In a payment.


async def test_the_price_is_for_that_wallet_and_keeps_why(room: Room) -> None:
    with pytest.raises(CustomerMistake) as caught:
        await room.quote()
    assert caught.value.text_key == "mistake.operator_unsupported"
    await room.dials(MTN)
    quote = await room.quote()
    assert quote.payee_operator == "mtn_ug"
    (decision,) = quote.decisions
    assert (decision.kind, decision.outcome) == (Kind.WALLET, "mtn_ug")
    assert decision.reason == "dialled; prefix: airtel_ug"
    assert AIRTELS.digits not in repr(decision)


async def test_a_payment_keeps_whose_word_it_was_and_comes_out_the_same_again(room: Room) -> None:
    quote = await room.quote(wallet="mtn_ug")
    confirmed = await room.world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key="k")
    row = await room.world.pool.fetchrow(
        "select facts from journal where payment = $1 and version = 1", confirmed.payment_id
    )
    kept = read_terms(row["facts"]).quote
    assert (kept.payee_operator, kept.ways) == ("mtn_ug", ("mtn_ug",))
    (decision,) = kept.decisions
    assert decision.reason == "chosen; prefix: airtel_ug"
    assert differing(kept.decisions) == []


async def test_a_choice_counts_for_its_payment_alone(room: Room) -> None:
    assert (await room.quote(wallet="mtn_ug")).payee_operator == "mtn_ug"
    assert await room.believed() == ("airtel_ug", Source.PREFIX)


async def test_a_prefix_alone_leaves_nothing_to_keep(room: Room) -> None:
    assert (await room.quote(PAYEE)).decisions == ()


async def test_a_number_is_refused_where_it_is_typed_only_if_nobody_knows_better(
    room: Room,
) -> None:
    selling = room.world.payments.selling
    with pytest.raises(CustomerMistake):
        await selling.check_payee(payer=CUSTOMER, network=SAFARICOM, payee=AIRTELS)
    await room.put_down("mtn_ug")
    await selling.check_payee(payer=CUSTOMER, network=SAFARICOM, payee=AIRTELS)


async def test_only_wallets_with_a_corridor_are_offered(room: Room) -> None:
    offered = room.world.payments.selling.payable_wallets(
        payer=CUSTOMER, network=SAFARICOM, payee=PAYEE
    )
    assert set(offered) <= {"mtn_ug", "other_ug"}
    assert "mtn_ug" in offered
    nowhere = room.world.payments.selling.payable_wallets(
        payer=CUSTOMER, network="63903", payee=PAYEE
    )
    assert nowhere == ()  # nobody collects from that payer


# What staff type.


async def capp(database_url: str, *words: str) -> tuple[bool, list[str]]:
    said: list[str] = []
    options = _parser(["ported"]).parse_args(["ported", *words])
    return await ported.run_ported(settings_for(database_url), options, said.append), said


async def test_staff_put_down_look_and_take_back(room: Room, database_url: str) -> None:
    await room.dials(AIRTEL)
    well, said = await capp(
        database_url, AIRTELS, "mtn_ug", "--as", "Asha", "--why", "she showed her phone"
    )
    assert well
    assert said[0] == "+2567*****001  by its prefix: airtel_ug"
    assert said[1].startswith("  dials by airtel_ug since ")
    assert said[2].startswith("  put down as mtn_ug by asha ")
    assert said[2].endswith(": she showed her phone")
    assert (await capp(database_url, AIRTELS))[1] == said
    well, said = await capp(database_url, AIRTELS, "--forget", "--as", "babu")
    assert well and said[2].startswith("  taken back by babu ")
    assert AIRTELS.digits not in "".join(said)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["mtn_ug"], "who puts that down? --as NAME"),
        (["--forget"], "who puts that down? --as NAME"),
        (["mtn_ke", "--as", "asha"], "nobody is called mtn_ke in UG (engine/prefixes.yaml)"),
        (["mpesa_ke", "--as", "asha"], "nobody is called mpesa_ke in UG (engine/prefixes.yaml)"),
        (["mtn_ug", "--forget", "--as", "asha"], "either an operator or --forget"),
        (["mtn_ug", "--as", "asha", "--why", "x" * 201], "--why wants at most 200 characters"),
    ],
)
async def test_what_makes_no_sense_is_not_written(
    room: Room, database_url: str, words: list[str], why: str
) -> None:
    assert await capp(database_url, AIRTELS, *words) == (False, [why])
    assert await room.store.history(AIRTELS) == []


async def test_no_reason_looks_like_another_persons_word(room: Room, database_url: str) -> None:
    """Who moves a number to a network leaves no line of somebody else's behind it."""
    forged = "said so\n  taken back by babu 2026-11-22 10:00: a mistake"
    with pytest.raises(StaffMistake, match="one line"):
        await capp(database_url, AIRTELS, "mtn_ug", "--as", "asha", "--why", forged)
    assert await room.store.history(AIRTELS) == []
    await room.store.put_down(AIRTELS, "mtn_ug", by="asha", why=forged)  # as earlier programs did
    _, said = await capp(database_url, AIRTELS)
    assert [line for line in said if line.startswith("  ")] == said[1:2]
    assert all(line.isprintable() for line in said)


async def test_somebody_without_a_name_is_nobody(database_url: str) -> None:
    with pytest.raises(StaffMistake):
        await capp(database_url, AIRTELS, "mtn_ug", "--as", "  ")
