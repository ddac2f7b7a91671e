"""Everything that moves no money: tokens, keys, balances, users.

Facts: reference airtel-money.md, sections 3, 7 and 9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.operators.admin import explain_bad_input, json_response
from simulator.operators.airtel_money import wire
from simulator.operators.airtel_money.sandbox import AirtelSandbox, Code
from simulator.operators.wallets import MerchantAccount

_KEYS_LIVE = timedelta(days=365)
_BALANCE_TYPES: Mapping[str, MerchantAccount | None] = {
    "COLL": "collection",
    "DISB": "disbursement",
    "CASHIN": None,  # products we do not have
    "CASHOUT": None,
}


class AccountApi:
    """The handlers."""

    def __init__(self, sandbox: AirtelSandbox) -> None:
        self._sandbox = sandbox

    async def issue_token(self, request: Request) -> Response:
        """POST /auth/oauth2/token. What a wrong secret gets is not documented: OAuth's own."""
        values = await wire.read_json(request)
        settings = self._sandbox.settings

        async def perform() -> Response:
            asked = {name: values.get(name) for name in ("client_id", "client_secret")}
            ours = {"client_id": settings.client_id, "client_secret": settings.client_secret}
            if values.get("grant_type") != "client_credentials":
                return json_response({"error": "unsupported_grant_type"}, 400)
            if asked != ours:
                return json_response({"error": "invalid_client"}, 401)
            seconds = settings.token_seconds
            return json_response(
                {
                    "token_type": "bearer",
                    "access_token": self._sandbox.issue_token(),
                    "expires_in": seconds if settings.expires_in_as_number else str(seconds),
                }
            )

        return await self._sandbox.answer("token", None, perform)

    async def show_keys(self, request: Request) -> Response:
        """GET /v1/rsa/encryption-keys."""

        def reply() -> Response:
            sandbox = self._sandbox
            ends = sandbox.world.clock() + _KEYS_LIVE
            told: dict[str, object] = {
                "key_id": sandbox.key_id,
                "key": sandbox.signing_key.public_text,
                "valid_upto": f"{ends:%d-%m-%Y %H:%M:%S}",
            }
            if sandbox.settings.separate_pin_key:
                told["pin_key"] = sandbox.pin_key.public_text
            return wire.envelope("DP02010001001", message="SUCCESS", data=told)

        return await self._ask(request, "keys", None, reply)

    async def balance(self, request: Request) -> Response:
        """GET /standard/v1|v2/users/balance: one wallet, or one of four (`type`)."""
        wanted = request.query_params.get("type", "") if "/v2/" in request.url.path else None

        def reply() -> Response:
            balances = self._sandbox.ledger.balances_minor
            if wanted is None:
                minor = sum(balances.values())
            elif wanted in _BALANCE_TYPES:
                account = _BALANCE_TYPES[wanted]
                minor = balances[account] if account else 0
            else:
                raise wire.refusal("ROUTER003")
            currency = self._sandbox.currency
            told = {
                "balance": wire.format_minor(minor, currency, decimals=True),
                "currency": self._sandbox.settings.currency_word or currency,
                "account_status": "Active",
            }
            return wire.envelope("DP02100000001", message="SUCCESS", data=told)

        return await self._ask(request, "balance", None, reply)

    async def show_user(self, request: Request) -> Response:
        """GET /standard/v1/users/{msisdn}, without the country's code."""
        sandbox = self._sandbox
        number: str = request.path_params["msisdn"]
        msisdn = sandbox.country.code + number

        def reply() -> Response:
            lenient = sandbox.settings.lenient_msisdn
            national = wire.check_msisdn(number, sandbox.country, lenient=lenient)
            wallet = sandbox.wallets.find(sandbox.country.code + national)
            if wallet is None:
                raise wire.refusal("DP02200000002", message="User not found")
            first, _, last = wallet.name.partition(" ")
            told = {
                "first_name": first,
                "last_name": last,
                "msisdn": national,
                "grade": "SUBS",
                "is_barred": not wallet.active,
                "is_pin_set": True,
                "registration": {"status": "SUCCESS"},
            }
            return wire.envelope("DP02200000001", message="SUCCESS", data=told)

        return await self._ask(request, "user", msisdn, reply)

    async def set_code(self, request: Request) -> Response:
        """POST /_sandbox/codes: every code of section 10 can be had by this."""

        async def handler(request: Request) -> Response:
            code = msgspec.json.decode(await request.body(), type=Code)
            self._sandbox.codes.append(code)
            return json_response(code, 201)

        return await explain_bad_input(handler)(request)

    async def rotate_keys(self, request: Request) -> Response:
        """POST /_sandbox/keys: what is sealed with the old ones is refused from now on."""
        del request
        self._sandbox.rotate_keys()
        return json_response({"key_id": self._sandbox.key_id}, 201)

    async def _ask(
        self, request: Request, on: str, msisdn: str | None, reply: Callable[[], Response]
    ) -> Response:
        async def perform() -> Response:
            self._sandbox.admit(request, "query", msisdn)
            self._sandbox.refuse_by_code(on, msisdn)
            return reply()

        return await self._sandbox.answer("query", msisdn, perform)
