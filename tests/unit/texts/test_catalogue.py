"""The catalogue as its users know it: values by their type, languages that stand in for others."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.errors import TextKey
from engine.money import Money
from engine.msisdn import Msisdn
from engine.texts import Texts, join
from tests.unit.texts.folders import EN, SHIPPED, load

RECEIPT: Mapping[str, Any] = {
    "code": "ABCDEF1234",
    "amount": Money(100_050, "KES"),
    "payee": Msisdn("+256772000002"),
    "time": datetime(2026, 11, 2, 21, 30, tzinfo=UTC),
    "receives": Money(27_000, "UGX"),
    "fee": Money(0, "KES"),
    "total": Money(100_050, "KES"),
}


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts.load(SHIPPED)


def test_values_are_written_by_their_type(texts: Texts) -> None:
    assert texts.render("en", "sms.receipt_payer", **RECEIPT) == (
        "ABCDEF1234 Confirmed. KES 1,000.50 sent to +256772000002 on 03/11/26 00:30. "
        "They got UGX 27,000. Fee KES 0. Total paid KES 1,000.50."
    )


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (Money(125_050, "KES"), "KES 1,250.50", "KES 1 250,50"),
        (Money(-125_005, "KES"), "KES -1,250.05", "KES -1 250,05"),
        (Money(2_700_000, "UGX"), "UGX 2,700,000", "UGX 2 700 000"),
        (1_250, "1,250", "1 250"),
        (Decimal("1027.50"), "1,027.50", "1 027,50"),
        (date(2026, 2, 1), "01/02/26", "01/02/26"),
        (datetime(2026, 2, 1, 9, 5, tzinfo=UTC), "01/02/26 12:05", "01/02/26 12:05"),
        (True, "True", "True"),
    ],
)
def test_each_language_has_its_own_signs(
    tmp_path: Path, value: object, english: str, french: str
) -> None:
    texts = load(tmp_path, fr="language: {name: F}\na: y")
    assert texts.write("en", "total", value) == english
    assert texts.write("fr", "total", value) == french


def test_a_time_is_told_by_the_clock_of_the_country(texts: Texts) -> None:
    late = datetime(2026, 11, 2, 22, 30, tzinfo=UTC)
    assert texts.write("en", "time", late) == "03/11/26 01:30"
    assert texts.voice("en", "ZM").write("time", late) == "03/11/26 00:30"
    assert texts.voice("en", "XX").write("time", late) == "02/11/26 22:30"


def test_an_unknown_language_reads_english(texts: Texts) -> None:
    assert texts.render("xx", "mistake.pin_weak") == texts.render("en", "mistake.pin_weak")
    assert texts.render("sw", "mistake.pin_weak") != texts.render("en", "mistake.pin_weak")
    assert texts.voice("xx", "UG").render("mistake.pin_weak") == texts.render(
        "en", "mistake.pin_weak"
    )
    assert texts.encoding("xx") == "gsm7"
    assert texts.template("xx", "home.menu").source == texts.render("en", "home.menu")


def test_a_text_key_is_written_in_the_same_language(texts: Texts) -> None:
    said = texts.render("sw", "sms.collect_failed", code="X", reason=TextKey("reason.declined"))
    assert said == "X Haikufaulu: ombi limekataliwa. Hujatozwa chochote."


def test_a_name_without_a_text_is_shown_as_it_is(texts: Texts) -> None:
    said = texts.render("en", "mistake.operator_unsupported", operator=TextKey("operator.new_ke"))
    assert said.startswith("new_ke:")


def test_words_are_transliterated_and_cut_but_amounts_never(texts: Texts) -> None:
    assert texts.write("en", "operator", "Opérateur’s très long") == "Opérateur's "
    assert texts.write("en", "operator", "Mobile Money Limited") == "Mobile Money"
    huge = Money(999_999_999_999_900, "KES")
    assert texts.write("en", "total", huge) == "KES 9,999,999,999,999"


def test_an_amharic_text_keeps_an_ethiopic_name_and_others_spell_it(tmp_path: Path) -> None:
    texts = load(
        tmp_path,
        en=f"{EN}a: 'Hi {{name}}'",
        am="language: {name: አማርኛ, menu_name: Amarinya, encoding: ucs2}\na: 'ሰላም {name}'",
    )
    assert texts.render("am", "a", name="አበበ ቢቂላ") == "ሰላም አበበ ቢ"
    assert texts.render("am", "a", name="D’Ély😀") == "ሰላም D’Ély"
    assert texts.render("am", "a", name="😀a\u202eb") == "ሰላም ?ab"
    assert texts.render("en", "a", name="D’Élysée") == "Hi D'Ély"
    assert texts.render("en", "a", name="አበበ") == "Hi Abebe"
    assert texts.encoding("am") == "ucs2"
    assert texts.widest("am", "a") == "ሰላም " + "ወ" * 5
    assert texts.names == {"am": "Amarinya", "en": "English"}


def test_a_value_stays_on_its_line(texts: Texts) -> None:
    assert texts.write("en", "operator", "M\nPESA\r\f\tX") == "M PESA   X"


def test_a_missing_variable_is_an_error(texts: Texts) -> None:
    with pytest.raises(KeyError):
        texts.render("en", "mistake.amount_min")


def test_nothing_in_a_text_or_value_is_executed(texts: Texts) -> None:
    said = texts.render("en", "mistake.operator_unsupported", operator="{left} %s")
    assert said.startswith("{left} %s: ")


PLURALS = {
    "en": f"{EN}a: {{one: 'One try left.', other: '{{left}} tries left.'}}\nb: Ok",
    "fr": "language: {name: F}\n"
    "a: {one: 'Reste {left} essai.', other: 'Reste {left} essais.'}\nb: Bon",
    "sw": "language: {name: S}\na: 'Nafasi {left}.'\nb: Sawa",
}


@pytest.mark.parametrize(
    ("language", "left", "said"),
    [
        ("en", 0, "0 tries left."),
        ("en", 1, "One try left."),
        ("en", 2, "2 tries left."),
        ("en", 1_001, "1,001 tries left."),
        ("fr", 0, "Reste 0 essai."),
        ("fr", 1, "Reste 1 essai."),
        ("fr", 2, "Reste 2 essais."),
        ("fr", 1_001, "Reste 1 001 essais."),
        ("sw", 1, "Nafasi 1."),
    ],
)
def test_a_count_chooses_its_form(tmp_path: Path, language: str, left: int, said: str) -> None:
    texts = load(tmp_path, **PLURALS)
    assert texts.render(language, "a", left=left) == said
    # A screen that lays the text out with others counts just as well.
    screen = join([texts.template(language, "a"), texts.template(language, "b")])
    written = {"left": texts.write(language, "left", left)}
    assert screen.fill(written) == f"{said}\n{texts.render(language, 'b')}"


def test_the_widest_form_counts(tmp_path: Path) -> None:
    texts = load(tmp_path, en=f"{EN}a: {{one: 'There is one try left.', other: '{{left}} tries.'}}")
    assert texts.widest("en", "a") == "There is one try left."


def test_a_language_needs_no_code(tmp_path: Path) -> None:
    files = {p.stem: p.read_text("utf-8") for p in SHIPPED.glob("*.yaml")}
    header, _, rest = files["en"].partition("language: {name: English, encoding: gsm7}")
    files["rw"] = f"{header}language: {{name: Ikinyarwanda, numbers: fr}}{rest}"
    texts = load(tmp_path, **files)
    assert "rw" in texts.languages
    assert texts.names["rw"] == "Ikinyarwanda"
    assert texts.encoding("rw") == "gsm7"
    assert "Total paid KES 1 000,50." in texts.render("rw", "sms.receipt_payer", **RECEIPT)


def test_countries_say_what_they_offer(tmp_path: Path) -> None:
    files = {p.stem: p.read_text("utf-8") for p in SHIPPED.glob("*.yaml")}
    texts = load(tmp_path, **files)
    assert texts.offered("KE") == ("en", "sw")
    assert texts.default_of("KE") == "en"
    assert texts.default_of("TZ") == "sw"
    assert texts.default_of("XX") == "en"
    assert "en" in texts.offered("XX")
