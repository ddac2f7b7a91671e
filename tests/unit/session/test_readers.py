import pytest

from engine.errors import CustomerMistake
from engine.menu import vocabulary
from engine.menu.patterns import Pattern
from engine.menu.screens import OneOf, Range
from engine.money import Money
from engine.session.readers import (
    READERS,
    read_amount,
    read_by_pattern,
    read_whole,
    read_word,
)
from engine.session.session import Session
from tests.unit.session.rooms import PAYER, TEXTS


def session(country: str = "KE") -> Session:
    return Session("n" * 16, 0, "v", PAYER, "", "en", country, "home.menu", [])


def test_an_amount_is_of_what_the_callers_wallet_holds() -> None:
    congolese = session("CD")
    assert READERS["amount"]("500", congolese) == Money(50_000, "CDF")
    congolese.currency = "USD"
    assert READERS["amount"]("20.50", congolese) == Money(2_050, "USD")


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("500", "KES", 50_000),
        ("1,000", "KES", 100_000),
        ("12,345,678", "UGX", 12_345_678),
        ("10.50", "KES", 1_050),
        ("10.5", "KES", 1_050),
        ("0500", "KES", 50_000),
        ("0.01", "KES", 1),
        ("10 000", "XAF", 10_000),
        ("1\u00a0234\u00a0567", "XAF", 1_234_567),
        ("10\u202f000.5", "KES", 1_000_050),
    ],
)
def test_amounts_are_read_exactly(text: str, currency: str, minor: int) -> None:
    assert read_amount(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("0", "mistake.amount"),
        ("0.00", "mistake.amount"),
        ("-5", "mistake.amount"),
        ("+5", "mistake.amount"),
        ("1e9", "mistake.amount"),
        ("12.345", "mistake.amount_whole"),
        ("abc", "mistake.amount"),
        ("", "mistake.amount"),
        ("٥٠٠", "mistake.amount"),
        ("५००", "mistake.amount"),
        ("1,00", "mistake.amount"),
        ("1000,000", "mistake.amount"),
        (",500", "mistake.amount"),
        ("5.", "mistake.amount"),
        (".5", "mistake.amount"),
        ("5 00", "mistake.amount"),
        ("5  000", "mistake.amount"),
        ("5000 000", "mistake.amount"),
        ("5 000,000", "mistake.amount"),
        ("5\u2003000", "mistake.amount"),
        ("5*0", "mistake.amount"),
        ("NaN", "mistake.amount"),
        ("Infinity", "mistake.amount"),
        ("0x10", "mistake.amount"),
        ("1_000", "mistake.amount"),
        ("9" * 16, "mistake.amount"),
        ("9" * 200, "mistake.amount"),
        ("500\n", "mistake.amount"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_sentence(text: str, key: str) -> None:
    with pytest.raises(CustomerMistake) as caught:
        read_amount(text, "KES")
    assert caught.value.text_key == key


def test_a_currency_without_decimals_takes_whole_amounts_only() -> None:
    with pytest.raises(CustomerMistake) as caught:
        read_amount("10.5", "UGX")
    assert caught.value.text_key == "mistake.amount_whole"


def test_the_amount_is_in_the_currency_of_the_callers_country() -> None:
    assert READERS["amount"]("500", session("UG")) == Money(500, "UGX")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("12", "mistake.number"),
        ("hello", "mistake.number"),
        ("٠٧٧٢٠٠٠٠٠٢", "mistake.number"),
        ("9" * 200, "mistake.number"),
        ("0202222222", "mistake.not_mobile"),  # a landline in Nairobi
    ],
)
def test_what_is_no_mobile_number_is_refused(text: str, key: str) -> None:
    with pytest.raises(CustomerMistake) as caught:
        READERS["msisdn"](text, session())
    assert caught.value.text_key == key


def test_numbers_are_read_from_the_callers_country() -> None:
    read = READERS["msisdn"]
    assert read("256772000002", session()) == "+256772000002"
    assert read("0772000002", session("UG")) == "+256772000002"


def test_every_reader_declares_the_mistakes_it_makes() -> None:
    for name in READERS:
        for text in ("", "x", "12.345", "0202222222", "0", "-" * 10):
            try:
                READERS[name](text, session())
            except CustomerMistake as mistake:
                assert mistake.text_key in vocabulary.READERS[name].mistakes


@pytest.mark.parametrize("text", ["capp000001", " CAPP 000001 ", "CAPP000001"])
def test_a_code_is_read_however_it_is_typed(text: str) -> None:
    assert READERS["code"](text, session()) == "CAPP000001"


@pytest.mark.parametrize("text", ["", "CAPP00001", "CAPP0000011", "CAPP-00001", "ÇAPP000001"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(CustomerMistake, match=r"mistake\.code"):
        READERS["code"](text, session())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mama Njeri", "Mama Njeri"),
        ("  two   words ", "two words"),
        ("Œuvre", "OEuvre"),
        ("ዮሐንስ", "Yohans"),
        ("A name that is much too long", "A name that"),
    ],
)
def test_a_name_is_cleaned_and_cut(text: str, name: str) -> None:
    assert READERS["name"](text, session()) == name


@pytest.mark.parametrize("text", ["", " ", "0712000001", "-", "\u0301", "\x00a"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(CustomerMistake, match=r"mistake\.name"):
        READERS["name"](text, session())


# By a rule of the screen's own.


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1), ("007", 7), ("1,250", 1_250), ("1 250", 1_250), ("12,345,678", 12_345_678),
        ("12 345 678", 12_345_678), ("999999999", 999_999_999),
        ("0", None), ("", None), ("-1", None), ("+1", None), ("1.0", None), ("1,2", None),
        ("1,2345", None), ("1234,567", None), (",123", None), ("1 234,567", None),
        ("1,234 567", None), ("1  234", None), ("1234567890", None), ("1,234,567,890", None),
        ("٣", None), ("１", None), ("one", None), ("9" * 4_999, None), ("1\n", None),
    ],
)  # fmt: skip
def test_a_whole_number_has_its_thousands_apart_one_way_or_not_at_all(
    text: str, number: int | None
) -> None:
    read = read_whole(Range(1, 999_999_999))
    if number is not None:
        assert read(text, session()) == number
        return
    with pytest.raises(CustomerMistake, match=r"mistake\.range") as caught:
        read(text, session())
    assert caught.value.variables == {"minimum": 1, "maximum": 999_999_999}


def test_a_rule_complains_in_its_own_words() -> None:
    with pytest.raises(CustomerMistake, match=r"mistake\.amount"):
        read_whole(Range(1, 2, "mistake.amount"))("3", session())
    with pytest.raises(CustomerMistake, match=r"mistake\.code"):
        read_by_pattern(Pattern("[0-9]{3}"), "mistake.code")("12", session())
    words = OneOf({"a": "home.menu", "b": "home.price"}, "mistake.name")
    with pytest.raises(CustomerMistake, match=r"mistake\.name"):
        read_word(words, TEXTS)("3", session())
    with pytest.raises(CustomerMistake, match=r"mistake\.choice"):
        read_word(OneOf(words.words), TEXTS)("3", session())
