"""One call as it is drawn: values by their Move types, and their BCS. It knows no contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from simulator.devnet.addresses import trim_address
from simulator.devnet.executor import Call
from simulator.devnet.type_tags import TypeTag, parse_type
from simulator.devnet.values import encode_json, show_value

HOMES = {
    "object": 0x1,
    "fungible_asset": 0x1,
    "primary_fungible_store": 0x1,
    "chain_id": 0x1,
    "timestamp": 0x1,
    "governance": 0xCA01,
    "compliance": 0xCA02,
    "liquidity": 0xCA03,
    "settlement": 0xCA04,
    "test_asset": 0xCA05,
}
METADATA = parse_type("0x1::fungible_asset::Metadata")


_parsed = lru_cache(maxsize=None)(parse_type)


def nothing() -> None:
    """What there is to remember of most calls."""


@dataclass(frozen=True)
class Drawn:
    """A call: `module::function`, who signs, typed arguments, and what to remember when done."""

    name: str
    signers: tuple[bytes, ...]
    arguments: tuple[tuple[str, Any], ...]
    types: tuple[TypeTag, ...] = ()
    remember: Callable[[], None] = nothing
    spoilt: bytes | None = None  # stands for the last argument's BCS

    def call(self) -> Call:
        """As executors take it."""
        module, function = self.name.split("::")
        written = [encode(kind, _fitting(kind, value)) for kind, value in self.arguments]
        if self.spoilt is not None:
            written[-1:] = [self.spoilt]
        return Call(
            senders=self.signers,
            address=HOMES[module].to_bytes(32),
            module=module,
            function=function,
            type_arguments=self.types,
            arguments=tuple(written),
        )

    def __str__(self) -> str:
        signers = ", ".join(trim_address(signer)[:10] for signer in self.signers)
        values = ", ".join(_short(value) for _, value in self.arguments)
        spoilt = "" if self.spoilt is None else f" (last: {self.spoilt.hex()})"
        return f"{self.name}({values}){spoilt} by {signers or 'nobody'}"


def _fitting(kind: str, value: Any) -> Any:
    """As much of a number as its type can carry: more is no call, whoever asks."""
    if kind in _MOST:
        return min(value, _MOST[kind])
    if kind in _VECTORS:
        return [_fitting(_VECTORS[kind], item) for item in value]
    return value


_MOST = {"u8": 2**8 - 1, "u64": 2**64 - 1}
_VECTORS = {"vector<u64>": "u64"}


def encode(kind: str, value: Any) -> bytes:
    """The BCS of a value of a type as an ABI writes it."""
    tag = _parsed(kind)
    return encode_json(tag, show_value(tag, value))


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{value[:4].hex()}({len(value)})"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_short(item) for item in value)}]"
    return repr(value)
