from __future__ import annotations

from dataclasses import replace
from itertools import islice
from types import ModuleType
from typing import Any

import pytest

from simulator.devnet import bcs
from simulator.devnet.addresses import sha3
from simulator.devnet.executor import Aborted, Call, Executed, Failed, OutOfGas
from simulator.devnet.executors import open_executor
from simulator.devnet.executors.explanations import explanations
from simulator.devnet.executors.model import ModelExecutor, merkle
from simulator.devnet.executors.model import approvals as approving
from simulator.devnet.executors.model import compliance as complied
from simulator.devnet.executors.model import disputes as disputed
from simulator.devnet.executors.model import governance as governed
from simulator.devnet.executors.model import liquidity as liquid
from simulator.devnet.executors.model import settlement as settled
from simulator.devnet.executors.model.shares import Position, buy, divide, fees_of
from tests.growth import ROUNDS, grows_in_line
from tests.unit.simulator.devnet.executors.stage import (
    ADA,
    BEN,
    EVE,
    LEAVES,
    OFFICER,
    OWNER,
    SUBMITTER,
    Stage,
)

GOVERNANCE = (0xCA01).to_bytes(32)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_batch_moves_what_was_approved_from_pool_to_pool(stage: Stage) -> None:
    terms = stage.terms((400_000, 0), (0, 400_000))
    executed = stage.done("settlement::settle", SUBMITTER, *stage.settlement(terms, 0, 2))
    assert [stage.see("liquidity::total", pool) for pool in stage.pools] == ["600000", "1400000"]
    told = [event.type.rsplit("::", 1)[1] for event in executed.events]
    assert told == ["Settled", "Drawn", "Withdraw", "Leg", "Deposit", "PutIn", "Leg"]
    record = stage.see("settlement::batch", stage.corridor, terms.batch_id)
    assert record[0] == f"0x{terms.hash().hex()}"
    assert record[3:] == [["400000", "0"], ["0", "400000"], str(stage.now)]


def test_a_batch_settles_once(stage: Stage) -> None:
    terms = stage.settlement(stage.terms((1, 0), (0, 1)), 0, 1)
    stage.done("settlement::settle", SUBMITTER, *terms)
    assert stage.why_not("settlement::settle", SUBMITTER, *terms) == "settlement::E_BATCH_EXISTS"
    assert stage.see("liquidity::total", stage.pools[1]) == "1000001"


@pytest.mark.parametrize(
    ("indexes", "reason"),
    [
        ((0,), "approvals::E_TOO_FEW_APPROVALS"),
        ((1, 1), "approvals::E_APPROVER_REPEATED"),
        ((2, 0), "approvals::E_APPROVER_REPEATED"),
    ],
)
def test_approvals_must_be_enough_and_ascending(
    stage: Stage, indexes: tuple[int, ...], reason: str
) -> None:
    arguments = stage.settlement(stage.terms((1, 0), (0, 1)), *indexes)
    assert stage.why_not("settlement::settle", SUBMITTER, *arguments) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": 1},
        {"corridor": ADA},
        {"batch_id": bytes(16)},
        {"merkle_root": bytes(32)},
        {"payment_count": 6},
        {"debits": (2, 0)},
        {"credits": (0, 2)},
        {"expires_at": 1_700_000_059},
    ],
)
def test_an_approval_is_for_these_terms_alone(stage: Stage, changes: dict[str, Any]) -> None:
    terms = stage.terms((1, 0), (0, 1))
    arguments = stage.settlement(terms, 0, 1, signed=terms._replace(**changes))
    assert stage.why_not("settlement::settle", SUBMITTER, *arguments) == (
        "approvals::E_BAD_APPROVAL"
    )


@pytest.mark.parametrize(
    ("debits", "credits", "changes", "reason"),
    [
        ((1, 0), (0, 2), {}, "E_UNBALANCED"),
        ((1, 1), (1, 1), {}, "E_BOTH_SIDES"),
        ((1,), (1,), {}, "E_NET_COUNT"),
        ((0, 0), (0, 0), {"payment_count": 0}, "E_NO_PAYMENTS"),
        ((0, 0), (0, 0), {"batch_id": b"short"}, "E_BATCH_ID"),
        ((0, 0), (0, 0), {"merkle_root": b"short"}, "E_HASH_LENGTH"),
        ((0, 0), (0, 0), {"expires_at": 1_700_000_000}, "E_EXPIRED"),
        ((0, 0), (0, 0), {"expires_at": 1_700_086_401}, "E_EXPIRES_TOO_LATE"),
        ((10**15 + 1, 0), (0, 10**15 + 1), {}, "E_TOO_LARGE"),
    ],
)
def test_bad_terms_are_refused_whoever_approved_them(
    stage: Stage,
    debits: tuple[int, ...],
    credits: tuple[int, ...],
    changes: dict[str, object],
    reason: str,
) -> None:
    arguments = stage.settlement(stage.terms(debits, credits, **changes), 0, 1)
    assert stage.why_not("settlement::settle", SUBMITTER, *arguments) == f"settlement::{reason}"


