"""What a client may ask to happen: a transaction, a few at once, or a trial of one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from simulator.devnet.bcs import Malformed
from simulator.devnet.faults import SUBMISSION, NodeFault, NodeFaults
from simulator.devnet.node import Node, Sight
from simulator.devnet.reading import body_of, flag_of, json_answer
from simulator.devnet.refusals import Refused, invalid_input
from simulator.devnet.rendering import show_pending, show_simulated
from simulator.devnet.signatures import Gated
from simulator.devnet.transactions import decode_batch

SIGNED = "application/x.aptos.signed_transaction+bcs"
BATCH_MAX = 10


class Submissions:
    """Hands to one node what is submitted to it, or loses it where that is armed."""

    def __init__(self, node: Node, faults: NodeFaults) -> None:
        self._node = node
        self._faults = faults

    async def submit(self, request: Request, sight: Sight) -> Response:
        body = await body_of(request, SIGNED)
        match self._faults.take(SUBMISSION, "submit"):
            case NodeFault(fault="fork"):
                waiting = self._node.submit_to_branch(body)
            case NodeFault():
                return self._take_and_lose(body, sight)
            case None:
                waiting = self._node.submit(body)
        return json_answer(show_pending(waiting, sight.executor), 202)

    def _take_and_lose(self, body: bytes, sight: Sight) -> Response:
        """Accepted by a node that dies before it has told anybody."""
        waiting = self._node.submit(body)
        self._node.pool.remove(waiting)
        return json_answer(show_pending(waiting, sight.executor), 202)

    async def submit_batch(self, request: Request, sight: Sight) -> Response:
        del sight
        body = await body_of(request, SIGNED)
        try:
            batch = decode_batch(body)
        except (Malformed, Gated) as error:
            raise invalid_input(f"Failed to deserialize input into a batch: {error}") from error
        if len(batch) > BATCH_MAX:
            raise invalid_input(f"At most {BATCH_MAX} transactions can be submitted at once")
        failures = []
        for place, signed in enumerate(batch):
            try:
                self._node.admit(signed)
            except Refused as refused:
                failures.append({"error": refused.body(), "transaction_index": place})
        return json_answer({"transaction_failures": failures}, 206 if failures else 202)

    async def simulate(self, request: Request, sight: Sight) -> Response:
        del sight
        body = await body_of(request, SIGNED)
        estimates = self._node.gas.estimate()
        price = None
        if flag_of(request, "estimate_prioritized_gas_unit_price"):
            price = estimates["prioritized_gas_estimate"]
        elif flag_of(request, "estimate_gas_unit_price"):
            price = estimates["gas_estimate"]
        find_units = flag_of(request, "estimate_max_gas_amount")
        simulated = self._node.simulate(body, unit_price=price, find_units=find_units)
        response = json_answer([show_simulated(simulated)])
        response.headers["X-Aptos-Gas-Used"] = str(simulated.charge.units)
        return response
