"""Two tenants in one web process, each with words and journeys of its own: who reads what.

Both speak English and French as they like, one has fewer journeys, and what one changes while the
process runs is read by its own customers alone.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.commands.tenants import run_tenants
from channels.commands.working import work_when_up
from channels.rounds import make_rounds
from channels.settings import BadSettings
from channels.street import Street
from channels.tenants import Tenants, read_tenants
from channels.watching.logs import About
from engine.texts import Texts
from simulator import embedded
from tests.integration.street_room import (
    StreetRoom,
    file_of,
    house_environment,
    open_roles,
    open_street,
    open_street_room,
    write_files,
)

pytestmark = pytest.mark.long(
    "processes of several houses; tests/unit/texts has the words of one over the house's"
)

NUMBERS = {"duka": 41, "soko": 42}
WORDS = {
    "duka": {"en": "home: {menu: Duka Pesa}\n", "fr": "home: {menu: Duka Argent}\n"},
    "soko": {"en": "home: {menu: Soko Cash}\n", "fr": "home: {menu: Soko Argent}\n"},
}
HOME = """\
opens:
  do: find_customer
  next: {known: home.menu, new: first_dial.language, reset: new_pin.pin, dropped: home.resume,
         confirmed: home.menu}
  home: home.menu
screens:
  menu:
    kind: choice
    text: home.menu
    choices:
      1: {label: home.send_money, do: open_payees, next: {ready: send_money.to}}
      2: {label: home.account, next: account.menu}
  resume:
    kind: choice
    text: home.resume
    choices:
      7: {label: home.continue, do: resume, next: {}}
      8: {label: home.start_over, next: home.menu}
"""
LINKS = 'links: {"1": send_money.to, "2*5": account.help}\n'
PATIENCE_SECONDS = 120.0


def lay(folder: Path, name: str, file: str, content: str) -> None:
    path = folder / name / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tenants")
    for name, languages in WORDS.items():
        for language, content in languages.items():
            lay(made, name, f"texts/{language}.yaml", content)
    lay(made, "soko", "menus/home.yaml", HOME)
    lay(made, "soko", "menus/deep_links.yaml", LINKS)
    return made


@pytest.fixture(scope="module")
def room(
    shared_database_url: str, redis_server: embedded.Server, folder: Path
) -> Iterator[StreetRoom]:
    with open_street_room(shared_database_url, redis_server.url, folder, numbers=NUMBERS) as opened:
        yield opened


def test_the_same_screen_reads_as_its_tenant_says(room: StreetRoom) -> None:
    """One phone, English at the one and French at the other."""
    assert room.dial("duka", session="words").text.startswith("CON Duka Pesa\n1. Send money")
    assert room.dial("soko", session="words").text.startswith("CON Soko Argent\n1. Envoyer")


def test_a_journey_is_replaced_for_one_tenant_alone(room: StreetRoom) -> None:
    assert room.dial("duka", session="keys").text.count("\n") == 5
    short = room.dial("soko", session="keys").text
    assert short.count("\n") == 2 and short.endswith("2. Compte, aide")
    assert "Duka Pesa" not in room.dial("duka", session="keys", text="2").text
    assert "Langue" in room.dial("soko", session="keys", text="2").text
    room.dial("soko", session="keys3")
    left_out = room.dial("soko", session="keys3", text="3").text
    assert left_out.startswith("CON ") and "Soko Argent" in left_out


def read_until(room: StreetRoom, name: str, wanted: str) -> None:
    """New sessions, until one reads as wanted."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    number = 0
    while not (text := room.dial(name, session=f"look{number}").text).startswith(wanted):
        assert time.monotonic() < deadline, text
        time.sleep(0.2)
        number += 1


