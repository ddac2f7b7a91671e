"""The sentence catalogue: every text a customer reads, by language and key.

Placeholders are plain `{name}`; nothing in a text is ever executed. Values are written by their
type (money, number, time, another text's key) and brought into the GSM 7-bit alphabet.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import yaml

from engine.errors import TextKey
from engine.money import Money
from engine.msisdn import Msisdn
from engine.septets import GSM7_EXTENSION, cut, outside, septets, sms_segments, transliterate

FALLBACK = "en"
EAST_AFRICA_TIME = timezone(timedelta(hours=3), "EAT")
"""Kenya and Uganda alike; neither has a summer time."""
TIME_FORMAT = "%d/%m/%y %H:%M"
SMS_SEGMENTS_MAX = 2

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_WIDTHS_FILE = "widths.yaml"


class BrokenTexts(ValueError):
    """The texts cannot be served; the message lists every fault with its file and key."""


class Template:
    """One text, taken apart once: literals and names in turn."""

    __slots__ = ("names", "parts", "source")

    def __init__(self, source: str) -> None:
        # re.split with one group gives literal, name, literal, name, ..., literal.
        self.source = source
        self.parts = tuple(_PLACEHOLDER.split(source))
        self.names = self.parts[1::2]

    def fill(self, values: Mapping[str, str]) -> str:
        """Raises KeyError when a placeholder has no value."""
        if not self.names:
            return self.source
        pieces = list(self.parts)
        pieces[1::2] = [values[name] for name in self.names]
        return "".join(pieces)


class Texts:
    """All languages of one folder. Immutable after loading; `render` may be called by anybody."""

    def __init__(
        self,
        languages: Mapping[str, Mapping[str, str]],
        widths: Mapping[str, int],
        zone: tzinfo = EAST_AFRICA_TIME,
    ) -> None:
        """`languages` is language -> key -> text; `widths` is variable -> septets at most."""
        self.languages = tuple(sorted(languages))
        self.widths = dict(widths)
        self._zone = zone
        self._templates = {
            language: {key: Template(text) for key, text in texts.items()}
            for language, texts in languages.items()
        }
        self._fallback = self._templates[FALLBACK]

    @classmethod
    def load(cls, folder: Path, zone: tzinfo = EAST_AFRICA_TIME) -> "Texts":
        """Read `<language>.yaml` and `widths.yaml` of a folder. Raises BrokenTexts."""
        widths = _read(folder / _WIDTHS_FILE)["widths"]
        files = sorted(p for p in folder.glob("*.yaml") if p.name != _WIDTHS_FILE)
        languages = {path.stem: _flat(_read(path), path) for path in files}
        problems = list(_problems(languages, widths))
        if problems:
            raise BrokenTexts("\n".join(problems))
        return cls(languages, widths, zone)

    def render(self, language: str, key: str, **variables: Any) -> str:
        """The text in a language, English when the language is unknown.

        Raises KeyError for an unknown key or a missing variable: both are found at start-up.
        """
        template = self.template(language, key)
        if not template.names:
            return template.source
        return template.fill({name: self.write(language, name, variables[name])
                              for name in template.names})  # fmt: skip

    def template(self, language: str, key: str) -> Template:
        found = self._templates.get(language, self._fallback).get(key)
        return found if found is not None else self._fallback[key]

    def has(self, key: str) -> bool:
        return key in self._fallback

    def __iter__(self) -> Iterator[str]:
        """Every key; all languages have the same."""
        return iter(self._fallback)

    def write(self, language: str, name: str, value: Any) -> str:
        """One value as people read it. Text is cut to its width; money and numbers never are."""
        if isinstance(value, Money):
            return str(value)
        if isinstance(value, Msisdn):
            return str.__str__(value)
        if isinstance(value, datetime):
            return value.astimezone(self._zone).strftime(TIME_FORMAT)
        if isinstance(value, TextKey):
            # An operator that got a name in code but not yet in the texts shows its own word.
            text = self.render(language, value) if self.has(value) else value.rpartition(".")[2]
        else:
            text = str(value)
        return cut(transliterate(text), self.widths[name])

    def widest(self, language: str, key: str) -> str:
        """The text with every variable at its declared maximum."""
        template = self.template(language, key)
        return template.fill({name: "W" * self.widths[name] for name in template.names})


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenTexts(f"{path.name}: {error}") from error
    if not isinstance(content, dict):
        raise BrokenTexts(f"{path.name}: not a mapping of texts")
    return content


def _flat(tree: Mapping[str, Any], path: Path, prefix: str = "") -> dict[str, str]:
    """`{a: {b: text}}` as `{"a.b": text}`."""
    flat: dict[str, str] = {}
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            flat |= _flat(value, path, f"{key}.")
        elif isinstance(value, str):
            flat[key] = value.strip("\n")
        else:
            raise BrokenTexts(f"{path.name}: {key}: not a text (quote it): {value!r}")
    return flat


def _problems(
    languages: Mapping[str, Mapping[str, str]], widths: Mapping[str, int]
) -> Iterable[str]:
    if FALLBACK not in languages:
        yield f"{FALLBACK}.yaml is missing: every other language falls back to it"
        return
    reference = languages[FALLBACK]
    for language, texts in languages.items():
        file = f"{language}.yaml"
        yield from (f"{file}: {key}: missing" for key in reference if key not in texts)
        yield from (
            f"{file}: {key}: not in {FALLBACK}.yaml" for key in texts if key not in reference
        )
        for key, text in texts.items():
            yield from _text_problems(f"{file}: {key}", text, reference.get(key, text), widths)
            if key.startswith("sms."):
                yield from _sms_problems(f"{file}: {key}", text, widths)


def _text_problems(
    where: str, text: str, reference: str, widths: Mapping[str, int]
) -> Iterable[str]:
    names = set(_PLACEHOLDER.findall(text))
    if names != set(_PLACEHOLDER.findall(reference)):
        yield f"{where}: other variables than in {FALLBACK}.yaml"
    yield from (f"{where}: {{{n}}} has no width" for n in sorted(names) if n not in widths)
    literal = _PLACEHOLDER.sub("", text)
    if character := outside(literal):
        better = transliterate(character)
        yield f"{where}: {character!r} is not in the GSM 7-bit alphabet; write {better!r}"
    elif double := [c for c in literal if c in GSM7_EXTENSION]:
        # Some handsets drop the escape, and a brace is more likely a mistyped placeholder.
        yield f"{where}: {double[0]!r} costs two septets and some phones drop it"


def _sms_problems(where: str, text: str, widths: Mapping[str, int]) -> Iterable[str]:
    widest = _PLACEHOLDER.sub(lambda found: "W" * widths.get(found[1], 0), text)
    if outside(widest) is None and sms_segments(widest) > SMS_SEGMENTS_MAX:
        yield f"{where}: {septets(widest)} septets at most, more than {SMS_SEGMENTS_MAX} messages"
