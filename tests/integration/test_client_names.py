"""Names of a client's payments: asked for behind the answer that the client gets, and compared."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from engine.clock import AttemptId, PaymentId
from engine.compliance.clearance import CLIENT, OPERATOR
from engine.compliance.history import HistoryStore, Named
from engine.compliance.lists.store import ListStore
from engine.errors import Unreachable
from engine.fx.quotes import Expected
from engine.msisdn import Msisdn
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.ports import Finding, Outcome
from tests.integration.clearing_room import BY_TWO
from tests.integration.client_room import PRICE, ClientRoom, open_client_room
from tests.integration.compliance_room import LISTED
from tests.integration.privacy_room import KEYS
from tests.integration.world import CUSTOMER, open_world
from tests.unit.compliance.lists_of_nobody import sdn
from tests.unit.payments.examples import PAYEE
from tests.until import until

TABLES = (
    "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
)


@dataclass
class Teller:
    """The operator of the payees' wallets, which tells their names once it may."""

    name: str | Exception | None = "Sarah Nakato"
    asked: list[Msisdn] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def name_of(self, msisdn: Msisdn) -> str | None:
        self.asked.append(msisdn)
        await self.may_answer.wait()
        if isinstance(self.name, Exception):
            raise self.name
        return self.name


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[ClientRoom]:
    async with open_client_room(seeded_url) as opened:
        await ListStore(opened.world.pool, 1, smaller_percent_min=80).load(sdn(), 1)
        await opened.engine.screener.refresh()
        yield opened


@pytest.fixture
def teller(room: ClientRoom, monkeypatch: pytest.MonkeyPatch) -> Iterator[Teller]:
    played = Teller()
    played.may_answer.set()
    monkeypatch.setattr(room.world.mtn, "name_of", played.name_of, raising=False)
    yield played
    played.may_answer.set()


async def names_kept(room: ClientRoom, payment_id: str) -> list[Named]:
    quote = (await room.payment(payment_id)).quote
    return await HistoryStore(room.world.pool, 1).names_of(quote.quote_id)


async def test_a_payee_is_compared_by_their_operators_word_before_the_payout(
    room: ClientRoom, teller: Teller
) -> None:
    teller.name = LISTED
    payment_id = await room.send()
    await room.tell(payment_id)
    assert await room.state(payment_id) is State.ON_HOLD
    assert room.world.mtn.orders == [] and teller.asked == [PAYEE]
    assert await names_kept(room, payment_id) == [Named("payee", OPERATOR, LISTED)]
    status = (await room.get(f"/payments/{payment_id}/status")).text
    assert "Zubaidi" not in status


async def test_who_resembles_nobody_is_paid_and_their_name_kept_nowhere(
    room: ClientRoom, teller: Teller
) -> None:
    payment_id = await room.send()
    await room.tell(payment_id)
    assert await room.state(payment_id) is State.PAYING
    assert teller.asked == [PAYEE]
    assert await names_kept(room, payment_id) == []


async def test_a_send_is_answered_before_the_operator_has_told_anything(
    room: ClientRoom, teller: Teller
) -> None:
    teller.may_answer.clear()
    payment_id = await room.send()
    await until(lambda: teller.asked)
    paying = asyncio.create_task(room.tell(payment_id))
    teller.name = LISTED
    teller.may_answer.set()  # while the money comes in
    await paying
    assert await room.state(payment_id) is State.ON_HOLD
    assert teller.asked == [PAYEE]


async def test_an_operator_that_cannot_be_asked_holds_nobody(
    room: ClientRoom, teller: Teller
) -> None:
    teller.name = Unreachable("mtn_ug", "away")
    payment_id = await room.send()
    await room.tell(payment_id)
    assert await room.state(payment_id) is State.PAYING


async def test_the_same_request_again_asks_nobody_again(room: ClientRoom, teller: Teller) -> None:
    for _ in range(3):
        await room.post("/payments/send", PRICE, key="order-0001")
    await room.engine.dispatcher.idle()
    await until(lambda: teller.asked)
    await room.engine.told_names.aclose()
    assert teller.asked == [PAYEE]


# The name that the client tells.


