"""What the node asks of whoever runs the contracts: calls on a state, views, resources, modules.

The node keeps accounts, APT, sequence numbers, gas prices and blocks; an executor keeps the state
of contracts and knows nothing of transactions, signatures or HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from simulator.devnet.type_tags import TypeTag

Json = Any
"""A value as the node's REST interface writes it (u64 and wider as strings, bytes as 0x hex)."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where and when a call runs. Every transaction has another `transaction_hash`."""

    chain_id: int
    height: int
    timestamp_microseconds: int
    transaction_hash: bytes  # 32 bytes; for a view: 32 bytes that no transaction has
    gas_units_max: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """One function with its arguments. For a view `senders` is empty."""

    senders: tuple[bytes, ...]  # 32 bytes for each `&signer`: sender, then secondary signers
    address: bytes  # 32 bytes, of the module
    module: str
    function: str
    type_arguments: tuple[TypeTag, ...] = ()  # `.encode()` gives BCS, `str()` the text
    arguments: tuple[bytes, ...] = ()  # BCS, without the signers

    @property
    def name(self) -> str:
        """`0x1::module::function`, the address without leading zeros."""
        return f"0x{int.from_bytes(self.address):x}::{self.module}::{self.function}"


@dataclass(frozen=True, slots=True)
class Aborted:
    """The contract said no. `name` and `text` are the constant and its doc comment, when known."""

    address: bytes
    module: str
    code: int  # the whole abort code, such as 0x30001
    name: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class OutOfGas:
    """The call wanted more than `Environment.gas_units_max`."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The VM could not run it: the bare status name, and where, when it was under way already.

    Names the node expects: FUNCTION_RESOLUTION_FAILURE, LINKER_ERROR (no such module),
    NUMBER_OF_ARGUMENTS_MISMATCH, NUMBER_OF_SIGNER_ARGUMENTS_MISMATCH,
    NUMBER_OF_TYPE_ARGUMENTS_MISMATCH, FAILED_TO_DESERIALIZE_ARGUMENT,
    EXECUTE_ENTRY_FUNCTION_CALLED_ON_NON_ENTRY_FUNCTION, ARITHMETIC_ERROR, MISSING_DATA,
    RESOURCE_ALREADY_EXISTS, INVALID_MAIN_FUNCTION_SIGNATURE (a view that is none).
    """

    status: str
    function: str | None = None  # `0xcafe::pool::provide`: then "Execution failed in … at …"
    offset: int = 0


Refusal = Aborted | OutOfGas | Failed


@dataclass(frozen=True, slots=True)
class Event:
    """One module event: `type` as text (`0xca04::settlement::Settled`), `data` as REST JSON."""

    type: str
    data: Json


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that was written (`data`: all of it as REST JSON) or deleted (`data` None)."""

    address: bytes
    type: str
    data: Json | None


@dataclass(frozen=True, slots=True)
class Executed:
    """What a call would do. Nothing of it holds until `Executor.apply`.

    `gas_units` is what running costs, scaled to the size of Aptos gas units (a simple transfer
    is about 5, a pool call 20 to 200) and the same each time; transaction size and storage are
    added by the node. `writes` is the executor's own, for `apply`; empty when refused.
    """

    refusal: Refusal | None
    gas_units: int
    events: Sequence[Event] = ()
    changes: Sequence[Change] = ()
    slots_created: int = 0
    slots_deleted: int = 0
    writes: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Viewed:
    """What a view returned, one REST value for each return value; or why it did not."""

    refusal: Refusal | None
    gas_units: int
    values: Sequence[Json] = ()


@dataclass(frozen=True, slots=True)
class Module:
    """A module's ABI as REST gives it, and its bytecode (empty where there is none)."""

    abi: Mapping[str, Json]
    bytecode: bytes = b""


class Executor(Protocol):
    """A state and who runs calls on it. All methods are synchronous and never block on I/O."""

    @property
    def name(self) -> str:
        """`move` or `model`; shown by the node's own door."""

    def execute(self, call: Call, environment: Environment) -> Executed:
        """Run an entry function on the state as it is now, without changing it.

        Refusals are values, never exceptions. The node calls `apply` with the answer, or not
        (simulation; too much gas), before it executes anything else.
        """

    def apply(self, executed: Executed) -> None:
        """Keep what the latest `execute` did. ValueError for any other answer."""

    def view(self, call: Call, environment: Environment) -> Viewed:
        """Run a view function. It changes nothing."""

    def resource(self, address: bytes, type: str) -> Json | None:
        """The `data` of one resource, by its type as text; None where there is none."""

    def resources(self, address: bytes) -> Mapping[str, Json]:
        """All resources of an address, `data` by type."""

    def table_item(self, handle: bytes, key_type: str, value_type: str, key: Json) -> Json | None:
        """One item of a table; None where there is none."""

    def module(self, address: bytes, name: str) -> Module | None:
        """One module of an address; None where there is none."""

    def modules(self, address: bytes) -> Sequence[Module]:
        """All modules of an address, by name."""

    def publish(
        self, owner: bytes, modules: Sequence[bytes], environment: Environment
    ) -> Failed | None:
        """Load bytecode whose own address is `owner`. None: done. Applied at once.

        An executor that cannot run bytecode answers `Failed("FEATURE_UNDER_GATING")`.
        """

    def fork(self) -> Executor:
        """An independent copy of the state as it is now (a node that lags answers from one)."""
