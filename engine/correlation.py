"""What the work at hand is about, told to whoever writes about it: logs, traffic, traces.

It travels with the task, and with tasks begun in it, so that nobody has to hand it on. Words are
ids of ours; a number or a name never stands here.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})
_ABOUT: ContextVar[Mapping[str, str]] = ContextVar("about", default=NOTHING)


@contextmanager
def speaking_of(**words: str) -> Iterator[None]:
    """In this block, and in tasks begun in it, the work is about these as well."""
    token, is_thrown_away = _ABOUT.set({**_ABOUT.get(), **words}), False
    try:
        yield
    except GeneratorExit:  # whoever closes a task that died stands in another context than its own
        is_thrown_away = True
        raise
    finally:
        if not is_thrown_away:
            _ABOUT.reset(token)


def spoken_of() -> Mapping[str, str]:
    """What is being spoken of, by kind.

    `session`, `payment`, `attempt`, `request`; in settlement `batch`, and `errand`, which has its
    batch's id; of a webhook `event`. Of one of many tenants `tenant`, its name.
    """
    return _ABOUT.get()
