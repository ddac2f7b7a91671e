"""The terminal phone, driven by keys and mouse in a terminal that is only in memory."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from simulator.child import ChildDied
from simulator.mishaps import Weather, read_chances
from simulator.operators.world import World
from simulator.phone.app import Panel, PhoneApp
from simulator.phone.handset import Handset, Mode, Work
from simulator.phone.views import Key, PhoneView
from simulator.places import Places
from simulator.ussd import PHONE_FAULT
from tests.unit.simulator.conftest import START

PAYER, PAYEE = "+256772000001", "+256772000002"
SIZES = [(80, 24), (100, 30), (140, 50)]


@pytest.fixture
def app(client: httpx.AsyncClient, places: Places, world: World) -> PhoneApp:
    return PhoneApp(
        client, places, world, payer=PAYER, payee=PAYEE, trouble=lambda: None, poll_seconds=0.3
    )


@pytest.fixture
def handset(client: httpx.AsyncClient, places: Places, world: World) -> Handset:
    return Handset(client, places, world, name="payer", msisdn=PAYER)


async def _until(pilot: Pilot[Any], so: Callable[[], bool]) -> None:
    for _ in range(600):
        if so():
            return
        await pilot.pause(0.05)
    raise AssertionError("it never came to that")


async def _until_so(so: Callable[[], object]) -> None:
    for _ in range(3000):
        if so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


def _mode(handset: Handset) -> Mode:
    return handset.mode


def _shown(app: PhoneApp, phone: str, part: str) -> str:
    return str(app.query_one(f"#{phone}").query_one(part, Static).render())


def _panel(app: PhoneApp) -> str:
    return str(app.query_one(Panel).query_one(Static).render())


async def test_a_payment_is_dialled_confirmed_approved_and_read_about(
    app: PhoneApp, server: Any
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        payer, payee = app.handsets
        await pilot.press("enter")
        await _until(pilot, lambda: payer.mode is Mode.MENU)
        await pilot.press("1", "enter")
        await _until(pilot, lambda: "Your PIN" in payer.display().text)
        await pilot.press("2", "5", "8", "0", "enter")
        await _until(pilot, lambda: payer.mode is Mode.PROMPT)
        assert payer.display().text == "Pay UGX 900 to CAPP?\n(Here it is 1234.)"
        await pilot.press("1", "2", "3", "4")
        assert payer.display().typed == "****"
        await pilot.press("enter")
        await _until(pilot, lambda: server.state == "approved")
        await _until(pilot, lambda: payee.unread == 1)
        await pilot.press("tab", "m")
        await _until(pilot, lambda: "▶● CAPP" in _shown(app, "payee", ".text"))
        assert payee.unread == 1
        await pilot.press("enter")
        await _until(pilot, lambda: "X7 Confirmed. UGX 900" in _shown(app, "payee", ".text"))
        assert payee.unread == 0
        assert [turn["text"] for turn in server.turns] == ["", "1", "1*2580"]


@pytest.mark.parametrize("size", SIZES)
async def test_everything_that_matters_is_on_the_terminal(
    app: PhoneApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await _until(pilot, lambda: "7K2M9QX4TB" in _panel(app))
        terminal = app.screen.region
        for view in app.query(PhoneView):
            for part in (view, *view.query(".key"), view.query_one(".input")):
                assert terminal.contains_region(part.region), part
                assert part.region.area > 0, part
            assert view.query_one(".paper").size.height >= 9
        assert terminal.contains_region(app.query_one(Panel).region)
        assert len(str(app.query_one("#help", Static).render())) <= size[0]


@pytest.mark.long("a terminal is drawn again and again")
async def test_a_screen_of_160_signs_fits_the_smallest_display(app: PhoneApp, server: Any) -> None:
    longest = "\n".join(["To +256772000002 MTN MoMo"] * 6)
    server.answers.append(PlainTextResponse(f"CON {longest}"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await _until(pilot, lambda: app.handsets[0].mode is Mode.MENU)
        await pilot.pause(0.3)
        paper = app.query_one("#payer .paper")
        assert paper.virtual_size.height <= paper.size.height


@pytest.mark.long("a terminal is drawn again and again")
async def test_the_terminal_may_change_its_size(app: PhoneApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(140, 50)
        await pilot.pause()
        assert app.query_one("#payer").size.width > 24
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert app.screen.region.contains_region(app.query_one("#payer .keypad").region)


@pytest.mark.long("a terminal is drawn again and again")
async def test_keys_can_be_clicked_and_a_click_takes_the_phone_into_the_hand(
    app: PhoneApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        payee = app.query_one("#payee", PhoneView)
        key = next(key for key in payee.query(".key") if key.name == "7")
        await pilot.click(key)
        await _until(pilot, lambda: app.handsets[1].typed == "*384*96#7")
        assert app.active.name == "payee"
        assert app.handsets[0].typed == "*384*96#"


@pytest.mark.long("a terminal is drawn again and again")
async def test_tab_marks_the_other_phone_by_a_sign_and_not_by_colour_alone(
    app: PhoneApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab")
        titles = [str(view.border_title) for view in app.query(PhoneView)]
        assert titles == ["Payer", "▶ Payee"]


async def test_the_panel_tells_state_steps_operator_calls_and_books(
    app: PhoneApp, server: Any
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, lambda: "✓ PAID" in _panel(app))
        for part in ("Dr POOL_AVAIL", "UGX 13,600", "collect mpesa_ke", "✓ books balance"):
            assert part in _panel(app)
        server.balanced = False
        await _until(pilot, lambda: "✗ BOOKS DO NOT BALANCE" in _panel(app))


@pytest.mark.long("a terminal is drawn again and again")
async def test_the_panel_tells_where_the_server_has_the_sessions_the_phone_dialled(
    app: PhoneApp, server: Any
) -> None:
    server.sessions = [
        {
            "session_id": "x", "screens": ["home", "pin"], "step": 2, "at": START.isoformat(),
            "menu": "3f2a91c0", "state": "open",
        }
    ]  # fmt: skip
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await _until(pilot, lambda: "@ payer\n home > pin\n turn 2: open" in _panel(app))
        [turn] = server.turns
        asked = {"msisdn": [PAYER], "session": [turn["sessionId"]]}
        await _until(pilot, lambda: asked in server.looked)


@pytest.mark.long("a terminal is drawn again and again")
async def test_a_bad_answer_is_explained_in_the_panel(app: PhoneApp, server: Any) -> None:
    server.answers.append(PlainTextResponse("oops", 500))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await _until(pilot, lambda: "HTTP status 500" in _panel(app))
        await _until(pilot, lambda: "invalid MMI code" in _shown(app, "payer", ".text"))


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
async def test_it_quits(app: PhoneApp, key: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
    assert app.return_value is None
    assert not app.is_running


async def test_trouble_elsewhere_ends_it_with_its_error(
    client: httpx.AsyncClient, places: Places, world: World
) -> None:
    died = ChildDied("web ended")
    app = PhoneApp(client, places, world, payer=PAYER, payee=PAYEE, trouble=lambda: died)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.3)
    assert app.return_value is died


@pytest.mark.long("a terminal is drawn again and again")
async def test_servers_that_are_silent_are_shown_and_nothing_breaks(world: World) -> None:
    nowhere = "http://127.0.0.1:1"
    places = Places(nowhere, nowhere, nowhere, {"mtn_ug": nowhere})
    client = httpx.AsyncClient(trust_env=False, verify=False)
    app = PhoneApp(client, places, world, payer=PAYER, payee=PAYEE, trouble=lambda: None)
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, lambda: "! the server does not answer" in _panel(app))
        await _until(pilot, lambda: "no network" in _shown(app, "payer", ".status"))
        await pilot.press("enter")
        await _until(pilot, lambda: "MMI code" in _shown(app, "payer", ".text"))


async def _ring(server: Any, handset: Handset) -> None:
    """The operator asks this phone for its wallet's PIN."""
    server._ask(handset.msisdn)
    mtn = server.sandboxes.mtn
    await _until_so(mtn.prompts.pending)


