"""One key press on its way into a verb."""

import math
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from engine.session.session import Session


class Press(NamedTuple):
    """`value` is what the screen's reader made of the input, or the item that was picked.

    `key` names this step of this session for ever: an effect that is keyed by it happens once.
    `due` is the reading of the monotonic clock after which the customer is answered as late.
    """

    session: Session
    value: Any
    key: str
    due: float = math.inf


Verb = Callable[[Press], Coroutine[Any, Any, str]]
