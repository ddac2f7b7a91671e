"""A small client of Airtel Money's Open API, written from the reference alone.

It knows nothing of our adapter: the sandbox is tested as a third party would use it.
"""

import asyncio
import base64
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from simulator.operators import credentials
from tests.providers.sandbox_clients import WAIT_SECONDS_MAX, Hands

PAYER = "733000001"
PAYEE = "733000002"


def with_code(national: str) -> str:
    return f"254{national}"


class AirtelClient(Hands):
    """Calls with the sandbox's credentials; every header and field can be replaced."""

    country = "KE"
    currency = "KES"

    def __init__(self, client: httpx.AsyncClient) -> None:
        super().__init__(client)
        self.token = ""
        self.key = ""
        self._ids = 0

    async def log_in(self, **fields: Any) -> httpx.Response:
        body = {
            "client_id": credentials.AIRTEL_SANDBOX_CLIENT_ID,
            "client_secret": credentials.AIRTEL_SANDBOX_CLIENT_SECRET,
            "grant_type": "client_credentials",
            **fields,
        }
        response = await self.client.post("/auth/oauth2/token", json=body)
        if response.status_code == 200:
            self.token = response.json()["access_token"]
        return response

    def headers(self, **changes: str | None) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "X-Country": self.country,
            "X-Currency": self.currency,
            **changes,
        }
        return {name: value for name, value in headers.items() if value is not None}

    async def get(self, path: str, **query: str) -> Any:
        if not path.startswith("/"):
            return await super().get(path, **query)
        return await self.client.get(path, params=query, headers=self.headers())

    async def fetch_key(self) -> None:
        response = await self.get("/v1/rsa/encryption-keys")
        self.key = response.json()["data"]["key"]

    def new_id(self) -> str:
        self._ids += 1
        return f"ord20260101{self._ids:04d}"

    async def post(
        self,
        path: str,
        body: dict[str, Any],
        *,
        signed: bool = False,
        headers: dict[str, str | None] | None = None,
    ) -> httpx.Response:
        raw = msgspec.json.encode(body)
        more: dict[str, str | None] = {"Content-Type": "application/json", **(headers or {})}
        if signed:
            more = {**more, **self.signature(raw)}
        return await self.client.post(path, content=raw, headers=self.headers(**more))

    async def push(
        self,
        *,
        version: int = 1,
        id: Any = None,
        amount: Any = 150,
        msisdn: Any = PAYER,
        signed: bool = False,
        headers: dict[str, str | None] | None = None,
        **fields: Any,
    ) -> httpx.Response:
        body = {
            "reference": "INV0001",
            "subscriber": {"country": self.country, "currency": self.currency, "msisdn": msisdn},
            "transaction": {
                "amount": amount,
                "country": self.country,
                "currency": self.currency,
                "id": self.new_id() if id is None else id,
            },
            **fields,
        }
        path = f"/merchant/v{version}/payments/"
        return await self.post(path, body, signed=signed, headers=headers)

    async def pay(
        self,
        *,
        version: int = 1,
        id: str | None = None,
        amount: Any = 500,
        msisdn: str = PAYEE,
        pin: str | None = None,
        signed: bool = False,
        **fields: Any,
    ) -> httpx.Response:
        payee: dict[str, Any] = {"msisdn": msisdn}
        transaction: dict[str, Any] = {"amount": amount, "id": id or self.new_id()}
        if version > 1:
            transaction["type"] = "B2C"
        if version == 2:
            payee["currency"] = self.currency
        if version == 3:
            payee["wallet_type"] = "NORMAL"
        body = {
            "payee": payee,
            "reference": "PAY0001",
            "pin": self.sealed(credentials.AIRTEL_SANDBOX_PIN) if pin is None else pin,
            "transaction": transaction,
            **fields,
        }
        slash = "" if version == 3 else "/"
        return await self.post(f"/standard/v{version}/disbursements{slash}", body, signed=signed)

    async def give_back(self, airtel_money_id: object, *, version: int = 1) -> httpx.Response:
        body = {"transaction": {"airtel_money_id": airtel_money_id}}
        return await self.post(f"/standard/v{version}/payments/refund", body)

    async def enquire(self, id: str, *, kind: str = "payments", version: int = 1) -> Any:
        return await self.get(f"/standard/v{version}/{kind}/{id}")

    async def final(self, id: str, *, kind: str = "payments") -> Any:
        """`status` and `data.transaction` once it is over."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while True:
                body = (await self.enquire(id, kind=kind)).json()
                if body["data"]["transaction"]["status"] != "TIP":
                    return {**body["status"], **body["data"]["transaction"]}
                await asyncio.sleep(0.01)

    async def code(self, on: str, code: str, **more: Any) -> None:
        body = {"on": on, "code": code, **more}
        response = await self.client.post("/_sandbox/codes", json=body)
        assert response.status_code == 201, response.text

    def sealed(self, pin: str, *, oaep: bool = False) -> str:
        digest = hashes.SHA256()
        how = padding.OAEP(padding.MGF1(digest), digest, None) if oaep else padding.PKCS1v15()
        return base64.b64encode(self._public_key().encrypt(pin.encode(), how)).decode()

    def signature(self, body: bytes) -> dict[str, str]:
        secret, start = bytes(range(32)), bytes(range(16))
        padder = PKCS7(128).padder()
        encryptor = Cipher(algorithms.AES256(secret), modes.CBC(start)).encryptor()
        packed = encryptor.update(padder.update(body) + padder.finalize())
        told = base64.b64encode(secret) + b":" + base64.b64encode(start)
        key = self._public_key().encrypt(told, padding.PKCS1v15())
        return {
            "x-signature": base64.b64encode(packed).decode(),
            "x-key": base64.b64encode(key).decode(),
        }

    def _public_key(self) -> rsa.RSAPublicKey:
        key = serialization.load_der_public_key(base64.b64decode(self.key))
        assert isinstance(key, rsa.RSAPublicKey)
        return key
