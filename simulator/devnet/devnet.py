"""A node with its faucet, faults and doors, as one application that makes blocks while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette

from simulator.devnet.admin import admin_routes
from simulator.devnet.clock import LedgerClock
from simulator.devnet.executor import Executor
from simulator.devnet.faucet import Faucet
from simulator.devnet.faults import NodeFaults
from simulator.devnet.http import node_app
from simulator.devnet.journal import Journal, KeptHeader
from simulator.devnet.node import Node, NodeSettings
from simulator.operators.world import World


class Devnet:
    """One chain, ready to be served. `folder` keeps it; without one it is gone with the process.

    `funded`: who has APT from the beginning, in octas by address.
    Raises `OtherChain` when the folder keeps a chain that was run with something else.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        world: World | None = None,
        settings: NodeSettings | None = None,
        folder: Path | None = None,
        funded: Mapping[bytes, int] | None = None,
    ) -> None:
        funded = funded or {}
        world = world or World()
        settings = settings or NodeSettings()
        journal = None
        if folder is not None:
            known = {address.hex(): octas for address, octas in funded.items()}
            journal = Journal(folder, KeptHeader(settings.chain_id, executor.name, known))
        self.node = Node(executor, LedgerClock(world.clock), settings, journal)
        self.faults = NodeFaults()
        self.faucet = Faucet(self.node, world.random)
        self.node.endow(funded)
        if journal is not None:
            self.node.restore(journal.read())
        self.node.make_block()  # Until then the ledger has no time, or that of long ago.

    def app(self) -> Starlette:
        """The node under `/v1`, the faucet at `/mint`, the own door under `/_sandbox`."""
        doors = admin_routes(self.node, self.faults)
        app = node_app(self.node, self.faucet, self.faults, doors)
        app.router.lifespan_context = self._lifespan
        return app

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        del app
        blocks = asyncio.create_task(self.node.run())
        yield
        blocks.cancel()
        with suppress(asyncio.CancelledError):
            await blocks
