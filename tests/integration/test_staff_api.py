"""The API for staff over HTTP: who may, what is shown, what is written down, what is refused."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec import structs

from channels.api.mmo import PREFIX, staff_routes
from engine.clock import PaymentId
from engine.decisions import Decision
from engine.decisions import Kind as About
from engine.desk.proposals import Kind, Person
from engine.errors import OutcomeUnknown, Rejected, Unreachable
from engine.msisdn import Msisdn
from engine.outbox import Outbox
from engine.payments.evidence import Source
from engine.payments.facts import Ruling
from engine.payments.health import Told
from engine.payments.lifecycle import State
from engine.payments.payment import code_of, id_ending
from engine.payments.policy import Clearance
from engine.ports import Accepted, Direction, Finding, Outcome, Reason
from engine.staff.actions import Action
from engine.staff.members import Role
from engine.staff.probes import EVERY_SECONDS
from engine.staff.sessions import BELIEVED_SECONDS
from tests.integration.books import assert_books
from tests.integration.locks import somebody_waits
from tests.integration.owner import Owner
from tests.integration.staff_room import COUNTED_HERE, StaffRoom, open_staff_room
from tests.integration.world import FAILED, SUCCEEDED
from tests.unit.payments.examples import MPESA, MTN, PAYEE, PAYER

pytestmark = pytest.mark.long("each remedy by itself; test_staff_doors.py tries each door")

HOLD = Clearance(Decision(About.COMPLIANCE, "hold", "a name on a list", {}))


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[StaffRoom]:
    async with open_staff_room(seeded_url) as opened:
        yield opened
        await assert_books(opened.world.pool)


async def collecting(room: StaffRoom) -> tuple[PaymentId, str]:
    payment_id = await room.world.confirm()
    await room.world.dispatched()
    return payment_id, (await room.world.payment(payment_id)).code


async def collected(room: StaffRoom) -> tuple[PaymentId, str]:
    payment_id, code = await collecting(room)
    room.world.clock.pass_(0.01)  # ids are times
    await room.world.tell(await room.world.live(payment_id), SUCCEEDED)
    await room.world.dispatched()
    return payment_id, code


async def held(room: StaffRoom) -> tuple[PaymentId, str]:
    room.world.policy.clearance = HOLD
    return await collected(room)


async def paid(room: StaffRoom) -> tuple[PaymentId, str]:
    payment_id, code = await collected(room)
    await room.world.tell(await room.world.live(payment_id), SUCCEEDED)
    await room.world.dispatched()
    return payment_id, code


async def dispatch_evidence(room: StaffRoom) -> list[Any]:
    """Everything that says that something was sent, and what was said of it."""
    rows = await room.world.pool.fetch(
        "select id::text, payment::text, direction::text from attempt union all"
        " select attempt::text, hash::text, source::text from evidence union all"
        " select id::text, sent_at::text, ended from outbox where sent_at is not null order by 1, 2"
    )
    return [tuple(row) for row in rows]


# What is shown.


async def test_what_operators_can_do_is_read_from_their_facts_and_ports(room: StaffRoom) -> None:
    answer = await room.get("ada", "/providers")
    assert answer.status_code == 200
    shown = {provider["name"]: provider for provider in answer.json()["providers"]}
    assert shown["mpesa_ke"]["collects"] == {"minor_min": 100, "minor_max": 25_000_000}
    assert not shown["mpesa_ke"]["tells_balance"]
    assert shown["mtn_ug"]["tells_balance"]
    assert shown["mtn_ug"]["tells_names"]


async def test_who_gives_what_back_and_what_an_operator_cannot_is_told(database_url: str) -> None:
    operators = {
        "mpesa_ke": structs.replace(MPESA, can_refund=False, collect_minor_max=0),
        "mtn_ug": structs.replace(MTN, refund_is_payout=True, disburse_minor_max=0),
    }
    async with open_staff_room(database_url, operators=operators) as room:
        told = {
            one["name"]: one for one in (await room.get("ada", "/providers")).json()["providers"]
        }
        assert [told[name]["refunds"] for name in (*operators, "other_ug")] == [
            "people", "payout", "collection",
        ]  # fmt: skip
        kenya, uganda = (told[name] for name in operators)
        assert (kenya["collects"], kenya["disburses"]["minor_max"]) == (None, 25_000_000)
        assert (uganda["collects"]["minor_min"], uganda["disburses"]) == (500, None)


async def test_of_an_operator_that_said_nothing_yet_nothing_is_told(room: StaffRoom) -> None:
    for operator in (await room.get("sam", "/health")).json()["operators"]:
        assert operator["last_probe"] is None
        for lane in operator["lanes"]:
            told = (lane["breaker"], lane["since"], lane["until"], lane["reason"])
            assert told == ("closed", None, None, "")
    for held in (await room.get("sam", "/stats")).json()["floats"]:
        assert (held["theirs_minor"], held["theirs_at"]) == (None, None)


async def test_health_shows_an_open_breaker_with_its_reason(room: StaffRoom) -> None:
    for _ in range(6):
        room.engine.health.record("mtn_ug", Direction.DISBURSE, Told.UNCLEAR, 5_000)
    await room.engine.health.tend()
    lanes = {
        (operator["operator"], lane["direction"]): lane
        for operator in (await room.get("sam", "/health")).json()["operators"]
        for lane in operator["lanes"]
    }
    broken = lanes["mtn_ug", "disburse"]
    assert (broken["breaker"], broken["reason"]) == ("open", "too many faults in a row")
    assert broken["until"] > broken["since"]
    assert lanes["mtn_ug", "collect"]["breaker"] == "closed"


async def test_stats_count_attempts_exposure_and_payments_nobody_knows_of(room: StaffRoom) -> None:
    payment_id, _ = await collected(room)
    await room.world.payments.record_unclear(
        await room.world.payment(payment_id), await room.world.live(payment_id)
    )
    room.engine.health.record("mpesa_ke", Direction.COLLECT, Told.SUCCEEDED, 100)
    room.engine.health.record("mpesa_ke", Direction.COLLECT, Told.DECLINED, 100)
    await room.engine.health.flush()
    stats = (await room.get("fay", "/stats?minutes=30")).json()
    lanes = {(lane["operator"], lane["direction"]): lane for lane in stats["lanes"]}
    assert lanes["mpesa_ke", "collect"]["attempts"] == 2
    assert lanes["mpesa_ke", "collect"]["outcomes"]["declined"] == 1
    assert lanes["mtn_ug", "disburse"]["unknown"] == 1
    floats = {line["operator"]: line for line in stats["floats"]}
    quote = (await room.world.payment(payment_id)).quote
    assert floats["mtn_ug"]["in_flight_minor"] == quote.receives.minor + quote.payout_cost_minor_max
    assert floats["mpesa_ke"]["in_flight_minor"] == 0
    assert floats["mpesa_ke"]["theirs_minor"] is None


@pytest.mark.parametrize("asked", [{"operator": "mtn_ug\n"}, {"msisdn": "+256772000002\n"}])
async def test_a_line_break_behind_a_word_is_malformed_and_reaches_no_log(
    room: StaffRoom, asked: dict[str, str]
) -> None:
    answer = await room.post("sam", "/test-call", {"operator": "mtn_ug", "call": "name", **asked})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    told = await room.world.pool.fetch("select * from staff_action")
    assert told and "\n" not in "".join(str(word) for row in told for word in row)


async def test_a_window_is_bounded_and_nothing_else_may_be_asked(room: StaffRoom) -> None:
    for query in ("minutes=0", "minutes=241", "minutes=x", "hours=1", "minutes=1&minutes=2"):
        answer = await room.get("fay", f"/stats?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a_payment_is_found_by_code_by_id_and_by_attempt(room: StaffRoom) -> None:
    payment_id, code = await paid(room)
    shown = [
        (await room.get("sam", f"/transactions/{name}")).json()
        for name in (code, code.lower(), payment_id)
    ]
    attempts = shown[0]["attempts"]
    by_attempt = (await room.get("sam", f"/transactions/{attempts[0]['id']}")).json()
    assert {each["payment_id"] for each in [*shown, by_attempt]} == {payment_id}
    assert [(a["direction"], a["operator"], a["outcome"]) for a in attempts] == [
        ("collect", "mpesa_ke", "succeeded"),
        ("disburse", "mtn_ug", "succeeded"),
    ]
    assert attempts[0]["provider_reference"] == f"ref-{attempts[0]['id']}"
    assert shown[0]["state"] == "PAID"
    said = {(told["kind"], told["operation"]) for told in shown[0]["conversation"]}
    assert said == {("evidence", "accepted"), ("evidence", "callback")}
    assert all(told["asked"] is not None for told in shown[0]["conversation"])
    entry = shown[0]["steps"][0]["postings"][0]
    assert (entry["debit"], entry["credit"]) == ("POOL_AVAIL", "POOL_HELD")


async def test_numbers_are_masked_and_whole_ones_are_for_compliance_and_logged(
    room: StaffRoom,
) -> None:
    _, code = await paid(room)
    for who in ("sam", "fay", "cleo"):
        text = (await room.get(who, f"/transactions/{code}")).text
        assert PAYER not in text and PAYEE not in text
    refused = await room.get("fay", f"/transactions/{code}?numbers=whole")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    whole = (await room.get("cleo", f"/transactions/{code}?numbers=whole")).json()
    assert (whole["payer"], whole["payee"]) == (PAYER, PAYEE)
    log = await room.log()
    assert [row for row in log if row[1] == "see_numbers"] == [("cleo", "see_numbers", code, "ok")]
    assert ("fay", "show_transaction", code, "forbidden") in log


async def test_a_number_inside_an_operators_own_reference_is_hidden_too(room: StaffRoom) -> None:
    """M-PESA's names of requests end in the payer's number, without its country."""
    national = PAYER[4:]
    room.world.mpesa.answers.append(Accepted(f"ws_CO_2111{national}"))
    payment_id, code = await collecting(room)
    payment = await room.world.payment(payment_id)
    stepper = room.world.payments.stepper
    await stepper.open_case(payment, "UNRESOLVED", payment_id, f"asked ws_CO_2111{national}")
    for who, query, is_there in (("sam", "", False), ("cleo", "?numbers=whole", True)):
        answer = await room.get(who, f"/transactions/{code}{query}")
        assert (national in answer.text) is is_there
        assert ("ws_CO_21117*****001" in answer.text) is not is_there


async def test_a_number_that_people_corrected_since_is_hidden_as_before(room: StaffRoom) -> None:
    national, other = PAYEE[4:], Msisdn("+256772000099")
    payment_id, code = await collecting(room)
    room.world.mtn.answers.append(Accepted(f"payout-{national}"))
    room.world.clock.pass_(0.01)  # ids are times
    await room.world.tell(await room.world.live(payment_id), SUCCEEDED)
    await room.world.dispatched()
    paid_out = await room.world.live(payment_id)
    await room.world.tell(paid_out, SUCCEEDED)
    await room.world.tell(paid_out, Finding(Outcome.REVERSED, "undone"), Source.QUERY)
    assert await room.world.rulings.repay(payment_id, Ruling("x"), payee=other)
    await room.world.dispatched()
    shown = await room.get("sam", f"/transactions/{code}")
    assert shown.json()["payee"] == other.masked
    assert national not in shown.text
    assert f"payout-7*****{PAYEE[-3:]}" in shown.text


async def test_what_never_was_is_not_found(room: StaffRoom) -> None:
    for name in (
        "0" * 32,
        "ZZZZZZZZZZ",
        "0190a000-0000-7000-8000-000000000001",
        "x",
        "' or 1=1",
        "A" * 500,
    ):
        answer = await room.get("sam", f"/transactions/{name}")
        assert answer.status_code in (400, 404)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_another_tenants_payment_is_not_found(database_url: str) -> None:
    """By our own code, where the database would show it."""
    async with open_staff_room(database_url, role="none") as room:
        await _is_not_found_once_it_is_another_tenants(room)


async def _is_not_found_once_it_is_another_tenants(room: StaffRoom) -> None:
    payment_id, code = await collecting(room)
    attempt_id = await room.world.live(payment_id)
    await Owner(room.world.pool).execute("update payment set tenant = 2 where id = $1", payment_id)
    await Owner(room.world.pool).execute("update attempt set tenant = 2 where id = $1", attempt_id)
    for name in (code, payment_id, attempt_id):
        assert (await room.get("sam", f"/transactions/{name}")).status_code == 404
    await Owner(room.world.pool).execute("update payment set tenant = 1 where id = $1", payment_id)


# A retry.


async def test_support_asks_again_and_the_answer_moves_the_payment(room: StaffRoom) -> None:
    payment_id, code = await collecting(room)
    await room.world.payments.record_unclear(
        await room.world.payment(payment_id), await room.world.live(payment_id)
    )
    room.world.mpesa.findings.append(SUCCEEDED)
    answer = await room.post("sam", f"/transactions/{code}/retry")
    assert answer.status_code == 200
    assert answer.json() == {
        "code": code, "did": "ask", "came_of_it": "the operator said how it ended",
        "state_before": "COLLECT_UNKNOWN", "state": "PAYING",
    }  # fmt: skip
    assert len(room.world.mpesa.orders) == 1  # asked, not ordered again
    assert [order.attempt_id for order in room.world.mpesa.questions] == [
        room.world.mpesa.orders[0].attempt_id
    ]


async def test_a_retry_sends_nothing_twice_and_clears_no_evidence_of_a_dispatch(
    room: StaffRoom,
) -> None:
    room.world.mtn.answers.append(OutcomeUnknown("mtn_ug", "silence"))
    payment_id, code = await collected(room)
    assert await room.world.state(payment_id) is State.PAYOUT_UNKNOWN
    before = await dispatch_evidence(room)
    for finding in (Finding(Outcome.PENDING, "odd"), Finding(Outcome.NOT_FOUND, "none")):
        room.world.mtn.findings.append(finding)
        answer = await room.post("fay", f"/transactions/{code}/retry")
        assert answer.json()["state"] == "PAYOUT_UNKNOWN"
    after = await dispatch_evidence(room)
    assert set(before) <= set(after)
    assert len(room.world.mtn.orders) == 1
    attempts = await room.world.pool.fetchval("select count(*) from attempt")
    assert attempts == 2  # the collection and the one payout


async def test_no_answer_decides_nothing_and_may_be_asked_again_under_the_same_key(
    room: StaffRoom,
) -> None:
    payment_id, code = await collecting(room)
    room.world.mpesa.findings += [Unreachable("mpesa_ke", "down"), SUCCEEDED]
    answer = await room.post("sam", f"/transactions/{code}/retry", key="the-same-key")
    assert (answer.status_code, answer.json()["code"]) == (502, "no_answer")
    assert await room.world.state(payment_id) is State.COLLECTING
    answer = await room.post("sam", f"/transactions/{code}/retry", key="the-same-key")
    assert answer.json()["state"] == "PAYING"


async def test_what_was_definitely_never_sent_goes_out_by_finance_not_by_support(
    room: StaffRoom,
) -> None:
    room.world.mtn.answers.append(Unreachable("mtn_ug", "down"))
    payment_id, code = await collected(room)
    room.world.clock.pass_(7)
    refused = await room.post("sam", f"/transactions/{code}/retry")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert await room.world.dispatcher.sweep() == 0  # it waits for its own time
    answer = await room.post("fay", f"/transactions/{code}/retry")
    assert (answer.json()["did"], answer.json()["came_of_it"]) == ("send", "it goes out now")
    assert await room.world.dispatcher.sweep() == 1
    await room.world.dispatched()
    first, second = room.world.mtn.orders
    assert first.attempt_id == second.attempt_id == await room.world.live(payment_id)


async def test_an_order_that_was_put_off_for_long_goes_out_with_the_next_sweep(
    room: StaffRoom,
) -> None:
    room.world.mtn.answers.append(Unreachable("mtn_ug", "down"))
    _, code = await collected(room)
    room.world.clock.pass_(7)
    intent = await room.world.pool.fetchval("select id from outbox")
    outbox = Outbox(room.world.pool, room.world.clock, lease_seconds=60)
    await outbox.release(intent.hex, 1, room.world.clock.epoch() + 3600)
    room.world.clock.pass_(3000)  # too old by far to be walked over at every look
    assert await room.world.dispatcher.sweep() == 0
    answer = await room.post("fay", f"/transactions/{code}/retry")
    assert answer.json()["did"] == "send"
    assert await room.world.dispatcher.sweep() == 1


async def test_an_order_its_payer_may_still_withdraw_is_not_let_out_early(
    room: StaffRoom,
) -> None:
    room.world.mpesa.answers.append(Unreachable("mpesa_ke", "down"))
    payment_id, code = await collecting(room)
    until = int(room.world.clock.epoch()) + 30
    await Owner(room.world.pool).execute(
        "update outbox set not_before = $1::bigint, lease_until = $1::bigint + 60", until
    )
    answer = await room.post("fay", f"/transactions/{code}/retry")
    assert answer.json()["did"] == "send"
    assert await room.world.pool.fetchval("select lease_until from outbox") == until
    room.world.clock.pass_(20)
    assert await room.world.dispatcher.sweep() == 0
    room.world.clock.pass_(15)
    assert await room.world.dispatcher.sweep() == 1
    assert await room.world.state(payment_id) is State.COLLECTING


async def test_an_order_that_is_being_sent_is_left_alone(room: StaffRoom) -> None:
    payment_id, code = await collecting(room)
    attempt_id = await room.world.live(payment_id)
    await Owner(room.world.pool).execute(
        "insert into outbox (id, payment, tenant, kind, not_before, lease_until, sent_at)"
        " values ($1, $2, 1, 1, 0, 9999999999, 1)",
        attempt_id, payment_id,
    )  # fmt: skip
    answer = await room.post("fay", f"/transactions/{code}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_legal")
    assert "being sent" in answer.json()["detail"]
    assert room.world.mpesa.questions == []


async def test_a_queued_payout_leaves_when_an_operator_takes_it(room: StaffRoom) -> None:
    room.world.policy.closed = {"mtn_ug", "other_ug"}
    payment_id, code = await collected(room)
    assert await room.world.state(payment_id) is State.PAYOUT_QUEUED
    waits = await room.post("fay", f"/transactions/{code}/retry")
    assert waits.json()["came_of_it"] == "no operator takes it yet: it waits on"
    room.world.policy.closed = set()
    left = await room.post("fay", f"/transactions/{code}/retry")
    assert (left.json()["state_before"], left.json()["state"]) == ("PAYOUT_QUEUED", "PAYING")
    assert len(room.world.mtn.orders) == 1


async def test_a_refund_that_failed_is_ordered_anew(room: StaffRoom) -> None:
    room.world.mtn.answers.append(Rejected("mtn_ug", "no", code="X", reason=Reason.CANNOT_RECEIVE))
    payment_id, code = await collected(room)
    assert await room.world.state(payment_id) is State.REFUNDING
    await room.world.tell(await room.world.live(payment_id), FAILED, Source.QUERY)
    assert await room.world.state(payment_id) is State.REFUND_DUE
    answer = await room.post("fin", f"/transactions/{code}/retry")
    assert (answer.json()["did"], answer.json()["state"]) == ("order_refund", "REFUNDING")
    refunds = [o for o in room.world.mpesa.orders if o.direction is Direction.REFUND]
    assert len({order.attempt_id for order in refunds}) == 2


async def test_a_refund_that_no_operator_takes_is_not_ordered_people_pay(database_url: str) -> None:
    one_way = msgspec.structs.replace(MPESA, can_refund=False)
    async with open_staff_room(database_url, operators={"mpesa_ke": one_way}) as room:
        room.world.mtn.answers.append(
            Rejected("mtn_ug", "no", code="X", reason=Reason.CANNOT_RECEIVE)
        )
        payment_id, code = await collected(room)
        assert await room.world.state(payment_id) is State.REFUND_DUE
        answer = await room.post("fay", f"/transactions/{code}/retry")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_legal")
        assert "REFUND_SEEN" in answer.json()["detail"]
        assert [o.direction for o in room.world.mpesa.orders] == [Direction.COLLECT]
        await assert_books(room.world.pool)


async def test_two_who_retry_at_once_order_one_refund(room: StaffRoom) -> None:
    room.world.mtn.answers.append(Rejected("mtn_ug", "no", code="X", reason=Reason.CANNOT_RECEIVE))
    payment_id, code = await collected(room)
    await room.world.tell(await room.world.live(payment_id), FAILED, Source.QUERY)
    before = len(room.world.mpesa.orders)
    answers = await asyncio.gather(
        *[room.post(who, f"/transactions/{code}/retry") for who in ("fay", "fin", "fay", "fin")]
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(room.world.mpesa.orders) == before + 1
    assert await room.world.state(payment_id) is State.REFUNDING


async def test_asking_about_what_is_over_brings_late_money_to_light(room: StaffRoom) -> None:
    payment_id, code = await collecting(room)
    await room.world.tell(await room.world.live(payment_id), FAILED)
    assert await room.world.state(payment_id) is State.COLLECT_FAILED
    room.world.mpesa.findings.append(SUCCEEDED)
    answer = await room.post("sam", f"/transactions/{code}/retry")
    assert (answer.json()["state_before"], answer.json()["state"]) == (
        "COLLECT_FAILED", "REFUNDING",
    )  # fmt: skip


async def test_an_operator_that_cannot_be_asked_is_not_asked(database_url: str) -> None:
    mute = msgspec.structs.replace(MPESA, can_be_asked=False)
    async with open_staff_room(database_url, operators={"mpesa_ke": mute}) as room:
        _, code = await collecting(room)
        answer = await room.post("sam", f"/transactions/{code}/retry")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_legal")
        assert "ATTEMPT_SEEN" in answer.json()["detail"]
        assert room.world.mpesa.questions == []


# A reversal.


async def test_two_of_the_staff_give_a_held_payment_back(room: StaffRoom) -> None:
    payment_id, code = await held(room)
    asked = await room.post("fay", f"/transactions/{code}/reverse", {"why": "on a list"})
    assert asked.status_code == 201
    proposal = asked.json()
    assert (proposal["kind"], proposal["state"], proposal["made_by"]) == (
        "REFUSE_HOLD", "proposed", "fay",
    )  # fmt: skip
    assert await room.world.state(payment_id) is State.ON_HOLD
    own = await room.post("fay", f"/proposals/{proposal['id']}/approve")
    assert (own.status_code, own.json()["code"]) == (409, "same_person")
    assert await room.world.state(payment_id) is State.ON_HOLD
    (waiting,) = (await room.get("fin", "/proposals")).json()["proposals"]
    assert waiting["id"] == proposal["id"]
    agreed = await room.post("fin", f"/proposals/{proposal['id']}/approve")
    assert (agreed.json()["state"], agreed.json()["decided_by"]) == ("done", "fin")
    assert await room.world.state(payment_id) is State.REFUNDING
    log = [(who, what, outcome) for who, what, _, outcome in await room.log()]
    assert log == [
        ("fay", "propose_reversal", "ok"),
        ("fay", "approve_proposal", "same_person"),
        ("fin", "list_proposals", "ok"),
        ("fin", "approve_proposal", "ok"),
    ]


async def test_two_who_approve_at_once_give_it_back_once(room: StaffRoom) -> None:
    payment_id, code = await held(room)
    asked = await room.post("fay", f"/transactions/{code}/reverse", {"why": "on a list"})
    path = f"/proposals/{asked.json()['id']}/approve"
    answers = await asyncio.gather(*[room.post("fin", path) for _ in range(4)])
    assert {answer.status_code for answer in answers} == {200}
    refunds = [o for o in room.world.mpesa.orders if o.direction is Direction.REFUND]
    assert len(refunds) == 1
    assert await room.world.state(payment_id) is State.REFUNDING


async def test_a_queued_payment_is_given_back_by_two(room: StaffRoom) -> None:
    room.world.policy.closed = {"mtn_ug", "other_ug"}
    payment_id, code = await collected(room)
    asked = await room.post("fay", f"/transactions/{code}/reverse", {"why": "waits too long"})
    agreed = await room.post("fin", f"/proposals/{asked.json()['id']}/approve")
    assert agreed.json()["state"] == "done"
    assert await room.world.state(payment_id) is State.REFUNDING
    assert room.world.mtn.orders == []


async def test_an_approval_that_comes_when_the_payment_has_moved_gives_nothing_back(
    room: StaffRoom,
) -> None:
    room.world.policy.closed = {"mtn_ug", "other_ug"}
    payment_id, code = await collected(room)
    asked = await room.post("fay", f"/transactions/{code}/reverse", {"why": "waits too long"})
    room.world.policy.closed = set()
    await room.post("fay", f"/transactions/{code}/retry")
    agreed = await room.post("fin", f"/proposals/{asked.json()['id']}/approve")
    assert (agreed.json()["state"], agreed.json()["outcome"]) == ("failed", f"{code} is PAYING")
    assert await room.world.state(payment_id) is State.PAYING


async def test_a_reversal_is_refused_with_the_reason_where_it_is_not_legal(
    room: StaffRoom,
) -> None:
    said = {}
    for state, make in (("COLLECTING", collecting), ("PAYING", collected), ("PAID", paid)):
        _, code = await make(room)
        answer = await room.post("fay", f"/transactions/{code}/reverse", {"why": "please"})
        assert (answer.status_code, answer.json()["code"]) == (409, "not_legal")
        said[state] = answer.json()["detail"]
    assert said["COLLECTING"].startswith("COLLECTING: the payer is being asked")
    assert "find out first" in said["PAYING"]
    assert "only the operator can take it back" in said["PAID"]
    assert await room.world.pool.fetchval("select count(*) from proposal") == 0


async def test_a_reason_of_several_lines_is_malformed(room: StaffRoom) -> None:
    _, code = await held(room)
    answer = await room.post("fay", f"/transactions/{code}/reverse", {"why": "two\nlines"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a_reason_may_be_pasted_with_its_blanks(room: StaffRoom) -> None:
    _, code = await held(room)
    path = f"/transactions/{code}/reverse"
    answer = await room.post("fay", path, {"why": "\u00a0500\u202f000 too\u00a0much"})
    assert answer.json()["note"] == "500 000 too much"
    assert (await room.post("fay", path, {"why": "\u00a0" * 3})).json()["code"] == "malformed"


async def test_the_same_reversal_is_proposed_once(room: StaffRoom) -> None:
    _, code = await held(room)
    first = await room.post("fay", f"/transactions/{code}/reverse", {"why": "on a list"})
    second = await room.post("fin", f"/transactions/{code}/reverse", {"why": "me too"})
    assert (second.status_code, second.json()["code"]) == (409, "already_proposed")
    assert first.json()["id"] in second.json()["detail"]
    rejected = await room.post("fin", f"/proposals/{first.json()['id']}/reject")
    assert (rejected.json()["state"], rejected.json()["decided_by"]) == ("rejected", "fin")
    late = await room.post("fin", f"/proposals/{first.json()['id']}/approve")
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")


async def test_of_those_who_reverse_the_same_at_once_one_does_and_the_others_hear(
    room: StaffRoom,
) -> None:
    _, code = await held(room)
    path, why = f"/transactions/{code}/reverse", {"why": "on a list"}
    async with room.world.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local role none")
        await connection.execute("lock table proposal in share mode")  # all read, and none writes
        posts = [asyncio.create_task(room.post(who, path, why)) for who in ("fay", "fin", "fay")]
        await somebody_waits(connection, at_least=len(posts))
    answers = await asyncio.gather(*posts)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    (made,) = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    others = [answer.json() for answer in answers if answer.status_code == 409]
    assert all(told["code"] == "already_proposed" and made in told["detail"] for told in others)
    assert await room.world.pool.fetchval("select count(*) from proposal") == 1


async def test_a_proposal_keeps_others_away_from_its_own_payment_while_it_is_open(
    room: StaffRoom,
) -> None:
    first, second = [f"/transactions/{(await held(room))[1]}/reverse" for _ in range(2)]
    why = {"why": "on a list"}
    made = await room.post("fay", first, why)
    assert (made.status_code, (await room.post("fay", second, why)).status_code) == (201, 201)
    assert (await room.post("fin", first, why)).json()["code"] == "already_proposed"
    await room.post("fin", f"/proposals/{made.json()['id']}/reject")
    assert (await room.post("fay", first, why)).status_code == 201


async def test_a_proposal_of_another_kind_is_not_decided_here(room: StaffRoom) -> None:
    made = await room.engine.office.desk.propose(
        Kind.WRITE_OFF, {"currency": "UGX", "minor": 5}, by=Person("asha"), note="gone"
    )
    answer = await room.post("fay", f"/proposals/{made.id}/approve")
    assert answer.status_code == 404
    assert (await room.get("fay", "/proposals")).json() == {"proposals": []}


# The same request again.


async def test_the_same_key_is_answered_byte_for_byte_and_does_nothing_more(
    room: StaffRoom,
) -> None:
    _, code = await held(room)
    path, body = f"/transactions/{code}/reverse", {"why": "on a list"}
    first = await room.post("fay", path, body, key="reverse-once")
    again = await room.post("fay", path, body, key="reverse-once")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert await room.world.pool.fetchval("select count(*) from proposal") == 1
    other = await room.post("fay", path, {"why": "another reason"}, key="reverse-once")
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    elsewhere = await room.post("fay", f"/transactions/{code}/retry", key="reverse-once")
    assert elsewhere.status_code == 422
    # Keys are a person's own: somebody else's is another.
    fin = await room.post("fin", path, body, key="reverse-once")
    assert fin.json()["code"] == "already_proposed"


async def test_a_key_stands_for_one_deed_and_what_it_was_done_to(room: StaffRoom) -> None:
    made = []
    for _ in range(2):
        path = f"/transactions/{(await held(room))[1]}/reverse"
        made.append((await room.post("fay", path, {"why": "on a list"})).json()["id"])
    rejected = await room.post("fin", f"/proposals/{made[0]}/reject", key="decided-once")
    assert rejected.json()["state"] == "rejected"
    for path in (f"/proposals/{made[0]}/approve", f"/proposals/{made[1]}/reject"):
        other = await room.post("fin", path, key="decided-once")
        assert (other.status_code, other.json()["code"]) == (422, "key_reused")


async def test_a_refusal_is_answered_again_too(room: StaffRoom) -> None:
    payment_id, code = await collecting(room)
    first = await room.post("fay", f"/transactions/{code}/reverse", {"why": "oops"}, key="k" * 8)
    await room.world.tell(await room.world.live(payment_id), FAILED)
    again = await room.post("fay", f"/transactions/{code}/reverse", {"why": "oops"}, key="k" * 8)
    assert first.status_code == 409
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]


async def test_who_hears_an_answer_again_is_written_down_again(room: StaffRoom) -> None:
    _, code = await held(room)
    for why in ("on a list", "on a list", "another reason"):
        await room.post("fay", f"/transactions/{code}/reverse", {"why": why}, key="reverse-once")
    row = "fay", "propose_reversal", code
    assert await room.log() == [(*row, "ok"), (*row, "answered again"), (*row, "key_reused")]


async def test_many_at_once_under_one_key_are_carried_out_once(room: StaffRoom) -> None:
    _, code = await held(room)
    answers = await asyncio.gather(
        *[
            room.post("fay", f"/transactions/{code}/reverse", {"why": "on a list"}, key="at-once-1")
            for _ in range(8)
        ]
    )
    assert {a.status_code for a in answers} <= {201, 409}
    assert all(a.json()["code"] == "under_way" for a in answers if a.status_code == 409)
    assert len({a.content for a in answers if a.status_code == 201}) == 1
    assert await room.world.pool.fetchval("select count(*) from proposal") == 1


async def test_a_process_that_died_in_between_made_one_proposal_not_two(room: StaffRoom) -> None:
    _, code = await held(room)
    path, body = f"/transactions/{code}/reverse", {"why": "on a list"}
    first = await room.post("fay", path, body, key="died-once")
    # As if it had died after the effect and before the answer was kept.
    await Owner(room.world.pool).execute("update staff_request set status = null, answer = null")
    soon = await room.post("fay", path, body, key="died-once")
    assert (soon.status_code, soon.json()["code"]) == (409, "under_way")
    assert 0 < int(soon.headers["retry-after"]) <= 60
    room.world.clock.pass_(61)
    later = await room.post("fay", path, body, key="died-once")
    assert (later.status_code, later.content) == (201, first.content)
    assert await room.world.pool.fetchval("select count(*) from proposal") == 1


async def test_what_changes_something_wants_a_key(room: StaffRoom) -> None:
    for key in (None, "short", "x" * 65, "with space", "späßchen"):
        headers: list[tuple[bytes, bytes]] = [
            (name.encode(), value.encode()) for name, value in room.headers("fay").items()
        ]
        if key is not None:
            headers.append((b"idempotency-key", key.encode()))
        answer = await room.client.post(f"{PREFIX}/transactions/{'A' * 10}/retry", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "key_missing")


# A call to see whether an operator answers.


async def test_a_test_call_asks_for_a_balance_and_moves_nothing(room: StaffRoom) -> None:
    answer = await room.post("ada", "/test-call", {"operator": "mtn_ug"})
    assert answer.status_code == 200
    assert (answer.json()["outcome"], answer.json()["call"]) == ("answered", "balance")
    assert room.telling.orders == []
    health = (await room.get("ada", "/health")).json()["operators"]
    last = next(o["last_probe"] for o in health if o["operator"] == "mtn_ug")
    assert (last["outcome"], last["latency_ms"]) == ("answered", answer.json()["latency_ms"])
    theirs = {
        f["operator"]: f["theirs_minor"] for f in (await room.get("ada", "/stats")).json()["floats"]
    }
    assert theirs["mtn_ug"] == 1_000
    log = await room.log()
    assert log[0] == ("ada", "test_call", "mtn_ug", "ok")


async def test_one_operator_is_called_so_once_in_some_seconds_by_all_together(
    room: StaffRoom,
) -> None:
    answers = await asyncio.gather(
        *[room.post(who, "/test-call", {"operator": "mtn_ug"}) for who in ("ada", "sam", "ada")]
    )
    assert sorted(a.status_code for a in answers) == [200, 429, 429]
    late = next(a for a in answers if a.status_code == 429)
    assert late.headers["retry-after"] == str(EVERY_SECONDS)
    room.world.clock.pass_(EVERY_SECONDS)
    assert (await room.post("ada", "/test-call", {"operator": "mtn_ug"})).status_code == 200


async def test_a_test_call_that_is_not_answered_says_so(room: StaffRoom) -> None:
    room.telling.error = OutcomeUnknown("mtn_ug", "silence", code="504")
    answer = await room.post("sam", "/test-call", {"operator": "mtn_ug"})
    assert answer.json()["outcome"] == "OutcomeUnknown: 504"
    room.world.clock.pass_(EVERY_SECONDS)
    room.telling.error, room.telling.later = None, True
    answer = await room.post("sam", "/test-call", {"operator": "mtn_ug"})
    assert answer.json()["outcome"] == "1 of 1 answer later"


async def test_a_name_is_asked_for_and_not_shown(
    room: StaffRoom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    room.telling.names = {PAYEE: "Nakato Grace"}
    body = {"operator": "mtn_ug", "call": "name", "msisdn": str(PAYEE)}
    answer = await room.post("sam", "/test-call", body)
    assert answer.json()["outcome"] == "a name"
    assert "Nakato" not in answer.text + caplog.text
    assert PAYEE not in answer.text + caplog.text
    stored = await room.world.pool.fetch("select * from staff_action")
    assert PAYEE not in str(stored)


REFUSED_CALLS: list[tuple[Any, int]] = [
    ({"operator": "mpesa_ke"}, 409),  # it tells no balance
    ({"operator": "mtn_ug", "call": "name"}, 409),  # whose?
    ({"operator": "nobody"}, 404),
    ({"operator": "mtn_ug", "call": "collect"}, 400),
    ({"operator": "mtn_ug", "amount": 5}, 400),
    ({"operator": "mtn_ug", "call": "name", "msisdn": "+256414000000"}, 400),
    ({"operator": "MTN'; drop table"}, 400),
    ([], 400),
    ("", 400),
]


async def test_only_what_is_harmless_can_be_asked_for(room: StaffRoom) -> None:
    for body, status in REFUSED_CALLS:
        answer = await room.post("ada", "/test-call", body)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert room.telling.orders == room.world.mpesa.orders == []


# What is written down, and what is not.


async def test_what_changes_something_is_written_down_before_it_is_done(room: StaffRoom) -> None:
    payment_id, code = await collecting(room)
    seen: list[Any] = []

    async def look(_: Any) -> Finding:
        seen.extend(await room.log())
        return SUCCEEDED

    room.world.mpesa.query = look  # type: ignore[method-assign, assignment]
    await room.post("sam", f"/transactions/{code}/retry")
    assert seen == [("sam", "retry_transaction", code, None)]
    assert await room.log() == [("sam", "retry_transaction", code, "ok")]
    assert await room.world.state(payment_id) is State.PAYING


async def test_nothing_is_shown_or_done_that_cannot_be_written_down(room: StaffRoom) -> None:
    _, code = await collecting(room)
    await Owner(room.world.pool).execute("alter table staff_action rename to elsewhere")
    try:
        shown = await room.get("sam", f"/transactions/{code}")
        done = await room.post("sam", f"/transactions/{code}/retry")
    finally:
        await Owner(room.world.pool).execute("alter table elsewhere rename to staff_action")
    for answer in (shown, done):
        assert (answer.status_code, answer.json()["code"]) == (500, "our_fault")
        assert code not in answer.text
    assert room.world.mpesa.questions == []


REWRITINGS = (
    "delete from staff_action",
    "truncate staff_action",
    "update staff_action set who = 'nobody'",
    "update staff_action set outcome = 'other'",
    "update staff_action set outcome = null, ended_ms = null",
)


async def test_the_log_of_a_payment_names_whoever_looked_by_whichever_of_its_names(
    room: StaffRoom,
) -> None:
    payment_id, code = await collected(room)
    attempt_id = (await room.get("sam", f"/transactions/{code}")).json()["attempts"][0]["id"]
    _, other = await collecting(room)
    await room.get("sam", f"/transactions/{other}")
    misread = code.lower().replace("0", "o").replace("1", "l")
    for who, name in (("fay", payment_id), ("cleo", misread), ("fin", attempt_id)):
        assert (await room.get(who, f"/transactions/{name}")).status_code == 200, name
    for name in (code, misread, payment_id, attempt_id, f"{code[:5]} {code[5:]}"):
        told = [logged.action.who for logged in await room.actions.about(name)]
        assert told == ["fin", "cleo", "fay", "sam"], name
    assert (await room.get("ada", f"/transactions/{code}%0A")).status_code == 403
    assert (await room.get("sam", f"/transactions/{code}%0A")).status_code == 400
    assert [logged.action.who for logged in await room.actions.about(other)] == ["sam"]
    assert await room.actions.about("0" * 32) == await room.actions.about("nobody") == []


async def test_a_number_typed_where_a_code_belongs_is_not_kept(room: StaffRoom) -> None:
    assert (await room.get("sam", "/transactions/0772123456")).status_code == 404
    (logged,) = await room.actions.about("0772123456")
    assert logged.action.subject == "07*****456"
    assert "0772123456" not in str(await room.log())


@pytest.mark.parametrize(
    ("subject", "kept"),
    [
        ("+256772123456", "+2567*****456"),
        ("0772 123 456", "07*****456"),
        ("+254 712-345-001", "+2547*****001"),
        ("01a20366-0123-7567-8901-234567890123", "01a20366-0123-7567-8901-234567890123"),
        ("0" * 32, "0" * 32),
        ("7K3M9QX2AB", "7K3M9QX2AB"),
        ("FLOAT:mtn_ug:UGX", "FLOAT:mtn_ug:UGX"),
        ("2026-11-22", "2026-11-22"),
    ],
)
async def test_of_a_subject_only_a_number_is_hidden(
    room: StaffRoom, subject: str, kept: str
) -> None:
    await room.actions.write(Action("terminal:asha", "traffic", subject), "ok")
    assert (await room.log())[-1][2] == kept


async def test_a_code_of_digits_alone_is_one_subject_all_the_same(room: StaffRoom) -> None:
    """One in a hundred thousand: it is kept as a number is, and found by every name."""
    digits, owner = "0772123456", Owner(room.world.pool)
    made, _ = await collected(room)
    twin = f"{made[:-13]}{int(made[-13], 16) & 0xC:x}{id_ending(digits)}"
    assert code_of(twin) == digits
    await owner.force(
        "insert into payment (id, tenant, state, version, way, terms) values ($1, 1, $2, 1, 0, 1)",
        twin, int(State.CANCELLED),
    )  # fmt: skip
    for name in (digits, twin):
        room.world.clock.pass_(0.01)  # ids are times
        await room.actions.write(Action("terminal:asha", "traffic", name), "ok")
    told = [
        [logged.action.subject for logged in await room.actions.about(n)] for n in (digits, twin)
    ]
    await owner.execute("delete from payment where id = $1", twin)
    assert told == [[twin, "07*****456"]] * 2


async def test_a_request_that_cannot_be_read_is_a_row_too_and_holds_no_number(
    room: StaffRoom,
) -> None:
    _, code = await collected(room)
    await room.get("sam", f"/transactions/{code}?numbers=all")
    await room.get("sam", f"/transactions/{PAYEE}")
    await room.get("nemo", "/transactions/a%00b")
    key = {"idempotency-key": "key-of-this"}
    for body, headers in (
        (b'{"why":', key),
        (b'{"why":', key | {"content-type": "application/json"}),
        (b'{"why":"because"}', {"content-type": "application/json"}),
    ):
        room.world.clock.pass_(0.01)  # ids are times
        path, headers = f"{PREFIX}/transactions/{code}/reverse", {**room.headers("fay"), **headers}
        await room.client.post(path, content=body, headers=headers)
    assert await room.log() == [
        ("sam", "show_transaction", code, "malformed"),
        ("sam", "show_transaction", "+2567*****002", "malformed"),
        ("nemo", "show_transaction", "a?b", "forbidden"),
        ("fay", "propose_reversal", code, "wrong_media_type"),
        ("fay", "propose_reversal", code, "malformed"),
        ("fay", "propose_reversal", code, "key_missing"),
    ]


async def test_what_was_written_down_stays(room: StaffRoom) -> None:
    await room.get("sam", "/providers")
    for statement in REWRITINGS:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
            await Owner(room.world.pool).execute(statement)
    assert await room.log() == [("sam", "list_providers", "", "ok")]


async def test_whoever_says_how_an_action_ended_changes_nothing_else_of_it(room: StaffRoom) -> None:
    action = await room.actions.begin(Action("sam", "retry_transaction", "7K3M9QX2AB"))
    ended = "update staff_action set outcome = 'ok', ended_ms = 1"
    another = "gen_random_uuid()"
    for changed in (
        "who = 'nobody'", "what = 'look'", "subject = ''", f"session = {another}",
        f"correlation = {another}", f"id = {another}",
    ):  # fmt: skip
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
            await Owner(room.world.pool).execute(f"{ended}, {changed}")
    await room.actions.end(action, "ok")
    assert await room.log() == [("sam", "retry_transaction", "7K3M9QX2AB", "ok")]


async def test_an_error_of_ours_tells_a_stranger_nothing(
    room: StaffRoom, caplog: pytest.LogCaptureFixture
) -> None:
    _, code = await collecting(room)

    async def fail(_: Any) -> Finding:
        raise RuntimeError("a secret of the house")

    room.world.mpesa.query = fail  # type: ignore[method-assign, assignment]
    answer = await room.post("sam", f"/transactions/{code}/retry")
    assert (answer.status_code, answer.json()["code"]) == (500, "our_fault")
    assert "secret" not in answer.text
    assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"]
    assert answer.json()["correlation_id"] in caplog.text
    # Nobody knows how it ended, and the log says just that.
    assert await room.log() == [("sam", "retry_transaction", code, None)]


async def test_tokens_and_numbers_reach_no_log(
    room: StaffRoom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, code = await held(room)
    await room.get("cleo", f"/transactions/{code}?numbers=whole")
    await room.post("fay", f"/transactions/{code}/reverse", {"why": "on a list"})
    await room.client.get(f"{PREFIX}/health", headers={"authorization": "Bearer forged.to.ken"})
    logged = caplog.text
    assert "forged.to.ken" not in logged
    for token in room.tokens.values():
        assert token not in logged
        assert token.rpartition(".")[2] not in logged
    assert PAYER not in logged and PAYEE not in logged
    assert code in logged  # the payment itself is spoken of
    kept = str(await room.world.pool.fetch("select * from staff_action"))
    assert PAYER not in kept


async def test_what_may_be_done_about_a_payment_is_told_with_it(room: StaffRoom) -> None:
    _, code = await held(room)
    possible = (await room.get("sam", f"/transactions/{code}")).json()["possible"]
    assert possible["retry"] is None
    assert possible["reverse"] == "REFUSE_HOLD"
    assert "two people" in possible["retry_why_not"]


async def test_where_no_key_for_tokens_is_set_there_is_no_api(room: StaffRoom) -> None:
    settings = replace(room.engine.settings, staff_keys={})
    assert staff_routes(replace(room.engine, settings=settings), COUNTED_HERE) == []


# A role or a session that is gone.


async def test_a_revoked_role_works_no_more_at_once_where_something_changes(
    room: StaffRoom,
) -> None:
    _, code = await held(room)
    path, body = f"/transactions/{code}/reverse", {"why": "on a list"}
    assert (await room.get("fay", "/proposals")).status_code == 200
    await room.store.revoke(Person("fay"), [Role.FINANCE])
    assert (await room.post("fay", path, body)).status_code == 403
    await room.store.grant(Person("fay"), [Role.FINANCE])
    assert (await room.post("fay", path, body)).status_code == 201


async def test_an_ended_session_reads_for_a_few_seconds_at_most_and_changes_nothing(
    room: StaffRoom,
) -> None:
    assert (await room.get("sam", "/health")).status_code == 200
    await room.store.end_sessions(name=Person("sam"), session_id=None, by="test", at_ms=1)
    assert (await room.post("sam", "/test-call", {"operator": "mtn_ug"})).status_code == 401
    # Whoever was turned away once is not believed from memory either.
    assert (await room.get("sam", "/health")).status_code == 401
    assert (await room.get("ada", "/health")).status_code == 200
    await room.store.end_sessions(name=Person("ada"), session_id=None, by="test", at_ms=1)
    room.world.clock.pass_(BELIEVED_SECONDS)
    assert (await room.get("ada", "/health")).status_code == 401


async def test_a_session_is_not_believed_longer_where_the_clock_was_set_back(
    room: StaffRoom,
) -> None:
    room.world.clock.pass_(600)
    assert (await room.get("ada", "/health")).status_code == 200
    room.world.clock.pass_(-300)  # not before the token was written
    await room.store.end_sessions(name=Person("ada"), session_id=None, by="test", at_ms=1)
    assert (await room.get("ada", "/health")).status_code == 401


async def sessions_of(room: StaffRoom) -> dict[str, str]:
    """The id of everybody's open session, as an admin sees them."""
    told = (await room.get("ada", "/sessions")).json()["sessions"]
    return {one["member"]: one["id"] for one in told}


