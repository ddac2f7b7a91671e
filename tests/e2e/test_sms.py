"""SMS as people use it, over both processes and two gateways: once each, whatever dies.

Africa's Talking is preferred; Twilio's sandbox runs in the test itself, to be looked into.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from simulator.messaging import Sms, SmsIn
from simulator.operators import credentials
from simulator.operators.world import World
from simulator.sandbox import serving
from simulator.stack import Stack, read_secrets
from simulator.twilio import TwilioSandbox, TwilioSandboxSettings, twilio_app
from tests.e2e.city import City, Person, open_city
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, start_stack
from tests.e2e.told import is_delay

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.long("a stack with two gateways, of which processes are killed"),
]

NUMBER = credentials.TWILIO_SANDBOX_SENDER
SILENCE_SECONDS = 60.0


class Twilio:
    """The other gateway: its sandbox, and where it knocks at our door."""

    def __init__(self, url: str, sandbox: TwilioSandbox) -> None:
        self.url = url
        self.sandbox = sandbox

    def write(self, person: Person, text: str) -> Sms:
        """Somebody writes to us through this gateway."""
        return self.sandbox.receive(SmsIn(from_=person.msisdn, to=NUMBER, text=text))

    def texts(self, person: Person) -> list[str]:
        return [message.text for message in self.sandbox.inbox(person.msisdn, after=0)]

    async def take(self, city: City, person: Person, text: str) -> tuple[str, int | None]:
        """The id of a message that somebody writes, and what we answer the gateway."""
        deliveries = self.sandbox.courier.deliveries
        before = len(deliveries)

        async def delivered() -> bool | None:
            return len(deliveries) > before or None

        message = self.write(person, text)
        await city.until(delivered, "nothing was delivered")
        return message.id, deliveries[-1].status


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def twilio() -> AsyncIterator[Twilio]:
    sandbox = TwilioSandbox(World(), TwilioSandboxSettings())
    async with serving({"twilio": (twilio_app(sandbox), 0)}) as urls:
        yield Twilio(urls["twilio"], sandbox)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    e2e_folder: Path, databases: Databases, typed: Typed, twilio: Twilio
) -> AsyncIterator[Stack]:
    """A stack of its own, which dies in the end."""
    environment = {
        "CAPP_COLLECT_DELAY_SECONDS": "0",
        "CAPP_FIRST_LOOK_SECONDS": "2",
        "CAPP_LEASE_SECONDS": "3",
        "CAPP_SMS_GATEWAYS": "africastalking,twilio",
        "CAPP_TWILIO_BASE_URL": twilio.url,
        "CAPP_TWILIO_ACCOUNT_SID": credentials.TWILIO_SANDBOX_ACCOUNT_SID,
        "CAPP_TWILIO_AUTH_TOKEN": credentials.TWILIO_SANDBOX_AUTH_TOKEN,
        "CAPP_TWILIO_SENDER": NUMBER,
    }
    started = await asyncio.to_thread(
        start_stack,
        e2e_folder / "sms",
        databases,
        database="sms",
        redis_number=5,
        environment=environment,
    )
    try:
        typed.watch(started)
        twilio.sandbox.settings.sms_in_url = door(started, "twilio")
        yield started
    finally:
        await asyncio.to_thread(started.stop)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(stack: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    async with open_city(stack, typed, random) as opened:
        yield opened


def door(stack: Stack, gateway: str) -> str:
    """Where this gateway brings the messages of phones."""
    token = read_secrets(stack.kept / "demo.env")["CAPP_GATEWAY_TOKEN"]
    return f"{stack.places.server}/sms/{gateway}/{token}/message"


async def registered(city: City, *, language: Any = "en") -> Person:
    person = city.newcomer("KE", language)
    await (await city.register(person)).hang_up()
    return person


class Phone:
    """Somebody who writes and reads SMS, through the preferred gateway."""

    def __init__(self, city: City, person: Person) -> None:
        self._city = city
        self.person = person
        self._heard = 0

    async def write(self, text: str) -> str:
        """The answer: the next message that comes, but for one that a payment takes long."""
        await self._city.admin.write_sms(self.person.msisdn, text)
        return await self.next()

    async def next(self) -> str:
        async def arrived() -> str | None:
            found = await self._city.admin.messages(self.person.msisdn, after=self._heard)
            for message in found:
                self._heard = message.n
                if not is_delay(message.text):
                    return message.text
            return None

        return await self._city.until(arrived, "no SMS came")


async def messages_about(city: City, payment_id: str, template: str) -> list[tuple[Any, ...]]:
    rows = await city.rows(
        "select gateway, status, segments, counted from sms_message"
        " where payment = $1::uuid and template = $2",
        payment_id,
        template,
    )
    return [tuple(row) for row in rows]


async def inbound(city: City, message_id: str) -> int:
    """How often a message of this id was done with."""
    rows = await city.rows("select 1 from sms_inbound where message_id = $1", message_id)
    return len(rows)


# Once each.


async def test_a_message_that_is_delivered_again_and_again_is_answered_and_acts_once(
    city: City, stack: Stack
) -> None:
    payer, payee = await registered(city), city.newcomer("UG")

    async def deliver(id_: str, text: str) -> None:
        body = urlencode(
            {"id": id_, "from": payer.msisdn, "to": "38496", "text": text, "date": "x"}
        )
        posts = (city.client.post(door(stack, "africastalking"), content=body) for _ in range(4))
        statuses = {response.status_code for response in await asyncio.gather(*posts)}
        assert 200 in statuses
        assert statuses <= {200, 503}  # 503: another one is at it, to be offered again

    async def deliver_thrice(id_: str, text: str, *, answers: int) -> None:
        for _ in range(3):
            await deliver(id_, text)
        await city.until(lambda: arrived(answers), "the answer did not come")

    async def arrived(number: int) -> bool | None:
        return len(await city.messages(payer)) >= number or None

    first_id, second_id = (f"told-{city.random.getrandbits(64):x}-g" for _ in range(2))
    await deliver_thrice(first_id, f"SEND 500 {payee.msisdn}", answers=1)
    await deliver_thrice(second_id, "YES", answers=2)
    payment = await city.ends(payer, "PAID")
    await deliver_thrice(second_id, "YES", answers=3)
    await city.told(payer, "Reply YES:", f"{payment.code} started", "Confirmed.")
    await city.assert_moved_once(payment, payer, payee)


async def test_the_same_message_by_two_gateways_is_one_payment(city: City, twilio: Twilio) -> None:
    """A number that is reached through both: each brings it under an id of its own."""
    payer, payee = await registered(city), city.newcomer("UG")
    phone = Phone(city, payer)
    assert "Reply YES" in await phone.write(f"SEND 500 {payee.msisdn}")
    await city.admin.write_sms(payer.msisdn, "YES")
    twilio.write(payer, "YES")
    payment = await city.ends(payer, "PAID")
    await city.assert_moved_once(payment, payer, payee)


async def test_a_journey_is_walked_by_sms_without_a_capp_pin_in_swahili(
    city: City, twilio: Twilio
) -> None:
    payer, payee = await registered(city, language="sw"), city.newcomer("UG")
    phone = Phone(city, payer)
    assert (await phone.write("MENYU 1")).startswith("Namba ya kulipa")
    twilio.write(payer, payee.msisdn)  # the other way in, the same journey
    assert (await phone.next()).startswith(f"Kwa {payee.msisdn}\nKiasi kwa KES")
    assert "Jumla KES 515" in await phone.write("500")
    done = await phone.write("1")
    payment = await city.ends(payer, "PAID")
    assert done.startswith(f"{payment.code} imeanza")
    assert (await phone.next()).startswith(f"{payment.code} Imethibitishwa.")
    await city.assert_moved_once(payment, payer, payee)


# Who may be heard.


@pytest.mark.parametrize("signature", ["wrong", "none"])
async def test_a_message_nobody_at_twilio_signed_is_refused(
    city: City, twilio: Twilio, signature: Any
) -> None:
    payer, payee = await registered(city), city.newcomer("UG")
    twilio.sandbox.settings.signature = signature
    try:
        sid, status = await twilio.take(city, payer, f"SEND 500 {payee.msisdn}")
    finally:
        twilio.sandbox.settings.signature = "right"
    assert (status, await inbound(city, sid)) == (403, 0)
    sid, status = await twilio.take(city, payer, "HELP")
    assert (status, await inbound(city, sid)) == (200, 1)
    await city.told(payer, "CAPP: SEND 500")


async def test_who_guesses_the_address_is_told_nothing(city: City, stack: Stack) -> None:
    body = urlencode({"id": "1", "from": city.newcomer("KE").msisdn, "text": "HELP"})
    for gateway in ("africastalking", "twilio"):
        url = door(stack, gateway).replace("/message", "x/message")
        assert (await city.client.post(url, content=body)).status_code == 404


async def test_a_pin_by_sms_is_refused(city: City) -> None:
    """`test_what_is_left.py` looks for it afterwards in all that was written."""
    phone = Phone(city, await registered(city))
    assert (await phone.write(phone.person.pin)).startswith("Never send your PIN by SMS.")
    assert (await phone.write(f"my PIN is {phone.person.pin}")).startswith("Never send your PIN")
    assert await city.latest(phone.person) is None


# Two gateways.


async def test_what_the_first_gateway_definitely_refuses_leaves_by_the_second(
    city: City, twilio: Twilio
) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.arm(payee, "sms", "sms_rejected", sandbox="gateway")
    await city.pay(payer, payee, 500)
    payment = await city.ends(payer, "PAID")

    async def reported() -> bool | None:
        found = await messages_about(city, payment.payment_id, "receipt_payee")
        return found == [("twilio", "sent", 1, 1)] or None

    await city.until(reported, "the receipt did not leave by the second gateway")
    assert [text.split(".")[0] for text in twilio.texts(payee)] == [f"{payment.code} Confirmed"]
    assert await city.messages(payee) == []
    await city.told(payer, "Confirmed.")
    assert twilio.texts(payer) == []


async def test_what_the_first_gateway_may_have_sent_is_not_given_to_the_second(
    city: City, twilio: Twilio
) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.arm(payee, "sms", "error_500_after", sandbox="gateway")
    await city.pay(payer, payee, 500)
    payment = await city.ends(payer, "PAID")

    async def unknown() -> bool | None:
        found = await messages_about(city, payment.payment_id, "receipt_payee")
        return found == [("africastalking", "unknown", 1, None)] or None

    await city.until(unknown, "the receipt did not end as unknown")
    await city.told(payee, "You have received")
    assert twilio.texts(payee) == []


# STOP.


async def test_after_stop_money_is_told_of_and_nothing_else(city: City) -> None:
    phone, asker = Phone(city, await registered(city)), city.newcomer("UG")
    assert (await phone.write("STOP")).startswith("You get no more messages")
    session = await city.register(asker)
    asked = await city.type(session, "2", "1", phone.person.digits, "14,000", "1")
    assert asked.ends, asked.text

    async def kept_back() -> bool | None:
        found = await city.rows("select status from sms_message where template = 'request'")
        return [row["status"] for row in found] == ["quiet"] or None

    await city.until(kept_back, "the request was not kept back")
    assert "Reply YES" in await phone.write(f"SEND 500 {asker.msisdn}")
    started = await phone.write("YES")
    payment = await city.ends(phone.person, "PAID")
    assert started.startswith(f"{payment.code} started")
    assert (await phone.next()).startswith(f"{payment.code} Confirmed.")
    assert (await phone.write("START")).startswith("You get all messages")


# Death.


async def test_processes_killed_between_sending_and_its_end_send_no_second_receipt(
    city: City, stack: Stack, twilio: Twilio
) -> None:
    """The web process sends the receipts of one payment, the worker those of the other."""
    payers = [city.newcomer("KE"), city.newcomer("KE")]
    payees = [city.newcomer("UG"), city.newcomer("UG")]
    for payee in payees:
        await city.arm(payee, "sms", "hang_after", seconds=SILENCE_SECONDS, sandbox="gateway")
    await city.arm(payees[1], "disburse", "no_callback")  # the worker asks, and finds it paid
    for payer, payee in zip(payers, payees, strict=True):
        await city.pay(payer, payee, 500)
    payments = [await city.ends(payer, "PAID") for payer in payers]
    for payee in payees:
        await city.told(payee, "You have received")
    for payment in payments:
        assert await messages_about(city, payment.payment_id, "receipt_payee") == []
    stack.kill_web()
    stack.kill_worker()
    await asyncio.to_thread(stack.restart_worker)
    await asyncio.to_thread(stack.restart_web)

    async def settled() -> bool | None:
        found = [await messages_about(city, p.payment_id, "receipt_payee") for p in payments]
        return found == [[("", "unknown", 1, None)]] * 2 or None

    await city.until(settled, "the receipts did not end as unknown")
    for payer, payee in zip(payers, payees, strict=True):
        assert len(await city.messages(payee)) == 1
        assert twilio.texts(payee) == []
        await city.told(payer, "Confirmed.")
    assert await city.rows("select id from outbox where sent_at is not null") == []
    await city.assert_books()
