"""The node's REST interface: which path is whose, what is armed, and the position in each header.

Paths and shapes: reference: aptos, section 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from simulator.devnet.addresses import parse_address
from simulator.devnet.faucet import Faucet
from simulator.devnet.faults import (
    AFTER,
    AROUND,
    BEFORE,
    INSTEAD,
    FaultTarget,
    NodeFault,
    NodeFaults,
    cut_in_half,
    instead,
)
from simulator.devnet.history import History
from simulator.devnet.node import Node, Sight
from simulator.devnet.reading import json_answer, whole_number
from simulator.devnet.refusals import Refused, invalid_input
from simulator.devnet.state import State
from simulator.devnet.submissions import Submissions
from simulator.faults import Silence

BCS = "application/x-bcs"

Handler = Callable[[Request, Sight], Awaitable[Response]]


def node_app(node: Node, faucet: Faucet, faults: NodeFaults, doors: list[BaseRoute]) -> Starlette:
    """One application: the node under `/v1`, its faucet at the root, and further doors."""
    api = _Api(node, faucet, faults)
    return Starlette(routes=[*api.routes(), *doors])


class _Api:
    def __init__(self, node: Node, faucet: Faucet, faults: NodeFaults) -> None:
        self._node = node
        self._faucet = faucet
        self._faults = faults
        self._history = History(node)
        self._state = State(node)
        self._submissions = Submissions(node, faults)

    def routes(self) -> list[BaseRoute]:
        """All of the node, and the faucet beside it."""
        info = self.door("read", self._history.info)
        return [
            Route("/v1", info, methods=["GET"]),
            Mount("/v1", routes=self._paths()),
            Route("/", self.tap, methods=["GET"]),
            Route("/mint", self.door("faucet", self.mint), methods=["POST"]),
        ]

    def _paths(self) -> list[Route]:
        def get(path: str, handler: Handler, on: FaultTarget = "read") -> Route:
            return Route(path, self.door(on, handler), methods=["GET"])

        def post(path: str, handler: Handler, on: FaultTarget) -> Route:
            return Route(path, self.door(on, handler), methods=["POST"])

        history, state, submissions = self._history, self._state, self._submissions
        return [
            get("/", history.info),
            get("/-/healthy", history.healthy),
            get("/spec", self.spec),
            get("/spec.json", self.spec),
            get("/spec.yaml", self.spec),
            get("/accounts/{address}", state.account),
            get("/accounts/{address}/resources", state.resources),
            get("/accounts/{address}/resource/{type:path}", state.resource),
            get("/accounts/{address}/modules", state.modules),
            get("/accounts/{address}/module/{name}", state.module),
            get("/accounts/{address}/transactions", history.transactions_of_account),
            get("/accounts/{address}/events/{number:int}", state.no_events),
            get("/accounts/{address}/events/{struct}/{field}", state.no_events),
            post("/tables/{handle}/item", state.table_item, "read"),
            get("/blocks/by_height/{height:int}", history.block_by_height),
            get("/blocks/by_version/{version:int}", history.block_by_version),
            get("/estimate_gas_price", history.estimate),
            get("/transactions", history.transactions),
            get("/transactions/by_hash/{hash}", history.by_hash, "find"),
            get("/transactions/wait_by_hash/{hash}", history.wait_by_hash, "find"),
            get("/transactions/by_version/{version:int}", history.by_version),
            post("/transactions", submissions.submit, "submit"),
            post("/transactions/batch", submissions.submit_batch, "submit"),
            post("/transactions/simulate", submissions.simulate, "simulate"),
            post("/view", state.view, "view"),
        ]

    def door(self, on: FaultTarget, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """A handler under whatever is armed, its refusals written, the headers put on."""

        async def opened(request: Request) -> Response:
            if (fault := self._faults.take(INSTEAD, on)) is not None:
                return instead(fault.fault) or Silence(fault.seconds_or_default)
            if (fault := self._faults.take(BEFORE, on)) is not None:
                await asyncio.sleep(fault.seconds_or_default)
            branched = self._node.branched_sight()
            seen = self._faults.sight(self._node.sight(), on, branched=branched)
            response = await self._answer(handler, request, seen)
            if on == "submit" and self._faults.take(AROUND, on) is not None:
                response = await self._answer(handler, request, seen)
            return _after(response, self._faults.take(AFTER, on))

        return opened

    async def _answer(self, handler: Handler, request: Request, sight: Sight) -> Response:
        try:
            _refuse_bcs(request)
            response = await handler(request, sight)
        except Refused as refused:
            response = json_answer(refused.body(), refused.status)
        # A live node has gone on while it worked; the headers are of the moment it answers.
        live = sight.accounts is self._node.accounts
        now = self._node.sight() if live else sight
        response.headers.update(_position(now, sight.chain_id))
        return response

    async def spec(self, request: Request, sight: Sight) -> Response:
        """No more than which paths there are."""
        del request, sight
        paths: dict[str, object] = {route.path: {} for route in self._paths()}
        info = {"title": "Aptos Node API", "version": "1.2.0"}
        return json_answer({"openapi": "3.0.0", "info": info, "paths": paths})

    async def tap(self, request: Request) -> Response:
        del request
        return Response("tap:ok", media_type="text/plain")

    async def mint(self, request: Request, sight: Sight) -> Response:
        del sight
        octas = whole_number("amount", request.query_params.get("amount"))
        try:
            address = parse_address(request.query_params.get("address", ""))
        except ValueError as error:
            raise invalid_input(str(error)) from error
        committed = await self._faucet.mint(address, octas)
        return json_answer([f"0x{committed.hash.hex()}"])


def _after(response: Response, fault: NodeFault | None) -> Response:
    match fault:
        case None:
            return response
        case NodeFault(fault="truncated_json"):
            return cut_in_half(response)
        case NodeFault(fault="error_500_after"):
            return instead("error_500_after") or response
    return Silence(fault.seconds_or_default)


def _position(sight: Sight, chain_id: int) -> dict[str, str]:
    return {
        "X-Aptos-Chain-Id": str(chain_id),
        "X-Aptos-Ledger-Version": str(sight.version),
        "X-Aptos-Ledger-Oldest-Version": "0",
        "X-Aptos-Ledger-TimestampUsec": str(sight.timestamp),
        "X-Aptos-Epoch": "1",
        "X-Aptos-Block-Height": str(sight.height),
        "X-Aptos-Oldest-Block-Height": "0",
    }


def _refuse_bcs(request: Request) -> None:
    if request.headers.get("accept") == BCS:
        raise Refused(400, "bcs_not_supported", "Only JSON is answered here")
