"""What the engine asks of the outside world, in neutral words: collect, disburse, query, send.

Adapters in `providers` implement these; the engine never learns a company's field names.
"""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec

from engine.clock import AttemptId, IntentId
from engine.money import Money
from engine.msisdn import Msisdn


class Direction(IntEnum):
    """Which way an attempt moves money. The numbers are stored: never renumber."""

    COLLECT = 1
    DISBURSE = 2
    REFUND = 3


class Outcome(StrEnum):
    """What a piece of evidence says about an attempt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # only by a code the operator lists as final
    PENDING = "pending"  # also every word that no list knows
    NOT_FOUND = "not_found"  # the operator has no such reference (yet): not a failure
    REVERSED = "reversed"  # it had succeeded, and the operator has undone it since
    ASKED = "asked"  # the question was taken; the answer, if any, comes by callback


class Reason(StrEnum):
    """Why an attempt failed, as far as a customer may be told. Text keys are `reason.<value>`."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    DECLINED = "declined"
    WRONG_PIN = "wrong_pin"
    NOT_REACHED = "not_reached"  # phone off, prompt not answered in time
    LIMIT = "limit"
    NOT_REGISTERED = "not_registered"
    CANNOT_RECEIVE = "cannot_receive"
    CONFIGURATION = "configuration"  # our own account or credentials: alarm, not the customer
    OTHER = "other"


class CallbackTrust(StrEnum):
    """What an operator's own word about an attempt is worth when it comes by itself."""

    NONE = "none"  # it never calls back
    UNSIGNED = "unsigned"  # believed for its unguessable address; asked about above an amount
    SIGNED = "signed"


class OperatorFacts(msgspec.Struct, frozen=True):
    """What never changes while a process runs about one operator in one country.

    A maximum of 0 says that it cannot do that at all.
    """

    code: int  # part of account numbers and stored rows: never renumber
    name: str  # "mpesa_ke"
    country: str  # ISO 3166 alpha-2
    currency: str
    unit_minor: int  # amounts must be a multiple of this (M-PESA: whole shillings = 100)
    collect_minor_min: int
    collect_minor_max: int
    disburse_minor_min: int
    disburse_minor_max: int
    collect_repeat_is_safe: bool  # may the same reference be sent twice without a second effect?
    disburse_repeat_is_safe: bool
    confirm_callback_above_minor: int  # above this an unsigned callback is confirmed by a query
    reaches: tuple[str, ...] = ()  # other operators' wallets it pays out to; its own always
    can_be_asked: bool = True  # False: it has no answer to how an attempt went; a statement has
    callback: CallbackTrust = CallbackTrust.UNSIGNED
    refund_is_payout: bool = False  # it cannot give a collection back: the payer is paid instead
    can_refund: bool = True  # False: what was collected goes back by people's hands only
    collects_by_link: bool = False  # no prompt comes to the phone: see `Accepted.pay_link`

    @property
    def can_collect(self) -> bool:
        return self.collect_minor_max > 0

    @property
    def can_disburse(self) -> bool:
        return self.disburse_minor_max > 0


class Order(msgspec.Struct, frozen=True):
    """One attempt at moving money, or the question how it went.

    `attempt_id` is ours, committed before the order exists; every operator reference is derived
    from it or from what the operator answered (`provider_reference`, from `Accepted`).
    """

    attempt_id: AttemptId
    direction: Direction
    amount: Money
    msisdn: Msisdn  # whose wallet: the payer's for COLLECT and REFUND, else the payee's
    code: str  # the payment's short code, as both people see it ([0-9A-Z]{10})
    callback_url: str  # an adapter may append "/<kind>"; the rest is unguessable and only hex
    provider_reference: str | None = None
    collected_attempt_id: AttemptId | None = None  # REFUND: the collection that is given back


