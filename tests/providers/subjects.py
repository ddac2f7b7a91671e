"""The adapters under test with their settings, orders and addresses, as the contract suite needs.

A new adapter joins the suite with one more `Subject` and its secrets in `SECRETS`; a test names it
until it has.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from engine.clock import AttemptId, Clock, IntentId
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import Accepted, Direction, Order, PaidIn, Sms
from providers.africastalking import AfricasTalkingSettings, AfricasTalkingSms
from providers.http import Timeouts, Trace
from providers.mpesa import Mpesa, MpesaSettings
from providers.mpesa.business import BusinessOrder, Purpose
from providers.mtn_momo import UGANDA, MtnMomo, MtnMomoSettings
from providers.twilio import TwilioSettings, TwilioSms
from providers.zamtel import Zamtel, ZamtelSettings
from tests.providers.company import Answer, Company

NOTHING = Answer()
# Longer than any busy machine takes, shorter than the patience of `company`: silence costs nothing.
PATIENT = Timeouts(connect_seconds=20.0, read_seconds=20.0, pool_seconds=20.0)
CODE = "7KQ2M4XW9D"
CALLBACK_URL = "https://pay.example.org/cb/6f1c0f1e9b"
ATTEMPT = AttemptId("0193488c2d7a7c3e9f0112233445566a")
COLLECTED = AttemptId("0193488c2d7a7c3e9f01ffffffffffff")
KENYAN, UGANDAN = Msisdn("+254712345678"), Msisdn("+256772123456")
ZAMBIAN = Msisdn("+260955123456")
ACCOUNT_SID = "AC00000000000000000000000000000001"
CHECKOUT_ID = "ws_CO_20112026101501123712345678"
TOKEN = "c9SQxWWhmdVRlyh0zh8gZDTkubVF"

SECRETS = (
    "consumer-key-x1",
    "consumer-secret-x2",
    "passkey-x3",
    "initiator-password-x4",
    "api-user-x5",
    "api-key-x6",
    "collection-key-x7",
    "disbursement-key-x8",
    "remittance-key-x27",
    "at-key-x9",
    "twilio-token-x10",
    "third-party-x11",
    "zamtel-password-x12",
    "zamtel%2Dpassword",
    "zamtel-initiator-x13",
    "zamtel-credential-x14",
    "airtel-client-x15",
    "airtel-secret-x16",
    "airtel-callback-x17",
    "977123456",
    ZAMBIAN.digits,
    "955123456",
    *(f"orange-{word}" for word in ("client-x18", "secret-x19", "merchant-x20", "user-x21")),
    *(f"orange-{word}" for word in ("password-x22", "pin-x23", "api-x24", "signing-x25")),
    "orange-callback-x26",
    *("0712345699", "771234567", "690123456", "840123456"),
    TOKEN,
    KENYAN.digits,
    UGANDAN.digits,
    "712345678",
    "772123456",
    "JANE",
)
"""What no error, trace, log line, `repr` or stored callback may ever hold."""


@dataclass(frozen=True)
class Operation:
    """One call an adapter makes: by what, to where, and the answer that makes it succeed."""

    name: str
    path: str
    call: Callable[[Any], Awaitable[Any]]
    success: Answer
    is_query: bool = False


@dataclass(frozen=True)
class Subject:
    name: str
    settings: Callable[[str], Any]
    build: Callable[[str, Clock, Trace], Any]
    operations: tuple[Operation, ...]
    token_paths: tuple[str, ...] = ()
    token: Answer = NOTHING
    token_refused: Answer = NOTHING
    key_refused: Answer = NOTHING
    preparing: Mapping[str, tuple[str, Answer]] = field(default_factory=dict)
    """By their names in a trace: calls that are made before the one that counts."""
    refuses_by: frozenset[int] = frozenset()
    """Statuses that its reference lists as a definitive no, whatever else stands in the answer."""

    def script_tokens(self, company: Company, *answers: Answer) -> None:
        for path in self.token_paths:
            company.on(path, *(answers or (self.token,)))
        for path, answer in self.preparing.values():
            company.on(path, answer)

    def token_requests(self, company: Company) -> int:
        return sum(len(company.received(path)) for path in self.token_paths)


def order(
    direction: Direction,
    *,
    money: Money | None = None,
    msisdn: Msisdn = KENYAN,
    callback_url: str = CALLBACK_URL,
    provider_reference: str | None = None,
    collected_attempt_id: AttemptId | None = None,
    attempt_id: AttemptId = ATTEMPT,
) -> Order:
    return Order(
        attempt_id=attempt_id,
        direction=direction,
        amount=money or Money(15_000, "KES"),
        msisdn=msisdn,
        code=CODE,
        callback_url=callback_url,
        provider_reference=provider_reference,
        collected_attempt_id=collected_attempt_id,
    )


def ugandan_order(direction: Direction, **changes: Any) -> Order:
    if direction is Direction.REFUND:
        changes = {"collected_attempt_id": COLLECTED, **changes}
    return order(direction, **{"money": Money(13_600, "UGX"), "msisdn": UGANDAN, **changes})


@cache
def safaricom_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate_pem() -> bytes:
    """As the operator's own two: its dates are long past."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "apicrypt.example")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(safaricom_key().public_key())
        .serial_number(1)
        .not_valid_before(datetime(2014, 11, 1, tzinfo=UTC))
        .not_valid_after(datetime(2016, 11, 1, tzinfo=UTC))
        .sign(safaricom_key(), hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def mpesa_settings(url: str) -> MpesaSettings:
    return MpesaSettings(
        base_url=url,
        consumer_key="consumer-key-x1",
        consumer_secret="consumer-secret-x2",
        shortcode="174379",
        passkey="passkey-x3",
        b2c_shortcode="600984",
        initiator="testapi",
        initiator_password="initiator-password-x4",
        certificate_pem=certificate_pem(),
        timeouts=PATIENT,
    )


def mtn_settings(url: str) -> MtnMomoSettings:
    return MtnMomoSettings(
        base_url=url,
        target_environment="mtnuganda",
        api_user="api-user-x5",
        api_key="api-key-x6",
        collection_key="collection-key-x7",
        disbursement_key="disbursement-key-x8",
        timeouts=PATIENT,
    )


def at_settings(url: str, *, sender: str = "CAPP") -> AfricasTalkingSettings:
    return AfricasTalkingSettings(url, "capp", "at-key-x9", sender, timeouts=PATIENT)


def twilio_settings(url: str, *, sender: str = "+254700000000") -> TwilioSettings:
    return TwilioSettings(
        url, ACCOUNT_SID, "twilio-token-x10", sender, f"{CALLBACK_URL}/report", timeouts=PATIENT
    )


def zambian_order(direction: Direction, **changes: Any) -> Order:
    return order(direction, **{"money": Money(1_050, "ZMW"), "msisdn": ZAMBIAN, **changes})


def zamtel_settings(url: str, **changes: Any) -> ZamtelSettings:
    settings: dict[str, Any] = {
        "third_party_id": "third-party-x11",
        "password": "zamtel-password-x12/+=",
        "shortcode": "000001",
        "initiator": "zamtel-initiator-x13",
        "initiator_password": "zamtel-credential-x14",
        "timeouts": PATIENT,
        **changes,
    }
    return ZamtelSettings(url, **settings)


def _zamtel(url: str, clock: Clock, trace: Trace) -> Zamtel:
    return Zamtel(zamtel_settings(url), trace=trace)


def _mpesa(url: str, clock: Clock, trace: Trace) -> Mpesa:
    return Mpesa(mpesa_settings(url), clock=clock, trace=trace)


def _mtn(url: str, clock: Clock, trace: Trace) -> MtnMomo:
    return MtnMomo(UGANDA, mtn_settings(url), clock=clock, trace=trace)


def _twilio(url: str, clock: Clock, trace: Trace) -> TwilioSms:
    return TwilioSms(twilio_settings(url), trace=trace)


def _sms(url: str, clock: Clock, trace: Trace) -> AfricasTalkingSms:
    return AfricasTalkingSms(at_settings(url), trace=trace)


TAKEN = Answer(
    message={
        "ConversationID": "AG_20261120_20106e9209f64bebd05b",
        "OriginatorConversationID": ATTEMPT,
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    }
)
PUSHED = Answer(
    message={
        "MerchantRequestID": "2654-4b64-97ff-b827b542881d3130",
        "CheckoutRequestID": CHECKOUT_ID,
        "ResponseCode": "0",
        "ResponseDescription": "Success. Request accepted for processing",
        "CustomerMessage": "Success. Request accepted for processing",
    }
)
PUSH_PAID = Answer(
    message={
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successsfully",
        "MerchantRequestID": "2654-4b64-97ff-b827b542881d3130",
        "CheckoutRequestID": CHECKOUT_ID,
        "ResultCode": "0",
        "ResultDesc": "The service request is processed successfully.",
    }
)
TRANSFER_PAID = Answer(
    message={
        "amount": "13600",
        "currency": "UGX",
        "financialTransactionId": "23503452",
        "externalId": CODE,
        "payee": {"partyIdType": "MSISDN", "partyId": UGANDAN.digits},
        "payerMessage": "Payment",
        "payeeNote": "Payment",
        "status": "SUCCESSFUL",
    }
)
SENT = Answer(
    201,
    message={
        "SMSMessageData": {
            "Message": "Sent to 1/1 Total Cost: KES 0.8000",
            "Recipients": [
                {
                    "statusCode": 101,
                    "number": str(KENYAN),
                    "status": "Success",
                    "cost": "KES 0.8000",
                    "messageId": "ATXid_00000000000000000000000000000001",
                }
            ],
        }
    },
)

STATUS_PATH = "/mpesa/transactionstatus/v1/query"
PAYOUT_PATH = "/mpesa/b2c/v3/paymentrequest"
PUSH_PATH = "/mpesa/stkpush/v1/processrequest"
PUSH_QUERY_PATH = "/mpesa/stkpushquery/v1/query"
KENYAN_TOKEN_PATH = "/oauth/v1/generate"
SMS_PATH = "/version1/messaging"
COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND
REFERENCE = "106f53d2-fbef-4626-ab97-22bbfa77032b"
REFERENCE_COLLECTED = "9e6863cb-941d-458a-b023-6907d2723c1d"
SMS = Sms(IntentId("0193488c2d7a7c3e9f01aaaaaaaaaaaa"), KENYAN, "7KQ2M4XW9D Confirmed.")


async def _taken(call: Awaitable[None]) -> Accepted:
    """Of what an adapter only asks: that it returned says that it was taken."""
    await call
    return Accepted()


PAID_IN = PaidIn("RKL51ZDR4F", Money(15_000, "KES"), CODE, "2547 ***** 678")
MOVEMENT = BusinessOrder(
    Purpose.LOAD_PAYOUTS, Money(15_000, "KES"), "174379", "600984", CODE, CALLBACK_URL
)
MPESA = Subject(
    "mpesa_ke",
    mpesa_settings,
    _mpesa,
    (
        Operation("collect", PUSH_PATH, lambda a: a.collect(order(COLLECT)), PUSHED),
        Operation("disburse", PAYOUT_PATH, lambda a: a.disburse(order(DISBURSE)), TAKEN),
        Operation("refund", PAYOUT_PATH, lambda a: a.refund(order(REFUND)), TAKEN),
        Operation(
            "query collect",
            PUSH_QUERY_PATH,
            lambda a: a.query(order(COLLECT, provider_reference=CHECKOUT_ID)),
            PUSH_PAID,
            is_query=True,
        ),
        Operation(
            "query disburse", STATUS_PATH, lambda a: a.query(order(DISBURSE)), TAKEN, is_query=True
        ),
        Operation(
            "return pay-in",
            "/mpesa/reversal/v1/request",
            lambda a: a.return_pay_in(PAID_IN, CALLBACK_URL),
            TAKEN,
        ),
        Operation(
            "register pay-ins",
            "/mpesa/c2b/v2/registerurl",
            lambda a: _taken(
                a.register_pay_ins(question_url=CALLBACK_URL, notice_url=CALLBACK_URL)
            ),
            TAKEN,
        ),
        Operation(
            "ask pay-in",
            STATUS_PATH,
            lambda a: _taken(a.ask_pay_in(PAID_IN.receipt, CALLBACK_URL)),
            TAKEN,
        ),
        Operation(
            "move between businesses",
            "/mpesa/b2b/v1/paymentrequest",
            lambda a: a.move_between_businesses(MOVEMENT),
            TAKEN,
        ),
    ),
    token_paths=(KENYAN_TOKEN_PATH,),
    token=Answer(message={"access_token": TOKEN, "expires_in": "3599"}),
    token_refused=Answer(
        404,
        message={
            "requestId": "1",
            "errorCode": "404.001.03",
            "errorMessage": f"Invalid Access Token - {TOKEN}",
        },
    ),
    key_refused=Answer(400),
)
MTN = Subject(
    "mtn_ug",
    mtn_settings,
    _mtn,
    (
        Operation(
            "collect",
            "/collection/v1_0/requesttopay",
            lambda a: a.collect(ugandan_order(COLLECT)),
            Answer(202),
        ),
        Operation(
            "disburse",
            "/disbursement/v1_0/transfer",
            lambda a: a.disburse(ugandan_order(DISBURSE)),
            Answer(202),
        ),
        Operation(
            "refund",
            "/disbursement/v1_0/refund",
            lambda a: a.refund(ugandan_order(REFUND)),
            Answer(202),
        ),
        *(
            Operation(
                f"query {direction.name.lower()}",
                f"/{place}/{REFERENCE}",
                lambda a, direction=direction: a.query(ugandan_order(direction)),  # type: ignore[misc]
                TRANSFER_PAID,
                is_query=True,
            )
            for direction, place in (
                (COLLECT, "collection/v1_0/requesttopay"),
                (DISBURSE, "disbursement/v1_0/transfer"),
                (REFUND, "disbursement/v1_0/refund"),
            )
        ),
    ),
    token_paths=("/collection/token/", "/disbursement/token/"),
    token=Answer(message={"access_token": TOKEN, "token_type": "access_token", "expires_in": 3600}),
    token_refused=Answer(401, message={"message": f"expired: {TOKEN}"}),
    key_refused=Answer(500, message={"error": "login_failed"}),
    refuses_by=frozenset({400}),
)
SMS_GATEWAY = Subject(
    "africastalking",
    at_settings,
    _sms,
    (Operation("send", SMS_PATH, lambda a: a.send(SMS), SENT),),
)
TWILIO_PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
TWILIO_SID = "SM00000000000000000000000000000001"
TWILIO_TAKEN = Answer(
    201, message={"sid": TWILIO_SID, "status": "queued", "num_segments": "1", "error_code": None}
)
TWILIO = Subject(
    "twilio",
    twilio_settings,
    _twilio,
    (Operation("send", TWILIO_PATH, lambda a: a.send(SMS), TWILIO_TAKEN),),
)
ZAMTEL_COLLECT_PATH = "/ZampayRestProd/Req"
ZAMTEL_PAYOUT_PATH = "/ZampayRestProd/B2CReq"
ZAMTEL_PAID = Answer(message={"status": "0", "message": "Success", "TransactionId": "260101000001"})
ZAMTEL = Subject(
    "zamtel_zm",
    zamtel_settings,
    _zamtel,
    (
        Operation(
            "collect",
            ZAMTEL_COLLECT_PATH,
            lambda a: a.collect(zambian_order(COLLECT)),
            ZAMTEL_PAID,
        ),
        Operation(
            "disburse",
            ZAMTEL_PAYOUT_PATH,
            lambda a: a.disburse(zambian_order(DISBURSE)),
            ZAMTEL_PAID,
        ),
        Operation(
            "refund", ZAMTEL_PAYOUT_PATH, lambda a: a.refund(zambian_order(REFUND)), ZAMTEL_PAID
        ),
    ),
)
SUBJECTS = (MPESA, MTN, SMS_GATEWAY, TWILIO, ZAMTEL)
