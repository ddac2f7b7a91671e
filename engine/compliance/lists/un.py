"""The consolidated list of the UN Security Council in its XML format.

Facts: the schema published beside the list (`sc-sanctions.xsd`): root `CONSOLIDATED_LIST`, one
`INDIVIDUAL` or `ENTITY` each, names in up to four parts, aliases with a quality.
"""

from collections.abc import Iterator
from datetime import date
from xml.etree.ElementTree import Element

from engine.compliance.lists.listed import (
    Birth,
    Listed,
    ListFile,
    Name,
    Source,
    Subject,
    born_in,
    born_on,
)
from engine.compliance.lists.strict_xml import Readable, StrictReader, text, texts

_SUBJECTS = {"INDIVIDUAL": Subject.INDIVIDUAL, "ENTITY": Subject.ENTITY}
_NAME_PARTS = ("FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME")
_WEAK = "low"
APPROXIMATE_YEARS = 2
"""How far `APPROXIMATELY` may be off: the list does not say; two years is our reading."""


def read_un(stream: Readable) -> ListFile:
    """Every entry of a consolidated list. Raises Unreadable naming the line and the entry."""
    reader = StrictReader(Source.UN, "CONSOLIDATED_LIST", frozenset(_SUBJECTS))
    published = ""
    entries: list[Listed] = []
    for element in reader.read(stream):
        if element.tag == "CONSOLIDATED_LIST":
            published = element.get("dateGenerated", "")
        else:
            entries.append(_entry(reader, element))
    if not published:
        raise reader.fault("the root has no dateGenerated")
    return ListFile(Source.UN, published, tuple(entries))


def _entry(reader: StrictReader, element: Element) -> Listed:
    entry_id, kind = text(element, "DATAID"), element.tag
    names = tuple(_names(element, kind))
    if not entry_id or not names:
        raise reader.fault(f"{kind} {entry_id or 'without DATAID'}: no name")
    return Listed(
        entry_id,
        _SUBJECTS[kind],
        names,
        births=tuple(_births(element)),
        programmes=tuple(texts(element, "UN_LIST_TYPE")),
        countries=tuple(dict.fromkeys(texts(element, "NATIONALITY/VALUE"))),
    )


def _names(element: Element, kind: str) -> Iterator[Name]:
    if main := " ".join(filter(None, (text(element, part) for part in _NAME_PARTS))):
        yield Name(main)
    if original := text(element, "NAME_ORIGINAL_SCRIPT"):
        yield Name(original)
    for alias in element.iterfind(f"{kind}_ALIAS"):
        # One alias element sometimes holds several names, parted by semicolons.
        for name in text(alias, "ALIAS_NAME").split(";"):
            if name.strip():
                yield Name(name.strip(), weak=text(alias, "QUALITY").lower() == _WEAK)


def _births(element: Element) -> Iterator[Birth]:
    for told in element.iterfind("INDIVIDUAL_DATE_OF_BIRTH"):
        birth = read_birth(told)
        if birth is not None:
            yield birth


def read_birth(told: Element) -> Birth | None:
    """EXACT, APPROXIMATELY or BETWEEN, by day or by year; None when nothing can be read."""
    slack = APPROXIMATE_YEARS if text(told, "TYPE_OF_DATE").upper() == "APPROXIMATELY" else 0
    day, year = text(told, "DATE")[:10], text(told, "YEAR")
    try:
        if text(told, "FROM_YEAR"):
            return born_in(int(text(told, "FROM_YEAR")), int(text(told, "TO_YEAR")))
        if day and not slack:
            return born_on(date.fromisoformat(day))
        if day or year:
            found = int(day[:4] or year)
            return born_in(found - slack, found + slack)
    except ValueError:
        return None
    return None