class Finding(msgspec.Struct, frozen=True):
    """What an operator says about an attempt, by callback or by query.

    Fields the operator did not send are None: absence is not disagreement.
    """

    outcome: Outcome
    code: str  # the operator's own word, as it came
    reason: Reason | None = None  # set when FAILED
    amount: Money | None = None
    msisdn: str | None = None  # E.164, only when the operator sent a whole number
    receipt: str | None = None  # the operator's transaction number
    provider_reference: str | None = None  # must equal the stored one when both are known


class Accepted(msgspec.Struct, frozen=True):
    """The operator took the order; without a `finding` nobody knows yet what has moved.

    An operator that answers only when all is over says in `finding` how it ended: a failure of an
    order that was taken is one, never `Rejected`.
    """

    provider_reference: str | None = None  # what a later query needs, if ours is not enough
    finding: Finding | None = None
    pay_link: str | None = None
    """Where the payer approves when no prompt comes to the phone: a page, short-lived, theirs
    alone. Unless it reaches them the order comes to nothing. Not in the `repr`."""

    def __repr__(self) -> str:
        link = ", with a link" if self.pay_link else ""
        return f"Accepted({self.provider_reference!r}, {self.finding!r}{link})"


class Acknowledgement(msgspec.Struct, frozen=True):
    """What to answer an operator's callback with."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


class Callback(msgspec.Struct, frozen=True):
    """An inbound operator message in neutral words. `redacted` is fit to be stored and shown."""

    finding: Finding
    acknowledgement: Acknowledgement
    redacted: str  # JSON text without full numbers, names or secrets
    answers_query: bool = False  # it is the late answer to a question we asked: proof, not a hint


class OperatorPort(Protocol):
    """One operator in one country. Every method may be repeated with the same order.

    `collect`, `disburse` and `refund` return when the order was accepted and raise `Rejected`
    (definitely not done), `Throttled` or `Unreachable` (definitely not done, may be sent again)
    or `OutcomeUnknown`. They never send twice by themselves, save once after renewing a token
    that the operator refused.
    """

    facts: OperatorFacts

    async def collect(self, order: Order) -> Accepted: ...

    async def disburse(self, order: Order) -> Accepted: ...

    async def refund(self, order: Order) -> Accepted: ...

    async def query(self, order: Order) -> Finding:
        """Ask how an attempt went. ASKED when the operator answers later by callback.

        Raises `Throttled`, `Unreachable` or `OutcomeUnknown`: no evidence, ask again later. One
        that cannot be asked (`OperatorFacts.can_be_asked`) always raises `OutcomeUnknown`.
        """
        ...

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """Translate an inbound callback. Raises `Unreadable` when it is not a documented body."""
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class SignedCallbackPort(Protocol):
    """An operator whose callbacks are proven by their headers. Ask `isinstance`; then only this."""

    def read_signed_callback(self, kind: str, body: bytes, headers: Mapping[str, str]) -> Callback:
        """As `read_callback`; names of headers in lower case, `body` the bytes as they came.

        Raises Unreadable with the code FORGED when the operator did not send it.
        """
        ...


@runtime_checkable
class FixedAddressPort(Protocol):
    """An operator that calls back on one address for all attempts, agreed beforehand."""

    def read_fixed_callback(
        self, body: bytes, headers: Mapping[str, str]
    ) -> tuple[AttemptId, Callback]:
        """Which attempt it speaks of, and what it says. Raises Unreadable, also FORGED."""
        ...


@runtime_checkable
class BalancePort(Protocol):
    """An operator that tells what it holds for us. Not every one can: ask `isinstance`."""

    balance_accounts: tuple[str, ...]
    """Our accounts there by the adapter's own names; what they hold together is our float."""

    async def ask_balance(self, account: str, callback_url: str) -> Money | None:
        """What one account holds now; None when the answer comes to `callback_url`/balance later.

        Changes nothing, so a repeat is safe. Raises `Throttled`, `Unreachable`, `OutcomeUnknown`,
        `Rejected` or `Unreadable`: nobody told anything.
        """
        ...

    def read_balance(self, body: bytes) -> Money | None:
        """Translate a late answer; None when it tells no balance. Raises `Unreadable`."""
        ...


