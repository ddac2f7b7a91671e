from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import CustomerMistake
from engine.inbox.keywords import Verb, Vocabulary, has_foreign_digits, plainly, read_order
from engine.money import CURRENCY_OF_COUNTRY, Money
from engine.msisdn import Msisdn
from engine.texts import Texts

TEXTS = Texts.load(Path("menus/texts"))
WORDS = Vocabulary(TEXTS)
KENYAN, UGANDAN = Msisdn("+254712345678"), Msisdn("+256772123456")


@pytest.mark.parametrize(
    ("text", "verb", "rest"),
    [
        ("SEND 500 0712345678", Verb.SEND, ("500", "0712345678")),
        ("  send   500\n0712345678 ", Verb.SEND, ("500", "0712345678")),
        ("Send500 0712345678", Verb.SEND, ("500", "0712345678")),
        ("pay 500 to 0712345678", Verb.SEND, ("500", "0712345678")),
        ("Tuma 500 kwa 0712345678", Verb.SEND, ("500", "0712345678")),
        ("BAL", Verb.LIMITS, ()),
        ("bal.", Verb.LIMITS, ()),
        ("salio?", Verb.LIMITS, ()),
        ("STATUS 7KQ2M4XW9D", Verb.STATUS, ("7KQ2M4XW9D",)),
        ("status", Verb.STATUS, ()),
        ("LANG sw", Verb.LANGUAGE, ("SW",)),
        ("lugha en", Verb.LANGUAGE, ("EN",)),
        ("Help!", Verb.HELP, ()),
        ("STOP", Verb.STOP, ()),
        ("'stop'", Verb.STOP, ()),
        ("simama", Verb.STOP, ()),
        ("Start", Verb.START, ()),
        ("yes", Verb.YES, ()),
        ("Ndiyo.", Verb.YES, ()),
        ("NO", Verb.NO, ()),
        ("ＳＥＮＤ ５００ ０７１２３４５６７８", Verb.SEND, ("500", "0712345678")),
        ("ARRÊT", Verb.STOP, ()),
        ("arre\u0302t", Verb.STOP, ()),
        ("Début", Verb.START, ()),
        ("État 7KQ2M4XW9D", Verb.STATUS, ("7KQ2M4XW9D",)),
        ("Envoyer 500 à 0712345678", Verb.SEND, ("500", "0712345678")),
        ("“Stop”", Verb.STOP, ()),
        ("« Oui »", Verb.YES, ()),
        ("\u200fSTOP\u200e", Verb.STOP, ()),
        ("\ufeffYES\u200b", Verb.YES, ()),
        ("SEND 500 \u202d0712 345 678\u202c", Verb.SEND, ("500", "0712", "345", "678")),
        ("MENU 1 2", Verb.MENU, ("1", "2")),
    ],
)
def test_keywords_are_read_forgivingly(text: str, verb: Verb, rest: tuple[str, ...]) -> None:
    command = WORDS.read(text)
    assert command is not None
    assert (command.verb, command.rest) == (verb, rest)


@pytest.mark.parametrize("text", ["", "  ", "1", "Hello", "SENDER 5", "500 0712345678", "...", "0"])
def test_what_begins_with_no_keyword_is_none(text: str) -> None:
    assert WORDS.read(text) is None


@given(st.text(max_size=300))
def test_any_message_is_read_without_an_error(text: str) -> None:
    WORDS.read(text)
    WORDS.looks_like_pin(text)
    has_foreign_digits(text)


def test_a_keyword_says_whose_language_it_is() -> None:
    assert [getattr(WORDS.read(w), "language", None) for w in ("STOP", "SIMAMA")] == ["en", "sw"]


def words_of(key: str) -> set[tuple[str, str]]:
    """Every word of every language under a key, with what it means."""
    return {
        (plainly(word), key)
        for language in TEXTS.languages
        for word in TEXTS.render(language, f"keywords.{key}").split()
    }


def test_no_word_means_two_things_in_whatever_language() -> None:
    """A customer's language decides which words are tried first, never what one of them does."""
    assert len(TEXTS.languages) >= 5
    meanings = set().union(*(words_of(key) for key in (*Verb, "filler", "pin")))
    doubled = Counter(word for word, _ in meanings)
    assert [word for word, times in doubled.items() if times > 1] == []


