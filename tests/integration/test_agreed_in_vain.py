"""Somebody agrees, and it ends in a fault of our own: they hear the truth, and nothing is stuck."""

from collections.abc import AsyncIterator, Mapping

import pytest

from engine.payments.lifecycle import State
from engine.ports import Direction
from engine.session.actions import build_verbs
from engine.session.press import Verb
from engine.session.rooms import Words
from tests.integration.client_room import PRICE, open_client_room
from tests.integration.counter_room import AMINA, CounterRoom, open_room
from tests.integration.owner import Owner
from tests.integration.staff_room import open_staff_room
from tests.integration.test_staff_api import held
from tests.scenarios.test_platform import broken
from tests.unit.session.rooms import PIN, TEXTS, House

MISTAKE = "raise exception 'a mistake';"
"""What the commit's function does as long as it is broken."""
NOTHING_CHARGED = TEXTS.render("en", "no_way.fault")
TO_PRICE = ("2", "2", "1", "1")
TO_PIN = (*TO_PRICE, "1")


class AtCounter(House):
    """Amina's phone, whose payments are those of a real counter."""

    def __init__(self, room: CounterRoom) -> None:
        self._counter = room.counter
        super().__init__()
        self.clock.seconds = room.world.clock.epoch()
        self.customers.known[AMINA.msisdn] = AMINA
        self.customers.pins[AMINA.customer_id] = PIN

    def build_verbs(self, words: Words) -> Mapping[str, Verb]:
        return build_verbs(
            customers=self.customers, payments=self._counter, names=self.operator_names,
            seal=self.seal, words=words,
        )  # fmt: skip

    async def type(self, *inputs: str, session_id: str = "s1") -> str:
        """What she reads once she has dialled and typed all of it."""
        reply = await self.press(*inputs, session_id=session_id, msisdn=AMINA.msisdn)
        return reply.text

    async def send(self, *inputs: str, session_id: str = "s1") -> str:
        """What the last turn is answered, which may be a repeat."""
        text = "*".join(inputs)
        return (await self.take(text, session_id, msisdn=AMINA.msisdn)).text


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[CounterRoom]:
    async with open_room(database_url) as opened:
        opened.world.dispatching = False
        yield opened


async def paying(room: CounterRoom) -> int:
    """How many payments people have made."""
    counted: int = await room.world.pool.fetchval(
        "select count(*) from payment where customer is not null"
    )
    return counted


async def test_a_request_that_could_not_be_taken_on_is_open_and_no_repeat_makes_that_untrue(
    room: CounterRoom,
) -> None:
    """They were promised an SMS that never came."""
    code, phone = await room.ask(), AtCounter(room)
    assert "Total KES" in await phone.type(*TO_PRICE)
    await phone.send(*TO_PIN)
    async with broken(Owner(room.world.pool), MISTAKE):
        for _ in range(2):  # the gateway repeats what it had no answer to
            assert await phone.send(*TO_PIN, PIN) == NOTHING_CHARGED
        assert (await room.state(code), await paying(room)) == ("open", 0)
    assert await phone.send(*TO_PIN, PIN) == NOTHING_CHARGED
    assert (await room.state(code), await paying(room)) == ("open", 0)


async def test_who_dials_again_after_our_fault_finds_the_request_and_pays_it_once(
    room: CounterRoom,
) -> None:
    code, phone = await room.ask(), AtCounter(room)
    await phone.type(*TO_PIN)
    async with broken(Owner(room.world.pool), MISTAKE):
        assert await phone.send(*TO_PIN, PIN) == NOTHING_CHARGED
    assert "Total KES" in await phone.type(*TO_PRICE, session_id="s2")
    await phone.send(*TO_PIN, session_id="s2")
    answers = {await phone.send(*TO_PIN, PIN, session_id="s2") for _ in range(3)}
    assert len(answers) == 1 and " started" in answers.pop()
    assert (await room.state(code), await paying(room)) == ("taken", 1)
    # What a gateway repeats of the first session after that pays nothing more.
    await phone.send(*TO_PIN, PIN)
    assert await paying(room) == 1


async def test_what_two_agreed_on_stays_agreed_and_is_done_once_the_fault_is_mended(
    database_url: str,
) -> None:
    async with open_staff_room(database_url) as room:
        payment_id, code = await held(room)
        asked = await room.post("fay", f"/transactions/{code}/reverse", {"why": "on a list"})
        path = f"/proposals/{asked.json()['id']}/approve"
        desk = room.engine.office.desk
        async with broken(Owner(room.world.pool), MISTAKE):
            for _ in range(2):
                agreed = await room.post("fin", path)
                told = agreed.json()
                assert (agreed.status_code, told["state"], told["outcome"]) == (200, "approved", "")
            await desk.carry_out_approved()  # stops for none of them
            assert await room.world.state(payment_id) is State.ON_HOLD
        await desk.carry_out_approved()
        await room.world.dispatched()
        assert await room.world.state(payment_id) is State.REFUNDING
        assert [order.direction for order in room.world.mpesa.orders].count(Direction.REFUND) == 1
        assert (await room.post("fin", path)).json()["state"] == "done"


async def test_what_a_business_asked_for_in_vain_is_made_by_its_repeat_once(
    database_url: str,
) -> None:
    async with open_client_room(database_url) as room:
        async with broken(Owner(room.world.pool), MISTAKE):
            for _ in range(2):
                failed = await room.post("/payments/send", PRICE, key="order-0001")
                told = failed.json()
                assert (failed.status_code, told["code"], told["reason"]) == (
                    409,
                    "not_now",
                    "fault",
                )
        assert room.world.mpesa.orders == []
        made = [await room.post("/payments/send", PRICE, key="order-0001") for _ in range(2)]
        assert [answer.status_code for answer in made] == [201, 201]
        assert made[0].content == made[1].content
        stored = "select count(*) from payment where customer is not null"
        assert await room.world.pool.fetchval(stored) == 1
