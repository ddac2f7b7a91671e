"""The modules that are loaded: their ABIs, bytecode and functions, by address and name."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.devnet.addresses import parse_address
from simulator.devnet.executor import Json, Module
from simulator.devnet.executors.explanations import explanations
from simulator.devnet.executors.layouts import Layouts
from simulator.devnet.executors.resolving import Functions, functions_of

Place = tuple[bytes, str]


class Modules:
    """What is loaded, the latest version of each."""

    def __init__(self) -> None:
        self.layouts = Layouts()
        self._modules: dict[Place, Module] = {}
        self._functions: dict[Place, Functions] = {}

    def learn(self, abi: Mapping[str, Json], bytecode: bytes) -> None:
        """Take a module in, in place of an earlier version."""
        place = parse_address(abi["address"]), abi["name"]
        self._modules[place] = Module(_completed(abi, *place), bytecode)
        self._functions[place] = functions_of(abi)
        self.layouts.learn(abi)

    def find(self, address: bytes, name: str) -> Module | None:
        """One module; None where there is none."""
        return self._modules.get((address, name))

    def at(self, address: bytes) -> list[Module]:
        """All of an address, by name."""
        places = sorted(place for place in self._modules if place[0] == address)
        return [self._modules[place] for place in places]

    def functions(self, address: bytes, name: str) -> Functions | None:
        """The functions of one module; None where there is none."""
        return self._functions.get((address, name))

    def copy(self) -> Modules:
        """The same modules; what one of both learns from now on, the other does not know."""
        other = Modules()
        for module in self._modules.values():
            other.learn(module.abi, module.bytecode)
        return other


def _completed(abi: Mapping[str, Json], address: bytes, name: str) -> dict[str, Json]:
    """With what newer nodes tell of each struct and the VM does not."""
    is_event = explanations().is_event
    structs = [
        {"is_enum": False, "is_event": is_event(address, name, struct["name"]), **struct}
        for struct in abi["structs"]
    ]
    return {**abi, "structs": structs}
