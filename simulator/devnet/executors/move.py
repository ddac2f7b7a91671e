"""`MoveExecutor`: the compiled packages over the framework double, run by the Move VM.

It knows the VM's state and its JSON; how bytecode is compiled and the library called, the toolchain
knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.devnet.addresses import trim_address
from simulator.devnet.executor import (
    Aborted,
    Call,
    Change,
    Environment,
    Event,
    Executed,
    Failed,
    Json,
    Module,
    OutOfGas,
    Refusal,
    Viewed,
)
from simulator.devnet.executors.explanations import explanations
from simulator.devnet.executors.layouts import UnknownLayout, bare_struct, filled
from simulator.devnet.executors.modules import Modules
from simulator.devnet.executors.normalising import from_bytes, from_json
from simulator.devnet.executors.resolving import refusal_of
from simulator.devnet.type_tags import Struct, parse_type
from simulator.devnet.values import encode_json
from simulator.toolchain import compiler, state, vm

GAS_SCALE = 1_000
"""So much of the VM's gas is one unit: a pool call is then 20 to 200 units, as on the chain."""

_MICROSECONDS = 1_000_000


class MoveExecutor:
    """A state of bytecode, resources and table items, and the VM that runs calls on it."""

    name = "move"

    def __init__(self, machine: vm.Machine, kept: dict[bytes, bytes], modules: Modules) -> None:
        self._machine = machine
        self._state = kept
        self._modules = modules
        self._explained = explanations()
        self._latest: Executed | None = None
        self._clock: tuple[int, int] | None = None

    @classmethod
    def opened(cls) -> MoveExecutor:
        """All packages compiled and loaded. Raises `ToolchainMissing`, `CompilationFailed`."""
        executor = cls(vm.Machine(), {}, Modules())
        for package in compiler.build_all():
            for module in package.modules:
                executor._load(module)
        return executor

    def execute(self, call: Call, environment: Environment) -> Executed:
        """Run an entry function without keeping what it does."""
        self._latest = self._execute(call, environment)
        return self._latest

    def apply(self, executed: Executed) -> None:
        """Keep what the latest `execute` did. ValueError for any other answer."""
        if executed is not self._latest:
            raise ValueError("only the latest answer can be applied, and once")
        self._latest = None
        if isinstance(executed.writes, state.Overlay):
            executed.writes.apply_to(self._state)

    def view(self, call: Call, environment: Environment) -> Viewed:
        """Run a view function."""
        misfit = self._misfit(call, is_view=True)
        if misfit is not None:
            return Viewed(misfit, 0)
        self._set_chain(environment)
        answer = self._machine.view(
            self._state,
            _machine_call(call),
            _machine_environment(environment),
            gas_max=environment.gas_units_max * GAS_SCALE,
        )
        if not isinstance(answer, vm.Viewed):
            return Viewed(self._refusal(answer), _units(answer.gas))
        return Viewed(None, _units(answer.gas), self._values(call, answer.answer))

    def resource(self, address: bytes, type: str) -> Json | None:
        """One resource. ValueError for a type that is none."""
        tag = parse_type(type)
        if not isinstance(tag, Struct):
            raise ValueError(f"{type} is no resource")
        content = self._state.get(state.resource_key(address, tag.encode_bare()))
        return None if content is None else from_bytes(content, tag, self._modules.layouts)

    def resources(self, address: bytes) -> Mapping[str, Json]:
        """All resources of an address whose layout an ABI tells."""
        here = ((key, value) for key, value in self._state.items() if key.startswith(address))
        found = (self._change(key, value) for key, value in here)
        return {change.type: change.data for change in found if change is not None}

    def table_item(self, handle: bytes, key_type: str, value_type: str, key: Json) -> Json | None:
        """One item of a table. ValueError for a key that is not of its type."""
        layouts = self._modules.layouts
        written = encode_json(parse_type(key_type), key)
        content = self._state.get(state.table_item_key(handle, written))
        return None if content is None else from_bytes(content, parse_type(value_type), layouts)

    def module(self, address: bytes, name: str) -> Module | None:
        """A module with its ABI and bytecode."""
        return self._modules.find(address, name)

    def modules(self, address: bytes) -> Sequence[Module]:
        """All modules of an address, by name."""
        return self._modules.at(address)

    def publish(
        self,
        owner: bytes,
        modules: Sequence[bytes],
        environment: Environment,  # noqa: ARG002
    ) -> Failed | None:
        """Load bytecode whose own address is `owner`, in place of what it had before."""
        read: list[compiler.Module] = []
        for code in modules:
            try:
                abi = self._machine.abi(code)
            except vm.MachineBroken:
                return Failed("CODE_DESERIALIZATION_ERROR")
            if abi["address"] != trim_address(owner):
                return Failed("MODULE_ADDRESS_DOES_NOT_MATCH_SENDER")
            read.append(compiler.Module(abi["address"], abi["name"], code))
        for module in read:
            self._load(module)
        return None

    def fork(self) -> MoveExecutor:
        """An independent copy of the state as it is now; the VM itself is shared."""
        return MoveExecutor(self._machine, dict(self._state), self._modules.copy())

    def _load(self, module: compiler.Module) -> None:
        state.load_module(self._state, module)
        self._modules.learn(self._machine.abi(module.code), module.code)

    def _execute(self, call: Call, environment: Environment) -> Executed:
        misfit = self._misfit(call, is_view=False)
        if misfit is not None:
            return Executed(misfit, 0)
        self._set_chain(environment)
        overlay = state.Overlay(self._state)
        answer = self._machine.execute(
            overlay,
            _machine_call(call),
            _machine_environment(environment),
            gas_max=environment.gas_units_max * GAS_SCALE,
        )
        if not isinstance(answer, vm.Executed):
            return Executed(self._refusal(answer), _units(answer.gas))
        return self._executed(answer, overlay)

    def _executed(self, answer: vm.Executed, overlay: state.Overlay) -> Executed:
        created = sum(
            value is not None and key not in self._state for key, value in overlay.writes.items()
        )
        deleted = sum(value is None and key in self._state for key, value in overlay.writes.items())
        changes = (self._change(key, value) for key, value in overlay.writes.items())
        return Executed(
            refusal=None,
            gas_units=_units(answer.gas),
            events=tuple(self._event(event) for event in answer.events),
            changes=tuple(change for change in changes if change is not None),
            slots_created=created,
            slots_deleted=deleted,
            writes=overlay,
        )

    def _misfit(self, call: Call, *, is_view: bool) -> Failed | None:
        functions = self._modules.functions(call.address, call.module)
        return refusal_of(call, functions, is_view=is_view)

    def _set_chain(self, environment: Environment) -> None:
        shown = (environment.chain_id, environment.timestamp_microseconds)
        if shown != self._clock:
            state.set_chain_id(self._state, environment.chain_id)
            state.set_clock(self._state, environment.timestamp_microseconds)
            self._clock = shown

    def _refusal(self, answer: vm.Refused) -> Refusal:
        match answer:
            case vm.Aborted():
                name, text = self._explained.of(answer.address, answer.module, answer.code)
                return Aborted(answer.address, answer.module, answer.code, name, text)
            case vm.OutOfGas():
                return OutOfGas()
            case vm.Failed():
                return _failed(answer)

    def _values(self, call: Call, answer: Json) -> tuple[Json, ...]:
        functions = self._modules.functions(call.address, call.module)
        assert functions is not None, "a view that ran is in a loaded module"
        types = functions[call.function]["return"]
        values = [answer] if len(types) == 1 else answer
        return tuple(
            from_json(value, filled(text, call.type_arguments), self._modules.layouts)
            for value, text in zip(values, types, strict=True)
        )

    def _event(self, event: vm.Event) -> Event:
        tag = parse_type(event.type)
        return Event(str(tag), from_json(event.data, tag, self._modules.layouts))

    def _change(self, key: bytes, value: bytes | None) -> Change | None:
        """A resource that was written; None for what is none, or of a layout that no ABI tells."""
        place = state.read_resource_key(key)
        if place is None:
            return None
        tag = bare_struct(place.tag)
        try:
            data = None if value is None else from_bytes(value, tag, self._modules.layouts)
        except UnknownLayout:
            return None
        return Change(place.address, str(tag), data)


def _failed(answer: vm.Failed) -> Failed:
    if answer.place is None:
        return Failed(answer.status)
    address, module, function, offset = answer.place
    # Private functions have no name in an ABI, only a number.
    name = f"{trim_address(address)}::{module}::function_{function}"
    return Failed(answer.status, name, offset)


def _machine_call(call: Call) -> vm.Call:
    return vm.Call(
        address=call.address,
        module=call.module,
        function=call.function,
        arguments=call.arguments,
        type_arguments=tuple(tag.encode() for tag in call.type_arguments),
        senders=call.senders,
    )


def _machine_environment(environment: Environment) -> vm.Environment:
    return vm.Environment(
        transaction_hash=environment.transaction_hash,
        height=environment.height,
        timestamp_seconds=environment.timestamp_microseconds // _MICROSECONDS,
    )


def _units(gas: int) -> int:
    return -(-gas // GAS_SCALE)
