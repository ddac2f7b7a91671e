"""The catalogue itself is served only when it is whole; these tests load the real one too."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.errors import TextKey
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.lifecycle import State
from engine.ports import Reason
from engine.septets import sms_segments
from engine.texts import BrokenTexts, Texts

MENUS = Path(__file__).parents[2] / "menus"


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts.load(MENUS / "texts")


def broken(tmp_path: Path, en: str, sw: str, widths: str = "widths: {name: 5}") -> str:
    for name, content in {"en": en, "sw": sw, "widths": widths}.items():
        (tmp_path / f"{name}.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(BrokenTexts) as caught:
        Texts.load(tmp_path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("en", "sw", "fault"),
    [
        ("a: {b: x, c: y}", "a: {b: x}", "sw.yaml: a.c: missing"),
        ("a: x", "{a: x, b: y}", "sw.yaml: b: not in en.yaml"),
        ("a: 'hi {name}'", "a: 'habari'", "sw.yaml: a: other variables"),
        ("a: 'hi {other}'", "a: 'sw {other}'", "en.yaml: a: {other} has no width"),
        ("a: 'it’s'", "a: x", "'’' is not in the GSM 7-bit alphabet; write \"'\""),
        ("a: 'hi {Name}'", "a: x", "'{' costs two septets"),
        ("a: 1", "a: x", "not a text"),
        ("a: [", "a: x", "en.yaml:"),
        ("sms: {a: '" + "x" * 307 + "'}", "sms: {a: x}", "307 septets at most"),
    ],
)
def test_a_faulty_catalogue_is_refused_and_the_fault_named(
    tmp_path: Path, en: str, sw: str, fault: str
) -> None:
    assert fault in broken(tmp_path, en, sw)


def test_values_are_written_by_their_type(texts: Texts) -> None:
    written = texts.render(
        "en",
        "sms.receipt_payer",
        code="ABCDEF1234",
        amount=Money(100_050, "KES"),
        payee=Msisdn("+256772000002"),
        time=datetime(2026, 11, 2, 21, 30, tzinfo=UTC),
        receives=Money(27_000, "UGX"),
        fee=Money(0, "KES"),
        total=Money(100_050, "KES"),
    )
    assert written == (
        "ABCDEF1234 Confirmed. KES 1,000.50 sent to +256772000002 on 03/11/26 00:30. "
        "They got UGX 27,000. Fee KES 0. Total paid KES 1,000.50."
    )


def test_an_unknown_language_reads_english(texts: Texts) -> None:
    assert texts.render("xx", "home.menu") == texts.render("en", "home.menu")
    assert texts.render("sw", "home.menu") != texts.render("en", "home.menu")


def test_a_text_key_is_written_in_the_same_language(texts: Texts) -> None:
    said = texts.render("sw", "sms.collect_failed", code="X", reason=TextKey("reason.declined"))
    assert said == "X Haikufaulu: ombi limekataliwa. Hujatozwa chochote."


def test_a_name_without_a_text_is_shown_as_it_is(texts: Texts) -> None:
    said = texts.render("en", "mistake.operator_unsupported", operator=TextKey("operator.new_ke"))
    assert said.startswith("new_ke:")


def test_words_are_transliterated_and_cut_but_amounts_never(texts: Texts) -> None:
    assert texts.write("en", "operator", "Opérateur’s très long") == "Opérateur's "
    huge = Money(999_999_999_999_900, "KES")
    assert texts.write("en", "total", huge) == "KES 9,999,999,999,999"


def test_a_missing_variable_is_an_error(texts: Texts) -> None:
    with pytest.raises(KeyError):
        texts.render("en", "mistake.amount_min")


def test_nothing_in_a_text_or_value_is_executed(texts: Texts) -> None:
    said = texts.render("en", "mistake.operator_unsupported", operator="{left} %s")
    assert said.startswith("{left} %s: ")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_an_operator_gives_has_a_text(texts: Texts, reason: Reason) -> None:
    assert texts.has(f"reason.{reason}")


@pytest.mark.parametrize("state", [state.name.lower() for state in State if state is not State.NEW])
def test_every_payment_state_has_a_text(texts: Texts, state: str) -> None:
    assert texts.has(f"state.{state}")


def test_embedded_texts_never_exceed_the_width_of_their_variable(texts: Texts) -> None:
    for language in texts.languages:
        for part in ("reason", "state", "operator"):
            for key in texts:
                if key.startswith(f"{part}."):
                    text = texts.render(language, key)
                    assert len(text) <= texts.widths[part], f"{language} {key}: {text}"


def test_every_receipt_fits_one_message_at_its_widest(texts: Texts) -> None:
    receipts = [key for key in texts if key.startswith("sms.")]
    assert len(receipts) == 9
    for language in texts.languages:
        for key in receipts:
            assert sms_segments(texts.widest(language, key)) == 1, f"{language} {key}"
