"""Requests for money on a real Postgres: paid once, or declined, or over; never two of these."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from engine.clock import CustomerId
from engine.customers.customers import Customer
from engine.errors import CustomerMistake, NoWayNow, OurFault
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.request_store import Stored
from engine.payments.requests import RequestRules
from engine.payments.views import Confirmed
from tests.integration.counter_room import (
    AMINA,
    BRIAN,
    KES,
    MTN_UGANDA,
    SAFARICOM,
    STRANGER,
    UGX,
    CounterRoom,
    furnish,
    open_room,
)
from tests.integration.world import FAILED, SUCCEEDED, open_world
from tests.unit.payments.examples import MPESA

pytestmark = pytest.mark.long("each end of a request; tests/e2e/test_menus.py keeps the journey")

GONE = "mistake.request_gone"
WEEK = RequestRules().open_seconds
AGAIN = RequestRules().again_seconds


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[CounterRoom]:
    async with open_room(seeded_url) as opened:
        opened.world.dispatching = False
        yield opened


async def mistake_of(doing: object) -> str:
    with pytest.raises(CustomerMistake) as caught:
        await doing  # type: ignore[misc]
    return caught.value.text_key


async def expire(room: CounterRoom) -> int:
    return await room.requests.expire(room.world.clock.now())


# Asking.


async def test_who_is_asked_sees_it_and_is_told_once(room: CounterRoom) -> None:
    code = await room.ask(28_000)
    assert await room.ask(28_000) == code  # the same key again
    [request] = await room.asked_of_amina()
    assert (request.code, request.requester, request.state) == (code, BRIAN.msisdn, "open")
    assert request.amount == Money(28_000, UGX)
    assert request.payer is None
    [mine] = await room.counter.requests_by(BRIAN.customer_id)
    assert mine.payer == AMINA.msisdn
    [message] = await room.messages()
    assert (message.to, message.language, message.template) == (AMINA.msisdn, "en", "request")
    assert message.variables == {
        "code": code, "amount": Money(28_000, UGX), "requester": BRIAN.msisdn,
    }  # fmt: skip
    assert await room.counter.requests_to(STRANGER.msisdn) == []


async def test_the_sweep_finds_the_message_of_a_request(room: CounterRoom) -> None:
    await room.ask()
    room.world.clock.pass_(6)
    left = await room.world.dispatcher._outbox.lease_left_behind(10)
    assert [intent.was_sent for intent in left] == [False]
    assert left[0].kind == 12


async def test_one_key_pressed_twice_at_once_is_one_request(room: CounterRoom) -> None:
    asked = await asyncio.gather(*[
        room.counter.ask(BRIAN, MTN_UGANDA, AMINA.msisdn, Money(28_000, UGX), key="k1")
        for _ in range(8)
    ])  # fmt: skip
    assert len({answer.code for answer in asked}) == 1
    assert len(await room.messages()) == 1


async def test_who_dials_again_and_asks_for_the_same_has_asked_once(room: CounterRoom) -> None:
    """They had not seen the last screen. The payer had two requests, and could pay both."""
    code = await room.ask(28_000)
    room.world.clock.pass_(AGAIN - 1)
    again = await asyncio.gather(*[room.ask(28_000, key=f"again {n}") for n in range(4)])
    assert {*again} == {code}
    payment_id = await room.pay(code)
    assert await room.ask(28_000, key="while it is paid") == code
    assert len(await room.messages()) == 1
    room.world.dispatching = True
    await room.arrive(payment_id)
    assert await room.ask(28_000, key="once more, please") != code  # it was paid


async def test_a_key_that_was_answered_with_anothers_request_stands_for_that_one(
    room: CounterRoom,
) -> None:
    """Its turn came once more when that one was over: the payer was asked again for what they had
    declined, or paid.
    """
    code = await room.ask(28_000)
    assert await room.ask(28_000, key="dialled again") == code
    await room.counter.decline(AMINA, code)
    repeated = await asyncio.gather(*[room.ask(28_000, key="dialled again") for _ in range(4)])
    assert {*repeated} == {code}
    with pytest.raises(OurFault):
        await room.ask(29_000, key="dialled again")
    assert await room.asked_of_amina() == []
    assert len(await room.messages()) == 2  # asked once, and the answer
    assert await room.ask(28_000, key="a new wish") != code


async def test_another_request_is_another(room: CounterRoom) -> None:
    code = await room.ask(28_000)
    other_amount = await room.ask(28_100, key="k2")
    other_payer = await room.ask(28_000, key="k3", payer=STRANGER.msisdn)
    await room.counter.decline(AMINA, code)
    after_a_no = await room.ask(28_000, key="k4")
    room.world.clock.pass_(AGAIN)
    later = await room.ask(28_000, key="k5")
    assert len({code, other_amount, other_payer, after_a_no, later}) == 5


async def test_a_key_is_for_one_request(room: CounterRoom) -> None:
    await room.ask(28_000)
    with pytest.raises(OurFault):
        await room.ask(29_000)
    assert len(await room.asked_of_amina()) == 1


UNPAYABLE = [
    (BRIAN.msisdn, 28_000, "mistake.own_number"),
    (Msisdn("+254733000001"), 28_000, "mistake.operator_unsupported"),  # Airtel Kenya
    (Msisdn("+2547"), 28_000, "mistake.operator_unknown"),
    (AMINA.msisdn, 2_801, "mistake.amount_min"),
    (AMINA.msisdn, 2_000_000, "mistake.amount_max"),
    (AMINA.msisdn, 10**15, "mistake.amount_max"),
]


async def test_what_nobody_could_pay_is_not_asked_for(room: CounterRoom) -> None:
    for payer, shillings, key in UNPAYABLE:
        asking = room.counter.ask(BRIAN, MTN_UGANDA, payer, Money(shillings, UGX), key="k1")
        assert await mistake_of(asking) == key
        looking = room.counter.check_request(BRIAN, MTN_UGANDA, payer, Money(shillings, UGX))
        assert await mistake_of(looking) == key
    await room.counter.check_request(BRIAN, MTN_UGANDA, AMINA.msisdn, Money(28_000, UGX))
    for payer, _, key in UNPAYABLE:
        if payer != AMINA.msisdn:
            assert await mistake_of(room.counter.check_payer(BRIAN, MTN_UGANDA, payer)) == key
    await room.counter.check_payer(BRIAN, MTN_UGANDA, AMINA.msisdn)
    assert await room.messages() == []
    assert await room.messages() == []


async def test_who_has_no_wallet_we_pay_into_asks_nobody(room: CounterRoom) -> None:
    unserved = msgspec.structs.replace(BRIAN, msisdn=Msisdn("+256701000001"))
    with pytest.raises(NoWayNow, match=r"no_way\.receiving"):
        await room.counter.ask(unserved, "", AMINA.msisdn, Money(28_000, UGX), key="k1")
    assert await room.messages() == []


async def test_whom_no_corridor_leads_from_is_known_before_any_amount(room: CounterRoom) -> None:
    neighbour = Msisdn("+256772000009")
    for trying in (
        room.counter.check_payer(BRIAN, MTN_UGANDA, neighbour),
        room.counter.ask(BRIAN, MTN_UGANDA, neighbour, Money(28_000, UGX), key="k1"),
    ):
        with pytest.raises(NoWayNow, match=r"no_way\.corridor"):
            await trying


async def test_who_can_be_paid_by_nobody_is_told_so_and_asks_nobody(database_url: str) -> None:
    """No other number would help: it is their own wallet that we cannot pay into."""
    mute = msgspec.structs.replace(MPESA, disburse_minor_max=0)
    async with open_world(database_url, payer=mute) as world:
        room = await furnish(world)
        with pytest.raises(NoWayNow, match=r"no_way\.receiving"):
            await room.counter.ask(AMINA, SAFARICOM, BRIAN.msisdn, Money(100_000, KES), key="k1")
        with pytest.raises(NoWayNow, match=r"no_way\.receiving"):
            await room.counter.check_payer(AMINA, SAFARICOM, BRIAN.msisdn)
        assert await room.messages() == []


async def test_bounds_are_told_in_what_arrives_and_can_be_asked_for(room: CounterRoom) -> None:
    for asked, bound in ((100, "minimum"), (1_990_000, "maximum")):
        with pytest.raises(CustomerMistake) as caught:
            await room.ask(asked, key=bound)
        told = caught.value.variables[bound]
        assert told.currency == UGX
        code = await room.ask(told.minor, key=f"{bound} again")
        assert (await room.quoted(code)).receives.minor >= told.minor


async def test_a_request_in_another_currency_than_the_wallets_has_no_way(
    room: CounterRoom,
) -> None:
    with pytest.raises(NoWayNow):
        await room.counter.ask(BRIAN, MTN_UGANDA, AMINA.msisdn, Money(100_000, KES), key="k1")


async def test_nobody_is_asked_by_one_person_more_than_five_times_at_once(
    room: CounterRoom,
) -> None:
    answers = await asyncio.gather(
        *[room.ask(28_000 + n, key=f"k{n}") for n in range(9)], return_exceptions=True
    )
    codes = [answer for answer in answers if isinstance(answer, str)]
    assert len(codes) == 5
    assert {str(a) for a in answers if isinstance(a, Exception)} == {"mistake.requests_full"}
    await room.ask(key="another", payer=STRANGER.msisdn)
    await room.counter.decline(AMINA, codes[0])  # that makes room
    await room.ask(key="again")


async def test_nobody_asks_more_than_twenty_times_a_day(database_url: str) -> None:
    async with open_room(database_url, RequestRules(unpaid_most=100, recent_most=3)) as room:
        answers = await asyncio.gather(
            *[room.ask(28_000 + n, key=f"k{n}") for n in range(5)], return_exceptions=True
        )
        assert sum(isinstance(answer, str) for answer in answers) == 3
        room.world.clock.pass_(23 * 3600)
        assert await mistake_of(room.ask(29_000, key="k8")) == "mistake.requests_full"
        room.world.clock.pass_(3600)
        await room.ask(key="k9")


# Paying.


async def test_at_least_what_was_asked_for_arrives(room: CounterRoom) -> None:
    code = await room.ask(28_001)
    quote = await room.quoted(code)
    assert (quote.request, quote.request_try) == (code, 0)
    assert quote.payee == BRIAN.msisdn
    assert quote.amount.minor % 100 == 0
    assert 28_001 <= quote.receives.minor < 28_001 + 29  # less than a shilling more
    payment_id = await room.pay(code)
    assert await room.state(code) == "taken"
    assert await room.asked_of_amina() == []
    taken = (await room.world.payment(payment_id)).quote
    assert (taken.receives, taken.request) == (quote.receives, code)


async def test_a_paid_request_is_paid_and_stays_so(room: CounterRoom) -> None:
    code = await room.ask()
    room.world.dispatching = True
    await room.arrive(await room.pay(code))
    assert await room.state(code) == "paid"
    assert await mistake_of(room.quoted(code)) == GONE
    room.world.clock.pass_(WEEK)
    assert await expire(room) == 1
    assert await expire(room) == 0
    assert await room.state(code) == "paid"
    closed = await room.world.pool.fetchval("select closed_as from money_request")
    assert closed == "paid"


async def test_two_phones_that_approve_at_once_pay_once(room: CounterRoom) -> None:
    code = await room.ask()
    quotes = await asyncio.gather(*[room.quoted(code) for _ in range(6)])
    answers = await asyncio.gather(
        *[
            room.counter.confirm(payer=AMINA, quote=quote, key=f"phone {n}")
            for n, quote in enumerate(quotes)
        ],
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Confirmed) for answer in answers) == 1
    refused = [answer for answer in answers if not isinstance(answer, Confirmed)]
    assert {str(error) for error in refused} == {GONE}
    assert (
        await room.world.pool.fetchval("select count(*) from payment where customer is not null")
        == 1
    )


async def test_the_same_confirm_again_is_the_same_payment(room: CounterRoom) -> None:
    quote = await room.quoted(await room.ask())
    answers = await asyncio.gather(
        *[room.counter.confirm(payer=AMINA, quote=quote, key="p1") for _ in range(5)]
    )
    assert len({answer.payment_id for answer in answers}) == 1
    assert [answer.fresh for answer in answers].count(True) == 1
    room.world.clock.pass_(1_000)  # also when the price is over
    again = await room.counter.confirm(payer=AMINA, quote=quote, key="p1")
    assert (again.payment_id, again.fresh) == (answers[0].payment_id, False)


async def test_a_payment_that_comes_to_nothing_opens_the_request_again(
    room: CounterRoom,
) -> None:
    code = await room.ask()
    room.world.dispatching = True
    old_quote = await room.quoted(code)
    payment_id = await room.pay(code)
    await room.world.dispatched()
    await room.world.tell(await room.world.live(payment_id), FAILED)
    assert await room.state(code) == "open"
    assert [request.code for request in await room.asked_of_amina()] == [code]
    # A price from before that try cannot pay it a second time.
    confirming = room.counter.confirm(payer=AMINA, quote=old_quote, key="late")
    assert await mistake_of(confirming) == GONE
    assert (await room.quoted(code)).request_try == 1
    await room.arrive(await room.pay(code, key="p2"))
    assert await room.state(code) == "paid"


async def test_a_cancelled_payment_opens_the_request_again(room: CounterRoom) -> None:
    code = await room.ask()
    payment_id = await room.pay(code)
    await room.counter.cancel(AMINA, await room.code(payment_id), key="x")
    assert await room.state(code) == "open"
    await room.pay(code, key="p2")
    assert await room.state(code) == "taken"


async def test_a_refunded_payment_opens_the_request_again(room: CounterRoom) -> None:
    code = await room.ask()
    room.world.policy.closed = {"mtn_ug"}
    room.world.dispatching = True
    payment_id = await room.pay(code)
    await room.world.dispatched()
    await room.world.tell(await room.world.live(payment_id), SUCCEEDED)
    assert await room.world.state(payment_id) is State.PAYOUT_QUEUED
    await room.world.rulings.refund(payment_id, Ruling("looked into"))
    assert await room.state(code) == "taken"
    await room.world.dispatched()
    await room.world.tell(await room.world.live(payment_id), SUCCEEDED)
    assert await room.world.state(payment_id) is State.REFUNDED
    assert await room.state(code) == "open"


async def test_a_request_is_nobodys_but_the_payers(room: CounterRoom) -> None:
    code = await room.ask()
    for somebody in (STRANGER, BRIAN):
        asking = room.counter.quote_request(somebody, SAFARICOM, code)
        assert await mistake_of(asking) == GONE
        assert await mistake_of(room.counter.decline(somebody, code)) == GONE
    assert await mistake_of(room.quoted("0000000000")) == GONE
    assert await mistake_of(room.quoted("no code")) == GONE
    assert await room.state(code) == "open"


async def test_it_is_paid_into_the_wallet_that_asked_whatever_the_numbers_range(
    room: CounterRoom,
) -> None:
    """A number that was ported to MTN: its range is another operator's, the dial was not."""
    ported = Customer(CustomerId("e" * 32), Msisdn("+256752000001"), "UG", "en", 0)
    assert room.world.directory.payee_operator(ported.msisdn) == "airtel_ug"
    asked = await room.counter.ask(ported, MTN_UGANDA, AMINA.msisdn, Money(28_000, UGX), key="k1")
    quote = await room.quoted(asked.code)
    assert (quote.payee, quote.payee_operator) == (ported.msisdn, "mtn_ug")


