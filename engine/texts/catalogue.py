"""All languages of one folder, ready to be spoken: a text is found, filled and cut in one step.

Values are written by their type (money, numbers, times, another text's key) as the language has
it, and brought into its encoding. Nothing in a text or a value is ever executed.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.errors import TextKey
from engine.money import Money
from engine.msisdn import Msisdn
from engine.texts.formats import (
    NUMBERS,
    PLAINEST,
    write_day,
    write_decimal,
    write_money,
    write_time,
    write_whole,
)
from engine.texts.plurals import RULES, category_of
from engine.texts.problems import FILLER, counting_variable, nearest, problems_of, shortened
from engine.texts.reading import (
    FALLBACK,
    BrokenTexts,
    Country,
    Encoding,
    Folder,
    Language,
    Widths,
    Written,
    adopt,
    read_folder,
)
from engine.texts.templates import Plural, Sentence, Template

_PLAIN = re.compile(r"[ -Z_a-z]*", re.ASCII)
"""ASCII that costs one septet each and stays on its line."""


class Voice:
    """One language on the clock of one country. Rendering parses nothing."""

    def __init__(
        self,
        language: Language,
        sentences: Mapping[str, Sentence],
        widths: Mapping[str, int],
        zone: tzinfo,
    ) -> None:
        self._encoding = language.encoding
        self._numbers = NUMBERS.get(language.numbers, PLAINEST)
        self._sentences = sentences
        self._widths = widths
        self._zone = zone
        self._said: dict[tuple[str, str], str] = {}  # (text key, variable): as many as are in YAML

    def render(self, key: str, /, **variables: Any) -> str:
        """Raises KeyError for an unknown key or a missing variable: both are found at start-up."""
        sentence = self._sentences[key]
        if not sentence.names:
            return sentence.source
        write = self.write
        return sentence.fill_in_order([write(name, variables[name]) for name in sentence.names])

    def write(self, name: str, value: Any) -> str:
        """One value as people read it. Text is cut to its width; money and numbers never are."""
        kind = type(value)
        if kind is str:
            return self._text(name, value)
        if kind is Money:
            return write_money(value, self._numbers)
        if kind is Msisdn:
            return str.__str__(value)
        if kind is TextKey:
            return self._said_text(name, value)
        if kind is int:
            return write_whole(value, self._numbers)
        if kind is datetime:
            return write_time(value.astimezone(self._zone))
        if kind is date:
            return write_day(value)
        if kind is Decimal:
            return write_decimal(value, self._numbers)
        return self._text(name, str(value))

    def _text(self, name: str, text: str) -> str:
        width = self._widths[name]
        # Nearly all that is written is of these alone, and as it should be: three times faster.
        if len(text) <= width and _PLAIN.fullmatch(text):
            return text
        return shortened(nearest(text, self._encoding), width, self._encoding)

    def _said_text(self, name: str, key: TextKey) -> str:
        said = self._said.get((key, name))
        if said is None:
            if key not in self._sentences:
                # An operator that got a name in code but not yet in the texts shows its own word.
                return self._text(name, key.rpartition(".")[2])
            said = self._said[key, name] = self._text(name, self.render(key))
        return said


class Texts:
    """All languages of one folder. Immutable after loading; `render` may be called by anybody."""

    def __init__(self, folder: Folder) -> None:
        """`folder` is proved already: see `load`."""
        self.languages = tuple(sorted(folder.languages))
        self.widths: Mapping[str, int] = MappingProxyType(dict(folder.widths.widths))
        self.names: Mapping[str, str] = MappingProxyType(
            {code: _menu_name(folder.languages[code]) for code in self.languages}
        )
        """Language -> its own name, in GSM-7 so that a list of them costs septets alone."""
        self._encodings = {code: one.encoding for code, one in folder.languages.items()}
        self._countries = folder.countries
        self._sentences = {
            code: _sentences(language, folder.reference, folder.widths)
            for code, language in folder.languages.items()
        }
        self._voices = {
            (code, country): Voice(language, self._sentences[code], self.widths, _clock(row))
            for code, language in folder.languages.items()
            for country, row in {
                **folder.countries.countries,
                "": folder.countries.elsewhere,
            }.items()
        }
        self._at_home = {code: self.voice(code) for code in self.languages}
        self._own = {
            (code, key): written.place
            for code, language in folder.languages.items()
            for key, written in language.texts.items()
            if written.is_own
        }
        self.added: Mapping[str, str] = MappingProxyType(
            {key: written.place for key, written in folder.reference.items() if written.is_own}
        )
        """Keys that only the tenant has, and where each stands."""

    @classmethod
    def load(cls, path: Path, own: Path | None = None) -> "Texts":
        """Read `<language>.yaml`, `widths.yaml` and `countries.yaml` of a folder, and prove them.

        `own` may hold files of some of the languages, whose texts take the place of the house's;
        they are proved as if they had stood there. Raises BrokenTexts with every fault.
        """
        return cls(_proved(read_folder(path, own)))

    @classmethod
    def adopt(cls, path: Path, own: Path, home: Path, own_at_home: Path) -> "Texts":
        """The same for a folder of another release, in the words of ours at `home`."""
        return cls(_proved(adopt(read_folder(path, own), read_folder(home, own_at_home))))

    def voice(self, language: str, country: str | None = None) -> Voice:
        """A language on a country's clock: English when it is unknown, the home clock for None."""
        wanted = self._countries.home if country is None else country
        known = wanted if wanted in self._countries.countries else ""
        return self._voices.get((language, known)) or self._voices[FALLBACK, known]

    def render(self, language: str, key: str, /, **variables: Any) -> str:
        """The text in a language, English when the language is unknown, on the home clock.

        Raises KeyError for an unknown key or a missing variable: both are found at start-up.
        """
        voice = self._at_home.get(language) or self._at_home[FALLBACK]
        return voice.render(key, **variables)

    def write(self, language: str, name: str, value: Any) -> str:
        """One value as people read it in a language; see `Voice.write`."""
        voice = self._at_home.get(language) or self._at_home[FALLBACK]
        return voice.write(name, value)

    def template(self, language: str, key: str) -> Sentence:
        """The text taken apart, to be laid out with others by `join`. Raises KeyError."""
        return self._sentences.get(language, self._sentences[FALLBACK])[key]

    def own_place(self, language: str, key: str) -> str:
        """`file:line` of a text that a tenant wrote in this language; empty for the house's."""
        return self._own.get((language, key), "")

    def has(self, key: str) -> bool:
        return key in self._sentences[FALLBACK]

    def __iter__(self) -> Iterator[str]:
        """Every key; all languages have the same."""
        return iter(self._sentences[FALLBACK])

    def encoding(self, language: str) -> Encoding:
        """What a text of this language is sent as; English's for an unknown one."""
        return self._encodings.get(language, self._encodings[FALLBACK])

    def widest(self, language: str, key: str) -> str:
        """The text, in its longest form, with every variable at its declared maximum."""
        return self.widest_of(language, self.template(language, key))

    def widest_of(self, language: str, sentence: Sentence) -> str:
        """The same for texts that `join` has laid out."""
        filler = FILLER[self.encoding(language)]
        widest = {name: filler * self.widths[name] for name in sentence.names}
        return max((form.fill(widest) for form in sentence.forms), key=len)

    def offered(self, country: str) -> tuple[str, ...]:
        """The languages a country's callers choose from; what is usual elsewhere if unknown."""
        return tuple(self._country(country).languages)

    def default_of(self, country: str) -> str:
        """What a caller of this country reads before choosing."""
        return self._country(country).languages[0]

    def _country(self, code: str) -> Country:
        return self._countries.countries.get(code, self._countries.elsewhere)


def _proved(folder: Folder) -> Folder:
    if problems := list(problems_of(folder)):
        raise BrokenTexts("\n".join(problems))
    return folder


def _clock(country: Country) -> tzinfo:
    return timezone(timedelta(hours=country.utc_offset_hours))


def _menu_name(language: Language) -> str:
    assert language.header is not None, "a folder without it is refused"
    return language.header.menu_name or language.header.name


def _sentences(
    language: Language, reference: Mapping[str, Written], widths: Widths
) -> Mapping[str, Sentence]:
    rules = language.plurals if language.plurals in RULES else FALLBACK
    found: dict[str, Sentence] = {}
    for key, written in language.texts.items():
        if isinstance(written.text, str):
            found[key] = Template(written.text)
        else:
            count = counting_variable(reference[key], widths)
            assert count is not None, "a plural that counts nothing is refused"
            found[key] = Plural(written.text, count, partial(category_of, rules))
    return found
