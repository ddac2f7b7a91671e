"""A preview is what the phone shows: framed, paged, counted."""

import pytest

from engine.menu.networks import Network
from engine.menu.preview import SAMPLES, preview
from engine.menu.reading import read_menu
from engine.septets import fits
from engine.texts import Texts
from tests.unit.menu.cases import SOUND
from tests.unit.session.rooms import MENU, NETWORKS, TEXTS

SAFARICOM = NETWORKS.of("63902")
SMALL = Network("small", budget_septets=80)
SOUND_TEXTS = Texts.load(SOUND / "texts")


def shown(name: str, language: str = "en", network: Network = SAFARICOM, **how: bool) -> str:
    lines = preview(TEXTS, MENU.screens[name], language, network, widest=how.get("widest", False))
    return "\n".join(lines)


def test_a_screen_stands_in_a_frame_with_what_it_costs() -> None:
    assert shown("send_money.pin").splitlines() == [
        "send_money.pin (input) in en on Safaricom KE",
        "+-----------------------------------+",
        "| Pay KES 1,010.50 to +256772000002 |",
        "| Type your CAPP PIN                |",
        "| 0 Back 00 Home                    |",
        "+-----------------------------------+",
        "67 of 160 septets",
    ]


@pytest.mark.parametrize("widest", [True, False])
def test_the_words_of_a_rule_are_shown_under_each_other(widest: bool) -> None:
    text = shown("payments.report", widest=widest)
    assert "| 1. Not arrived    |\n| 2. Wrong amount   |" in text
    assert "| 4. Something else |\n| 0 Back 00 Home    |" in text


def test_pages_are_shown_one_by_one() -> None:
    text = shown("account.help", network=SMALL)
    pages = text.count(" of 80 septets")
    assert pages > 1
    assert f"page 1 of {pages}" in text
    assert f"page {pages} of {pages}" in text
    assert text.count("98 More") == pages - 1


def test_the_widest_fills_every_variable() -> None:
    assert "W" * 14 in shown("send_money.quote", widest=True)


def test_a_language_the_network_cannot_carry_is_shown_in_english() -> None:
    menu = read_menu(SOUND)
    screen = menu.screens["home.menu"]
    gsm7 = Network("old", encoding="gsm7")
    said = "\n".join(preview(SOUND_TEXTS, screen, "am", gsm7, widest=False))
    assert "Menu" in said
    wide = "\n".join(preview(SOUND_TEXTS, screen, "am", SAFARICOM, widest=False))
    assert "ምናሌ" in wide
    assert "of 70 UCS-2 units" in wide


@pytest.mark.parametrize("language", TEXTS.languages)
def test_every_screen_can_be_shown_with_samples(language: str) -> None:
    for name in MENU.screens:
        text = shown(name, language)
        assert text.startswith(name)
        assert "{" not in text


def test_every_variable_a_screen_shows_has_a_sample_that_fits_its_width() -> None:
    screens = MENU.screens.values()
    names = {
        n for s in screens for key in (s.text, s.again) for n in TEXTS.template("en", key).names
    }
    assert names <= set(SAMPLES)
    for name in names:
        for language in TEXTS.languages:
            written = TEXTS.write(language, name, SAMPLES[name])
            assert len(written) <= TEXTS.widths[name]
            assert fits(written, 160)
