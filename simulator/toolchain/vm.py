"""The Move virtual machine: runs functions of loaded modules over a state that its caller keeps.

It knows nothing of transactions, signatures or blocks. Its gas is another chain's.
"""

import ctypes
import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from simulator.toolchain.callbacks import Bridge, declare
from simulator.toolchain.encoding import Reader, address, blob, boolean, text, u64, vector
from simulator.toolchain.foreign import (
    ByteSliceView,
    UnmanagedVector,
    error_slot,
    open_library,
    view,
)
from simulator.toolchain.libraries import libraries
from simulator.toolchain.state import State

GAS_MAX = 10_000_000
SCRIPT_CACHE = 100
MODULE_CACHE = 500


class Environment(NamedTuple):
    """Where a call runs. The hash, 32 bytes, seeds tables and addresses: never the same for two."""

    transaction_hash: bytes
    height: int = 1
    timestamp_seconds: int = 0


class Call(NamedTuple):
    """A function with its arguments, each in BCS; a sender for each `&signer`, none for a view."""

    address: bytes
    module: str
    function: str
    arguments: tuple[bytes, ...] = ()
    type_arguments: tuple[bytes, ...] = ()
    senders: tuple[bytes, ...] = ()


class Event(NamedTuple):
    """An event: its type as text, and what the machine wrote of it."""

    type: str
    data: Any


class Executed(NamedTuple):
    """A call went well; the state was written."""

    gas: int
    events: tuple[Event, ...]


class Viewed(NamedTuple):
    """A view went well. `answer` is its value; a list where it returns several, as the ABI says.

    The state was not written.
    """

    gas: int
    answer: Any


class Aborted(NamedTuple):
    """The code said no: `abort code` in a module. The state was not written."""

    gas: int
    address: bytes
    module: str
    code: int


class Failed(NamedTuple):
    """The machine could not run it; `status` is a bare name such as `MISSING_DATA`.

    `place` is known when it failed under way, as an overflow does.
    """

    gas: int
    status: str
    message: str
    place: "Place | None" = None


class Place(NamedTuple):
    """Where in the bytecode: `function` is its index among the definitions of the module."""

    address: bytes
    module: str
    function: int
    offset: int


class OutOfGas(NamedTuple):
    """The call wanted more than it was given."""

    gas: int


Refused = Aborted | Failed | OutOfGas

_ABORTED = re.compile(r"VM aborted: location=(?:0x)?([0-9a-f]+)::(\w+), code=(\d+)")
_PLACE = re.compile(r"location=(?:0x)?([0-9a-f]+)::(\w+), function=(\d+), code_offset=(\d+)")
_STATUS = re.compile(r"status ([A-Z][A-Z0-9_]+)")


class MachineBroken(RuntimeError):
    """A decoding was refused; the message says why."""


