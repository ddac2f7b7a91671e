"""The US Treasury's SDN list in its standard XML format, `SDN.XML`.

Facts: data specification of the Office of Foreign Assets Control, updated 2023-09-25, and the
schema it names (root `sdnList`; one `sdnEntry` each; `Record_Count` counts the entries).
"""

import re
from collections.abc import Iterator
from datetime import datetime
from xml.etree.ElementTree import Element

from engine.compliance.lists.listed import (
    Birth,
    Listed,
    ListFile,
    Name,
    Source,
    Subject,
    born_in,
    born_in_month,
    born_on,
)
from engine.compliance.lists.strict_xml import Readable, StrictReader, text, texts

_SUBJECTS = {
    "individual": Subject.INDIVIDUAL,
    "entity": Subject.ENTITY,
    "vessel": Subject.VESSEL,
    "aircraft": Subject.AIRCRAFT,
}
_YEARS = re.compile(r"(?:circa )?(\d{4})(?:(?: to |-)(?:circa )?(\d{4}))?")
_FROM_TO = re.compile(r"(?:circa )?(?:\d{1,2} )?(?:\w{3} )?(\d{4}) to .*?(\d{4})")
CIRCA_YEARS = 2
"""How far "circa" may be off: the list does not say; two years either way is our reading."""


def read_sdn(stream: Readable) -> ListFile:
    """Every entry of an `SDN.XML`. Raises Unreadable naming the line and the entry."""
    reader = StrictReader(Source.OFAC_SDN, "sdnList", frozenset({"publshInformation", "sdnEntry"}))
    published, count = "", -1
    entries: list[Listed] = []
    for element in reader.read(stream):
        if element.tag == "publshInformation":
            published, count = text(element, "Publish_Date"), _count(reader, element)
        elif element.tag == "sdnEntry":
            entries.append(_entry(reader, element))
    if not published:
        raise reader.fault("no Publish_Date")
    if count != len(entries):
        raise reader.fault(f"{len(entries)} entries where Record_Count says {count}")
    return ListFile(Source.OFAC_SDN, published, tuple(entries))


def _count(reader: StrictReader, element: Element) -> int:
    told = text(element, "Record_Count")
    if not (told.isascii() and told.isdigit()):
        raise reader.fault("no Record_Count")
    return int(told)


def _entry(reader: StrictReader, element: Element) -> Listed:
    entry_id = text(element, "uid")
    subject = _SUBJECTS.get(text(element, "sdnType").lower())
    names = tuple(_names(element))
    if not entry_id or subject is None or not names:
        raise reader.fault(f"entry {entry_id or 'without uid'}: no name or no known sdnType")
    return Listed(
        entry_id,
        subject,
        names,
        births=tuple(
            birth
            for told in texts(element, "dateOfBirthList/dateOfBirthItem/dateOfBirth")
            if (birth := read_birth(told)) is not None
        ),
        programmes=tuple(texts(element, "programList/program")),
        countries=tuple(
            dict.fromkeys(
                texts(element, "nationalityList/nationality/country")
                + texts(element, "citizenshipList/citizenship/country")
            )
        ),
    )


def _names(element: Element) -> Iterator[Name]:
    if main := _whole_name(element):
        yield Name(main)
    for alias in element.iterfind("akaList/aka"):
        if name := _whole_name(alias):
            yield Name(name, weak=text(alias, "category").lower() == "weak")


def _whole_name(element: Element) -> str:
    return " ".join(filter(None, (text(element, "firstName"), text(element, "lastName"))))


def read_birth(told: str) -> Birth | None:
    """`07 Oct 1954`, `Jul 1969`, `1948`, `circa 1951`, `1955 to 1958`; None when it is neither.

    A date that cannot be read never refuses the entry: its names still count.
    """
    circa = CIRCA_YEARS if "circa" in told.lower() else 0
    told = " ".join(told.lower().split())
    try:
        if whole := _YEARS.fullmatch(told) or _FROM_TO.fullmatch(told):
            first, last = int(whole[1]), int(whole[2] or whole[1])
            return born_in(first - circa, last + circa)
        bare = told.removeprefix("circa ")
        if bare.count(" ") == 1:
            month = datetime.strptime(bare, "%b %Y")  # noqa: DTZ007 - a date, not a moment
            return _around(born_in_month(month.year, month.month), circa)
        day = datetime.strptime(bare, "%d %b %Y").date()  # noqa: DTZ007 - the same
        return _around(born_on(day), circa)
    except ValueError:
        return None


def _around(birth: Birth, years: int) -> Birth:
    return born_in(birth.first.year - years, birth.last.year + years) if years else birth
