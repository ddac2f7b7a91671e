"""Orange's sandboxes as a third party meets them, and our adapters against them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from engine.clock import Clock, Ids
from engine.errors import OutcomeUnknown, Rejected, Throttled
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import Direction, Finding, Order, Outcome, Reason
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
from simulator.faults import Fault
from simulator.operators import credentials
from simulator.operators.orange_money import (
    DEFAULTS,
    Api,
    OrangeSandbox,
    OrangeSettings,
    orange_money_app,
)
from simulator.operators.world import World
from simulator.sandbox import Sandboxes, serving
from tests.providers.sandbox_clients import Hands, Mailbox, mailbox, matches, open_client
from tests.providers.subjects import PATIENT

pytestmark = pytest.mark.long("each way of the sandbox; test_orange_money.py keeps the adapter")

COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND
FLOAT_MINOR = 5_000_000
DEADLINE_SECONDS = 120.0
IDS = Ids(Clock())
TOKEN_PATHS: dict[Api, str] = {
    "web_payment": "/oauth/v3/token",
    "b2b": "/oauth/v3/token",
    "core": "/token",
    "wallet": "/oauth/v1/token",
}


class Street:
    """One sandbox, somebody who calls it, and where its callbacks go."""

    def __init__(
        self, sandbox: OrangeSandbox, client: httpx.AsyncClient, url: str, box: Mailbox
    ) -> None:
        self.sandbox = sandbox
        self.client = client
        self.url = url
        self.box = box
        self.hands = Hands(client)
        self.token = ""

    @property
    def callback_url(self) -> str:
        return f"{self.box.url}/cb/6f1c0f1e9b"

    async def log_in(self) -> None:
        pair = credentials.ORANGE_SANDBOX_CLIENT_ID, credentials.ORANGE_SANDBOX_SECRET
        form = {"grant_type": "client_credentials"}
        if self.sandbox.settings.api == "wallet":
            form |= {"client_id": pair[0], "client_secret": pair[1]}
            response = await self.client.post(TOKEN_PATHS["wallet"], data=form)
        else:
            path = TOKEN_PATHS[self.sandbox.settings.api]
            response = await self.client.post(path, data=form, auth=pair)
        assert response.status_code == 200, response.text
        self.token = response.json()["access_token"]

    @property
    def headers(self) -> dict[str, str]:
        both = f"{credentials.ORANGE_SANDBOX_API_USER}:{credentials.ORANGE_SANDBOX_API_PASSWORD}"
        return {
            "Authorization": f"Bearer {self.token}",
            "X-AUTH-TOKEN": base64.b64encode(both.encode()).decode(),
        }

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {**self.headers, **headers}
        if body is None:
            return await self.client.post(path, headers=sent)
        return await self.client.post(path, json=body, headers=sent)

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self.headers)

    async def pay_page(self, page: str, number: str, **form: str) -> httpx.Response:
        """The payer's browser: the page, the number, the code that was got by dialling."""
        path = urlsplit(page).path
        assert (await self.client.get(path)).status_code == 200
        return await self.client.post(path, data={"msisdn": number, **form})

    async def code_of(self, msisdn: str, pin: str = "1234") -> str:
        response = await self.client.post("/_sandbox/otp", json={"msisdn": msisdn, "pin": pin})
        assert response.status_code == 201, response.text
        return str(response.json()["otp"])

    def order(self, direction: Direction, msisdn: str, minor: int, **more: Any) -> Order:
        return Order(
            attempt_id=more.pop("attempt_id", None) or IDS.attempt(),
            direction=direction,
            amount=Money(minor, self.sandbox.currency),
            msisdn=Msisdn(f"+{msisdn}"),
            code="7KQ2M4XW9D",
            callback_url=self.callback_url,
            **more,
        )


