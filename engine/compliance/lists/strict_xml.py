"""Large XML files, one entry at a time, from publishers we do not control.

No document type, no entity of one's own, no include is ever followed: a file with one is refused.
Memory holds one entry; an entry of more than a mebibyte is refused too.
"""

from collections.abc import Callable, Iterator
from typing import Protocol
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate

from engine.errors import Unreadable

CHUNK_BYTES = 64 * 1024
ENTRY_CHARACTERS_MAX = 1024 * 1024
DEPTH_MAX = 32


class Readable(Protocol):
    """What a file is needed for: its bytes in turn, empty at the end."""

    def read(self, size: int, /) -> bytes: ...


class StrictReader:
    """Reads elements of certain names below a certain root; every other element only passes by.

    Namespaces are left away: publishers change their addresses, the names stay.
    """

    def __init__(self, publisher: str, root: str, entries: frozenset[str]) -> None:
        self._publisher = publisher
        self._root = root
        self._entries = entries
        self._parser = ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse("a document type")
        self._parser.EntityDeclHandler = self._refuse("an entity declaration")
        self._parser.ExternalEntityRefHandler = self._refuse("an external entity")
        self._path: list[str] = []
        self._builder: TreeBuilder | None = None
        self._entry_depth = 0
        self._size = 0
        self._began = 0
        self._ready: list[tuple[int, Element]] = []
        self._line_given = 0

    def read(self, stream: Readable) -> Iterator[Element]:
        """Every entry in order. Raises Unreadable, with the line, when it is not such a file.

        The file must end where its root ends: one that was cut off is refused at its end, so
        nothing may be made of the entries before the iterator is exhausted.
        """
        try:
            while chunk := stream.read(CHUNK_BYTES):
                self._parser.Parse(chunk, False)
                yield from self._give()
            self._parser.Parse(b"", True)
        except ExpatError as error:
            raise self.fault(f"not well-formed, or cut off: {error}") from error

    def fault(self, what: str) -> Unreadable:
        """The error to raise about the entry given last, or the place that is being read."""
        line = self._line_given or self._parser.CurrentLineNumber
        return Unreadable(self._publisher, f"line {line}: {what}")

    def _give(self) -> Iterator[Element]:
        ready, self._ready = self._ready, []
        for line, element in ready:
            self._line_given = line
            yield element
            self._line_given = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = _local(name)
        if not self._path and name != self._root:
            raise self.fault(f"begins with <{name[:40]}>, expected <{self._root}>")
        self._path.append(name)
        if len(self._path) > DEPTH_MAX:
            raise self.fault("nested too deeply")
        if self._builder is None and (name in self._entries or len(self._path) == 1):
            if len(self._path) == 1:
                root = Element(name, {_local(k): v for k, v in attributes.items()})
                self._ready.append((self._parser.CurrentLineNumber, root))
                return
            self._builder, self._entry_depth, self._size = TreeBuilder(), len(self._path), 0
            self._began = self._parser.CurrentLineNumber
        if self._builder is not None:
            self._builder.start(name, {})

    def _end(self, _: str) -> None:
        if self._builder is not None:
            element = self._builder.end(self._path[-1])
            if len(self._path) == self._entry_depth:
                self._ready.append((self._began, element))
                self._builder = None
        self._path.pop()

    def _characters(self, text: str) -> None:
        if self._builder is None:
            return
        self._size += len(text)
        if self._size > ENTRY_CHARACTERS_MAX:
            raise self.fault("an entry is larger than any real one")
        self._builder.data(text)

    def _refuse(self, what: str) -> Callable[..., int]:
        def refuse(*_: object) -> int:
            raise self.fault(f"{what} does not belong into a list")

        return refuse


def texts(element: Element, path: str) -> list[str]:
    """The texts at a path, stripped, empty ones left out."""
    found = (" ".join((each.text or "").split()) for each in element.findall(path))
    return [text for text in found if text]


def text(element: Element, path: str) -> str:
    """The first text at a path, or an empty one."""
    return next(iter(texts(element, path)), "")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