def test_a_batch_that_one_pool_cannot_pay_moves_nothing(stage: Stage) -> None:
    before = dict(stage.executor.kept())
    arguments = stage.settlement(stage.terms((1_000_001, 0), (0, 1_000_001)), 0, 1)
    assert stage.why_not("settlement::settle", SUBMITTER, *arguments) == (
        "liquidity::E_NOT_AVAILABLE"
    )
    assert stage.executor.kept() == before


def test_a_frozen_pool_stops_the_whole_batch(stage: Stage) -> None:
    before = dict(stage.executor.kept())
    funds = bytes.fromhex(stage.see("liquidity::funds_of", stage.pools[1])[2:])
    stage.done("test_asset::freeze_store", OWNER, funds, True)
    arguments = stage.settlement(stage.terms((1, 0), (0, 1)), 0, 1)
    assert stage.why_not("settlement::settle", SUBMITTER, *arguments) == (
        "fungible_asset::ESTORE_IS_FROZEN"
    )
    stage.done("test_asset::freeze_store", OWNER, funds, False)
    assert stage.executor.kept() == before


def test_a_barred_member_stops_the_batch(stage: Stage) -> None:
    stage.done("compliance::bar", OFFICER, stage.registry, 1, (sha3(BEN),), b"\x01")
    arguments = stage.settlement(stage.terms((1, 0), (0, 1)), 0, 1)
    assert stage.why_not("settlement::settle", SUBMITTER, *arguments) == "compliance::E_BARRED"


def test_a_pause_comes_before_every_other_reason(stage: Stage) -> None:
    stage.done("governance::pause", OFFICER, stage.governance)
    arguments = stage.settlement(stage.terms((1,), (1,)))
    assert stage.why_not("settlement::settle", EVE, *arguments) == "governance::E_PAUSED"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 100])
def test_every_leaf_of_a_tree_is_proved_and_no_other_place(size: int) -> None:
    leaves = [merkle.leaf_hash(bcs.u64(n)) for n in range(size)]
    root = merkle.tree_hash(leaves)
    for index in range(size):
        proof = merkle.prove(leaves, index)
        assert merkle.holds(root, size, leaves[index], index, proof)
        assert not merkle.holds(root, size, leaves[index], index + 1, proof)
        assert not merkle.holds(root, size, leaves[index][:-1], index, proof)
        assert not merkle.holds(root, size, leaves[index], index, (*proof, bytes(32)))
        assert not proof or not merkle.holds(root, size, leaves[index], index, proof[:-1])


