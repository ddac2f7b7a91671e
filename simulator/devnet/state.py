"""What a client may ask of the state: accounts, resources, modules, table items, views."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.devnet.addresses import FRAMEWORK, parse_address, show_address
from simulator.devnet.bcs import Malformed, read_all
from simulator.devnet.executor import Aborted, Call, Failed, Json, OutOfGas, Refusal
from simulator.devnet.modules import find_function, find_module, list_modules
from simulator.devnet.node import Node, Sight
from simulator.devnet.performing import account_resources
from simulator.devnet.reading import (
    address_of,
    content_type_of,
    json_answer,
    refuse_other_version,
)
from simulator.devnet.refusals import EXECUTION, Refused, invalid_input, not_found
from simulator.devnet.rendering import show_status
from simulator.devnet.transactions import read_entry_function
from simulator.devnet.type_tags import TypeTag, parse_type
from simulator.devnet.values import Unfit, encode_json, parameter_type

VIEW_BCS = "application/x.aptos.view_function+bcs"


class State:
    """Answers from one node's state, as far as the asking one sees it."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def account(self, request: Request, sight: Sight) -> Response:
        refuse_other_version(request, sight)
        address = address_of(request)
        account = sight.accounts.find(address)
        if account is None and not self._node.settings.stateless_accounts:
            raise not_found("account", f"Address({show_address(address)})", sight.version)
        key = account.authentication_key if account else address
        number = account.sequence_number if account else 0
        return json_answer({"sequence_number": str(number), "authentication_key": f"0x{key.hex()}"})

    async def resources(self, request: Request, sight: Sight) -> Response:
        refuse_other_version(request, sight)
        address = address_of(request)
        found = _resources(sight, address)
        if not found and sight.accounts.find(address) is None:
            raise not_found("account", f"Address({show_address(address)})", sight.version)
        return json_answer([{"type": kind, "data": data} for kind, data in found.items()])

    async def resource(self, request: Request, sight: Sight) -> Response:
        refuse_other_version(request, sight)
        address = address_of(request)
        try:
            kind = str(parse_type(request.path_params["type"]))
        except ValueError as error:
            raise invalid_input(f"failed to parse path `resource_type`: {error}") from error
        data = sight.executor.resource(address, kind)
        if data is None:
            data = _own_resources(sight, address).get(kind)
        if data is None:
            name = f"Address({show_address(address)}), Struct tag({kind})"
            raise not_found("resource", name, sight.version)
        return json_answer({"type": kind, "data": data})

    async def modules(self, request: Request, sight: Sight) -> Response:
        refuse_other_version(request, sight)
        found = list_modules(sight.executor, address_of(request))
        return json_answer([{"bytecode": f"0x{m.bytecode.hex()}", "abi": m.abi} for m in found])

    async def module(self, request: Request, sight: Sight) -> Response:
        refuse_other_version(request, sight)
        address, name = address_of(request), request.path_params["name"]
        module = find_module(sight.executor, address, name)
        if module is None:
            name = f"Address({show_address(address)}), Module name({name})"
            raise not_found("module", name, sight.version)
        return json_answer({"bytecode": f"0x{module.bytecode.hex()}", "abi": module.abi})

    async def no_events(self, request: Request, sight: Sight) -> Response:
        """Handles are the old kind of events; there are none here."""
        del request, sight
        return json_answer([])

    async def table_item(self, request: Request, sight: Sight) -> Response:
        refuse_other_version(request, sight)
        try:
            handle = parse_address(request.path_params["handle"])
            asked = msgspec.json.decode(await request.body(), type=_TableItem)
        except (ValueError, msgspec.MsgspecError) as error:
            raise invalid_input(str(error)) from error
        item = sight.executor.table_item(handle, asked.key_type, asked.value_type, asked.key)
        if item is None:
            name = f"Table handle({show_address(handle)})"
            raise not_found("table_item", name, sight.version)
        return json_answer(item)

    async def view(self, request: Request, sight: Sight) -> Response:
        refuse_other_version(request, sight)
        body = await request.body()
        is_bcs = content_type_of(request) == VIEW_BCS
        call = _read_view(body) if is_bcs else _parse_view(body, sight)
        viewed = self._node.view(call, sight)
        if viewed.refusal is not None:
            raise _refused_view(viewed.refusal)
        response = json_answer(list(viewed.values))
        response.headers["X-Aptos-Gas-Used"] = str(viewed.gas_units)
        return response


class _View(msgspec.Struct):
    function: str
    type_arguments: list[str] = []
    arguments: list[Any] = []


class _TableItem(msgspec.Struct):
    key_type: str
    value_type: str
    key: Any


def _read_view(body: bytes) -> Call:
    try:
        entry = read_all(body, read_entry_function)
    except Malformed as error:
        raise invalid_input(f"Failed to deserialize input into ViewFunction: {error}") from error
    return Call(
        (), entry.address, entry.module, entry.function, entry.type_arguments, entry.arguments
    )


def _parse_view(body: bytes, sight: Sight) -> Call:
    """A view in JSON; its arguments become BCS by the function's parameters."""
    try:
        asked = msgspec.json.decode(body, type=_View)
        written, module, name = asked.function.split("::")
        address = parse_address(written)
        tags = tuple(parse_type(text) for text in asked.type_arguments)
    except (msgspec.MsgspecError, ValueError) as error:
        raise invalid_input(f"parse request payload error: {error}") from error
    function = find_function(sight.executor, address, module, name)
    if function is None:
        message = (
            f"could not find entry function by 0x{int.from_bytes(address):x}::{module}::{name}"
        )
        raise Refused(400, "invalid_input", message, EXECUTION["FUNCTION_RESOLUTION_FAILURE"])
    arguments = _encode_arguments(function.parameters, tags, asked.arguments)
    return Call((), address, module, name, tags, arguments)


def _encode_arguments(
    parameters: tuple[str, ...], tags: tuple[TypeTag, ...], values: list[Any]
) -> tuple[bytes, ...]:
    if len(parameters) != len(values):
        raise invalid_input(f"expected {len(parameters)} arguments, but got {len(values)}")
    try:
        return tuple(
            encode_json(parameter_type(parameter, tags), value)
            for parameter, value in zip(parameters, values, strict=True)
        )
    except Unfit as error:
        raise invalid_input(f"parse arguments failed: {error}") from error


def _refused_view(refusal: Refusal) -> Refused:
    match refusal:
        case Aborted():
            number: int | None = EXECUTION["ABORTED"]
        case OutOfGas():
            number = EXECUTION["OUT_OF_GAS"]
        case Failed(status=status):
            number = EXECUTION.get(status)
    message = f"Failed to execute function: {show_status(refusal)}"
    return Refused(400, "invalid_input", message, number)


def _resources(sight: Sight, address: bytes) -> dict[str, Json]:
    return {**_own_resources(sight, address), **sight.executor.resources(address)}


def _own_resources(sight: Sight, address: bytes) -> dict[str, Json]:
    """What the node keeps itself: the account; the APT of an account that was looked for."""
    account = sight.accounts.find(address)
    if account is not None:
        return {
            "0x1::account::Account": {
                "authentication_key": f"0x{account.authentication_key.hex()}",
                "sequence_number": str(account.sequence_number),
            },
            **{
                kind: data
                for at, kind, data in account_resources(address, account.balance_octas)
                if at == address
            },
        }
    if address == FRAMEWORK:
        return {
            "0x1::chain_id::ChainId": {"id": sight.chain_id},
            "0x1::timestamp::CurrentTimeMicroseconds": {"microseconds": str(sight.timestamp)},
        }
    return {}
