"""The chain of a stack: kept and dropped together with its database, made ready while others start.

It starts no program: the stack does, and says here where the node listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml

from simulator import embedded, seeding

if TYPE_CHECKING:  # The SDK takes a second to import: only the thread that needs it waits.
    from simulator.devnet.bootstrap import Written

CHAIN, SETTLEMENT = "chain", "settlement"
READY_SECONDS_MAX = 40.0
BLOCK_MS = 100


class Windows(msgspec.Struct, frozen=True):
    """When operators are squared; amounts in minor units of the asset. Short, to be watched."""

    seconds: int = 10
    payments: int = 5
    exposure_minor: int = 100_000_000_000
    single_above_minor: int = 50_000_000_000


def arguments(port: int, folder: Path) -> list[str]:
    """The program of the node. What it has committed it keeps, as a real one would."""
    return [
        "simulator", "devnet", "--port", str(port), "--block-ms", str(BLOCK_MS),
        "--executor", "best", "--data", str(folder / CHAIN),
    ]  # fmt: skip


def node_at(port: int) -> str:
    """The address that clients are given."""
    return f"http://127.0.0.1:{port}/v1"


def faucet_at(port: int) -> str:
    """Where APT for fees is asked for."""
    return f"http://127.0.0.1:{port}"


def forget_halves(folder: Path) -> bool:
    """Books without their chain, or a chain without its books, prove nothing: drop both.

    Whether something was dropped. Safe to repeat.
    """
    books, chain, told = (folder / name for name in ("postgres", CHAIN, SETTLEMENT))
    whole = books.exists() and chain.exists()
    halved = told.exists() and not whole
    if halved:
        for kept in (books, chain, told):
            embedded.remove(kept)
    return halved


def pairs_of(operators: Iterable[str]) -> list[tuple[str, str]]:
    """The operators that payments go between, each pair once, as the seed has its corridors."""
    ours = {*operators}
    found = set()
    for corridor in seeding.corridors():
        ends = {corridor[end] for end in seeding.CORRIDOR}
        if len(ends) == 2 and ends <= ours:
            first, second = sorted(ends)
            found.add((first, second))
    return sorted(found)


class Preparing:
    """A chain that is made ready in a thread of its own. `folder` is the stack's."""

    def __init__(
        self, folder: Path, port: int, pairs: Sequence[tuple[str, str]], windows: Windows
    ) -> None:
        self._folder = folder
        self._port = port
        self._pairs = pairs
        self._windows = windows
        self._thread = ThreadPoolExecutor(1)
        self._written: Future[Written] = self._thread.submit(asyncio.run, self._prepare())
        self._thread.shutdown(wait=False)

    @property
    def is_done(self) -> bool:
        """Whether `done` answers at once."""
        return self._written.done()

    def done(self) -> Written:
        """Wait for it. Raises what making it ready raised."""
        return self._written.result(READY_SECONDS_MAX)

    def environment(self) -> dict[str, str]:
        """What the server is told, once it is ready."""
        written = self.done()
        return {
            "CAPP_SETTLEMENT_FILE": str(written.settlement_file),
            "CAPP_SETTLEMENT_SALT_FILE": str(written.salt_file),
        }

    def pools(self) -> Mapping[str, Sequence[str]]:
        """Their addresses, by operator."""
        pools: dict[str, list[str]] = {}
        for pool in yaml.safe_load(self.done().provided_file.read_text("utf-8")):
            pools.setdefault(pool["operator"], []).append(pool["address"])
        return pools

    async def _prepare(self) -> Written:
        from simulator.devnet.bootstrap import Bootstrap, Wanted, Window
        from simulator.devnet.customer import Customer

        window = Window(**msgspec.structs.asdict(self._windows))
        chain = Customer(node_at(self._port), faucet_at(self._port))
        try:
            await chain.wait_until_it_answers(READY_SECONDS_MAX)
            wanted = Wanted(self._pairs, window)
            return await Bootstrap(chain, self._folder / SETTLEMENT, wanted).run()
        finally:
            await chain.aclose()
