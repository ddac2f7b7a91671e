"""The state of the M-PESA sandbox: settings, payments, and the initiator's lock.

Facts: reference mpesa.md, sections 2 to 4 and 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from simulator.faults import TOKEN, FaultTarget, Refusal
from simulator.operators import credentials as constants
from simulator.operators.authorization import bearer_token
from simulator.operators.base import MinorUnits, Sandbox, Seconds, Settings
from simulator.operators.mpesa.access import Credentials, InitiatorLock, Tokens, process_key
from simulator.operators.mpesa.wire import CURRENCY, ResultCode, envelope, fault_answers
from simulator.operators.world import World

SANDBOX_CREDENTIALS = Credentials(
    consumer_key=constants.MPESA_SANDBOX_CONSUMER_KEY,
    consumer_secret=constants.MPESA_SANDBOX_CONSUMER_SECRET,
    shortcode=constants.MPESA_SANDBOX_SHORTCODE,
    passkey=constants.MPESA_SANDBOX_PASSKEY,
    payout_shortcode=constants.MPESA_SANDBOX_B2C_SHORTCODE,
    initiator_name=constants.MPESA_SANDBOX_INITIATOR_NAME,
    initiator_password=constants.MPESA_SANDBOX_INITIATOR_PASSWORD,
)


class MpesaSettings(Settings, kw_only=True, forbid_unknown_fields=True):
    """What only M-PESA has. Amounts in cents of a shilling.

    `echo_originator_id` off makes results carry an OriginatorConversationID of the gateway's own
    (section 8, both were seen). `new_token_revokes_old` is the portal's claim in section 2.
    `validation` is off until Safaricom is asked for it, `registers_once` is how production takes
    C2B addresses (section 7). `validation_seconds`: how long it waits for an answer.
    """

    default_balance_minor: MinorUnits = 5_000_000
    wallet_balance_minor_max: MinorUnits | None = None
    echo_originator_id: bool = True
    new_token_revokes_old: bool = False
    validation: bool = False
    validation_seconds: Seconds = 8.0
    registers_once: bool = False


@dataclass
class StkPush:
    """One prompt sent to a payer, and what became of it; `result_code` is None until it ends."""

    merchant_request_id: str
    checkout_request_id: str
    msisdn: str
    shillings: int
    party_b: str
    transaction_type: str
    callback_url: str
    account_reference: str
    submitted_at: datetime
    result_code: ResultCode | None = None
    receipt: str = ""
    finished_at: datetime | None = None
    times_queried: int = 0
    reversed: bool = False

    def finish(self, result_code: ResultCode, at: datetime, receipt: str = "") -> None:
        """Record the result: the one final one, unless a fault lets it be paid afterwards."""
        self.result_code, self.finished_at, self.receipt = result_code, at, receipt


@dataclass
class Payout:
    """One B2C request, and what became of it; `result_code` is None until it ends."""

    originator_id: str
    conversation_id: str
    result_originator_id: str
    msisdn: str
    shillings: int
    command: str
    result_url: str
    timeout_url: str
    submitted_at: datetime
    result_code: ResultCode | None = None
    receipt: str = ""
    finished_at: datetime | None = None

    def finish(self, result_code: ResultCode, at: datetime, receipt: str = "") -> None:
        """Record the one final result."""
        self.result_code, self.finished_at, self.receipt = result_code, at, receipt


@dataclass(frozen=True)
class Registration:
    """Where a shortcode's C2B payments are asked about and told; `version` decides what is told."""

    shortcode: str
    response_type: str
    confirmation_url: str
    validation_url: str
    version: str


@dataclass
class PayIn:
    """Money a customer paid to a shortcode by themselves. Its result is always final."""

    msisdn: str
    shillings: int
    shortcode: str
    command: str
    bill_reference: str
    submitted_at: datetime
    receipt: str
    third_party_id: str = ""
    result_code: ResultCode | None = None
    finished_at: datetime | None = None
    reversed: bool = False

    def finish(self, result_code: ResultCode, at: datetime) -> None:
        """Record the one final result."""
        self.result_code, self.finished_at = result_code, at


Transaction = StkPush | Payout | PayIn


class MpesaSandbox(Sandbox[MpesaSettings]):
    """Everything the handlers share."""

    currency = CURRENCY

    def __init__(
        self,
        world: World,
        settings: MpesaSettings,
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
        self.fault_answers = fault_answers(world)
        self.credentials = SANDBOX_CREDENTIALS
        self.tokens = Tokens(world.clock)
        self.initiator = InitiatorLock(
            process_key(),
            name=self.credentials.initiator_name,
            password=self.credentials.initiator_password,
        )
        self.pushes: dict[str, StkPush] = {}
        self.payouts: dict[str, Payout] = {}
        self.by_receipt: dict[str, Transaction] = {}
        self.registrations: dict[str, Registration] = {}
        self.locked_subscribers: set[str] = set()

    def check_token(
        self, request: Request, on: FaultTarget, msisdn: str | None, refusal: tuple[int, str]
    ) -> None:
        """Refuse a missing, unknown or expired token with this API's own code (section 3)."""
        token = bearer_token(request.headers.get("authorization", "")) or ""
        if self.faults.take(TOKEN, msisdn, on):
            self.tokens.revoke(token)
        if self.tokens.is_valid(token):
            return
        status, code = refusal
        message = "Invalid Access Token"
        if code.startswith("401."):
            message = f"Error Occurred - Invalid Access Token - {token}"
        raise Refusal(envelope(self.world, status, code, message))
