"""What the vocabulary promises to menus, the session room keeps: the same names."""

from engine.customers.recipients import RECIPIENTS_MAX
from engine.menu import vocabulary
from engine.session.readers import READERS
from engine.session.variables import FACTS, SUBJECTS
from tests.unit.session.rooms import TEXTS, House


def test_every_verb_but_resume_has_a_meaning() -> None:
    house = House()
    assert set(house.build_verbs(TEXTS)) == set(vocabulary.VERBS) - {vocabulary.RESUME}


def test_readers_facts_and_variables_are_the_same_lists() -> None:
    assert set(READERS) == set(vocabulary.READERS)
    assert set(FACTS) == set(vocabulary.FACTS)
    assert {name: set(getters) for name, getters in SUBJECTS.items()} == {
        name: set(variables) for name, variables in vocabulary.SUBJECTS.items()
    }


def test_whatever_a_customer_saved_can_be_listed() -> None:
    assert RECIPIENTS_MAX <= vocabulary.ITEMS_MAX


def test_every_mistake_a_verb_or_reader_declares_has_a_text() -> None:
    declared = {key for facts in vocabulary.VERBS.values() for key in facts.mistakes}
    declared |= {key for reader in vocabulary.READERS.values() for key in reader.mistakes}
    assert [key for key in sorted(declared) if not TEXTS.has(key)] == []
