"""What is written down about a message, and when it is tried again."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from engine.clock import AttemptId, Ids, PaymentId
from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreachable
from engine.ledger.plans import Intent
from engine.messages.gateways import Handed
from engine.messages.letters import LINK as LINK_TEMPLATE
from engine.messages.letters import REPLY, Letters, write_answer
from engine.messages.planning import Writer
from engine.messages.quiet import REQUIRED
from engine.messages.sender import Messages, Perseverance
from engine.money import Money
from engine.msisdn import Msisdn
from engine.outbox import Leased, SmsEnding
from engine.payments.lifecycle import State
from engine.payments.notices import MESSAGE, SMS, Message, notices_of, write_message
from engine.ports import Reason, Sms
from engine.segments import segments_of
from engine.texts import Texts
from tests.unit.messages.test_gateways import StillClock
from tests.unit.payments.examples import payment

TEXTS = Texts.load(Path("menus/texts"))
PHONE = Msisdn("+254712000001")
SHORTCODE = "*384*96#"


TAKEN = Handed("one", "m1", 1)


@dataclass
class Played:
    """Gateways, outbox and the list of the quiet, all in one."""

    answer: ProviderError | Handed = TAKEN
    sent: list[Sms] = field(default_factory=list)
    ended: list[SmsEnding] = field(default_factory=list)
    released: list[float] = field(default_factory=list)
    quiet: bool = False

    async def send(self, message: Sms) -> Handed:
        if isinstance(self.answer, ProviderError):
            raise self.answer
        self.sent.append(message)
        return self.answer

    async def release(self, intent_id: str, claim: int, retry_at: float) -> None:
        self.released.append(retry_at)

    async def put_back(self, left: Leased) -> None:
        raise AssertionError("it can be read")

    async def end_sms(self, ending: SmsEnding) -> None:
        self.ended.append(ending)

    async def was_said(self, payment_id: str, template: str) -> bool:
        told = [e for e in self.ended if e.status in ("sent", "unknown")]
        return (payment_id, template) in [(e.payment_id, e.template) for e in told]

    async def are_quiet(self, msisdn: Msisdn) -> bool:
        return self.quiet


class Room:
    def __init__(self, *, draw: float = 0.0, perseverance: Perseverance = Perseverance()) -> None:  # noqa: B008
        self.played, self.clock = Played(), StillClock()
        self.messages = Messages(
            gateways=self.played,
            outbox=self.played,
            opt_outs=self.played,
            letters=Letters(Writer(TEXTS), tenant=1, shortcode=SHORTCODE),
            clock=self.clock,
            draw=lambda: draw,
            perseverance=perseverance,
        )
        self._ids = Ids(self.clock)

    def notice(self, payload: str = "receipt_payer:payer:") -> Intent:
        return Intent(self._ids.intent(), SMS, payload, 0, 0)

    def reply(self) -> Intent:
        return Intent(self._ids.intent(), REPLY, write_answer(PHONE, "1. Send"), 0, 0)

    def message(self, message: Message) -> Intent:
        return Intent(self._ids.intent(), MESSAGE, write_message(message), 0, 0)

    async def send(self, intent: Intent, claim: int = 1) -> None:
        whose = payment(State.PAID) if intent.kind == SMS else None
        await self.messages.carry_out(intent, whose, claim)

    @property
    def status(self) -> str:
        (ending,) = self.played.ended
        return ending.status


async def test_what_was_sent_is_kept_with_gateway_and_both_counts() -> None:
    room = Room()
    await room.send(room.notice())
    (ending,) = room.played.ended
    assert (ending.status, ending.gateway, ending.message_id) == ("sent", "one", "m1")
    assert (ending.segments, ending.counted) == (1, 1)


async def test_another_count_than_planned_is_told(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    room.played.answer = Handed("one", "m1", 3)
    await room.send(room.notice())
    assert "one counts 3 segments of receipt_payer, planned were 1" in caplog.text


async def test_an_unclear_outcome_is_kept_and_not_tried_again() -> None:
    room = Room()
    room.played.answer = OutcomeUnknown("one", "silence")
    await room.send(room.notice())
    assert (room.status, room.played.released) == ("unknown", [])
    assert room.played.ended[0].gateway == "one"  # people ask there


async def test_a_refusal_is_the_end() -> None:
    room = Room()
    room.played.answer = Rejected("one", "no", code="403", reason=Reason.NOT_REGISTERED)
    await room.send(room.notice())
    assert room.status == "refused:403"


@pytest.mark.parametrize(("claim", "pause"), [(1, 10), (2, 20), (3, 40), (7, 640), (9, 900)])
async def test_pauses_double_up_to_a_quarter_of_an_hour(claim: int, pause: float) -> None:
    room = Room()
    room.played.answer = Unreachable("one", "refused")
    await room.send(room.notice(), claim)
    assert room.played.released == [room.clock.at + pause]


async def test_pauses_are_drawn_and_never_shorter_than_was_asked_for() -> None:
    room = Room(draw=0.5)
    room.played.answer = Unreachable("one", "refused")
    await room.send(room.notice())
    room.played.answer = Throttled("one", "busy", retry_after_seconds=300)
    await room.send(room.notice())
    assert room.played.released == pytest.approx([room.clock.at + 11, room.clock.at + 300])


async def test_after_a_day_a_receipt_is_not_worth_sending_and_an_answer_after_two_minutes() -> None:
    room = Room()
    receipt, answer = room.notice(), room.reply()
    room.clock.at += 119
    await room.send(answer)
    assert room.status == "sent"
    room.played.ended.clear()
    room.clock.at += 2
    await room.send(answer)
    assert room.status == "refused:too_late"
    room.played.ended.clear()
    room.clock.at += 86_400 - 122
    await room.send(receipt)
    assert room.status == "sent"
    room.clock.at += 2
    room.played.ended.clear()
    await room.send(receipt)
    assert room.status == "refused:too_late"


def test_who_said_stop_is_spared_one_word_alone_of_those_that_leave_by_themselves() -> None:
    """That somebody asks them for money. All else is of their own money, or what they asked for."""
    names = {key.removeprefix("sms.") for key in TEXTS if key.startswith("sms.")}
    by_themselves = {name for name in names if not name.startswith("in_")} - {LINK_TEMPLATE}
    assert by_themselves - REQUIRED == {"request"}


@pytest.mark.parametrize("template", sorted(REQUIRED))
async def test_what_the_law_requires_passes_a_stop(template: str) -> None:
    room = Room()
    room.played.quiet = True
    await room.send(room.notice(f"{template}:payer:other"))
    assert room.status == "sent"


async def test_who_waits_for_a_late_payment_is_told_so_after_a_stop_too() -> None:
    """Silence makes people pay a second time."""
    room = Room()
    room.played.quiet = True
    await room.send(room.notice("delayed:payer:"))
    assert room.status == "sent"


async def test_times_are_told_by_the_clock_of_who_reads_them() -> None:
    room = Room()
    told: dict[str, str] = {}
    for payer, payee in ((PHONE, "+256772000002"), ("+2348031000001", "+233241000002")):
        asked = payment(State.PAID)
        quote = msgspec.structs.replace(asked.quote, payer=Msisdn(payer), payee=Msisdn(payee))
        facts = msgspec.structs.replace(asked.facts, quote=quote)
        whose = msgspec.structs.replace(asked, facts=facts)
        for to in ("payer", "payee"):
            await room.messages.carry_out(room.notice(f"receipt_{to}:{to}:"), whose, 1)
        told |= {m.to: re.findall(r"(\d\d):\d\d\.", m.text)[0] for m in room.played.sent}
    hours = {number[:4]: (int(hour) - room.clock.now().hour) % 24 for number, hour in told.items()}
    assert hours == {"+254": 3, "+256": 3, "+234": 1, "+233": 0}


LINK = "https://webpayment.example/pay_token/" + "0123456789abcdef" * 4


async def test_a_link_comes_whole_behind_its_sentence_and_passes_a_stop() -> None:
    room = Room()
    room.played.quiet = True
    asked = payment(State.COLLECTING)
    await room.messages.bring_link(asked, AttemptId("a" * 32), LINK)
    (message,) = room.played.sent
    assert (message.to, message.intent_id) == (asked.quote.payer, "a" * 32)
    said = f"{asked.code}: UGX 28,023 to {asked.quote.payee}. Pay KES 1,020 on this M-PESA page."
    assert message.text.startswith(said)
    assert message.text.splitlines()[1:] == [LINK]
    (ending,) = room.played.ended
    assert (ending.template, ending.status) == ("pay_link", "sent")
    assert ending.payment_id == asked.payment_id
    assert ending.segments == segments_of(message.text)


async def test_a_link_that_did_not_leave_is_tried_again_and_then_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    room = Room(perseverance=Perseverance(link_pauses=(0.0, 0.0, 0.0)))
    room.played.answer = Unreachable("one", "no line")
    await room.messages.bring_link(payment(State.COLLECTING), AttemptId("a" * 32), LINK)
    assert len([r for r in caplog.records if "pay_link" in r.message]) == 3
    assert (room.status, room.played.released) == ("refused:too_late", [])
    assert "example" not in caplog.text


async def test_a_link_that_may_have_left_is_not_sent_again() -> None:
    room = Room()
    room.played.answer = OutcomeUnknown("one", "silence")
    await room.messages.bring_link(payment(State.COLLECTING), AttemptId("a" * 32), LINK)
    assert (room.status, room.played.sent) == ("unknown", [])


ASKED: dict[str, Money | str] = {
    "code": "7KQ2M4XW9D", "requester": "+256772000002", "amount": Money(1_400_000, "UGX"),
}  # fmt: skip


async def test_anything_else_stops() -> None:
    room = Room()
    room.played.quiet = True
    await room.send(room.message(Message(PHONE, "en", "request", ASKED)))
    assert (room.status, room.played.sent) == ("quiet", [])


@pytest.mark.parametrize("language", TEXTS.languages)
@pytest.mark.parametrize(("template", "variables"), [("pin_reset", {}), ("request", ASKED)])
async def test_who_shall_dial_is_told_what(
    language: str, template: str, variables: dict[str, Money | str]
) -> None:
    room = Room()
    await room.send(room.message(Message(PHONE, language, template, variables)))
    (sms,) = room.played.sent
    assert SHORTCODE in sms.text
    assert segments_of(sms.text) <= 2


async def test_who_has_just_asked_is_answered_also_after_a_stop() -> None:
    room = Room()
    room.played.quiet = True
    await room.send(room.reply())
    assert [sms.text for sms in room.played.sent] == ["1. Send"]


@pytest.mark.parametrize("kind", [SMS, MESSAGE, REPLY])
async def test_what_a_dead_process_may_have_sent_is_not_sent_again(kind: int) -> None:
    room = Room()
    payloads = {
        SMS: "receipt_payer:payer:",
        MESSAGE: write_message(Message(PHONE, "en", "pin_reset", {})),
        REPLY: write_answer(PHONE, "x"),
    }
    whose = payment(State.PAID) if kind == SMS else None
    left = Leased("1" * 32, PaymentId("2" * 32), kind, payloads[kind], was_sent=True, claim=2)
    await room.messages.take_over(left, whose)
    assert (room.status, room.played.sent) == ("unknown", [])


async def test_what_a_dead_process_never_sent_is_sent() -> None:
    room = Room()
    intent = room.reply()
    left = Leased(intent.id, PaymentId(intent.id), REPLY, intent.payload, was_sent=False, claim=2)
    await room.messages.take_over(left, None)
    assert room.status == "sent"


@pytest.mark.parametrize("payload", ["", "nonsense", "receipt_payer:payer:x:y", "no_such:payer:"])
async def test_a_payload_nobody_wrote_sends_nothing(payload: str) -> None:
    room = Room()
    with pytest.raises((ValueError, KeyError)):
        await room.send(room.notice(payload))
    assert (room.played.sent, room.played.ended) == ([], [])


OWING = [state for state in State if notices_of((state,), None, State.NEW)]


@pytest.mark.parametrize("state", OWING, ids=lambda state: str(state.name))
async def test_what_was_put_off_is_sent_while_the_payment_stands_where_it_was_owed(
    state: State,
) -> None:
    room = Room()
    for payload in notices_of((state,), None, State.NEW):
        intent = room.notice(payload)
        left = Leased(intent.id, PaymentId("b" * 32), SMS, payload, was_sent=False, claim=1)
        await room.messages.take_over(left, payment(state))
    assert {ending.status for ending in room.played.ended} == {"sent"}


GOING_BACK = {State.LATE_FUNDS, State.REFUND_DUE, State.REFUNDING, State.REFUND_UNKNOWN}
TRUE_IN = {
    "receipt_payer": {State.PAID},
    "receipt_payee": {State.PAID},
    "collect_failed": {State.COLLECT_FAILED},
    "expired": {State.EXPIRED},
    "cancelled": {State.CANCELLED},
    "returned": {State.RETURNED},
    "taken_back": {State.RETURNED, *GOING_BACK, State.REFUNDED},
    "refund_started": GOING_BACK,
    "refund_decided": GOING_BACK,
    "late_funds": GOING_BACK,
    "refunded": {State.REFUNDED},
    "delayed": {
        State.NEW, State.QUOTED, State.COLLECTING, State.COLLECT_UNKNOWN, State.COLLECTED,
        State.RESERVED, State.ON_HOLD, State.PAYOUT_QUEUED, State.PAYING, State.PAYOUT_UNKNOWN,
        State.PAYOUT_FAILED,
    },
}  # fmt: skip


@pytest.mark.parametrize("template", TRUE_IN)
async def test_what_was_put_off_is_told_where_it_is_true_and_nowhere_else(template: str) -> None:
    said: dict[str, set[State]] = {}
    for state in State:
        room = Room()
        intent = room.notice(f"{template}:payer:other")
        left = Leased(
            intent.id, PaymentId("b" * 32), SMS, intent.payload, was_sent=False, claim=1
        )  # fmt: skip
        await room.messages.take_over(left, payment(state))
        said.setdefault(room.status, set()).add(state)
    true = TRUE_IN[template]
    assert said == {"sent": true, "refused:too_late": set(State) - true}