async def test_confirming_for_a_request_asks_the_database_no_more_than_any_other(
    room: CounterRoom,
) -> None:
    plain = await room.counter.quote(
        payer=AMINA, network=SAFARICOM, payee=BRIAN.msisdn, amount=Money(100_000, KES)
    )
    asked = await room.quoted(await room.ask())
    room.counted.statements.clear()
    before = room.world.committer.plans
    await room.counter.confirm(payer=AMINA, quote=plain, key="p1")
    await room.counter.confirm(payer=AMINA, quote=asked, key="p2")
    assert room.counted.statements == []  # the commit alone
    assert room.world.committer.plans - before == 2


# Declining, and time.


async def test_a_declined_request_is_over_and_the_requester_is_told_once(
    room: CounterRoom,
) -> None:
    code = await room.ask()
    quote = await room.quoted(code)
    await asyncio.gather(*[room.counter.decline(AMINA, code) for _ in range(5)])
    assert await room.state(code) == "declined"
    assert await room.asked_of_amina() == []
    assert await mistake_of(room.counter.confirm(payer=AMINA, quote=quote, key="p1")) == GONE
    assert await mistake_of(room.quoted(code)) == GONE
    told = [message for message in await room.messages() if message.to == BRIAN.msisdn]
    assert [(m.template, m.language) for m in told] == [("request_declined", "sw")]
    assert told[0].variables["payer"] == AMINA.msisdn


