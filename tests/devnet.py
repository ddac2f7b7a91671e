"""A devnet for tests: an executor that knows one small module, a clock that is moved by hand, and
transactions as the SDK writes them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from aptos_sdk.account import Account
from aptos_sdk.account_address import AccountAddress
from aptos_sdk.authenticator import Authenticator, FeePayerAuthenticator
from aptos_sdk.bcs import Serializer
from aptos_sdk.transactions import (
    EntryFunction,
    FeePayerRawTransaction,
    RawTransaction,
    SignedTransaction,
    TransactionArgument,
    TransactionPayload,
)

from simulator.devnet import bcs
from simulator.devnet.addresses import show_address
from simulator.devnet.devnet import Devnet
from simulator.devnet.executor import (
    Aborted,
    Call,
    Change,
    Environment,
    Event,
    Executed,
    Failed,
    Module,
    OutOfGas,
    Refusal,
    Viewed,
)
from simulator.devnet.node import NodeSettings
from simulator.operators.world import World
from simulator.serving import serving

START = 1_795_255_200  # 2026-11-21 10:00:00 UTC
APT = 10**8
MISTAKE = 13  # `add(13)` is where the executor breaks
COUNTER = (0xCAFE).to_bytes(32)
RESOURCE = "0xcafe::counter::Counter"
_E_ZERO = Aborted(COUNTER, "counter", 0x10001, "E_ZERO", "The amount is zero.")
_FUNCTIONS: Mapping[str, tuple[list[str], list[str]]] = {
    "add": (["&signer", "u64"], []),
    "burn": (["&signer", "u64"], []),
    "total": (["address"], ["u64"]),
    "echo": (["vector<u8>", "0x1::option::Option<u64>", "0x1::string::String"], ["u64"]),
}


@dataclass
class TinyExecutor:
    """Counts for each account. `counter::add` emits, `burn` wants that much gas."""

    totals: dict[bytes, int] = field(default_factory=dict)
    calls: int = 0
    published: list[bytes] = field(default_factory=list)
    name: str = "tiny"
    _latest: Executed | None = None

    def execute(self, call: Call, environment: Environment) -> Executed:
        self.calls += 1
        self._latest = self._execute(call, environment)
        return self._latest

    def _execute(self, call: Call, environment: Environment) -> Executed:
        if (call.address, call.module) != (COUNTER, "counter"):
            return _refused(Failed("LINKER_ERROR"))
        if call.function not in ("add", "burn"):
            return _refused(Failed("FUNCTION_RESOLUTION_FAILURE"))
        if len(call.arguments) != 1:
            return _refused(Failed("NUMBER_OF_ARGUMENTS_MISMATCH"))
        amount = bcs.read_all(call.arguments[0], bcs.Reader.u64)
        if call.function == "burn":
            over = amount > environment.gas_units_max
            return Executed(OutOfGas() if over else None, amount)
        if amount == 0:
            return _refused(_E_ZERO)
        if amount == MISTAKE:
            raise RuntimeError("the executor has a mistake in it")
        who = call.senders[0]
        total = self.totals.get(who, 0) + amount
        data = {"total": str(total)}
        event = Event("0xcafe::counter::Added", {"who": show_address(who), "amount": str(amount)})
        change = Change(who, RESOURCE, data)
        created = 0 if who in self.totals else 1
        return Executed(None, 10, [event], [change], created, writes=(who, total))

    def apply(self, executed: Executed) -> None:
        if executed is not self._latest:
            raise ValueError("this was not the latest")
        if isinstance(executed.writes, tuple):
            self.totals[executed.writes[0]] = executed.writes[1]

    def view(self, call: Call, environment: Environment) -> Viewed:
        match call.function:
            case "total":
                return Viewed(None, 3, [str(self.totals.get(call.arguments[0], 0))])
            case "echo":
                return Viewed(None, 3, ["|".join(a.hex() for a in call.arguments)])
            case "fail":
                return Viewed(_E_ZERO, 3)
        return Viewed(Failed("FUNCTION_RESOLUTION_FAILURE"), 1)

    def resource(self, address: bytes, type: str) -> Any:
        return self.resources(address).get(type)

    def resources(self, address: bytes) -> Mapping[str, Any]:
        total = self.totals.get(address)
        return {} if total is None else {RESOURCE: {"total": str(total)}}

    def table_item(self, handle: bytes, key_type: str, value_type: str, key: Any) -> Any:
        return "7" if handle == COUNTER and key == "one" else None

    def module(self, address: bytes, name: str) -> Module | None:
        if (address, name) != (COUNTER, "counter"):
            return None
        functions = [
            {
                "name": title,
                "visibility": "public",
                "is_entry": parameters[:1] == ["&signer"],
                "is_view": parameters[:1] != ["&signer"],
                "generic_type_params": [],
                "params": parameters,
                "return": returns,
            }
            for title, (parameters, returns) in _FUNCTIONS.items()
        ]
        shown = show_address(COUNTER)
        return Module({"address": shown, "name": name, "exposed_functions": functions}, b"\xa1")

    def modules(self, address: bytes) -> Sequence[Module]:
        module = self.module(address, "counter")
        return [] if module is None else [module]

    def publish(
        self, owner: bytes, modules: Sequence[bytes], environment: Environment
    ) -> Failed | None:
        if b"broken" in modules:
            return Failed("CODE_DESERIALIZATION_ERROR")
        self.published.append(owner)
        return None

    def fork(self) -> "TinyExecutor":
        return TinyExecutor(dict(self.totals), published=list(self.published))


def _refused(refusal: Refusal) -> Executed:
    return Executed(refusal, 8)


@asynccontextmanager
async def served(devnet: Devnet) -> AsyncIterator[str]:
    """The address of a devnet that makes blocks, without `/v1`."""
    async with serving({"devnet": (devnet.app(), 0)}) as urls:
        yield urls["devnet"]


def hand_devnet(*rich: Account, **settings: Any) -> Devnet:
    """A chain whose clock and blocks are moved by hand; each of `rich` has 10 APT."""
    world = World(clock=lambda: datetime.fromtimestamp(START, UTC), random=Random(7))
    devnet = Devnet(
        TinyExecutor(),
        world=world,
        settings=NodeSettings(blocks_by_hand=True, block_work_milliseconds=60_000, **settings),
        funded={account.address().address: 10 * APT for account in rich},
    )
    devnet.node.clock.hold()
    return devnet


def call(function: str, *arguments: TransactionArgument, type_arguments: Any = ()) -> Any:
    """A payload that calls `module::function`, of the counter where no module is named."""
    module, _, name = f"0x{COUNTER.hex()}::counter::{function}".rpartition("::")
    if function.count("::") == 2:
        module, _, name = function.rpartition("::")
    return TransactionPayload(
        EntryFunction.natural(module, name, list(type_arguments), list(arguments))
    )


def u64(value: int) -> TransactionArgument:
    return TransactionArgument(value, Serializer.u64)


def address(value: AccountAddress) -> TransactionArgument:
    return TransactionArgument(value, Serializer.struct)


def transfer(to: AccountAddress, octas: int) -> Any:
    return call("0x1::aptos_account::transfer", address(to), u64(octas))


def raw(sender: AccountAddress, number: int, payload: Any, **other: int) -> RawTransaction:
    """A transaction that expires in ten minutes and allows 10,000 units at 100 octas."""
    return RawTransaction(
        sender,
        number,
        payload,
        other.get("units", 10_000),
        other.get("price", 100),
        other.get("expires", START + 600),
        other.get("chain_id", 4),
    )


def signed(account: Account, number: int, payload: Any, **other: int) -> bytes:
    """Bytes that can be handed in, signed by the account alone."""
    written = raw(account.address(), number, payload, **other)
    body: bytes = SignedTransaction(written, account.sign_transaction(written)).bytes()
    return body


def sponsored(
    account: Account, payer: Account, number: int, payload: Any, *, open_payer: bool = False
) -> bytes:
    """The same, and somebody else pays; with `open_payer` the sender does not say who."""
    written = raw(account.address(), number, payload)
    wrapped = FeePayerRawTransaction(written, [], payer.address())
    signing = FeePayerRawTransaction(written, [], AccountAddress(bytes(32)))
    proof = account.sign_transaction(signing if open_payer else wrapped)
    paid = (payer.address(), payer.sign_transaction(wrapped))
    authenticator = Authenticator(FeePayerAuthenticator(proof, [], paid))
    body: bytes = SignedTransaction(written, authenticator).bytes()
    return body