async def test_an_admin_ends_anybodys_session_and_it_changes_nothing_from_then_on(
    room: StaffRoom,
) -> None:
    open_ = await sessions_of(room)
    assert set(open_) == {"sam", "fay", "fin", "cleo", "ada", "nemo"}
    path = f"/sessions/{open_['sam']}/end"
    assert (await room.post("ada", path)).json() == {"id": open_["sam"], "ended": True}
    assert (await room.post("sam", "/test-call", {"operator": "mtn_ug"})).status_code == 401
    assert (await room.post("ada", path)).json() == {"id": open_["sam"], "ended": False}
    assert "sam" not in await sessions_of(room)
    ended_by = await room.world.pool.fetchval(
        "select ended_by from staff_session where id = $1", open_["sam"]
    )
    assert ended_by == "ada"
    assert ("ada", "end_session", open_["sam"], "ok") in await room.log()


async def test_everybody_ends_their_own_session_and_learns_of_no_other(room: StaffRoom) -> None:
    open_ = await sessions_of(room)
    for who in ("fay", "sam", "cleo"):
        answers = [
            await room.post(who, f"/sessions/{session_id}/end")
            for session_id in (open_["fin"], "ab" * 16)
        ]
        bodies = [answer.json() | {"correlation_id": ""} for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert bodies[0] == bodies[1]  # somebody else's, and nobody's
        assert (await room.post(who, f"/sessions/{open_[who]}/end")).json()["ended"]
        assert (await room.post(who, f"/sessions/{open_[who]}/end")).status_code == 401
    assert set(await sessions_of(room)) == {"fin", "ada", "nemo"}


async def test_a_token_is_good_until_its_session_expires(room: StaffRoom) -> None:
    room.world.clock.pass_(8 * 3600 - 5)
    assert (await room.get("sam", "/health")).status_code == 200
    room.world.clock.pass_(6)
    assert (await room.get("sam", "/health")).status_code == 401
    now_ms = int(room.world.clock.epoch() * 1000)
    assert await room.store.open_sessions(now_ms) == []
