"""Whose wallet a number is, when its prefix may lie: what was heard, weighed. Pure.

Numbers are ported, and a wallet goes with its number. It refuses to know the number itself: hints
are operators' names and times, so a decision can be kept and made again.
"""

from enum import StrEnum
from typing import Any

import msgspec

from engine.decisions import Decision, Kind


class Source(StrEnum):
    """By whose word a wallet is an operator's."""

    CHOSEN = "chosen"  # who pays said so, for this payment
    LOOKED_UP = "looked_up"  # a look-up service
    DIALLED = "dialled"  # the network that served the payee's own last dial
    PUT_DOWN = "put_down"  # staff
    PREFIX = "prefix"  # the range the number was first given out in


class Hints(msgspec.Struct, frozen=True, omit_defaults=True):
    """Operators by name, as far as anybody says; times are epoch milliseconds.

    `dialled_since_ms` is when dials began to come by that network, not the last of them: one more
    dial by the same network is no news.
    """

    prefix: str | None = None
    chosen: str | None = None
    looked_up: str | None = None
    dialled: str | None = None
    dialled_since_ms: int = 0
    put_down: str | None = None
    put_down_ms: int = 0

    @property
    def is_prefix_alone(self) -> bool:
        """Whether nobody says anything but the numbering plan."""
        return not (self.chosen or self.looked_up or self.dialled or self.put_down)


class Wallet(msgspec.Struct, frozen=True):
    """Whose wallet it is, by whose word. `decision` is None where the prefix alone speaks."""

    operator: str | None
    source: Source
    decision: Decision | None = None


def decide(hints: Hints) -> Wallet:
    """The operator that is believed; None for a number that nobody says anything about.

    What the payer said comes first, then a look-up, then the newer of the payee's dials and what
    staff put down, then the prefix. Pure: the same hints lead to the same wallet.
    """
    said = _in_order(hints)
    source, operator = next(((s, name) for s, name in said if name), (Source.PREFIX, None))
    if hints.is_prefix_alone:
        return Wallet(operator, source)
    doubts = sorted({f"{s}: {name}" for s, name in said if name and name != operator})
    reason = "; ".join([source, *doubts])
    inputs: dict[str, Any] = msgspec.to_builtins(hints)
    return Wallet(operator, source, Decision(Kind.WALLET, operator or "unknown", reason, inputs))


def _in_order(hints: Hints) -> list[tuple[Source, str | None]]:
    seen = [(Source.DIALLED, hints.dialled), (Source.PUT_DOWN, hints.put_down)]
    if hints.put_down_ms > hints.dialled_since_ms:
        seen.reverse()
    return [
        (Source.CHOSEN, hints.chosen),
        (Source.LOOKED_UP, hints.looked_up),
        *seen,
        (Source.PREFIX, hints.prefix),
    ]


def replay(decision: Decision) -> Decision | None:
    """The same wallet again. Raises msgspec.ValidationError for inputs nobody can read."""
    return decide(msgspec.convert(decision.inputs, Hints)).decision
