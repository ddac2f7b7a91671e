"""A payment's terms hide both numbers, and the payee is still found in them."""

import msgspec
import pytest

from engine.errors import Tampered
from engine.fx.quotes import Expected
from engine.ledger.plans import Evidence, Intent, Plan
from engine.payments.facts import (
    Facts,
    Ruling,
    open_terms,
    read_step,
    read_terms,
    seal_terms,
    write,
)
from engine.payments.lifecycle import State
from engine.payments.notices import MESSAGE, SMS
from engine.payments.sealed_plans import PlanSealer
from engine.privacy.places import evidence_place, payload_place, terms_name_place
from engine.privacy.seals import PLAIN
from tests.unit.payments.examples import PAYEE, PAYER, payment
from tests.unit.privacy.keys import DrawnSeals

ID = "0190a000000070008000000000000001"
FACTS = payment(State.PAYING).facts


def test_terms_are_hidden_and_read_back() -> None:
    seals = DrawnSeals()
    kept = seal_terms(write(FACTS), seals, ID)
    assert PAYER[4:] not in kept and PAYEE[4:] not in kept
    assert read_terms(open_terms(kept, seals, ID)) == FACTS


NAMES = ("Sarah Nakato", 'A "B" \\', 'x","y', '{"payee_name":"z"}', 'Ndayishimiyé \\"', "q\\")


@pytest.mark.parametrize("name", NAMES)
def test_the_name_that_a_client_told_is_hidden_and_opens_to_the_byte(name: str) -> None:
    seals = DrawnSeals()
    facts = with_name(FACTS, name)
    for said in (facts, Ruling("they said", terms=facts)):
        plain = write(said)
        kept = seal_terms(plain, seals, ID)
        assert msgspec.json.encode(name).decode()[1:-1] not in kept
        assert open_terms(kept, seals, ID) == plain
        assert read_terms(plain).quote.expected == Expected(name)
        assert (
            kept.split('"')[-2 if said is facts else 0]
            == plain.split('"')[-2 if said is facts else 0]
        )
    with pytest.raises(Tampered):
        open_terms(seal_terms(write(facts), seals, ID), seals, ID[:-1] + "2")


def test_a_name_is_sealed_at_a_place_of_its_own() -> None:
    """Else it could stand for the numbers."""
    seals = DrawnSeals()
    kept = seal_terms(write(with_name(FACTS, "Sarah Nakato")), seals, ID)
    _, name = kept.split('{"payee_name":"')
    assert seals.open(name.split('"')[0], terms_name_place(ID)) == "Sarah Nakato"


def with_name(facts: Facts, name: str) -> Facts:
    quote = msgspec.structs.replace(facts.quote, expected=Expected(name))
    return msgspec.structs.replace(facts, quote=quote)


def test_the_payees_index_stands_where_the_database_looks() -> None:
    seals = DrawnSeals()
    parts = seal_terms(write(FACTS), seals, ID).split('"')
    assert parts[5] == seals.index(PAYEE)
    assert parts[7] == FACTS.quote.payer_operator  # settlement reads it there


def test_terms_that_people_stated_anew_are_hidden_too() -> None:
    seals = DrawnSeals()
    ruling = Ruling('they said "terms":[["so"', by=("amina", "brian"), terms=FACTS)
    kept = seal_terms(write(ruling), seals, ID)
    assert PAYER[4:] not in kept and PAYEE[4:] not in kept
    assert read_step(open_terms(kept, seals, ID)) == ruling


def test_what_holds_no_terms_stays_as_it_is() -> None:
    said = write(Ruling('a note "terms":[["like this"'))
    assert seal_terms(said, DrawnSeals(), ID) == said
    assert open_terms(said, DrawnSeals(), ID) == said


def test_terms_of_before_are_read_with_keys_and_without() -> None:
    plain = write(FACTS)
    assert open_terms(plain, DrawnSeals(), ID) == plain == seal_terms(plain, PLAIN, ID)


def test_a_plan_is_written_down_sealed_and_stays_what_it_was() -> None:
    seals = DrawnSeals()
    intents = (
        Intent("1" * 32, 1, None, 0, 0),
        Intent("2" * 32, SMS, "receipt_payer:payer:", 0, 0),
        Intent("3" * 32, MESSAGE, f'{{"to":"{PAYER}"}}', 0, 0),
    )
    heard = Evidence("4" * 32, "5" * 32, 1, f'"ws_CO_{PAYER[1:]}"')
    plan = Plan(ID, 0, 1, 1, facts=write(FACTS), intents=intents, evidence=(heard,))
    kept = PlanSealer(seals)(plan)
    assert PAYER[4:] not in repr(kept) and PAYEE[4:] not in repr(kept)
    assert kept.intents[:2] == intents[:2]
    assert seals.open(kept.intents[2].payload or "", payload_place("3" * 32)) == intents[2].payload
    assert seals.open(kept.evidence[0].body, evidence_place("4" * 32)) == heard.body
    assert plan.facts == write(FACTS)
    assert kept._replace(facts=None, intents=(), evidence=()) == plan._replace(
        facts=None, intents=(), evidence=()
    )


def test_terms_can_still_be_read_as_json() -> None:
    """The auditor, the settlement and people look into them with the database's own means."""
    msgspec.json.decode(seal_terms(write(FACTS), DrawnSeals(), ID))
