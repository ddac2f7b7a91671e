"""How long what a session got to is kept: each screen its own time, the truth longer."""

import shutil
from pathlib import Path

import pytest

from engine.menu.bundle import Bundle, read_bundle
from engine.menu.check import examine
from engine.menu.screens import (
    KEEP_SECONDS,
    KEEP_SECONDS_MAX,
    KEEP_SECONDS_MIN,
    KEEP_SECRET_SECONDS,
)
from engine.menu.vocabulary import VERBS
from engine.ports import EndReason, SessionEnd
from engine.session import steps
from engine.session.editions import KEPT_SECONDS as EDITION_SECONDS
from engine.session.session import KEPT_SECONDS, TTL_GRACE_SECONDS
from tests.leap import leap
from tests.unit.session.rooms import LONG_SECONDS, MENU, MENUS, NETWORKS, PAYER, PIN, House

PAYEE = "256772000002"
TO_PRICE = ("1", PAYEE, "1000")
MENU_TEXT = "CAPP\n1. Send money"
OFFER = "You were sending money"
IDLE = NETWORKS.of("63902").idle_seconds + TTL_GRACE_SECONDS


async def caller(bundle: Bundle | None = None) -> House:
    return await (House(bundle=bundle) if bundle else House()).registered()


@pytest.fixture
def stated(tmp_path: Path) -> Bundle:
    """The shipped menus, with another time stated where the amount is asked."""
    menus = shutil.copytree(MENUS, tmp_path / "menus")
    journey = menus / "send_money.yaml"
    text = journey.read_text(encoding="utf-8")
    before = "    text: send_money.amount\n    reads: amount\n"
    assert before in text
    journey.write_text(text.replace(before, f"{before}    keep: 4000\n"), encoding="utf-8")
    assert examine(menus).faults == []
    return read_bundle(menus)


async def dials_again(house: House, seconds: float, session_id: str) -> str:
    house.clock.seconds += seconds
    return (await house.press(session_id=session_id)).text


def test_each_kind_of_screen_has_its_time_and_a_secret_the_shortest() -> None:
    assert {name: s.keep_seconds for name, s in MENU.screens.items()} == {
        name: KEEP_SECRET_SECONDS if s.sensitive else KEEP_SECONDS[s.kind]
        for name, s in MENU.screens.items()
    }
    assert min(KEEP_SECONDS.values()) > KEEP_SECRET_SECONDS > KEEP_SECONDS_MIN
    assert max(KEEP_SECONDS.values()) < KEEP_SECONDS_MAX < EDITION_SECONDS


@pytest.mark.parametrize(
    ("inputs", "seconds"),
    [
        ((), 900), (("1",), 900), (("1", PAYEE), 900), (TO_PRICE, 1_800),
        # The price is in it: what became of it is told as long as ever.
        ((*TO_PRICE, "1"), 900),
        (("5", "3", "1"), 300), (("5", "3", "1", PIN), 300), (("5", "3", "1", PIN, "9026"), 300),
        ((*TO_PRICE, "1", PIN), 900),
    ],
)  # fmt: skip
async def test_a_record_lives_as_long_as_its_screen_says(
    inputs: tuple[str, ...], seconds: int
) -> None:
    house = await caller()
    await house.press(*inputs)
    assert house.records.ttl_seconds == max(seconds, IDLE)


@pytest.mark.parametrize(
    ("inputs", "seconds"), [(("1", PAYEE), 900), (TO_PRICE, 1_800), ((*TO_PRICE, "1"), 300)]
)
async def test_an_offer_to_go_on_ends_with_the_time_of_its_screen(
    inputs: tuple[str, ...], seconds: int
) -> None:
    house = await caller()
    await house.press(*inputs)
    assert (await dials_again(house, seconds, "s2")).startswith(OFFER)
    other = await caller()
    await other.press(*inputs)
    assert (await dials_again(other, seconds + 1, "s2")).startswith(MENU_TEXT)


async def test_what_became_of_a_payment_is_told_when_the_offer_has_ended_long_ago() -> None:
    house = await caller()
    await house.press(*TO_PRICE, "1")
    at_pin = house.session()
    await house.take("*".join([*TO_PRICE, "1", PIN]))
    house.replace("s1", **{name: getattr(at_pin, name) for name in at_pin.__struct_fields__})
    told = await dials_again(house, KEEP_SECRET_SECONDS + 100, "s2")
    assert told.startswith("CAPP000001 +256772000002\nWaiting for your PIN")
    assert KEEP_SECRET_SECONDS + 100 < KEPT_SECONDS


async def test_a_screen_may_state_its_own_time(stated: Bundle) -> None:
    house = await caller(stated)
    await house.press("1", PAYEE)
    assert house.records.ttl_seconds == 4_000
    assert (await dials_again(house, 4_000, "s2")).startswith(OFFER)
    other = await caller(stated)
    await other.press("1", PAYEE)
    assert (await dials_again(other, 4_001, "s2")).startswith(MENU_TEXT)


async def test_an_offer_keeps_its_time_when_the_menu_changed_meanwhile(stated: Bundle) -> None:
    house = await caller(stated)
    await house.press("1", PAYEE)
    newer = House(shares=house)
    newer.clock.seconds += 3_000
    assert (await newer.press(session_id="s2")).text.startswith(OFFER)


async def test_a_gateways_notice_of_the_end_does_not_shorten_what_is_kept() -> None:
    house = await caller()
    await house.press(*TO_PRICE)
    end = SessionEnd("s1", "Failed", EndReason.UNFINISHED, msisdn=PAYER)
    await house.turns.note_end(end)
    assert house.records.ttl_seconds == 1_800
    assert (await dials_again(house, 1_700, "s2")).startswith(OFFER)


async def test_who_was_late_is_told_as_long_as_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    house = await caller()
    await house.press(*TO_PRICE, "1")
    house.payments.delay = LONG_SECONDS
    slow = {**VERBS, "pay": VERBS["pay"]._replace(seconds=0.05)}
    monkeypatch.setattr(steps, "VERBS", slow)
    assert (await house.take("*".join([*TO_PRICE, "1", PIN]))).ends
    leap(LONG_SECONDS)
    await house.late.aclose()
    house.payments.delay = 0.0
    assert (await dials_again(house, 800, "s2")).startswith("CAPP000001 +256772000002")
