"""Functions of the framework that the node runs itself, because they move APT or accounts.

It knows single functions by name; what is not in its tables is the executor's. Abort codes:
reference: aptos, section 9, and general knowledge that was not checked against the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.devnet import bcs
from simulator.devnet.accounts import Accounts, Draft
from simulator.devnet.addresses import (
    APT,
    FRAMEWORK,
    code_object_address,
    primary_store_address,
    show_address,
)
from simulator.devnet.executor import (
    Aborted,
    Call,
    Environment,
    Event,
    Executor,
    Failed,
    Json,
    Viewed,
)
from simulator.devnet.values import (
    Unfit,
    Value,
    decode_value,
    is_signer,
    parameter_type,
    show_value,
)

APT_COIN = "0x1::aptos_coin::AptosCoin"
EXECUTION_UNITS = 6
VIEW_UNITS = 2


class Stop(Exception):
    """Raised inside a native function; the transaction is kept and has done nothing."""

    def __init__(self, refusal: Aborted | Failed) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def abort(module: str, code: int, name: str, text: str) -> Stop:
    """The framework's module says no."""
    return Stop(Aborted(FRAMEWORK, module, code, name, text))


@dataclass(slots=True)
class Act:
    """One native call under way."""

    call: Call
    values: Sequence[Value]
    draft: Draft
    environment: Environment
    executor: Executor
    events: list[Event] = field(default_factory=list)
    afterwards: list[Callable[[], object]] = field(default_factory=list)  # when it is kept

    @property
    def sender(self) -> bytes:
        return self.call.senders[0]

    def emit(self, type: str, **data: Json) -> None:
        """A module event of the framework; `type` without its address."""
        self.events.append(Event(f"0x1::{type}", data))


