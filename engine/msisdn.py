"""Phone numbers in E.164 and which operator's range they lie in.

A prefix is a hint, never proof: numbers are ported. Facts: numbering plans as of November 2026 and
the package `phonenumbers` for validity; the range table is `prefixes.yaml`.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from engine.errors import CustomerMistake

LENGTH_MAX = 24
"""No number anybody types is longer, spaces and prefixes included."""

_DIALLING_CODES = {
    "BF": "226", "BJ": "229", "CD": "243", "CG": "242", "CI": "225", "CM": "237", "GA": "241",
    "GH": "233", "GN": "224", "KE": "254", "LR": "231", "MG": "261", "ML": "223", "MW": "265",
    "NE": "227", "NG": "234", "RW": "250", "SC": "248", "SN": "221", "SS": "211", "SZ": "268",
    "TD": "235", "TZ": "255", "UG": "256", "ZA": "27", "ZM": "260",
}  # fmt: skip
"""The countries our operators have wallets in (`reference: msisdn, section 2`)."""
CALLING_CODES = frozenset(_DIALLING_CODES.values())
_COUNTRY_OF_CODE = {code: country for country, code in _DIALLING_CODES.items()}
_COPIED = (
    "\u00a0\u202f\u2010\u2011\u2013"
    "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
"""Blanks, hyphens and marks of direction in numbers that were copied from contacts or a page."""
_PUNCTUATION = str.maketrans("", "", " -.()" + _COPIED)
_CARRIERS = {"NG": "9", "TZ": "56", "UG": "57"}
"""The digits that may stand behind `00` to dial abroad (`reference: msisdn, section 5`)."""
_OLD_DIGITS_BJ = 8
_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


class Msisdn(str):
    """A mobile number in E.164, with plus. Made by `parse_msisdn` or from a trusted store."""

    __slots__ = ()

    @property
    def digits(self) -> str:
        """Country code and national number without the plus."""
        return self[1:]

    @property
    def masked(self) -> str:
        """Fit for logs: `+2547*****001`."""
        return f"{self[:5]}*****{self[-3:]}" if len(self) > 8 else "+*****"


def parse_msisdn(text: str, home_country: str) -> Msisdn:
    """What a person typed, or a gateway sent, as a mobile number.

    Accepts `+256…`, `00256…`, `000256…` (Kenya), `256…` and the national form of `home_country`
    (ISO alpha-2), which counts first: whoever leaves out the zero means a number at home, whatever
    country's code it begins with. Benin's numbers of eight digits get the `01` they have had in
    front since November 2024. Raises CustomerMistake `mistake.number` when it is no number and
    `mistake.not_mobile` when it is a landline or a service number.
    """
    cleaned = _as_dialled_today(text.translate(_PUNCTUATION), home_country)
    plain = _plainly_mobile(cleaned, home_country)
    return plain if plain is not None else parse_by_numbering_plan(text, home_country)


def parse_by_numbering_plan(text: str, home_country: str) -> Msisdn:
    """The long way, through the numbering plans of all countries; `parse_msisdn` says the same."""
    cleaned = text.translate(_PUNCTUATION)
    body = cleaned.removeprefix("+")
    if not body.isascii() or not body.isdigit() or not 6 <= len(cleaned) <= LENGTH_MAX:
        raise CustomerMistake("mistake.number")
    for number in _readings(_as_dialled_today(cleaned, home_country), home_country):
        kind = phonenumbers.number_type(number)
        if kind == PhoneNumberType.UNKNOWN:  # no valid number of its country
            continue
        if kind not in _MOBILE:
            raise CustomerMistake("mistake.not_mobile")
        return Msisdn(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    raise CustomerMistake("mistake.number")


def _plainly_mobile(cleaned: str, home_country: str) -> Msisdn | None:
    """Nearly every number that is typed or sent, at a thirtieth of the cost; None for the rest.

    Only what `phonenumbers` would call a mobile number of a country we know: a whole national
    number of the caller's country, or one behind a zero, or one behind a country's code.
    """
    country, national = home_country, cleaned[1:]
    at_home = _mobile_pattern(home_country) if home_country in _DIALLING_CODES else None
    if at_home is not None and at_home.fullmatch(cleaned) is not None:
        return Msisdn(f"+{_DIALLING_CODES[home_country]}{cleaned}")
    if cleaned.startswith("0") and not cleaned.startswith("00"):
        if not _drops_a_zero(country):
            return None
    else:
        digits = cleaned.removeprefix("+")
        country, national = _COUNTRY_OF_CODE.get(digits[:3], ""), digits[3:]
    pattern = _mobile_pattern(country) if country in _DIALLING_CODES else None
    if pattern is None or pattern.fullmatch(national) is None:
        return None
    return Msisdn(f"+{_DIALLING_CODES[country]}{national}")


@cache
def _drops_a_zero(country: str) -> bool:
    """Whether the zero that people dial first is no part of the number: in Benin it is."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    return metadata is not None and metadata.national_prefix == "0"