async def test_a_prompt_waits_while_the_phone_is_busy(handset: Handset, server: Any) -> None:
    await handset.enter()
    assert _mode(handset) is Mode.MENU
    await _ring(server, handset)
    await handset.refresh()
    assert _mode(handset) is Mode.MENU
    await handset.escape()
    await handset.refresh()
    assert _mode(handset) is Mode.PROMPT


@pytest.mark.parametrize(
    ("keys", "act", "state"),
    [
        ("1234", Handset.enter, "approved"),
        ("9999", Handset.enter, "wrong_pin"),
        ("", Handset.escape, "declined"),
    ],
)
async def test_a_prompt_is_answered_by_keys(
    handset: Handset,
    server: Any,
    keys: str,
    act: Callable[[Handset], Work],
    state: str,
) -> None:
    await _ring(server, handset)
    await handset.refresh()
    for key in keys:
        handset.press(key)
    assert handset.display().typed == "*" * len(keys)
    await act(handset)
    assert _mode(handset) is Mode.IDLE
    await _until_so(lambda: server.state == state)
    await handset.refresh()
    assert _mode(handset) is Mode.IDLE


async def test_a_prompt_that_ran_out_leaves_the_display(handset: Handset, server: Any) -> None:
    server.sandboxes.mtn.settings.approval_window_seconds = 0.1
    await _ring(server, handset)
    await handset.refresh()
    assert _mode(handset) is Mode.PROMPT
    await _until_so(lambda: not server.sandboxes.mtn.prompts.pending())
    await handset.refresh()
    assert _mode(handset) is Mode.IDLE


