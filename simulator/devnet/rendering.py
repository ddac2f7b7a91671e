"""Transactions, blocks and refusals as the REST interface writes them.

Shapes: reference: aptos, section 2. It computes
nothing: hashes of state are made up, as nobody can check them without the state.
"""

from __future__ import annotations

from typing import Any

from simulator.devnet.addresses import sha3, show_address, trim_address
from simulator.devnet.bcs import Malformed
from simulator.devnet.executor import Aborted, Change, Event, Executor, Failed, OutOfGas, Refusal
from simulator.devnet.ledger import Block, Committed
from simulator.devnet.mempool import Waiting
from simulator.devnet.modules import find_function
from simulator.devnet.node import Simulated
from simulator.devnet.transactions import EntryFunction, Payload, Script, SignedTransaction
from simulator.devnet.values import Unfit, decode_value, is_signer, parameter_type, show_value

SUCCESS = "Executed successfully"


def show_status(refusal: Refusal | None) -> str:
    """`vm_status`."""
    match refusal:
        case None:
            return SUCCESS
        case OutOfGas():
            return "Out of gas"
        case Aborted(name=None):
            where = f"{trim_address(refusal.address)}::{refusal.module}"
            return f"Move abort in {where}: {refusal.code:#x}"
        case Aborted():
            where = f"{trim_address(refusal.address)}::{refusal.module}"
            said = f"{refusal.name}({refusal.code:#x}): {refusal.text or ''}"
            return f"Move abort in {where}: {said}"
        case Failed(function=None):
            return refusal.status
        case Failed():
            return f"Execution failed in {refusal.function} at code offset {refusal.offset}"


def show_pending(waiting: Waiting, executor: Executor) -> dict[str, Any]:
    """A transaction that waits."""
    return {
        "type": "pending_transaction",
        "hash": f"0x{waiting.hash.hex()}",
        **_request(waiting.signed, executor),
    }


def show_committed(committed: Committed, executor: Executor) -> dict[str, Any]:
    """A transaction in its place."""
    return {
        "type": "user_transaction",
        "version": str(committed.version),
        "hash": f"0x{committed.hash.hex()}",
        **_roots(committed.root),
        "gas_used": str(committed.charge.units),
        "success": committed.refusal is None,
        "vm_status": show_status(committed.refusal),
        "changes": [_change(change) for change in committed.changes],
        **_request(committed.signed, executor),
        "events": [_event(event) for event in committed.events],
        "timestamp": str(committed.timestamp),
    }


def show_simulated(simulated: Simulated) -> dict[str, Any]:
    """What a transaction would do."""
    performed, sight = simulated.performed, simulated.sight
    return {
        "type": "user_transaction",
        "version": str(sight.version),
        "hash": f"0x{simulated.hash.hex()}",
        **_roots(b""),
        "gas_used": str(simulated.charge.units),
        "success": simulated.refusal is None,
        "vm_status": show_status(simulated.refusal),
        "changes": [_change(change) for change in performed.changes] if performed else [],
        **_request(simulated.signed, sight.executor),
        "events": [_event(event) for event in performed.events] if performed else [],
        "timestamp": str(sight.timestamp),
    }


def show_block_transaction(block: Block) -> dict[str, Any]:
    """The version a block has for itself."""
    is_genesis = block.first_version == 0
    shown: dict[str, Any] = {
        "type": "genesis_transaction" if is_genesis else "block_metadata_transaction",
        "version": str(block.first_version),
        "hash": f"0x{sha3(b'block metadata', block.first_version.to_bytes(8)).hex()}",
        **_roots(block.hash),
        "gas_used": "0",
        "success": True,
        "vm_status": SUCCESS,
        "changes": [],
        "events": [],
    }
    if is_genesis:
        return {**shown, "payload": {"type": "write_set_payload"}}
    return {
        **shown,
        "id": f"0x{block.hash.hex()}",
        "epoch": "1",
        "round": str(block.height),
        "previous_block_votes_bitvec": [],
        "proposer": "0x1",
        "failed_proposer_indices": [],
        "timestamp": str(block.timestamp),
    }