class Hourglass:
    """A clock of the world that is turned by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def opened(api: Api, world: World | None = None, **changes: Any) -> AsyncIterator[Street]:
    settings = deepcopy(DEFAULTS[api])
    for name, value in {
        "callback_delay_seconds": 0.0,
        "processing_seconds": 0.0,
        **changes,
    }.items():
        assert name in OrangeSettings.__struct_fields__
        setattr(settings, name, value)
    sandbox = OrangeSandbox(
        world or World(), settings, collection_minor=0, disbursement_minor=FLOAT_MINOR
    )
    async with (
        mailbox() as box,
        serving({"orange": (orange_money_app(sandbox), 0)}) as urls,
        open_client(urls["orange"]) as client,
    ):
        street = Street(sandbox, client, urls["orange"], box)
        await street.log_in()
        yield street


async def settled(ask: Callable[[], Awaitable[Finding]]) -> Finding:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (finding := await ask()).outcome is Outcome.PENDING:  # noqa: ASYNC110 - polling
            await asyncio.sleep(0.01)
    return finding


@asynccontextmanager
async def closing(adapter: Any) -> AsyncIterator[Any]:
    try:
        yield adapter
    finally:
        await adapter.aclose()


def web(street: Street) -> WebPayment:
    settings = WebPaymentSettings(
        base_url=street.url,
        client_id=credentials.ORANGE_SANDBOX_CLIENT_ID,
        client_secret=credentials.ORANGE_SANDBOX_SECRET,
        merchant_key=credentials.ORANGE_SANDBOX_MERCHANT_KEY,
        country="ci",
        currency="XOF",
        merchant_name="CAPP",
        return_url="https://pay.example.org/thanks",
        by_link=True,
        timeouts=PATIENT,
    )
    return WebPayment(MARKETS["orange_ci"], settings, clock=Clock())


def core(street: Street, *, pin: str = credentials.ORANGE_SANDBOX_PIN) -> Core:
    settings = CoreSettings(
        base_url=street.url,
        consumer_key=credentials.ORANGE_SANDBOX_CLIENT_ID,
        consumer_secret=credentials.ORANGE_SANDBOX_SECRET,
        api_user=credentials.ORANGE_SANDBOX_API_USER,
        api_password=credentials.ORANGE_SANDBOX_API_PASSWORD,
        channel_msisdn=credentials.ORANGE_SANDBOX_CHANNEL_MSISDN,
        pin=pin,
        timeouts=PATIENT,
    )
    return Core(MARKETS["orange_cm"], settings, clock=Clock())


def wallet(street: Street, **changes: Any) -> EWallet:
    settings = EWalletSettings(
        base_url=street.url,
        client_id=credentials.ORANGE_SANDBOX_CLIENT_ID,
        client_secret=credentials.ORANGE_SANDBOX_SECRET,
        merchant_code=credentials.ORANGE_SANDBOX_MERCHANT_CODE,
        merchant_name="CAPP",
        agent_msisdn=credentials.ORANGE_SANDBOX_AGENT_MSISDN,
        pin=credentials.ORANGE_SANDBOX_PIN,
        api_key=credentials.ORANGE_SANDBOX_API_KEY,
        signing_secret=credentials.ORANGE_SANDBOX_SIGNING_SECRET,
        by_link=True,
        timeouts=PATIENT,
        **changes,
    )
    return EWallet(MARKETS["orange_sn"], settings, clock=Clock())


def b2b(street: Street) -> B2b:
    settings = B2bSettings(
        base_url=street.url,
        client_id=credentials.ORANGE_SANDBOX_CLIENT_ID,
        client_secret=credentials.ORANGE_SANDBOX_SECRET,
        pos_id=credentials.ORANGE_SANDBOX_POS_ID,
        callback_authorization="Basic agreed",
        timeouts=PATIENT,
    )
    return B2b(MARKETS["orange_cd"], settings, clock=Clock())


# As a third party.


@pytest.mark.parametrize("api", DEFAULTS)
async def test_tokens_are_given_for_the_right_credentials_only(api: Api) -> None:
    async with opened(api) as street:
        path, pair = TOKEN_PATHS[api], ("nobody", "nothing")
        form = {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "x"}
        wrong = await street.client.post(path, data=form, auth=pair)
        senseless = await street.client.post(path, data={}, auth=pair)
        assert (wrong.status_code, senseless.status_code) == (401, 400)


PROTECTED: dict[Api, tuple[str, str]] = {
    "web_payment": ("POST", "/orange-money-webpay/ci/v1/webpayment"),
    "b2b": ("GET", f"/orange-money-b2b/v1/cd/transactions/{uuid4()}"),
    "core": ("POST", "/omcoreapis/1.0.2/mp/init"),
    "wallet": ("GET", "/api/eWallet/v1/transactions"),
}


@pytest.mark.parametrize("api", DEFAULTS)
async def test_call_needs_a_token_that_has_not_run_out(api: Api) -> None:
    hourglass = Hourglass()
    async with opened(api, World(clock=hourglass)) as street:
        method, path = PROTECTED[api]
        for headers in ({}, {"Authorization": "Basic eDp4"}, {"Authorization": "Bearer unknown"}):
            response = await street.client.request(method, path, headers=headers)
            assert response.status_code == 401
        assert (
            await street.client.request(method, path, headers=street.headers)
        ).status_code != 401
        hourglass.now += timedelta(hours=1)
        assert (
            await street.client.request(method, path, headers=street.headers)
        ).status_code == 401


@pytest.mark.parametrize("api", DEFAULTS)
async def test_path_nobody_serves_is_404_in_the_fronts_own_words(api: Api) -> None:
    async with opened(api) as street:
        response = await street.get("/nowhere")
        assert response.status_code == 404
        if api in ("web_payment", "b2b"):
            assert response.json()["code"] == 60


def page_body(street: Street, **changes: Any) -> dict[str, Any]:
    return {
        "merchant_key": credentials.ORANGE_SANDBOX_MERCHANT_KEY,
        "currency": "XOF",
        "order_id": "ord20260101000001",
        "amount": 1200,
        "return_url": "https://pay.example/r",
        "cancel_url": "https://pay.example/c",
        "notif_url": f"{street.callback_url}/web",
        "lang": "fr",
        "reference": "DEMO SHOP",
        **changes,
    }


START, STATUS = (
    f"/orange-money-webpay/ci/v1/{name}" for name in ("webpayment", "transactionstatus")
)


async def test_page_is_paid_with_a_number_and_its_code() -> None:
    async with opened("web_payment") as street:
        made = await street.post(START, page_body(street))
        assert made.status_code == 201
        page = made.json()
        assert set(page) == {"status", "message", "pay_token", "payment_url", "notif_token"}
        asked = {
            "order_id": "ord20260101000001", "amount": 1200, "pay_token": page["pay_token"],
        }  # fmt: skip
        before = (await street.post(STATUS, asked)).json()
        assert (before["status"], before["txnid"]) == ("INITIATED", None)
        wrong = await street.pay_page(page["payment_url"], "0712345678", otp="000000")
        assert "Code invalide" in wrong.text
        code = await street.code_of("2250712345678")
        await street.pay_page(page["payment_url"], "0712345678", otp=code)
        (letter,) = await street.box.wait()
        after = await street.post(STATUS, asked)
        assert after.status_code == 201
        assert (after.json()["status"], letter.json["status"]) == ("SUCCESS", "SUCCESS")
        assert letter.json["notif_token"] == page["notif_token"]
        assert matches(r"MP\d{6}\.\d{4}\.\w{6}", letter.json["txnid"])
        (movement,) = await street.hands.movements()
        assert (movement["amount_minor"], movement["reference"]) == (1200, "ord20260101000001")


async def test_page_opened_too_late_takes_no_money() -> None:
    hourglass = Hourglass()
    async with opened("web_payment", World(clock=hourglass), token_seconds=7200) as street:
        page = (await street.post(START, page_body(street))).json()
        hourglass.now += timedelta(minutes=10, seconds=1)
        code = await street.code_of("2250712345678")
        await street.pay_page(page["payment_url"], "0712345678", otp=code)
        await asyncio.sleep(0.05)
        asked = {
            "order_id": "ord20260101000001", "amount": 1200, "pay_token": page["pay_token"],
        }  # fmt: skip
        assert (await street.post(STATUS, asked)).json()["status"] == "EXPIRED"
        assert await street.hands.movements() == []


BAD_PAGES: list[dict[str, Any]] = [
    {"merchant_key": "x"},
    {"currency": "OUV"},
    {"amount": "1200"},
    {"amount": 12.5},
    {"amount": 0},
    {"order_id": "x" * 31},
    {"notif_url": "https://pay.example/" + "x" * 120},
    {"notif_url": "nowhere"},
    {"lang": "sw"},
    {"reference": "x" * 31},
    {"cancel_url": None},
]


@pytest.mark.parametrize("change", BAD_PAGES, ids=str)
async def test_malformed_page_is_refused(change: dict[str, Any]) -> None:
    async with opened("web_payment") as street:
        response = await street.post(START, page_body(street, **change))
        assert response.status_code == 400


async def test_page_is_refused_for_a_reused_order_and_a_local_address() -> None:
    async with opened("web_payment") as street:
        assert (await street.post(START, page_body(street))).status_code == 201
        assert (await street.post(START, page_body(street))).status_code == 403
        await street.hands.settings(refuses_localhost=True)
        other = page_body(street, order_id="other")
        assert (await street.post(START, other)).status_code == 400


async def test_status_of_a_page_needs_all_three_to_match() -> None:
    async with opened("web_payment") as street:
        page = (await street.post(START, page_body(street))).json()
        right = {"order_id": "ord20260101000001", "amount": 1200, "pay_token": page["pay_token"]}
        for change in ({"order_id": "x"}, {"amount": 1201}, {"pay_token": "x"}):
            assert (await street.post(STATUS, {**right, **change})).status_code == 404


def pay_body(street: Street, token: str, **changes: Any) -> dict[str, Any]:
    return {
        "notifUrl": f"{street.callback_url}/core",
        "channelUserMsisdn": credentials.ORANGE_SANDBOX_CHANNEL_MSISDN,
        "amount": "100",
        "subscriberMsisdn": "690123456",
        "pin": credentials.ORANGE_SANDBOX_PIN,
        "orderId": "ord0001",
        "description": "demo",
        "payToken": token,
        **changes,
    }


CM = "/omcoreapis/1.0.2"


async def initiated(street: Street, product: str = "mp") -> str:
    response = await street.post(f"{CM}/{product}/init")
    assert response.status_code == 200
    return str(response.json()["data"]["payToken"])


@pytest.mark.parametrize("product", ["mp", "cashin", "cashout"])
async def test_payment_of_cameroon_is_prepared_ordered_and_told(product: str) -> None:
    async with opened("core") as street:
        token = await initiated(street, product)
        paid = await street.post(f"{CM}/{product}/pay", pay_body(street, token))
        assert paid.status_code == 200
        data = paid.json()["data"]
        assert (data["status"], data["inittxnstatus"], data["amount"]) == ("PENDING", "200", 100)
        assert (data["txnmode"], data["payToken"]) == ("ord0001", token)
        (letter,) = await street.box.wait()
        assert letter.json["payToken"] == token
        assert letter.json["status"] == "SUCCESSFULL"
        shown = (await street.get(f"{CM}/{product}/paymentstatus/{token}")).json()["data"]
        assert shown["status"] == "SUCCESSFULL"
        (movement,) = await street.hands.movements()
        assert movement["amount_minor"] == 100


BAD_PAYMENTS: list[tuple[dict[str, Any], int, str | None]] = [
    ({"pin": "0000"}, 417, "00068"),
    ({"payToken": "MP0"}, 417, "00404"),
    ({"amount": "99999999"}, 417, "60019"),
    ({"amount": 100}, 400, None),
    ({"subscriberMsisdn": "237690123456"}, 400, None),
    ({"orderId": "x" * 21}, 400, None),
    ({"channelUserMsisdn": "699999999"}, 400, None),
]


@pytest.mark.parametrize(("change", "status", "code"), BAD_PAYMENTS)
async def test_refused_payment_of_cameroon_says_why(
    change: dict[str, Any], status: int, code: str | None
) -> None:
    async with opened("core") as street:
        body = pay_body(street, await initiated(street), **change)
        refused = await street.post(f"{CM}/mp/pay", body)
        assert refused.status_code == status
        if code is not None:
            assert refused.json()["data"]["inittxnstatus"] == code
        assert await street.hands.movements() == []


async def test_cameroon_wants_both_its_headers() -> None:
    async with opened("core") as street:
        refused = await street.post(f"{CM}/mp/init", **{"X-AUTH-TOKEN": "x"})
        assert (refused.status_code, refused.json()["fault"]["code"]) == (403, 900908)


async def test_token_of_cameroon_pays_once() -> None:
    async with opened("core") as street:
        token = await initiated(street)
        assert (await street.post(f"{CM}/mp/pay", pay_body(street, token))).status_code == 200
        assert (await street.post(f"{CM}/mp/pay", pay_body(street, token))).status_code == 417
        await street.box.wait()
        assert len(await street.hands.movements()) == 1


PROMPTED = [
    ({"pin": "1234"}, "SUCCESSFULL"),
    ({"pin": "9999"}, "FAILED"),
    ({"decline": True}, "CANCELLED"),
]


@pytest.mark.parametrize(("answer", "status"), PROMPTED)
async def test_payer_in_cameroon_is_asked_for_the_pin(answer: Any, status: str) -> None:
    async with opened("core", approval="ask") as street:
        token = await initiated(street)
        await street.post(f"{CM}/mp/pay", pay_body(street, token))
        pushed = await street.get(f"{CM}/mp/push/{token}")
        assert pushed.json()["data"]["status"] == "PENDING"
        await street.hands.answer("237690123456", **answer)
        (letter,) = await street.box.wait()
        assert letter.json["status"] == status


def cash_body(**changes: Any) -> dict[str, Any]:
    return {
        "peerId": "840123456",
        "peerIdType": "msisdn",
        "amount": 1000,
        "currency": "CDF",
        "posId": credentials.ORANGE_SANDBOX_POS_ID,
        "transactionId": str(uuid4()),
        **changes,
    }


CD = "/orange-money-b2b/v1/cd/transactions"


@pytest.mark.parametrize(
    ("service", "kind"),
    [("cashout", "collection"), ("cashin", "disbursement"), ("omdcashin", "disbursement")],
)
@pytest.mark.parametrize("flat", [False, True])
async def test_transaction_in_congo_is_taken_and_told_on_the_address_agreed_upon(
    service: str, kind: str, flat: bool
) -> None:
    async with opened("b2b", flat_answers=flat) as street:
        await street.hands.settings(
            notify_url=f"{street.callback_url}/any", notify_authorization="Basic agreed"
        )
        body = cash_body()
        taken = await street.post(f"{CD}/{service}", body)
        assert (taken.status_code, taken.json()["status"]) == (202, "PENDING")
        assert ("transactionData" in taken.json()) is not flat
        (letter,) = await street.box.wait()
        assert letter.headers["authorization"] == "Basic agreed"
        assert letter.json["transactionId"] == body["transactionId"]
        assert (letter.json["status"], letter.json["amount"]) == ("SUCCESS", 1000)
        shown = await street.get(f"{CD}/{body['transactionId']}")
        assert (shown.status_code, shown.json()["status"]) == (200, "SUCCESS")
        (movement,) = await street.hands.movements()
        assert (movement["kind"], movement["amount_minor"]) == (kind, 100_000)


BAD_CASH: list[dict[str, Any]] = [
    {"peerId": "243840123456"},
    {"peerIdType": "MSISDN"},
    {"amount": "1000"},
    {"currency": "USD"},
    {"posId": "x"},
    {"transactionId": "x"},
]


@pytest.mark.parametrize("change", BAD_CASH, ids=str)
async def test_malformed_transaction_in_congo_is_refused(change: dict[str, Any]) -> None:
    async with opened("b2b") as street:
        assert (await street.post(f"{CD}/cashout", cash_body(**change))).status_code == 400


async def test_congo_without_permission_has_no_payouts() -> None:
    async with opened("b2b", cashin_allowed=False) as street:
        refused = await street.post(f"{CD}/cashin", cash_body())
        assert (refused.status_code, refused.json()["code"]) == (404, 60)


SN = "/api/eWallet/v1"


async def sealed(street: Street, pin: str) -> str:
    key = (await street.get("/api/account/v1/publicKeys")).json()["key"]
    public_key = load_der_public_key(base64.b64decode(key))
    assert isinstance(public_key, RSAPublicKey)
    return base64.b64encode(public_key.encrypt(pin.encode(), PKCS1v15())).decode()


async def test_code_of_a_payer_in_senegal_pays_in_one_step() -> None:
    async with opened("wallet") as street:
        pin = await sealed(street, "1234")
        body = {"idType": "MSISDN", "id": "771234567", "encryptedPinCode": pin}
        otp = (await street.post(f"{SN}/payments/otp", body)).json()["otp"]
        payment = {
            "customer": {"idType": "MSISDN", "id": "771234567", "otp": otp},
            "partner": {"idType": "CODE", "id": credentials.ORANGE_SANDBOX_MERCHANT_CODE},
            "amount": {"value": 500, "unit": "XOF"},
            "reference": "ord0001",
            "metadata": {},
        }
        paid = (await street.post(f"{SN}/payments/onestep", payment)).json()
        assert paid["status"] == "SUCCESS"
        again = await street.post(f"{SN}/payments/onestep", payment)
        assert again.status_code == 400  # the code was used up
        found = (await street.get(f"{SN}/transactions?reference=ord0001")).json()
        assert [each["transactionId"] for each in found] == [paid["transactionId"]]
        assert (await street.get(f"{SN}/transactions?reference=other")).json() == []


async def test_notification_of_senegal_is_signed_over_its_very_bytes() -> None:
    async with opened("wallet") as street:
        made = await street.post(
            "/api/eWallet/v4/qrcode",
            {
                "code": credentials.ORANGE_SANDBOX_MERCHANT_CODE,
                "name": "DEMO",
                "amount": {"value": 500, "unit": "XOF"},
                "validity": 600,
                "reference": "ord-0001",
            },
            **{"X-Callback-Url": f"{street.callback_url}/wallet"},
        )
        link = urlsplit(made.json()["shortLink"]).path
        await street.client.post(link, data={"msisdn": "771234567"})
        (letter,) = await street.box.wait()
        assert letter.headers["authorization"] == f"Basic {credentials.ORANGE_SANDBOX_API_KEY}"
        at, _, signature = letter.headers["x-sonatel-signature"].partition(",v1=")
        message = at.removeprefix("t=").encode() + b"," + letter.body
        secret = credentials.ORANGE_SANDBOX_SIGNING_SECRET.encode()
        assert signature == hmac.new(secret, message, hashlib.sha256).hexdigest()
        assert letter.json["amount"] == {"value": 500, "unit": "XOF"}
        paid = await street.client.post(link, data={"msisdn": "771234567"})
        assert "SUCCESS" in paid.text  # a link that was used is not paid again
        assert len(await street.hands.movements()) == 1


async def test_link_of_senegal_dies_after_its_validity() -> None:
    hourglass = Hourglass()
    async with opened("wallet", World(clock=hourglass)) as street:
        made = await street.post(
            "/api/eWallet/v4/qrcode",
            {
                "code": credentials.ORANGE_SANDBOX_MERCHANT_CODE,
                "name": "DEMO",
                "amount": {"value": 500, "unit": "XOF"},
                "validity": 60,
            },
        )
        hourglass.now += timedelta(seconds=61)
        link = urlsplit(made.json()["deepLinks"]["OM"]).path
        late = await street.client.post(link, data={"msisdn": "771234567"})
        assert (late.status_code, late.json()["code"]) == (400, "4004")


# Our adapters.


async def test_page_from_its_link_to_the_proof() -> None:
    async with opened("web_payment") as street, closing(web(street)) as adapter:
        order = street.order(COLLECT, "2250712345678", 1200)
        accepted = await adapter.collect(order)
        asked = street.order(
            COLLECT, "2250712345678", 1200, attempt_id=order.attempt_id,
            provider_reference=accepted.provider_reference,
        )  # fmt: skip
        assert (await adapter.query(asked)).code == "INITIATED"
        code = await street.code_of("2250712345678")
        await street.pay_page(accepted.pay_link, "0712345678", otp=code)
        (letter,) = await street.box.wait()
        told = adapter.read_callback("callback", letter.body).finding
        found = await settled(lambda: adapter.query(asked))
        assert told == found
        assert found.outcome is Outcome.SUCCEEDED
        assert found.receipt == (await street.hands.movements())[0]["receipt"]


async def test_page_whose_payer_lacks_the_money_fails() -> None:
    async with opened("web_payment") as street, closing(web(street)) as adapter:
        await street.hands.wallet("2250712345678", balance_minor=0)
        order = street.order(COLLECT, "2250712345678", 1200)
        accepted = await adapter.collect(order)
        code = await street.code_of("2250712345678")
        await street.pay_page(accepted.pay_link, "0712345678", otp=code)
        (letter,) = await street.box.wait()
        assert adapter.read_callback("callback", letter.body).finding.outcome is Outcome.FAILED
        with pytest.raises(OutcomeUnknown):
            await adapter.collect(order)  # 403, which only one source explains


@pytest.mark.parametrize("direction", [COLLECT, DISBURSE, REFUND])
async def test_cameroon_from_the_order_to_the_proof(direction: Direction) -> None:
    async with opened("core") as street, closing(core(street)) as adapter:
        order = street.order(direction, "237690123456", 100)
        accepted = await _operation(adapter, direction)(order)
        asked = street.order(
            direction, "237690123456", 100, provider_reference=accepted.provider_reference
        )
        (letter,) = await street.box.wait()
        told = adapter.read_callback("callback", letter.body).finding
        found = await settled(lambda: adapter.query(asked))
        assert (told.outcome, found.outcome) == (Outcome.SUCCEEDED, Outcome.SUCCEEDED)
        assert told.provider_reference == found.provider_reference == accepted.provider_reference
        assert (found.amount, found.msisdn) == (order.amount, order.msisdn)
        (movement,) = await street.hands.movements()
        assert adapter.references_of(order.attempt_id) == (movement["reference"],)


async def test_payment_of_cameroon_whose_answer_is_lost_is_found_by_its_token() -> None:
    async with opened("core") as street, closing(core(street)) as adapter:
        for fault in ("hang_after", "error_500_after", "truncated_json"):
            await street.hands.fault("disburse", fault)
            order = street.order(DISBURSE, "237690123456", 100)
            with pytest.raises(OutcomeUnknown) as caught:
                await adapter.disburse(order)
            asked = street.order(
                DISBURSE, "237690123456", 100, provider_reference=caught.value.provider_reference
            )
            found = await settled(lambda asked=asked: adapter.query(asked))  # type: ignore[misc]
            assert found.outcome is Outcome.SUCCEEDED
        assert len(await street.hands.movements()) == 3


REFUSED = [
    ("insufficient_funds", COLLECT, Reason.INSUFFICIENT_FUNDS),
    ("insufficient_funds", DISBURSE, Reason.CONFIGURATION),
    ("recipient_rejected", DISBURSE, Reason.OTHER),
]


@pytest.mark.parametrize(("fault", "direction", "reason"), REFUSED)
async def test_refusal_of_cameroon_is_definite(
    fault: str, direction: Direction, reason: Reason
) -> None:
    async with opened("core") as street, closing(core(street)) as adapter:
        await street.hands.fault("collect" if direction is COLLECT else "disburse", fault)
        with pytest.raises(Rejected) as caught:
            await _operation(adapter, direction)(street.order(direction, "237690123456", 100))
        assert caught.value.reason == reason
        assert await street.hands.movements() == []


@pytest.mark.parametrize("direction", [COLLECT, DISBURSE, REFUND])
async def test_congo_from_the_order_to_the_proof(direction: Direction) -> None:
    async with opened("b2b") as street, closing(b2b(street)) as adapter:
        await street.hands.settings(
            notify_url=f"{street.callback_url}/any", notify_authorization="Basic agreed"
        )
        order = street.order(direction, "243840123456", 100_000)
        await _operation(adapter, direction)(order)
        (letter,) = await street.box.wait()
        attempt_id, callback = adapter.read_fixed_callback(letter.body, letter.headers)
        found = await settled(lambda: adapter.query(order))
        assert attempt_id == order.attempt_id
        assert callback.finding == found
        assert (found.outcome, found.amount) == (Outcome.SUCCEEDED, order.amount)
        assert found.msisdn == order.msisdn
        (movement,) = await street.hands.movements()
        assert adapter.references_of(order.attempt_id) == (movement["reference"],)
        assert movement["receipt"] == found.receipt


async def test_transaction_of_congo_nobody_made_is_not_found() -> None:
    async with opened("b2b") as street, closing(b2b(street)) as adapter:
        found = await adapter.query(street.order(COLLECT, "243840123456", 100_000))
        assert found.outcome is Outcome.NOT_FOUND


async def test_senegal_pays_out_at_once_and_finds_it_again() -> None:
    async with opened("wallet") as street, closing(wallet(street)) as adapter:
        order = street.order(DISBURSE, "221771234567", 500)
        accepted = await adapter.disburse(order)
        by_id = street.order(
            DISBURSE, "221771234567", 500, provider_reference=accepted.provider_reference
        )
        assert accepted.finding.outcome is Outcome.SUCCEEDED
        assert (await adapter.query(by_id)).outcome is Outcome.SUCCEEDED
        found = await adapter.query(order)
        assert (found.outcome, found.amount) == (Outcome.SUCCEEDED, order.amount)
        nobody = await adapter.query(street.order(DISBURSE, "221771234567", 500))
        assert nobody.outcome is Outcome.NOT_FOUND


async def test_senegal_replaces_its_key_and_the_payout_goes_out_once() -> None:
    async with opened("wallet", retires_key=True) as street, closing(wallet(street)) as adapter:
        await adapter.disburse(street.order(DISBURSE, "221771234567", 500))
        assert len(await street.hands.movements()) == 1


async def test_payout_of_senegal_whose_answer_is_lost_is_found_by_our_reference() -> None:
    async with opened("wallet") as street, closing(wallet(street)) as adapter:
        await street.hands.fault("disburse", "reset_after")
        order = street.order(DISBURSE, "221771234567", 500)
        with pytest.raises(OutcomeUnknown):
            await adapter.disburse(order)
        assert (await adapter.query(order)).outcome is Outcome.SUCCEEDED


async def test_link_of_senegal_from_the_message_to_the_proof() -> None:
    async with opened("wallet", approval="ask") as street, closing(wallet(street)) as adapter:
        order = street.order(COLLECT, "221771234567", 500)
        accepted = await adapter.collect(order)
        assert (await adapter.query(order)).outcome is Outcome.NOT_FOUND
        await street.client.post(urlsplit(accepted.pay_link).path, data={"msisdn": "771234567"})
        await street.hands.answer("221771234567", pin="1234")
        (letter,) = await street.box.wait()
        told = adapter.read_signed_callback("callback", letter.body, letter.headers).finding
        assert told == await settled(lambda: adapter.query(order))
        assert (told.outcome, told.amount) == (Outcome.SUCCEEDED, order.amount)


async def test_lying_notification_of_senegal_shows_in_its_amount() -> None:
    async with opened("wallet") as street, closing(wallet(street)) as adapter:
        await street.hands.fault("collect", "callback_wrong_amount")
        accepted = await adapter.collect(street.order(COLLECT, "221771234567", 500))
        await street.client.post(urlsplit(accepted.pay_link).path, data={"msisdn": "771234567"})
        (letter,) = await street.box.wait()
        told = adapter.read_signed_callback("callback", letter.body, letter.headers).finding
        assert told.amount == Money(501, "XOF")


# Every API, the same misfortunes.

MAKERS: dict[Api, tuple[Callable[[Street], Any], Direction, str, int]] = {
    "web_payment": (web, COLLECT, "2250712345678", 1200),
    "core": (core, COLLECT, "237690123456", 100),
    "b2b": (b2b, COLLECT, "243840123456", 100_000),
    "wallet": (wallet, DISBURSE, "221771234567", 500),
}
NO_EVIDENCE = ("error_500_before", "error_503", "html_200", "hang_before", "truncated_json")


@pytest.mark.parametrize("api", MAKERS)
async def test_fault_at_the_door_leaves_the_outcome_unknown(api: Api) -> None:
    make, direction, msisdn, minor = MAKERS[api]
    async with opened(api) as street, closing(make(street)) as adapter:
        on = "collect" if direction is COLLECT else "disburse"
        for fault in NO_EVIDENCE:
            await street.hands.fault(on, fault)
            with pytest.raises(OutcomeUnknown):
                await _operation(adapter, direction)(street.order(direction, msisdn, minor))
        await street.hands.fault(on, "throttle_429")
        with pytest.raises(Throttled):
            await _operation(adapter, direction)(street.order(direction, msisdn, minor))


async def test_fault_that_could_never_strike_is_refused() -> None:
    async with opened("core") as street:
        with pytest.raises(ValueError, match="cannot happen here"):
            street.sandbox.faults.arm(Fault("collect", "paid_afterwards"))
        assert street.sandbox.faults.armed() == []


@pytest.mark.parametrize("api", MAKERS)
async def test_token_that_ran_out_is_renewed_in_flight(api: Api) -> None:
    make, direction, msisdn, minor = MAKERS[api]
    async with opened(api) as street, closing(make(street)) as adapter:
        for _ in range(2):
            await street.hands.fault(
                "collect" if direction is COLLECT else "disburse", "expired_token"
            )
            await _operation(adapter, direction)(street.order(direction, msisdn, minor))
            street.sandbox.tokens.clear()
        assert street.sandbox.faults.armed() == []


@pytest.mark.parametrize("api", ["core", "b2b"])
async def test_unlisted_status_of_a_question_is_pending(api: Api) -> None:
    make, direction, msisdn, minor = MAKERS[api]
    async with opened(api) as street, closing(make(street)) as adapter:
        order = street.order(direction, msisdn, minor)
        accepted = await _operation(adapter, direction)(order)
        asked = street.order(
            direction, msisdn, minor, attempt_id=order.attempt_id,
            provider_reference=accepted.provider_reference,
        )  # fmt: skip
        await settled(lambda: adapter.query(asked))
        await street.hands.fault("query", "unknown_status")
        found = await adapter.query(asked)
        assert (found.outcome, found.code) == (Outcome.PENDING, "EN_COURS")
        assert (await adapter.query(asked)).outcome is Outcome.SUCCEEDED


async def test_all_sandboxes_start_together_with_oranges_four() -> None:
    async with Sandboxes.start() as sandboxes:
        assert set(sandboxes.orange_urls) == set(DEFAULTS)
        for api, url in sandboxes.orange_urls.items():
            async with open_client(url) as client:
                settings = (await client.get("/_sandbox/settings")).json()
                assert settings["api"] == api
                statement = await client.get("/_sandbox/statement")
                assert statement.text.startswith("receipt,reference,side")


def _operation(adapter: Any, direction: Direction) -> Callable[[Order], Awaitable[Any]]:
    calls: dict[Direction, Callable[[Order], Awaitable[Any]]] = {
        COLLECT: adapter.collect,
        DISBURSE: adapter.disburse,
        REFUND: adapter.refund,
    }
    return calls[direction]
