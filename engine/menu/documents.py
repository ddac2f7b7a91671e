"""One YAML file of `menus/` as plain values, each with the line it stands on.

YAML can do more than a menu needs, and each extra is a trap: aliases that grow without end, tags,
keys that silently win over their twins, `no` that means false. Each is refused by its line.
It knows nothing of screens.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import yaml

from engine.plain_yaml import LOADER

DOCUMENT_BYTES_MAX = 512 * 1024
"""No journey is a tenth as long."""
DEPTH_MAX = 12
PARTS_MAX = 100_000
"""Aliases counted each time: one to another to another would be a gigabyte in a few lines."""

Say = Callable[[str], None]
"""Takes a fault, as `file:line: what`."""

_STRING = "tag:yaml.org,2002:str"
_PART = re.compile(r"\.([^.\[\]]+)|(\[\.\.\.\])|\[([0-9]+)\]")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`")
_Shape = TypeVar("_Shape")


class _Trap(Exception):
    """Something YAML allows and a menu does not."""

    def __init__(self, what: str, mark: Any) -> None:
        super().__init__(what)
        self.line = mark.line + 1 if mark else 1


class Document(NamedTuple):
    """A file that could be read. Keys stay as they are written: `no:` is not False, `1:` is "1"."""

    file: str
    values: dict[str, Any]
    lines: Mapping[str, int]

    def at(self, *path: str) -> str:
        """`file:line` of a part, by the names that lead to it."""
        return f"{self.file}:{self.lines.get(_dotted(path), 1)}"


def read_document(path: Path, say: Say, file: str = "") -> Document | None:
    """The file, or None after its fault was said. Raises nothing.

    `file` is what it is called in a fault, if not by its name.
    """
    file = file or path.name
    try:
        content = path.read_bytes()
        if len(content) > DOCUMENT_BYTES_MAX:
            raise ValueError(f"{len(content)} bytes, at most {DOCUMENT_BYTES_MAX} may be")
        text = content.decode("utf-8")
        return _read(file, text, say)
    except OSError as error:
        say(f"{file}:1: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        say(f"{file}:{line}: is not UTF-8")
    except _Trap as trap:
        say(f"{file}:{trap.line}: {trap}")
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        say(f"{file}:{line}: not YAML: {error.problem or error.context}")
    except (yaml.YAMLError, ValueError) as error:
        say(f"{file}:1: {str(error).splitlines()[0]}")
    return None


def shaped(
    document: Document, values: Any, shape: type[_Shape], say: Say, *path: str
) -> _Shape | None:
    """A part of a document in its shape, or None after its fault was said.

    `path` leads to the part. The line is the fault's own where it can be found.
    """
    try:
        return msgspec.convert(values, shape, str_keys=True)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        line = _line_of(document, path, place.rstrip("`"), what)
        quote = ": write it in quotes" if "Expected `str`, got" in what else ""
        say(": ".join([f"{document.file}:{line}", *path[-1:], what + quote]))
        return None


def _read(file: str, text: str, say: Say) -> Document | None:
    _refuse_depth_and_tags(text)
    loader = LOADER(text)
    node = loader.get_single_node()
    if node is None:
        say(f"{file}:1: is empty")
        return None
    if not isinstance(node, yaml.MappingNode):
        say(f"{file}:{node.start_mark.line + 1}: is not a mapping")
        return None
    lines: dict[str, int] = {}
    parts = 0

    def plain(node: yaml.Node, path: tuple[str, ...]) -> Any:
        nonlocal parts
        parts += 1
        if parts > PARTS_MAX or len(path) > DEPTH_MAX:
            raise _Trap("aliases grow without end", node.start_mark)
        lines.setdefault(_dotted(path), node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            return [plain(part, (*path, str(index))) for index, part in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return node.value if node.tag == _STRING else loader.construct_object(node)
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                say(f"{file}:{line}: a key must be a word")
            elif key.value in values:
                say(f"{file}:{line}: `{key.value}` stands twice")
            else:
                lines[_dotted((*path, key.value))] = line
                values[key.value] = plain(value, (*path, key.value))
        return values

    return Document(file, plain(node, ()), lines)


def _refuse_depth_and_tags(text: str) -> None:
    """Before anything is built: the parser's events are one after the other, however deep."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if getattr(event, "tag", None):
            raise _Trap("tags are not allowed", event.start_mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise _Trap("nested too deeply", event.start_mark)


def _dotted(path: tuple[str, ...]) -> str:
    return "\0".join(path)  # A dot may stand in a key: `mistake.choice`.


def _line_of(document: Document, path: tuple[str, ...], place: str, what: str) -> int:
    """msgspec says `[...]` for any key of a mapping: if only one part fits, that is it."""
    pattern = re.escape(_dotted(path))
    unknown = [("", "", "", name) for name in _UNKNOWN.findall(what)]
    for name, anything, index, field in [*((*p, "") for p in _PART.findall(place)), *unknown]:
        pattern += "\0" + ("[^\0]+" if anything else re.escape(name or index or field))
    pattern = pattern.removeprefix("\0")
    fitting = [line for key, line in document.lines.items() if re.fullmatch(pattern, key)]
    if len(fitting) == 1:
        return fitting[0]
    return document.lines.get(_dotted(path), 1)