async def test_what_is_being_paid_cannot_be_declined(room: CounterRoom) -> None:
    code = await room.ask()
    await room.pay(code)
    assert await mistake_of(room.counter.decline(AMINA, code)) == GONE
    assert await room.state(code) == "taken"


async def test_declined_on_one_phone_and_approved_on_another_is_one_of_the_two(
    room: CounterRoom,
) -> None:
    for n in range(20):
        if n % 10 == 0:  # no more than so many may be asked for in a day
            room.world.clock.pass_(24 * 3600)
        code = await room.ask(key=f"k{n}")
        quote = await room.quoted(code)
        confirming = room.counter.confirm(payer=AMINA, quote=quote, key=f"p{n}")
        declining = room.counter.decline(AMINA, code)
        both = (confirming, declining) if n % 2 else (declining, confirming)
        answers = await asyncio.gather(*both, return_exceptions=True)
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        assert [str(error) for error in failed] == [GONE]
        paid = any(isinstance(answer, Confirmed) for answer in answers)
        assert await room.state(code) == ("taken" if paid else "declined")
        if paid:  # make room for the next
            payment = next(a for a in answers if isinstance(a, Confirmed))
            await room.counter.cancel(AMINA, payment.code, key="x")
            await room.counter.decline(AMINA, code)


