"""The proof that texts may be served: every fault of a folder, with file, line and key. Pure.

It knows texts and their widths; whether a screen fits its network is the menu's proof.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping

from engine.segments import segments_of
from engine.septets import (
    GSM7_EXTENSION,
    cut,
    is_gsm7,
    outside,
    septets,
    transliterate,
    ucs2_units,
)
from engine.texts.formats import NUMBERS
from engine.texts.plurals import RULES, members
from engine.texts.reading import (
    COUNTRIES_FILE,
    FALLBACK,
    OWN,
    WIDTHS_FILE,
    Countries,
    Encoding,
    Folder,
    Language,
    Widths,
    Written,
)
from engine.texts.templates import OTHER, PLACEHOLDER

SMS_SEGMENTS_MAX: Mapping[Encoding, int] = {"gsm7": 2, "ucs2": 3}
UTC_OFFSET_HOURS_MAX = 14
FILLER: Mapping[Encoding, str] = {"gsm7": "W", "ucs2": "ወ"}
"""What stands for a variable at its widest; in UCS-2 one sign makes the whole text UCS-2."""

# Unassigned, private, surrogates, invisible marks and controls: nothing a phone would show.
_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def problems_of(folder: Folder) -> Iterator[str]:
    """Each fault as `file:line: key: what`; nothing when the folder may be served."""
    yield from folder.faults
    yield from _width_problems(folder.widths)
    yield from _country_problems(folder.countries, folder.languages)
    if FALLBACK not in folder.languages:
        yield f"{FALLBACK}.yaml is missing: every other language falls back to it"
        return
    yield from _name_problems(folder.languages)
    for language in folder.languages.values():
        yield from _header_problems(language)
        yield from _key_problems(language, folder.reference)
        for key, written in language.texts.items():
            proof = _Proof(language, key, written, folder.widths)
            yield from proof.problems(folder.reference.get(key, written))


def counting_variable(written: Written, widths: Widths) -> str | None:
    """The first variable of a text that `widths.yaml` marks as a count."""
    text = written.text if isinstance(written.text, str) else written.text.get(OTHER, "")
    return next((name for name in PLACEHOLDER.findall(text) if name in widths.counts), None)


def nearest(text: str, encoding: Encoding) -> str:
    """The nearest text that the encoding can carry on one line; a repeat is harmless.

    In GSM-7 it is transliterated. In UCS-2 a name keeps its own script; what lies beyond the
    16 bits of USSD becomes `?`, what cannot be seen is left out.
    """
    if not text.isprintable():
        text = "".join(" " if c in "\n\r\t\f\v" else c for c in text)
    if encoding == "gsm7":
        return transliterate(text)
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(
        transliterate(c) or "?" if ord(c) > 0xFFFF else c
        for c in composed
        if unicodedata.category(c) not in _INVISIBLE
    )
    # Once more: an accent may stand beside its letter only now that a joiner between is gone.
    return unicodedata.normalize("NFC", kept)


def shortened(text: str, width: int, encoding: Encoding) -> str:
    """A text `nearest` has made, cut to septets in GSM-7 and to UTF-16 units in UCS-2."""
    return cut(text, width) if encoding == "gsm7" else text[:width]


def _width_problems(widths: Widths) -> Iterator[str]:
    for name, width in widths.widths.items():
        if width < 1:
            yield f"{WIDTHS_FILE}: {name}: a width is at least 1"
    for name in widths.counts:
        if name not in widths.widths:
            yield f"{WIDTHS_FILE}: counts: {name} has no width"


def _country_problems(countries: Countries, languages: Mapping[str, Language]) -> Iterator[str]:
    rows = {"elsewhere": countries.elsewhere, **countries.countries}
    if countries.countries and countries.home not in countries.countries:
        yield f"{COUNTRIES_FILE}: home: {countries.home} is not among the countries"
    for code, country in rows.items():
        where = f"{COUNTRIES_FILE}: {code}"
        if code != "elsewhere" and not (len(code) == 2 and code.isascii() and code.isupper()):
            yield f"{where}: not an ISO 3166 code of two capitals"
        if not country.languages:
            yield f"{where}: no language"
        for language in country.languages:
            if language not in languages:
                yield f"{where}: no {language}.yaml"
        if abs(country.utc_offset_hours) > UTC_OFFSET_HOURS_MAX:
            yield f"{where}: no clock is {country.utc_offset_hours} hours from UTC"


def _header_problems(language: Language) -> Iterator[str]:
    where, header = f"{language.file}: language", language.header
    if header is None:
        return
    name = header.menu_name or header.name
    if outside(name):
        yield f"{where}: menu_name: {name!r} is for any phone; write it in the GSM 7-bit alphabet"
    if header.plurals is not None and header.plurals not in RULES:
        yield f"{where}: plurals: no rules of {header.plurals}; there are {', '.join(RULES)}"
    if header.numbers is not None and header.numbers not in NUMBERS:
        yield f"{where}: numbers: no signs of {header.numbers}; there are {', '.join(NUMBERS)}"


def _name_problems(languages: Mapping[str, Language]) -> Iterator[str]:
    """Of two languages of one name nobody knows which to choose; a copy that was not renamed."""
    first: dict[str, str] = {}
    for language in languages.values():
        if language.header is None:
            continue
        name = language.header.menu_name or language.header.name
        if (other := first.setdefault(name, language.file)) != language.file:
            yield f"{language.file}: language: {name!r} is what {other} is called"


def _key_problems(language: Language, reference: Mapping[str, Written]) -> Iterator[str]:
    for key, written in reference.items():
        if key in language.texts:
            continue
        if written.is_own:
            yield f"{OWN}{language.file}: {key}: missing, the house has none ({written.place})"
        else:
            yield f"{language.file}: {key}: missing ({written.place})"
    for key, written in language.texts.items():
        if key not in reference:
            yield f"{written.place}: {key}: not in {FALLBACK}.yaml"


class _Proof:
    """One text of one language."""

    def __init__(self, language: Language, key: str, written: Written, widths: Widths) -> None:
        self._language = language
        self._key = key
        self._written = written
        self._widths = widths
        self._where = f"{written.place}: {key}"

    def problems(self, reference: Written) -> Iterator[str]:
        count = counting_variable(reference, self._widths)
        for fault in self._faults(reference, count):
            yield f"{self._where}: {fault}"

    def _faults(self, reference: Written, count: str | None) -> Iterable[str]:
        if not isinstance(self._written.text, str):
            yield from self._form_faults(self._written.text, count)
        wanted = _names(reference)
        free = self._may_omit(count)
        for category, text in self._written.forms.items():
            names = set(PLACEHOLDER.findall(text))
            if names != wanted and not (category in free and names == wanted - {count}):
                yield f"other variables than in {FALLBACK}.yaml"
            yield from (f"{{{n}}} has no width" for n in sorted(names - set(self._widths.widths)))
            yield from self._sign_faults(PLACEHOLDER.sub("", text))
            yield from self._size_faults(text)

    def _form_faults(self, forms: Mapping[str, str], count: str | None) -> Iterator[str]:
        if count is None:
            yield f"a plural needs a variable that {WIDTHS_FILE} lists under `counts`"
        elif (wanted := list(self._members(count))) != sorted(forms, key=_place(wanted)):
            yield f"a plural here has the forms {', '.join(wanted)}; this has {', '.join(forms)}"

    def _may_omit(self, count: str | None) -> set[str]:
        """The forms for one number only: "One try left" need not say it in digits."""
        if count is None:
            return set()
        return {name for name, numbers in self._members(count).items() if len(numbers) == 1}

    def _members(self, count: str) -> Mapping[str, tuple[int, ...]]:
        rules = self._language.plurals if self._language.plurals in RULES else FALLBACK
        found = members(rules, digits_max=self._widths.widths.get(count, 1))
        return {name: found[name] for name in sorted(found, key=lambda name: name == OTHER)}

    def _sign_faults(self, literal: str) -> Iterator[str]:
        costly = self._costly
        if self._language.encoding == "gsm7" and (character := outside(literal)):
            better = transliterate(character)
            yield f"{character!r} is not in the GSM 7-bit alphabet; write {better!r}"
        elif double := [c for c in literal if c in costly]:
            # Some handsets drop the escape, and a brace is more likely a mistyped placeholder.
            yield f"{double[0]!r} costs two septets and some phones drop it"
        elif self._language.encoding == "ucs2":
            lines = dict.fromkeys(literal.replace("\n", ""))
            if unseen := [c for c in lines if nearest(c, "ucs2") != c]:
                yield f"{unseen[0]!a} cannot be shown; write {nearest(unseen[0], 'ucs2')!r}"

    @property
    def _costly(self) -> str:
        return GSM7_EXTENSION if self._language.encoding == "gsm7" else "{}"

    def _size_faults(self, text: str) -> Iterator[str]:
        widest = self._widest(text)
        if self._language.encoding == "gsm7" and not is_gsm7(widest):
            return  # Its fault is told already, and it has no count in septets.
        size = septets(widest) if self._language.encoding == "gsm7" else ucs2_units(widest)
        section, _, rest = self._key.partition(".")
        if rest and size > self._widths.widths.get(section, size):
            yield f"{size} wide, and {{{section}}} allows {self._widths.widths[section]}"
        most = SMS_SEGMENTS_MAX[self._language.encoding]
        if section == "sms" and segments_of(widest) > most:
            unit = "septets" if self._language.encoding == "gsm7" else "UTF-16 units"
            yield f"{size} {unit} at most, more than {most} messages"

    def _widest(self, text: str) -> str:
        filler = FILLER[self._language.encoding]
        return PLACEHOLDER.sub(lambda name: filler * self._widths.widths.get(name[1], 0), text)


def _names(written: Written) -> set[str]:
    text = written.text if isinstance(written.text, str) else written.text.get(OTHER, "")
    return set(PLACEHOLDER.findall(text))


def _place(wanted: list[str]) -> Callable[[str], int]:
    return lambda name: wanted.index(name) if name in wanted else len(wanted)
