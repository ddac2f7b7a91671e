"""What one person asks for and another agrees to. Pure values; it knows no way to carry one out."""

import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NamedTuple, NewType

import msgspec

from engine.errors import StaffMistake
from engine.money import MINOR_MAX

ProposalId = NewType("ProposalId", str)
"""32 hex digits of a UUID version 7: also the id and the key of what the proposal books."""
Person = NewType("Person", str)
"""The name of a member of staff, lower case; made by `read_person`."""

Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
MaybeId = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{32})?$")]
Version = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]

NAME_LENGTH_MAX = 64
TEXT_LENGTH_MAX = 500


class Kind(StrEnum):
    """What needs two people. Stored by value."""

    TOP_UP = "TOP_UP"
    WITHDRAWAL = "WITHDRAWAL"
    CANCEL_WITHDRAWAL = "CANCEL_WITHDRAWAL"
    REBALANCE = "REBALANCE"
    CORRECTION = "CORRECTION"
    ADJUSTMENT = "ADJUSTMENT"
    WRITE_OFF = "WRITE_OFF"
    CLOSE_CASE = "CLOSE_CASE"
    RELEASE_HOLD = "RELEASE_HOLD"
    REFUSE_HOLD = "REFUSE_HOLD"
    REPAY_RETURNED = "REPAY_RETURNED"
    REFUND_RETURNED = "REFUND_RETURNED"
    REFUND_QUEUED = "REFUND_QUEUED"
    PIN_RESET = "PIN_RESET"
    ERASE_CUSTOMER = "ERASE_CUSTOMER"
    ATTEMPT_SEEN = "ATTEMPT_SEEN"
    PAYOUT_SEEN = "PAYOUT_SEEN"
    REFUND_SEEN = "REFUND_SEEN"
    REFUND_ELSEWHERE = "REFUND_ELSEWHERE"
    RETURN_PAY_IN = "RETURN_PAY_IN"
    ASSIGN_PAY_IN = "ASSIGN_PAY_IN"
    RETURN_FAILED = "RETURN_FAILED"


class State(StrEnum):
    """Where a proposal stands. Stored by value."""

    PROPOSED = "proposed"
    APPROVED = "approved"  # agreed on, to be carried out by whoever comes by
    WAITING = "waiting"  # all we can do is done; the outside must be seen to have moved
    DONE = "done"
    FAILED = "failed"  # it could not be carried out and never will be; nothing is left half done
    REJECTED = "rejected"
    EXPIRED = "expired"


OPEN: Final = (State.PROPOSED, State.APPROVED, State.WAITING)
"""The states of what waits for somebody."""


class Movement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TOP_UP and WITHDRAWAL: minor units into or out of our wallet at one operator."""

    operator: str
    minor: int


class Cancellation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CANCEL_WITHDRAWAL: a withdrawal that did not leave and will not, or a top-up or rebalancing
    that nobody will see."""

    withdrawal: Id


class Rebalancing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """REBALANCE: float from one operator to another of the same currency, moved by people.

    `decision` is what proposed it, as JSON, when no person did.
    """

    source: str
    target: str
    minor: int
    decision: str = ""


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CORRECTION: the journal row that is reversed."""

    payment: Id
    version: Version


class Adjustment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ADJUSTMENT: one transfer between named accounts (`LOSS:KES`, `FLOAT:mpesa_ke:KES`).

    `payment` is the one it speaks of, where it touches money that stands for payments.
    """

    debit: str
    credit: str
    minor: int
    payment: MaybeId = ""


class WriteOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """WRITE_OFF: minor units of a currency that we no longer hope to recover."""

    currency: str
    minor: int


class CaseClosing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CLOSE_CASE: the case's key, as `capp cases` shows it."""

    case: str


