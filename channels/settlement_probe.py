"""Where the chain stood when it was last looked at, for whoever asks whether a process is well.

Probes come every few seconds and a node's answers are somebody's money: it is asked once in
`FRESH_SECONDS` at most, whoever asks. Payments never wait for it, so it decides nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from channels.settings import BadSettings, Settings
from channels.settlement_file import chain_of, members_of, read_document
from channels.watching.health import Standing
from engine.clock import Clock
from engine.errors import CappError
from engine.ports import Position

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 30.0
BEHIND_SECONDS_MAX: Final = 60
"""A chain whose clock is farther behind ours carries nothing out, or its node does not follow."""

_NO_ANSWER: Final = Standing("away", "no answer")


class Chain(Protocol):
    """What is asked of a node here."""

    async def position(self) -> Position: ...


class ChainProbe:
    """One process's last look at the chain; `chain` is None where the file makes no sense."""

    def __init__(self, chain: Chain | None, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock
        self._told = _NO_ANSWER
        self._asked_at = float("-inf")

    async def ask(self) -> Standing:
        """What was told last, anew when that is old. Raises nothing of its own."""
        if self._chain is None:
            return Standing("away", "the settlement file cannot be read")
        if self._clock.apart(self._asked_at) >= FRESH_SECONDS:
            self._asked_at = self._clock.epoch()
            try:
                self._told = await self._look(self._chain)
            except asyncio.CancelledError:  # whoever asked has waited long enough
                self._told = _NO_ANSWER
                raise
        return self._told

    async def _look(self, chain: Chain) -> Standing:
        try:
            position = await chain.position()
        except CappError as error:
            return Standing("away", type(error).__name__)
        behind = int(self._clock.epoch()) - position.seconds
        told = f"chain {position.chain_id} at version {position.version}"
        if behind > BEHIND_SECONDS_MAX:
            return Standing("stale", f"{told}, its clock {behind} s behind ours")
        return Standing("ok", told)


class Node(Chain, Protocol):
    """The same with a connection that is closed."""

    async def aclose(self) -> None: ...


@asynccontextmanager
async def open_chain_probe(settings: Settings, clock: Clock) -> AsyncIterator[ChainProbe | None]:
    """None where nothing is settled on a chain. A bad file is the worker's affair, and in the log.

    Nobody is asked yet.
    """
    if settings.settlement is None:
        yield None
        return
    try:
        node = _node(Path(settings.settlement.file))
    except (BadSettings, OSError, ValueError) as error:
        log.error("the settlement file cannot be read: %s", error)
        yield ChainProbe(None, clock)
        return
    try:
        yield ChainProbe(node, clock)
    finally:
        await node.aclose()


def _node(file: Path) -> Node:
    from providers.aptos import client, read_settings  # slow, and of a chain alone

    document = read_document(file)
    told = read_settings(chain_of(document), members_of(document))
    return client.Node(told.node, chain_id=told.chain_id, api_key=told.api_key, connections=2)