async def test_the_name_that_a_client_expects_is_compared_at_once(
    room: ClientRoom, teller: Teller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent = await room.post("/payments/send", PRICE | {"payee_name": LISTED})
    assert sent.status_code == 201 and "Zubaidi" not in sent.text
    await room.engine.dispatcher.idle()
    payment_id = sent.json()["id"]
    await room.tell(payment_id)
    assert await room.state(payment_id) is State.ON_HOLD
    assert await names_kept(room, payment_id) == [Named("payee", CLIENT, LISTED)]
    assert "Zubaidi" not in caplog.text


async def test_another_name_than_the_operators_refuses_nobody(
    room: ClientRoom, teller: Teller
) -> None:
    quote = (await room.post("/quotes", PRICE)).json()["id"]
    sent = await room.post("/payments/send", {"quote": quote, "payee_name": "Amina Nansubuga"})
    assert sent.status_code == 201
    await room.engine.dispatcher.idle()
    await room.tell(sent.json()["id"])
    assert await room.state(sent.json()["id"]) is State.PAYING


async def test_another_name_is_another_request(room: ClientRoom, teller: Teller) -> None:
    named = PRICE | {"payee_name": "Sarah Nakato"}
    first = await room.post("/payments/send", named, key="order-0001")
    again = await room.post("/payments/send", named, key="order-0001")
    assert again.content == first.content
    other = PRICE | {"payee_name": "Amina Nansubuga"}
    refused = await room.post("/payments/send", other, key="order-0001")
    assert (refused.status_code, refused.json()["code"]) == (422, "key_reused")


@pytest.mark.parametrize("name", ["", " ", "+256772000002", "Sarah\nNakato", "S\u202eN", "A" * 101])
async def test_what_nobody_is_called_is_malformed(room: ClientRoom, name: str) -> None:
    refused = await room.post("/payments/send", PRICE | {"payee_name": name})
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed")
    assert await room.made() == 0


# A list that comes between the confirm and the payout.


@pytest.fixture
async def unlisted(seeded_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ClientRoom]:
    """Before the list, with an operator that tells another name than the client does."""
    async with open_client_room(seeded_url) as opened:
        played = Teller()
        played.may_answer.set()
        monkeypatch.setattr(opened.world.mtn, "name_of", played.name_of, raising=False)
        yield opened


async def sent_to(room: ClientRoom, name: str) -> str:
    sent = await room.post("/payments/send", PRICE | {"payee_name": name})
    assert sent.status_code == 201, sent.text
    await room.engine.dispatcher.idle()
    return str(sent.json()["id"])


async def load_later(room: ClientRoom) -> None:
    await ListStore(room.world.pool, 1, smaller_percent_min=80).load(sdn(), 1)
    await room.engine.screener.refresh()


async def test_the_name_by_a_clients_word_is_compared_with_a_list_of_after_the_confirm(
    unlisted: ClientRoom,
) -> None:
    listed, innocent = await sent_to(unlisted, LISTED), await sent_to(unlisted, "Amina Nansubuga")
    await load_later(unlisted)
    await unlisted.tell(listed)
    await unlisted.tell(innocent)
    assert await unlisted.state(listed) is State.ON_HOLD
    assert await names_kept(unlisted, listed) == [Named("payee", CLIENT, LISTED)]
    assert await unlisted.state(innocent) is State.PAYING


async def test_it_is_compared_again_when_what_was_put_off_leaves(
    unlisted: ClientRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlisted.engine.health, "may_disburse", lambda _: False)
    payment_id = await sent_to(unlisted, LISTED)
    await unlisted.tell(payment_id)
    assert await unlisted.state(payment_id) is State.PAYOUT_QUEUED
    await load_later(unlisted)
    monkeypatch.undo()
    await unlisted.engine.rulings.order_payout(await unlisted.payment(payment_id))
    assert await unlisted.state(payment_id) is State.ON_HOLD
    assert unlisted.world.mtn.orders == []


async def test_by_the_list_of_the_confirm_it_is_decided_on_once(unlisted: ClientRoom) -> None:
    await load_later(unlisted)
    payment_id = await sent_to(unlisted, LISTED)
    await unlisted.tell(payment_id)
    assert await unlisted.state(payment_id) is State.ON_HOLD
    assert await unlisted.engine.rulings.release(PaymentId(payment_id), BY_TWO)
    assert await unlisted.state(payment_id) is State.PAYING


async def test_a_client_that_named_one_payee_has_not_named_another(unlisted: ClientRoom) -> None:
    """Whom people put in the place of one who did not get it."""
    await load_later(unlisted)
    payment_id = await sent_to(unlisted, LISTED)
    await unlisted.tell(payment_id)
    await unlisted.engine.rulings.release(PaymentId(payment_id), BY_TWO)
    await unlisted.engine.dispatcher.idle()
    payout = AttemptId((await unlisted.payment(payment_id)).live or "")
    await unlisted.tell(payment_id)
    back = Finding(Outcome.REVERSED, "reversed")
    await unlisted.engine.payments.apply_finding(payout, back, Source.QUERY, "{}")
    other = Msisdn("+256772000099")
    await unlisted.engine.rulings.repay(PaymentId(payment_id), BY_TWO, payee=other)
    assert await unlisted.state(payment_id) is State.PAYING
    assert (await unlisted.payment(payment_id)).quote.expected is None


async def test_the_name_lies_sealed_in_the_terms_and_nowhere_else(
    seeded_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_world(seeded_url, CAPP_DATA_KEYS=KEYS["CAPP_DATA_KEYS"]) as world:
        quote = await world.quote()
        confirmed = await world.payments.confirming.confirm(
            payer=CUSTOMER, quote=quote, key="order-0001", expected='Amina "Nini" Nansubuga'
        )
        payment = await world.payment(confirmed.payment_id)
        assert payment.quote.expected == Expected('Amina "Nini" Nansubuga')
        assert "Nansubuga" not in repr(payment) + caplog.text
        read = 0
        for (table,) in map(tuple, await world.pool.fetch(TABLES)):
            rows = [row[0] for row in await world.pool.fetch(f'select t::text from "{table}" t')]
            assert not [row for row in rows if "Nansubuga" in row], table
            read += any("payee_name" in row for row in rows)
        assert read == 1
