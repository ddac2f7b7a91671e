"""What a customer sees of payments and may do about them, on a real Postgres."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from engine.clock import made_at
from engine.compliance.policy import read_policy
from engine.customers.customers import Customer
from engine.errors import CustomerMistake, NoWayNow, OurFault
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.clearing import spend_of
from engine.payments.evidence import Source
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.past_store import PAYEES_LOOKED_AT
from engine.payments.payment import Payment, id_ending
from engine.payments.policy import Clearance
from engine.payments.store import PaymentStore
from engine.ports import Finding, Outcome
from engine.session.variables import state_of
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
from tests.integration.locks import somebody_waits
from tests.integration.owner import Owner
from tests.integration.world import FAILED, SUCCEEDED, open_world
from tests.unit.payments.examples import MPESA, PAYEE

OTHER_PAYEE = Msisdn("+256772000003")


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[CounterRoom]:
    async with open_room(seeded_url) as opened:
        yield opened


async def both(room: CounterRoom, customer: Customer, most: int = 10) -> list[tuple[int, bool]]:
    """What a customer sees, as amounts in shillings and whether they came in."""
    found = await room.counter.recent_payments(customer.customer_id, customer.msisdn, most)
    return [(payment.amount.minor // 100, payment.incoming) for payment in found]


# Seeing.


async def test_a_payer_sees_every_payment_the_newest_first(room: CounterRoom) -> None:
    for shillings in (100, 200, 300):
        await room.sent(shillings)
    assert await both(room, AMINA) == [(300, False), (200, False), (100, False)]
    assert await both(room, AMINA, most=2) == [(300, False), (200, False)]
    assert await both(room, STRANGER) == []


async def test_a_payment_that_cannot_be_read_hides_no_other_and_is_not_said_never_to_have_been(
    room: CounterRoom,
) -> None:
    first = await room.sent(100)
    lost = await room.sent(200)
    told, untold = await room.code(first), await room.code(lost)
    unreadable = "update journal set facts = '[1]' where payment = $1 and facts is not null"
    await Owner(room.world.pool).execute(unreadable, lost)
    assert await both(room, AMINA) == [(100, False)]
    assert len(await room.counter.recent_payees(AMINA.customer_id)) == 1
    assert await room.counter.payment_by_code(AMINA, told) is not None
    with pytest.raises(OurFault):
        await room.counter.payment_by_code(AMINA, untold)
    await Owner(room.world.pool).execute(unreadable, first)
    with pytest.raises(OurFault):
        await both(room, AMINA)


async def test_a_payee_sees_what_has_arrived_and_from_whom(room: CounterRoom) -> None:
    await room.arrived(1_000)
    refused = await room.sent(500)
    await room.world.dispatched()
    await room.world.tell(await room.world.live(refused), FAILED)
    await room.sent(700)  # under way: the payer's affair alone
    [received] = await room.counter.recent_payments(BRIAN.customer_id, BRIAN.msisdn)
    assert (received.incoming, received.payer, received.payee) == (True, AMINA.msisdn, PAYEE)
    assert received.state == "paid"
    assert not received.may_cancel
    assert await both(room, AMINA) == [(700, False), (500, False), (1_000, False)]
    sent = await room.counter.recent_payments(AMINA.customer_id, AMINA.msisdn)
    assert {payment.payer for payment in sent} == {None}


async def test_who_sends_and_receives_sees_both_in_one_order(room: CounterRoom) -> None:
    await room.arrived(100)
    back = await room.counter.quote(
        payer=BRIAN, network=MTN_UGANDA, payee=AMINA.msisdn, amount=Money(50_000, UGX)
    )
    room.world.clock.pass_(0.002)
    confirmed = await room.counter.confirm(payer=BRIAN, quote=back, key="back")
    await room.arrive(confirmed.payment_id)
    await room.sent(300)
    assert await both(room, AMINA) == [(300, False), (500, True), (100, False)]
    assert await both(room, AMINA, most=2) == [(300, False), (500, True)]
    assert await both(room, BRIAN) == [(500, False), (100, True)]


async def test_a_payment_that_went_to_another_number_is_seen_by_neither(
    room: CounterRoom,
) -> None:
    payment_id = await room.sent()
    await room.world.dispatched()
    await room.world.tell(await room.world.live(payment_id), SUCCEEDED)
    await room.world.dispatched()
    payout = await room.world.live(payment_id)
    await room.world.tell(payout, SUCCEEDED)
    await room.world.tell(payout, Finding(Outcome.REVERSED, "reversed"), Source.QUERY)
    assert await room.world.rulings.repay(payment_id, Ruling("wrong number"), payee=OTHER_PAYEE)
    await room.world.dispatched()
    await room.world.tell(await room.world.live(payment_id), SUCCEEDED)
    assert await room.world.state(payment_id) is State.PAID
    for number in (PAYEE, OTHER_PAYEE):
        assert await both(room, Customer(BRIAN.customer_id, number, "UG", "en", 0)) == []
    [sent] = await room.counter.recent_payments(AMINA.customer_id, AMINA.msisdn)
    assert (sent.incoming, sent.payee) == (False, OTHER_PAYEE)


async def test_a_code_finds_ones_own_payment_and_no_other(room: CounterRoom) -> None:
    code = await room.code(await room.arrived())
    unpaid = await room.code(await room.sent())
    found = await room.counter.payment_by_code(AMINA, f" {code.lower()} ")
    assert found is not None
    assert (found.code, found.incoming) == (code, False)
    received = await room.counter.payment_by_code(BRIAN, code)
    assert received is not None
    assert received.incoming
    assert await room.counter.payment_by_code(STRANGER, code) is None
    assert await room.counter.payment_by_code(BRIAN, unpaid) is None
    assert await room.counter.payment_by_code(AMINA, "") is None
    # Ids of other codes may have the same ending: two bits of a code are not in it.
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    neighbour = digits[digits.index(code[0]) ^ 0b11000] + code[1:]
    assert id_ending(neighbour) == id_ending(code)
    assert await room.counter.payment_by_code(AMINA, neighbour) is None


async def test_a_payee_finds_by_its_code_what_was_taken_back_from_them(room: CounterRoom) -> None:
    """They had an SMS that it arrived; of what never did they find nothing."""
    payment_id = await room.sent()
    await room.world.dispatched()
    await room.world.tell(await room.world.live(payment_id), SUCCEEDED)
    await room.world.dispatched()
    payout, code = await room.world.live(payment_id), await room.code(payment_id)
    assert await room.counter.payment_by_code(BRIAN, code) is None
    await room.world.tell(payout, SUCCEEDED)
    await room.world.tell(payout, Finding(Outcome.REVERSED, "reversed"), Source.QUERY)
    found = await room.counter.payment_by_code(BRIAN, code)
    assert found is not None
    assert (found.incoming, found.state, found.fee) == (True, "returned", None)
    assert state_of(found) == "state.returned"
    assert await room.counter.payment_by_code(STRANGER, code) is None
    assert await room.world.rulings.refund(payment_id, Ruling("given back"))
    found = await room.counter.payment_by_code(BRIAN, code)
    assert found is not None
    assert state_of(found) == "state.payout_failed"


async def test_a_payer_sees_what_a_payment_cost(room: CounterRoom) -> None:
    code = await room.code(await room.arrived())
    found = await room.counter.payment_by_code(AMINA, code)
    assert found is not None
    assert found.fee == Money(2_000, KES)
    [listed] = await room.counter.recent_payments(AMINA.customer_id, AMINA.msisdn)
    assert listed == found
    received = await room.counter.payment_by_code(BRIAN, code)
    assert received is not None
    assert received.fee is None


async def test_who_dials_again_finds_what_was_confirmed_since(room: CounterRoom) -> None:
    payment_id = await room.arrived()
    code, made = await room.code(payment_id), made_at(payment_id)
    found = await room.counter.confirmed_with_code(AMINA.customer_id, code, made)
    assert found is not None
    assert found == await room.counter.payment_by_code(AMINA, code)
    later = made + timedelta(milliseconds=1)
    assert await room.counter.confirmed_with_code(AMINA.customer_id, code, later) is None
    for other in (BRIAN, STRANGER):
        assert await room.counter.confirmed_with_code(other.customer_id, code, made) is None


async def test_anothers_code_and_an_unknown_one_ask_the_same_of_the_database(
    room: CounterRoom,
) -> None:
    code = await room.code(await room.sent())
    asked = []
    for wanted in (code, "0000000000"):
        room.counted.statements.clear()
        assert await room.counter.payment_by_code(STRANGER, wanted) is None
        asked.append(list(room.counted.statements))
    assert asked[0] == asked[1]
    assert len(asked[0]) == 2  # as payer or payee, and as payee of what was taken back


async def test_recent_payees_come_once_each_with_the_newest_amount(room: CounterRoom) -> None:
    await room.sent(100)
    await room.arrived(200, OTHER_PAYEE)
    await room.arrived(300)
    recent = await room.counter.recent_payees(AMINA.customer_id)
    assert [(r.msisdn, r.amount) for r in recent] == [
        (PAYEE, Money(30_000, KES)),
        (OTHER_PAYEE, Money(20_000, KES)),
    ]
    assert len(await room.counter.recent_payees(AMINA.customer_id, 1)) == 1
    assert await room.counter.recent_payees(STRANGER.customer_id) == []


async def test_what_is_under_way_is_not_offered_once_more(room: CounterRoom) -> None:
    await room.arrived(100)
    await room.sent(300)
    (recent,) = await room.counter.recent_payees(AMINA.customer_id)
    assert (recent.msisdn, recent.amount) == (PAYEE, None)


async def test_a_payee_behind_many_payments_to_another_is_looked_for_further_back(
    room: CounterRoom,
) -> None:
    few, _ = PAYEES_LOOKED_AT
    await room.sent(100, OTHER_PAYEE)
    for _ in range(few):
        await room.sent(200)
    for most, found, looks in ((1, [PAYEE], 1), (5, [PAYEE, OTHER_PAYEE], 2)):
        room.counted.statements.clear()
        recent = await room.counter.recent_payees(AMINA.customer_id, most)
        assert [r.msisdn for r in recent] == found
        assert len(room.counted.statements) == looks


async def test_a_payee_is_opened_once_however_often_they_were_paid(
    room: CounterRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest tells all there is to tell: opening terms is most of what this screen costs."""
    for _ in range(PAYEES_LOOKED_AT[0] + 1):
        newest = await room.sent(200)
    await room.sent(100, OTHER_PAYEE)
    opened: list[str] = []
    read = PaymentStore.read

    def counted(store: PaymentStore, row: Any) -> Payment:
        opened.append(row["id"].hex)
        return read(store, row)

    monkeypatch.setattr(PaymentStore, "read", counted)
    recent = await room.counter.recent_payees(AMINA.customer_id)
    assert [r.msisdn for r in recent] == [OTHER_PAYEE, PAYEE]
    assert len(opened) == 2
    assert opened[1] == newest


