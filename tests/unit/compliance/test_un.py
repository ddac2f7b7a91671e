import io
from datetime import date

import pytest

from engine.compliance.lists.listed import Birth, Name, Subject, born_in, born_on
from engine.compliance.lists.un import read_un
from engine.errors import Unreadable
from tests.unit.compliance.lists_of_nobody import UN, un


def test_every_entry_is_read_with_its_names_and_births() -> None:
    file = un()
    assert file.published == "2026-11-02T23:00:02.077-05:00"
    person, other, society = file.entries
    assert person.names == (
        Name("VYMYSHLEN NIKTOVICH NESUSHCHESTVUYEV"),
        Name("Вымышлен Никтович Несуществуев"),
        Name("Vymyshlen Nesushchestvuev"),
        Name("Vimishlen Nesuschestwujew"),
        Name("Tovarish Nobody", weak=True),
    )
    assert person.births == (born_on(date(1964, 7, 17)),)
    assert (person.programmes, person.countries) == (("Testland",), ("Utopia",))
    assert other.births == (born_in(1958, 1960), born_in(1968, 1972))
    assert society.subject is Subject.ENTITY
    assert society.names[1] == Name("Fantasy Aid Foundation")


def birth(inner: str) -> tuple[Birth, ...]:
    body = UN.read_text(encoding="utf-8")
    start = body.index("<TYPE_OF_DATE>EXACT")
    end = body.index("</INDIVIDUAL_DATE_OF_BIRTH>")
    return read_un(io.BytesIO((body[:start] + inner + body[end:]).encode())).entries[0].births


@pytest.mark.parametrize(
    ("inner", "births"),
    [
        ("<TYPE_OF_DATE>EXACT</TYPE_OF_DATE><YEAR>1960</YEAR>", (born_in(1960),)),
        (
            "<TYPE_OF_DATE>EXACT</TYPE_OF_DATE><DATE>1960-02-03-05:00</DATE>",
            (born_on(date(1960, 2, 3)),),
        ),
        (
            "<TYPE_OF_DATE>APPROXIMATELY</TYPE_OF_DATE><DATE>1960-02-03</DATE>",
            (born_in(1958, 1962),),
        ),
        ("<TYPE_OF_DATE>BETWEEN</TYPE_OF_DATE><FROM_YEAR>1960</FROM_YEAR>", ()),
        ("<TYPE_OF_DATE>EXACT</TYPE_OF_DATE><DATE>03/02/60</DATE>", ()),
        ("<NOTE>unknown</NOTE>", ()),
    ],
)
def test_births_are_read_as_well_as_they_are_known(inner: str, births: tuple[Birth, ...]) -> None:
    assert birth(inner) == births


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<DATAID>80001</DATAID>", "", "INDIVIDUAL without DATAID"),
        ("<FIRST_NAME>IMAGINARY RELIEF SOCIETY</FIRST_NAME>", "", None),  # its alias remains
        ("dateGenerated=", "generated=", "no dateGenerated"),
    ],
)
def test_an_unexpected_file_is_refused_and_the_entry_named(
    old: str, new: str, said: str | None
) -> None:
    body = UN.read_text(encoding="utf-8")
    assert body.count(old) == 1
    changed = io.BytesIO(body.replace(old, new).encode())
    if said is None:
        assert read_un(changed).entries[2].names == (Name("Fantasy Aid Foundation"),)
        return
    with pytest.raises(Unreadable, match=said):
        read_un(changed)
