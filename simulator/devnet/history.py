"""What a client may ask of the chain and its past: transactions, blocks, where it stands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from simulator.devnet.clock import MICROSECONDS
from simulator.devnet.ledger import Block, Committed
from simulator.devnet.node import Node, Sight
from simulator.devnet.reading import (
    address_of,
    hash_of,
    json_answer,
    limit_of,
    start_of,
    whole_number,
)
from simulator.devnet.refusals import Refused, not_found
from simulator.devnet.rendering import (
    show_block,
    show_block_transaction,
    show_committed,
    show_entry,
    show_pending,
)

_HEALTHY_SECONDS = 10.0


class History:
    """Answers from one node's ledger, as far as the asking one sees it."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def info(self, request: Request, sight: Sight) -> Response:
        del request
        return json_answer(
            {
                "chain_id": sight.chain_id,
                "epoch": "1",
                "ledger_version": str(sight.version),
                "oldest_ledger_version": "0",
                "ledger_timestamp": str(sight.timestamp),
                "node_role": "full_node",
                "oldest_block_height": "0",
                "block_height": str(sight.height),
                "git_hash": f"devnet-{sight.executor.name}",
            }
        )

    async def healthy(self, request: Request, sight: Sight) -> Response:
        """Behind by more than `duration_secs` is not healthy."""
        seconds = request.query_params.get("duration_secs")
        allowed = float(whole_number("duration_secs", seconds)) if seconds else _HEALTHY_SECONDS
        behind = (self._node.clock.now() - sight.timestamp) / MICROSECONDS
        if behind > allowed and not self._node.settings.blocks_by_hand:
            raise Refused(503, "health_check_failed", f"The latest block is {behind:.0f} s old")
        return json_answer({"message": "aptos-node:ok"})

    async def by_hash(self, request: Request, sight: Sight) -> Response:
        return self._found(hash_of(request), sight)

    async def wait_by_hash(self, request: Request, sight: Sight) -> Response:
        """As `by_hash`, but what waits has a moment to be committed. A stale node never sees it."""
        found = hash_of(request)
        if sight.accounts is self._node.accounts:
            await self._node.wait_for(found, self._node.settings.long_poll_seconds)
            sight = self._node.sight()
        return self._found(found, sight)

    def _found(self, hash: bytes, sight: Sight) -> Response:
        committed = sight.by_hash(self._node.ledger, hash)
        if committed is not None:
            return json_answer(show_committed(committed, sight.executor))
        waiting = self._node.pool.find(hash)
        if waiting is not None and sight.accounts is self._node.accounts:
            return json_answer(show_pending(waiting, sight.executor))
        name = f"Transaction hash(0x{hash.hex()})"
        raise not_found("transaction", name, sight.version)

    async def by_version(self, request: Request, sight: Sight) -> Response:
        version: int = request.path_params["version"]
        entry = self._node.ledger.by_version(version) if version <= sight.version else None
        if entry is None:
            name = f"Ledger version({version})"
            if version <= sight.version:
                raise Refused(410, "version_pruned", f"{name} has been pruned")
            raise not_found("version", name, sight.version)
        return json_answer(show_entry(entry, sight.executor))

    async def transactions(self, request: Request, sight: Sight) -> Response:
        limit = limit_of(request)
        start = start_of(request)
        first = max(0, sight.version - limit + 1) if start is None else start
        if first > sight.version:
            raise not_found("version", f"Ledger version({first})", sight.version)
        versions = range(first, min(first + limit, sight.version + 1))
        entries = (self._node.ledger.by_version(version) for version in versions)
        return json_answer(
            [show_entry(entry, sight.executor) for entry in entries if entry is not None]
        )

    async def transactions_of_account(self, request: Request, sight: Sight) -> Response:
        seen = sight.of_sender(
            self._node.ledger,
            address_of(request),
            start=start_of(request),
            limit=limit_of(request),
        )
        return json_answer([show_committed(committed, sight.executor) for committed in seen])

    async def block_by_height(self, request: Request, sight: Sight) -> Response:
        height: int = request.path_params["height"]
        return self._block(request, sight, self._node.ledger.block_at(height), f"height({height})")

    async def block_by_version(self, request: Request, sight: Sight) -> Response:
        version: int = request.path_params["version"]
        block = self._node.ledger.block_of(version)
        return self._block(request, sight, block, f"version({version})")

    def _block(self, request: Request, sight: Sight, block: Block | None, name: str) -> Response:
        if block is None or block.last_version > sight.version:
            raise not_found("block", f"Block {name}", sight.version)
        transactions = None
        if request.query_params.get("with_transactions", "").lower() == "true":
            entries: list[Committed] = self._node.ledger.transactions_of(block)
            transactions = [
                show_block_transaction(block),
                *(show_committed(entry, sight.executor) for entry in entries),
            ]
        return json_answer(show_block(block, transactions))

    async def estimate(self, request: Request, sight: Sight) -> Response:
        del request, sight
        return json_answer(self._node.gas.estimate())