async def test_a_payment_is_found_by_when_it_was_confirmed(room: CounterRoom) -> None:
    room.world.dispatching = False
    before = room.world.clock.now()
    assert await room.counter.confirmed_since(AMINA.customer_id, before) is None
    await room.sent(100)
    code = await room.code(await room.sent(200))
    found = await room.counter.confirmed_since(AMINA.customer_id, before)
    assert found is not None
    assert (found.code, found.amount) == (code, Money(20_000, KES))
    later = room.world.clock.now() + timedelta(seconds=1)
    assert await room.counter.confirmed_since(AMINA.customer_id, later) is None
    assert await room.counter.confirmed_since(STRANGER.customer_id, before) is None


async def test_a_payment_is_found_by_the_key_it_was_confirmed_under(room: CounterRoom) -> None:
    payment_id = await room.sent()
    key = await room.world.pool.fetchval(
        "select key from payment_key where payment = $1", payment_id
    )
    assert await room.counter.code_of_key(key) == await room.code(payment_id)
    assert await room.counter.code_of_key(f"{key}-other") is None


async def test_a_key_that_was_given_up_pays_nothing_any_more(room: CounterRoom) -> None:
    """Who dialled again is not paid for twice, however late the first commit comes."""
    quote = await room.counter.quote(
        payer=AMINA, network=SAFARICOM, payee=PAYEE, amount=Money(30_000, KES)
    )
    assert await room.counter.give_up(["turn:first:1", "turn:first:0"]) is None
    assert await room.counter.give_up(["turn:first:1"]) is None
    for _ in range(2):
        with pytest.raises(NoWayNow, match=r"session\.over"):
            await room.counter.confirm(payer=AMINA, quote=quote, key="turn:first:1", by_pin=True)
    assert await room.counter.code_of_key("turn:first:1") is None
    assert (
        await room.world.pool.fetchval("select count(*) from payment where customer is not null")
        == 0
    )
    again = await room.counter.confirm(payer=AMINA, quote=quote, key="turn:second:1", by_pin=True)
    keys = ["turn:first:1", "turn:second:1"]
    assert await room.counter.give_up(keys) == again.code
    assert await room.counter.code_of_key("turn:second:1") == again.code  # it stays


