"""The state of one Orange Money sandbox: settings, tokens, payments, one-time codes.

Facts: reference orange-money.md, sections 1 to 4.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import (
    PAID_AFTERWARDS,
    PAYEE_OUTCOMES,
    PAYER_OUTCOMES,
    TOKEN,
    Fault,
    FaultBook,
    FaultTarget,
    Refusal,
)
from simulator.operators import credentials
from simulator.operators.admin import json_response
from simulator.operators.authorization import basic_credentials, bearer_token
from simulator.operators.base import MinorUnits, Sandbox, Seconds, Settings
from simulator.operators.orange_money import wire
from simulator.operators.orange_money.wire import Words
from simulator.operators.wallets import MovementKind, ShortOfFunds, Wallet
from simulator.operators.world import World

Api = Literal["web_payment", "b2b", "core", "wallet"]
WORDS: Mapping[Api, Words] = {
    "web_payment": wire.GATEWAY,
    "b2b": wire.GATEWAY,
    "core": wire.FAULT,
    "wallet": wire.PROBLEM,
}
# Why a payment did not succeed, in this sandbox's own words; each API has its own for them.
Failure = Literal["no_wallet", "no_money", "declined", "wrong_pin", "expired", "barred"]
_BY_FAULT: Mapping[str, Failure] = {
    "insufficient_funds": "no_money",
    "wrong_pin": "wrong_pin",
    "decline": "declined",
    "recipient_rejected": "barred",
}
_BY_APPROVAL: Mapping[str, Failure] = {
    "declined": "declined",
    "wrong_pin": "wrong_pin",
    "expired": "expired",
}


class OrangeSettings(Settings, kw_only=True, forbid_unknown_fields=True):
    """What only Orange has. `country_code` is the part of the path; amounts are in minor units.

    `notify_url` and `notify_authorization` are agreed with Orange beforehand (section 2).
    """

    api: Api = "web_payment"
    country_code: str = "ci"
    dialling_code: str = "225"
    currency: str = "XOF"
    default_balance_minor: MinorUnits = 1_000_000
    page_seconds: Seconds = 600.0  # how long a page lives (section 1.2)
    refuses_localhost: bool = False  # section 1.2 [C]
    flat_answers: bool = False  # section 2: some profiles
    cashin_allowed: bool = True  # section 2: one integrator was granted cash-out only
    notify_url: str = ""
    notify_authorization: str = ""
    signs: bool = True  # section 4: whether every account gets the signature is unconfirmed
    retires_key: bool = False  # the next PIN meets a key that was replaced (code 4003)
    public_url: str = ""  # of hosted pages and links; by default where the request came to


DEFAULTS: Mapping[Api, OrangeSettings] = {
    "web_payment": OrangeSettings(),
    "b2b": OrangeSettings(
        api="b2b",
        country_code="cd",
        dialling_code="243",
        currency="CDF",
        default_balance_minor=100_000_000,
    ),
    "core": OrangeSettings(api="core", country_code="cm", dialling_code="237", currency="XAF"),
    "wallet": OrangeSettings(api="wallet", country_code="sn", dialling_code="221", currency="XOF"),
}


@dataclass
class Payment:
    """One order and what became of it. `status` is the API's own word."""

    reference: str  # the caller's
    kind: MovementKind
    msisdn: str  # with the country's code; "" as long as nobody has told
    amount_minor: int
    status: str
    created_at: datetime
    notify_url: str = ""
    receipt: str | None = None
    token: str = ""
    note: str = ""
    code: str = ""


