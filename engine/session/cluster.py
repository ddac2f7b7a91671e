"""A Redis Cluster with the face of one Redis: a command goes to the node that serves its key.

It knows slots, nodes and the cluster's redirections; how a node is reached it is told. Each node
has a pipeline and a connection of its own, so one that is away takes only its own slots with it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.memory import end_if_refused
from engine.session.commands import SLOTS, Argument, pack, slot_of

REDIRECT_PAUSES_SECONDS = (0.0, 0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Before each redirection that is followed; longer ones for a slot that is just moving house."""
LOOK_SECONDS = 1.0
"""Between two looks at the map of slots, while commands go astray or a node does not answer."""

_ASKING = pack(("ASKING",))
_MAP = pack(("CLUSTER", "SLOTS"))
_REDIRECTS = (AskError, TryAgainError)  # a MovedError is an AskError too
_AWAY = (RedisConnectionError, RedisTimeoutError)

_log = logging.getLogger(__name__)


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    port: int


class Node(Protocol):
    """One server of the cluster."""

    def send(self, packed: bytes) -> "asyncio.Future[Any]":
        """Queue one packed command behind those before it. The reply, or a RedisError."""
        ...

    async def aclose(self) -> None: ...


class ClusterPipeline:
    """Any Redis command, from any number of tasks, over one connection for each node.

    Commands for one node travel together and in their order, as in a `TickPipeline`; between nodes
    there is no order. Those without a key run on one node, whichever answers first.
    """

    def __init__(
        self, open_node: Callable[[Address], Node], seeds: Iterable[Address], *, seconds: float
    ) -> None:
        """`seeds` are asked for the map of slots; a command has its answer or error in `seconds`.

        Nothing is connected before the first command.
        """
        self._open_node = open_node
        self._seeds = tuple(seeds)
        self._seconds = seconds
        self._nodes: dict[Address, Node] = {}
        self._owners: list[Address | None] = []  # by slot; empty until the map was read
        self._masters: tuple[Address, ...] = ()
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = -LOOK_SECONDS
        self._closing: set[asyncio.Task[None]] = set()

    def execute(self, *command: Argument) -> "asyncio.Future[Any]":
        """Queue one command, which must bear to be run twice; its reply, or a RedisError."""
        work = self._run(pack(command), slot_of(command))
        return asyncio.get_running_loop().create_task(work)

    async def aclose(self) -> None:
        """Let commands in flight finish, then close every connection."""
        if self._looking is not None:
            await asyncio.wait({self._looking})
        await asyncio.gather(*self._closing, *(node.aclose() for node in self._nodes.values()))

    # One command.

    async def _run(self, packed: bytes, slot: int | None) -> Any:
        """The common case is the first three lines: only what goes astray pays for a timer."""
        began = asyncio.get_running_loop().time()
        turned_away, asked = None, None
        if self._owners and slot is not None:
            asked = self._owner(slot)
            try:
                return await self._send(asked, packed)
            except _REDIRECTS as redirect:
                turned_away = redirect
        try:
            async with asyncio.timeout_at(began + self._seconds):
                await self._know_the_map()
                if slot is None:
                    return (await self._anywhere(packed))[1]
                return await self._follow(packed, slot, asked, turned_away)
        except TimeoutError:
            raise RedisTimeoutError("the Redis Cluster did not answer in time") from None

    async def _follow(
        self, packed: bytes, slot: int, asked: Address | None, turned_away: RedisError | None
    ) -> Any:
        """Go where the cluster says the key is now, and where it says next, within bounds."""
        for pause in REDIRECT_PAUSES_SECONDS:
            if asked is not None and turned_away is not None:
                await asyncio.sleep(pause)
                asked, asking = self._redirected(slot, asked, turned_away)
            else:
                asked, asking = self._owner(slot), False
            try:
                return await (self._ask if asking else self._send)(asked, packed)
            except _REDIRECTS as redirect:
                turned_away = redirect
        assert turned_away is not None
        raise turned_away

    def _redirected(
        self, slot: int, asked: Address, turned_away: RedisError
    ) -> tuple[Address, bool]:
        """The next node, and whether it is asked for a slot that it does not own yet."""
        if not isinstance(turned_away, AskError):  # Half of the keys have moved: begin again.
            return self._owner(slot), False
        # A server that does not know its own name leaves it out.
        address = Address(turned_away.host or asked.host, turned_away.port)
        if not isinstance(turned_away, MovedError):
            return address, True
        self._owners[turned_away.slot_id] = address
        self._look_soon()
        return address, False

    async def _send(self, address: Address, packed: bytes) -> Any:
        try:
            return await self._node(address).send(packed)
        except _AWAY:
            self._look_soon()  # Another node may have taken its place.
            raise

    async def _ask(self, address: Address, packed: bytes) -> Any:
        """Both commands leave whatever becomes of the caller: the first is about the second."""
        node = self._node(address)
        both = asyncio.gather(node.send(_ASKING), node.send(packed))
        return (await asyncio.shield(both))[1]

    async def _anywhere(self, packed: bytes) -> tuple[Address, Any]:
        """The reply of the first node that is not away, and which it was."""
        away: RedisError | None = None
        for address in dict.fromkeys((*self._masters, *self._seeds)):
            try:
                return address, await self._node(address).send(packed)
            except _AWAY as error:
                away = error
        raise away or RedisConnectionError("a Redis Cluster needs at least one address")

    # The map.

    def _owner(self, slot: int) -> Address:
        owner = self._owners[slot]
        if owner is None:
            self._look_soon()
            raise ClusterDownError(f"no node serves slot {slot}")
        return owner

    def _node(self, address: Address) -> Node:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = self._open_node(address)
        return node

    async def _know_the_map(self) -> None:
        if self._owners:
            return
        await asyncio.wait({self._look()})  # shared by all who wait, so nobody may cancel it
        if not self._owners:
            raise RedisConnectionError("no node of the Redis Cluster tells its slots")

    def _look_soon(self) -> None:
        if asyncio.get_running_loop().time() - self._looked_at >= LOOK_SECONDS:
            self._look()

    def _look(self) -> "asyncio.Task[None]":
        """Read the map anew in the background, once at a time."""
        if self._looking is None:
            loop = asyncio.get_running_loop()
            self._looked_at = loop.time()
            self._looking = loop.create_task(self._read_map())
            self._looking.add_done_callback(self._looked)
        return self._looking

    def _looked(self, look: "asyncio.Task[None]") -> None:
        self._looking = None
        if not look.cancelled() and (error := look.exception()) is not None:
            end_if_refused(error)
            _log.warning("the slots of the Redis Cluster cannot be read: %s", error)

    async def _read_map(self) -> None:
        told_by, ranges = await self._anywhere(_MAP)
        self._owners = owners_of(ranges, told_by)
        self._masters = tuple(dict.fromkeys(owner for owner in self._owners if owner))
        for address in self._nodes.keys() - {*self._masters, *self._seeds}:
            gone = asyncio.get_running_loop().create_task(self._nodes.pop(address).aclose())
            self._closing.add(gone)
            gone.add_done_callback(self._closing.discard)


def owners_of(ranges: Sequence[Any], told_by: Address) -> list[Address | None]:
    """Which master serves each slot, from the reply to CLUSTER SLOTS; None where nobody does."""
    owners: list[Address | None] = [None] * SLOTS
    for first, last, (host, port, *_), *_ in ranges:
        named = (host or b"").decode()
        address = Address(told_by.host if named in ("", "?") else named, port)
        owners[first : last + 1] = [address] * (last + 1 - first)
    return owners
