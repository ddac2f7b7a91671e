"""The admin routes every sandbox offers under `/_sandbox`: the phone, transcripts and tests use
them to play the customers and to arm faults. No operator has such routes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.faults import Fault
from simulator.operators.base import MinorUnits, S, Sandbox
from simulator.operators.prompts import Declined, PinTyped
from simulator.operators.statement import EAST_AFRICA, Statements

PREFIX = "/_sandbox"
_MSISDN = re.compile(r"[1-9][0-9]{6,14}")
Handler = Callable[[Request], Awaitable[Response]]


class WalletChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change about a wallet; what is not named stays."""

    balance_minor: MinorUnits | None = None
    name: str | None = None
    pin: str | None = None
    active: bool | None = None
    sim_changed_hours: Annotated[float, msgspec.Meta(ge=0)] | None = None  # so long ago


_WALLET_FIELDS = ("balance_minor", "name", "pin", "active")


class Holding(msgspec.Struct, forbid_unknown_fields=True):
    """What our accounts at the operator hold together."""

    held_minor: MinorUnits


class PromptAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """A typed PIN, or a press on cancel."""

    pin: str | None = None
    decline: bool = False


def json_response(content: object, status_code: int = 200) -> Response:
    """A JSON answer with exactly `application/json` as its content type."""
    return Response(
        msgspec.json.encode(content), status_code=status_code, media_type="application/json"
    )


def admin_routes(sandbox: Sandbox[S]) -> list[Route]:
    """The routes of one sandbox, bound to its state."""
    admin = _Admin(sandbox)
    return [
        _route("/wallets", "GET", admin.list_wallets),
        _route("/wallets/{msisdn}", "PUT", admin.change_wallet),
        _route("/prompts", "GET", admin.list_prompts),
        _route("/prompts/{id}", "POST", admin.answer_prompt),
        _route("/ledger", "GET", admin.show_ledger),
        _route("/merchant", "PUT", admin.hold),
        _route("/statement", "GET", admin.write_statement),
        _route("/callbacks", "GET", admin.list_callbacks),
        _route("/work", "GET", admin.list_work),
        _route("/faults", "GET", admin.list_faults),
        _route("/faults", "POST", admin.arm_fault),
        _route("/faults", "DELETE", admin.clear_faults),
        _route("/settings", "GET", admin.show_settings),
        _route("/settings", "PUT", admin.change_settings),
    ]


def _route(path: str, method: str, handler: Handler) -> Route:
    return Route(PREFIX + path, explain_bad_input(handler), methods=[method])


def explain_bad_input(handler: Handler) -> Handler:
    """Answer input that does not fit with 400 and a sentence, instead of an error page."""

    async def explained(request: Request) -> Response:
        try:
            return await handler(request)
        except (msgspec.MsgspecError, ValueError) as error:
            return json_response({"error": str(error)}, 400)

    return explained


class _Admin:
    def __init__(self, sandbox: Sandbox[Any]) -> None:
        self._sandbox = sandbox
        self._statements = Statements(sandbox)

    async def list_wallets(self, request: Request) -> Response:
        del request
        return json_response({"wallets": self._sandbox.wallets.all()})

    async def change_wallet(self, request: Request) -> Response:
        msisdn = request.path_params["msisdn"]
        if not _MSISDN.fullmatch(msisdn):
            raise ValueError("a wallet is named by 7 to 15 digits without plus")
        change = msgspec.json.decode(await request.body(), type=WalletChange)
        wallet = self._sandbox.wallets.open(msisdn)
        for name in _WALLET_FIELDS:
            if (value := getattr(change, name)) is not None:
                setattr(wallet, name, value)
        if change.sim_changed_hours is not None:
            ago = timedelta(hours=change.sim_changed_hours)
            wallet.sim_changed_at = self._sandbox.world.clock() - ago
        return json_response(wallet)

    async def list_prompts(self, request: Request) -> Response:
        msisdn = request.query_params.get("msisdn")
        wanted = msisdn.strip().removeprefix("+") if msisdn else None
        return json_response({"prompts": self._sandbox.prompts.pending(wanted)})

    async def answer_prompt(self, request: Request) -> Response:
        answer = msgspec.json.decode(await request.body(), type=PromptAnswer)
        if answer.decline == (answer.pin is not None):
            raise ValueError("either a pin or decline")
        typed = Declined() if answer.pin is None else PinTyped(answer.pin)
        if not self._sandbox.prompts.answer(request.path_params["id"], typed):
            return json_response({"error": "no such prompt on screen"}, 404)
        return json_response({"answered": True})

    async def show_ledger(self, request: Request) -> Response:
        del request
        ledger = self._sandbox.ledger
        merchant: dict[str, int | str] = {"currency": self._sandbox.currency}
        for account, minor in ledger.balances_minor.items():
            merchant[f"{account}_minor"] = minor
        return json_response({"movements": ledger.movements, "merchant": merchant})

    async def hold(self, request: Request) -> Response:
        """Have our accounts hold so much: what differs comes to, or leaves, what pays out."""
        wanted = msgspec.json.decode(await request.body(), type=Holding).held_minor
        balances = self._sandbox.ledger.balances_minor
        paying = balances["disbursement"] + wanted - sum(balances.values())
        if paying < 0:
            raise ValueError("what was collected is more than that")
        balances["disbursement"] = paying
        return await self.show_ledger(request)

    async def write_statement(self, request: Request) -> Response:
        """The statement of `day` (YYYY-MM-DD), today's without one."""
        day = request.query_params.get("day")
        now = self._sandbox.world.clock().astimezone(EAST_AFRICA)
        wanted = date.fromisoformat(day) if day else now.date()
        return Response(self._statements.of(wanted), media_type="text/csv")

    async def list_callbacks(self, request: Request) -> Response:
        del request
        return json_response({"callbacks": list(self._sandbox.courier.deliveries)})

    async def list_work(self, request: Request) -> Response:
        """Whose orders are still being carried out, callbacks included."""
        del request
        return json_response({"at_work_for": self._sandbox.at_work_for})

    async def list_faults(self, request: Request) -> Response:
        del request
        return json_response({"faults": self._sandbox.faults.armed()})

    async def arm_fault(self, request: Request) -> Response:
        fault = msgspec.json.decode(await request.body(), type=Fault)
        self._sandbox.faults.arm(fault)
        return json_response(fault, 201)

    async def clear_faults(self, request: Request) -> Response:
        del request
        self._sandbox.faults.clear()
        return Response(status_code=204)

    async def show_settings(self, request: Request) -> Response:
        del request
        return json_response(self._sandbox.settings)

    async def change_settings(self, request: Request) -> Response:
        change = msgspec.json.decode(await request.body(), type=dict[str, Any])
        settings = self._sandbox.settings
        merged = {**msgspec.to_builtins(settings), **change}
        self._sandbox.settings = msgspec.convert(merged, type=type(settings))
        return json_response(self._sandbox.settings)
