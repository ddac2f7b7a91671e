"""What the proof of widths lays out: the widest lines, on every network that carries them."""

import pytest

from engine.menu.layout import lay_out
from engine.menu.networks import Network, Networks
from engine.menu.vocabulary import ITEMS_MAX, LISTS, OTHER_ITEMS
from engine.menu.widths import Budget, budgets_for, widest_lines
from engine.septets import is_gsm7, septets
from tests.unit.session.rooms import MENU, TEXTS

LISTING = sorted(name for name, screen in MENU.screens.items() if screen.lists is not None)


def test_every_network_that_carries_a_text_must_have_room_for_it() -> None:
    rows = {
        "1": Network("first", budget_septets=160, encoding="gsm7"),
        "2": Network("second", budget_septets=160),
        "3": Network("large", budget_septets=182),
        "4": Network("small", budget_septets=100, encoding="gsm7"),
    }
    networks = Networks(Network("any", budget_septets=120), rows)
    every = [Budget(100, "small"), Budget(120, "any"), Budget(160, "first"), Budget(182, "large")]
    assert budgets_for(networks, "gsm7") == every
    wide = [Budget(120, "any"), Budget(160, "second"), Budget(182, "large")]
    assert budgets_for(networks, "ucs2") == wide


@pytest.mark.parametrize("language", TEXTS.languages)
@pytest.mark.parametrize("name", LISTING)
def test_a_list_is_as_long_and_its_items_as_wide_as_they_may_be(name: str, language: str) -> None:
    screen = MENU.screens[name]
    assert screen.lists is not None
    lines = widest_lines(lay_out(TEXTS, language, screen), TEXTS, language, screen)
    items = lines[len(screen.choices) :]
    assert len(items) == ITEMS_MAX
    numbers = [int(line.partition(".")[0]) for line in items]
    assert numbers == list(range(len(screen.choices) + 1, len(screen.choices) + ITEMS_MAX + 1))
    for key in (LISTS[screen.lists], *OTHER_ITEMS.get(screen.lists, ())):
        assert _cost(TEXTS.widest(language, key)) <= _cost(items[0].partition(". ")[2]), key


def _cost(text: str) -> int:
    return septets(text) if is_gsm7(text) else len(text)
