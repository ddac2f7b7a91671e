"""The record of one dialogue: where it stands, what was chosen, what was answered last.

It never holds what a customer typed in clear: of the text only its length and a keyed MAC are
kept, enough to recognise a repeat and to find what is new; of a new PIN only its MAC.
"""

import hashlib
import zlib
from typing import Any, NamedTuple

import msgspec

from engine.clock import CustomerId, Ids
from engine.customers.customers import Customer
from engine.fx.quotes import Quote
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import LimitsLeft, MoneyRequest, PaymentSummary
from engine.session.sealing import MAC_BYTES, Macs

KEPT_SECONDS = 900
"""How long what became of a payment is told at the next dial, and what a session that never came
to a screen is kept."""

TTL_GRACE_SECONDS = 150
"""Kept beyond the network's patience: those figures are hearsay, and repeats arrive late."""

OPENING = "opening"
"""Where a session stands before its first screen."""
UNREAD = "unread"
"""Where one stands whose record is there and says nothing: sealed by another key, or by nobody."""

TEXT, PIN = b"text", b"pin"
"""The kinds of text that are sealed; a MAC of one never passes for one of the other."""

PLAIN_BYTES_MAX = 1024
"""What is larger is deflated, to keep every record below a kilobyte: a price with three ways, say.
No sooner, because it costs ten times what writing one does.
"""

EARLIER_MAX = 20
"""Of so many messages before the last a session knows that it had them."""

UNSEEN_MAX = 5
"""Of so many prices that earlier sessions may have paid a session knows the keys: the last ones."""
UNSEEN_SECONDS = 86_400
"""How long these are known, and what came of them is asked for: a full disk may last a night."""

_QUOTE_DIGITS = 8
"""Of a price's id, drawn by chance. Two alike in one session: the second is refused, not paid."""
_MINUTE_DIGITS = 8
"""An id begins with twelve digits of milliseconds: these eight change every 65 seconds."""
_STEP_BYTES = 4
_DEFLATED = b"\xc1"
"""The one byte no msgpack ever begins with (specification, "Formats")."""
_INFLATED_BYTES = 4096
"""Room for nearly all of them; zlib finds more for the rest."""


class Item(NamedTuple):
    """One line of a list as it is shown, and what it stands for (a number, a code, a language)."""

    ref: str
    label: str


class Holder(NamedTuple):
    """Whose wallet a number is, as an operator told; "" when it was asked and told nothing."""

    msisdn: Msisdn
    name: str
    operator: str = ""

    def __repr__(self) -> str:
        return f"Holder({self.msisdn.masked})"


class Chosen(NamedTuple):
    """At which operator a number has its wallet, by the word of whoever pays."""

    msisdn: Msisdn
    operator: str

    def __repr__(self) -> str:
        return f"Chosen({self.msisdn.masked}, {self.operator})"


