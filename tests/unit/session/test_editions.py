"""A change of the menus: sound ones serve at once, broken ones never, live sessions keep theirs."""

import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from engine.menu.bundle import Bundle, pack_bundle, read_bundle, unpack_bundle, version_of
from engine.menu.check import load_texts
from engine.menu.screens import BrokenMenu
from engine.session.editions import EDITIONS_MAX, UNKNOWN_SECONDS, Binder, Edition, Editions
from tests.unit.session.rooms import BUNDLE, MENUS, PAYER, PIN, VERSION, House

PAYEE = "256772000002"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "menus"
    shutil.copytree(MENUS, copy)
    return copy


def change(folder: Path, file: str, old: str, new: str) -> None:
    content = (folder / file).read_text()
    assert old in content
    (folder / file).write_text(content.replace(old, new))


async def caller() -> House:
    return await House().registered()


async def test_a_changed_text_is_shown_to_new_sessions_and_not_to_live_ones(folder: Path) -> None:
    house = await caller()
    await house.press()
    change(folder, "texts/en.yaml", "  to: |\n    Number to pay", "  to: |\n    Who gets it")
    assert await house.editions.take_up(folder) == ""
    assert (await house.take("1")).text.startswith("Number to pay")
    assert (await house.press("1", session_id="s2")).text.startswith("Who gets it")


async def test_a_live_session_keeps_its_keys_when_the_new_menu_moves_them(folder: Path) -> None:
    house = await caller()
    await house.press()
    change(folder, "home.yaml", "      1: {label: home.send", "      7: {label: home.send")
    assert await house.editions.take_up(folder) != ""  # the posters still say 1
    (folder / "deep_links.yaml").write_text('links: {"5": account.menu}\n')
    assert await house.editions.take_up(folder) == ""
    assert "Number to pay" in (await house.take("1")).text
    moved = await house.press("1", session_id="s2")
    assert moved.text.startswith("Please choose one of these.")


async def test_a_change_between_the_price_and_the_pin_changes_neither(folder: Path) -> None:
    house = await caller()
    await house.press("1", PAYEE, "1000", "1")
    change(folder, "send_money.yaml", "pin:\n    kind: input", "pin:\n    # new\n    kind: input")
    change(folder, "texts/en.yaml", "Type your CAPP PIN", "Your CAPP PIN")
    assert await house.editions.take_up(folder) == ""
    assert house.session().menu == VERSION
    wrong = await house.take(f"1*{PAYEE}*1000*1*9026")
    assert "Type your CAPP PIN" in wrong.text
    assert (await house.take(f"1*{PAYEE}*1000*1*9026*{PIN}")).ends
    assert [confirmed.fresh for confirmed in house.payments.confirmed.values()] == [True]
    newer = await house.press("1", PAYEE, "1000", "1", session_id="s2")
    assert "\nYour CAPP PIN" in newer.text


async def test_a_broken_change_is_refused_with_its_faults_and_told_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = await caller()
    change(folder, "home.yaml", "do: open_payees", "do: open_paris")
    with caplog.at_level(logging.ERROR):
        refused = await house.editions.take_up(folder)
        assert await house.editions.take_up(folder, refused) == refused
    assert "no verb `open_paris`" in caplog.text
    assert caplog.text.count("is refused") == 1
    assert house.editions.current.version == VERSION
    assert "Number to pay" in (await house.press("1")).text


@pytest.mark.long("menus are read again and again")
async def test_what_was_broken_serves_once_it_is_mended(folder: Path) -> None:
    house = await caller()
    change(folder, "texts/sw.yaml", "  send_money: ", "  send_monye: ")
    refused = await house.editions.take_up(folder)
    assert refused
    change(folder, "texts/sw.yaml", "  send_monye: ", "  send_money: Sasa ")
    assert await house.editions.take_up(folder, refused) == ""
    assert house.editions.current.version not in (VERSION, refused)


def test_texts_that_were_read_of_these_very_menus_are_not_read_again(folder: Path) -> None:
    read, house = load_texts(folder), House()
    known = {version_of(read_bundle(folder)): read}
    binder = Binder(house.build_verbs, house.late, read=known)
    assert binder.bind(read_bundle(folder)).texts is read
    change(folder, "texts/en.yaml", "  to: |\n    Number to pay", "  to: |\n    Who gets it")
    changed = binder.bind(read_bundle(folder)).texts
    assert changed.render("en", "send_money.to").startswith("Who gets it")


