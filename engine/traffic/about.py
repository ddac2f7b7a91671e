"""Which attempt a call to an operator is about, told to whoever keeps the call.

Adapters need not know that anybody listens: the attempt travels with the task that calls them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from engine.clock import AttemptId

_ATTEMPT: ContextVar[AttemptId | None] = ContextVar("attempt", default=None)


@contextmanager
def speaking_of(attempt_id: AttemptId) -> Iterator[None]:
    """Calls made in this block, and in tasks begun in it, are about this attempt."""
    token, is_thrown_away = _ATTEMPT.set(attempt_id), False
    try:
        yield
    except GeneratorExit:  # whoever closes a task that died stands in another context than its own
        is_thrown_away = True
        raise
    finally:
        if not is_thrown_away:
            _ATTEMPT.reset(token)


def spoken_of() -> AttemptId | None:
    """The attempt that is being spoken of; None outside of any."""
    return _ATTEMPT.get()
