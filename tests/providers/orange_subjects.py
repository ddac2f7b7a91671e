"""Orange Money's four APIs under test, one country each, as the contract suite needs them."""

import base64
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.clock import Clock
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import Direction, Order
from providers.http import Trace
from providers.orange_money import (
    MARKETS,
    B2b,
    B2bSettings,
    Core,
    CoreSettings,
    EWallet,
    EWalletSettings,
    WebPayment,
    WebPaymentSettings,
)
from tests.providers.company import Answer
from tests.providers.subjects import PATIENT, TOKEN, Operation, Subject, order, safaricom_key

CI, SN, CM, CD = (MARKETS[name] for name in ("orange_ci", "orange_sn", "orange_cm", "orange_cd"))
IVORIAN, SENEGALESE = Msisdn("+2250712345699"), Msisdn("+221771234567")
CAMEROONIAN, CONGOLESE = Msisdn("+237690123456"), Msisdn("+243840123456")
REFERENCE = "agjurdbnpj6d5hybcirtirkwni"  # base32 of the attempt's id
SHORT_REFERENCE = "owankdb6kjlqihqtibtq"
TRANSACTION_ID = "0193488c-2d7a-7c3e-9f01-12233445566a"
PAY_TOKEN, PAGE_TOKEN = "MP2601010000DEMO", "demoPayToken64chars"
PAGE = "https://webpayment.example/payment/pay_token/demoPayToken64chars"
LINK = "https://om.example/s/abc"
SIGNING_SECRET, API_KEY = "orange-signing-x25", "orange-api-x24"
COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND


def web_settings(url: str, **changes: Any) -> WebPaymentSettings:
    given: dict[str, Any] = {
        "base_url": url,
        "client_id": "orange-client-x18",
        "client_secret": "orange-secret-x19",
        "merchant_key": "orange-merchant-x20",
        "country": "ci",
        "currency": "XOF",
        "merchant_name": "CAPP",
        "return_url": "https://pay.example.org/thanks",
        "by_link": True,
        "timeouts": PATIENT,
    }
    return WebPaymentSettings(**{**given, **changes})


def core_settings(url: str, **changes: Any) -> CoreSettings:
    given: dict[str, Any] = {
        "base_url": url,
        "consumer_key": "orange-client-x18",
        "consumer_secret": "orange-secret-x19",
        "api_user": "orange-user-x21",
        "api_password": "orange-password-x22",
        "channel_msisdn": "690000000",
        "pin": "orange-pin-x23",
        "timeouts": PATIENT,
    }
    return CoreSettings(**{**given, **changes})


def wallet_settings(url: str, **changes: Any) -> EWalletSettings:
    given: dict[str, Any] = {
        "base_url": url,
        "client_id": "orange-client-x18",
        "client_secret": "orange-secret-x19",
        "merchant_code": "123456",
        "merchant_name": "CAPP",
        "agent_msisdn": "770000000",
        "pin": "orange-pin-x23",
        "api_key": API_KEY,
        "signing_secret": SIGNING_SECRET,
        "by_link": True,
        "timeouts": PATIENT,
    }
    return EWalletSettings(**{**given, **changes})


def b2b_settings(url: str, **changes: Any) -> B2bSettings:
    given: dict[str, Any] = {
        "base_url": url,
        "client_id": "orange-client-x18",
        "client_secret": "orange-secret-x19",
        "pos_id": "POS0001",
        "callback_authorization": "Basic orange-callback-x26",
        "timeouts": PATIENT,
    }
    return B2bSettings(**{**given, **changes})


def ivorian_order(direction: Direction, **changes: Any) -> Order:
    return order(direction, **{"money": Money(1_200, "XOF"), "msisdn": IVORIAN, **changes})


def senegalese_order(direction: Direction, **changes: Any) -> Order:
    return order(direction, **{"money": Money(500, "XOF"), "msisdn": SENEGALESE, **changes})


def cameroonian_order(direction: Direction, **changes: Any) -> Order:
    return order(direction, **{"money": Money(100, "XAF"), "msisdn": CAMEROONIAN, **changes})


def congolese_order(direction: Direction, **changes: Any) -> Order:
    return order(direction, **{"money": Money(100_000, "CDF"), "msisdn": CONGOLESE, **changes})


def _web(url: str, clock: Clock, trace: Trace) -> WebPayment:
    return WebPayment(CI, web_settings(url), clock=clock, trace=trace)


def _core(url: str, clock: Clock, trace: Trace) -> Core:
    return Core(CM, core_settings(url), clock=clock, trace=trace)