async def test_a_folder_that_is_gone_changes_nothing(folder: Path) -> None:
    house = await caller()
    shutil.rmtree(folder)
    await house.editions.take_up(folder)
    assert house.editions.current.version == VERSION


@pytest.mark.long("menus are read again and again")
async def test_another_process_finishes_a_session_of_an_edition_it_never_served(
    folder: Path,
) -> None:
    house = await caller()
    change(folder, "texts/en.yaml", "  to: |\n    Number to pay", "  to: |\n    Who gets it")
    await house.editions.take_up(folder)
    await house.press()
    other = House(shares=house)
    assert other.editions.current.version == VERSION
    assert (await other.take("1")).text.startswith("Who gets it")


async def test_an_edition_nobody_has_any_more_is_a_lost_session(folder: Path) -> None:
    house = await caller()
    change(folder, "texts/en.yaml", "  to: |\n    Number to pay", "  to: |\n    Who gets it")
    await house.editions.take_up(folder)
    await house.press()
    house.redis.values.clear()
    other = House(shares=house)
    assert (await other.take("1")).text.startswith("We lost this session.")
    assert PAYEE not in str(house.redis.values)


# Two releases beside each other: each meets dialogues that the other began.


def of_an_older_release(folder: Path) -> None:
    """As before there was `no_way.asking`, which a verb of ours says."""
    change(folder, "request_money.yaml", "      no_way.asking: request_money.number\n", "")
    in_every_language(folder, r"(?s)(\nno_way:\n.*?)  asking: [^\n]*\n", r"\1")


def of_a_newer_release(folder: Path) -> None:
    """As once a screen shows what ours cannot, and a verb refuses what ours does not."""
    change(
        folder, "request_money.yaml", "      no_way.asking:",
        "      no_way.tomorrow: request_money.number\n      no_way.asking:",
    )  # fmt: skip
    in_every_language(folder, r"(?m)^no_way:\n", "no_way:\n  tomorrow: X\n")
    in_every_language(folder, r"\{payer\}(?=\n +\{state\})", "{nickname}")
    change(folder, "texts/widths.yaml", "  name: 12", "  nickname: 12\n  name: 12")


def in_every_language(folder: Path, old: str, new: str) -> None:
    for language in ("en", "sw", "fr", "lg", "am"):
        file = folder / "texts" / f"{language}.yaml"
        content, found = re.subn(old, new, file.read_text())
        assert found == 1, (language, found)
        file.write_text(content)


@pytest.mark.parametrize("is_so", [of_an_older_release, of_a_newer_release])
async def test_a_dialogue_that_another_release_began_goes_on_in_our_words(
    folder: Path, is_so: Callable[[Path], None]
) -> None:
    """Everybody who dialled while both served was told that the session was lost."""
    is_so(folder)
    change(folder, "home.yaml", "      1: {label: home.send", "      7: {label: home.send")
    (folder / "deep_links.yaml").write_text('links: {"5": account.menu}\n')
    change(folder, "texts/en.yaml", "  to: |\n    Number to pay", "  to: |\n    Who gets it")
    house = await caller()
    await house.press()
    theirs = read_bundle(folder)
    house.redis.values[f"capp:menus:{version_of(theirs)}"] = pack_bundle(theirs)
    house.replace("s1", menu=version_of(theirs))
    assert (await house.take("7")).text.startswith("Number to pay")
    assert house.session().menu == version_of(theirs)
    assert house.editions.current.version == VERSION


async def test_what_a_tenant_says_otherwise_is_said_in_an_adopted_edition_too(
    folder: Path, own: Path
) -> None:
    (own / "texts" / "en.yaml").write_text(OWN_TO)
    house = await House(bundle=read_bundle(MENUS, own)).registered()
    await house.press()
    of_an_older_release(folder)
    theirs = read_bundle(folder)
    house.redis.values[f"capp:menus:{version_of(theirs)}"] = pack_bundle(theirs)
    house.replace("s1", menu=version_of(theirs))
    assert (await house.take("1")).text.startswith("Who gets it")


async def test_a_dialogue_of_verbs_that_are_none_of_ours_is_lost(folder: Path) -> None:
    of_a_newer_release(folder)
    change(folder, "home.yaml", "do: open_payees", "do: open_paris")
    house = await caller()
    await house.press()
    theirs = read_bundle(folder)
    house.redis.values[f"capp:menus:{version_of(theirs)}"] = pack_bundle(theirs)
    house.replace("s1", menu=version_of(theirs))
    assert (await house.take("1")).text.startswith("We lost this session.")


