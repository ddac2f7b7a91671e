"""A small world on the model for its unit tests: one installation, one corridor, money."""

from __future__ import annotations

from typing import Any

from nacl.signing import SigningKey

from simulator.devnet import bcs
from simulator.devnet.addresses import object_address, sha3
from simulator.devnet.executor import Aborted, Call, Environment, Executed, Json
from simulator.devnet.executors.model import ModelExecutor, merkle
from simulator.devnet.executors.model.terms import Terms
from simulator.devnet.type_tags import parse_type
from simulator.devnet.values import encode_json, show_value

HOMES = {
    "fungible_asset": 0x1,
    "governance": 0xCA01,
    "compliance": 0xCA02,
    "liquidity": 0xCA03,
    "settlement": 0xCA04,
    "test_asset": 0xCA05,
}
OWNER, OFFICER, ARBITER, SUBMITTER, ADA, BEN, EVE = (
    sha3(name) for name in (b"owner", b"officer", b"arbiter", b"submitter", b"ada", b"ben", b"eve")
)
START = 1_700_000_000
CHAIN_ID = 4


class Stage:
    """Ada and Ben are members with 1,000,000 each in their pools; two of three keys approve."""

    def __init__(self, executor: ModelExecutor | None = None) -> None:
        self.executor = executor or ModelExecutor()
        self.now = START
        self.keys = [SigningKey(sha3(bytes([n]))) for n in range(3)]
        self.governance = object_address(OWNER, b"g")
        self.registry = object_address(OWNER, b"r")
        self.asset = object_address(OWNER, b"USDC")
        self.corridor = object_address(OWNER, b"c")
        self.pools = [object_address(self.corridor, bcs.u64(n)) for n in range(2)]
        self._calls = 0
        self._set()

    def do(self, name: str, signer: bytes, *arguments: Any) -> Executed:
        """Call it and keep what it did."""
        self._calls += 1
        executed = self.executor.execute(
            self._call(name, (signer,), arguments), self.environment(bcs.u64(self._calls))
        )
        if executed.refusal is None:
            self.executor.apply(executed)
        return executed

    def done(self, name: str, signer: bytes, *arguments: Any) -> Executed:
        """Call what must end well."""
        executed = self.do(name, signer, *arguments)
        assert executed.refusal is None, f"{name}: {executed.refusal}"
        return executed

    def why_not(self, name: str, signer: bytes, *arguments: Any) -> str:
        """Call what must be refused; `module::E_REASON`."""
        refusal = self.do(name, signer, *arguments).refusal
        assert isinstance(refusal, Aborted), f"{name}: {refusal}"
        return f"{refusal.module}::{refusal.name}"

    def see(self, name: str, *arguments: Any) -> Json:
        """What a view says."""
        viewed = self.executor.view(self._call(name, (), arguments), self.environment(b"view"))
        assert viewed.refusal is None, f"{name}: {viewed.refusal}"
        return viewed.values[0] if len(viewed.values) == 1 else list(viewed.values)

    def environment(self, seed: bytes) -> Environment:
        return Environment(CHAIN_ID, 1, self.now * 1_000_000, sha3(seed))

    def terms(self, debits: tuple[int, ...], credits: tuple[int, ...], **changes: Any) -> Terms:
        """Good terms, but for the changes."""
        usual = Terms(
            chain_id=CHAIN_ID,
            corridor=self.corridor,
            batch_id=bytes(15) + b"\x01",
            merkle_root=merkle.tree_hash(LEAVES),
            payment_count=len(LEAVES),
            debits=debits,
            credits=credits,
            expires_at=self.now + 60,
        )
        return usual._replace(**changes)

    def settlement(self, terms: Terms, *indexes: int, signed: Terms | None = None) -> list[Any]:
        """The arguments of `settle`, approved by these keys."""
        message = (signed or terms).hash()
        signatures = tuple(self.keys[index].sign(message).signature for index in indexes)
        return [*terms[1:], indexes, signatures]

    def _call(self, name: str, signers: tuple[bytes, ...], values: tuple[Any, ...]) -> Call:
        module, function = name.split("::")
        address = HOMES[module].to_bytes(32)
        abi = self.executor.module(address, module)
        assert abi is not None
        described = next(f for f in abi.abi["exposed_functions"] if f["name"] == function)
        kinds = [kind for kind in described["params"] if kind != "&signer"]
        types = (parse_type("0x1::fungible_asset::FungibleStore"),)
        return Call(
            signers,
            address,
            module,
            function,
            types if described["generic_type_params"] else (),
            tuple(_encode(kind, value) for kind, value in zip(kinds, values, strict=True)),
        )

    def _set(self) -> None:
        self.done("governance::create", OWNER, b"g")
        self.done("compliance::create", OWNER, self.governance, b"r")
        for who, roles in (
            (OFFICER, (1, 3, 4, 6)),
            (OWNER, (6,)),
            (ARBITER, (5,)),
            (SUBMITTER, (2,)),
        ):
            for role in roles:
                self.done("governance::grant", OWNER, self.governance, who, role)
        self.done("test_asset::create", OWNER, b"USDC", 6)
        keys = tuple(bytes(key.verify_key) for key in self.keys)
        self.done(
            "settlement::create_corridor",
            OWNER,
            self.governance,
            self.registry,
            self.asset,
            b"c",
            (ADA, BEN),
            keys,
            2,
        )
        for who, pool in zip((ADA, BEN), self.pools, strict=True):
            self.done("test_asset::mint", OWNER, self.asset, who, 10_000_000)
            self.done("liquidity::provide", who, pool, 1_000_000)


LEAVES = tuple(merkle.leaf_hash(bytes([n])) for n in range(5))


def _encode(kind: str, value: Any) -> bytes:
    tag = parse_type(kind.replace("T0", "0x1::fungible_asset::FungibleStore"))
    return encode_json(tag, show_value(tag, value))