@runtime_checkable
class StatementPort(Protocol):
    """An operator whose statements may name our attempts by words of its own."""

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        """Every word made from the attempt's id that the operator was given for it."""
        ...


@runtime_checkable
class NamePort(Protocol):
    """An operator that tells whose wallet a number is. Not every one can: ask `isinstance`."""

    async def name_of(self, msisdn: Msisdn) -> str | None:
        """The holder's name as the operator writes it, printable and short; None: it knows none.

        Personal: shown to the one who is about to pay, never logged or stored. Changes nothing, so
        a repeat is safe. Raises `Throttled`, `Unreachable`, `OutcomeUnknown` or `Rejected`: nobody
        told anything.
        """
        ...


FORGED = "forged"
"""The code of what claims to come from a gateway and does not."""


class Sms(msgspec.Struct, frozen=True):
    """One text to one phone. `intent_id` is ours; gateways offer no idempotency on it."""

    intent_id: IntentId
    to: Msisdn
    text: str


class SmsAccepted(msgspec.Struct, frozen=True):
    """The gateway took the message and will tell of it under this id."""

    message_id: str
    segments: int | None = None  # as the gateway counts them, if it says so


class SmsReport(msgspec.Struct, frozen=True):
    """A delivery report. `delivered` is None while it is not final.

    `intent_id` is ours, where the gateway lets its address carry it: it settles a message whose
    answer was lost.
    """

    message_id: str
    status: str
    delivered: bool | None
    failure: str = ""
    intent_id: IntentId | None = None


class SmsMessage(msgspec.Struct, frozen=True):
    """A text that somebody sent us. `msisdn` is None when no phone did: a name, a short code.

    The text may be a PIN: it is not in the `repr`.
    """

    message_id: str
    msisdn: Msisdn | None
    text: str
    acknowledgement: Acknowledgement = Acknowledgement(content_type="text/plain")

    def __repr__(self) -> str:
        who = self.msisdn.masked if self.msisdn else None
        return f"SmsMessage({self.message_id!r}, {who}, {len(self.text)} characters)"


class SmsCallback(msgspec.Struct, frozen=True):
    """What an SMS gateway posted. Some sign it together with the address they were given."""

    body: bytes
    url: str = ""  # as the gateway knows it: the public one, query included
    headers: Mapping[str, str] = {}  # names in lower case


class SmsPort(Protocol):
    """An SMS gateway. `send` raises `Rejected`, `Throttled`, `Unreachable`, `OutcomeUnknown`.

    What is read raises `Unreadable`, with the code FORGED when a signature is not the gateway's.
    """

    async def send(self, message: Sms) -> SmsAccepted: ...

    def read_report(self, callback: SmsCallback) -> SmsReport:
        """Translate a delivery report."""
        ...

    def read_message(self, callback: SmsCallback) -> SmsMessage:
        """Translate a message from a phone."""
        ...

    async def aclose(self) -> None: ...


class Turn(msgspec.Struct, frozen=True):
    """One key press as any USSD gateway may tell it.

    `text` holds what the caller typed, the PIN included: neither it nor a whole number is in the
    `repr`.
    """

    session_id: str
    msisdn: Msisdn
    network: str  # mobile country and network code ("63902"); "" when the gateway's word says none
    shortcode: str  # "*384*96#"; "" on later turns of a gateway that tells it at the dial only
    text: str  # all that was typed so far (cumulative), or the last input only
    cumulative: bool
    opens: bool = False
    """Last-input gateways say so, and `text` is then what was dialled behind the shortcode, with
    stars between ("1*500"). Cumulative ones leave it False."""
    sequence: str = ""
    """Tells a repeat (the same) from the same key again (another) where the last input alone
    cannot; "" when the gateway has nothing of the kind."""
    id_recurs: bool = False
    """The gateway has no session ids: this one is the caller's and comes again at the next dial,
    so a turn that opens begins anew whatever was there before."""
    echo: tuple[str, ...] = ()
    """What the gateway wants back in its answer; the adapter's affair alone."""

    def __repr__(self) -> str:
        return f"Turn({self.session_id!r}, {self.msisdn.masked}, {len(self.text)} characters)"