async def test_a_commit_under_way_is_waited_for_before_its_key_is_given_up(
    room: CounterRoom,
) -> None:
    room.world.dispatching = False
    quote = await room.counter.quote(
        payer=AMINA, network=SAFARICOM, payee=PAYEE, amount=Money(30_000, KES)
    )
    owner = Owner(room.world.pool)
    async with owner.acquire() as connection:
        holding = connection.transaction()
        await holding.start()
        await connection.execute("lock table balance")
        confirming = asyncio.create_task(
            room.counter.confirm(payer=AMINA, quote=quote, key="turn:first:1", by_pin=True)
        )
        await somebody_waits(connection)
        giving_up = asyncio.create_task(room.counter.give_up(["turn:first:1"]))
        await asyncio.sleep(0.3)
        assert not giving_up.done()
        await holding.rollback()
    assert await giving_up == (await confirming).code


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, (False, True)),
        ({"collects_by_link": True}, (True, True)),
        ({"prompts_payer": False}, (False, False)),
    ],
)
async def test_a_payer_sees_how_a_payment_is_approved(
    database_url: str, changed: dict[str, bool], said: tuple[bool, bool]
) -> None:
    payer = msgspec.structs.replace(MPESA, **changed)
    async with open_world(database_url, payer=payer) as world:
        room = await furnish(world)
        quote = await room.counter.quote(
            payer=AMINA, network=SAFARICOM, payee=PAYEE, amount=Money(100_000, KES)
        )
        confirmed = await room.counter.confirm(payer=AMINA, quote=quote, key="k1", by_pin=True)
        [seen] = await room.counter.recent_payments(AMINA.customer_id, AMINA.msisdn)
        assert (seen.by_link, seen.prompted) == said
        found = await room.counter.payment_by_code(AMINA, confirmed.code)
        assert found is not None
        assert (found.by_link, found.prompted) == said


