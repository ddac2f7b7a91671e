"""The languages we ship: whole, within their widths, and words that callers can rely on."""

import pytest

from engine.customers.recipients import RECIPIENTS_MAX
from engine.money import CURRENCIES
from engine.payments.lifecycle import State
from engine.ports import Reason
from engine.segments import segments_of
from engine.septets import is_gsm7, outside
from engine.texts import Texts
from engine.texts.problems import SMS_SEGMENTS_MAX
from engine.texts.reading import read_folder
from tests.unit.texts.folders import SHIPPED

TEXTS = Texts.load(SHIPPED)
FOLDER = read_folder(SHIPPED)
LANGUAGES = TEXTS.languages


def test_the_languages_of_the_region_are_there() -> None:
    assert set(LANGUAGES) >= {"am", "en", "fr", "lg", "sw"}
    assert {code: TEXTS.encoding(code) for code in ("am", "en", "fr", "lg", "sw")} == {
        "am": "ucs2", "en": "gsm7", "fr": "gsm7", "lg": "gsm7", "sw": "gsm7"
    }  # fmt: skip


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_an_operator_gives_has_a_text(reason: Reason) -> None:
    assert TEXTS.has(f"reason.{reason}")


@pytest.mark.parametrize("state", [state.name.lower() for state in State if state is not State.NEW])
def test_every_payment_state_has_a_text(state: str) -> None:
    assert TEXTS.has(f"state.{state}")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", ["collecting_by_link", "collecting_unprompted"])
def test_who_gets_no_prompt_reads_of_none(language: str, state: str) -> None:
    said = TEXTS.template(language, f"state.{state}").source
    assert not any(word in said for word in ("PIN", "code", "ፒን"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_sent_in_a_known_number_of_parts(language: str) -> None:
    messages = [key for key in TEXTS if key.startswith("sms.")]
    assert messages
    most = SMS_SEGMENTS_MAX[TEXTS.encoding(language)]
    for key in messages:
        widest = TEXTS.widest(language, key)
        assert segments_of(widest) <= most, f"{language} {key}"
        assert is_gsm7(widest) == (TEXTS.encoding(language) == "gsm7"), f"{language} {key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_receipt_fits_one_message_or_two_where_letters_take_16_bits(language: str) -> None:
    # Answers to what people send us (`in_`) may be longer: they cost once and were asked for.
    receipts = [key for key in TEXTS if key.startswith("sms.") and not key.startswith("sms.in_")]
    assert len(receipts) >= 12
    most = {"gsm7": 1, "ucs2": 2}[TEXTS.encoding(language)]
    for key in receipts:
        assert segments_of(TEXTS.widest(language, key)) <= most, f"{language} {key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_in_sentences_are_those_of_the_house(language: str) -> None:
    figures = {"mistake.recipients_full": RECIPIENTS_MAX, "mistake.code": 10, "sms.pin_reset": 24}
    for key, figure in figures.items():
        digits = "".join(c if c.isdecimal() else " " for c in TEXTS.template(language, key).source)
        assert digits.split() == [str(figure)], key


def test_names_of_languages_can_be_listed_on_any_phone() -> None:
    assert len(set(TEXTS.names.values())) == len(LANGUAGES)
    for name in TEXTS.names.values():
        assert outside(name) is None
        assert len(name) <= TEXTS.widths["language"]


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_a_translation_is_not_a_copy(language: str) -> None:
    spoken = [key for key in TEXTS if key.partition(".")[0] not in ("item", "operator")]
    same = [
        key
        for key in spoken
        if TEXTS.template(language, key).source == TEXTS.template("en", key).source
    ]
    # "CAPP", "Menu" and templates of variables alone read the same in some languages.
    assert len(same) <= 8, same


def test_every_language_is_offered_to_somebody() -> None:
    rows = (FOLDER.countries.elsewhere, *FOLDER.countries.countries.values())
    offered = {language for row in rows for language in row.languages}
    assert set(LANGUAGES) - offered == set(), "name them in countries.yaml"


def test_every_country_whose_money_we_know_has_a_clock_and_a_language() -> None:
    currency_unions = {"XOF": "CI", "XAF": "CM", "EUR": None, "USD": None, "USDC": None}
    countries = [currency_unions.get(code, code[:2]) for code in CURRENCIES]
    for country in filter(None, countries):
        assert country in FOLDER.countries.countries, country
        assert TEXTS.offered(country)[0] == TEXTS.default_of(country)


def test_a_count_reads_well_in_every_language() -> None:
    assert TEXTS.render("fr", "mistake.pin_wrong", left=1).endswith("Il reste 1 essai.")
    assert TEXTS.render("fr", "mistake.pin_wrong", left=2).endswith("Il reste 2 essais.")
    for language in LANGUAGES:
        for left in range(4):
            assert str(left) in TEXTS.render(language, "mistake.pin_wrong", left=left)
