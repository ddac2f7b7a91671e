"""A broken menu never serves: each fault is refused, with its file, line and screen."""

import shutil
from pathlib import Path

import pytest

from engine.session.actions import VERBS, Actions
from engine.session.check import load_menu, problems_of
from engine.session.menu import BrokenMenu
from engine.session.networks import BrokenNetworks, Networks
from engine.session.readers import READERS
from engine.texts import Texts
from tests.unit.session.rooms import MENU, MENUS, NETWORKS, TEXTS, House

SEND = "send_money.yaml"


def refused(tmp_path: Path, file: str, old: str, new: str, texts: Texts = TEXTS) -> str:
    folder = tmp_path / "menus"
    shutil.copytree(MENUS, folder)
    content = (folder / file).read_text()
    assert old in content
    (folder / file).write_text(content.replace(old, new, 1))
    with pytest.raises(BrokenMenu) as caught:
        load_menu(folder, texts, NETWORKS)
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        (SEND, "chosen: send_money.amount", "chosen: send_money.amuont",
         "send_money.yaml:3: number: leads to send_money.amuont, which is not a screen"),
        (SEND, "  done:\n", "  lost:\n    kind: info\n    text: home.menu\n\n  done:\n",
         "send_money.yaml:42: lost: cannot be reached"),
        ("home.yaml", "      3: {label", "      1: {label", "home.yaml:17: `1` stands twice"),
        ("home.yaml", "      3: {label", "      0: {label", "choice 0 clashes with back"),
        ("home.yaml", "      3: {label", "      98: {label", "choice 98 clashes with back"),
        (SEND, "text: send_money.amount", "text: send_money.much", "amount: no text `send_money"),
        (SEND, "do: quote", "do: guess", "amount: no verb `guess`"),
        (SEND, "{quoted:", "{priced:", "amount: `next` must name exactly quoted"),
        (SEND, "reads: amount", "reads: number", "amount: nobody reads `number`"),
        (SEND, "    sensitive: true\n", "", "pin: a PIN is asked"),
        (SEND, "kind: confirm", "kind: dialog", "quote: Invalid enum value 'dialog'"),
        (SEND, "kind: confirm", "knid: confirm", "quote: Object contains unknown field `knid`"),
        (SEND, "again: ", "agian: ", "quote: Object contains unknown field `agian`"),
        (SEND, "mistake.quote_expired:", "mistake.pin_weak:", "`mistake.pin_weak` cannot happen"),
        (SEND, "    again: send_money.quote_again\n", "", "quote: en: with mistake.choice: 1"),
        (SEND, "text: send_money.pin", "text: last_payment.sent", "{time} of `last_payment.sent`"),
        ("language.yaml", "with: sw", "with: tlh", "with `tlh`: there are en, sw"),
        ("language.yaml", "do: set_language, with: sw", "do: set_language", "do not go together"),
        ("home.yaml", "  do: find_customer", "  do: [", "home.yaml:"),
        ("home.yaml", "opens:", "opened:", "home.yaml: unknown part `opened`"),
        ("last_payment.yaml", "about: payment", "about: life", "about `life`: there are price"),
    ],
)  # fmt: skip
def test_a_fault_is_refused_and_named(
    tmp_path: Path, file: str, old: str, new: str, fault: str
) -> None:
    assert fault in refused(tmp_path, file, old, new)


def test_a_screen_without_a_way_on_or_back_is_a_dead_end(tmp_path: Path) -> None:
    # A first screen has no way back, so one that only informs would be a trap.
    fault = refused(tmp_path, "home.yaml", "new: first_dial.language", "new: last_payment.none")
    assert "none: dead end: no choice, no way back" in fault
    assert "language: cannot be reached" in fault


def test_a_screen_too_wide_in_one_language_only_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    shutil.copytree(MENUS / "texts", folder)
    content = (folder / "sw.yaml").read_text()
    longer = content.replace("Jumla {total}", "Jumla ya kulipa {total}", 1)
    (folder / "sw.yaml").write_text(longer)
    fault = refused(tmp_path, SEND, "# Send", "# Still send", Texts.load(folder))
    assert "quote: sw: 170 septets at most, the budget is 160" in fault
    assert "quote: en" not in fault


def test_the_smallest_budget_of_all_networks_counts() -> None:
    assert NETWORKS.budget_septets_min == 160
    assert list(problems_of(MENU, TEXTS, 160)) == []
    assert any("the budget is 140" in fault for fault in problems_of(MENU, TEXTS, 140))


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    faults = refused(tmp_path, SEND, "do: quote", "do: guess\n    about: life").splitlines()
    assert len(faults) >= 2


def test_the_version_changes_with_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "menus"
    shutil.copytree(MENUS, folder)
    assert load_menu(folder, TEXTS, NETWORKS).version == MENU.version
    (folder / SEND).write_text((folder / SEND).read_text() + "# a word\n")
    assert load_menu(folder, TEXTS, NETWORKS).version != MENU.version


def test_verbs_and_their_facts_are_the_same_list() -> None:
    house = House()
    actions = Actions(customers=house.customers, payments=house.payments, seal=house.seal)
    assert set(actions.verbs) == set(VERBS)


def test_every_mistake_a_verb_or_reader_declares_has_a_text() -> None:
    declared = {key for facts in VERBS.values() for key in facts.mistakes}
    declared |= {key for reader in READERS.values() for key in reader.mistakes}
    assert [key for key in sorted(declared) if not TEXTS.has(key)] == []


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("default: {name: x, budget_septets: 200}\nnetworks: {}", "budget_septets out of range"),
        ("default: {name: x, deadline_seconds: 30}\nnetworks: {}", "deadline_seconds out of range"),
        ("default: {name: x, idle_seconds: 0}\nnetworks: {}", "idle_seconds out of range"),
        ("default: {name: x, budget: 1}\nnetworks: {}", "unknown field"),
        ("networks: {}", "missing required field `default`"),
        ("[", "networks.yaml:"),
    ],
)
def test_networks_that_make_no_sense_are_refused(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "networks.yaml"
    path.write_text(content)
    with pytest.raises(BrokenNetworks, match=fault):
        Networks.load(path)


def test_a_network_nobody_listed_gets_the_default() -> None:
    assert NETWORKS.of("63903").budget_septets == 182
    assert NETWORKS.of("00000").name == "any other"
