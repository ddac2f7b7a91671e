"""The console of the operators' side, driven by keys in a terminal that is only in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from simulator.console.app import Console, desk_rows
from simulator.console.hands import ALWAYS, Desk, Hands, read_setting, write_setting
from simulator.faults import Fault
from simulator.operators.base import Approval
from tests.unit.simulator.conftest import PAYER, Sandboxes

PAYERS_DIGITS = PAYER.removeprefix("+")
SANDBOXES = {"mtn_ug": "http://mtn", "gateway": "http://gateway"}
SIZES = [(80, 24), (120, 40)]


@pytest.fixture
async def console(client: httpx.AsyncClient, sandboxes: Sandboxes) -> AsyncIterator[Console]:
    wallet = sandboxes.mtn.wallets.open(PAYERS_DIGITS)
    wallet.balance_minor = 5_000
    yield Console(client, SANDBOXES)


async def _until(pilot: Pilot[Any], so: Callable[[], object]) -> None:
    for _ in range(100):
        if so():
            return
        await pilot.pause(0.05)
    raise AssertionError("it never came to that")


def _rows(console: Console) -> list[list[str]]:
    table = console.query_one("#page", DataTable)
    return [table.get_row_at(row) for row in range(table.row_count)]


def _said(console: Console) -> str:
    return str(console.query_one("#says", Static).render())


def _ask(sandboxes: Sandboxes) -> "asyncio.Task[Approval]":
    mtn = sandboxes.mtn
    wallet = mtn.wallets.open(PAYERS_DIGITS)
    asked = mtn.ask_approval(wallet, amount_minor=900, text="Pay UGX 900 to CAPP?")
    return asyncio.create_task(asked)


async def test_waiting_prompt_is_shown_and_approved_by_the_wallets_own_pin(
    console: Console, sandboxes: Sandboxes
) -> None:
    asked = _ask(sandboxes)
    async with console.run_test(size=SIZES[0]) as pilot:
        await _until(pilot, lambda: _rows(console) == [[PAYER, "Pay UGX 900 to CAPP?"]])
        await pilot.press("a")
        assert await asked == "approved"
        await _until(pilot, lambda: _rows(console) == [])


async def test_waiting_prompt_is_declined(console: Console, sandboxes: Sandboxes) -> None:
    asked = _ask(sandboxes)
    async with console.run_test(size=SIZES[0]) as pilot:
        await _until(pilot, lambda: _rows(console))
        await pilot.press("d")
        assert await asked == "declined"


async def test_keys_of_a_page_do_nothing_on_another(console: Console, sandboxes: Sandboxes) -> None:
    asked = _ask(sandboxes)
    async with console.run_test(size=SIZES[0]) as pilot:
        await _until(pilot, lambda: _rows(console))
        sandboxes.mtn.faults.arm(Fault(on="refund", fault="error_503"))
        await pilot.press("w", "a", "d", "x", "1")
        await pilot.pause(0.2)
        assert not asked.done()
        assert [one.fault for one in sandboxes.mtn.faults.armed()] == ["error_503"]
    asked.cancel()


@pytest.mark.long("many keys, each drawn")
async def test_balance_is_typed_as_people_write_it(console: Console, sandboxes: Sandboxes) -> None:
    wallet = sandboxes.mtn.wallets.open(PAYERS_DIGITS)
    async with console.run_test(size=SIZES[1]) as pilot:
        await pilot.press("w")
        await _until(pilot, lambda: _rows(console) and _rows(console)[0][2] == "UGX 5,000")
        await pilot.press("e")
        console.query_one("#value", Input).value = "12,500"
        await pilot.press("enter")
        await _until(pilot, lambda: wallet.balance_minor == 12_500)
        await _until(pilot, lambda: _rows(console)[0][2] == "UGX 12,500")


@pytest.mark.long("a terminal is drawn for each")
@pytest.mark.parametrize("typed", ["much", "1.5", "-1", ""])
async def test_what_is_no_balance_is_told_and_changes_nothing(
    console: Console, sandboxes: Sandboxes, typed: str
) -> None:
    async with console.run_test(size=SIZES[1]) as pilot:
        await pilot.press("w")
        await _until(pilot, lambda: _rows(console))
        await pilot.press("e")
        console.query_one("#value", Input).value = typed
        await pilot.press("enter")
        await _until(pilot, lambda: _said(console).lstrip().startswith("!"))
    assert sandboxes.mtn.wallets.open(PAYERS_DIGITS).balance_minor == 5_000


@pytest.mark.long("many keys, each drawn")
async def test_value_that_was_put_away_is_not_taken(console: Console, sandboxes: Sandboxes) -> None:
    async with console.run_test(size=SIZES[1]) as pilot:
        await pilot.press("w")
        await _until(pilot, lambda: _rows(console))
        await pilot.press("e", "9", "escape", "enter")
        await pilot.pause(0.2)
        assert not console.query_one("#value", Input).has_class("-asked")
    assert sandboxes.mtn.wallets.open(PAYERS_DIGITS).balance_minor == 5_000


async def test_wallet_is_blocked_and_let_in_again(console: Console, sandboxes: Sandboxes) -> None:
    wallet = sandboxes.mtn.wallets.open(PAYERS_DIGITS)
    async with console.run_test(size=SIZES[0]) as pilot:
        await pilot.press("w")
        await _until(pilot, lambda: _rows(console))
        await pilot.press("b")
        await _until(pilot, lambda: not wallet.active and _rows(console)[0][3] == "blocked")
        await pilot.press("b")
        await _until(pilot, lambda: wallet.active)


@pytest.mark.long("many keys, each drawn")
async def test_fault_is_switched_on_counted_once_and_off(
    console: Console, sandboxes: Sandboxes
) -> None:
    book = sandboxes.mtn.faults
    book.arm(Fault(on="refund", fault="error_503", msisdn=PAYERS_DIGITS))
    async with console.run_test(size=SIZES[0]) as pilot:
        await pilot.press("f")
        await _until(pilot, lambda: _rows(console))
        on, fault, strikes = _rows(console)[0]
        assert strikes == ""
        await pilot.press("enter")
        await _until(pilot, lambda: _rows(console)[0][2] == "on")
        await pilot.press("enter")
        await _until(pilot, lambda: _rows(console)[0][2] == "")
        assert [one.fault for one in book.armed()] == ["error_503"]  # not ours to switch off
        await pilot.press("1")
        await _until(pilot, lambda: _rows(console)[0][2] == "1")
        assert [(one.on, one.fault, one.times) for one in book.armed()][1] == (on, fault, 1)
        await pilot.press("x")
        await _until(pilot, lambda: book.armed() == [])


async def test_fault_that_is_switched_off_stays_on_elsewhere(
    client: httpx.AsyncClient, sandboxes: Sandboxes
) -> None:
    book = sandboxes.mtn.faults
    for on in ("collect", "disburse"):
        book.arm(Fault(on=on, fault="error_503"))
    hands = Hands(client, SANDBOXES)
    await hands.disarm(await hands.look("mtn_ug"), "collect", "error_503")
    assert [(one.on, one.fault) for one in book.armed()] == [("disburse", "error_503")]


async def test_listing_tells_who_asks_what_is_armed_and_who_is_away(
    console: Console, sandboxes: Sandboxes
) -> None:
    asked = _ask(sandboxes)
    sandboxes.mtn.faults.arm(Fault(on="refund", fault="error_503"))
    async with console.run_test(size=SIZES[0]) as pilot:
        listing = console.query_one("#sandboxes", DataTable)
        await _until(pilot, lambda: listing.get_row_at(0) == ["mtn_ug", "1", "1"])
        assert listing.get_row_at(1) == ["gateway", "", ""]
    asked.cancel()


async def test_sandbox_that_goes_away_under_a_hand_is_told_and_the_console_lives(
    sandboxes: Sandboxes, client: httpx.AsyncClient
) -> None:
    away = False

    async def answer(request: httpx.Request) -> httpx.Response:
        if away:
            raise httpx.ConnectError("nobody there", request=request)
        answered = await client.request(
            request.method, str(request.url), content=request.content, headers=request.headers
        )
        return httpx.Response(answered.status_code, content=answered.content)

    sandboxes.mtn.wallets.open(PAYERS_DIGITS)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as shaky:
        console = Console(shaky, {"mtn_ug": "http://mtn"})
        async with console.run_test(size=SIZES[0]) as pilot:
            await pilot.press("w")
            await _until(pilot, lambda: _rows(console))
            away = True
            await pilot.press("b")
            await _until(pilot, lambda: "! nobody there" in _said(console))
            listing = console.query_one("#sandboxes", DataTable)
            await _until(pilot, lambda: listing.get_row_at(0)[1] == "away")
            assert console.is_running


@pytest.mark.parametrize("status", [500, 404])
async def test_sandbox_that_refuses_without_a_reason_is_no_success(status: int) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.HTTPStatusError):
            await Hands(client, SANDBOXES).disarm_all(Desk("mtn_ug"))


@pytest.mark.long("many keys, each drawn")
async def test_setting_is_changed_and_a_wrong_one_is_told(
    console: Console, sandboxes: Sandboxes
) -> None:
    async with console.run_test(size=SIZES[1]) as pilot:
        await pilot.press("s")
        await _until(pilot, lambda: ["approval", "ask"] in _rows(console))
        for typed in ("sometimes", "decline"):
            await pilot.press("e")
            console.query_one("#value", Input).value = typed
            await pilot.press("enter")
            await _until(
                pilot, lambda: "approval is set" in _said(console) or "!" in _said(console)
            )
            if typed == "sometimes":
                assert "!" in _said(console) and sandboxes.mtn.settings.approval == "ask"
        await _until(pilot, lambda: sandboxes.mtn.settings.approval == "decline")


async def test_gateway_offers_its_own_faults_only(console: Console) -> None:
    async with console.run_test(size=SIZES[0]) as pilot:
        await _until(pilot, lambda: console.desk.settings)
        await pilot.press("down", "f")
        await _until(pilot, lambda: console.desk.name == "gateway" and _rows(console))
        assert {row[0] for row in _rows(console)} == {"sms", "delivery_report"}


@pytest.mark.long("every page is drawn twice")
@pytest.mark.parametrize("size", SIZES)
async def test_everything_fits_the_terminal(console: Console, size: tuple[int, int]) -> None:
    async with console.run_test(size=size) as pilot:
        for page in "pwfs":
            await pilot.press(page)
            await pilot.pause(0.1)
            help_line = str(console.query_one("#help", Static).render())
            assert "Ctrl-Q quit" in help_line and len(help_line) <= size[0]
            subtitle = str(console.query_one("#right").border_subtitle)
            assert len(subtitle) + 4 < console.query_one("#right").size.width
            for part in ("#sandboxes", "#page", "#help"):
                region = console.query_one(part).region
                assert region.height >= 1 and region.right <= size[0] and region.bottom <= size[1]


async def test_sandbox_that_is_away_is_told_and_the_others_go_on(sandboxes: Sandboxes) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as client:
        desk = await Hands(client, {"mtn_ug": "http://gone"}).look("mtn_ug")
    assert "nobody there" in desk.trouble and desk.wallets == ()


def test_pages_show_what_a_desk_holds() -> None:
    desk = Desk("x", "UGX", faults=[Fault(on="token", fault="html_200", times=ALWAYS)])
    assert ("token", "html_200", "on") in desk_rows(desk, "faults")
    assert desk_rows(desk, "wallets") == []


@pytest.mark.parametrize(
    ("typed", "before", "value"),
    [
        ("true", False, True), ("false", True, False), ("7", 3, 7),
        ("0.5", 1.0, 0.5), ("ask", "approve", "ask"),
        ("", "http://x", None), ("http://y", None, "http://y"),
    ],
)  # fmt: skip
def test_setting_is_read_as_the_kind_that_stood_there(
    typed: str, before: Any, value: object
) -> None:
    assert read_setting(typed, before) == value
    assert type(read_setting(typed, before)) is type(value)


@pytest.mark.parametrize(("typed", "before"), [("maybe", True), ("x", 1), ("1.5", 1)])
def test_value_of_another_kind_is_refused(typed: str, before: Any) -> None:
    with pytest.raises(ValueError):
        read_setting(typed, before)


@pytest.mark.parametrize("value", [True, 3, 0.5, "ask"])
def test_setting_is_shown_as_it_is_typed(value: Any) -> None:
    assert read_setting(write_setting(value), value) == value