def show_entry(entry: Committed | Block, executor: Executor) -> dict[str, Any]:
    """Whatever stands at a version."""
    if isinstance(entry, Block):
        return show_block_transaction(entry)
    return show_committed(entry, executor)


def show_block(block: Block, transactions: list[dict[str, Any]] | None) -> dict[str, Any]:
    """A block, with its transactions where they were asked for."""
    return {
        "block_height": str(block.height),
        "block_hash": f"0x{block.hash.hex()}",
        "block_timestamp": str(block.timestamp),
        "first_version": str(block.first_version),
        "last_version": str(block.last_version),
        "transactions": transactions,
    }


def _request(signed: SignedTransaction, executor: Executor) -> dict[str, Any]:
    raw = signed.raw
    shown = {
        "sender": show_address(raw.sender),
        "sequence_number": str(raw.sequence_number),
        "max_gas_amount": str(raw.max_gas_amount),
        "gas_unit_price": str(raw.gas_unit_price),
        "expiration_timestamp_secs": str(raw.expiration_seconds),
        "payload": _payload(raw.payload, executor),
        "signature": _signature(signed),
    }
    if raw.payload.nonce is not None:
        shown["replay_protection_nonce"] = str(raw.payload.nonce)
    return shown


def _signature(signed: SignedTransaction) -> dict[str, Any]:
    shown = signed.authenticator.show()
    if signed.authenticator.single:
        return {"type": "single_sender", **{k: v for k, v in shown.items() if k != "type"}}
    return shown


def _payload(payload: Payload, executor: Executor) -> dict[str, Any]:
    inner = _call(payload.call, executor) if payload.call is not None else None
    if payload.multisig is None:
        assert inner is not None, "checked before it was taken"
        return inner
    return {
        "type": "multisig_payload",
        "multisig_address": show_address(payload.multisig),
        "transaction_payload": inner,
    }


def _call(call: EntryFunction | Script, executor: Executor) -> dict[str, Any]:
    if isinstance(call, Script):
        return {
            "type": "script_payload",
            "code": {"bytecode": f"0x{call.code.hex()}"},
            "type_arguments": [str(tag) for tag in call.type_arguments],
            "arguments": [f"0x{argument.hex()}" for argument in call.arguments],
        }
    return {
        "type": "entry_function_payload",
        "function": call.name,
        "type_arguments": [str(tag) for tag in call.type_arguments],
        "arguments": _arguments(call, executor),
    }


def _arguments(call: EntryFunction, executor: Executor) -> list[Any]:
    """Values by the function's parameters; as bytes where nobody knows these."""
    raw = [f"0x{argument.hex()}" for argument in call.arguments]
    function = find_function(executor, call.address, call.module, call.function)
    if function is None:
        return raw
    wanted = [parameter for parameter in function.parameters if not is_signer(parameter)]
    if len(wanted) != len(call.arguments):
        return raw
    try:
        types = [parameter_type(parameter, call.type_arguments) for parameter in wanted]
        pairs = zip(types, call.arguments, strict=True)
        return [show_value(tag, decode_value(tag, argument)) for tag, argument in pairs]
    except (Malformed, Unfit):
        return raw


def _event(event: Event) -> dict[str, Any]:
    return {
        "guid": {"creation_number": "0", "account_address": "0x0"},
        "sequence_number": "0",
        "type": event.type,
        "data": event.data,
    }


def _change(change: Change) -> dict[str, Any]:
    key = sha3(change.address, change.type.encode()).hex()
    shown: dict[str, Any] = {
        "address": show_address(change.address),
        "state_key_hash": f"0x{key}",
    }
    if change.data is None:
        return {"type": "delete_resource", **shown, "resource": change.type}
    return {"type": "write_resource", **shown, "data": {"type": change.type, "data": change.data}}


def _roots(root: bytes) -> dict[str, Any]:
    return {
        "state_change_hash": f"0x{sha3(b'state change', root).hex()}",
        "event_root_hash": f"0x{sha3(b'events', root).hex()}",
        "state_checkpoint_hash": None,
        "accumulator_root_hash": f"0x{sha3(b'accumulator', root).hex()}",
    }
