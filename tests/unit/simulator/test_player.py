from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from simulator import transcript
from simulator.operators.world import World
from simulator.places import Places
from simulator.player import Played, Player

PEOPLE = "phone payer +256772000001\nphone payee +256772000002\n"
PAY = PEOPLE + "dial *384*96#\ntype 1\ntype {pin}\n"


class Stage:
    """A player and what it said."""

    def __init__(self, client: httpx.AsyncClient, places: Places, world: World) -> None:
        self.said: list[str] = []
        self._make: Callable[[bool], Player] = lambda update: Player(
            client, places, world, say=self.said.append, update=update, patience_seconds=0.3
        )

    async def play(self, source: str, *, update: bool = False) -> Played:
        return await self._make(update).play(transcript.parse(source, name="it.txt"))


@pytest.fixture
def stage(client: httpx.AsyncClient, places: Places, world: World) -> Stage:
    return Stage(client, places, world)


async def test_a_whole_payment_is_played(stage: Stage, server: Any, sandboxes: Any) -> None:
    played = await stage.play(
        PEOPLE
        + "dial *384*96#\n| Welcome\n...\ntype 1\n| Your PIN\ntype {pin}\n"
        + "| Thank you, {payer}. PIN 4\nended\n"
        + "sms payee\n| {code} Confirmed. UGX *\n"
        + "prompt payer\n| Pay UGX 900 to CAPP?\napprove\n"
        + "payment approved\nledger balanced\n"
    )
    assert played.failure is None
    assert played.people == {"payer": "+256772000001", "payee": "+256772000002"}
    assert server.state == "approved"


@pytest.mark.parametrize(
    ("line", "state"),
    [("approve", "approved"), ("approve wrong", "wrong_pin"), ("decline", "declined")],
)
async def test_a_prompt_is_answered_as_the_transcript_says(
    stage: Stage, server: Any, line: str, state: str
) -> None:
    played = await stage.play(PAY + f"prompt payer\n{line}\npayment {state}\n")
    assert played.failure is None


async def test_a_pin_is_typed_but_never_said(stage: Stage, server: Any) -> None:
    await stage.play(PAY)
    pin = server.turns[-1]["text"].split("*")[1]
    assert pin.isdigit()
    assert len(pin) == 4
    assert "type {pin}" in stage.said
    assert pin not in "".join(stage.said)


async def test_numbers_with_question_marks_are_new_in_every_run(stage: Stage) -> None:
    source = "phone payer +25677200????\ndial *384*96#\n"
    first, second = await stage.play(source), await stage.play(source)
    assert first.people["payer"] != second.people["payer"]
    assert first.people["payer"].removeprefix("+25677200").isdigit()


async def test_a_number_can_be_typed_on_a_keypad_without_plus(stage: Stage, server: Any) -> None:
    await stage.play(PEOPLE + "dial *384*96#\ntype {payee_digits}\n")
    assert server.turns[-1]["text"] == "256772000002"


async def test_what_was_captured_can_be_typed(stage: Stage, server: Any) -> None:
    await stage.play("dial *384*96#\n| {greeting}\n...\ntype {greeting}\n")
    assert server.turns[-1]["text"] == "Welcome"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("dial *384*96#\n| Hello\n...\n", "it.txt:1: dial *384*96#"),
        ("dial *384*96#\n| Hello\n...\n", "- Hello"),
        ("dial *384*96#\n| Hello\n...\n", "+ Welcome"),
        ("type 1\n", "nobody has dialled yet"),
        ("dial *384*96#\ntype 9\ntype 1\n", "the session is over"),
        ("dial *384*96#\nended\n", "the session is still open"),
        ("sms +256772000009\n", "no SMS came (waited 0.3 s)"),
        (PEOPLE + "prompt payer\n", "no operator asks for a PIN"),
        ("approve\n", "say `prompt` first"),
        ("sms nobody\n", "nobody here is called 'nobody'"),
        (PEOPLE + "payment refunded\n", "the latest payment is paid, not refunded"),
        (PEOPLE + "payee: payment paid\n", "the latest payment is not there, not paid"),
        ("fault mpesa collect decline\n", "no sandbox 'mpesa' here, only gateway, mtn_ug"),
        ("fault mtn collect recipient_rejected\n", "recipient_rejected cannot happen to collect"),
        (PEOPLE + "wallet payer UGX 1.50\n", "UGX has no such fraction"),
    ],
)
async def test_what_is_not_so_is_told_with_its_line(
    stage: Stage, source: str, message: str
) -> None:
    failure = (await stage.play(source)).failure
    assert failure is not None
    assert message in failure


