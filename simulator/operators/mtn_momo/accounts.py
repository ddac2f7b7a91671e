"""Everything that moves no money: API users, tokens, balances, account holders.

Facts: reference mtn-momo.md, sections 3, 4 and 8.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import Refusal
from simulator.operators.admin import json_response
from simulator.operators.authorization import basic_credentials
from simulator.operators.mtn_momo import wire
from simulator.operators.mtn_momo.sandbox import ApiUser, MtnSandbox
from simulator.operators.mtn_momo.scenarios import ACTIVE, ACTIVE_BY_MAIL
from simulator.operators.mtn_momo.wire import Product
from simulator.operators.wallets import Wallet

Reply = Callable[[], Response]


class AccountApi:
    """The handlers."""

    def __init__(self, sandbox: MtnSandbox) -> None:
        self._sandbox = sandbox

    async def create_user(self, request: Request) -> Response:
        """POST /v1_0/apiuser. The reference id becomes the user's id; repeated it is a 409."""
        values = await wire.read_json(request)

        def reply() -> Response:
            user_id = request.headers.get("x-reference-id", "")
            host = values.get("providerCallbackHost")
            if not wire.is_uuid4(user_id) or not isinstance(host, str) or "/" in host or not host:
                raise Refusal(wire.bad_request())
            if user_id in self._sandbox.users:
                raise Refusal(wire.error("RESOURCE_ALREADY_EXIST"))
            self._sandbox.users[user_id] = ApiUser(host)
            return Response(status_code=201)

        return await self._provision(request, reply)

    async def create_key(self, request: Request) -> Response:
        """POST /v1_0/apiuser/{id}/apikey. A second key replaces the first."""

        def reply() -> Response:
            user = self._user(request)
            user.api_key = self._sandbox.world.hex(32)
            return json_response({"apiKey": user.api_key}, 201)

        return await self._provision(request, reply)

    async def show_user(self, request: Request) -> Response:
        """GET /v1_0/apiuser/{id}."""

        def reply() -> Response:
            user = self._user(request)
            return json_response(
                {
                    "providerCallbackHost": self._sandbox.callback_host_of(user),
                    "targetEnvironment": self._sandbox.settings.target_environment,
                }
            )

        return await self._provision(request, reply)

    def issue_token(self, product: Product) -> Callable[[Request], Awaitable[Response]]:
        """The handler of POST /{product}/token/ (section 4.1)."""

        async def perform(request: Request) -> Response:
            wire.check_content_length(request)
            self._sandbox.check_subscription(request, product)
            given = basic_credentials(request.headers.get("authorization", ""))
            user = self._sandbox.users.get(given[0]) if given else None
            if given is None or user is None or user.api_key is None or user.api_key != given[1]:
                status = 500 if self._sandbox.settings.login_failed_as_500 else 401
                return json_response({"error": "login_failed"}, status)
            return json_response(
                {
                    "access_token": self._sandbox.issue_token(product, given[0]),
                    "token_type": "access_token",
                    "expires_in": self._sandbox.settings.token_seconds,
                }
            )

        async def handler(request: Request) -> Response:
            return await self._sandbox.answer("token", None, lambda: perform(request))

        return handler

    def balance(self, product: Product) -> Callable[[Request], Awaitable[Response]]:
        """The handler of GET .../account/balance, with or without a currency."""

        def reply(request: Request) -> Response:
            currency = self._sandbox.currency
            if request.path_params.get("currency", currency) != currency:
                raise Refusal(wire.error("INVALID_CURRENCY"))
            available = self._sandbox.ledger.balances_minor[product]
            return json_response(
                {
                    "availableBalance": wire.format_minor(available, currency),
                    "currency": currency,
                }
            )

        return self._asking(product, reply)

    def is_active(self, product: Product) -> Callable[[Request], Awaitable[Response]]:
        """The handler of GET .../accountholder/{type}/{id}/active."""

        def reply(request: Request) -> Response:
            holder, kind = request.path_params["id"], request.path_params["type"].lower()
            staged = {"msisdn": ACTIVE, "email": ACTIVE_BY_MAIL}.get(kind, {})
            if holder in staged:
                code = staged[holder]
                return wire.error(code) if code else json_response({"result": False})
            if kind == "email" and "@" in holder:
                return json_response({"result": True})
            return json_response({"result": self._holder(request).active})

        return self._asking(product, reply)

    def basic_user_info(self, product: Product) -> Callable[[Request], Awaitable[Response]]:
        """The handler of GET .../accountholder/msisdn/{msisdn}/basicuserinfo."""

        def reply(request: Request) -> Response:
            given_name, _, family_name = self._holder(request).name.partition(" ")
            return json_response(
                {
                    "given_name": given_name,
                    "family_name": family_name,
                    "birthdate": "1976-08-13",
                    "locale": "en_UG",
                    "gender": "FEMALE",
                    "status": "ACTIVE",
                }
            )

        return self._asking(product, reply)

    async def _provision(self, request: Request, reply: Reply) -> Response:
        try:
            if request.method == "POST":
                wire.check_content_length(request)
            self._sandbox.check_subscription(request, None)
            return reply()
        except Refusal as refusal:
            return refusal.response

    def _asking(
        self, product: Product, reply: Callable[[Request], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def handler(request: Request) -> Response:
            msisdn = request.path_params.get("id")

            async def perform() -> Response:
                self._sandbox.admit(request, product, "query", msisdn)
                return reply(request)

            return await self._sandbox.answer("query", msisdn, perform)

        return handler

    def _user(self, request: Request) -> ApiUser:
        user = self._sandbox.users.get(request.path_params["id"])
        if user is None:
            raise Refusal(wire.error("RESOURCE_NOT_FOUND"))
        return user

    def _holder(self, request: Request) -> Wallet:
        """The account holder by number; e-mail and party codes have no wallets here."""
        number: str = request.path_params["id"]
        by_number = request.path_params["type"].lower() == "msisdn" and wire.is_msisdn(number)
        wallet = self._sandbox.wallets.find(number) if by_number else None
        if wallet is None:
            raise Refusal(wire.error("RESOURCE_NOT_FOUND"))
        return wallet
