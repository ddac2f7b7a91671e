"""`python -m simulator screens`: draws the pictures of the README from a real payment.

It starts everything on a folder of its own and presses the keys a person would press; and beside it
the server of ten lines that `dialects/README.md` shows, as it stands there.
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from textual.app import App
from textual.pilot import Pilot

from simulator.child import Child
from simulator.console.app import Console
from simulator.embedded import free_port
from simulator.load.command import run_load
from simulator.operators.world import World
from simulator.phone.app import PhoneApp
from simulator.phone.command import CALL_SECONDS
from simulator.phone.handset import Handset, Mode
from simulator.places import PAYEE, PAYER, Places
from simulator.stack import PROJECT, Stack

FOLDER = PROJECT / "simulator" / "screens"
DIALECTS_README = PROJECT / "simulator" / "dialects" / "README.md"
CROWD = PROJECT / "tests" / "transcripts" / "check_a_price_in_english.txt"
SIZE = (112, 34)
SMALL = (80, 24)
PATIENCE_SECONDS = 30.0
PIN = "4826"  # Of a customer who lives for one run.

_SERVER = re.compile(r"```python\n(.*?)```", re.DOTALL)
# The terminal's font is the reader's: the picture fetches nothing from anywhere.
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def run_screens(arguments: list[str]) -> int:
    """0 when all pictures are drawn: of the phones, the operators' console, a crowd's plot."""
    parser = argparse.ArgumentParser(prog="python -m simulator screens")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack.start(Path(folder), approval="ask", say=_say) as stack,
    ):
        asyncio.run(_draw(stack.places, options.out))
        asyncio.run(_draw_console(stack.places, options.out))
        _draw_crowd(stack.places, options.out)
    with tempfile.TemporaryDirectory() as folder, _ten_lines(Path(folder)) as url:
        asyncio.run(_draw_any_server(url, options.out))
    return 0


@contextmanager
def _ten_lines(folder: Path) -> Iterator[str]:
    """The address of the server in the README; it runs until the block ends."""
    found = _SERVER.search(DIALECTS_README.read_text("utf-8"))
    assert found is not None, "the README shows no server"
    port = free_port()
    (folder / "server.py").write_text(found[1].replace("8000", str(port)), "utf-8")
    server = Child(
        "ten lines",
        [sys.executable, "server.py"],
        environment=dict(os.environ),
        folder=folder,
        log=folder / "log",
    )
    server.start()
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.stop()


async def _draw_any_server(url: str, out: Path) -> None:
    client = httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False)
    where = Places(server="", ussd_url=url, gateway="", shortcode="*123#")
    app = PhoneApp(client, where, World(), payer=PAYER, payee=None, trouble=lambda: None)
    async with app.run_test(size=SMALL) as pilot:
        [phone] = app.handsets
        await _until_up(client, url)
        await pilot.press("enter")
        await _until(pilot, lambda: phone.mode is Mode.MENU)
        await _type(pilot, phone, "Amina")
        await pilot.pause(1.0)
        _save(app, out / "any_server.svg")


async def _until_up(client: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await client.post(url, data={"text": ""})
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


async def _draw(places: Places, out: Path) -> None:
    client = httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False)
    app = PhoneApp(client, places, World(), payer=PAYER, payee=PAYEE, trouble=lambda: None)
    async with app.run_test(size=SIZE) as pilot:
        payer, payee = app.handsets
        await _walk(pilot, payer, out)
        await _type(pilot, payer, "1")  # To the PIN; the price is on the picture before.
        await _type(pilot, payer, PIN)
        await _until(pilot, lambda: payer.mode is Mode.PROMPT)
        _save(app, out / "prompt.svg")
        await pilot.press(*"1234", "enter")
        await _until(pilot, lambda: bool(payee.unread and payer.unread))
        await pilot.press("escape", "m", "enter", "tab", "m")
        await pilot.pause(2.0)
        _save(app, out / "paid.svg")


async def _draw_console(places: Places, out: Path) -> None:
    async with httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False) as client:
        console = Console(client, {**places.operators, "gateway": places.gateway})
        async with console.run_test(size=SMALL) as pilot:
            await pilot.press("w")
            await _until(pilot, lambda: bool(console.desk.wallets))
            _save(console, out / "console.svg")


def _draw_crowd(places: Places, out: Path) -> None:
    """The plot of a small run; nobody pays, for here every phone is asked for its PIN."""
    picture = out / "load.svg"
    run_load([
        str(CROWD), "--server", places.server, "--ussd-url", places.ussd_url,
        "--ussd-end-url", places.ussd_end_url or "", "--gateway", places.gateway,
        "--inspect-token", places.inspect_token, "--rate", "8", "--seconds", "20",
        "--think", "0.2..1", "--seed", "7", "--plot", str(picture),
    ])  # fmt: skip
    _say(f"drew {picture.name}")


async def _walk(pilot: Pilot[Any], payer: Handset, out: Path) -> None:
    """From the first dial to the price."""
    await pilot.press("enter")
    await _until(pilot, lambda: payer.mode is Mode.MENU)
    for answer in ("1", PIN, PIN, "1", PAYEE.removeprefix("+"), "1000"):
        await _type(pilot, payer, answer)
    await pilot.pause(1.0)
    _save(pilot.app, out / "quote.svg")


async def _type(pilot: Pilot[Any], handset: Handset, text: str) -> None:
    before = handset.display().text
    await pilot.press(*text, "enter")
    await _until(
        pilot, lambda: handset.mode is not Mode.WAITING and handset.display().text != before
    )


async def _until(pilot: Pilot[Any], so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not so():
            await pilot.pause(0.05)
    await pilot.pause(0.3)  # For the terminal to draw it.


def _save(app: App[Any], file: Path) -> None:
    picture = _FONTS.sub("", app.export_screenshot(title="CAPP"))
    file.write_text(picture, "utf-8")
    _say(f"drew {file.name}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
