from functools import partial
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from simulator import transcript
from simulator.mishaps import CALM, Weather, read_chances
from simulator.operators.world import World
from simulator.places import Places
from simulator.player import Played, Player
from tests.leap import leap

PEOPLE = "phone payer +256772000001\nphone payee +256772000002\n"
PAY = PEOPLE + "dial *384*96#\ntype 1\ntype {pin}\n"


class Stage:
    """A player and what it said."""

    def __init__(self, client: httpx.AsyncClient, places: Places, world: World) -> None:
        self.said: list[str] = []
        self.goes_by: dict[str, float] = {}  # so many seconds, at once, before a step
        self.taken: set[str] = set()
        self._make = partial(
            Player, client, places, world, say=self._hear, patience_seconds=0.3,
            quiet_seconds=0.05, taken=self.taken,
        )  # fmt: skip

    def _hear(self, line: str) -> None:
        self.said.append(line)
        leap(self.goes_by.get(line, 0.0))

    async def play(self, source: str, *, update: bool = False, weather: Weather = CALM) -> Played:
        player = self._make(update=update, weather=weather)
        return await player.play(transcript.parse(source, name="it.txt"))


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


async def test_no_two_plays_have_a_number_in_common(stage: Stage) -> None:
    """Somebody who dialled before is no newcomer: they would be shown other screens."""
    source = "phone payer +25677200000?\nphone payee +25677200000?\n"
    stage.taken.add("+256772000003")
    found = [await stage.play(source) for _ in range(4)]
    drawn = [number for played in found for number in played.people.values()]
    assert len({*drawn, "+256772000003"}) == 9

    failure = (await stage.play(source)).failure
    assert failure is not None
    assert "all numbers like +25677200000? are taken" in failure


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
        ("dial *384*96#\n| Hello\n...\n", "not what it.txt:2 says"),
        ("dial *384*96#\n| Hello\n...\n", " 2 ! Hello  "),
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


# The network.


async def test_a_lost_answer_is_what_the_phone_shows_and_the_server_was_asked(
    stage: Stage, server: Any
) -> None:
    played = await stage.play(
        PEOPLE
        + "dial *384*96#\ntype 1\nnetwork drop_after\ntype {pin}\n"
        + "| Connection problem or invalid MMI code.\nended\nsms payee\n| X7 Confirmed. UGX 900\n"
    )
    assert played.failure is None
    assert len(server.turns) == 3
    assert [end["status"] for end in server.ends] == ["Failed"]


async def test_a_fault_strikes_the_turn_it_names(stage: Stage, server: Any) -> None:
    source = "network truncate 7 at turn 2\ndial *384*96#\n| Welcome\n...\ntype 1\n| Your PI\n"
    assert (await stage.play(source)).failure is None


async def test_a_late_turn_has_arrived_once_it_is_settled(stage: Stage, server: Any) -> None:
    source = (
        "network delay 0.05\ndial *384*96#\n| Connection problem or invalid MMI code.\nsettled\n"
    )
    assert (await stage.play(source)).failure is None
    assert len(server.turns) == 1


async def test_who_hangs_up_on_a_screen_has_seen_it(stage: Stage, server: Any) -> None:
    source = "network hang_up at turn 2\ndial *384*96#\ntype 1\n| Your PIN\nended\n"
    assert (await stage.play(source)).failure is None
    assert [end["status"] for end in server.ends] == ["Incomplete"]


async def test_two_handsets_have_one_number_and_dialogues_of_their_own(
    stage: Stage, server: Any
) -> None:
    played = await stage.play(
        PEOPLE + "handset other of payer\ndial *384*96#\nother: dial *384*96#\n"
        "type 1\n| Your PIN\nother: type 1\n| Your PIN\ntype {pin}\nother: type {pin}\n"
    )
    assert played.failure is None
    assert {turn["phoneNumber"] for turn in server.turns} == {"+256772000001"}
    assert len({turn["sessionId"] for turn in server.turns}) == 2
    assert len({turn["text"] for turn in server.turns[-2:]}) == 1, "the PIN is the customer's"


async def test_another_handset_dials_beside_and_stays(stage: Stage, server: Any) -> None:
    assert (await stage.play("network twin\ndial *384*96#\ntype 1\n| Your PIN\n")).failure is None
    assert len({turn["sessionId"] for turn in server.turns}) == 2
    assert len(server.ends) == 2


async def test_a_ported_number_dials_from_another_network(stage: Stage, server: Any) -> None:
    source = PEOPLE + "dial *384*96#\nnetwork ported 64101\ndial *384*96#\ndial *384*96#\n"
    assert (await stage.play(source)).failure is None
    assert [turn["networkCode"] for turn in server.turns] == ["64110", "64101", "64101"]


async def test_an_id_that_comes_again_is_that_of_the_dialogue_before(
    stage: Stage, server: Any
) -> None:
    source = PEOPLE + "dial *384*96#\nnetwork reuse_session\ndial *384*96#\n"
    assert (await stage.play(source)).failure is None
    assert len({turn["sessionId"] for turn in server.turns}) == 1


