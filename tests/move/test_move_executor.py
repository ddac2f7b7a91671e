"""What the Move VM's executor does besides running calls: resources, tables, modules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.devnet import bcs
from simulator.devnet.addresses import FRAMEWORK, object_address, sha3, show_address
from simulator.devnet.executor import Aborted, Call, Environment, Executed, Failed, OutOfGas
from simulator.devnet.executors import ExecutorMissing, open_executor, opening
from simulator.devnet.executors.model import ModelExecutor
from simulator.devnet.executors.move import MoveExecutor
from simulator.toolchain import compiler

GOVERNANCE = (0xCA01).to_bytes(32)
OWNER = sha3(b"owner")
HERE = object_address(OWNER, b"g")
RESOURCE = "0xca01::governance::Governance"
ENVIRONMENT = Environment(4, 1, 1_700_000_000_000_000, sha3(b"transaction"))


@pytest.fixture
def executor(opened: MoveExecutor) -> MoveExecutor:
    fork = opened.fork()
    created = fork.execute(_call("create", bcs.byte_string(b"g")), ENVIRONMENT)
    assert created.refusal is None
    fork.apply(created)
    return fork


def test_a_resource_is_shown_as_rest_does(executor: MoveExecutor) -> None:
    shown = executor.resource(HERE, RESOURCE)
    assert shown is not None
    assert shown["owner"] == show_address(OWNER)
    assert shown["pending_owner"] == {"vec": []}
    assert set(shown["roles"]) == {"handle"}
    assert executor.resource(OWNER, RESOURCE) is None
    assert executor.resources(HERE).keys() == {RESOURCE, "0x1::object::ObjectCore"}


def test_a_bound_that_was_set_is_an_item_of_its_table(executor: MoveExecutor) -> None:
    _keep(executor, "set_bound", HERE, b"\x02", bcs.u64(600))
    shown = executor.resource(HERE, RESOURCE)
    assert shown is not None
    handle = bytes.fromhex(shown["bounds"]["handle"].removeprefix("0x").zfill(64))
    assert executor.table_item(handle, "u8", "u64", 2) == "600"
    assert executor.table_item(handle, "u8", "u64", 3) is None


def test_changes_tell_the_whole_resource_after_the_call(executor: MoveExecutor) -> None:
    executed = _keep(executor, "offer_ownership", HERE, sha3(b"other"))
    (change,) = executed.changes
    assert (change.address, change.type) == (HERE, RESOURCE)
    assert change.data == executor.resource(HERE, RESOURCE)
    assert change.data is not None
    assert change.data["pending_owner"] == {"vec": [show_address(sha3(b"other"))]}


def test_what_is_not_applied_did_not_happen(executor: MoveExecutor) -> None:
    before = executor.resource(HERE, RESOURCE)
    executor.execute(_call("offer_ownership", HERE, sha3(b"other")), ENVIRONMENT)
    assert executor.resource(HERE, RESOURCE) == before


def test_only_the_latest_answer_can_be_applied(executor: MoveExecutor) -> None:
    earlier = executor.execute(_call("offer_ownership", HERE, sha3(b"one")), ENVIRONMENT)
    executor.execute(_call("offer_ownership", HERE, sha3(b"two")), ENVIRONMENT)
    with pytest.raises(ValueError, match="latest"):
        executor.apply(earlier)


def test_a_fork_keeps_its_own_state(executor: MoveExecutor) -> None:
    other = executor.fork()
    _keep(executor, "offer_ownership", HERE, sha3(b"other"))
    untouched = other.resource(HERE, RESOURCE)
    assert untouched is not None
    assert untouched["pending_owner"] == {"vec": []}


def test_slots_are_counted_as_they_come_and_go(executor: MoveExecutor) -> None:
    granted = _keep(executor, "grant", HERE, OWNER, b"\x01")
    assert (granted.slots_created, granted.slots_deleted) == (1, 0)
    revoked = _keep(executor, "revoke", HERE, OWNER, b"\x01")
    assert (revoked.slots_created, revoked.slots_deleted) == (0, 1)


def test_gas_is_of_the_chains_size_and_the_same_each_time(executor: MoveExecutor) -> None:
    call = _call("grant", HERE, OWNER, b"\x01")
    once, again = (executor.execute(call, ENVIRONMENT).gas_units for _ in range(2))
    assert once == again
    assert 5 <= once <= 200


def test_too_little_gas_ends_the_call(executor: MoveExecutor) -> None:
    scarce = replace(ENVIRONMENT, gas_units_max=6)
    executed = executor.execute(_call("grant", HERE, OWNER, b"\x01"), scarce)
    assert executed.refusal == OutOfGas()


def test_an_abort_carries_its_name_and_text(executor: MoveExecutor) -> None:
    refusal = executor.execute(_call("create", bcs.byte_string(b"g")), ENVIRONMENT).refusal
    assert refusal == Aborted(
        FRAMEWORK,
        "object",
        0x80001,
        "EOBJECT_EXISTS",
        refusal.text if isinstance(refusal, Aborted) else None,
    )
    assert isinstance(refusal, Aborted)
    assert refusal.text


def test_the_abi_tells_events_and_carries_the_bytecode(executor: MoveExecutor) -> None:
    module = executor.module(GOVERNANCE, "governance")
    assert module is not None
    structs = {struct["name"]: struct for struct in module.abi["structs"]}
    assert structs["Created"]["is_event"] is True
    assert structs["Governance"]["is_event"] is False
    assert module.bytecode.startswith(b"\xa1\x1c\xeb\x0b")
    assert [each.abi["name"] for each in executor.modules(GOVERNANCE)] == ["governance"]
    assert executor.module(GOVERNANCE, "nothing") is None


def test_published_bytecode_can_be_called(opened: MoveExecutor) -> None:
    code = compiler.build("governance").modules[0].code
    bare = MoveExecutor.opened()
    assert bare.publish(GOVERNANCE, [code], ENVIRONMENT) is None
    assert bare.execute(_call("create", bcs.byte_string(b"g")), ENVIRONMENT).refusal is None


def test_bytecode_of_another_address_is_refused(executor: MoveExecutor) -> None:
    code = compiler.build("governance").modules[0].code
    assert executor.publish(OWNER, [code], ENVIRONMENT) == Failed(
        "MODULE_ADDRESS_DOES_NOT_MATCH_SENDER"
    )
    assert executor.publish(GOVERNANCE, [code[:-7]], ENVIRONMENT) == Failed(
        "CODE_DESERIALIZATION_ERROR"
    )


def test_without_the_libraries_best_is_the_model_and_move_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> MoveExecutor:
        raise ExecutorMissing("the Move toolchain cannot be had (npm): no npm")

    monkeypatch.setattr(opening, "_open_move", missing)
    assert isinstance(open_executor("best"), ModelExecutor)
    with pytest.raises(ExecutorMissing, match="npm"):
        open_executor("move")


def _call(function: str, *arguments: bytes) -> Call:
    return Call((OWNER,), GOVERNANCE, "governance", function, (), arguments)


def _keep(executor: MoveExecutor, function: str, *arguments: bytes) -> Executed:
    executed = executor.execute(
        _call(function, *arguments), replace(ENVIRONMENT, transaction_hash=sha3(function.encode()))
    )
    assert executed.refusal is None
    executor.apply(executed)
    return executed