# Cancelling.


async def test_a_payment_can_be_cancelled_until_the_operator_is_asked(room: CounterRoom) -> None:
    room.world.dispatching = False
    code = await room.code(await room.sent())
    seen = await room.counter.payment_by_code(AMINA, code)
    assert seen is not None
    assert seen.may_cancel
    [listed] = await room.counter.recent_payments(AMINA.customer_id, AMINA.msisdn)
    assert listed.may_cancel
    answers = await asyncio.gather(
        *[room.counter.cancel(AMINA, code, key=f"k{n}") for n in range(4)],
        return_exceptions=True,
    )
    states = {a.state for a in answers if not isinstance(a, BaseException)}
    assert states == {"cancelled"}
    again = await room.counter.cancel(AMINA, code, key="k9")
    assert (again.state, again.may_cancel) == ("cancelled", False)
    assert room.world.mpesa.orders == []


async def test_what_the_operator_was_asked_cannot_be_cancelled(room: CounterRoom) -> None:
    payment_id = await room.sent()
    await room.world.dispatched()
    code = await room.code(payment_id)
    seen = await room.counter.payment_by_code(AMINA, code)
    assert seen is not None
    assert not seen.may_cancel
    with pytest.raises(NoWayNow, match=r"no_way\.sent"):
        await room.counter.cancel(AMINA, code, key="k1")
    await room.world.tell(await room.world.live(payment_id), SUCCEEDED)
    with pytest.raises(NoWayNow, match=r"no_way\.sent"):
        await room.counter.cancel(AMINA, code, key="k1")


async def test_what_is_being_asked_this_moment_cannot_be_cancelled(room: CounterRoom) -> None:
    asked = asyncio.Event()
    room.world.mpesa.takes, room.world.mpesa.may_answer = asked.set, asyncio.Event()
    try:
        code = await room.code(await room.sent())
        await asked.wait()
        seen = await room.counter.payment_by_code(AMINA, code)
        assert seen is not None
        assert not seen.may_cancel
        [listed] = await room.counter.recent_payments(AMINA.customer_id, AMINA.msisdn)
        assert not listed.may_cancel
        with pytest.raises(NoWayNow, match=r"no_way\.sent"):
            await room.counter.cancel(AMINA, code, key="k1")
    finally:
        room.world.mpesa.may_answer.set()