@pytest.mark.parametrize("asker", TEXTS.languages)
@pytest.mark.parametrize("verb", Verb)
def test_every_language_s_words_are_understood_by_everybody(asker: str, verb: Verb) -> None:
    read = {word: WORDS.read(word.lower(), asker) for word, _ in words_of(verb)}
    assert {word for word, command in read.items() if not command or command.verb != verb} == set()


def test_no_filler_is_the_name_of_a_language() -> None:
    names = {plainly(name) for code in TEXTS.languages for name in (code, TEXTS.names[code])}
    assert names.isdisjoint(word for word, _ in words_of("filler"))


def test_an_amount_at_the_end_of_a_long_message_is_read_whole_or_not_at_all() -> None:
    """A price of a tenth, shown to who skims it, is a tenth that arrives."""
    for length in range(180, 220):
        command = WORDS.read("SEND 0712345678".ljust(length) + "50000")
        assert command is not None
        assert command.rest == ("0712345678", "50000")


KES_500 = Money(50_000, "KES")


@pytest.mark.parametrize(
    "text",
    [
        "SEND 500 0712345678",
        "SEND 0712345678 500",
        "SEND 500 +254712345678",
        "SEND 500 254 712 345 678",
        "SEND 0712 345 678 500",
        "SEND 500 712345678",
        "SEND KES500 0712345678",
        "SEND 500KES 0712345678",
        "SEND Ksh 500 0712345678",
        "SEND 500/= 0712345678",
        "SEND 500/- 0712345678",
        "SEND 500 /= 0712345678",
        "SEND KES500.00 0712345678",
        "SEND 500.00KSHS 0712345678",
        "SEND 500.00 0712-345-678",
        "SEND ksh.500 to 0712345678",
    ],
)
def test_amount_and_number_are_told_apart_in_any_order(text: str) -> None:
    command = WORDS.read(text)
    assert command is not None
    if text == "SEND ksh.500 to 0712345678":
        with pytest.raises(CustomerMistake):
            read_order(command.rest, "KE", "KES")
    else:
        assert read_order(command.rest, "KE", "KES") == (KENYAN, KES_500)


def test_a_number_abroad_and_thousands_are_understood() -> None:
    assert read_order(("1,500", "+256772123456"), "KE", "KES") == (UGANDAN, Money(150_000, "KES"))


@pytest.mark.parametrize(
    ("text", "country", "payee", "minor"),
    [
        ("SEND 1 500 0712345678", "KE", KENYAN, 150_000),
        ("SEND 0712345678 1 500", "KE", KENYAN, 150_000),
        ("SEND 5 000 0712 345 678", "KE", KENYAN, 500_000),
        ("SEND 5 000.50 0712345678", "KE", KENYAN, 500_050),
        ("SEND 1 500 254712345678", "KE", KENYAN, 150_000),
        ("SEND 254712345678 5 000", "KE", KENYAN, 500_000),
        ("SEND 1 500 KES 0712345678", "KE", KENYAN, 150_000),
        ("ENVOYER 1\u202f000\u202f000 677123456", "CM", "+237677123456", 1_000_000),
        ("ENVOYER 500 000 XAF +237677123456", "CM", "+237677123456", 500_000),
        ("SEND 500 00254712345678", "KE", KENYAN, 50_000),
        ("SEND 500 00 254 712 345 678", "KE", KENYAN, 50_000),
        ("SEND 10,000,000 0772123456", "UG", UGANDAN, 10_000_000),
        ("SEND 123456789 0772123456", "UG", UGANDAN, 123_456_789),
    ],
)
def test_thousands_may_be_apart(text: str, country: str, payee: str, minor: int) -> None:
    command = WORDS.read(text)
    assert command is not None
    found, amount = read_order(command.rest, country, CURRENCY_OF_COUNTRY[country])
    assert (found, amount.minor) == (payee, minor)


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("SEND 5 000 254712345678", "KE"),  # 5 to a number abroad, as Kenyans dial?
        ("SEND 5 000 254 712 345 678", "KE"),
        ("SEND 10 254 712345678", "KE"),  # 10,254?
        ("ENVOYER 500 000 237677123456", "CM"),
        ("ENVOYER 1 000 000 237677123456", "CM"),
        ("SEND 500 000 256772123456", "UG"),
    ],
)
def test_an_amount_that_may_end_in_two_places_is_not_guessed(text: str, country: str) -> None:
    command = WORDS.read(text)
    assert command is not None
    with pytest.raises(CustomerMistake, match=r"sms\.in_send_how"):
        read_order(command.rest, country, CURRENCY_OF_COUNTRY[country])


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("500",),
        ("0712345678",),
        ("500", "600"),
        ("0712345678", "0722345678"),  # two numbers
        ("500", "0712345678", "600"),  # which amount?
        ("0", "0712345678"),
        ("-500", "0712345678"),
        ("UGX", "500", "0712345678"),  # not what a Kenyan pays in
        ("5OO", "0712345678"),
        ("1.000,00", "0712345678"),
        ("500", "0712345678", "MUM"),
        ("500", "1", "0712345678"),  # 5001?
        ("0712345678", "50", "00"),
        ("0500", "0712345678"),  # no amount begins so: a number that lacks digits, rather
        ("07123456", "0712345678"),
        ("2547123456", "0712345678"),
        ("١٥٠", "0712345678"),
    ],
)
def test_money_is_never_guessed(words: tuple[str, ...]) -> None:
    with pytest.raises(CustomerMistake) as caught:
        read_order(words, "KE", "KES")
    assert caught.value.text_key == "sms.in_send_how"


