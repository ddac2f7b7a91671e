"""One payment as the engine holds it in memory, and what of it is stored as facts."""

from typing import Any

import msgspec

from engine.clock import AttemptId, CustomerId, PaymentId
from engine.fx.quotes import Quote
from engine.ledger.chart import Route
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.lifecycle import LIVE_DIRECTION, State
from engine.ports import Direction

# Crockford's base 32: no I, L, O or U, so a code read aloud is typed back right.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 10


def code_of(payment_id: str) -> str:
    """The short code both people see: ten characters from the random bits of the id."""
    bits = int(payment_id, 16)
    return "".join(_ALPHABET[bits >> 5 * i & 31] for i in reversed(range(CODE_LENGTH)))


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What never changes about a payment; stored once, in the journal row of its creation."""

    quote: Quote
    tenant: int
    customer_id: CustomerId


class Payment(msgspec.Struct, frozen=True):
    """A payment at one version. `live` is the attempt that may be moving money now."""

    payment_id: PaymentId
    facts: Facts
    route: Route
    state: State
    version: int
    live: AttemptId | None

    @property
    def quote(self) -> Quote:
        return self.facts.quote

    @property
    def code(self) -> str:
        return code_of(self.payment_id)

    @property
    def live_direction(self) -> Direction | None:
        """None when no attempt is live."""
        return LIVE_DIRECTION.get(self.state)

    def operator_of(self, direction: Direction) -> str:
        """Whose wallet an attempt touches: the payee's operator pays out, the payer's the rest."""
        quote = self.quote
        return quote.payee_operator if direction is Direction.DISBURSE else quote.payer_operator

    def amount_of(self, direction: Direction) -> Money:
        return self.quote.receives if direction is Direction.DISBURSE else self.quote.total

    def msisdn_of(self, direction: Direction) -> Msisdn:
        return Msisdn(self.quote.payee if direction is Direction.DISBURSE else self.quote.payer)


def _read(kind: type, value: Any) -> Any:
    return kind(value)  # Msisdn, a text by another name


encode_facts = msgspec.json.Encoder(enc_hook=str).encode
decode_facts = msgspec.json.Decoder(Facts, dec_hook=_read).decode
