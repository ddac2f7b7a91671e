"""The state of the Airtel Money sandbox: settings, tokens, keys, transactions.

One sandbox is one country. Facts: reference airtel-money.md, sections 2 to 4, 9 and 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import PAID_AFTERWARDS, TOKEN, FaultBook, FaultTarget, Refusal
from simulator.operators import credentials as constants
from simulator.operators.airtel_money import wire
from simulator.operators.airtel_money.sealing import KeyPair, PinPadding
from simulator.operators.airtel_money.wire import COUNTRIES, Country, Order
from simulator.operators.authorization import bearer_token
from simulator.operators.base import MinorUnits, Sandbox, Settings
from simulator.operators.world import World

Kind = Literal["collection", "disbursement"]


class AirtelSettings(Settings, kw_only=True, forbid_unknown_fields=True):
    """What only Airtel has. Amounts in minor units of the country's currency.

    The portal's switches: `callback_url` (None: no callbacks), `callback_key` ("": not signed),
    `callback_hash` (what the hash is over), `address_allowed` (our address is on its list),
    `signing_required`. The rest are the things that differ by country and date.
    """

    token_seconds: int = 180
    default_balance_minor: MinorUnits = 1_000_000
    country: str = "KE"
    currency_word: str = ""
    client_id: str = constants.AIRTEL_SANDBOX_CLIENT_ID
    client_secret: str = constants.AIRTEL_SANDBOX_CLIENT_SECRET
    pin: str = constants.AIRTEL_SANDBOX_PIN
    callback_url: str | None = None
    callback_key: str = ""
    callback_hash: Literal["transaction", "body", "header"] = "transaction"
    address_allowed: bool = True
    signing_required: bool = False
    pin_padding: PinPadding = "pkcs1v15"
    pin_field: Literal["pin", "pinstring"] = "pin"
    key_bits: Literal[1024, 2048] = 1024
    separate_pin_key: bool = False
    expires_in_as_number: bool = False
    lenient_msisdn: bool = False
    payouts: Literal["at once", "later"] = "at once"
    payout_failures: Literal["status", "error"] = "status"
    amount_minor_min: MinorUnits = 1
    amount_minor_max: MinorUnits = 10_000_000_000

    def __post_init__(self) -> None:
        if self.country not in COUNTRIES:
            raise ValueError(f"no such country: {self.country}")


class Code(msgspec.Struct, forbid_unknown_fields=True):
    """A code the next calls get: at once, or (`ends`) as the end of a payment that was taken."""

    on: Literal["collect", "disburse", "refund", "query", "balance", "user", "keys"]
    code: str
    msisdn: str | None = None
    times: int = 1
    http: int = 400
    ends: bool = False


@dataclass
class Transaction:
    """One accepted request and what became of it. `msisdn` has the country's code."""

    kind: Kind
    id: str
    order: Order
    msisdn: str
    status: str = "TIP"
    code: str = ""
    airtel_money_id: str = ""
    is_refunded: bool = False


class AirtelSandbox(Sandbox[AirtelSettings]):
    """Everything the handlers share."""

    fault_answers = wire.FAULT_ANSWERS

    def __init__(
        self,
        world: World,
        settings: AirtelSettings,
        *,
        collection_minor: int,
        disbursement_minor: int,
    ) -> None:
        super().__init__(
            world,
            settings,
            collection_minor=collection_minor,
            disbursement_minor=disbursement_minor,
        )
        self.faults = FaultBook(never=PAID_AFTERWARDS)
        self.tokens: dict[str, datetime] = {}
        self.codes: list[Code] = []
        self.transactions: dict[tuple[Kind, str], Transaction] = {}
        self._receipts = 0
        self.rotate_keys()

    @property
    def country(self) -> Country:
        """The one this sandbox is in."""
        return COUNTRIES[self.settings.country]

    @property
    def currency(self) -> str:  # type: ignore[override]
        """ISO 4217 code of every wallet here."""
        return self.country.currency

    def rotate_keys(self) -> None:
        """New keys: what is sealed with the old ones is refused from now on."""
        self.key_id = getattr(self, "key_id", 99) + 1
        self.signing_key = KeyPair(bits=self.settings.key_bits)
        separate = self.settings.separate_pin_key
        self.pin_key = KeyPair(bits=self.settings.key_bits) if separate else self.signing_key

    def issue_token(self) -> str:
        """A new bearer token; under its fault it has run out already."""
        text = self.world.receipt_letters(32)
        is_dead = self.faults.take(TOKEN, None, "token")
        lives = timedelta(seconds=0 if is_dead else self.settings.token_seconds)
        self.tokens[text] = self.world.clock() + lives
        return text

    def admit(self, request: Request, on: FaultTarget, msisdn: str | None) -> None:
        """Address, token, country and currency of a business call, or a refusal (section 4)."""
        if not self.settings.address_allowed:
            raise Refusal(Response("Forbidden", 403, media_type="text/plain"))
        text = bearer_token(request.headers.get("authorization", "")) or ""
        if self.faults.take(TOKEN, msisdn, on):
            self.tokens.pop(text, None)
        expires_at = self.tokens.get(text)
        if expires_at is None or expires_at <= self.world.clock():
            raise wire.token_refused()
        country, currency = (request.headers.get(f"x-{name}") for name in ("country", "currency"))
        if not country:
            raise wire.refusal("ROUTER003")
        if country != self.settings.country:
            raise wire.refusal("ROUTER007" if country in COUNTRIES else "ROUTER006")
        if not currency:
            raise wire.refusal("ROUTER119")
        if currency != (self.settings.currency_word or self.currency):
            raise wire.refusal("ROUTER112")

    def check_signature(self, request: Request, body: bytes, code: str) -> None:
        """`x-signature` and `x-key`, wherever there is one of them or the portal wants both."""
        signature, key = (request.headers.get(f"x-{name}") for name in ("signature", "key"))
        if signature is None and key is None and not self.settings.signing_required:
            return
        if not self.signing_key.has_signed(body, signature or "", key or ""):
            raise wire.refusal(code)

    def take_code(self, on: str, msisdn: str | None, *, ends: bool = False) -> Code | None:
        """The oldest code set for this call, used up by one."""
        for code in self.codes:
            if (code.on, code.ends) == (on, ends) and code.msisdn in (None, msisdn):
                code.times -= 1
                if code.times == 0:
                    self.codes.remove(code)
                return code
        return None

    def refuse_by_code(self, on: str, msisdn: str | None) -> None:
        """Answer with the code that was set for this call, if one was."""
        if (code := self.take_code(on, msisdn)) is not None:
            raise Refusal(wire.envelope(code.code, http=code.http))

    def receipt(self, letters: str) -> str:
        """`MP260101.1234.A00001`: never the same twice."""
        self._receipts += 1
        return f"{letters}{self.world.clock():%y%m%d.%H%M}.A{self._receipts:05d}"
