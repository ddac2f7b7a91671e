"""What stands on the chain, read from its node as anybody may: what each operator's pools hold."""

from collections.abc import Sequence
from typing import Any

import httpx

from simulator.devnet.contracts import LIQUIDITY


class Chain:
    """One node, asked and never told anything. `node` ends in `/v1`.

    Raises httpx.HTTPError when it does not answer, or not well.
    """

    def __init__(self, client: httpx.AsyncClient, node: str) -> None:
        self._client = client
        self._node = node

    async def holdings(self, pools: Sequence[str]) -> int:
        """What these pools hold together, in minor units of the asset."""
        return sum([int((await self._view(f"{LIQUIDITY}::total", pool))[0]) for pool in pools])

    async def _view(self, function: str, *arguments: str) -> list[Any]:
        body = {"function": function, "type_arguments": [], "arguments": [*arguments]}
        answer = await self._client.post(f"{self._node}/view", json=body)
        values: list[Any] = answer.raise_for_status().json()
        return values
