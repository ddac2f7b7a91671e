"""The state of the MTN MoMo sandbox: settings, API users, tokens, transactions.

Facts: reference mtn-momo.md, sections 1 to 4 and 12.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from starlette.requests import Request

from simulator.faults import TOKEN, FaultTarget, Refusal
from simulator.operators import credentials as constants
from simulator.operators.authorization import bearer_token
from simulator.operators.base import MinorUnits, Sandbox, Seconds, Settings
from simulator.operators.mtn_momo import wire
from simulator.operators.mtn_momo.wire import Kind, Order, Product
from simulator.operators.world import World

_KEY_MISSING = (
    "Access denied due to missing subscription key. Make sure to include subscription key when "
    "making requests to an API."
)
_KEY_INVALID = (
    "Access denied due to invalid subscription key. Make sure to provide a valid key for an "
    "active subscription."
)
_TOKEN_INVALID = "Access token is missing, invalid or expired."  # noqa: S105 - a sentence


class MtnSettings(Settings, kw_only=True, forbid_unknown_fields=True):
    """What only MTN has. Amounts in minor units of `currency`.

    `refuse_at_once` turns conditions of payer and payee from a FAILED status into an immediate
    500; both are documented (section 9). `reason_as_object` is the published schema, against
    the plain string the wire sends. `ongoing_*` and `delayed_*` are the fates of 46733123453/4.
    """

    default_balance_minor: MinorUnits = 1_000_000
    target_environment: str = "mtnuganda"
    currency: str = "UGX"
    provider_callback_host: str = "127.0.0.1"
    callback_method: Literal["POST", "PUT"] = "POST"
    reason_as_object: bool = False
    refuse_at_once: bool = False
    login_failed_as_500: bool = False
    ongoing_seconds: Seconds = 30.0
    ongoing_ends: Literal["EXPIRED", "SUCCESSFUL"] = "EXPIRED"
    delayed_seconds: Seconds = 25.0
    remittance_float_minor: MinorUnits = 0


@dataclass
class ApiUser:
    """One provisioned user; without a key it cannot log in. No host of its own: the setting."""

    callback_host: str | None
    api_key: str | None = None


@dataclass(frozen=True)
class Token:
    """A bearer token: for one product only."""

    product: Product
    user_id: str
    expires_at: datetime


@dataclass
class Transaction:
    """One accepted request and what became of it."""

    kind: Kind
    reference_id: str
    order: Order
    party: dict[str, str]
    callback_url: str | None
    original: Transaction | None = None  # what a refund refunds
    status: str = "PENDING"
    reason: str | None = None
    financial_transaction_id: str | None = None
    refunded_minor: int = 0
    notifications: list[str] = field(default_factory=list)

    @property
    def msisdn(self) -> str:
        """The number of payer or payee; empty when it is named otherwise."""
        return self.party["partyId"] if self.party["partyIdType"] == "MSISDN" else ""


@dataclass
class Preapproval:
    """A payer was asked to let us collect without a prompt; counts once SUCCESSFUL, for a while."""

    reference_id: str
    party: dict[str, str]
    currency: str
    message: str
    expires_at: datetime
    status: str = "PENDING"
    reason: str | None = None

    @property
    def msisdn(self) -> str:
        return self.party["partyId"] if self.party["partyIdType"] == "MSISDN" else ""


class MtnSandbox(Sandbox[MtnSettings]):
    """Everything the handlers share."""

    fault_answers = wire.FAULT_ANSWERS

    def __init__(
        self,
        world: World,
        settings: MtnSettings,
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
        self.subscription_keys: dict[str, Product] = {
            constants.MTN_SANDBOX_COLLECTION_SUBSCRIPTION_KEY: "collection",
            constants.MTN_SANDBOX_DISBURSEMENT_SUBSCRIPTION_KEY: "disbursement",
            constants.MTN_SANDBOX_REMITTANCE_SUBSCRIPTION_KEY: "remittance",
        }
        self.users: dict[str, ApiUser] = {
            constants.MTN_SANDBOX_API_USER: ApiUser(None, constants.MTN_SANDBOX_API_KEY)
        }
        self.tokens: dict[str, Token] = {}
        self.transactions: dict[tuple[Kind, str], Transaction] = {}
        """By kind and reference: whether two products share their references nobody publishes, so
        the worst is taken, that they do not."""
        self.preapprovals: dict[str, Preapproval] = {}
        # Each product that pays out has money of its own.
        self.ledger.balances_minor["remittance"] = settings.remittance_float_minor

    @property
    def currency(self) -> str:  # type: ignore[override]
        """ISO 4217 code of every wallet here."""
        return self.settings.currency

    def check_subscription(self, request: Request, product: Product | None) -> None:
        """401 of the API gateway unless the key is known, and is this product's (None: any)."""
        key = request.headers.get("ocp-apim-subscription-key")
        if not key:
            raise Refusal(wire.unauthorised(_KEY_MISSING))
        owner = self.subscription_keys.get(key)
        if owner is None or product not in (None, owner):
            raise Refusal(wire.unauthorised(_KEY_INVALID))

    def issue_token(self, product: Product, user_id: str) -> str:
        """A new bearer token; under its fault it has run out already."""
        text = f"eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.{self.world.hex(120)}.{self.world.hex(86)}"
        seconds = self.settings.token_seconds
        if self.faults.take(TOKEN, None, "token"):
            seconds = 0
        expires_at = self.world.clock() + timedelta(seconds=seconds)
        self.tokens[text] = Token(product, user_id, expires_at)
        return text

    def admit(
        self, request: Request, product: Product, on: FaultTarget, msisdn: str | None
    ) -> ApiUser:
        """The caller of a product call, or a refusal: key, token, product, environment."""
        self.check_subscription(request, product)
        text = bearer_token(request.headers.get("authorization", "")) or ""
        if self.faults.take(TOKEN, msisdn, on):
            self.tokens.pop(text, None)
        token = self.tokens.get(text)
        # The real sandbox was seen to let a collection token disburse; ours is strict (11).
        if token is None or token.product != product or token.expires_at <= self.world.clock():
            raise Refusal(wire.unauthorised(_TOKEN_INVALID))
        environment = request.headers.get("x-target-environment")
        if not environment:
            raise Refusal(wire.bad_request())
        if environment != self.settings.target_environment:
            raise Refusal(wire.error("NOT_ALLOWED_TARGET_ENVIRONMENT"))
        return self.users[token.user_id]

    def approved(self, msisdn: str) -> list[Preapproval]:
        """What a payer has approved beforehand and is still good."""
        now = self.world.clock()
        return [
            each
            for each in self.preapprovals.values()
            if each.msisdn == msisdn and each.status == "SUCCESSFUL" and each.expires_at > now
        ]

    def callback_host_of(self, user: ApiUser) -> str:
        """The only host callbacks of this user may go to."""
        return user.callback_host or self.settings.provider_callback_host
