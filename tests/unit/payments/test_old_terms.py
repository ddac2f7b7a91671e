"""Terms of before the keys are sealed where they stand, and open to the byte they were."""

import re

import msgspec
import pytest

from engine.errors import Tampered
from engine.fx.quotes import Expected
from engine.ledger.audit_rows import SEALED_LATER
from engine.payments.facts import Ruling, open_terms, read_terms, seal_terms, write
from engine.payments.lifecycle import State
from engine.payments.old_terms import OLD_TERMS, as_written
from engine.privacy.holdings import Aging
from tests.unit.payments.examples import PAYEE, PAYER, payment
from tests.unit.privacy.keys import DrawnSeals

ID = "0190a000000070008000000000000001"
FACTS = payment(State.PAYING).facts
RULING = Ruling('they said "terms":[["so","+1","+2"', by=("amina", "brian"), terms=FACTS)


class Hex(str):
    """An id as a row has it."""

    @property
    def hex(self) -> str:
        return str(self)


def renewed(text: str, version: int = 1, seals: DrawnSeals | None = None) -> str | None:
    row = {"payment": Hex(ID), "facts": text}
    changes = OLD_TERMS.renew(Aging(seals or DrawnSeals(), version, row))
    assert set(changes) <= {"facts"}
    found = changes.get("facts")
    assert found is None or isinstance(found, str)
    return found


NAMED = msgspec.structs.replace(
    FACTS, quote=msgspec.structs.replace(FACTS.quote, expected=Expected("Sarah Nakato"))
)


def test_a_name_that_a_client_told_follows_them() -> None:
    plain, seals = write(NAMED), DrawnSeals()
    kept = renewed(plain, seals=seals)
    assert kept is not None and "Nakato" not in kept
    assert as_written(kept, seals, ID) == plain
    assert read_terms(open_terms(kept, seals, ID)) == NAMED


@pytest.mark.parametrize("row", [FACTS, RULING], ids=["a creation", "a ruling"])
def test_plain_terms_are_sealed_and_open_to_the_byte_they_were(row: Ruling) -> None:
    plain, seals = write(row), DrawnSeals()
    kept = renewed(plain)
    assert kept is not None and SEALED_LATER in kept
    assert PAYER[4:] not in kept and PAYEE[4:] not in kept
    assert as_written(kept, seals, ID) == plain
    assert read_terms(open_terms(kept, seals, ID)) == FACTS
    assert seals.index(PAYEE) in kept


def test_what_was_sealed_later_follows_the_key_and_nothing_else_moves() -> None:
    seals = DrawnSeals()
    kept = renewed(write(FACTS), seals=seals)
    assert kept is not None
    assert renewed(kept) is None
    anew = renewed(kept, version=2, seals=seals)
    assert anew is not None and anew != kept
    assert as_written(anew, DrawnSeals(), ID) == write(FACTS)
    for other in (
        seal_terms(write(FACTS), DrawnSeals(), ID),  # sealed as it was written: digested so
        write(Ruling('a note "terms":[["like","+254712000001","+2"')),
        '{"about":"aa"}',
    ):
        assert renewed(other) is None
        assert as_written(other, DrawnSeals(), ID) == other


def test_terms_of_another_payment_do_not_open_here() -> None:
    kept = renewed(write(FACTS))
    assert kept is not None
    with pytest.raises(Tampered):
        as_written(kept, DrawnSeals(), ID[:-1] + "2")


def test_the_database_is_asked_for_what_there_is_to_do_alone() -> None:
    """The same pattern in SQL; Postgres's differ from Python's in nothing that is used here."""
    pattern = OLD_TERMS.only.rpartition("~ '")[2].removesuffix("'").replace("{version}", "1")
    kept = renewed(write(FACTS))
    assert kept is not None
    told = [write(FACTS), write(RULING), kept.replace("later.v1.1.", "later.v1.12.")]
    assert all(re.search(pattern, text) for text in told)
    rest = [kept, seal_terms(write(FACTS), DrawnSeals(), ID)]
    assert not any(re.search(pattern, text) for text in rest)