async def test_an_edition_that_is_not_what_it_is_called_is_not_served() -> None:
    house = await caller()
    await house.press()
    house.replace("s1", menu="11111111")
    house.redis.values["capp:menus:11111111"] = pack_bundle(BUNDLE)
    assert (await house.take("1")).text.startswith("We lost this session.")


@pytest.mark.parametrize("packed", [b"", b"garbage", pack_bundle(BUNDLE)[:-9]])
async def test_a_spoilt_edition_is_not_served(packed: bytes) -> None:
    house = await caller()
    await house.press()
    house.replace("s1", menu="22222222")
    house.redis.values["capp:menus:22222222"] = packed
    assert (await house.take("1")).text.startswith("We lost this session.")
    assert (PAYER, "s1") in house.records.records


def test_a_broken_first_edition_serves_nothing(folder: Path) -> None:
    change(folder, "home.yaml", "do: open_payees", "do: open_paris")
    with pytest.raises(BrokenMenu, match="open_paris"):
        House(bundle=read_bundle(folder))


def test_the_version_changes_with_every_file(folder: Path) -> None:
    assert version_of(read_bundle(folder)) == VERSION
    assert len(VERSION) == 16, "of eight digits another edition is found in minutes"
    seen = {VERSION}
    for path in sorted(folder.rglob("*.yaml")):
        path.write_text(path.read_text() + "# a word\n")
        seen.add(version_of(read_bundle(folder)))
    assert len(seen) == len(BUNDLE) + 1
    (folder / "more.yaml").write_text("")
    assert version_of(read_bundle(folder)) not in seen


def test_a_bundle_is_unpacked_as_it_was_packed() -> None:
    assert unpack_bundle(pack_bundle(BUNDLE)) == BUNDLE
    assert len(pack_bundle(BUNDLE)) < 64 * 1024


@pytest.mark.parametrize("path", ["../outside.yaml", "/tmp/outside.yaml"])
def test_a_bundle_never_writes_outside_its_folder(path: str) -> None:
    house = House()
    with pytest.raises(ValueError, match="out of the folder"):
        Binder(house.build_verbs, house.late).bind({**BUNDLE, path: b"x"})


# What one tenant says otherwise.


OWN_TO = "send_money: {to: Who gets it}\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "duka" / "texts").mkdir(parents=True)
    return tmp_path / "duka"


async def test_a_tenants_text_is_shown_to_new_sessions_and_not_to_live_ones(
    folder: Path, own: Path
) -> None:
    house = await caller()
    await house.press()
    (own / "texts" / "en.yaml").write_text(OWN_TO)
    assert await house.editions.take_up(folder, own=own) == ""
    assert (await house.take("1")).text.startswith("Number to pay")
    assert (await house.press("1", session_id="s2")).text.startswith("Who gets it")


@pytest.mark.long("menus are read again and again")
async def test_another_process_finishes_a_session_of_a_tenants_own_edition(
    folder: Path, own: Path
) -> None:
    house = await caller()
    (own / "texts" / "en.yaml").write_text(OWN_TO)
    await house.editions.take_up(folder, own=own)
    await house.press()
    other = House(shares=house)
    assert (await other.take("1")).text.startswith("Who gets it")