async def test_hanging_up_while_the_network_is_slow_drops_the_late_screen(
    handset: Handset, server: Any
) -> None:
    server.slow_seconds = 0.5
    dialling = asyncio.create_task(handset.enter())
    await _until_so(lambda: server.turns)
    assert _mode(handset) is Mode.WAITING
    await handset.escape()
    await dialling
    assert _mode(handset) is Mode.IDLE
    await _until_so(lambda: server.ends)
    assert [end["status"] for end in server.ends] == ["Incomplete"]


@pytest.mark.long("a terminal is drawn again and again")
async def test_keys_that_come_all_at_once_are_taken_in_their_order(
    app: PhoneApp, server: Any
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await _until(pilot, lambda: app.handsets[0].mode is Mode.MENU)
        for key in ("1", "enter", "9"):  # As a terminal passes on what was typed ahead.
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await _until(pilot, lambda: len(server.turns) == 2)
        assert server.turns[1]["text"] == "1"


@pytest.mark.long("a terminal is drawn again and again")
async def test_every_key_of_a_phone_can_be_typed(app: PhoneApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("escape", *"1234567890*#+", "x", "backspace")
        assert app.handsets[0].typed == "1234567890*#"


async def test_enter_while_waiting_sends_nothing_twice(handset: Handset, server: Any) -> None:
    await asyncio.gather(handset.enter(), handset.enter())
    assert len(server.turns) == 1


async def test_the_inbox_is_read_from_new_to_old(handset: Handset, sandboxes: Any) -> None:
    for text in ("first", "second", "third"):
        sandboxes.gateway.take(PAYER, text=text, sender="CAPP")
    await handset.refresh()
    await handset.refresh()
    assert handset.unread == 3
    assert "3 new messages" in handset.display().text
    handset.open_inbox()
    assert (handset.display().title, handset.unread) == ("Inbox 1/3", 3)
    await handset.enter()
    assert handset.display().text == "From CAPP\nthird"
    await handset.enter()
    assert (handset.display().title, handset.display().text) == ("SMS 2/3", "From CAPP\nsecond")
    assert handset.unread == 1
    await handset.escape()
    assert (handset.display().title, _mode(handset)) == ("Inbox 2/3", Mode.INBOX)
    await handset.escape()
    assert _mode(handset) is Mode.IDLE
    assert "1 new message\n" in handset.display().text


async def test_clearing_and_dialling_again_brings_back_the_code(handset: Handset) -> None:
    await handset.escape()
    assert handset.typed == ""
    await handset.enter()
    assert handset.typed == "*384*96#"
    handset.backspace()
    assert handset.typed == "*384*96"


@pytest.mark.long("a terminal is drawn again and again")
async def test_an_sms_is_written_where_messages_are_read(
    app: PhoneApp, sandboxes: Any, server: Any
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        payer = app.handsets[0]
        await pilot.press("m")
        assert "Type one to CAPP" in payer.display().text
        await pilot.press(*"mEnu", "space", "1", "question_mark", "backspace")
        assert (payer.display().typed, payer.display().enter) == ("mEnu 1", "Send")
        await pilot.press("enter")
        await _until(pilot, lambda: bool(sandboxes.gateway.received(after=0)))
        (sms,) = sandboxes.gateway.received(after=0)
        assert (sms.from_, sms.to, sms.text) == (PAYER, "38496", "mEnu 1")
        await _until(pilot, lambda: "Sent." in _shown(app, "payer", ".text"))
        sandboxes.gateway.take(PAYER, text="1. Send money", sender="CAPP")
        await _until(pilot, lambda: "1. Send money" in _shown(app, "payer", ".text"))
        assert (payer.unread, payer.display().typed) == (1, "")
        await pilot.press("enter", "2")
        assert "1. Send money" in payer.display().text
        assert (payer.unread, payer.display().typed) == (0, "2")
        assert server.turns == []


@pytest.mark.long("a terminal is drawn again and again")
async def test_the_end_of_a_long_message_is_seen_where_it_is_written(app: PhoneApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("m")
        for key in "ab" * 40 + "z":  # All at once: after each press the pilot waits until it rests.
            app.post_message(events.Key(key, key))
        await _until(pilot, lambda: (app.handsets[0].display().typed or "").endswith("z"))
        await pilot.pause(0.3)
        field = app.query_one("#payer .input", Static)
        assert str(field.render()).endswith("abz_")
        assert field.size.height <= 3
        assert len(str(field.render())) <= field.size.height * field.size.width


@pytest.mark.long("a terminal is drawn again and again")
async def test_the_envelope_is_no_letter(app: PhoneApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("m", "h")
        envelope = next(k for k in app.query_one("#payer").query(".middle") if k.name == "m")
        await pilot.click(envelope)
        await pilot.pause(0.1)
        await pilot.press("i")
        await _until(pilot, lambda: app.handsets[0].display().typed == "hi")


async def test_a_message_that_was_begun_survives_a_prompt(handset: Handset, server: Any) -> None:
    handset.open_inbox()
    for key in "SEND 500":
        handset.press(key)
    await _ring(server, handset)
    await handset.refresh()
    assert _mode(handset) is Mode.PROMPT
    await handset.escape()
    handset.open_inbox()
    assert handset.display().typed == "SEND 500"
    await handset.escape()
    assert (handset.display().typed, _mode(handset)) == ("", Mode.INBOX)


async def test_a_message_that_did_not_leave_is_kept_and_said(world: World) -> None:
    nowhere = "http://127.0.0.1:1"
    client = httpx.AsyncClient(trust_env=False, verify=False)
    places = Places(nowhere, nowhere, nowhere, {})
    handset = Handset(client, places, world, name="payer", msisdn=PAYER)
    handset.open_inbox()
    handset.press("HELP")
    await handset.enter()
    assert handset.display().typed == "HELP"
    assert "Not sent." in handset.display().text
    await client.aclose()


async def test_letters_are_for_words_and_not_for_dialling(handset: Handset, server: Any) -> None:
    handset.press("A")
    assert handset.typed == "*384*96#"
    await handset.enter()
    handset.press("A")
    assert handset.typed == "A"
    server._ask(handset.msisdn)
    await handset.escape()
    await _until_so(server.sandboxes.mtn.prompts.pending)
    await handset.refresh()
    handset.press("A")
    assert (_mode(handset), handset.typed) == (Mode.PROMPT, "")


async def test_who_reads_an_old_message_stays_there_when_a_new_one_comes(
    handset: Handset, sandboxes: Any
) -> None:
    for text in ("first", "second"):
        sandboxes.gateway.take(PAYER, text=text, sender="CAPP")
    await handset.refresh()
    handset.open_inbox()
    handset.browse(+1)
    await handset.enter()
    sandboxes.gateway.take(PAYER, text="third", sender="CAPP")
    await handset.refresh()
    assert handset.display().text == "From CAPP\nfirst"
    assert (handset.display().title, handset.unread) == ("SMS 3/3", 2)


@pytest.mark.long("a terminal is drawn again and again")
async def test_a_message_is_opened_from_the_list_by_mouse_alone(
    app: PhoneApp, sandboxes: Any
) -> None:
    for text in ("first", "second", "third"):
        sandboxes.gateway.take(PAYER, text=text, sender="CAPP")
    async with app.run_test(size=(80, 24)) as pilot:
        payer = app.handsets[0]
        # The handset knows it first; its display is drawn a moment later.
        await _until(pilot, lambda: "✉ 3" in _shown(app, "payer", ".status"))
        assert payer.unread == 3
        assert "3 new messages" in payer.display().text
        for name in ("m", "down", "enter"):
            key = next(k for k in app.query_one("#payer").query(Key) if k.name == name)
            await pilot.click(key)
            await pilot.pause(0.05)
        await _until(pilot, lambda: payer.display().text == "From CAPP\nsecond")
        assert payer.unread == 2


@pytest.mark.long("a terminal is drawn again and again")
async def test_a_page_of_the_list_fits_the_smallest_display(app: PhoneApp, sandboxes: Any) -> None:
    for number in range(9):
        sandboxes.gateway.take(PAYER, text=f"{number} " + "word " * 9, sender="Mobile money")
    async with app.run_test(size=(80, 24)) as pilot:
        payer = app.handsets[0]
        await _until(pilot, lambda: payer.unread == 9)
        await pilot.press("m", "h", "i", "enter")
        await _until(pilot, lambda: "Sent." in payer.display().text)
        await pilot.pause(0.3)
        paper = app.query_one("#payer .paper")
        assert paper.virtual_size.height <= paper.size.height
        note, *lines = payer.display().text.split("\n")  # the note is broken once, no line is
        assert app.query_one("#payer .text").size.height == 2 + len(lines)
        assert note.startswith("Sent.")


@pytest.mark.long("a terminal is drawn again and again")
async def test_a_code_is_dialled_again_from_the_list_by_mouse_alone(
    app: PhoneApp, server: Any
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        payer = app.handsets[0]

        async def click(name: str) -> None:
            await pilot.click(next(k for k in app.query_one("#payer").query(Key) if k.name == name))
            await pilot.pause(0.05)

        await click("enter")
        await _until(pilot, lambda: payer.mode is Mode.MENU)
        await click("escape")
        await click("escape")
        for name in "*99#":
            await click(name)
        await click("clear")
        assert payer.typed == "*99"
        await click("enter")
        await _until(pilot, lambda: len(server.turns) == 2)
        await _until(pilot, lambda: payer.mode is Mode.MENU)
        await click("escape")
        await click("down")
        assert payer.display().text == "▶ *99\n  *384*96#"
        await click("down")
        await click("enter")
        await _until(pilot, lambda: len(server.turns) == 3)
        assert [turn["serviceCode"] for turn in server.turns] == ["*384*96#", "*99", "*384*96#"]
        await click("escape")
        await click("down")
        await click("up")
        assert payer.display().text == "  *384*96#\n▶ *99"


async def test_the_green_key_opens_the_list_where_nothing_is_typed(handset: Handset) -> None:
    await handset.enter()
    await handset.escape()
    await handset.escape()
    assert handset.typed == ""
    await handset.enter()
    assert (_mode(handset), handset.display().title) == (Mode.CALLS, "Dialled")
    handset.press("5")
    assert (_mode(handset), handset.typed) == (Mode.IDLE, "5")


async def test_a_prompt_comes_over_the_list_of_calls(handset: Handset, server: Any) -> None:
    await handset.enter()
    await handset.escape()
    handset.browse(+1)
    assert _mode(handset) is Mode.CALLS
    await _ring(server, handset)
    await handset.refresh()
    assert _mode(handset) is Mode.PROMPT
    await handset.escape()
    assert _mode(handset) is Mode.IDLE


async def test_the_network_ends_a_dialogue_in_which_nobody_types(
    client: httpx.AsyncClient, places: Places, server: Any
) -> None:
    now = START
    world = World(clock=lambda: now)
    handset = Handset(client, places, world, name="payer", msisdn=PAYER, idle_seconds=30)
    await handset.enter()
    now += timedelta(seconds=29)
    await handset.refresh()
    assert _mode(handset) is Mode.MENU
    now += timedelta(seconds=1)
    await handset.refresh()
    assert (_mode(handset), handset.display().text) == (Mode.NOTICE, PHONE_FAULT)
    reason = "nothing was typed for 30 s, the network ended it"
    assert handset.trail.turns[-1].complaint == reason
    await _until_so(lambda: server.ends)
    assert [end["status"] for end in server.ends] == ["Incomplete"]


async def test_a_deadline_of_its_own_ends_the_waiting(
    client: httpx.AsyncClient, places: Places, world: World, server: Any
) -> None:
    server.slow_seconds = 30.0
    handset = Handset(client, places, world, name="payer", msisdn=PAYER, deadline_seconds=0.05)
    await handset.enter()
    assert handset.display().text == PHONE_FAULT
    assert [turn.complaint for turn in handset.trail.turns] == ["no answer within 0.05 s"]


async def test_before_any_server_no_radio_is_missed(
    client: httpx.AsyncClient, world: World
) -> None:
    places = Places(server="", ussd_url="http://server/ussd", gateway="")
    handset = Handset(client, places, world, name="payer", msisdn="+233240000001")
    await handset.refresh()
    assert handset.reachable
    assert handset.operator == "MTN"
    handset.open_inbox()
    assert handset.display().text == "No messages.\nNobody sends SMS here."
    handset.press("HELP")
    await handset.enter()
    assert "Not sent." in handset.display().text


async def test_a_key_goes_down_where_its_letter_stands(app: PhoneApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await _until(pilot, lambda: app.handsets[0].mode is Mode.MENU)
        await _until(pilot, lambda: not _down(app))  # Enter is up again
        app.action_key("m")
        assert _down(app) == ["6"]


def _down(app: PhoneApp) -> list[str | None]:
    return [key.name for key in app.query_one("#payer").query(Key) if key.has_class("-down")]


def _in_weather(client: httpx.AsyncClient, places: Places, faults: str) -> Handset:
    weather = Weather(7, read_chances(faults))
    return Handset(client, places, World(), name="payer", msisdn=PAYER, weather=weather)


@pytest.mark.parametrize(
    ("faults", "shown", "turns"),
    [
        ("drop_before:1", PHONE_FAULT, 0),
        ("drop_after:1", PHONE_FAULT, 1),
        ("truncate:1:7", "Welcome", 1),
        ("hang_up:1", "Welcome\n1. Send money\n2. Quit", 1),
        ("twin:1", "Welcome\n1. Send money\n2. Quit", 2),
    ],
)
async def test_a_phone_lives_in_the_weather_it_is_given(
    client: httpx.AsyncClient, places: Places, server: Any, faults: str, shown: str, turns: int
) -> None:
    handset = _in_weather(client, places, faults)
    await handset.enter()
    assert handset.display().text == shown
    assert len(server.turns) == turns
    [turn] = handset.trail.turns
    assert (turn.complaint or "").startswith(faults.split(":")[0])
    assert (_mode(handset) is Mode.MENU) is (faults.split(":")[0] in ("truncate", "twin"))


async def test_a_phone_that_was_hung_up_may_dial_again(
    client: httpx.AsyncClient, places: Places, server: Any
) -> None:
    handset = _in_weather(client, places, "hang_up:1")
    await handset.enter()
    await handset.enter()
    await handset.enter()
    assert len(server.turns) == 2
    await _until_so(lambda: len(server.ends) == 2)
    assert {end["status"] for end in server.ends} == {"Incomplete"}


async def test_a_ported_number_and_an_sms_that_is_lost_are_the_dials_weather(
    client: httpx.AsyncClient, places: Places, server: Any, sandboxes: Any
) -> None:
    handset = _in_weather(client, places, "ported:1:64101,sms_lost:1")
    await handset.enter()
    assert [turn["networkCode"] for turn in server.turns] == ["64101"]
    for text in ("lost", "not lost"):
        sandboxes.gateway.take(PAYER, text=text, sender="CAPP")
    await handset.refresh()
    assert [message.text for message in handset.inbox.messages] == ["not lost"]
