"""Pre-approvals: a payer allows us, for a while, to collect without a prompt each time.

Paths and fates of numbers: reference mtn-momo.md, sections 5 and 11. Bodies are its open point
(section 14); these are the ones that generated clients of the published interface agree on. What
an approved one changes is the prompt of a request to pay: there is none.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import Refusal
from simulator.operators.admin import json_response
from simulator.operators.base import Notice
from simulator.operators.mtn_momo import wire
from simulator.operators.mtn_momo.sandbox import MtnSandbox, Preapproval
from simulator.operators.mtn_momo.scenarios import (
    NEVER_PREAPPROVED,
    PREAPPROVALS,
    Fails,
    Refused,
    Waits,
)

_BY_APPROVAL = {
    "declined": "APPROVAL_REJECTED",
    "wrong_pin": "PAYMENT_NOT_APPROVED",
    "expired": "EXPIRED",
}


class PreapprovalApi:
    """The handlers."""

    def __init__(self, sandbox: MtnSandbox) -> None:
        self._sandbox = sandbox

    async def create(self, request: Request) -> Response:
        """POST /collection/v2_0/preapproval. A repeated X-Reference-Id is a 409."""
        values = await wire.read_json(request)
        msisdn = wire.peek_msisdn(values)

        async def perform() -> Response:
            wire.check_content_length(request)
            user = self._sandbox.admit(request, "collection", "collect", msisdn)
            callback_url = request.headers.get("x-callback-url")
            host = self._sandbox.callback_host_of(user)
            if callback_url and urlsplit(callback_url).hostname != host:
                raise Refusal(wire.error("INVALID_CALLBACK_URL_HOST"))
            asked = self._accept(request, values)
            self._sandbox.spawn(self._decide(asked, callback_url))
            return Response(status_code=202)

        return await self._sandbox.answer("collect", msisdn, perform)

    async def show(self, request: Request) -> Response:
        """GET /collection/v2_0/preapproval/{id}."""

        async def perform() -> Response:
            return json_response(self._body(self._found(request)))

        return await self._sandbox.answer("query", None, perform)

    async def cancel(self, request: Request) -> Response:
        """DELETE /collection/v1_0/preapproval/{id}."""

        async def perform() -> Response:
            del self._sandbox.preapprovals[self._found(request).reference_id]
            return Response(status_code=200)

        return await self._sandbox.answer("query", None, perform)

    async def approved(self, request: Request) -> Response:
        """GET /collection/v1_0/preapprovals/{type}/{id}: those that are good now."""
        number = request.path_params["id"]

        async def perform() -> Response:
            self._sandbox.admit(request, "collection", "query", number)
            if request.path_params["type"].lower() != "msisdn":
                raise Refusal(wire.bad_request())
            good = self._sandbox.approved(number) if number != NEVER_PREAPPROVED else []
            return json_response([self._details(each) for each in good])

        return await self._sandbox.answer("query", number, perform)

    def _accept(self, request: Request, values: dict[str, Any]) -> Preapproval:
        sandbox = self._sandbox
        reference_id = request.headers.get("x-reference-id", "").lower()
        if not wire.is_uuid4(reference_id):
            raise Refusal(wire.bad_request())
        if reference_id in sandbox.preapprovals:
            raise Refusal(wire.error("RESOURCE_ALREADY_EXIST"))
        seconds = values.get("validityTime")
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
            raise Refusal(wire.bad_request())
        if wire.text(values, "payerCurrency") != sandbox.currency:
            raise Refusal(wire.error("INVALID_CURRENCY"))
        asked = Preapproval(
            reference_id=reference_id,
            party=dict(wire.read_party(values.get("payer"))),
            currency=sandbox.currency,
            message=wire.text(values, "payerMessage", required=False),
            expires_at=sandbox.world.clock() + timedelta(seconds=seconds),
        )
        match PREAPPROVALS.get(asked.msisdn):
            case Refused(code=code):
                raise Refusal(wire.error(code))
        sandbox.preapprovals[reference_id] = asked
        return asked

    async def _decide(self, asked: Preapproval, callback_url: str | None) -> None:
        asked.reason = await self._refusal(asked)
        asked.status = "FAILED" if asked.reason else "SUCCESSFUL"
        if callback_url is None:
            return
        await self._sandbox.notify(
            Notice(
                on="collect",
                msisdn=asked.msisdn,
                url=callback_url,
                body=lambda _: msgspec.json.encode(self._body(asked)),
                content_type="application/json; charset=utf-8",
                method=self._sandbox.settings.callback_method,
            )
        )

    async def _refusal(self, asked: Preapproval) -> str | None:
        """Why it failed; None when the payer has agreed."""
        settings = self._sandbox.settings
        match PREAPPROVALS.get(asked.msisdn):
            case Fails(reason=reason):
                await asyncio.sleep(settings.processing_seconds)
                return reason
            case Waits(status="PENDING"):
                await asyncio.sleep(settings.ongoing_seconds)
                return None if settings.ongoing_ends == "SUCCESSFUL" else "EXPIRED"
            case Waits(status=status):
                asked.status = status
                await asyncio.sleep(settings.delayed_seconds)
        wallet = self._sandbox.wallets.find(asked.msisdn) if asked.msisdn else None
        if wallet is None:
            return "PAYER_NOT_FOUND"
        text = f"Allow {settings.business_name} to collect without asking?\n{asked.message}"
        approval = await self._sandbox.ask_approval(wallet, amount_minor=0, text=text)
        return _BY_APPROVAL.get(approval)

    def _found(self, request: Request) -> Preapproval:
        self._sandbox.admit(request, "collection", "query", None)
        found = self._sandbox.preapprovals.get(request.path_params["id"].lower())
        if found is None:
            raise Refusal(wire.error("RESOURCE_NOT_FOUND"))
        return found

    def _body(self, asked: Preapproval) -> dict[str, object]:
        body: dict[str, object] = {
            "payer": asked.party,
            "payerCurrency": asked.currency,
            "payerMessage": asked.message,
            "status": asked.status,
            "expirationDateTime": asked.expires_at.strftime("%Y-%m-%dT%H:%M:%S"),
        }
        if asked.reason is not None:
            told = {"code": asked.reason, "message": wire.MESSAGES.get(asked.reason, asked.reason)}
            as_object = self._sandbox.settings.reason_as_object
            body["reason"] = told if as_object else asked.reason
        return body

    def _details(self, asked: Preapproval) -> dict[str, object]:
        return {"preApprovalId": asked.reference_id, **self._body(asked)}