class Session(msgspec.Struct, array_like=True):
    """Fields in the order they are stored; a new one goes to the end and has a default.

    `screen` is moved by the machine only. `step` counts the turns taken and is the version that a
    save compares. `menu` is the edition it began with and stays with.
    """

    nonce: str
    step: int
    menu: str
    msisdn: Msisdn
    network: str
    language: str
    country: str
    screen: str
    history: list[str]
    ended: bool = False
    text_length: int = 0
    text_mac: bytes = b""
    reply: str = ""
    customer_id: CustomerId | None = None
    tier: int = 0
    payee: Msisdn | None = None
    pin_mac: bytes | None = None
    quote: Quote | None = None
    code: str | None = None
    summary: PaymentSummary | None = None
    sequence: str = ""  # of a last-input gateway's last turn
    page: int = 0
    pages: int = 1  # of the screen as it was shown last
    listed: str | None = None  # which list `items` is
    items: list[Item] = []
    amount: Money | None = None  # typed, or sent last time
    name: str = ""
    request: MoneyRequest | None = None
    limits: LimitsLeft | None = None
    reference: str = ""
    kept: str = ""  # what a dropped session had got to, as a line of text
    resumes: str = ""  # the dropped session's journey
    at: int = 0  # epoch seconds of the last turn: its answer, or if that was late, its arrival
    dropped: bool = False  # the gateway said that it is over before we did
    was_late: bool = False  # it ended because a verb missed the deadline
    keep_seconds: int = KEPT_SECONDS  # how long after `at` it can be taken up: its screen's word
    answer: str | int = ""  # what was typed by a rule and is kept to be shown
    asked: MoneyRequest | None = None  # one of the caller's own requests
    holders: list[Holder] = []  # of the wallets that were priced, one entry each
    chosen: Chosen | None = None  # the payer knows better than the payee's prefix
    elsewhere: bool = False  # the price shown could be one for another operator's wallet
    currency: str = ""  # of the caller's wallet
    earlier: list[int] = []  # messages before the last one, where they are named and not counted
    unseen_since: int = 0  # epoch seconds: the session before may have paid since, and nobody knew
    unseen: list[str] = []  # the keys of what they may pay yet: `price_key` of those sessions
    told: list[Holder] = []  # of `holders`, with the whole name: those that a screen shows cut
    mistake: str = ""  # above the pages that are turned, in the words that were shown

    @property
    def customer(self) -> Customer:
        """Whom the session belongs to. Only after `find_customer` knew them, or `register`."""
        assert self.customer_id is not None, "no customer screen is reached before registration"
        return Customer(self.customer_id, self.msisdn, self.country, self.language, self.tier)

    @property
    def useful_seconds(self) -> int:
        """How long after its last turn the next dial may ask for it.

        With a price in it, somebody may have agreed to that without the answer being kept: the
        truth about a payment is told as long as ever, however soon the offer to go on ends; what
        was late may be stored hours later.
        """
        if self.unseen or (self.was_late and self.quote is not None):
            return UNSEEN_SECONDS
        if self.quote is None:
            return self.keep_seconds
        return max(self.keep_seconds, KEPT_SECONDS)

    def note(self, sequence: str) -> None:
        """The last turn was the one that its gateway tells from others by `sequence`."""
        if self.sequence and not self.sequence.isdecimal():
            self.earlier = [*self.earlier, _short(self.sequence)][-EARLIER_MAX:]
        self.sequence = sequence

    def had(self, sequence: str) -> bool:
        """Whether an earlier turn than the last was that one."""
        return bool(self.earlier) and _short(sequence) in self.earlier

    def shed(self) -> None:
        """Keep what the next dial may ask of a session that is over, and nothing else.

        What was late keeps its price: it may be that of a payment which is taken on yet.
        """
        if not self.was_late:
            self.quote = None
        self.summary, self.limits, self.asked = None, None, None
        self.history, self.items, self.listed = [], [], None
        self.holders, self.told, self.chosen, self.mistake = [], [], None, ""

    @property
    def is_unread(self) -> bool:
        return self.screen == UNREAD

    @property
    def may_have_paid(self) -> bool:
        """Whether somebody may have agreed to its price without the answer being kept."""
        return self.quote is not None and (self.was_late or not self.ended)

    @property
    def price_key(self) -> str:
        """A price is paid once, whichever turn agrees to it: a record that went back asks again."""
        assert self.quote is not None, "a price was shown before it is confirmed"
        return f"turn:{self.nonce}:{self.quote.quote_id[-_QUOTE_DIGITS:]}"

    @property
    def left_unseen(self) -> list[str]:
        """The keys under which this session or those before it may be paid, and nobody knows.

        A price for a request has the request's own key, which is paid once by itself.
        """
        is_own = self.may_have_paid and self.quote is not None and not self.quote.request
        return [*self.unseen, *([self.price_key] if is_own else [])][-UNSEEN_MAX:]

    def holder_of(self, msisdn: Msisdn, operator: str) -> str:
        """The name that an operator told for a number, as a screen shows it, or ""."""
        wallet = (msisdn, operator)
        return next((h.name for h in self.holders if (h.msisdn, h.operator) == wallet), "")

    def told_of(self, msisdn: Msisdn, operator: str) -> str:
        """The same in the operator's own words: for compliance, not for a screen."""
        wallet = (msisdn, operator)
        whole = (h.name for h in self.told if (h.msisdn, h.operator) == wallet)
        return next(whole, self.holder_of(msisdn, operator))

    def wallet_chosen(self, msisdn: Msisdn) -> str | None:
        """Whose the wallet of a number is by the caller's own word, if they said so."""
        return self.chosen.operator if self.chosen and self.chosen.msisdn == msisdn else None

    def fill(self, name: str, items: list[Item]) -> None:
        """Make `name` the list that is shown; there is one at a time."""
        self.listed, self.items = name, items

    @property
    def told_name(self) -> str:
        """What logs call it: says nothing of whose it is, and nobody can go on in it by this."""
        return hashlib.blake2b(self.nonce.encode(), digest_size=6).hexdigest()