class OfPayment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is decided about one payment; `payee` is the other number of REPAY_RETURNED alone."""

    payment: Id
    payee: str = ""


class OfAttempt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ATTEMPT_SEEN: how an attempt that nobody can ask about ended, as people saw it there.

    `reference` is how the operator names the movement: needed when money moved.
    """

    attempt: Id
    outcome: Literal["succeeded", "failed"]
    reference: Annotated[str, msgspec.Meta(max_length=64)] = ""


class PaidBefore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PAYOUT_SEEN: the payee of a payment that is held or came back has the money, as the reference
    there proves.

    `operator` is the one whose wallet of ours it left; by default the one that is to pay out.
    `payee` is the other number that was paid, of what had come back alone.
    """

    payment: Id
    reference: Annotated[str, msgspec.Meta(max_length=64)]
    operator: str = ""
    payee: str = ""


class HandRefund(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """REFUND_SEEN: the payer was paid back by hand, as the reference there proves.

    `operator` is the one whose wallet of ours it left; by default the one that collected.
    """

    payment: Id
    reference: Annotated[str, msgspec.Meta(max_length=64)]
    operator: str = ""


class RefundElsewhere(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """REFUND_ELSEWHERE: the payer's wallet is to be paid by this operator."""

    payment: Id
    operator: str


class OfPayIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """RETURN_PAY_IN: money of nobody we know goes back to whoever sent it."""

    pay_in: Id


class PayInOwner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ASSIGN_PAY_IN: it was meant for this payment after all."""

    pay_in: Id
    payment: Id


class OfReturn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """RETURN_FAILED: the RETURN_PAY_IN whose money, as people saw there, did not go back."""

    proposal: Id


class OfCustomer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PIN_RESET and ERASE_CUSTOMER: whom it is about; the id also begins the key of a case. Never
    a number."""

    customer: Id


BODIES: Mapping[Kind, type[msgspec.Struct]] = {
    Kind.TOP_UP: Movement,
    Kind.WITHDRAWAL: Movement,
    Kind.CANCEL_WITHDRAWAL: Cancellation,
    Kind.REBALANCE: Rebalancing,
    Kind.CORRECTION: Correction,
    Kind.ADJUSTMENT: Adjustment,
    Kind.WRITE_OFF: WriteOff,
    Kind.CLOSE_CASE: CaseClosing,
    Kind.RELEASE_HOLD: OfPayment,
    Kind.REFUSE_HOLD: OfPayment,
    Kind.REPAY_RETURNED: OfPayment,
    Kind.REFUND_RETURNED: OfPayment,
    Kind.REFUND_QUEUED: OfPayment,
    Kind.PIN_RESET: OfCustomer,
    Kind.ERASE_CUSTOMER: OfCustomer,
    Kind.ATTEMPT_SEEN: OfAttempt,
    Kind.PAYOUT_SEEN: PaidBefore,
    Kind.REFUND_SEEN: HandRefund,
    Kind.REFUND_ELSEWHERE: RefundElsewhere,
    Kind.RETURN_PAY_IN: OfPayIn,
    Kind.ASSIGN_PAY_IN: PayInOwner,
    Kind.RETURN_FAILED: OfReturn,
}


NAMES_PAYEE: Final = (Kind.REPAY_RETURNED, Kind.PAYOUT_SEEN)
"""Kinds that may name another number than the payee's."""


class Proposal(msgspec.Struct, frozen=True):
    """A proposal as it is stored. `body` is one of `BODIES`, as JSON; "" if it cannot be read."""

    id: ProposalId
    kind: Kind
    body: str
    note: str
    state: State
    made_by: Person
    made_ms: int
    expires_ms: int
    decided_by: Person | None = None
    decided_ms: int | None = None
    reference: str | None = None  # how the outside names the movement, once it was seen
    reference_by: Person | None = None
    outcome: str = ""


class Rivals(NamedTuple):
    """What else would be about the same as a proposal that is about to be made: `are` says it of
    each of these kinds in these states. `about` names the matter, the same for all of them, and
    `known` those that whoever asks has seen and counted with."""

    about: str
    kinds: tuple[Kind, ...]
    are: Callable[[Proposal], bool]
    states: tuple[State, ...] = OPEN
    known: frozenset[ProposalId] = frozenset()