class OrangeSandbox(Sandbox[OrangeSettings]):
    """Everything the handlers share."""

    fault_answers = wire.FAULT_ANSWERS

    def __init__(
        self,
        world: World,
        settings: OrangeSettings,
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
        self.words = WORDS[settings.api]
        self.tokens: dict[str, datetime] = {}
        self.payments: dict[str, Payment] = {}
        """By the caller's reference or by our token, as the API asks."""
        self.codes: dict[str, str] = {}
        """One-time codes that wallets' holders have got by dialling, by number."""

    @property
    def currency(self) -> str:  # type: ignore[override]
        """ISO 4217 code of every wallet here."""
        return self.settings.currency

    def international(self, national: str) -> str:
        """The wallet of a national number."""
        return self.settings.dialling_code + national

    def national(self, msisdn: str) -> str:
        """The inverse."""
        return msisdn.removeprefix(self.settings.dialling_code)

    def major(self, amount_minor: int) -> int:
        """As the wire has it."""
        return amount_minor // wire.unit_minor(self.currency)

    async def issue_token(self, request: Request, *, by_form: bool = False) -> Response:
        """The token call (sections 1.1, 3 and 4): credentials in the header, or in the form."""

        async def perform() -> Response:
            form = await wire.read_form(request)
            given = basic_credentials(request.headers.get("authorization", ""))
            if by_form:
                given = form.get("client_id", ""), form.get("client_secret", "")
            expected = credentials.ORANGE_SANDBOX_CLIENT_ID, credentials.ORANGE_SANDBOX_SECRET
            if form.get("grant_type") != "client_credentials":
                return json_response({"error": "unsupported_grant_type"}, 400)
            if given != expected:
                return json_response({"error": "invalid_client"}, 401)
            return json_response(
                {
                    "token_type": "Bearer",
                    "access_token": self._new_token(),
                    "expires_in": self.settings.token_seconds,
                }
            )

        return await self.answer("token", None, perform)

    def admit(self, request: Request, on: FaultTarget, msisdn: str | None) -> None:
        """401 unless the token is one of ours and has not run out."""
        text = bearer_token(request.headers.get("authorization", ""))
        if not text:
            raise Refusal(self.words.error(401, self.words.missing, "Missing credentials"))
        if self.faults.take(TOKEN, msisdn, on):
            self.tokens[text] = self.world.clock()
        expires_at = self.tokens.get(text)
        if expires_at is None:
            raise Refusal(self.words.error(401, self.words.unknown, "Invalid credentials"))
        if expires_at <= self.world.clock():
            raise Refusal(self.words.error(401, self.words.expired, "Expired credentials"))

    def receipt(self, kind: str = "MP") -> str:
        """A new transaction number."""
        return wire.transaction_number(self.world.clock(), kind, self.world.receipt_letters(6))

    def forced_failure(self, payment: Payment, on: FaultTarget) -> Failure | None:
        """Why a fault says that this payment comes to nothing."""
        outcomes = PAYER_OUTCOMES if payment.kind == "collection" else PAYEE_OUTCOMES
        match self.faults.take(outcomes, payment.msisdn, on):
            case Fault(fault=name):
                return _BY_FAULT[name]
        return None

    async def approved(self, payment: Payment, wallet: Wallet) -> Failure | None:
        """Put the question to the payer; why not, or None for yes."""
        approval = await self.ask_approval(
            wallet,
            amount_minor=payment.amount_minor,
            text=f"Payer {self.currency} {self.major(payment.amount_minor):,} a"
            f" {self.settings.business_name}. Entrez votre code secret Orange Money:",
        )
        return _BY_APPROVAL.get(approval)

    def move(self, payment: Payment, wallet: Wallet) -> Failure | None:
        """Move the money, or say why it cannot be."""
        receipt = payment.receipt or self.receipt()
        if not wallet.active:
            return "barred"
        moved: dict[str, Any] = {
            "amount_minor": payment.amount_minor,
            "currency": self.currency,
            "reference": payment.reference,
            "receipt": receipt,
        }
        try:
            if payment.kind == "collection":
                self.ledger.collect(wallet, **moved)
            else:
                self.ledger.pay(wallet, **moved)
        except ShortOfFunds:
            return "no_money"
        payment.receipt = receipt
        return None

    async def tell_code(self, request: Request) -> Response:
        """POST /_sandbox/otp: the holder dials for a one-time code with their PIN."""
        values = await wire.read_json(request)
        msisdn, pin = str(values.get("msisdn", "")).removeprefix("+"), values.get("pin")
        wallet = self.wallets.find(msisdn)
        if wallet is None or not isinstance(pin, str) or not hmac.compare_digest(pin, wallet.pin):
            return json_response({"error": "no such wallet, or another PIN"}, 400)
        self.codes[msisdn] = self.world.digits(6)
        return json_response({"otp": self.codes[msisdn]}, 201)

    def spend_code(self, msisdn: str, code: str) -> bool:
        """Whether it is the number's code; then it is used up."""
        if not code or self.codes.get(msisdn) != code:
            return False
        del self.codes[msisdn]
        return True

    def origin(self, request: Request) -> str:
        """Where hosted pages are."""
        return self.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"

    def calling(
        self,
        on: FaultTarget,
        perform: Callable[[Request, dict[str, Any]], Awaitable[Response]],
        number_of: Callable[[dict[str, Any]], str | None],
    ) -> Callable[[Request], Awaitable[Response]]:
        """The handler of one creating call: faults, token, then `perform`."""

        async def handler(request: Request) -> Response:
            values = await wire.read_json(request)
            msisdn = number_of(values)

            async def admitted() -> Response:
                self.admit(request, on, msisdn)
                return await perform(request, values)

            return await self.answer(on, msisdn, admitted)

        return handler

    def _new_token(self) -> str:
        text = self.world.hex(48)
        seconds = 0 if self.faults.take(TOKEN, None, "token") else self.settings.token_seconds
        self.tokens[text] = self.world.clock() + timedelta(seconds=seconds)
        return text