@dataclass(frozen=True, slots=True)
class Native:
    """An entry function: its parameters as the ABI has them, and what it does."""

    parameters: tuple[str, ...]
    run: Callable[[Act], None]
    generics: int = 0
    guard: Callable[[Call], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class NativeView:
    """A view: its parameters and return types, and what it answers."""

    parameters: tuple[str, ...]
    returns: tuple[str, ...]
    answer: Callable[[Accounts, Sequence[Value], int], Sequence[Value]]
    generics: int = 0
    guard: Callable[[Call], bool] = lambda _: True


def read_arguments(call: Call, parameters: Sequence[str]) -> list[Value]:
    """The values of a call. Raises `Stop` when they do not fit, as the VM would."""
    wanted = [parameter for parameter in parameters if not is_signer(parameter)]
    if len(parameters) - len(wanted) != len(call.senders) and len(parameters) != len(wanted):
        raise Stop(Failed("NUMBER_OF_SIGNER_ARGUMENTS_MISMATCH"))
    if len(wanted) != len(call.arguments):
        raise Stop(Failed("NUMBER_OF_ARGUMENTS_MISMATCH"))
    try:
        return [
            decode_value(parameter_type(parameter, call.type_arguments), argument)
            for parameter, argument in zip(wanted, call.arguments, strict=True)
        ]
    except (bcs.Malformed, Unfit) as error:
        raise Stop(Failed("FAILED_TO_DESERIALIZE_ARGUMENT")) from error


def find_native(table: Mapping[str, Native], call: Call) -> Native | None:
    """The node's own function of this name for these arguments, or None."""
    native = table.get(call.name)
    if native is None or len(call.type_arguments) != native.generics or not native.guard(call):
        return None
    return native


def view_native(
    table: Mapping[str, NativeView], call: Call, accounts: Accounts, now_seconds: int
) -> Viewed | None:
    """What the node's own view answers, or None when it is not the node's."""
    view = table.get(call.name)
    if view is None or len(call.type_arguments) != view.generics or not view.guard(call):
        return None
    try:
        values = view.answer(accounts, read_arguments(call, view.parameters), now_seconds)
    except Stop as stop:
        return Viewed(stop.refusal, VIEW_UNITS)
    shown = [
        show_value(parameter_type(returned, call.type_arguments), value)
        for returned, value in zip(view.returns, values, strict=True)
    ]
    return Viewed(None, VIEW_UNITS, shown)


def pay(act: Act, source: bytes, to: bytes, octas: int) -> None:
    """Move APT from one account to another, which is made when there is none."""
    if act.draft.balance_octas(source) < octas:
        sentence = "Insufficient balance to withdraw or transfer."
        raise abort("fungible_asset", 0x10004, "EINSUFFICIENT_BALANCE", sentence)
    act.draft.add_octas(source, -octas)
    act.draft.add_octas(to, octas)
    for name, owner in (("Withdraw", source), ("Deposit", to)):
        act.emit(
            f"fungible_asset::{name}",
            store=show_address(primary_store_address(owner, APT)),
            store_owner=show_address(owner),
            amount=str(octas),
        )


def _transfer(act: Act) -> None:
    to, octas = act.values
    pay(act, act.sender, to, octas)


def _transfer_asset(act: Act) -> None:
    _, to, octas = act.values
    pay(act, act.sender, to, octas)


def _transfer_many(act: Act) -> None:
    recipients, amounts = act.values
    if len(recipients) != len(amounts):
        sentence = "The lengths of the recipients and amounts lists don't match."
        raise abort(
            "aptos_account", 0x10005, "EMISMATCHING_RECIPIENTS_AND_AMOUNTS_LENGTH", sentence
        )
    for to, octas in zip(recipients, amounts, strict=True):
        pay(act, act.sender, to, octas)


def _create_account(act: Act) -> None:
    (address,) = act.values
    if act.draft.find(address) is not None:
        raise abort("account", 0x80001, "EACCOUNT_ALREADY_EXISTS", "Account already exists")
    act.draft.open(address)


def _publish(act: Act) -> None:
    """Code goes to an object whose address follows from the publisher's number."""
    _, code = act.values
    publisher = act.draft.open(act.sender)
    owner = code_object_address(act.sender, publisher.sequence_number)
    # Tried on a copy first: a simulation, or too little gas, must leave nothing behind.
    if (failed := act.executor.fork().publish(owner, code, act.environment)) is not None:
        raise Stop(failed)
    act.afterwards.append(lambda: act.executor.publish(owner, code, act.environment))
    act.emit("object_code_deployment::Publish", object_address=show_address(owner))


def _is_apt_coin(call: Call) -> bool:
    return str(call.type_arguments[0]) == APT_COIN


def _is_apt_asset(place: int) -> Callable[[Call], bool]:
    return lambda call: len(call.arguments) > place and call.arguments[place] == APT


ENTRIES: Mapping[str, Native] = {
    "0x1::aptos_account::transfer": Native(("&signer", "address", "u64"), _transfer),
    "0x1::aptos_account::batch_transfer": Native(
        ("&signer", "vector<address>", "vector<u64>"), _transfer_many
    ),
    "0x1::aptos_account::create_account": Native(("address",), _create_account),
    "0x1::aptos_account::transfer_coins": Native(
        ("&signer", "address", "u64"), _transfer, 1, _is_apt_coin
    ),
    "0x1::coin::transfer": Native(("&signer", "address", "u64"), _transfer, 1, _is_apt_coin),
    "0x1::primary_fungible_store::transfer": Native(
        ("&signer", "0x1::object::Object<T0>", "address", "u64"),
        _transfer_asset,
        1,
        _is_apt_asset(0),
    ),
    "0x1::object_code_deployment::publish": Native(
        ("&signer", "vector<u8>", "vector<vector<u8>>"), _publish
    ),
}


def _balance(accounts: Accounts, values: Sequence[Any], now_seconds: int) -> Sequence[Value]:
    del now_seconds
    return [accounts.balance_octas(values[0])]


def _exists(accounts: Accounts, values: Sequence[Any], now_seconds: int) -> Sequence[Value]:
    del now_seconds
    return [accounts.find(values[0]) is not None]


def _number(accounts: Accounts, values: Sequence[Any], now_seconds: int) -> Sequence[Value]:
    del now_seconds
    return [accounts.sequence_number(values[0])]


VIEWS: Mapping[str, NativeView] = {
    "0x1::coin::balance": NativeView(("address",), ("u64",), _balance, 1, _is_apt_coin),
    "0x1::primary_fungible_store::balance": NativeView(
        ("address", "0x1::object::Object<T0>"), ("u64",), _balance, 1, _is_apt_asset(1)
    ),
    "0x1::account::exists_at": NativeView(("address",), ("bool",), _exists),
    "0x1::account::get_sequence_number": NativeView(("address",), ("u64",), _number),
}
