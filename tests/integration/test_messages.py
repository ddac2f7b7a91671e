"""Messages out on a real Postgres: one for each state whatever dies; what is told of the rest."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from channels.commands.messages import show_messages
from channels.wiring import MENUS
from engine.clock import Ids, IntentId, PaymentId
from engine.desk.cases import SMS_UNKNOWN
from engine.errors import OutcomeUnknown, Rejected, Unreachable
from engine.ledger.plans import Intent
from engine.messages.gateways import Gateway, Gateways
from engine.messages.letters import REPLY, Letters, write_answer
from engine.messages.planning import Writer
from engine.messages.quiet import OptOuts
from engine.messages.sender import Messages
from engine.messages.watch import MessageWatch
from engine.money import Money
from engine.msisdn import Msisdn
from engine.outbox import Outbox, SmsEnding
from engine.payments.notices import MESSAGE, Message, write_message
from engine.ports import Reason, Sms, SmsAccepted, SmsReport
from engine.texts import Texts
from tests.integration.owner import Owner
from tests.integration.world import FAILED, SUCCEEDED, ScriptedSms, World, open_world, settings_for
from tests.unit.payments.examples import PAYEE, PAYER

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXTS = Texts.load(MENUS / "texts")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(shared_database_url: str) -> AsyncIterator[World]:
    async with open_world(shared_database_url) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def world(opened: World) -> World:
    """One world for all: nothing is queued, said or kept back, and it is the same day again."""
    await opened.dispatched()
    for table in ("outbox", "sms_message", "sms_report", "sms_opt_out", "case_file"):
        await Owner(opened.pool).execute(f"delete from {table}")
    for list_ in (opened.sms.sent, opened.sms.answers, opened.heard):
        list_.clear()
    opened.clock.start_over()
    return opened


async def queue(world: World, kind: int, payload: str, *, at: int = 0) -> Intent:
    """A message without a payment, as any room may store one."""
    now = int(world.clock.epoch())
    intent = Intent(Ids(world.clock).intent(), kind, payload, at or now, now)
    await world.pool.execute(
        "insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)"
        " values ($1, $2, 1, $3, $4, $5, $6)",
        intent.id, "9" * 32, kind, payload, intent.not_before, intent.lease_until,
    )  # fmt: skip
    return intent


async def statuses(world: World) -> dict[str, str]:
    rows = await world.pool.fetch("select template, status from sms_message")
    return {row["template"]: row["status"] for row in rows}


ABOUT: dict[str, Money | str] = {"code": "2YFTBRZRDS", "amount": Money(20_000, "UGX")}


def request_to(msisdn: Msisdn, language: str = "en") -> str:
    return write_message(Message(msisdn, language, "pin_reset", {}))


async def swept(world: World) -> None:
    world.clock.pass_(61)
    await world.dispatcher.sweep()
    await world.dispatched()


async def test_a_message_of_another_room_is_swept_and_sent(world: World) -> None:
    await queue(world, MESSAGE, request_to(PAYEE, "sw"))
    await swept(world)
    (sms,) = world.sms.sent
    assert sms.to == PAYEE
    assert "CAPP" in sms.text
    assert await statuses(world) == {"pin_reset": "sent"}
    assert await world.pool.fetchval("select count(*) from outbox") == 0


async def test_an_answer_leaves_at_once_and_once_though_it_was_told_twice(world: World) -> None:
    intent = await queue(world, REPLY, write_answer(PAYER, "1. Send money"))
    world.dispatcher.hear_message(intent)
    world.dispatcher.hear_message(intent)
    await world.dispatched()
    assert [(sms.to, sms.text) for sms in world.sms.sent] == [(PAYER, "1. Send money")]


async def test_counts_and_gateway_are_kept_with_a_receipt(world: World) -> None:
    await paid(world)
    rows = await world.pool.fetch("select gateway, segments, counted from sms_message")
    assert [tuple(row) for row in rows] == [("scripted", 1, None)] * 2


async def paid(world: World) -> PaymentId:
    payment_id = await world.confirm()
    await world.dispatched()
    for _ in range(2):  # the collection, then the payout
        await world.tell(await world.live(payment_id), SUCCEEDED)
        await world.dispatched()
    return payment_id


class HangingSms(ScriptedSms):
    """A gateway that has the message, and never says so."""

    def __init__(self) -> None:
        super().__init__()
        self.has_it = asyncio.Event()

    async def send(self, message: Sms) -> SmsAccepted:
        self.sent.append(message)
        self.has_it.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")


def messages_of(world: World, sms: ScriptedSms, outbox: Outbox) -> Messages:
    """What another process would send by."""
    return Messages(
        gateways=Gateways([Gateway("hanging", sms)], clock=world.clock),
        outbox=outbox,
        opt_outs=OptOuts(world.pool, 1, world.clock),
        letters=Letters(Writer(TEXTS), tenant=1, shortcode="*384*96#"),
        clock=world.clock,
        draw=lambda: 0.0,
    )


async def test_doubled_intents_and_two_processes_send_one_receipt_for_each_state(
    world: World, shared_database_url: str
) -> None:
    async with open_world(shared_database_url, clock=world.clock, seeded=False) as other:
        payment_id = await paid(world)
        receipts = [i for _, intents in world.heard for i in intents if i.kind not in (1, 2, 3)]
        payment = await world.payment(payment_id)
        for each in (world, other):
            each.dispatcher.hear(payment, tuple(receipts * 3))
            each.clock.pass_(61)
        await asyncio.gather(*(w.dispatcher.sweep() for w in (world, other) for _ in range(3)))
        await world.dispatched()
        await other.dispatched()
        sent = world.sms.sent + other.sms.sent
    assert sorted(sms.to for sms in sent) == sorted([PAYER, PAYEE])
    assert await statuses(world) == {"receipt_payer": "sent", "receipt_payee": "sent"}


async def test_a_process_killed_between_sending_and_its_end_is_followed_by_no_second_message(
    world: World,
) -> None:
    hanging, outbox = HangingSms(), Outbox(world.pool, world.clock, lease_seconds=60)
    intent = await queue(world, MESSAGE, request_to(PAYEE))
    claim = await outbox.claim(intent.id)
    dying = messages_of(world, hanging, outbox).carry_out(intent, None, claim)
    process = asyncio.create_task(dying)
    await hanging.has_it.wait()
    process.cancel()  # it is gone, the message is not
    await asyncio.gather(process, return_exceptions=True)
    await swept(world)
    await swept(world)
    assert (len(hanging.sent), world.sms.sent) == (1, [])
    assert await statuses(world) == {"pin_reset": "unknown"}


async def test_what_definitely_did_not_leave_is_sent_later_by_anybody(
    world: World, shared_database_url: str
) -> None:
    world.sms.answers = [Unreachable("scripted", "refused")]
    intent = await queue(world, MESSAGE, request_to(PAYEE))
    world.dispatcher.hear_message(intent)
    await world.dispatched()
    assert world.sms.sent == []
    async with open_world(shared_database_url, clock=world.clock, seeded=False) as other:
        await swept(other)
        assert len(other.sms.sent) == 1


async def test_who_said_stop_gets_receipts_and_nothing_else(world: World) -> None:
    opt_outs = OptOuts(world.pool, 1, world.clock)
    assert await opt_outs.stop(PAYEE)
    assert not await opt_outs.stop(PAYEE)
    asked = Message(PAYEE, "en", "request", {**ABOUT, "requester": str(PAYER)})
    await queue(world, MESSAGE, write_message(asked))
    await swept(world)
    assert (world.sms.sent, await statuses(world)) == ([], {"request": "quiet"})
    await paid(world)
    assert {sms.to for sms in world.sms.sent} == {PAYER, PAYEE}
    assert await opt_outs.start(PAYEE)
    assert not await opt_outs.start(PAYEE)
    assert not await opt_outs.are_quiet(PAYEE)


@pytest.mark.parametrize("promised", ["request_declined", "request_expired", "pin_reset"])
async def test_who_said_stop_gets_the_answer_that_was_promised(world: World, promised: str) -> None:
    await OptOuts(world.pool, 1, world.clock).stop(PAYEE)
    answer = Message(PAYEE, "en", promised, {**ABOUT, "payer": str(PAYER)})
    await queue(world, MESSAGE, write_message(answer))
    await swept(world)
    assert [sms.to for sms in world.sms.sent] == [PAYEE]


async def test_another_tenants_stop_is_its_own(world: World) -> None:
    await OptOuts(Owner(world.pool), 2, world.clock).stop(PAYEE)
    assert not await OptOuts(world.pool, 1, world.clock).are_quiet(PAYEE)


# What becomes of messages nobody is sure of.


async def unclear(world: World) -> IntentId:
    world.sms.answers = [OutcomeUnknown("scripted", "silence")]
    intent = await queue(world, MESSAGE, request_to(PAYEE))
    world.dispatcher.hear_message(intent)
    await world.dispatched()
    return IntentId(intent.id)


def reported(intent_id: IntentId, delivered: bool | None) -> SmsReport:
    return SmsReport("SM1", str(delivered), delivered, intent_id=intent_id)


@pytest.mark.parametrize(
    ("reports", "status"),
    [
        ([None], "sent"),
        ([None, True], "sent"),
        ([True], "sent"),
        ([False, None], "undelivered"),
        ([True, False], "undelivered"),
        ([False, True], "undelivered"),
    ],
)
async def test_a_report_settles_what_was_unknown(
    world: World, reports: list[bool | None], status: str
) -> None:
    intent_id = await unclear(world)
    outbox = Outbox(world.pool, world.clock, lease_seconds=60)
    for delivered in reports:
        await outbox.keep_report(1, reported(intent_id, delivered))
    watch = MessageWatch(world.pool, 1, world.clock)
    world.clock.pass_(90_000)
    assert await watch.look() == 0
    assert await statuses(world) == {"pin_reset": status}
    assert await world.pool.fetchval("select message_id from sms_message") == "SM1"


@pytest.mark.parametrize("status", ["sent", "quiet", "refused:403", "unknown:told"])
async def test_a_report_changes_nothing_of_what_is_known_or_with_people(
    world: World, status: str
) -> None:
    outbox = Outbox(world.pool, world.clock, lease_seconds=60)
    intent_id = Ids(world.clock).intent()
    await outbox.keep_report(1, reported(intent_id, delivered=False))
    await outbox.end_sms(SmsEnding(intent_id, PaymentId("9" * 32), 1, "delayed", status, "SM0"))
    await MessageWatch(world.pool, 1, world.clock).look()
    assert await statuses(world) == {"delayed": status}


async def test_a_report_that_came_before_the_end_settles_it_too(world: World) -> None:
    outbox = Outbox(world.pool, world.clock, lease_seconds=60)
    intent_id = Ids(world.clock).intent()
    await outbox.keep_report(1, reported(intent_id, delivered=True))
    ending = SmsEnding(intent_id, PaymentId("9" * 32), 1, "delayed", "unknown")
    await outbox.end_sms(ending)
    await MessageWatch(world.pool, 1, world.clock).look()
    assert await statuses(world) == {"delayed": "sent"}


async def test_what_stays_unknown_for_a_day_is_told_to_staff_once_and_not_sent(
    world: World,
) -> None:
    await unclear(world)
    watch = MessageWatch(world.pool, 1, world.clock)
    assert await watch.look() == 0
    world.clock.pass_(86_401)
    looks = await asyncio.gather(*(watch.look() for _ in range(4)))
    assert sum(looks) == 1
    assert await watch.look() == 0
    assert await world.cases() == [SMS_UNKNOWN]
    told = await world.pool.fetchval("select detail from case_file")
    assert told == "SMS pin_reset: nobody knows whether it was sent"
    assert (world.sms.sent, await statuses(world)) == ([], {"pin_reset": "unknown:told"})


async def test_an_answer_that_may_be_lost_is_nobodys_case(world: World) -> None:
    world.sms.answers = [OutcomeUnknown("scripted", "silence")]
    intent = await queue(world, REPLY, write_answer(PAYER, "hello"))
    world.dispatcher.hear_message(intent)
    await world.dispatched()
    world.clock.pass_(86_401)
    assert await MessageWatch(world.pool, 1, world.clock).look() == 0
    assert await world.cases() == []


async def test_a_day_is_shown_by_gateway_status_and_counts(world: World) -> None:
    world.sms.answers = [Rejected("scripted", "no", code="403", reason=Reason.OTHER)]
    intent = await queue(world, MESSAGE, request_to(PAYEE))
    world.dispatcher.hear_message(intent)
    await world.dispatched()
    await paid(world)
    watch, today = MessageWatch(world.pool, 1, world.clock), world.clock.now().date()
    assert await watch.tally(today) == [("", "refused:403", 1, 1, 0), ("scripted", "sent", 2, 2, 0)]
    for other in (today - timedelta(days=1), today + timedelta(days=1)):
        assert await watch.tally(other) == []
    assert await MessageWatch(world.pool, 2, world.clock).tally(today) == []


async def test_those_nobody_is_sure_of_are_named_one_by_one(world: World) -> None:
    await unclear(world)
    payment_id = await world.confirm()
    await world.dispatched()
    world.sms.answers = [OutcomeUnknown("scripted", "silence")]
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    watch, today = MessageWatch(world.pool, 1, world.clock), world.clock.now().date()
    code = (await world.payment(payment_id)).code
    named = [(one.template, one.gateway, one.code) for one in await watch.unclear(today)]
    assert sorted(named) == [("collect_failed", "scripted", code), ("pin_reset", "scripted", "")]
    assert await watch.unclear(today - timedelta(days=1)) == []
    world.clock.pass_(86_401)
    assert await watch.look() == 2
    assert len(await watch.unclear(today)) == 2  # also once staff were told


async def test_a_message_counts_on_the_day_it_was_written_down(world: World) -> None:
    made_before_midnight = Ids(world.clock).intent()
    today = world.clock.now().date()
    world.clock.pass_(86_400)
    outbox = Outbox(world.pool, world.clock, lease_seconds=60)
    ending = SmsEnding(made_before_midnight, PaymentId("9" * 32), 1, "delayed", "unknown")
    await outbox.end_sms(ending)
    watch = MessageWatch(world.pool, 1, world.clock)
    for day, messages in ((today, 0), (today + timedelta(days=1), 1)):
        assert len(await watch.tally(day)) == len(await watch.unclear(day)) == messages


@pytest.mark.parametrize("is_clear", [True, False])
async def test_the_command_says_a_day_and_whether_all_is_well(
    world: World, shared_database_url: str, is_clear: bool
) -> None:
    if is_clear:
        await paid(world)
    else:
        await unclear(world)
    said: list[str] = []
    options = Namespace(day=world.clock.now().date())
    assert await show_messages(settings_for(shared_database_url), options, said.append) is is_clear
    assert len(said) == (2 if is_clear else 3)
    assert not any(str(PAYER) in line or str(PAYEE) in line for line in said)
