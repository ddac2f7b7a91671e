"""Whatever a name, an amount or a moment is, in any language it reads back and stays in bounds."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.money import CURRENCIES, MINOR_MAX, Money, to_decimal
from engine.septets import is_gsm7, septets, ucs2_units
from engine.texts import Texts
from engine.texts.formats import NUMBERS, write_decimal, write_money, write_time, write_whole

TEXTS = Texts.load(Path(__file__).parents[2] / "menus" / "texts")
NAMES = st.text(st.characters(codec="utf-8"), max_size=40) | st.text(
    st.sampled_from("አበበ ቢቂላ Élysée’ŋ{}[]€^\n\r\t\u200d\u0301😀"), max_size=40
)
MONEY = st.builds(Money, st.integers(-MINOR_MAX, MINOR_MAX), st.sampled_from(sorted(CURRENCIES)))
MOMENTS = st.datetimes(
    datetime.fromisoformat("2000-01-01"),
    datetime.fromisoformat("2099-12-31"),
    timezones=st.just(UTC),
)


@settings(deadline=None)
@given(name=NAMES, language=st.sampled_from(TEXTS.languages))
@example(name="E\u200d\u0301", language="am")
@example(name="\U0001d400\u0301", language="am")
@example(name="\ufa6c", language="am")
def test_any_name_in_any_language_is_within_its_width_and_alphabet(
    name: str, language: str
) -> None:
    written = TEXTS.write(language, "name", name)
    if TEXTS.encoding(language) == "gsm7":
        assert is_gsm7(written)
        assert septets(written) <= TEXTS.widths["name"]
    else:
        assert ucs2_units(written) == len(written) <= TEXTS.widths["name"]
    assert not set(written) & set("\n\r\t\f")
    assert TEXTS.write(language, "name", written) == written


@settings(deadline=None)
@given(values=st.fixed_dictionaries({}, optional=dict.fromkeys(TEXTS.widths, NAMES)),
       language=st.sampled_from(TEXTS.languages), key=st.sampled_from(list(TEXTS)))  # fmt: skip
def test_no_values_make_a_text_wider_than_its_proof(
    values: Mapping[str, str], language: str, key: str
) -> None:
    sentence = TEXTS.template(language, key)
    said = TEXTS.render(language, key, **{**dict.fromkeys(sentence.names, "7"), **values})
    widest = TEXTS.widest(language, key)
    if TEXTS.encoding(language) == "gsm7":
        assert septets(said) <= septets(widest)
    else:
        assert ucs2_units(said) <= ucs2_units(widest)
    assert said.count("\n") <= widest.count("\n")


def read(written: str, language: str) -> Decimal:
    signs = NUMBERS[language]
    return Decimal(written.replace(signs.thousands, "").replace(signs.decimal, "."))


@given(money=MONEY, language=st.sampled_from(sorted(NUMBERS)))
def test_money_reads_back_exactly(money: Money, language: str) -> None:
    currency, _, number = write_money(money, NUMBERS[language]).partition(" ")
    assert (currency, read(number, language)) == (money.currency, to_decimal(money))
    assert is_gsm7(number)


@given(money=MONEY)
def test_english_money_is_what_money_says_of_itself(money: Money) -> None:
    assert write_money(money, NUMBERS["en"]) == str(money)


@given(
    number=st.integers(-(10**18), 10**18),
    decimal=st.decimals(allow_nan=False, allow_infinity=False, places=4),
    language=st.sampled_from(sorted(NUMBERS)),
)
def test_numbers_read_back_exactly(number: int, decimal: Decimal, language: str) -> None:
    assert read(write_whole(number, NUMBERS[language]), language) == number
    assert read(write_decimal(decimal, NUMBERS[language]), language) == decimal


@given(moment=MOMENTS)
def test_a_moment_reads_back_to_the_minute(moment: datetime) -> None:
    written = write_time(moment)
    assert written == moment.strftime("%d/%m/%y %H:%M")
    back = datetime.strptime(written, "%d/%m/%y %H:%M").replace(tzinfo=UTC)
    # Two digits of a year: strptime puts 69 to 99 into the last century.
    assert back.replace(year=moment.year) == moment.replace(second=0, microsecond=0)