async def test_a_change_in_either_folder_is_served_and_a_broken_one_in_neither(
    folder: Path, own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = await caller()
    text = own / "texts" / "en.yaml"
    text.write_text(OWN_TO)
    assert await house.editions.take_up(folder, own=own) == ""
    change(folder, "texts/en.yaml", "  menu: CAPP\n", "  menu: CAPP!\n")
    assert await house.editions.take_up(folder, own=own) == ""
    served = house.editions.current.version
    text.write_text(f"send_money: {{to: Who gets it, pin: {'x' * 180}}}\n")
    refused = await house.editions.take_up(folder, own=own)
    assert refused and house.editions.current.version == served
    assert "own/texts/en.yaml:1: send_money.pin" in caplog.text
    seen = await house.press()
    assert seen.text.startswith("CAPP!")
    assert (await house.press("1", session_id="s2")).text.startswith("Who gets it")


async def test_a_tenants_folder_that_is_gone_changes_nothing_and_is_told_once(
    folder: Path, own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = await caller()
    (own / "texts" / "en.yaml").write_text(OWN_TO)
    await house.editions.take_up(folder, own=own)
    served = house.editions.current.version
    shutil.move(own, own.with_name("away"))
    refused = await house.editions.take_up(folder, own=own)
    assert await house.editions.take_up(folder, refused, own) == refused
    assert caplog.text.count("is refused") == 1
    assert house.editions.current.version == served
    shutil.move(own.with_name("away"), own)
    assert await house.editions.take_up(folder, refused, own) == ""


# What a process keeps of editions it does not serve.


class QuickBinder(Binder):
    """Binds anything, unproved; only what is kept and asked for matters here."""

    def bind(self, bundle: Bundle) -> Edition:
        served = House().editions.current
        return served._replace(version=version_of(bundle))


class CountedShelf:
    """A shelf in memory that counts how often it is asked, and may be away."""

    def __init__(self) -> None:
        self.packed: dict[str, bytes] = {}
        self.asked = 0
        self.is_away = False
        self.failure = RedisError()

    async def put(self, version: str, packed: bytes) -> None:
        if self.is_away:
            raise self.failure
        self.packed[version] = packed

    async def get(self, version: str) -> bytes | None:
        self.asked += 1
        if self.is_away:
            raise RedisError
        return self.packed.get(version)


class Kept:
    """Editions of a process, a shelf, and a clock that is moved."""

    def __init__(self) -> None:
        self.shelf = CountedShelf()
        self.seconds = 0.0
        house = House()
        binder = QuickBinder(house.build_verbs, house.late)
        self.editions = Editions(BUNDLE, binder, self.shelf, lambda: self.seconds)

    def lay(self, number: int) -> str:
        """Another process publishes an edition of its own."""
        bundle = {**BUNDLE, f"more{number}.yaml": b""}
        self.shelf.packed[version_of(bundle)] = pack_bundle(bundle)
        return version_of(bundle)


async def test_an_edition_is_fetched_once() -> None:
    kept = Kept()
    version = kept.lay(1)
    first = await kept.editions.find(version)
    assert first is not None
    assert await kept.editions.find(version) is first
    assert await kept.editions.find(VERSION) is kept.editions.current
    assert kept.shelf.asked == 1


@pytest.mark.parametrize("is_away", [False, True])
async def test_an_edition_that_was_not_found_is_asked_for_again_only_after_a_while(
    is_away: bool,
) -> None:
    kept = Kept()
    kept.shelf.is_away = is_away
    version = version_of({**BUNDLE, "more1.yaml": b""})
    for _ in range(3):
        assert await kept.editions.find(version) is None
    assert kept.shelf.asked == 1
    kept.shelf.is_away = False
    kept.lay(1)
    kept.seconds += UNKNOWN_SECONDS + 1
    assert await kept.editions.find(version) is not None
    assert kept.shelf.asked == 2


async def test_no_process_keeps_more_than_a_few_editions_and_always_its_own() -> None:
    kept = Kept()
    versions = [kept.lay(number) for number in range(EDITIONS_MAX + 3)]
    for version in versions:
        assert await kept.editions.find(version) is not None
    assert await kept.editions.find(VERSION) is kept.editions.current
    assert kept.shelf.asked == len(versions)
    await kept.editions.find(versions[-1])
    assert kept.shelf.asked == len(versions)  # the newest are still there
    await kept.editions.find(versions[0])
    assert kept.shelf.asked == len(versions) + 1  # the oldest is not


async def test_a_shelf_that_is_away_is_no_reason_not_to_serve(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = Kept()
    kept.shelf.is_away = True
    assert not await kept.editions.publish()
    assert "menus are not shared: RedisError" in caplog.text
    kept.shelf.failure = RedisConnectionError("refused")
    assert not await kept.editions.publish()
    # The error itself: by it the log knows an outage, which is told once and not every two seconds.
    assert caplog.records[-1].args == (kept.shelf.failure,)
    kept.shelf.is_away = False
    assert await kept.editions.publish()
    assert unpack_bundle(kept.shelf.packed[VERSION]) == BUNDLE


async def test_a_change_is_published_as_what_it_is(folder: Path) -> None:
    kept = Kept()
    change(folder, "texts/en.yaml", "  menu: CAPP\n", "  menu: CAPP!\n")
    await kept.editions.take_up(folder)
    assert unpack_bundle(kept.shelf.packed[kept.editions.current.version]) == read_bundle(folder)