class Seal:
    """Keyed MACs (BLAKE2b) of what must be recognised but not kept."""

    def __init__(self, *keys: bytes) -> None:
        """The first of `keys` seals, all are known. Raises ValueError unless each has 16 to 64
        bytes.
        """
        if not all(MAC_BYTES <= len(key) <= hashlib.blake2b.MAX_KEY_SIZE for key in keys):
            raise ValueError("the session key must have 16 to 64 bytes")
        self._macs = {kind: Macs(keys, kind) for kind in (TEXT, PIN)}

    def __repr__(self) -> str:
        return "Seal(...)"

    def of(self, session: Session, kind: bytes, text: str) -> bytes:
        """The MAC of a text; the session's nonce is mixed in, so equal texts look different."""
        return self._macs[kind].of(_said(session, text))

    def matches(self, session: Session, kind: bytes, text: str, mac: bytes) -> bool:
        return self._macs[kind].match(_said(session, text), mac)


def _said(session: Session, text: str) -> bytes:
    return session.nonce.encode() + text.encode("utf-8", "surrogatepass")


def _short(sequence: str) -> int:
    """Four bytes of a name that may have a hundred."""
    return zlib.crc32(sequence.encode("utf-8", "surrogatepass"))


def unread(msisdn: Msisdn, at: int) -> Session:
    """Stands for a session whose record cannot be read; `at`: its last turn was not before that."""
    return Session("", 0, "", msisdn, "", "", "", UNREAD, [], at=at)


def new_nonce(ids: Ids) -> str:
    """By chance, behind the minute in which the session begins.

    So the keys of payments that are made at one time lie side by side in their index, and each
    does not touch a page of its own among all that were ever made.
    """
    fresh = ids.hex()
    return fresh[:_MINUTE_DIGITS] + fresh[16:]


def pack(session: Session) -> bytes:
    """The step first, in four bytes, so that a save can compare it without reading the rest.

    The few records that are large, at a price with several ways, are deflated: names of fields are
    half of what they hold.
    """
    step, body = session.step.to_bytes(_STEP_BYTES, "big"), _ENCODER.encode(session)
    if len(step) + len(body) <= PLAIN_BYTES_MAX:
        return step + body
    return step + _DEFLATED + zlib.compress(body, 1)


def unpack(record: bytes) -> Session | None:
    """The inverse of `pack`; None for a record this version of the program cannot read."""
    body: bytes | memoryview = memoryview(record)[_STEP_BYTES:]
    try:
        if body[:1] == _DEFLATED:
            body = zlib.decompress(body[1:], bufsize=_INFLATED_BYTES)
        return _DECODER.decode(body)
    except (msgspec.DecodeError, ValueError, zlib.error):
        return None


def head_of(record: bytes | None) -> bytes:
    """How a record begins: its step, which a save compares. Empty where there is none."""
    return b"" if record is None else record[:_STEP_BYTES]


def went_back(record: bytes, session: Session) -> bool:
    """Whether it is this session as it stood before the turn that `session` took was loaded.

    Nobody was faster then: Redis forgot, and what the turn did must not be done from there again.
    """
    stored = unpack(record)
    return stored is not None and stored.nonce == session.nonce and stored.step < session.step - 1


def _encode_special(value: Any) -> Any:
    if isinstance(value, Msisdn):
        return str(value)
    raise NotImplementedError(f"a session cannot hold {type(value).__name__}")


def _decode_special(kind: type, value: Any) -> Any:
    if kind is Msisdn:
        return Msisdn(value)
    raise NotImplementedError(f"a session cannot hold {kind.__name__}")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_encode_special)
_DECODER = msgspec.msgpack.Decoder(Session, dec_hook=_decode_special)
