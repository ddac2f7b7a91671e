"""How a message is written so that its number of segments is known before it is sent. Pure.

A text is made to fit the segments its template takes at its widest. What is too long is taken from
names and words; a code, a number and an amount are never cut. The catalogue writes names in the
alphabet of their language, so none turns a GSM-7 text into UCS-2. Knows no gateway.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.errors import TextKey
from engine.msisdn import Msisdn
from engine.segments import characters, segments_of
from engine.texts import Texts

NEVER_CUT = frozenset({"code", "reference", "request", "payee_named"})
"""Variables that are typed back to us, letter by letter, and a name with its number behind it: the
name was cut already, the number never is."""

_WORD = re.compile(r"[^\W\d_]")


class Planned(NamedTuple):
    """A message as it will be sent, and the segments we expect to be charged for."""

    text: str
    segments: int


class Writer:
    """Writes sentences of the catalogue as messages."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._widest: dict[tuple[str, str], int] = {}

    def write(
        self, language: str, key: str, variables: Mapping[str, Any], *, country: str | None = None
    ) -> Planned:
        """The sentence in a language, on a country's clock, the home one's without a country.

        Raises KeyError for an unknown key or a missing variable.
        More segments than the template's widest only when an amount or a number alone needs them.
        """
        most = self._room_of(language, key)
        names = self._texts.template(language, key).names
        values = {name: variables[name] for name in names}
        voice = self._texts.voice(language, country)
        text = voice.render(key, **values)
        while (segments := segments_of(text)) > most and (name := self._longest(language, values)):
            written = [*characters(self._texts.write(language, name, values[name]))]
            values[name] = "".join(written[:-1]).rstrip()
            text = voice.render(key, **values)
        return Planned(text, segments)

    def _room_of(self, language: str, key: str) -> int:
        known = self._widest.get((language, key))
        if known is None:
            widest = self._texts.widest(language, key)
            known = self._widest[language, key] = segments_of(widest)
        return known

    def _longest(self, language: str, values: Mapping[str, Any]) -> str | None:
        """The variable to take a character from: names before sentences of ours."""
        lengths = {
            name: (not isinstance(value, TextKey), len(self._texts.write(language, name, value)))
            for name, value in values.items()
            if may_be_cut(name, value)
        }
        return max(
            (name for name, (_, length) in lengths.items() if length > 1),
            key=lambda name: lengths[name],
            default=None,
        )


def may_be_cut(name: str, value: Any) -> bool:
    """Whether a value is a name or a word, and not something that somebody counts on."""
    is_text = isinstance(value, str) and not isinstance(value, Msisdn)
    return is_text and name not in NEVER_CUT and _WORD.search(value) is not None


def as_it_is(text: str) -> Planned:
    """A text that is written already."""
    return Planned(text, segments_of(text))
