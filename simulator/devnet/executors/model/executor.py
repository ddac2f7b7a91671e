"""`ModelExecutor`: the contracts' rules in Python, for where the Move VM cannot be had.

It knows how a call is resolved, refused and kept; what a call does, the contracts' modules know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.devnet import bcs
from simulator.devnet.executor import (
    Aborted,
    Call,
    Environment,
    Executed,
    Failed,
    Json,
    Module,
    OutOfGas,
    Refusal,
    Viewed,
)
from simulator.devnet.executors.explanations import Explanations, explanations
from simulator.devnet.executors.model import objects
from simulator.devnet.executors.model.catalogue import CONTRACTS, FUNCTIONS, RESOURCES
from simulator.devnet.executors.model.contract import Abort, Function, Parameter
from simulator.devnet.executors.model.resources import describe, described
from simulator.devnet.executors.model.world import Failure, Frame, Key, Writes
from simulator.devnet.executors.resolving import refusal_of
from simulator.devnet.values import read_value, show_value


class ModelExecutor:
    """All packages and what they need of 0x1, on a state of its own."""

    name = "model"

    def __init__(
        self, state: Mapping[Key, Any] | None = None, *, explained: Explanations | None = None
    ) -> None:
        self._state: dict[Key, Any] = dict(state or {})
        self._latest: Executed | None = None
        self._explained = explanations() if explained is None else explained

    def execute(self, call: Call, environment: Environment) -> Executed:
        """Run an entry function without keeping what it does."""
        frame = Frame(self._state, environment)
        refusal, _ = self._attempt(call, frame, is_view=False)
        if refusal is not None:
            self._latest = Executed(refusal, _charged(frame))
            return self._latest
        created, deleted = frame.slots()
        self._latest = Executed(
            refusal=None,
            gas_units=frame.work,
            events=tuple(frame.events),
            changes=describe(frame.writes),
            slots_created=created,
            slots_deleted=deleted,
            writes=frame.writes,
        )
        return self._latest

    def apply(self, executed: Executed) -> None:
        """Keep what the latest `execute` did. ValueError for any other answer."""
        if executed is not self._latest:
            raise ValueError("only the latest answer can be applied, and once")
        self._latest = None
        writes: Writes = executed.writes if isinstance(executed.writes, dict) else {}
        for key, value in writes.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value

    def view(self, call: Call, environment: Environment) -> Viewed:
        """Run a view function."""
        frame = Frame(self._state, environment)
        refusal, values = self._attempt(call, frame, is_view=True)
        return Viewed(refusal, _charged(frame), values)

    def resource(self, address: bytes, type: str) -> Json | None:
        """One resource of those whose layout the model has; None for all others."""
        return self.resources(address).get(type)

    def resources(self, address: bytes) -> Mapping[str, Json]:
        """The resources of an address whose layout the model has."""
        return described(self._state, address)

    def table_item(
        self,
        handle: bytes,  # noqa: ARG002
        key_type: str,  # noqa: ARG002
        value_type: str,  # noqa: ARG002
        key: Json,  # noqa: ARG002
    ) -> Json | None:
        """None: the model's items are under no table's handle."""
        return None

    def module(self, address: bytes, name: str) -> Module | None:
        """A module's functions and events. There is no bytecode."""
        contract = CONTRACTS.get((address, name))
        return None if contract is None else Module(contract.abi())

    def modules(self, address: bytes) -> Sequence[Module]:
        """All modules of an address, by name."""
        names = sorted(name for where, name in CONTRACTS if where == address)
        return [Module(CONTRACTS[address, name].abi()) for name in names]

    def publish(
        self,
        owner: bytes,  # noqa: ARG002
        modules: Sequence[bytes],  # noqa: ARG002
        environment: Environment,  # noqa: ARG002
    ) -> Failed | None:
        """Refused: bytecode cannot run here."""
        return Failed("FEATURE_UNDER_GATING")

    def fork(self) -> ModelExecutor:
        """An independent copy of the state as it is now."""
        return ModelExecutor(self._state, explained=self._explained)

    def kept(self) -> Mapping[Key, Any]:
        """Everything that is kept, for whoever checks the model itself. Not to be changed."""
        return self._state

    def _attempt(
        self, call: Call, frame: Frame, *, is_view: bool
    ) -> tuple[Refusal | None, tuple[Json, ...]]:
        functions = FUNCTIONS.get((call.address, call.module))
        misfit = refusal_of(call, functions, is_view=is_view)
        if misfit is not None:
            return misfit, ()
        try:
            values = _run(call, frame)
        except Abort as abort:
            name, text = self._explained.of(abort.address, abort.module, abort.code)
            return Aborted(abort.address, abort.module, abort.code, name, text), ()
        except Failure as failure:
            return Failed(failure.status), ()
        if frame.work > frame.environment.gas_units_max:
            return OutOfGas(), ()
        return None, values


def _charged(frame: Frame) -> int:
    return min(frame.work, frame.environment.gas_units_max)


def _run(call: Call, frame: Frame) -> tuple[Json, ...]:
    function = CONTRACTS[call.address, call.module].functions[call.function]
    result = function.run(frame, *call.senders, *_arguments(call, function, frame))
    return _results(function, result)


def _arguments(call: Call, function: Function, frame: Frame) -> list[Any]:
    """One after another: an object that is not there aborts before what follows is read."""
    generic = [_resource(str(tag)) for tag in call.type_arguments]
    values = []
    for parameter, argument in zip(function.taken, call.arguments, strict=True):
        reader = bcs.Reader(argument)
        values.append(_read(parameter, reader))
        if parameter.resource is not None:
            kind = generic[0] if parameter.is_generic else _resource(parameter.resource)
            objects.assert_has(frame, values[-1], kind)
        _end(reader)
    return values


def _read(parameter: Parameter, reader: bcs.Reader) -> Any:
    try:
        return read_value(parameter.type, reader)
    except ValueError as error:
        raise Failure("FAILED_TO_DESERIALIZE_ARGUMENT") from error


def _end(reader: bcs.Reader) -> None:
    try:
        reader.end()
    except bcs.Malformed as error:
        raise Failure("FAILED_TO_DESERIALIZE_ARGUMENT") from error


def _resource(name: str) -> type:
    if "::" not in name:
        raise Failure("CONSTRAINT_NOT_SATISFIED")
    if name not in RESOURCES:
        raise Failure("TYPE_RESOLUTION_FAILURE")
    return RESOURCES[name]


def _results(function: Function, result: Any) -> tuple[Json, ...]:
    if not function.returns:
        return ()
    values = (result,) if len(function.returns) == 1 else result
    return tuple(
        show_value(tag, value) for tag, value in zip(function.returned, values, strict=True)
    )