class Reply(msgspec.Struct, frozen=True):
    """One screen. `ends` closes the session."""

    text: str
    ends: bool


class EndReason(StrEnum):
    """Why a session is over, as far as a gateway tells."""

    COMPLETED = "completed"  # with our last screen
    CANCELLED = "cancelled"  # the caller let go
    TIMED_OUT = "timed_out"  # nobody typed in time
    FAILED = "failed"  # the gateway could not use our answer, or got none in time
    UNFINISHED = "unfinished"  # before our last screen, nobody says by whom
    UNKNOWN = "unknown"  # it is over, no more is said, or by a word no list knows


_DROPS = frozenset(
    {EndReason.CANCELLED, EndReason.TIMED_OUT, EndReason.FAILED, EndReason.UNFINISHED}
)


class SessionEnd(msgspec.Struct, frozen=True):
    """What a gateway tells after a session: for statistics, never for money. May come twice.

    Gateways may tell it late, of a session that ended by our own last screen too, or never.
    """

    session_id: str
    status: str  # the gateway's own word, fit to be logged
    reason: EndReason
    msisdn: Msisdn | None = None  # None when the gateway does not say whose session it was
    network: str = ""  # as in `Turn`
    hops: int | None = None  # turns, by the gateway's count
    duration_ms: int | None = None
    acknowledgement: Acknowledgement = Acknowledgement(content_type="text/plain")

    @property
    def dropped(self) -> bool:
        """Whether the gateway says that the caller did not get to our last screen."""
        return self.reason in _DROPS

    def __repr__(self) -> str:
        whose = self.msisdn.masked if self.msisdn else None
        return f"SessionEnd({self.session_id!r}, {whose}, {self.status!r}, {self.reason.value})"


class UssdPort(Protocol):
    """A USSD gateway's dialect: bytes in, a neutral turn out, and back. It keeps nothing."""

    name: str
    media_type: str  # of what it posts, without parameters, in lower case

    def read(self, body: bytes) -> Turn | SessionEnd:
        """What was posted to the address of turns; some gateways tell ends there too.

        Raises `Unreadable`, naming the field, when one is missing, doubled or senseless.
        """
        ...

    def write_reply(self, turn: Turn, reply: Reply, /) -> Acknowledgement:
        """The answer to a turn; the same for the same turn and reply."""
        ...


@runtime_checkable
class EndNotices(Protocol):
    """A gateway that tells of ends at an address of their own. Not every one: ask `isinstance`."""

    def read_end(self, body: bytes) -> SessionEnd:
        """Raises `Unreadable`."""
        ...


class Pair(NamedTuple):
    """Two currencies. A mid rate is major units of `quote` for one major unit of `base`."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


_MID = re.compile(r"(?=.*[1-9])[0-9]{1,15}(\.[0-9]{1,24})?")


class Observation(msgspec.Struct, frozen=True):
    """What a rate source says of one pair. `mid` is a positive decimal in plain digits, exact."""

    pair: Pair
    mid: str
    at_ms: int  # the source's own time, epoch milliseconds

    def __post_init__(self) -> None:
        if not _MID.fullmatch(self.mid):
            raise ValueError(f"not a mid rate: {self.mid[:40]!r}")


class RateSource(Protocol):
    """Somebody who knows market rates. Asking twice changes nothing.

    `is_live`: it follows the market by itself; a table that people keep does not.
    """

    name: str
    is_live: bool
    stale_after_seconds: int  # by the source's own time; how often it publishes is its own affair

    async def fetch(self, pairs: Sequence[Pair]) -> list[Observation]:
        """At most one observation for each pair; what the source does not know is left out.

        Raises a `ProviderError`: `Unreadable` for a document that is not what it documents.
        """
        ...

    async def aclose(self) -> None: ...