async def test_sms_are_lost_late_or_doubled_and_nothing_stays_armed(
    stage: Stage, sandboxes: Any
) -> None:
    lost = PAY.replace("dial", "payee: network sms_lost\ndial") + "no sms payee\n"
    assert (await stage.play(lost)).failure is None
    late = PAY.replace("dial", "payee: network sms_late 600\ndial") + "no sms payee\n"
    stage.goes_by["sms payee"] = 600
    assert (await stage.play(late + "sms payee\n| X7 *\n")).failure is None
    twice = PAY.replace("dial", "payee: network sms_twice\ndial")
    assert (await stage.play(twice + "count payee 2 sms\n")).failure is None
    assert "got the same SMS 2 times" in (
        (await stage.play(twice + "receipts once\n")).failure or ""
    )
    assert sandboxes.gateway.faults.armed() == []


# More than "balanced".


@pytest.mark.parametrize(
    "claims",
    [
        "wallet payer UGX 700\nholds payer UGX 700\nholds payer UGX 700 at mtn\n",
        "account FLOAT mtn_ug UGX 5\naccount FLOAT mtn_ug grown by UGX 0\n",
        "account POOL_HELD UGX 0\n",
        "payments 1\npayee: payments 0\n",
        "sms payee\nno sms payee\ncount payee 1 sms\ncount payer 0 sms\nreceipts once\n",
    ],
)
async def test_what_was_moved_can_be_claimed(stage: Stage, claims: str) -> None:
    assert (await stage.play(PAY + claims)).failure is None


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ("holds payee UGX 700\n", "the wallet holds nothing yet, not UGX 700"),
        ("wallet payer UGX 1\nholds payer UGX 700\n", "the wallet holds UGX 1, not UGX 700"),
        ("holds payer UGX 700 at orange\n", "no sandbox 'orange' here"),
        ("account FLOAT mtn_ug UGX 6\n", "FLOAT mtn_ug UGX holds UGX 5, not UGX 6"),
        ("account FLOAT mtn_ug shrunk by UGX 6\n", "has changed by UGX 0, not shrunk by UGX 6"),
        ("payments 2\n", "there are 1 payments, not 2"),
        ("payments 0\n", "there are 1 payments, not 0"),
        ("no sms payee\n", "an SMS came that nobody expected:\n  X7 Confirmed."),
        ("count payee 0 sms\n", "1 SMS came, not 0"),
        ("count payee 2 sms\n", "1 SMS came, not 2"),
        ("handset other of +256772000001\n", "a second handset is somebody's"),
        ("network rain\n", "no network does 'rain'"),
        ("network truncate 0\n", "truncate takes septets, not '0'"),
    ],
)
async def test_what_was_not_moved_so_is_told(stage: Stage, claims: str, message: str) -> None:
    assert message in ((await stage.play(PAY + claims)).failure or "")


@pytest.mark.parametrize(("now", "change"), [(2, "shrunk by UGX 3"), (9, "grown by UGX 4")])
async def test_an_account_changes_by_what_is_claimed_since_the_file_began(
    client: httpx.AsyncClient, places: Places, world: World, server: Any, now: int, change: str
) -> None:
    def look(line: str) -> None:
        if line.startswith("dial"):
            server.float_minor = now

    source = f"dial *384*96#\naccount FLOAT mtn_ug UGX {now}\naccount FLOAT mtn_ug {change}\n"
    player = Player(client, places, world, say=look, patience_seconds=0.3)
    assert (await player.play(transcript.parse(source, name="it.txt"))).failure is None


# Weather.


def weather(flags: str) -> Weather:
    return Weather(7, read_chances(flags))


async def test_faults_nobody_sees_change_nothing(stage: Stage, server: Any) -> None:
    played = await stage.play(PAY + "payment paid\n", weather=weather("duplicate:1"))
    assert (played.failure, played.broken_off) == (None, None)
    assert len(server.turns) == 6


async def test_what_a_caller_sees_breaks_a_play_off_and_that_is_no_failure(stage: Stage) -> None:
    played = await stage.play(PAY, weather=weather("drop_after:1"))
    assert played.failure is None
    assert played.broken_off == "it.txt:3: broken off by drop_after at payer's dial 1, turn 1"


async def test_a_fault_that_the_transcript_asks_for_is_no_excuse(stage: Stage) -> None:
    played = await stage.play("network drop_after\ndial *384*96#\n| Welcome\n...\n")
    assert "the network lost the server's answer" in (played.failure or "")
    assert played.broken_off is None


async def test_what_the_network_did_excuses_no_broken_law(stage: Stage, server: Any) -> None:
    server.balanced = False
    failure = (await stage.play(PAY, weather=weather("drop_after:1"))).failure or ""
    assert "after drop_after at payer's dial 1, turn 1: the books do not balance" in failure


async def test_a_doubled_turn_with_two_answers_is_the_servers_fault(
    stage: Stage, server: Any
) -> None:
    server.answers += [PlainTextResponse("CON One"), PlainTextResponse("CON Two")]
    played = await stage.play("dial *384*96#\n", weather=weather("duplicate:1"))
    assert "the same turn was answered differently" in (played.failure or "")


async def test_what_fails_where_the_network_did_nothing_stays_a_failure(stage: Stage) -> None:
    played = await stage.play(PAY + "payment refunded\n", weather=weather("drop_after:0"))
    assert "the latest payment is paid" in (played.failure or "")


async def test_an_update_names_codes_and_hides_times(stage: Stage, server: Any) -> None:
    told = "CON 7K2M9QX4TB paid 21/11/26 14:10\nThen 9Z2M9QX4TB, 7K2M9QX4TB"
    server.answers.append(PlainTextResponse(told))
    played = await stage.play("dial *384*96#\n| Old\n", update=True)
    assert played.texts == {1: ["{code} paid *", "Then {code2}, {code}"]}
