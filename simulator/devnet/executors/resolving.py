"""Whether a call fits the function it names, as the chain checks before anything runs. Pure.

Both executors ask here, so that a call that cannot be made is refused by the same word.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.devnet.executor import Call, Failed, Json

SIGNERS = frozenset({"signer", "&signer"})
Functions = Mapping[str, Mapping[str, Json]]
"""The exposed functions of one module, each as in its ABI, by name."""


def functions_of(abi: Mapping[str, Json]) -> Functions:
    """A module's functions by name."""
    return {function["name"]: function for function in abi["exposed_functions"]}


def refusal_of(call: Call, functions: Functions | None, *, is_view: bool) -> Failed | None:
    """Why the call cannot be made, by its shape. `functions` is None without such a module."""
    if functions is None:
        return Failed("LINKER_ERROR")
    function = functions.get(call.function)
    if function is None:
        return Failed("FUNCTION_RESOLUTION_FAILURE")
    if is_view and not function["is_view"]:
        return Failed("INVALID_MAIN_FUNCTION_SIGNATURE")
    if not is_view and not function["is_entry"]:
        return Failed("EXECUTE_ENTRY_FUNCTION_CALLED_ON_NON_ENTRY_FUNCTION")
    return _miscounted(call, function)


def _miscounted(call: Call, function: Mapping[str, Json]) -> Failed | None:
    signers = sum(parameter in SIGNERS for parameter in function["params"])
    if len(call.type_arguments) != len(function["generic_type_params"]):
        return Failed("NUMBER_OF_TYPE_ARGUMENTS_MISMATCH")
    if len(call.senders) != signers:
        return Failed("NUMBER_OF_SIGNER_ARGUMENTS_MISMATCH")
    if len(call.arguments) != len(function["params"]) - signers:
        return Failed("NUMBER_OF_ARGUMENTS_MISMATCH")
    return None
