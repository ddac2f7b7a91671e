"""Small clients of the sandboxes, written from the references, and a mailbox for callbacks.

They know nothing of our adapters: the sandboxes are tested as a third party would use them.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import uuid4

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.requests import Request
from starlette.responses import Response

from simulator.operators import credentials
from simulator.sandbox import serving

PAYER = "254712345678"
PAYEE = "256772123456"
WAIT_SECONDS_MAX = 120.0


@dataclass
class Letter:
    """One callback as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Mailbox:
    """A server that keeps every callback and answers it with `statuses`, then 200 for good."""

    url: str = ""
    letters: list[Letter] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.letters.append(Letter(request.method, request.url.path, headers, body))
        self._came.set()
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)

    async def wait(self, count: int = 1) -> list[Letter]:
        """The letters, once there are `count`."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while len(self.letters) < count:
                self._came.clear()
                await self._came.wait()
        return self.letters


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    async with answering(box.receive) as box.url:
        yield box


@asynccontextmanager
async def answering(receives: Callable[[Request], Awaitable[Response]]) -> AsyncIterator[str]:
    """A server, by its address, that answers every request by this function."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        response = await receives(Request(scope, receive))
        await response(scope, receive, send)

    async with serving({"it": (app, 0)}) as urls:
        yield urls["it"]


def open_client(url: str) -> httpx.AsyncClient:
    """A client of one sandbox; plain HTTP only, so it loads no certificates."""
    return httpx.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=60)


class Hands:
    """The admin door of any sandbox."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **query: str) -> Any:
        response = await self.client.get(f"/_sandbox/{path}", params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def settings(self, **change: object) -> None:
        response = await self.client.put("/_sandbox/settings", json=change)
        assert response.status_code == 200, response.text

    async def wallet(self, msisdn: str, **change: object) -> None:
        response = await self.client.put(f"/_sandbox/wallets/{msisdn}", json=change)
        assert response.status_code == 200, response.text

    async def balance_minor(self, msisdn: str) -> int:
        wallets = (await self.get("wallets"))["wallets"]
        by_msisdn: dict[str, int] = {w["msisdn"]: w["balance_minor"] for w in wallets}
        return by_msisdn[msisdn]

    async def fault(self, on: str, name: str, **more: object) -> None:
        response = await self.client.post(
            "/_sandbox/faults", json={"on": on, "fault": name, **more}
        )
        assert response.status_code == 201, response.text

    async def movements(self) -> list[Any]:
        movements: list[Any] = (await self.get("ledger"))["movements"]
        return movements

    async def at_work_for(self) -> list[str]:
        """Whose orders are not over there."""
        return list((await self.get("work"))["at_work_for"])

    async def idle(self) -> None:
        """Until every order is over there, callbacks included."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while True:
                if not await self.at_work_for():
                    return
                await asyncio.sleep(0.01)

    async def prompt(self, msisdn: str) -> Any:
        """The prompt on this phone, once there is one."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while True:
                for prompt in (await self.get("prompts", msisdn=msisdn))["prompts"]:
                    return prompt
                await asyncio.sleep(0.01)

    async def answer(self, msisdn: str, **answer: object) -> None:
        prompt = await self.prompt(msisdn)
        response = await self.client.post(f"/_sandbox/prompts/{prompt['id']}", json=answer)
        assert response.status_code == 200, response.text


class MpesaClient(Hands):
    """Daraja calls with the sandbox's credentials; every field can be replaced."""

    def __init__(self, client: httpx.AsyncClient, callback_url: str) -> None:
        super().__init__(client)
        self.callback_url = callback_url
        self.token = ""
        self.credential = ""

    async def log_in(self) -> None:
        response = await self.client.get(
            "/oauth/v1/generate",
            params={"grant_type": "client_credentials"},
            auth=(
                credentials.MPESA_SANDBOX_CONSUMER_KEY,
                credentials.MPESA_SANDBOX_CONSUMER_SECRET,
            ),
        )
        assert response.status_code == 200, response.text
        self.token = response.json()["access_token"]
        self.credential = await self.encrypt(credentials.MPESA_SANDBOX_INITIATOR_PASSWORD)

    async def encrypt(self, password: str) -> str:
        pem = (await self.client.get("/_sandbox/certificate")).content
        key = x509.load_pem_x509_certificate(pem).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        return base64.b64encode(key.encrypt(password.encode(), padding.PKCS1v15())).decode()

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        sent = {name: value for name, value in body.items() if value is not None}
        return await self.client.post(path, json=sent, headers=headers)

    async def push(self, **fields: Any) -> httpx.Response:
        body = {
            **self._access(),
            "TransactionType": "CustomerPayBillOnline",
            "Amount": 150,
            "PartyA": int(PAYER),
            "PartyB": 174379,
            "PhoneNumber": int(PAYER),
            "CallBackURL": f"{self.callback_url}/cb/6f1c0f1e9b/stk",
            "AccountReference": "INV1001",
            "TransactionDesc": "School fees",
        }
        return await self.post("/mpesa/stkpush/v1/processrequest", {**body, **fields})

    async def push_query(self, checkout_request_id: str) -> httpx.Response:
        body = {**self._access(), "CheckoutRequestID": checkout_request_id}
        return await self.post("/mpesa/stkpushquery/v1/query", body)

    async def pay(self, *, version: str = "v3", **fields: Any) -> httpx.Response:
        body = {
            "OriginatorConversationID": f"po-{uuid4().hex}",
            "InitiatorName": credentials.MPESA_SANDBOX_INITIATOR_NAME,
            "SecurityCredential": self.credential,
            "CommandID": "BusinessPayment",
            "Amount": 500,
            "PartyA": credentials.MPESA_SANDBOX_B2C_SHORTCODE,
            "PartyB": PAYER,
            "Remarks": "payout",
            "QueueTimeOutURL": f"{self.callback_url}/cb/6f1c0f1e9b/timeout",
            "ResultURL": f"{self.callback_url}/cb/6f1c0f1e9b/result",
        }
        return await self.post(f"/mpesa/b2c/{version}/paymentrequest", {**body, **fields})

    async def enquire(self, path: str, **fields: Any) -> httpx.Response:
        body = {
            "Initiator": credentials.MPESA_SANDBOX_INITIATOR_NAME,
            "SecurityCredential": self.credential,
            "PartyA": credentials.MPESA_SANDBOX_B2C_SHORTCODE,
            "IdentifierType": "4",
            "Remarks": "check",
            "QueueTimeOutURL": f"{self.callback_url}/cb/6f1c0f1e9b/timeout",
            "ResultURL": f"{self.callback_url}/cb/6f1c0f1e9b/status",
        }
        return await self.post(path, {**body, **fields})

    async def status(self, **fields: Any) -> httpx.Response:
        return await self.enquire(
            "/mpesa/transactionstatus/v1/query", CommandID="TransactionStatusQuery", **fields
        )

    def _access(self) -> dict[str, Any]:
        shortcode = credentials.MPESA_SANDBOX_SHORTCODE
        timestamp = "20261120101500"
        plain = f"{shortcode}{credentials.MPESA_SANDBOX_PASSKEY}{timestamp}"
        return {
            "BusinessShortCode": int(shortcode),
            "Password": base64.b64encode(plain.encode()).decode(),
            "Timestamp": timestamp,
        }


