"""The verbs a menu may use, put together. What each means stands in `verbs/`, by noun.

A verb changes the session and answers with an outcome; which screen follows is the menu's affair.
Every verb may run twice for the same turn: what has an effect outside is idempotent.
"""

from collections.abc import Callable, Mapping

from engine.menu.vocabulary import RESUME, VERBS
from engine.session.press import Verb
from engine.session.rooms import Customers, Names, Payments, Words
from engine.session.session import Seal
from engine.session.verbs.account import Account
from engine.session.verbs.asking import Asking
from engine.session.verbs.history import History
from engine.session.verbs.opening import Opening
from engine.session.verbs.pricing import Prices
from engine.session.verbs.sending import Sending

BuildVerbs = Callable[[Words], Mapping[str, Verb]]


def build_verbs(
    *, customers: Customers, payments: Payments, names: Names, seal: Seal, words: Words
) -> Mapping[str, Verb]:
    """Every verb of the vocabulary but `resume`, which stands for another."""
    prices = Prices(payments, names)
    rooms = (
        Opening(customers, payments, seal, words),
        Sending(customers, payments, prices, words),
        Asking(payments, prices, words),
        History(customers, payments, prices, words),
        Account(customers, payments, seal, words),
    )
    return {name: _method(rooms, name) for name in VERBS if name != RESUME}


def _method(rooms: tuple[object, ...], name: str) -> Verb:
    found: list[Verb] = [getattr(room, name) for room in rooms if hasattr(room, name)]
    where = f"the verb {name} must be a method of one class of verbs/, not of {len(found)}"
    assert len(found) == 1, where
    return found[0]