async def test_a_request_is_over_after_a_week(room: CounterRoom) -> None:
    code = await room.ask()
    room.world.clock.pass_(WEEK - 1)
    quote = await room.quoted(code)
    assert await expire(room) == 0
    room.world.clock.pass_(1)
    assert await room.asked_of_amina() == []  # before anybody sweeps
    assert await room.state(code) == "expired"
    assert await mistake_of(room.quoted(code)) == GONE
    assert await expire(room) == 1
    assert await expire(room) == 0
    assert await room.state(code) == "expired"
    assert await mistake_of(room.counter.confirm(payer=AMINA, quote=quote, key="p1")) == GONE
    assert await mistake_of(room.counter.decline(AMINA, code)) == GONE  # nobody is told of a no
    await assert_told_that_it_expired(room)


async def assert_told_that_it_expired(room: CounterRoom) -> None:
    """Whoever asked was promised an answer, and gets one."""
    told = [message for message in await room.messages() if message.to == BRIAN.msisdn]
    assert [(m.template, m.language) for m in told] == [("request_expired", "sw")]
    assert told[0].variables["payer"] == AMINA.msisdn


async def test_what_is_being_paid_at_the_end_is_left_until_that_has_ended(
    room: CounterRoom,
) -> None:
    code = await room.ask()
    room.world.clock.pass_(WEEK - 1)
    room.world.dispatching = True
    payment_id = await room.pay(code)
    room.world.clock.pass_(2)
    assert await expire(room) == 0
    assert await room.state(code) == "taken"
    await room.world.dispatched()
    await room.world.tell(await room.world.live(payment_id), FAILED)
    assert await room.state(code) == "expired"
    assert await expire(room) == 1
    await assert_told_that_it_expired(room)