def test_a_change_is_read_by_its_own_customers_and_not_in_a_dialogue_under_way(
    room: StreetRoom, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = folder / "duka" / "texts" / "en.yaml"
    room.dial("duka", session="living")
    text.write_text("home: {menu: Duka Mpya}\nrequest_money: {menu: Ask for it}\n")
    read_until(room, "duka", "CON Duka Mpya")
    assert room.dial("duka", session="living", text="2").text.startswith("CON Request money")
    assert room.dial("duka", session="new", text="2").text.startswith("CON Ask for it")
    assert room.dial("soko", session="other").text.startswith("CON Soko Argent")

    caplog.handler.addFilter(about := About())
    text.write_text("home: {menu: 'Duka {total}'}\n")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "own/texts/en.yaml:1: home.menu: other variables" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    caplog.handler.removeFilter(about)
    (told,) = [r for r in caplog.records if "is refused" in r.getMessage()]
    assert told.words["tenant"] == "duka"  # type: ignore[attr-defined]
    assert room.dial("duka", session="later").text.startswith("CON Duka Mpya")


def broken(database_url: str, redis_url: str, folder: Path, *, file: str, content: str) -> Tenants:
    """Duka with words that can be served, soko with some that cannot."""
    write_files(folder, **{name: file_of(name, number) for name, number in NUMBERS.items()})
    lay(folder, "duka", "texts/en.yaml", WORDS["duka"]["en"])
    lay(folder, "soko", file, content)
    return read_tenants(house_environment(database_url, redis_url, folder))


TOO_LONG = f"home:\n  menu: {'x' * 190}\nsms:\n  cancelled: '{{code}} {'x' * 330}'\n"
SAID = "own/texts/en.yaml:4: sms.cancelled: 341 septets at most, more than 2 messages"


def test_words_that_cannot_be_served_stop_nobody_else_in_development(
    database_url: str, redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(open_roles(database_url, *NUMBERS.values()))
    tenants = broken(database_url, redis_url, tmp_path, file="texts/en.yaml", content=TOO_LONG)
    with open_street(tenants) as client:
        assert client.get("/t/duka/health").text == "ok"
        assert client.get("/t/soko/health").status_code == 503
    (told,) = [r for r in caplog.records if "this tenant is not served" in r.getMessage()]
    assert SAID in told.getMessage() and "CAPP_MENUS_FOLDER" in told.getMessage()
    assert told.exc_info is None, "a sentence for whoever wrote them, and no trace"


def test_a_folder_of_words_that_is_gone_is_no_server_that_is_away(
    database_url: str, redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It was there when the settings were read. Nothing is to be waited for."""
    asyncio.run(open_roles(database_url, *NUMBERS.values()))
    tenants = broken(database_url, redis_url, tmp_path, file="texts/en.yaml", content="{}\n")
    soko = next(tenant for tenant in tenants.sound if tenant.name == "soko")
    assert soko.settings.own_menus is not None
    soko.settings.own_menus.rename(tmp_path / "elsewhere")
    with open_street(tenants) as client:
        assert client.get("/t/duka/health").text == "ok"
        assert client.get("/t/soko/health").status_code == 503
    (told,) = [r for r in caplog.records if "this tenant is not served" in r.getMessage()]
    assert "CAPP_MENUS_FOLDER" in told.getMessage()
    assert "away" not in caplog.text


def test_words_are_read_once_for_each_tenant(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that reads them for SMS and once more for dialogues waits for both."""
    asyncio.run(open_roles(database_url, *NUMBERS.values()))
    lay(tmp_path, "soko", "texts/en.yaml", WORDS["soko"]["en"])
    write_files(tmp_path, **{name: file_of(name, number) for name, number in NUMBERS.items()})
    tenants = read_tenants(house_environment(database_url, redis_url, tmp_path))
    read: list[tuple[Path, Path | None]] = []
    load = Texts.load

    def counted(house: Path, own: Path | None = None) -> Texts:
        read.append((house, own))
        return load(house, own)

    monkeypatch.setattr(Texts, "load", counted)
    with open_street(tenants) as client:
        assert [client.get(f"/t/{name}/health").text for name in NUMBERS] == ["ok", "ok"]
    assert len(read) == len(NUMBERS)


async def test_words_that_cannot_be_served_end_the_process_in_production(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    await open_roles(database_url, *NUMBERS.values())
    home = HOME.replace("label: home.account", "label: home.acount")
    tenants = broken(database_url, redis_url, tmp_path, file="menus/home.yaml", content=home)
    street = Street(tenants.sound, is_strict=True)
    said = r"soko: CAPP_MENUS_FOLDER: [^;]*own/menus/home.yaml:7: menu: no text `home.acount`"
    with pytest.raises(BadSettings, match=said):
        async with street._lifespan(None):  # type: ignore[arg-type]
            raise AssertionError("it was opened")
    lay(tmp_path, "soko", "texts/en.yaml", TOO_LONG)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(PATIENCE_SECONDS, stop.set)
    with pytest.raises(BadSettings, match=f"soko: .*\n{SAID}"):
        await make_rounds(tenants.sound, stop, lambda s: work_when_up(stop, s), is_strict=True)


def test_the_check_of_tenants_tells_of_words_too(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    asyncio.run(open_roles(database_url, *NUMBERS.values()))
    broken(database_url, redis_url, tmp_path, file="texts/en.yaml", content=TOO_LONG)
    said: list[str] = []
    environment = house_environment(database_url, redis_url, tmp_path)
    assert not run_tenants(environment, argparse.Namespace(what="check"), said.append)
    assert said[0].startswith("duka ")
    assert said[1] == f"FAULT soko: {SAID} (1 faults: `capp menus check`)"
