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
    OPERATOR_FAULT = "operator_fault"  # their system broke down over it, by their own word
    OTHER = "other"  # no word of theirs says whose matter it is


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
    refund_repeat_is_safe: bool  # of `refund`, however the operator carries it out
    confirm_callback_above_minor: int  # above this an unsigned callback is confirmed by a query
    reaches: tuple[str, ...] = ()  # other operators' wallets it pays out to; its own always
    can_be_asked: bool = True  # False: it has no answer to how an attempt went; a statement has
    callback: CallbackTrust = CallbackTrust.UNSIGNED
    refund_is_payout: bool = False  # it cannot give a collection back: the payer is paid instead
    can_refund: bool = True  # False: what was collected goes back by people's hands only
    callback_tells_receipt: bool = False
    """A callback of a collection that succeeded always tells the operator's own number of it, in
    one spelling, and no two have the same: another number is another payment."""
    collects_by_link: bool = False  # no prompt comes to the phone: see `Accepted.pay_link`
    webhooks: tuple[str, ...] = ("operator",)
    """What the company is called in our addresses for its callbacks: the first stands in those it
    is given, it may come by any of them."""

    @property
    def can_collect(self) -> bool:
        return self.collect_minor_max > 0

    @property
    def can_disburse(self) -> bool:
        return self.disburse_minor_max > 0

    def repeat_is_safe(self, direction: Direction) -> bool:
        """Whether the same order may be sent twice without a second effect."""
        if direction is Direction.COLLECT:
            return self.collect_repeat_is_safe
        is_payout = direction is Direction.DISBURSE
        return self.disburse_repeat_is_safe if is_payout else self.refund_repeat_is_safe


class Sender(msgspec.Struct, frozen=True):
    """Who is behind a payout, for operators that must be told across a border."""

    country: str  # ISO 3166 alpha-2, of the wallet that was collected from
    amount: Money  # what was sent, before any exchange
    msisdn: Msisdn
    language: str  # as the catalogue of texts names it


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
    callback_url: str  # without a kind: `callback_at`; its last word is unguessable
    provider_reference: str | None = None
    collected_attempt_id: AttemptId | None = None  # REFUND: the collection that is given back
    collected_receipt: str | None = None
    """REFUND: the operator's own number of that collection, where it is known and all of it goes
    back. The same at every repeat of an order."""
    sender: Sender | None = None  # DISBURSE: who pays


def callback_at(callback_url: str, kind: str) -> str:
    """The address for one kind of callback: the kind stands before the last word.

    So addresses read as businesses know them, `.../mpesa/b2c-result/<what nobody guesses>`.
    """
    stem, _, token = callback_url.rpartition("/")
    return f"{stem}/{kind}/{token}"


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
    headers: tuple[tuple[str, str], ...] = ()  # more of them, names in lower case


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


FIXED_KIND = "callback"
"""The kind in the address of an operator that calls back on one for all attempts."""
BALANCE_KIND = "balance"
"""The kind of a balance that is told later."""