async def test_books_that_do_not_balance_fail(stage: Stage, server: Any) -> None:
    server.balanced = False
    assert "do not balance" in ((await stage.play("ledger balanced\n")).failure or "")


async def test_a_turn_repeated_with_another_answer_fails(stage: Stage, server: Any) -> None:
    source = "dial *384*96#\nrepeat\n"
    assert (await stage.play(source)).failure is None
    server.answers += [PlainTextResponse("CON One"), PlainTextResponse("CON Two")]
    assert "answered differently" in ((await stage.play(source)).failure or "")


async def test_a_phone_writes_to_us_and_its_pin_is_not_said(stage: Stage, sandboxes: Any) -> None:
    source = PEOPLE + "payee: text SEND 500 {payer}\ntext PIN {pin}\n"
    assert (await stage.play(source)).failure is None
    first, second = sandboxes.gateway.received(after=0)
    assert (first.from_, first.text) == ("+256772000002", "SEND 500 +256772000001")
    assert second.from_ == "+256772000001"
    pin = second.text.removeprefix("PIN ")
    assert len(pin) == 4
    assert pin not in "".join(stage.said)


async def test_old_sms_are_not_taken_for_new_ones(stage: Stage, sandboxes: Any) -> None:
    sandboxes.gateway.take("+256772000002", text="yesterday", sender="CAPP")
    assert "no SMS" in ((await stage.play("sms +256772000002\n")).failure or "")
    assert (await stage.play(PAY + "sms payee\n| X7 Confirmed. *\n")).failure is None


async def test_money_is_put_into_the_wallet_in_minor_units(stage: Stage, sandboxes: Any) -> None:
    await stage.play(PEOPLE + "wallet payer UGX 20,000\n")
    wallet = sandboxes.mtn.wallets.find("256772000001")
    assert wallet is not None
    assert wallet.balance_minor == 20_000


async def test_faults_are_armed_for_one_number_and_cleared_at_the_end(
    client: httpx.AsyncClient, places: Places, world: World, sandboxes: Any
) -> None:
    armed: list[Any] = []

    def look(line: str) -> None:
        armed.extend(sandboxes.mtn.faults.armed())

    source = PEOPLE + "fault mtn disburse recipient_rejected x3 for payee\nledger balanced\n"
    await Player(client, places, world, say=look).play(transcript.parse(source, name="it.txt"))
    assert [(f.on, f.fault, f.times, f.msisdn) for f in armed] == [
        ("disburse", "recipient_rejected", 3, "256772000002")
    ]
    assert sandboxes.mtn.faults.armed() == []


async def test_sessions_left_open_are_hung_up(stage: Stage, server: Any) -> None:
    await stage.play("dial *384*96#\n")
    assert [end["status"] for end in server.ends] == ["Incomplete"]


async def test_an_update_collects_the_texts_that_differ(stage: Stage) -> None:
    source = "dial *384*96#\n| Hello\n| 1. Send *\ntype 1\n| Your PIN\nrepeat\n"
    played = await stage.play(source, update=True)
    assert played.failure is None
    written = transcript.rewrite(transcript.parse(source, name="it.txt"), played.texts)
    assert written == (
        "dial *384*96#\n| Welcome\n| 1. Send *\n| 2. Quit\ntype 1\n| Your PIN\nrepeat\n| Your PIN\n"
    )
    assert (await stage.play(written)).failure is None


async def test_a_bad_answer_fails_with_its_reason_unless_it_is_expected(
    stage: Stage, server: Any
) -> None:
    server.answers += [PlainTextResponse("oops", 500), PlainTextResponse("oops", 500)]
    failure = (await stage.play("dial *384*96#\n", update=True)).failure
    assert "HTTP status 500" in (failure or "")
    expected = "dial *384*96#\n| Connection problem or invalid MMI code.\nended\n"
    assert (await stage.play(expected)).failure is None