def _wallet(url: str, clock: Clock, trace: Trace) -> EWallet:
    return EWallet(SN, wallet_settings(url), clock=clock, trace=trace)


def _b2b(url: str, clock: Clock, trace: Trace) -> B2b:
    return B2b(CD, b2b_settings(url), clock=clock, trace=trace)


PAGE_MADE = Answer(
    201,
    message={
        "status": 201,
        "message": "OK",
        "pay_token": PAGE_TOKEN,
        "payment_url": PAGE,
        "notif_token": "demoNotifToken32",
    },
)
PAGE_PAID = Answer(
    201, message={"status": "SUCCESS", "order_id": REFERENCE, "txnid": "MP260101.1341.A00001"}
)
INITIATED = Answer(
    message={
        "message": "Payment request successfully initiated",
        "data": {"payToken": PAY_TOKEN},
    }
)


def core_answer(http_status: int = 200, **data: Any) -> Answer:
    """As section 3 records it, but for what is named."""
    recorded = {
        "id": 123456,
        "createtime": "1767261600",
        "subscriberMsisdn": "690123456",
        "amount": 100,
        "payToken": PAY_TOKEN,
        "txnid": "MP260101.1200.A00001",
        "txnmode": SHORT_REFERENCE,
        "inittxnmessage": "Paiement initie, a confirmer avec le code PIN",
        "inittxnstatus": "200",
        "confirmtxnstatus": None,
        "confirmtxnmessage": None,
        "status": "PENDING",
        "notifUrl": "https://pay.example/om/cm",
        "description": "demo",
        "channelUserMsisdn": "699000000",
    }
    message = "Merchant payment successfully initialized"
    return Answer(http_status, message={"message": message, "data": {**recorded, **data}})


def b2b_answer(http_status: int = 202, status: str = "PENDING", **more: Any) -> Answer:
    """As section 2 records it, but for what is named."""
    recorded = {
        "type": "cashout",
        "peerId": "840123456",
        "peerIdType": "msisdn",
        "amount": 1000,
        "currency": "CDF",
        "posId": "POS0001",
        "transactionId": TRANSACTION_ID,
        "txnId": "MP260101.1349.A00001",
    }
    message = {
        "status": status,
        "message": "Your request has been received",
        "transactionData": {**recorded, **more},
    }
    return Answer(http_status, message=message)


