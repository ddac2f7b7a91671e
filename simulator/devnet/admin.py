"""The node's own door `/_sandbox`: faults, the clock, blocks by hand, the pool, settings.

No node has such routes; tests and the demo use them to play the network.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulator.devnet.faults import NodeFault, NodeFaults
from simulator.devnet.node import Node
from simulator.operators.admin import PREFIX, Handler, explain_bad_input, json_response

# What can be told while the chain runs; an id, for one, belongs to all that was signed for it.
CHANGEABLE = frozenset(
    {
        "block_milliseconds",
        "idle_block_milliseconds",
        "block_transactions_max",
        "block_work_milliseconds",
        "long_poll_seconds",
        "stateless_accounts",
        "unit_price_min",
        "blocks_by_hand",
    }
)


class ClockChange(msgspec.Struct, forbid_unknown_fields=True):
    """Jump ahead by seconds; stand still, or go on."""

    advance_seconds: float = 0.0
    held: bool | None = None


def admin_routes(node: Node, faults: NodeFaults) -> list[BaseRoute]:
    """The routes of one node, bound to it."""
    admin = _Admin(node, faults)
    return [
        _route("/faults", "GET", admin.list_faults),
        _route("/faults", "POST", admin.arm_fault),
        _route("/faults", "DELETE", admin.clear_faults),
        _route("/clock", "GET", admin.show_clock),
        _route("/clock", "POST", admin.move_clock),
        _route("/blocks", "POST", admin.make_block),
        _route("/mempool", "GET", admin.show_pool),
        _route("/mempool", "DELETE", admin.clear_pool),
        _route("/settings", "GET", admin.show_settings),
        _route("/settings", "PUT", admin.change_settings),
    ]


def _route(path: str, method: str, handler: Handler) -> Route:
    return Route(PREFIX + path, explain_bad_input(handler), methods=[method])


class _Admin:
    def __init__(self, node: Node, faults: NodeFaults) -> None:
        self._node = node
        self._faults = faults

    async def list_faults(self, request: Request) -> Response:
        del request
        return json_response({"faults": self._faults.armed()})

    async def arm_fault(self, request: Request) -> Response:
        fault = msgspec.json.decode(await request.body(), type=NodeFault)
        sight = self._node.frozen_sight() if fault.fault == "stale" else None
        self._faults.arm(fault, sight)
        return json_response(fault, 201)

    async def clear_faults(self, request: Request) -> Response:
        del request
        self._faults.clear()
        self._node.leave_branch()
        return Response(status_code=204)

    async def show_clock(self, request: Request) -> Response:
        del request
        return self._clock()

    async def move_clock(self, request: Request) -> Response:
        """The ledger's own time follows with the next block."""
        change = msgspec.json.decode(await request.body(), type=ClockChange)
        clock = self._node.clock
        clock.advance(change.advance_seconds)
        if change.held is not None:
            (clock.hold if change.held else clock.release)()
        return self._clock()

    async def make_block(self, request: Request) -> Response:
        """One block at once, of whatever is ready."""
        del request
        block = self._node.make_block()
        ledger = self._node.ledger
        return json_response({"height": block.height, "version": ledger.version})

    async def show_pool(self, request: Request) -> Response:
        del request
        return json_response({"waiting": len(self._node.pool)})

    async def clear_pool(self, request: Request) -> Response:
        """The node forgets what waits, as one that is started anew does."""
        del request
        return json_response({"forgotten": self._node.pool.clear()})

    async def show_settings(self, request: Request) -> Response:
        del request
        return json_response(self._node.settings)

    async def change_settings(self, request: Request) -> Response:
        change = msgspec.json.decode(await request.body(), type=dict[str, Any])
        if fixed := sorted(change.keys() - CHANGEABLE):
            raise ValueError(f"{', '.join(fixed)} cannot be changed while the chain runs")
        settings = self._node.settings
        merged = {**msgspec.to_builtins(settings), **change}
        self._node.settings = msgspec.convert(merged, type=type(settings))
        return json_response(self._node.settings)

    def _clock(self) -> Response:
        clock = self._node.clock
        return json_response(
            {
                "now": clock.now(),
                "ledger_timestamp": self._node.ledger.timestamp,
                "held": clock.is_held,
            }
        )