@cache
def _mobile_pattern(country: str) -> re.Pattern[str] | None:
    """National numbers that are mobile and nothing that would be asked for before mobile."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    if metadata is None or metadata.mobile is None or metadata.general_desc is None:
        return None
    other = (
        metadata.premium_rate, metadata.toll_free, metadata.shared_cost, metadata.voip,
        metadata.personal_number, metadata.pager, metadata.uan, metadata.voicemail,
        metadata.fixed_line,
    )  # fmt: skip
    patterns = [kind.national_number_pattern for kind in other if kind is not None]
    excluded = "|".join(pattern for pattern in patterns if pattern and pattern != "NA")
    must = f"(?=(?:{metadata.general_desc.national_number_pattern})\\Z)"
    never = f"(?!(?:{excluded})\\Z)" if excluded else ""
    return re.compile(f"{must}{never}(?:{metadata.mobile.national_number_pattern})", re.ASCII)


def _as_dialled_today(cleaned: str, home_country: str) -> str:
    """A plus for whatever people dial to get abroad, and `01` in front of Benin's old numbers."""
    if cleaned.startswith("00") and cleaned[2:3] in _CARRIERS.get(home_country, ()):
        behind = f"+{cleaned[3:]}"
        if _plainly_mobile(behind, home_country) is not None:  # else it is a country's code
            return behind
    if cleaned.startswith(("+", "00")):
        cleaned = "+" + cleaned.removeprefix("+").lstrip("0")
    if home_country == "BJ" and len(cleaned) == _OLD_DIGITS_BJ and cleaned[0] != "+":
        return f"01{cleaned}"
    digits = cleaned.removeprefix("+")
    if len(digits) == len("229") + _OLD_DIGITS_BJ and digits.startswith("229"):
        return f"+22901{digits[3:]}"
    return cleaned


def _readings(cleaned: str, home_country: str) -> Iterator[phonenumbers.PhoneNumber]:
    """What the digits may mean: a whole mobile number at home, international, national."""
    abroad = _parsed("+" + cleaned.removeprefix("+"), None)
    at_home = None if cleaned.startswith("+") else _parsed(cleaned, home_country)
    is_whole = at_home and phonenumbers.national_significant_number(at_home) == cleaned
    if at_home and is_whole and phonenumbers.number_type(at_home) in _MOBILE:
        yield at_home
    yield from (number for number in (abroad, at_home) if number is not None)


def _parsed(digits: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(digits, region)
    except NumberParseException:
        return None


def country_of(msisdn: Msisdn) -> str | None:
    """ISO alpha-2 of the countries we know, else None."""
    digits = msisdn.digits
    return _COUNTRY_OF_CODE.get(digits[:3]) or _COUNTRY_OF_CODE.get(digits[:2])


class Prefixes:
    """The range table: longest matching prefix wins (`reference: msisdn, sections 1 and 3`)."""

    def __init__(self, ranges: Mapping[str, Mapping[str, list[str]]]) -> None:
        """`ranges` is country -> operator name -> national prefixes without trunk zero.

        `countries` then says of every operator in it where it is.
        """
        self._operators: dict[str, str] = {}
        for country, operators in ranges.items():
            code = _DIALLING_CODES[country]
            for operator, prefixes in operators.items():
                for prefix in prefixes:
                    if self._operators.setdefault(code + prefix, operator) != operator:
                        raise ValueError(f"{country} {prefix} has two operators")
        self._longest = max(map(len, self._operators), default=0)
        self.countries = {name: country for country, named in ranges.items() for name in named}

    def operator_of(self, msisdn: Msisdn) -> str | None:
        """The operator whose range the number lies in, or None when no range is known."""
        digits = msisdn.digits
        for length in range(min(self._longest, len(digits)), 0, -1):
            if found := self._operators.get(digits[:length]):
                return found
        return None