async def test_a_request_that_cannot_be_ended_keeps_up_no_other(
    room: CounterRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes first with every sweep."""
    bad = await room.ask(28_000, key="k1")
    room.world.clock.pass_(1)
    good = await room.ask(29_000, key="k2")
    room.world.clock.pass_(WEEK)
    close = room.requests._store.close

    async def close_but(request: Stored, *how: Any) -> bool:
        if request.code == bad:
            raise ValueError("a mistake of ours")
        return await close(request, *how)

    monkeypatch.setattr(room.requests._store, "close", close_but)
    assert await expire(room) == 1
    told = [message for message in await room.messages() if message.to == BRIAN.msisdn]
    assert [message.variables["code"] for message in told] == [good]


async def test_two_workers_may_sweep_at_once(room: CounterRoom) -> None:
    codes = [await room.ask(28_000 + n, key=f"k{n}") for n in range(5)]
    room.world.clock.pass_(WEEK)
    await asyncio.gather(*[room.requests.expire(room.world.clock.now(), 3) for _ in range(4)])
    await room.requests.expire(room.world.clock.now() + timedelta(seconds=1))
    assert {await room.state(code) for code in codes} == {"expired"}
    told = [message for message in await room.messages() if message.to == BRIAN.msisdn]
    assert sorted(str(message.variables["code"]) for message in told) == sorted(codes)