class Outcome(msgspec.Struct, frozen=True):
    """What carrying out led to: DONE, FAILED or WAITING, and a sentence for the people."""

    state: State
    text: str


Executor = Callable[[Proposal], Awaitable[Outcome]]
"""Carries out one kind. It is called again after a crash and must then come to the same end.

An error it raises leaves the proposal approved, to be tried again; what can never succeed is
answered with FAILED instead.
"""

Check = Callable[[Any], None]
"""Looks at a body before anybody is asked to approve it. Raises StaffMistake."""


def done(text: str) -> Outcome:
    """It is carried out."""
    return Outcome(State.DONE, text)


def failed(text: str) -> Outcome:
    """It cannot be carried out, and nothing of it is left behind."""
    return Outcome(State.FAILED, text)


def waiting(text: str) -> Outcome:
    """The outside has to be seen to move."""
    return Outcome(State.WAITING, text)


def read_person(text: str) -> Person:
    """A name as it is stored: trimmed, lower case, composed. Raises StaffMistake if it is none."""
    name = unicodedata.normalize("NFKC", text).strip().lower()
    if not name or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise StaffMistake("a name has 1 to 64 printable characters")
    return Person(name)


def read_line(text: str) -> str:
    """A reason or a reference as it is stored: one line, trimmed, every blank an ordinary one.

    Raises StaffMistake for none, for more than `TEXT_LENGTH_MAX` characters, and for line breaks
    and control characters: it stands beside what others wrote, on every terminal.
    """
    line = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in text).strip(" ")
    if not 0 < len(line) <= TEXT_LENGTH_MAX or not line.isprintable():
        raise StaffMistake(f"one line of 1 to {TEXT_LENGTH_MAX} printable characters is wanted")
    return line


def spelled(reference: str) -> str:
    """A reference as it is compared: nobody makes another one by small letters or blanks."""
    return "".join(reference.split()).upper()


def read_body(kind: Kind, fields: Mapping[str, Any] | str) -> msgspec.Struct:
    """The body of a kind from fields as typed, or from stored JSON.

    Raises StaffMistake, which names the field that is missing, unknown or of another type.
    """
    try:
        if isinstance(fields, str):
            body = msgspec.json.decode(fields, type=BODIES[kind])
        else:
            _check_names(kind, fields)
            body = msgspec.convert(fields, BODIES[kind], strict=False)
            if getattr(body, "payee", "") and kind not in NAMES_PAYEE:
                known = " and ".join(NAMES_PAYEE)
                raise StaffMistake(f"{kind}: pays no other number: only {known} have `payee`")
    except msgspec.ValidationError as error:
        raise StaffMistake(f"{kind}: {_told(str(error))}") from None
    if not 0 < getattr(body, "minor", 1) <= MINOR_MAX:
        raise StaffMistake(f"{kind}: `minor` is not above zero, or more than any account holds")
    return body


def _check_names(kind: Kind, fields: Mapping[str, Any]) -> None:
    known = msgspec.structs.fields(BODIES[kind])
    names = ", ".join(f"`{field.name}`" for field in known)
    if unknown := sorted(fields.keys() - {field.name for field in known}):
        raise StaffMistake(f"{kind}: there is no `{unknown[0]}`; it has {names}")
    if lacks := [
        f"`{field.name}`" for field in known if field.required and field.name not in fields
    ]:
        raise StaffMistake(f"{kind}: {', '.join(lacks)} is missing")


def _told(fault: str) -> str:
    """What msgspec finds, for people: which field, and what it wants."""
    what, at, place = fault.partition(" - at `$.")
    if not at:
        return what
    wants = "32 hexadecimal digits are wanted" if "regex" in what else what
    return f"`{place.rstrip('`')}`: {wants[0].lower()}{wants[1:]}"
