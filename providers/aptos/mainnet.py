"""Whether the chain's part of a settlement file is for real money. Pure; it asks no node."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

MAINNET: Final = 1
"""The chain id of mainnet (aptos.dev, "Aptos networks"); testnet is 2, a devnet has any other."""


def not_for_real_money(aptos: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What of it is for trying out, each with what to do. A broken part is its reader's affair."""
    if aptos.get("chain_id") != MAINNET:
        yield "names no mainnet", f"aptos.chain_id is {MAINNET} where money is real"
    if not str(aptos.get("node", "")).startswith("https://"):
        yield "names a node without https", "give the node's https address as aptos.node"
