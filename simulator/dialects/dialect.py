"""What a gateway's dialect is to a phone: how a turn is told, how a screen is read.

One dialect per file, written from the gateway's documents alone. A dialect keeps nothing: what a
dialogue has come to is handed to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple, Protocol

from simulator.exchange import Answer, Request
from simulator.operators.world import World


class Unreadable(Exception):
    """The server answered what the gateway cannot show; the message says how it departs."""


@dataclass(frozen=True)
class Turn:
    """One step of a dialogue, with all that any gateway tells of it."""

    session_id: str
    msisdn: str  # E.164, with plus
    network: str  # the code of country and network
    dialled: str  # the whole string: *384*96*1#
    shortcode: str  # as published: *384*96#
    behind: str  # what was dialled beyond it: 1
    typed: Sequence[str] = ()  # the answers after the dial
    state: str = ""  # what the server wants to be given back

    @property
    def number(self) -> int:
        """The dial is 1."""
        return len(self.typed) + 1

    @property
    def opens(self) -> bool:
        return not self.typed

    @property
    def text(self) -> str:
        """Everything so far, as cumulative gateways send it."""
        return "*".join([self.behind] * bool(self.behind) + list(self.typed))

    @property
    def said(self) -> str:
        """The last input; of the dial the whole dialled string."""
        return self.typed[-1] if self.typed else self.dialled

    @property
    def digits(self) -> str:
        """The number as gateways write it that leave out the plus."""
        return self.msisdn.removeprefix("+")


class Told(NamedTuple):
    """What the server said. `flaws`: what a gateway bears, and a tester should hear of."""

    text: str
    ends: bool
    state: str = ""
    flaws: tuple[str, ...] = ()


class End(Enum):
    """Why a dialogue is over."""

    ANSWERED = auto()  # the server closed it
    HUNG_UP = auto()  # the subscriber did
    TIMED_OUT = auto()  # the subscriber answered nothing for too long
    FAILED = auto()  # the server's answer was of no use


@dataclass(frozen=True)
class Ended:
    """A dialogue that is over, for gateways that tell of it."""

    turn: Turn
    end: End
    at: datetime
    duration_ms: int
    hops: int
    last_answer: str
    states: Sequence[str] = ()  # all that the server wanted back, in order
    error: str | None = None


class Dialect(Protocol):
    """A gateway's language."""

    @property
    def name(self) -> str:
        """What `--dialect` is called with."""
        ...

    @property
    def ends_elsewhere(self) -> bool:
        """Whether ends are told to an address of their own; else to the address of turns."""
        ...

    def session_id(self, world: World) -> str:
        """A fresh one."""
        ...

    def write_turn(self, turn: Turn) -> Request:
        """What the gateway posts. Twice the same for the same turn."""
        ...

    def read_answer(self, answer: Answer, turn: Turn) -> Told:
        """The screen in it. Raises Unreadable."""
        ...

    def write_end(self, ended: Ended) -> Request | None:
        """What the gateway posts when it is over; None where nobody is told."""
        ...