def test_the_empty_leafs_tree_is_as_the_rfc_says() -> None:
    assert merkle.leaf_hash(b"").hex() == sha3(b"\x00").hex()
    two = [merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")]
    assert merkle.tree_hash(two) == sha3(b"\x01", *two)


def test_a_settled_payment_is_proved_by_the_view(stage: Stage) -> None:
    terms = stage.terms((0, 0), (0, 0))
    stage.done("settlement::settle", SUBMITTER, *stage.settlement(terms, 0, 1))
    proof = merkle.prove(LEAVES, 3)
    seen = (stage.corridor, terms.batch_id, LEAVES[3], 3, proof)
    assert stage.see("settlement::verify_payment", *seen) is True
    forged = (stage.corridor, terms.batch_id, sha3(b"forged"), 3, proof)
    assert stage.see("settlement::verify_payment", *forged) is False


def test_a_lone_provider_gets_every_unit_of_the_fees(stage: Stage) -> None:
    stage.done("test_asset::mint", OWNER, stage.asset, OWNER, 10**6)
    for amount in (1, 2, 3, 7, 99_991):
        stage.done("liquidity::add_fees", OWNER, stage.pools[0], amount)
    assert stage.see("liquidity::fees_due", stage.pools[0], ADA) == str(1 + 2 + 3 + 7 + 99_991)
    stage.done("liquidity::claim_fees", ADA, stage.pools[0])
    assert stage.see("liquidity::fees_held", stage.pools[0]) == "0"


@pytest.mark.parametrize("shares", [1, 3, 7, 1_000_003, 2**64 - 1])
@pytest.mark.parametrize("amount", [1, 2, 10**12 + 39])
def test_no_fraction_of_a_fee_is_lost(shares: int, amount: int) -> None:
    index, carry = divide(amount, fee_index=0, fee_carry=0, shares=shares)
    lone = Position(shares, 0, 0, 0)
    assert lone.earned(index) + carry == amount << 64
    assert fees_of(lone, fee_index=index, fee_carry=carry, shares=shares).due == amount


def test_rounding_never_gives_more_shares_than_paid_for() -> None:
    for amount in (1, 10, 999, 10**6):
        for total, shares in ((3, 2), (10**6 + 1, 10**6), (1, 10**9)):
            purchase = buy(amount, shares=shares, total=total)
            assert purchase.minted * total <= amount * shares


def test_what_was_simulated_is_not_kept(stage: Stage) -> None:
    call = Call(
        (OWNER,),
        GOVERNANCE,
        "governance",
        "unpause",
        (),
        (stage.governance,),
    )
    stage.done("governance::pause", OFFICER, stage.governance)
    simulated = stage.executor.execute(call, stage.environment(b"simulated"))
    assert simulated.refusal is None
    assert stage.see("governance::is_paused", stage.governance) is True


def test_only_the_latest_answer_can_be_applied_and_once(stage: Stage) -> None:
    call = Call((OFFICER,), GOVERNANCE, "governance", "pause", (), (stage.governance,))
    earlier = stage.executor.execute(call, stage.environment(b"1"))
    latest = stage.executor.execute(call, stage.environment(b"2"))
    with pytest.raises(ValueError, match="latest"):
        stage.executor.apply(earlier)
    stage.executor.apply(latest)
    with pytest.raises(ValueError, match="latest"):
        stage.executor.apply(latest)


def test_a_fork_goes_its_own_way(stage: Stage) -> None:
    other = stage.executor.fork()
    stage.done("governance::pause", OFFICER, stage.governance)
    viewed = other.view(
        Call((), GOVERNANCE, "governance", "is_paused", (), (stage.governance,)),
        stage.environment(b"fork"),
    )
    assert viewed.values == (False,)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"module": "nothing"}, "LINKER_ERROR"),
        ({"function": "nothing"}, "FUNCTION_RESOLUTION_FAILURE"),
        ({"function": "owner"}, "EXECUTE_ENTRY_FUNCTION_CALLED_ON_NON_ENTRY_FUNCTION"),
        ({"senders": ()}, "NUMBER_OF_SIGNER_ARGUMENTS_MISMATCH"),
        ({"arguments": ()}, "NUMBER_OF_ARGUMENTS_MISMATCH"),
        ({"arguments": (b"\x81\x00x",)}, "FAILED_TO_DESERIALIZE_ARGUMENT"),
        ({"arguments": (b"\x01xy",)}, "FAILED_TO_DESERIALIZE_ARGUMENT"),
    ],
)
def test_a_call_that_cannot_be_made_is_refused_by_its_name(
    changes: dict[str, Any], status: str
) -> None:
    call: dict[str, Any] = {
        "senders": (OWNER,),
        "address": GOVERNANCE,
        "module": "governance",
        "function": "create",
        "arguments": (b"\x01x",),
    }
    assert _executed(Call(**{**call, **changes})).refusal == Failed(status)


def test_a_call_that_wants_too_much_work_is_out_of_gas(stage: Stage) -> None:
    call = Call((OWNER,), GOVERNANCE, "governance", "create", (), (b"\x01x",))
    environment = Stage().environment(b"gas")
    scarce = replace(environment, gas_units_max=3)
    executed = ModelExecutor().execute(call, scarce)
    assert executed.refusal == OutOfGas()
    assert executed.gas_units == 3


def test_reasons_carry_the_sources_own_name_and_text(stage: Stage) -> None:
    refusal = stage.do("governance::pause", EVE, stage.governance).refusal
    assert isinstance(refusal, Aborted)
    assert (refusal.code, refusal.name) == (0x50002, "E_NOT_IN_ROLE")
    assert refusal.text == "The account does not have the role that this needs."


@pytest.mark.parametrize(
    "module", [approving, complied, disputed, governed, liquid, settled], ids=lambda m: m.__name__
)
def test_the_models_reasons_are_the_contracts_reasons(module: ModuleType) -> None:
    name = module.__name__.rsplit(".", 1)[1]
    contract = getattr(module, name.upper())
    reasons = {reason.value: f"E_{reason.name}" for reason in module.Reason}
    assert reasons == explanations().reasons(contract.address, name)


def test_bytecode_is_not_run_by_the_model() -> None:
    executor = open_executor("model")
    environment = Stage().environment(b"")
    assert executor.publish(OWNER, [b"\xa1\x1c\xeb\x0b"], environment) == Failed(
        "FEATURE_UNDER_GATING"
    )


def test_a_settlement_costs_the_model_the_same_however_many_there_were(stage: Stage) -> None:
    terms = [stage.terms((1, 0), (0, 1), batch_id=bcs.u64(n) * 2) for n in range(ROUNDS * 170)]
    batches = iter([stage.settlement(each, 0, 1) for each in terms])

    def settle(size: int) -> None:
        for arguments in islice(batches, size):
            stage.done("settlement::settle", SUBMITTER, *arguments)

    assert grows_in_line(settle, 10)
    assert next(batches, None) is None


def _executed(call: Call) -> Executed:
    return ModelExecutor().execute(call, Stage().environment(b"call"))