class Machine:
    """One machine. Not for several threads at once; a process may have several.

    Raises `ToolchainMissing` where the library cannot be had.
    """

    def __init__(self) -> None:
        # Otherwise every refusal carries a trace of the machine's own stack.
        os.environ["RUST_BACKTRACE"] = "0"
        self._library = declare(open_library(libraries().machine))
        self._bridge = Bridge(self._library)
        settings = boolean(True) + u64(SCRIPT_CACHE) + u64(MODULE_CACHE)
        self._machine: int | None = self._library.allocate_vm(view(settings))

    def close(self) -> None:
        """Give its memory back. Safe to repeat; nothing else may be called afterwards."""
        if self._machine is not None:
            self._library.release_vm(self._machine)
            self._machine = None

    def execute(
        self, state: State, call: Call, environment: Environment, *, gas_max: int = GAS_MAX
    ) -> Executed | Refused:
        """Run a function; `state` is written only when it went well."""
        senders = vector(call.senders)
        gas = ctypes.c_uint64(gas_max)
        payloads = [_environment(environment), senders, _entry(call)]
        answer = self._run(self._library.execute_contract, state, gas, payloads)
        used = gas_max - gas.value
        return _refused(answer, used) if isinstance(answer, str) else _executed(answer, used)

    def view(
        self, state: State, call: Call, environment: Environment, *, gas_max: int = GAS_MAX
    ) -> Viewed | Refused:
        """Run a view function; nothing is written."""
        gas = ctypes.c_uint64(gas_max)
        payloads = [_environment(environment), _entry(call)]
        answer = self._run(self._library.execute_view_function, state, gas, payloads)
        used = gas_max - gas.value
        if isinstance(answer, str):
            return _refused(answer, used)
        return Viewed(used, json.loads(Reader(answer).text()))

    def decode_resource(self, state: State, tag: bytes, content: bytes) -> dict[str, Any]:
        """A resource's fields as the machine writes them; `MachineBroken` when they do not fit."""
        decode = self._library.decode_move_resource
        decoded = self._decoded(state, decode, view(tag), view(content))
        fields: dict[str, Any] = json.loads(decoded)["data"]
        return fields

    def decode_value(self, state: State, tag: bytes, content: bytes) -> Any:
        """A value by its BCS type tag, as the machine writes it; `MachineBroken` as above."""
        decode = self._library.decode_move_value
        return json.loads(self._decoded(state, decode, view(tag), view(content)))

    def abi(self, code: bytes) -> dict[str, Any]:
        """A module's interface, as a node's REST interface gives it; `MachineBroken` as above."""
        error = error_slot()
        answer = self._library.decode_module_bytes(ctypes.byref(error), view(code))
        interface: dict[str, Any] = json.loads(self._taken(answer, error))
        return interface

    def struct_tag(self, written: str) -> bytes:
        """The BCS form of a struct tag such as `0x1::m::S<u64>`; `MachineBroken` as above."""
        error = error_slot()
        answer = self._library.parse_struct_tag(ctypes.byref(error), view(written.encode()))
        return self._taken(answer, error)

    def struct_text(self, tag: bytes) -> str:
        """A struct tag as text; `MachineBroken` as above."""
        error = error_slot()
        answer = self._library.stringify_struct_tag(ctypes.byref(error), view(tag))
        return self._taken(answer, error).decode()

    def _run(
        self,
        function: Callable[..., UnmanagedVector],
        state: State,
        gas: ctypes.c_uint64,
        payloads: Sequence[bytes],
    ) -> bytes | str:
        """The machine's answer, or its message when it refused."""
        error = error_slot()
        bridge = self._lend(state)
        answer = function(
            self._machine,
            ctypes.byref(gas),
            bridge.store,
            bridge.outside,
            *[view(payload) for payload in payloads],
            ctypes.byref(error),
        )
        self._take_back()
        return self._content(answer) if error.is_none else self._content(error).decode()

    def _decoded(
        self, state: State, function: Callable[..., UnmanagedVector], *lent: ByteSliceView
    ) -> bytes:
        error = error_slot()
        answer = function(self._lend(state).store, ctypes.byref(error), *lent)
        self._take_back()
        return self._taken(answer, error)

    def _lend(self, state: State) -> Bridge:
        self._bridge.state = state
        return self._bridge

    def _take_back(self) -> None:
        self._bridge.state = {}
        trouble, self._bridge.trouble = self._bridge.trouble, None
        if trouble is not None:
            raise trouble

    def _taken(self, answer: UnmanagedVector, error: UnmanagedVector) -> bytes:
        if not error.is_none:
            raise MachineBroken(self._content(error).decode())
        return self._content(answer)

    def _content(self, given: UnmanagedVector) -> bytes:
        content = given.content()
        self._library.destroy_unmanaged_vector(given)
        return content


def _environment(environment: Environment) -> bytes:
    session = environment.transaction_hash
    numbers = u64(environment.height) + u64(environment.timestamp_seconds) + u64(1)
    return numbers + environment.transaction_hash + session


def _entry(call: Call) -> bytes:
    return b"".join(
        (
            call.address,
            text(call.module),
            text(call.function),
            vector(call.type_arguments),
            vector(blob(argument) for argument in call.arguments),
            boolean(False),  # the arguments are BCS, not JSON
        )
    )


def _executed(answer: bytes, gas: int) -> Executed:
    reader = Reader(answer)
    written = [(reader.text(), reader.text()) for _ in range(reader.uleb128())]
    return Executed(gas, tuple(Event(kind, json.loads(data)) for kind, data in written))


def _refused(message: str, gas: int) -> Refused:
    if found := _ABORTED.search(message):
        return Aborted(gas, address(found[1]), found[2], int(found[3]))
    status = _STATUS.search(message)
    if status is None:
        return Failed(gas, "UNKNOWN_STATUS", message)
    if status[1] == "OUT_OF_GAS":
        return OutOfGas(gas)
    return Failed(gas, status[1], message, _place(message))


def _place(message: str) -> Place | None:
    found = _PLACE.search(message)
    if found is None:
        return None
    return Place(address(found[1]), found[2], int(found[3]), int(found[4]))
