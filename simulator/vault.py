"""A sandbox of Vault's Transit engine, as far as signing with Ed25519 needs it.

From HashiCorp's API documentation (Transit: create, read, rotate and sign; token: renew-self;
status codes and `errors` bodies; read 2026-11-21). It knows nothing of who signs what. Keys are
made up and live as long as the process; `/_sandbox` makes tokens, seals it and arms faults.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections import deque
from typing import Any, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.faults import ABORT
from simulator.operators.world import World

FaultName = Literal[
    "permission_denied", "sealed", "standby", "error_500", "error_502", "html_200",
    "truncated_json", "wrong_signature", "reset",
]  # fmt: skip

MOUNT = "transit"
TOKEN_SECONDS = 3600

_REFUSED: dict[FaultName, int] = {
    "permission_denied": 403,
    "sealed": 503,
    "standby": 473,
    "error_500": 500,
    "error_502": 502,
}


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """What happens to the next `times` calls of the API."""

    fault: FaultName
    times: int = 1


class _Signing(msgspec.Struct):
    """What a request to sign may say; of the rest nothing matters to Ed25519."""

    input: str = ""
    key_version: int = 0


class _Token(msgspec.Struct):
    ends_at: float
    seconds: int
    renewals: int = 0


class VaultSandbox:
    """One unsealed server with Transit mounted; times in seconds of the world's clock."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_sealed = False
        self.faults: deque[Fault] = deque()
        self.calls: list[str] = []  # method and path of every call, without its body
        self._keys: dict[str, list[Ed25519PrivateKey]] = {}
        self._tokens: dict[str, _Token] = {}

    def make_token(self, *, seconds: int | None = None) -> str:
        """A token that lives for `seconds`, and may do everything here."""
        token, life = f"hvs.{secrets.token_urlsafe(24)}", seconds or TOKEN_SECONDS
        self._tokens[token] = _Token(self.world.clock().timestamp() + life, life)
        return token

    def renewals(self, token: str) -> int:
        """How often it was renewed."""
        return self._tokens[token].renewals

    def make_key(self, name: str, private_key: bytes | None = None) -> bytes:
        """A new key, or one more version of it; the public half."""
        key = (
            Ed25519PrivateKey.generate()
            if private_key is None
            else Ed25519PrivateKey.from_private_bytes(private_key)
        )
        self._keys.setdefault(name, []).append(key)
        return key.public_key().public_bytes_raw()

    # What the API does.

    def is_known(self, token: str) -> bool:
        known = self._tokens.get(token)
        return known is not None and self.world.clock().timestamp() < known.ends_at

    def renew(self, token: str) -> Response:
        known = self._tokens[token]
        known.renewals += 1
        known.ends_at = self.world.clock().timestamp() + known.seconds
        auth = {"client_token": token, "lease_duration": known.seconds, "renewable": True}
        return _json(200, {"auth": auth, "data": None})

    def create(self, name: str) -> Response:
        if name not in self._keys:  # creating what is there changes nothing
            self.make_key(name)
        return self.read(name)

    def read(self, name: str) -> Response:
        versions = self._keys.get(name)
        if versions is None:
            return _json(404, {"errors": []})
        told = {
            str(number): {
                "creation_time": "2026-01-01T00:00:00Z",
                "name": "ed25519",
                "public_key": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
            }
            for number, key in enumerate(versions, start=1)
        }
        return _json(
            200,
            {
                "data": {
                    "name": name,
                    "type": "ed25519",
                    "keys": told,
                    "latest_version": len(versions),
                    "supports_signing": True,
                    "exportable": False,
                }
            },
        )

    def sign(self, name: str, asked: _Signing, *, wrongly: bool) -> Response:
        versions = self._keys.get(name)
        if versions is None:
            return _json(400, {"errors": ["signing key not found"]})
        version = asked.key_version or len(versions)
        if version > len(versions):
            return _json(400, {"errors": ["cannot sign: version is not there"]})
        try:
            message = base64.b64decode(asked.input, validate=True)
        except (binascii.Error, ValueError):
            return _json(400, {"errors": [f"unable to decode input as base64: {asked.input}"]})
        signature = versions[version - 1].sign(message + b"!" if wrongly else message)
        text = f"vault:v{version}:{base64.b64encode(signature).decode()}"
        return _json(200, {"data": {"key_version": version, "signature": text}})


def vault_app(sandbox: VaultSandbox) -> Starlette:
    """Vault's API under `/v1`, and the tester's door beside it."""

    async def api(request: Request) -> Response:
        sandbox.calls.append(f"{request.method} {request.url.path}")
        fault = _take(sandbox)
        if fault == "reset":
            request.scope["extensions"][ABORT]()
            return Response()
        if fault in _REFUSED:
            return _json(_REFUSED[fault], {"errors": [fault]})
        if sandbox.is_sealed:
            return _json(503, {"errors": ["Vault is sealed"]})
        token = request.headers.get("x-vault-token", "")
        if not sandbox.is_known(token):
            return _json(403, {"errors": ["permission denied"]})
        answer = await _answer(sandbox, request, token, wrongly=fault == "wrong_signature")
        if fault == "html_200":
            return Response("<html>Welcome</html>", media_type="text/html")
        if fault == "truncated_json":
            return Response(bytes(answer.body)[:-7], media_type="application/json")
        return answer

    async def arm(request: Request) -> Response:
        try:
            sandbox.faults.append(msgspec.json.decode(await request.body(), type=Fault))
        except msgspec.MsgspecError as error:
            return _json(400, {"error": str(error)})
        return Response(status_code=204)

    async def seal(request: Request) -> Response:
        sandbox.is_sealed = request.path_params["how"] == "seal"
        return Response(status_code=204)

    async def token(_: Request) -> Response:
        return _json(200, {"token": sandbox.make_token()})

    return Starlette(
        routes=[
            Route("/v1/{path:path}", api, methods=["GET", "POST", "PUT"]),
            Route("/_sandbox/faults", arm, methods=["POST"]),
            Route("/_sandbox/token", token, methods=["POST"]),
            Route("/_sandbox/{how:str}", seal, methods=["POST"]),
        ]
    )


async def _answer(
    sandbox: VaultSandbox, request: Request, token: str, *, wrongly: bool
) -> Response:
    match request.method, request.path_params["path"].removeprefix(f"{MOUNT}/").split("/"):
        case "POST" | "PUT", ["auth", "token", "renew-self"]:
            return sandbox.renew(token)
        case "GET", ["keys", name]:
            return sandbox.read(name)
        case "POST" | "PUT", ["keys", name]:
            return sandbox.create(name)
        case "POST" | "PUT", ["keys", name, "rotate"]:
            sandbox.make_key(name)
            return sandbox.read(name)
        case "POST" | "PUT", ["sign", name]:
            try:
                asked = msgspec.json.decode(await request.body(), type=_Signing)
            except msgspec.MsgspecError:
                return _json(400, {"errors": ["failed to parse JSON input"]})
            return sandbox.sign(name, asked, wrongly=wrongly)
    return _json(404, {"errors": ["no handler for route"]})


def _take(sandbox: VaultSandbox) -> FaultName | None:
    if not sandbox.faults:
        return None
    fault = sandbox.faults[0]
    fault.times -= 1
    if fault.times < 1:
        sandbox.faults.popleft()
    return fault.fault


def _json(status: int, message: Any) -> Response:
    return Response(msgspec.json.encode(message), status, media_type="application/json")
