"""What the vocabulary promises to menus, the session room keeps: the same names."""

from engine.customers.recipients import RECIPIENTS_MAX
from engine.menu import vocabulary
from engine.menu.screens import Menu, Move, OneOf, Range, Regex, Rule, Screen
from engine.session.readers import READERS, readers_of
from engine.session.variables import FACTS, SUBJECTS
from tests.unit.session.rooms import TEXTS, House

RULES_OF_EACH_KIND: dict[str, Rule] = {
    "regex": Regex("[0-9]{3}", "mistake.number"),
    "range": Range(1, 9),
    "one_of": OneOf({"yes": "home.menu", "no": "home.price"}),
}


def menu_with(rule: Rule) -> Menu:
    """One screen that reads by a rule."""
    name = next(name for name, one in RULES_OF_EACH_KIND.items() if one is rule)
    screen = Screen(
        "s.s", "s:1", "input", "t", "t", "price", name, False, None, {}, None, None, None, {},
        True, True, rule=rule,
    )  # fmt: skip
    return Menu("s.s", Move("open", "find_customer", {}), {"s.s": screen}, {})


def test_every_verb_but_resume_has_a_meaning() -> None:
    house = House()
    assert set(house.build_verbs(TEXTS)) == set(vocabulary.VERBS) - {vocabulary.RESUME}


def test_readers_facts_and_variables_are_the_same_lists() -> None:
    assert set(READERS) == set(vocabulary.READERS)
    assert set(FACTS) == set(vocabulary.FACTS)
    assert {name: set(getters) for name, getters in SUBJECTS.items()} == {
        name: set(variables) for name, variables in vocabulary.SUBJECTS.items()
    }


def test_every_rule_of_a_screen_is_read() -> None:
    read = {
        name: readers_of(menu_with(rule), TEXTS)["s.s"] for name, rule in RULES_OF_EACH_KIND.items()
    }
    assert set(read) == set(vocabulary.RULES)


def test_what_a_verb_knows_of_words_keeps_and_checks_fits_what_it_takes() -> None:
    for name, facts in vocabulary.VERBS.items():
        assert not facts.words or facts.accepts("one_of"), name
        assert facts.keeps is None or set(facts.makes) == {facts.keeps}, name
        if facts.outcomes == vocabulary.SAYS_YES:
            changed = (facts.effects, facts.makes, facts.drops, facts.spends, facts.fills)
            assert changed == (False, (), (), (), None), name
            assert facts.takes, name


def test_whatever_a_customer_saved_can_be_listed() -> None:
    assert RECIPIENTS_MAX <= vocabulary.ITEMS_MAX


def test_every_mistake_a_verb_or_reader_declares_has_a_text() -> None:
    declared = {key for facts in vocabulary.VERBS.values() for key in facts.mistakes}
    declared |= {key for reader in vocabulary.READERS.values() for key in reader.mistakes}
    assert [key for key in sorted(declared) if not TEXTS.has(key)] == []