class MtnClient(Hands):
    """MoMo calls with the sandbox's credentials; every header and field can be replaced."""

    KEYS: ClassVar = {
        "collection": credentials.MTN_SANDBOX_COLLECTION_SUBSCRIPTION_KEY,
        "disbursement": credentials.MTN_SANDBOX_DISBURSEMENT_SUBSCRIPTION_KEY,
        "remittance": credentials.MTN_SANDBOX_REMITTANCE_SUBSCRIPTION_KEY,
    }
    PATHS: ClassVar = {
        "requesttopay": "collection/v1_0/requesttopay",
        "requesttowithdraw": "collection/v1_0/requesttowithdraw",
        "transfer": "disbursement/v1_0/transfer",
        "deposit": "disbursement/v1_0/deposit",
        "refund": "disbursement/v1_0/refund",
        "remittance": "remittance/v1_0/transfer",
        "cashtransfer": "remittance/v2_0/cashtransfer",
        "preapproval": "collection/v2_0/preapproval",
    }

    def __init__(self, client: httpx.AsyncClient, callback_url: str) -> None:
        super().__init__(client)
        self.callback_url = f"{callback_url}/cb/1e0f9a77c2/momo"
        self.tokens: dict[str, str] = {}

    async def log_in(self) -> None:
        for product, key in self.KEYS.items():
            response = await self.client.post(
                f"/{product}/token/",
                auth=(credentials.MTN_SANDBOX_API_USER, credentials.MTN_SANDBOX_API_KEY),
                headers={"Ocp-Apim-Subscription-Key": key},
            )
            assert response.status_code == 200, response.text
            self.tokens[product] = response.json()["access_token"]

    def headers(self, product: str) -> dict[str, str]:
        return {
            "Ocp-Apim-Subscription-Key": self.KEYS[product],
            "Authorization": f"Bearer {self.tokens[product]}",
            "X-Target-Environment": "mtnuganda",
        }

    async def create(
        self,
        kind: str,
        *,
        reference_id: str | None = None,
        headers: dict[str, str | None] | None = None,
        **fields: Any,
    ) -> httpx.Response:
        path = self.PATHS[kind]
        product = path.partition("/")[0]
        body: dict[str, Any] = {
            "amount": "1500",
            "currency": "UGX",
            "externalId": "INV-1001",
            "payerMessage": "School fees term 3",
            "payeeNote": "INV-1001",
        }
        if kind != "refund":
            party = "payer" if product == "collection" else "payee"
            body[party] = {"partyIdType": "MSISDN", "partyId": PAYEE}
        sent = {
            **self.headers(product),
            "X-Reference-Id": reference_id or str(uuid4()),
            "X-Callback-Url": self.callback_url,
            **(headers or {}),
        }
        return await self.client.post(
            f"/{path}",
            json={name: value for name, value in {**body, **fields}.items() if value is not None},
            headers={name: value for name, value in sent.items() if value is not None},
        )

    async def ask(self, path: str) -> httpx.Response:
        """A GET of a product; the product is the first part of the path."""
        product = path.strip("/").partition("/")[0]
        return await self.client.get(path, headers=self.headers(product))

    async def final(self, kind: str, reference_id: str) -> Any:
        """The status body once it is final."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while True:
                body = (await self.ask(f"/{self.PATHS[kind]}/{reference_id}")).json()
                if body["status"] not in ("PENDING", "CREATED"):
                    return body
                await asyncio.sleep(0.01)


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None
