"""What the work at hand is about, told to whoever writes about it: logs, traffic, traces.

It travels with the task, and with tasks begun in it, so that nobody has to hand it on. Words are
ids of ours; a number or a name never stands here.
"""

from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType

NOTHING: Mapping[str, str] = MappingProxyType({})
_ABOUT: ContextVar[Mapping[str, str]] = ContextVar("about", default=NOTHING)


def speaking_of(**words: str) -> "_Block":
    """In this block, and in tasks begun in it, the work is about these as well."""
    return _Block(words)


class _Block:
    """Written out, because a generator as a context manager would cost twice what it does."""

    __slots__ = ("_token", "_words")
    _token: Token[Mapping[str, str]]

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = words

    def __enter__(self) -> None:
        self._token = _ABOUT.set({**_ABOUT.get(), **self._words})

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is not GeneratorExit:  # who closes a task that died stands in another context
            _ABOUT.reset(self._token)


def spoken_of() -> Mapping[str, str]:
    """What is being spoken of, by kind.

    `session`, `payment`, `attempt`, `request`; in settlement `batch`, and `errand`, which has its
    batch's id; of a webhook `event`. Of one of many tenants `tenant`, its name.
    """
    return _ABOUT.get()
