"""Texts as files: YAML into languages, widths and countries, each word with the line it stands on.

It says what cannot be read; whether what was read may be served, `problems.py` says.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
import yaml

from engine.plain_yaml import LOADER
from engine.texts.plurals import CATEGORIES

FALLBACK = "en"
WIDTHS_FILE, COUNTRIES_FILE = "widths.yaml", "countries.yaml"
OWN = "own/texts/"
"""Before the names of files that a tenant laid over the house's."""
THE_HOUSES = frozenset({"language", "keywords"})
"""Not a tenant's: what a file says of its language, and the words people send us. Those are no
wording: they stop messages, and tell that somebody sends a PIN."""
OWN_BYTES_MAX = 256 * 1024
"""Ten times what the house says in one language."""
DEPTH_MAX = 8
Encoding: TypeAlias = Literal["gsm7", "ucs2"]

_STRING = "tag:yaml.org,2002:str"


class BrokenTexts(ValueError):
    """The texts cannot be served; the message lists every fault with its file, line and key."""


class Written(NamedTuple):
    """A text as it stands in a file: one sentence, or its forms by plural category."""

    text: str | Mapping[str, str]
    line: int
    file: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def is_own(self) -> bool:
        """Whether a tenant wrote it, and not the house."""
        return self.file.startswith(OWN)

    @property
    def forms(self) -> Mapping[str, str]:
        return {"": self.text} if isinstance(self.text, str) else self.text


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says of its language, under `language:`.

    `menu_name` is the name for lists on any phone, where `name` is not in the GSM 7-bit alphabet;
    `plurals` and `numbers` name the language whose rules and signs it shares.
    """

    name: str
    encoding: Encoding = "gsm7"
    menu_name: str | None = None
    plurals: str | None = None
    numbers: str | None = None


class Language(NamedTuple):
    """One texts file. `header` is None where the file does not say enough."""

    code: str
    header: Header | None
    texts: Mapping[str, Written]

    @property
    def file(self) -> str:
        return f"{self.code}.yaml"

    @property
    def encoding(self) -> Encoding:
        return self.header.encoding if self.header else "gsm7"

    @property
    def plurals(self) -> str:
        """The language it counts like."""
        return (self.header and self.header.plurals) or self.code

    @property
    def numbers(self) -> str:
        """The language whose signs it writes numbers with."""
        return (self.header and self.header.numbers) or self.code


class Widths(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Variable -> most septets (UTF-16 units in UCS-2), and the variables that count things."""

    widths: dict[str, int]
    counts: list[str] = []