@runtime_checkable
class BalancePort(Protocol):
    """An operator that tells what it holds for us. Not every one can: ask `isinstance`."""

    balance_accounts: tuple[str, ...]
    """Our accounts there by the adapter's own names; what they hold together is our float."""

    async def ask_balance(self, account: str, callback_url: str) -> Money | None:
        """What one account holds now; None when the answer comes later, by kind BALANCE_KIND.

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
class AddressPort(Protocol):
    """An operator that calls back on some addresses only. Not every one is: ask `isinstance`."""

    def address_fault(self, callback_url: str) -> str | None:
        """Why orders with this address would be refused, for people; None: they would not be.

        Asks nobody, so a process can find out before it serves.
        """
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


class PayInRefusal(StrEnum):
    """Why money that a customer is about to send by themselves is not wanted."""

    REFERENCE = "reference"  # it names nothing that waits for money
    AMOUNT = "amount"  # of what it names, another amount is wanted
    PAYER = "payer"  # somebody else is to pay that
    OTHER = "other"  # nobody can tell now


class PaidIn(msgspec.Struct, frozen=True):
    """Money that a customer sends to a number of ours by themselves, as the operator tells it.

    People type their number where a reference is asked for: it is not in the `repr`.
    """

    receipt: str  # the operator's own number of it: the same again is the same money
    amount: Money
    reference: str  # what the customer typed; "" where there was nothing to type
    payer: str  # as told, masked or hashed, for `is_payer` alone; "" when it was not told

    def __repr__(self) -> str:
        return f"PaidIn({self.receipt!r}, {self.amount}, {len(self.reference)} characters)"


class PayInAnswer(msgspec.Struct, frozen=True):
    """What an operator says when it is asked about money that was sent to us, or sent back.

    `finding.msisdn` is the payer's number, where it is told whole.
    """

    finding: Finding
    acknowledgement: Acknowledgement


@runtime_checkable
class PayInPort(Protocol):
    """An operator by which customers send us money of their own accord. Ask `isinstance`.

    Before it takes the money it may ask us (PAY_IN_QUESTION), afterwards it says so
    (PAY_IN_NOTICE): once, twice, late, or never. Neither is signed.
    """

    pay_in_acknowledgement: Acknowledgement
    """What a notice is answered with."""

    def read_pay_in(self, body: bytes) -> PaidIn:
        """Translate a question or a notice. Raises `Unreadable`, also of a number not ours."""
        ...

    def answer_pay_in(self, refusal: PayInRefusal | None) -> Acknowledgement:
        """The answer to a question; None takes the money."""
        ...

    def is_payer(self, told: str, msisdn: Msisdn) -> bool:
        """Whether `PaidIn.payer` may be this number; nothing told disagrees with nobody."""
        ...

    async def register_pay_ins(self, *, question_url: str, notice_url: str) -> None:
        """Tell the operator where to ask and where to say so. Raises as `OperatorPort.collect`.

        Some operators take it once only: `Rejected` then says how to register anew.
        """
        ...

    async def ask_pay_in(self, receipt: str, callback_url: str) -> None:
        """Ask whether this money really came. The answer comes later, by kind PAY_IN_STATUS.

        Changes nothing, so a repeat is safe. Raises `Throttled`, `Unreachable`, `OutcomeUnknown`
        or `Rejected`: nobody told anything.
        """
        ...

    async def return_pay_in(self, paid: PaidIn, callback_url: str) -> Accepted:
        """Send it back to whoever sent it. How that went comes later, by kind PAY_IN_RETURN.

        A repeat is safe: what has gone back is found to have succeeded. Raises as
        `OperatorPort.refund`.
        """
        ...

    def read_pay_in_answer(self, kind: str, body: bytes) -> PayInAnswer:
        """Translate a late answer of a kind above. Raises `Unreadable`."""
        ...


PAY_IN_QUESTION = "c2b-validation"
PAY_IN_NOTICE = "c2b-confirmation"
PAY_IN_STATUS = "c2b-status"
PAY_IN_RETURN = "c2b-return"
PAY_IN_TIMEOUT = "c2b-timeout"  # one of our questions waited too long: says nothing
PAY_IN_KINDS = (PAY_IN_QUESTION, PAY_IN_NOTICE, PAY_IN_STATUS, PAY_IN_RETURN, PAY_IN_TIMEOUT)
"""The kinds in the addresses of `PayInPort`, as businesses know the first two."""


@runtime_checkable
class HolderPort(Protocol):
    """An operator that tells whether a number has a wallet that works. Ask `isinstance`."""

    async def is_active(self, msisdn: Msisdn) -> bool | None:
        """False for one that is closed or barred; None when the operator knows no such wallet.

        True promises nothing about an amount. Changes nothing, so a repeat is safe. Raises as
        `NamePort.name_of` does.
        """
        ...


class PortabilityPort(Protocol):
    """Somebody who knows which operator a number is with now, wherever it was given out first."""

    name: str

    async def operator_of(self, msisdn: Msisdn) -> str | None:
        """The operator by our own name for it; None when they do not know, or mean nobody we name.

        Changes nothing, so a repeat is safe. Raises any `ProviderError`: nobody told anything.
        """
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class DeliveryNoticePort(Protocol):
    """An operator that brings a word of ours to who has paid. Ask `isinstance`, then `notifies`."""

    notifies: bool  # a setting: not everybody wants a second message

    async def notify_delivered(self, collected: AttemptId, text: str) -> None:
        """What was paid for is there. Money is not touched, and a repeat may be a second message.

        Raises any `ProviderError`; the payment is what it is without it.
        """
        ...


class Preapproval(msgspec.Struct, frozen=True):
    """A payer is asked to let us collect without a prompt; `id` is ours, 32 hex digits."""

    id: str
    msisdn: Msisdn
    text: str  # what the payer reads when asked
    valid_seconds: int


@runtime_checkable
class PreapprovalPort(Protocol):
    """An operator whose payers may agree beforehand. Only they can: nothing here agrees for them.

    Every method may be repeated and raises as `OperatorPort` does.
    """

    async def ask_preapproval(self, asked: Preapproval) -> None:
        """Have the payer asked; what they said is found out by `preapproval_stands`."""
        ...

    async def preapproval_stands(self, asked: Preapproval) -> Finding:
        """SUCCEEDED once the payer has agreed; FAILED with a reason when they did not."""
        ...

    async def cancel_preapproval(self, asked: Preapproval) -> None:
        """From now on they are asked each time again. One that is gone already is cancelled."""
        ...

    async def is_preapproved(self, msisdn: Msisdn) -> bool:
        """Whether a collection from there needs no prompt now."""
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
