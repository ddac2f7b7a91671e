"""One thing said between an operator and us: as it is stored, and as people read it. Pure."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

import msgspec

from engine.clock import AttemptId


class Way(IntEnum):
    """Who spoke first. The numbers are stored: never renumber."""

    THEY_CALLED = 1
    WE_CALLED = 2


class Fate(StrEnum):
    """What became of a callback that moved no payment; one that did is kept as evidence alone."""

    KEPT = "kept"  # evidence: nothing to do, or said before
    NEEDS_PROOF = "needs proof"  # evidence: the operator is asked before it counts
    CONFLICT = "conflict"  # evidence against what we know: a case is open
    PAID_IN = "paid in"  # money that came by itself
    ANSWERED = "answered"  # the late answer to a question about no payment
    FAILED = "failed"  # by our own fault, and answered 500
    UNEXPECTED = "unexpected"  # of an operator that is not known to call back
    UNREADABLE = "unreadable"
    FORGED = "forged"  # the address is ours, the signature is not theirs
    UNKNOWN_ATTEMPT = "unknown attempt"
    REFUSED_SOURCE = "refused source"
    TOO_LARGE = "too large"
    WRONG_METHOD = "wrong method"
    NO_SUCH_ADDRESS = "no such address"  # nobody who knows one of ours


STRANGE = frozenset({Fate.NO_SUCH_ADDRESS, Fate.REFUSED_SOURCE, Fate.FORGED})
"""What anybody can send us: no more of it is kept than a minute's allowance."""


class Said(NamedTuple):
    """As it is stored. Texts are redacted JSON or ""; `evidence` is the hash of the row that holds
    the words instead. `times` above 1: so many like it were counted and not kept."""

    at_ms: int
    way: Way
    operator: str  # "" when nobody knows whose it is
    operation: str  # the kind of a callback, or what was called
    outcome: str  # a Fate, or the class of the error of a call that had no answer
    attempt_id: AttemptId | None = None
    status: int | None = None
    source: str = ""
    elapsed_ms: int | None = None
    asked: str = ""
    answered: str = ""
    evidence: str | None = None
    times: int = 1


class Kind(StrEnum):
    """What a line of a conversation is."""

    REQUEST = "request"  # we called them; `asked` and `answered`
    CALLBACK = "callback"  # they called us; `asked` is what they said, `status` our answer
    EVIDENCE = "evidence"  # what was taken as proof or hint: `operation` says whence
    STATE = "state"  # the payment moved: `operation` is the new state


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a payment's conversation, fit to be shown to support: numbers are masked."""

    at: datetime  # aware, UTC, to the millisecond
    kind: Kind
    operation: str
    operator: str = ""
    attempt_id: AttemptId | None = None
    outcome: str = ""
    status: int | None = None  # of HTTP; None for a call: there was no answer
    elapsed_ms: int | None = None
    source: str = ""
    asked: str = ""  # JSON texts
    answered: str = ""
    times: int = 1
