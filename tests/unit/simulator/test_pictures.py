"""The terminal as a person sees it, in `pictures/`. `UPDATE_PICTURES=1` draws them anew: then the
difference is what there is to review.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import Static

from simulator.operators.world import World
from simulator.phone.app import PhoneApp
from simulator.phone.handset import Handset, Mode
from simulator.phone.views import PhoneView
from simulator.places import Places
from tests.unit.simulator.picture import read_picture

FOLDER = Path(__file__).parent / "pictures"
PAYER, PAYEE = "+256772000001", "+256772000002"
PATIENCE_SECONDS = 120.0

Act = Callable[[Pilot[Any], Any], Awaitable[None]]


async def until(pilot: Pilot[Any], so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not so():
            await pilot.pause(0.05)


def app_of(pilot: Pilot[Any]) -> PhoneApp:
    app = pilot.app
    assert isinstance(app, PhoneApp)
    return app


def payer_of(pilot: Pilot[Any]) -> Handset:
    return app_of(pilot).handsets[0]


async def rest(pilot: Pilot[Any], server: Any) -> None:
    """Nothing was pressed yet."""


async def menu(pilot: Pilot[Any], server: Any) -> None:
    await pilot.press("enter")
    await until(pilot, lambda: payer_of(pilot).mode is Mode.MENU)


async def pin(pilot: Pilot[Any], server: Any) -> None:
    await menu(pilot, server)
    await pilot.press("1", "enter")
    await until(pilot, lambda: "Your PIN" in payer_of(pilot).display().text)
    await pilot.press(*"2580")


async def prompt(pilot: Pilot[Any], server: Any) -> None:
    await pin(pilot, server)
    await pilot.press("enter")
    await until(pilot, lambda: payer_of(pilot).mode is Mode.PROMPT)
    await pilot.press(*"12")


async def inbox(pilot: Pilot[Any], server: Any) -> None:
    for text in ("Welcome to CAPP.", "7K2M9QX4TB Confirmed. UGX 13,600 from +2547***01."):
        server.sandboxes.gateway.take(PAYER, text=text, sender="CAPP")
        server.sandboxes.gateway.take(PAYEE, text=text, sender="CAPP")
    await until(pilot, lambda: payer_of(pilot).unread == 2)
    await pilot.press("m", *"HELP")


async def message(pilot: Pilot[Any], server: Any) -> None:
    await inbox(pilot, server)
    await pilot.press("escape", "enter", *"HELP")


async def calls(pilot: Pilot[Any], server: Any) -> None:
    await menu(pilot, server)
    await pilot.press("escape", "escape", *"*100#", "enter")
    await until(pilot, lambda: payer_of(pilot).mode is Mode.MENU)
    await pilot.press("escape", "down", "down")


async def bad_answer(pilot: Pilot[Any], server: Any) -> None:
    server.answers.append(PlainTextResponse("oops", 500))
    await pilot.press("enter")
    await until(pilot, lambda: payer_of(pilot).mode is Mode.NOTICE)


async def cut_screen(pilot: Pilot[Any], server: Any) -> None:
    server.answers.append(PlainTextResponse("CON " + "Pay KES 500 to Amina? " * 12))
    await menu(pilot, server)


PICTURES: dict[str, tuple[tuple[int, int], Act]] = {
    "rest_80x24": ((80, 24), rest),
    "menu_80x24": ((80, 24), menu),
    "prompt_80x24": ((80, 24), prompt),
    "prompt_120x40": ((120, 40), prompt),
    "inbox_80x24": ((80, 24), inbox),
    "inbox_200x60": ((200, 60), inbox),
    "message_80x24": ((80, 24), message),
    "calls_80x24": ((80, 24), calls),
    "bad_answer_80x24": ((80, 24), bad_answer),
    "cut_screen_80x24": ((80, 24), cut_screen),
}


def new_app(
    client: httpx.AsyncClient, places: Places, world: World, payee: str | None = PAYEE
) -> PhoneApp:
    return PhoneApp(
        client, places, world, payer=PAYER, payee=payee, trouble=lambda: None, poll_seconds=0.15
    )


async def settled(pilot: Pilot[Any]) -> str:
    """The picture, once everything was fetched and told that there was before."""
    app = app_of(pilot)
    enough = app.polls + 2  # the first may have begun before
    await until(pilot, lambda: app.polls >= enough)
    for view in app.query(PhoneView):
        view.draw()
    await pilot.pause()
    return read_picture(app)


def check(name: str, picture: str) -> None:
    file = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_PICTURES"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(picture, "utf-8")
    assert picture == file.read_text("utf-8")


@pytest.mark.long("ten pictures are drawn")
@pytest.mark.parametrize("name", PICTURES)
async def test_the_terminal_looks_as_it_was_reviewed(
    client: httpx.AsyncClient, places: Places, world: World, server: Any, name: str
) -> None:
    """The pictures have no colour, so what they tell is told without it: which phone is in the
    hand, what is unread, what was paid, what failed.
    """
    size, act = PICTURES[name]
    async with new_app(client, places, world).run_test(size=size) as pilot:
        await act(pilot, server)
        check(name, await settled(pilot))


async def test_before_any_server_the_panel_tells_what_the_phone_saw(
    client: httpx.AsyncClient, world: World, server: Any
) -> None:
    places = Places(server="", ussd_url="http://server/ussd", gateway="", shortcode="*123#")
    app = new_app(client, places, world, payee=None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pin(pilot, server)
        await pilot.press("enter")
        await until(pilot, lambda: payer_of(pilot).mode is Mode.NOTICE)
        check("any_server_80x24", await settled(pilot))


LEAST_CONTRAST = 4.5
"""What WCAG 2.1 asks of text (success criterion 1.4.3, level AA)."""


async def test_every_text_stands_out_from_what_is_behind_it(
    client: httpx.AsyncClient, places: Places, world: World
) -> None:
    async with new_app(client, places, world).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for text in pilot.app.query(Static):
            _, _, back, front = text.colors
            assert contrast(front, back) >= LEAST_CONTRAST, text


def contrast(one: Color, other: Color) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: Color) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part / 255) for part in color.rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
