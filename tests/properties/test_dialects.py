"""The same keys walk the same screens behind every gateway: the phones' dialects, our real door.

The simulator's dialects are written from the gateways' documents, the adapters too, and neither
from the other: where they agree, both have read the same.
"""

import re
from random import Random

import httpx
import pytest
from starlette.applications import Starlette

from channels.ussd import ussd_routes
from providers.registry import USSD, build_ussd
from simulator.dialects import DIALECTS
from simulator.operators.world import World
from simulator.ussd import Line, Screen, UssdSession
from tests.unit.session.rooms import PAYER, PIN, SHORTCODE, House

TOKEN = "t" * 32
DOORS = {"nalo-older": "nalo", "mtn": "mtn_ussd"}
"""Dialects whose door has another name than theirs."""
TURNS_MAX = 14
LANGUAGES = ("en", "sw", "fr", "lg", "am")
CHOICE = re.compile(r"^([0-9]{1,2})\. ", re.MULTILINE)
OTHERS = ("256772000002", "0772000099", "1000", "500", "12.50", "Mama", "é & +", PIN, "9" * 80)
CODES = (SHORTCODE, f"{SHORTCODE[:-1]}*1#", f"{SHORTCODE[:-1]}*1*256772000002*1000#")


class Caller:
    """One phone behind one gateway, with a server and a customer of its own."""

    def __init__(self, name: str, house: House, seed: int) -> None:
        gateways = build_ussd(sorted(USSD), shortcodes=[SHORTCODE])
        routes = [route for each in gateways for route in ussd_routes(each, house.turns, TOKEN)]
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes)))
        url = f"http://capp.test/ussd/{DOORS.get(name, name)}/{TOKEN}"
        line = Line(PAYER, url, f"{url}/end", (SHORTCODE,), dialect=DIALECTS[name])
        self.house = house
        self.session = UssdSession(self.client, line, World(random=Random(seed)))


def next_keys(random: Random, screen: Screen, last: str) -> str:
    """Mostly what the screen offers. Never the same twice: three gateways cannot tell that from a
    repeat, and neither can the server.
    """
    offered = [*CHOICE.findall(screen.text), *OTHERS]
    if "PIN" in screen.text or "ፒን" in screen.text:
        offered += [PIN] * 9
    chosen: str = random.choice([keys for keys in offered if keys != last])
    return chosen


async def walk(names: list[str], seed: int) -> list[Screen]:
    """All callers press the same keys at once; every screen is compared."""
    random = Random(seed)
    language = random.choice(LANGUAGES)
    callers = [Caller(name, await House().registered(language), seed) for name in names]
    code = random.choice(CODES)
    screens = [await caller.session.dial(code) for caller in callers]
    seen, keys = [screens[0]], code
    while not screens[0].ends and len(seen) < TURNS_MAX:
        keys = next_keys(random, screens[0], keys)
        for caller in callers:
            caller.house.clock.seconds += 3
        screens = [await caller.session.answer(keys) for caller in callers]
        assert screens == [screens[0]] * len(callers), (seed, code, keys)
        seen.append(screens[0])
    for caller in callers:
        await caller.session.hang_up()
        await caller.session.notified()
        await caller.client.aclose()
    return seen


@pytest.mark.long("every walk behind every gateway; quick: the walks go far")
@pytest.mark.parametrize("seed", range(40))
async def test_same_keys_walk_the_same_screens_behind_every_gateway(seed: int) -> None:
    seen = await walk(list(DIALECTS), seed)
    assert [screen.complaint for screen in seen] == [None] * len(seen)


async def test_the_walks_go_far() -> None:
    """Else the comparison above would compare nothing but the first screen."""
    walks = [await walk(["africastalking"], seed) for seed in range(40)]
    texts = {screen.text for walk in walks for screen in walk}
    assert len(texts) > 60
    assert any(text.startswith("CAPP000001 ") for text in texts)


def test_every_gateway_of_the_server_has_a_dialect_here() -> None:
    assert {DOORS.get(name, name) for name in DIALECTS} == set(USSD)