class Country(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a country's callers are offered, the first before they choose, and their clock."""

    languages: list[str]
    utc_offset_hours: int


class Countries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By ISO 3166 alpha-2. `home` is the country whose clock counts where none is told."""

    home: str
    elsewhere: Country
    countries: dict[str, Country]


class Folder(NamedTuple):
    """Everything a folder of texts says, and what in it could not be read."""

    languages: Mapping[str, Language]
    widths: Widths
    countries: Countries
    faults: list[str]
    reference: Mapping[str, Written]
    """What every language must have, as `FALLBACK` has it: the house's word where it has one, for
    the code fills in what the house's texts name."""


def read_folder(folder: Path, own: Path | None = None) -> Folder:
    """Read every texts file, the widths and the countries. Raises BrokenTexts for no YAML.

    `own` may hold a tenant's texts, in some of the same languages: what stands there takes the
    place of the same key, and what the house has not is added.
    """
    faults: list[str] = []
    say = faults.append
    house = {
        path.stem: _language(path, say)
        for path in sorted(folder.glob("*.yaml"))
        if path.name not in (WIDTHS_FILE, COUNTRIES_FILE)
    }
    widths = _converted(folder / WIDTHS_FILE, Widths, say) or Widths({})
    countries = _converted(folder / COUNTRIES_FILE, Countries, say) or _nowhere()
    laid = {path.stem: _own_texts(path, house, say) for path in _own_files(own)}
    languages = {
        code: language._replace(texts={**language.texts, **laid.get(code, {})})
        for code, language in house.items()
    }
    known = house[FALLBACK].texts if FALLBACK in house else {}
    reference = {**laid.get(FALLBACK, {}), **known}
    return Folder(languages, widths, countries, faults, reference)


def adopt(theirs: Folder, ours: Folder) -> Folder:
    """What another release says, in our words where both have a text; what it lacks is ours too.

    What only a tenant of ours says is left out: no screen of theirs shows it.
    """
    known = {key: written for key, written in ours.reference.items() if not written.is_own}
    reference = {**theirs.reference, **known}
    languages = dict(theirs.languages)
    for code, language in theirs.languages.items():
        of_ours = ours.languages[code].texts if code in ours.languages else {}
        said = {key: text for key, text in of_ours.items() if key in known}
        languages[code] = language._replace(texts={**language.texts, **said})
    widths = Widths(
        {**theirs.widths.widths, **ours.widths.widths}, [*theirs.widths.counts, *ours.widths.counts]
    )
    return theirs._replace(languages=languages, widths=widths, reference=reference)


def _own_files(own: Path | None) -> list[Path]:
    return [] if own is None else sorted(own.glob("*.yaml"))


def _own_texts(
    path: Path, house: Mapping[str, Language], say: Callable[[str], None]
) -> Mapping[str, Written]:
    file = f"{OWN}{path.name}"
    if path.stem not in house:
        say(f"{file}: not a language of the house: {', '.join(house)}")
        return {}
    _refuse_traps(path, file)
    tree = read_tree(path, say, file)
    for section in THE_HOUSES & tree.values.keys():
        say(f"{file}:{tree.lines[section]}: {section}: is the house's to say")
        del tree.values[section]
    return dict(_Sentences(file, tree.lines, say).of(tree.values))


def _refuse_traps(path: Path, file: str) -> None:
    """A tenant's file must not grow or nest until a process breaks that serves others as well.

    The parser's events come one after the other, however deep: nothing is built of them here.
    """
    try:
        content = path.read_bytes()
        if len(content) > OWN_BYTES_MAX:
            raise BrokenTexts(f"{file}: {len(content)} bytes, at most {OWN_BYTES_MAX} may be")
        depth = 0
        for event in yaml.parse(content, Loader=LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH_MAX or isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise BrokenTexts(f"{file}:{line}: nested too deeply, or an alias")
    except (OSError, yaml.YAMLError):
        return  # `read_tree` meets the same, and says what it is.


class Tree(NamedTuple):
    """A YAML mapping and the line of every part, by its dotted path."""

    values: dict[str, Any]
    lines: Mapping[str, int]


def read_tree(path: Path, say: Callable[[str], None], file: str = "") -> Tree:
    """Keys stay as they are written: `no:` is not False. A key that stands twice is a fault.

    `file` is what it is called in a fault, if not by its name.
    """
    file = file or path.name
    try:
        loader = LOADER(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenTexts(f"{file}: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BrokenTexts(f"{file}{line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise BrokenTexts(f"{file}: {error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise BrokenTexts(f"{file}: not a mapping of texts")
    lines: dict[str, int] = {}

    def plain(node: yaml.Node, at: str) -> Any:
        lines[at] = node.start_mark.line + 1
        if isinstance(node, yaml.SequenceNode):
            return [plain(part, f"{at}[{index}]") for index, part in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return node.value if node.tag == _STRING else loader.construct_object(node)
        values: dict[str, Any] = {}
        for key, value in node.value:
            below = f"{at}.{key.value}" if at else str(key.value)
            if key.value in values:
                say(f"{file}:{key.start_mark.line + 1}: {below}: stands twice")
            values[str(key.value)] = plain(value, below)
            lines[below] = key.start_mark.line + 1
        return values

    return Tree(plain(node, ""), lines)


_Shape = Any


def _converted(path: Path, shape: _Shape, say: Callable[[str], None]) -> _Shape | None:
    tree = read_tree(path, say)
    try:
        return msgspec.convert(tree.values, shape)
    except msgspec.ValidationError as error:
        say(f"{path.name}: {error}")
        return None


def _nowhere() -> Countries:
    """Stands in for countries that could not be read; their fault is told already."""
    return Countries(home="", elsewhere=Country([FALLBACK], 0), countries={})


def _language(path: Path, say: Callable[[str], None]) -> Language:
    tree = read_tree(path, say)
    header = None
    try:
        header = msgspec.convert(tree.values.pop("language", {}), Header)
    except msgspec.ValidationError as error:
        say(f"{path.name}:{tree.lines.get('language', 1)}: language: {error}")
    return Language(path.stem, header, dict(_Sentences(path.name, tree.lines, say).of(tree.values)))


class _Sentences:
    """The texts of one file, found section by section."""

    def __init__(self, file: str, lines: Mapping[str, int], say: Callable[[str], None]) -> None:
        self._file = file
        self._lines = lines
        self._say = say

    def of(self, section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Written]]:
        """`{a: {b: text}}` as `a.b` and its text; nothing but plural categories is one text."""
        for name, value in section.items():
            key = f"{prefix}{name}"
            if isinstance(value, dict) and value.keys() - set(CATEGORIES):
                yield from self.of(value, f"{key}.")
            else:
                yield from self._text(key, value)

    def _text(self, key: str, value: Any) -> Iterator[tuple[str, Written]]:
        line = self._lines[key]
        forms = value if isinstance(value, dict) and value else {"": value}
        wrong = [form for form in forms.values() if not isinstance(form, str)]
        if wrong:
            self._say(f"{self._file}:{line}: {key}: not a text (quote it): {wrong[0]!r}")
        elif isinstance(value, str):
            yield key, Written(value.strip("\n"), line, self._file)
        else:
            stripped = {name: form.strip("\n") for name, form in forms.items()}
            yield key, Written(stripped, line, self._file)