def public_key() -> str:
    spki = (
        safaricom_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(spki).decode()


def key_answer() -> Answer:
    return Answer(message={"keyId": "1", "key": public_key()})


CASHED_IN = Answer(201, message={"transactionId": "CI260101.1029.C00001", "status": "SUCCESS"})
LINK_MADE = Answer(
    message={
        "qrId": "1",
        "qrCode": "iVBORw0KGgo=",
        "deepLink": "https://om.example/d/abc",
        "deepLinks": {"MAXIT": "https://om.example/m/abc", "OM": "https://om.example/o/abc"},
        "shortLink": LINK,
        "validity": 600,
        "validFor": {},
    }
)


def transaction(**changes: Any) -> dict[str, Any]:
    """An entry of a search: as a notification records one."""
    return {
        "amount": {"value": 500, "unit": "XOF"},
        "partner": {"idType": "CODE", "id": "123456"},
        "customer": {"idType": "MSISDN", "id": "771234567"},
        "reference": REFERENCE,
        "type": "MERCHANT_PAYMENT",
        "channel": "API",
        "transactionId": "MP260101.1029.C00001",
        "paymentMethod": "QRCODE",
        "status": "SUCCESS",
        "metadata": {},
        **changes,
    }


TOKEN_ANSWER = Answer(message={"token_type": "Bearer", "access_token": TOKEN, "expires_in": "3600"})
WEB_PATH = "/orange-money-webpay/ci/v1/webpayment"
WEB_STATUS_PATH = "/orange-money-webpay/ci/v1/transactionstatus"
CORE_PATH = "/omcoreapis/1.0.2"
B2B_PATH = "/orange-money-b2b/v1/cd/transactions"
WALLET_PATH = "/api/eWallet/v1"
LINK_PATH = "/api/eWallet/v4/qrcode"
KEY_PATH = "/api/account/v1/publicKeys"
WEB = Subject(
    "orange_ci",
    web_settings,
    _web,
    (
        Operation("collect", WEB_PATH, lambda a: a.collect(ivorian_order(COLLECT)), PAGE_MADE),
        Operation(
            "query collect",
            WEB_STATUS_PATH,
            lambda a: a.query(ivorian_order(COLLECT, provider_reference=PAGE_TOKEN)),
            PAGE_PAID,
            is_query=True,
        ),
    ),
    token_paths=("/oauth/v3/token",),
    token=TOKEN_ANSWER,
    token_refused=Answer(401, message={"code": 42, "message": f"Expired credentials {TOKEN}"}),
    key_refused=Answer(401, message={"error": "invalid_client"}),
)
CORE = Subject(
    "orange_cm",
    core_settings,
    _core,
    (
        Operation(
            "collect",
            f"{CORE_PATH}/mp/pay",
            lambda a: a.collect(cameroonian_order(COLLECT)),
            core_answer(),
        ),
        Operation(
            "disburse",
            f"{CORE_PATH}/cashin/pay",
            lambda a: a.disburse(cameroonian_order(DISBURSE)),
            core_answer(),
        ),
        Operation(
            "refund",
            f"{CORE_PATH}/cashin/pay",
            lambda a: a.refund(cameroonian_order(REFUND)),
            core_answer(),
        ),
        *(
            Operation(
                f"query {direction.name.lower()}",
                f"{CORE_PATH}/{product}/paymentstatus/{PAY_TOKEN}",
                lambda a, direction=direction: a.query(  # type: ignore[misc]
                    cameroonian_order(direction, provider_reference=PAY_TOKEN)
                ),
                core_answer(status="SUCCESSFULL"),
                is_query=True,
            )
            for direction, product in ((COLLECT, "mp"), (DISBURSE, "cashin"), (REFUND, "cashin"))
        ),
    ),
    token_paths=("/token",),
    token=TOKEN_ANSWER,
    token_refused=Answer(401, message={"fault": {"code": 900901, "message": TOKEN}}),
    key_refused=Answer(401, message={"error": "invalid_client"}),
    preparing={
        "mp_init": (f"{CORE_PATH}/mp/init", INITIATED),
        "cashin_init": (f"{CORE_PATH}/cashin/init", INITIATED),
    },
)
WALLET = Subject(
    "orange_sn",
    wallet_settings,
    _wallet,
    (
        Operation("collect", LINK_PATH, lambda a: a.collect(senegalese_order(COLLECT)), LINK_MADE),
        Operation(
            "disburse",
            f"{WALLET_PATH}/cashins",
            lambda a: a.disburse(senegalese_order(DISBURSE)),
            CASHED_IN,
        ),
        Operation(
            "refund",
            f"{WALLET_PATH}/cashins",
            lambda a: a.refund(senegalese_order(REFUND)),
            CASHED_IN,
        ),
        Operation(
            "query collect",
            f"{WALLET_PATH}/transactions",
            lambda a: a.query(senegalese_order(COLLECT)),
            Answer(message=[transaction()]),
            is_query=True,
        ),
        Operation(
            "query disburse",
            f"{WALLET_PATH}/transactions/CI260101.1029.C00001/status",
            lambda a: a.query(
                senegalese_order(DISBURSE, provider_reference="CI260101.1029.C00001")
            ),
            Answer(message={"status": "SUCCESS"}),
            is_query=True,
        ),
    ),
    token_paths=("/oauth/v1/token",),
    token=TOKEN_ANSWER,
    token_refused=Answer(401, message={"status": 401, "title": TOKEN}),
    key_refused=Answer(401, message={"error": "invalid_client"}),
    preparing={"public_key": (KEY_PATH, key_answer())},
)
BUSINESS = Subject(
    "orange_cd",
    b2b_settings,
    _b2b,
    (
        Operation(
            "collect",
            f"{B2B_PATH}/cashout",
            lambda a: a.collect(congolese_order(COLLECT)),
            b2b_answer(),
        ),
        Operation(
            "disburse",
            f"{B2B_PATH}/cashin",
            lambda a: a.disburse(congolese_order(DISBURSE)),
            b2b_answer(),
        ),
        Operation(
            "refund",
            f"{B2B_PATH}/cashin",
            lambda a: a.refund(congolese_order(REFUND)),
            b2b_answer(),
        ),
        Operation(
            "query",
            f"{B2B_PATH}/{TRANSACTION_ID}",
            lambda a: a.query(congolese_order(COLLECT)),
            b2b_answer(200, "SUCCESS"),
            is_query=True,
        ),
    ),
    token_paths=("/oauth/v3/token",),
    token=TOKEN_ANSWER,
    token_refused=Answer(401, message={"code": 41, "message": f"Unknown token {TOKEN}"}),
    key_refused=Answer(401, message={"error": "invalid_client"}),
)
ORANGE = (WEB, CORE, WALLET, BUSINESS)
