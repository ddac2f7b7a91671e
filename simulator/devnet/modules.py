"""What functions there are: the executor's modules, with those the node runs itself beside them.

It writes ABIs as REST has them and finds a function's parameters; it runs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.devnet.addresses import FRAMEWORK, show_address, trim_address
from simulator.devnet.executor import Executor, Module
from simulator.devnet.natives import Native, NativeView
from simulator.devnet.node import VIEWS
from simulator.devnet.performing import ENTRIES


@dataclass(frozen=True, slots=True)
class Function:
    """A function as the ABI has it; parameters with the signers."""

    parameters: tuple[str, ...]
    returns: tuple[str, ...]
    is_entry: bool
    is_view: bool


def find_module(executor: Executor, address: bytes, name: str) -> Module | None:
    """One module of an address; None where there is none."""
    module = executor.module(address, name)
    own = _own_functions(name) if address == FRAMEWORK else {}
    if module is None and not own:
        return None
    abi = dict(module.abi) if module else _empty_abi(address, name)
    known = {function["name"] for function in abi["exposed_functions"]}
    added = [function for title, function in own.items() if title not in known]
    abi["exposed_functions"] = [*abi["exposed_functions"], *added]
    return Module(abi, module.bytecode if module else b"")


def list_modules(executor: Executor, address: bytes) -> list[Module]:
    """All modules of an address."""
    names = {str(module.abi["name"]) for module in executor.modules(address)}
    if address == FRAMEWORK:
        names |= {name.split("::")[1] for name in (*ENTRIES, *VIEWS)}
    found = (find_module(executor, address, name) for name in sorted(names))
    return [module for module in found if module is not None]


def find_function(executor: Executor, address: bytes, module: str, name: str) -> Function | None:
    """One function; None where there is none. The node's own take precedence."""
    path = f"{trim_address(address)}::{module}::{name}"
    if (native := ENTRIES.get(path)) is not None:
        return Function(native.parameters, (), is_entry=True, is_view=False)
    if (view := VIEWS.get(path)) is not None:
        return Function(view.parameters, view.returns, is_entry=False, is_view=True)
    found = executor.module(address, module)
    for function in found.abi["exposed_functions"] if found else ():
        if function["name"] == name:
            return Function(
                tuple(function["params"]),
                tuple(function["return"]),
                bool(function["is_entry"]),
                bool(function["is_view"]),
            )
    return None


def _own_functions(module: str) -> dict[str, dict[str, Any]]:
    functions = {}
    every: dict[str, Native | NativeView] = {**ENTRIES, **VIEWS}
    for path, each in every.items():
        _, owner, name = path.split("::")
        if owner == module:
            is_entry = isinstance(each, Native)
            returns: Sequence[str] = () if isinstance(each, Native) else each.returns
            functions[name] = {
                "name": name,
                "visibility": "public",
                "is_entry": is_entry,
                "is_view": not is_entry,
                "generic_type_params": [{"constraints": []}] * each.generics,
                "params": list(each.parameters),
                "return": list(returns),
            }
    return functions


def _empty_abi(address: bytes, name: str) -> dict[str, Any]:
    return {
        "address": show_address(address),
        "name": name,
        "friends": [],
        "exposed_functions": [],
        "structs": [],
    }
