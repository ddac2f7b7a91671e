import io
from datetime import date

import pytest

from engine.compliance.lists.listed import Birth, Name, Subject, born_in
from engine.compliance.lists.ofac import read_birth, read_sdn
from engine.errors import Unreadable
from tests.unit.compliance.lists_of_nobody import SDN, sdn


def test_every_entry_is_read_with_its_names_and_births() -> None:
    file = sdn()
    assert file.published == "11/02/2026"
    assert [e.entry_id for e in file.entries] == [f"9000{n}" for n in range(1, 7)]
    first = file.entries[0]
    assert first.names == (
        Name("Muhammad Qasim INVENTED-ZUBAYDI"),
        Name("Mohammed Kassem AL-ZUBAIDI"),
        Name("ABU NOVEMBER", weak=True),
    )
    assert first.births == (Birth(date(1954, 10, 7), date(1954, 10, 7)), born_in(1955, 1959))
    assert (first.programmes, first.countries) == (("TEST-A", "TEST-B"), ("Utopia",))
    assert [e.subject for e in file.entries[2:4]] == [Subject.ENTITY, Subject.VESSEL]


@pytest.mark.parametrize(
    "namespace", [b"http://tempuri.org/sdnList.xsd", b"https://elsewhere.example/XML"]
)
def test_the_publisher_may_move_its_namespace(namespace: bytes) -> None:
    body = SDN.read_bytes()
    start = body.index(b'xmlns="') + 7
    moved = body[:start] + namespace + body[body.index(b'"', start) :]
    assert read_sdn(io.BytesIO(moved)) == sdn()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"<Record_Count>6<", b"<Record_Count>7<", "6 entries where Record_Count says 7"),
        (b"<Record_Count>6<", b"<Record_Count>many<", "no Record_Count"),
        (b"<uid>90002</uid>", b"", "entry without uid"),
        (b"<lastName>MARISOLA</lastName>", b"", "entry 90006: no name"),
    ],
)
def test_an_unexpected_file_is_refused_and_the_entry_named(
    old: bytes, new: bytes, said: str
) -> None:
    body = SDN.read_bytes()
    assert body.count(old) == 1
    with pytest.raises(Unreadable, match=said):
        read_sdn(io.BytesIO(body.replace(old, new)))


@pytest.mark.parametrize(
    ("told", "birth"),
    [
        ("07 Oct 1954", Birth(date(1954, 10, 7), date(1954, 10, 7))),
        ("Jul 1969", Birth(date(1969, 7, 1), date(1969, 7, 31))),
        ("1948", born_in(1948)),
        ("circa 1951", born_in(1949, 1953)),
        ("1955 to 1958", born_in(1955, 1958)),
        ("circa 1960-1962", born_in(1958, 1964)),
        ("01 Jan 1960 to 31 Dec 1962", born_in(1960, 1962)),
        ("circa Mar 1970", born_in(1968, 1972)),
        ("1958 to 1955", None),
        ("31 Feb 1960", None),
        ("unknown", None),
    ],
)
def test_births_are_read_as_well_as_they_are_known(told: str, birth: Birth | None) -> None:
    assert read_birth(told) == birth
