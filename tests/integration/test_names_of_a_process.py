"""Names are compared as a process is put together: from a confirm on a phone to what staff rule."""

from collections.abc import AsyncIterator

import pytest

from engine.clock import PaymentId
from engine.compliance.clearance import OPERATOR, STAFF
from engine.compliance.history import HistoryStore, Named
from engine.compliance.lists.store import ListStore
from engine.compliance.profiles import Profiles
from engine.desk.proposals import Kind, Person, Proposal
from engine.desk.proposals import State as Stands
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.decided import Decided
from engine.payments.lifecycle import State
from tests.integration.client_room import ClientRoom, open_client_room
from tests.integration.compliance_room import LISTED
from tests.unit.compliance.lists_of_nobody import sdn, un
from tests.unit.payments.examples import PAYEE

OTHER = "Vymyshlen Nesushchestvuyev"
"""Another one of the invented lists."""


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[ClientRoom]:
    async with open_client_room(seeded_url) as opened:
        await ListStore(opened.world.pool, 1, smaller_percent_min=80).load(sdn(), 1)
        await opened.engine.screener.refresh()
        yield opened


async def taken_on(room: ClientRoom, told: str) -> PaymentId:
    """A payment as it is confirmed on a phone."""
    counter, amount = room.engine.counter, Money(100_000, "KES")
    quote = await counter.quote(payer=room.payer, network="63902", payee=PAYEE, amount=amount)
    confirmed = await counter.confirm(
        payer=room.payer, quote=quote, key=quote.quote_id, by_pin=True, told=told
    )
    await room.engine.dispatcher.idle()
    return confirmed.payment_id


@pytest.mark.parametrize(
    ("told", "state"), [(LISTED, State.ON_HOLD), ("Sarah Nakato", State.PAYING)]
)
async def test_the_name_that_a_phone_was_shown_is_compared_at_its_confirm(
    room: ClientRoom, told: str, state: State
) -> None:
    payment_id = await taken_on(room, told)
    await room.tell(payment_id)
    assert await room.state(payment_id) is state


async def release(room: ClientRoom, payment_id: PaymentId) -> Proposal:
    desk = room.engine.office.desk
    asked = await desk.propose(
        Kind.RELEASE_HOLD, {"payment": payment_id}, by=Person("amina"), note="looked into"
    )
    return await desk.approve(asked.id, by=Person("brian"))


async def test_what_was_shown_is_released_also_by_another_spelling(room: ClientRoom) -> None:
    await room.engine.customers.register(PAYEE, "UG", "en", "4826")
    payment_id = await taken_on(room, LISTED)
    await room.tell(payment_id)
    await Profiles(room.world.pool, 1).describe(PAYEE, name="Mohammed Kassem Al-Zubaidi")
    assert (await release(room, payment_id)).state is Stands.DONE
    assert await room.state(payment_id) is State.PAYING


async def test_a_release_waits_until_people_were_shown_whom_a_corrected_name_resembles(
    room: ClientRoom,
) -> None:
    await room.engine.customers.register(PAYEE, "UG", "en", "4826")
    payment_id = await taken_on(room, LISTED)
    await room.tell(payment_id)
    await Profiles(room.world.pool, 1).describe(PAYEE, name="Ana Ficticia García Morales")
    refused = await release(room, payment_id)
    assert refused.state is Stands.FAILED
    assert refused.outcome is not None
    assert "than anybody was shown" in refused.outcome and "Ficticia" not in refused.outcome
    assert await room.state(payment_id) is State.ON_HOLD
    decided = Decided(room.world.pool, 1, room.engine.decisions)
    quote_id = await decided.quote_of(payment_id)
    assert quote_id == (await room.payment(payment_id)).quote.quote_id
    named = await HistoryStore(room.world.pool, 1).names_of(quote_id)
    assert named == [
        Named("payee", OPERATOR, LISTED), Named("payee", STAFF, "Ana Ficticia García Morales"),
    ]  # fmt: skip
    *_, shown = await decided.of(payment_id)
    assert "payee resembles ofac_sdn:90002" in shown.decision.reason
    assert (await release(room, payment_id)).state is Stands.DONE
    assert await room.state(payment_id) is State.PAYING


async def test_the_operators_of_a_process_are_asked_once_its_lists_have_changed(
    room: ClientRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def name_of(msisdn: Msisdn) -> str | None:
        return OTHER if msisdn == PAYEE else None

    payment_id = await taken_on(room, OTHER)
    monkeypatch.setattr(room.world.mtn, "name_of", name_of, raising=False)
    await ListStore(room.world.pool, 1, smaller_percent_min=80).load(un(), 1)
    await room.engine.screener.refresh()
    await room.tell(payment_id)
    assert await room.state(payment_id) is State.ON_HOLD
