"""How a module of the model says what it offers: functions, events and refusals, as an ABI does.

It turns BCS arguments into values and results into REST values; it knows no contract's rules.
Addresses, objects and `vector<u8>` are bytes here, other vectors tuples, options None or the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

from simulator.devnet.addresses import trim_address
from simulator.devnet.executor import Event, Json
from simulator.devnet.executors.model.world import Frame
from simulator.devnet.type_tags import TypeTag, parse_type
from simulator.devnet.values import show_value

SIGNER = "&signer"
_GENERIC = re.compile(r"\bT(\d+)\b")
_ANY_RESOURCE = "0x1::object::ObjectCore"
_OBJECT = re.compile(r"0x1::object::Object<(.+)>")


class Category(IntEnum):
    """The upper half of an abort code (0x1::error)."""

    INVALID_ARGUMENT = 1
    OUT_OF_RANGE = 2
    INVALID_STATE = 3
    UNAUTHENTICATED = 4
    PERMISSION_DENIED = 5
    NOT_FOUND = 6
    ABORTED = 7
    ALREADY_EXISTS = 8
    RESOURCE_EXHAUSTED = 9
    INTERNAL = 11
    NOT_IMPLEMENTED = 12
    UNAVAILABLE = 13


class Abort(Exception):
    """A contract said no. Nothing of the call holds."""

    def __init__(self, address: bytes, module: str, code: int) -> None:
        super().__init__(f"{trim_address(address)}::{module}: {code:#x}")
        self.address = address
        self.module = module
        self.code = code


Run = Callable[..., Any]
R = TypeVar("R", bound=Run)


class Parameter(NamedTuple):
    """One argument: its type, and which resource it must have when it is an object."""

    type: TypeTag
    resource: str | None
    is_generic: bool


@dataclass(frozen=True, slots=True)
class Function:
    """One function that can be called from outside."""

    name: str
    run: Run
    parameters: tuple[str, ...]  # as in the ABI, signers too
    returns: tuple[str, ...]
    generics: int
    is_entry: bool
    is_view: bool
    taken: tuple[Parameter, ...]  # without signers
    returned: tuple[TypeTag, ...]

    def abi(self) -> dict[str, Json]:
        """As the node's REST interface describes it."""
        return {
            "name": self.name,
            "visibility": "public",
            "is_entry": self.is_entry,
            "is_view": self.is_view,
            "generic_type_params": [{"constraints": ["key"]}] * self.generics,
            "params": list(self.parameters),
            "return": list(self.returns),
        }


class Contract:
    """One module: where it is, what it offers, what it tells."""

    def __init__(
        self, address: int, name: str, events: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.address = address.to_bytes(32)
        self.name = name
        self.functions: dict[str, Function] = {}
        self._events = {
            event: {field: parse_type(kind) for field, kind in fields.items()}
            for event, fields in (events or {}).items()
        }
        self._event_fields = dict(events or {})

    @property
    def path(self) -> str:
        """`0xca01::governance`."""
        return f"{trim_address(self.address)}::{self.name}"

    def entry(self, *parameters: str, generics: int = 0) -> Callable[[R], R]:
        """An entry function. The function itself gets the frame, signers' addresses, values."""
        return self._offer(parameters, (), generics=generics, is_entry=True)

    def view(self, *parameters: str, returns: Sequence[str], generics: int = 0) -> Callable[[R], R]:
        """A view. With several results the function returns them as a tuple."""
        return self._offer(parameters, tuple(returns), generics=generics, is_entry=False)

    def demand(self, claim: bool, category: Category, reason: int) -> None:
        """Abort unless the claim holds."""
        if not claim:
            raise self.abort(category, reason)

    def abort(self, category: Category, reason: int) -> Abort:
        """The refusal, to be raised."""
        return Abort(self.address, self.name, category << 16 | reason)

    def emit(self, frame: Frame, name: str, **values: Any) -> None:
        """Tell what was done. Fields must be the event's own, all of them."""
        fields = self._events[name]
        assert fields.keys() == values.keys(), f"{self.path}::{name}: {sorted(values)}"
        frame.spend("event")
        told = {field: show_value(tag, values[field]) for field, tag in fields.items()}
        frame.events.append(Event(f"{self.path}::{name}", told))

    def abi(self) -> dict[str, Json]:
        """As the node's REST interface describes a module: functions and events."""
        return {
            "address": trim_address(self.address),
            "name": self.name,
            "friends": [],
            "exposed_functions": [function.abi() for function in self.functions.values()],
            "structs": [
                {
                    "name": event,
                    "is_native": False,
                    "is_event": True,
                    "is_enum": False,
                    "abilities": ["drop", "store"],
                    "generic_type_params": [],
                    "fields": [{"name": field, "type": kind} for field, kind in fields.items()],
                }
                for event, fields in self._event_fields.items()
            ],
        }

    def _offer(
        self, parameters: Sequence[str], returns: tuple[str, ...], *, generics: int, is_entry: bool
    ) -> Callable[[R], R]:
        def keep(run: R) -> R:
            name = run.__name__
            self.functions[name] = Function(
                name=name,
                run=run,
                parameters=tuple(parameters),
                returns=returns,
                generics=generics,
                is_entry=is_entry,
                is_view=not is_entry,
                taken=tuple(_parameter(text) for text in parameters if text != SIGNER),
                returned=tuple(_type(text) for text in returns),
            )
            return run

        return keep


def _parameter(text: str) -> Parameter:
    held = _OBJECT.fullmatch(text)
    return Parameter(
        type=_type(text),
        resource=None if held is None else held[1],
        is_generic=held is not None and _GENERIC.fullmatch(held[1]) is not None,
    )


def _type(text: str) -> TypeTag:
    return parse_type(_GENERIC.sub(_ANY_RESOURCE, text))


def object_of(resource: str) -> str:
    """The type of an object that has this resource."""
    return f"0x1::object::Object<{resource}>"