async def test_a_payout_that_has_not_left_yet_is_nothing_to_cancel(room: CounterRoom) -> None:
    payment_id = await room.sent()
    await room.world.dispatched()
    room.world.dispatching = False
    await room.world.tell(await room.world.live(payment_id), SUCCEEDED)
    assert await room.world.state(payment_id) is State.PAYING
    [listed] = await room.counter.recent_payments(AMINA.customer_id, AMINA.msisdn)
    seen = await room.counter.payment_by_code(AMINA, await room.code(payment_id))
    assert seen == listed
    assert not listed.may_cancel


async def test_only_the_payer_cancels(room: CounterRoom) -> None:
    paid = await room.code(await room.arrived())
    room.world.dispatching = False
    waiting = await room.sent()
    for customer, code in ((BRIAN, paid), (STRANGER, await room.code(waiting)), (AMINA, "?")):
        with pytest.raises(CustomerMistake, match=r"mistake\.code_unknown"):
            await room.counter.cancel(customer, code, key="k1")
    assert await room.world.state(waiting) is State.COLLECTING


# Complaining.


async def test_a_problem_is_one_case_however_often_it_is_reported(room: CounterRoom) -> None:
    code = await room.code(await room.arrived())
    told = [
        await room.counter.report_problem(who, code, "not_arrived") for who in (AMINA, AMINA, BRIAN)
    ]
    assert set(told) == {f"{code}-1"}
    rows = await room.world.pool.fetch("select kind, tenant, detail from case_file")
    assert [tuple(row) for row in rows] == [
        ("REPORTED", 1, f"payment {code}: its payer reports: not arrived (paid)")
    ]


async def test_a_problem_that_comes_back_is_a_case_of_its_own(room: CounterRoom) -> None:
    code = await room.code(await room.arrived())
    await room.counter.report_problem(AMINA, code, "not_mine")
    await room.world.pool.execute("update case_file set closed_ms = 1, closed_by = 'amina'")
    told = [await room.counter.report_problem(AMINA, code, "not_mine") for _ in range(2)]
    assert told == [f"{code}-2"] * 2
    open_ = "select count(*) from case_file where closed_ms is null"
    assert await room.world.pool.fetchval(open_) == 1


async def test_nobody_reports_what_is_not_theirs(room: CounterRoom) -> None:
    code = await room.code(await room.arrived())
    with pytest.raises(CustomerMistake, match=r"mistake\.code_unknown"):
        await room.counter.report_problem(STRANGER, code, "other")
    assert await room.world.cases() == []


# Limits.


async def test_limits_are_those_of_the_tier_less_what_was_sent(room: CounterRoom) -> None:
    limits = read_policy().limits
    ceiling = limits.of(0, KES)
    fresh = await room.counter.limits_of(AMINA, KES)
    assert (fresh.tier, fresh.payment) == (0, Money(ceiling.payment_minor_max, KES))
    assert fresh.day_left == Money(ceiling.day_minor_max, KES)
    assert fresh.month_left == Money(ceiling.month_minor_max, KES)
    when = limits.local_time("KE", room.world.clock.now())
    allowance = limits.allowance(ceiling, Money(100_000, KES), when)
    room.world.policy.clearance = Clearance(None, spend_of(AMINA.customer_id, KES, allowance))
    await room.sent(1_000)
    left = await room.counter.limits_of(AMINA, KES)
    assert left.day_left == Money(ceiling.day_minor_max - 100_000, KES)
    assert left.month_left == Money(ceiling.month_minor_max - 100_000, KES)
    room.world.clock.pass_(24 * 3600)
    assert (await room.counter.limits_of(AMINA, KES)).day_left == fresh.day_left


async def test_the_tier_that_staff_gave_counts_before_the_one_the_session_knows(
    room: CounterRoom,
) -> None:
    await room.world.pool.execute(
        "insert into customer (id, tenant, msisdn, country, language, tier, created_at)"
        " values ($1, 1, $2, 'KE', 'en', 2, now())",
        AMINA.customer_id, str(AMINA.msisdn),
    )  # fmt: skip
    assert (await room.counter.limits_of(AMINA, KES)).tier == 2


async def test_a_currency_without_limits_has_no_way(room: CounterRoom) -> None:
    with pytest.raises(NoWayNow, match=r"no_way\.corridor"):
        await room.counter.limits_of(AMINA, "JPY")