def test_who_writes_a_fraction_that_no_coin_has_is_told_that() -> None:
    for words in (("500.505", "0712345678"), ("0712345678", "500.505")):
        with pytest.raises(CustomerMistake, match=r"mistake\.amount_whole"):
            read_order(words, "KE", "KES")


def test_an_amount_is_of_what_the_senders_wallet_holds() -> None:
    for words in (("20", "0712345678"), ("USD20", "0712345678"), ("USD", "20", "0712345678")):
        assert read_order(words, "KE", "USD") == (KENYAN, Money(2_000, "USD"))
    with pytest.raises(CustomerMistake, match=r"sms\.in_send_how"):
        read_order(("KSH20", "0712345678"), "KE", "USD")


def test_where_both_readings_are_possible_none_is_taken() -> None:
    # A number without its zero has the shape of an amount.
    with pytest.raises(CustomerMistake, match=r"sms\.in_send_how"):
        read_order(("712345678", "722345678"), "KE", "KES")


@given(st.lists(st.text("0123456789+ ,.KESsh/", max_size=14), max_size=5).map(tuple))
def test_any_words_give_an_order_or_a_mistake(words: tuple[str, ...]) -> None:
    try:
        payee, amount = read_order(words, "KE", "KES")
    except CustomerMistake:
        return
    assert amount.minor > 0
    assert payee.startswith("+")


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("SEND 500 0712345678", False),
        ("٥٠٠", True),
        ("፭፻", True),
        ("SEND ५०० 1", True),
        ("½", True),
        ("envoyer 500 à 0712345678", False),
    ],
)
def test_other_digits_are_noticed(text: str, foreign: bool) -> None:
    assert has_foreign_digits(text) is foreign


@pytest.mark.parametrize(
    ("text", "is_pin"),
    [
        ("1234", True),
        (" 1 2 3 4 ", True),
        ("1234.", True),
        ("12-34", False),
        ("- 1234 -", True),
        ("1234-", True),
        ("PIN 1234", True),
        ("pin:1234", True),
        ("My PIN is 1234", True),
        ("PIN1234", True),
        ("pin １２３４", True),
        ("12\u200b34", True),
        ("siri yangu ni 1234", True),
        ("SEND 500 0712345678 pin 1234", True),
        ("12345", False),
        ("500", False),
        ("STATUS PIN1A2B3C4", False),
        ("SEND 1234 0712345678", False),
        ("my pin does not work", False),
    ],
)
def test_what_looks_like_a_pin(text: str, is_pin: bool) -> None:
    assert WORDS.looks_like_pin(text) is is_pin
