"""Status texts taken apart, and what each abort of our contracts means, read from their sources."""

import re
from pathlib import Path

import pytest

from engine.ports import Refusal
from providers.aptos import sdk
from providers.aptos.refusals import (
    CONTRACTS,
    NO_DISPUTE,
    Status,
    abort_inside,
    read_status,
    refusal_of,
)

MOVE = Path(__file__).parents[2] / "move"
ONE, HOUSE, POOLS, DESK = map(sdk.address, ("0x1", "0xca04", "0xca03", "0xca02"))
OURS = {"settlement": HOUSE, "liquidity": POOLS, "compliance": DESK}
STRANGER = sdk.address("0xbad")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Move abort in 0xca04::settlement: 0x80002", Status(HOUSE, "settlement", None, 0x80002)),
        (
            "Move abort in 0xca04::settlement: E_BATCH_EXISTS(0x80002): It was settled already.",
            Status(HOUSE, "settlement", "E_BATCH_EXISTS", 0x80002),
        ),
        (
            "Move abort in 0x000000000000000000000000000000000000000000000000000000000000ca04"
            "::settlement: E_X(0x1):",
            Status(HOUSE, "settlement", "E_X", 1),
        ),
        (
            "Move abort in 0x1::fungible_asset: ESTORE_IS_FROZEN(0x50003): Store is frozen",
            Status(ONE, "fungible_asset", "ESTORE_IS_FROZEN", 0x50003),
        ),
        ("Move abort in 0xca04::settlement: 524290", Status(HOUSE, "settlement", None, 0x80002)),
        # Newer nodes may append an abort message, which may say anything.
        (
            "Move abort in 0xca04::settlement: 0x30001 with message: Move abort in 0x1::m: 0x2",
            Status(HOUSE, "settlement", None, 0x30001),
        ),
        ("Move abort: code 0x1", Status(code=1)),
        ("Out of gas", Status(name="OUT_OF_GAS")),
        (
            "Execution failed in 0xca04::settlement::settle at code offset 12",
            Status(HOUSE, "settlement", "EXECUTION_FAILED"),
        ),
        ("FUNCTION_RESOLUTION_FAILURE", Status(name="FUNCTION_RESOLUTION_FAILURE")),
        ("Something nobody has documented", Status()),
        ("", Status()),
        ("Move abort in 0xca04::settlement:", Status()),
        ("Move abort in ca04::settlement: 0x1", Status()),
    ],
)
def test_a_status_is_read_in_every_form_that_nodes_document(text: str, status: Status) -> None:
    assert read_status(text) == status


def test_the_abort_of_a_view_is_found_inside_its_message() -> None:
    message = "Error: Move abort in 0xca04::settlement: E_NO_DISPUTE(0x60015): None of this id."
    assert abort_inside(message) == Status(HOUSE, "settlement", "E_NO_DISPUTE", 0x60015)
    assert abort_inside("Failed to deserialize input") is None


def status(package: bytes, module: str, code: int) -> Status:
    return Status(package, module, None, code)


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        (status(HOUSE, "settlement", 0x80002), Refusal.DONE_BEFORE),
        (status(HOUSE, "settlement", 0x10008), Refusal.TERMS),
        (status(HOUSE, "settlement", 0x3000A), Refusal.APPROVALS),
        (status(HOUSE, "approvals", 0x40009), Refusal.APPROVALS),
        (status(HOUSE, "disputes", 0x30001), Refusal.DISPUTE),
        (status(sdk.address("0xca01"), "governance", 0x30001), Refusal.PAUSED),
        (status(sdk.address("0xca01"), "governance", 0x50002), Refusal.OTHER),
        (status(POOLS, "liquidity", 0x30001), Refusal.PAUSED),
        (status(POOLS, "liquidity", 0x30009), Refusal.SHORT),
        (status(DESK, "compliance", 0x50001), Refusal.BARRED),
        (status(ONE, "fungible_asset", 0x50003), Refusal.FROZEN),
        (status(ONE, "fungible_asset", 0x10004), Refusal.SHORT),
        (status(ONE, "fungible_asset", 0x1001C), Refusal.OTHER),
        (status(ONE, "primary_fungible_store", 0x50003), Refusal.FROZEN),
        # The asset's own code: its issuer refuses to move it.
        (status(STRANGER, "stablecoin", 0x50002), Refusal.FROZEN),
        # A module of a stranger does not speak for us because it has our module's name.
        (status(STRANGER, "settlement", 0x80002), Refusal.FROZEN),
        (status(STRANGER, "approvals", 0x40009), Refusal.FROZEN),
        (status(HOUSE, "settlement", 0x803E7), Refusal.OTHER),
        (Status(code=2), Refusal.OTHER),
        (Status(name="OUT_OF_GAS"), Refusal.FEE),
        (Status(name="INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE"), Refusal.FEE),
        (Status(name="INSUFFICIENT_BALANCE_FOR_REQUIRED_DEPOSIT"), Refusal.FEE),
        (Status(name="MAX_GAS_UNITS_BELOW_MIN_TRANSACTION_GAS_UNITS"), Refusal.FEE),
        (Status(name="GAS_UNIT_PRICE_BELOW_MIN_BOUND"), Refusal.FEE),
        (Status(name="FUNCTION_RESOLUTION_FAILURE"), Refusal.OTHER),
        (Status(), Refusal.OTHER),
    ],
)
def test_each_abort_means_what_we_act_on(told: Status, refusal: Refusal) -> None:
    assert refusal_of(told, OURS) is refusal


@pytest.mark.parametrize(
    ("module", "refusal", "names"),
    [
        ("governance", Refusal.PAUSED, "E_PAUSED"),
        ("governance", Refusal.OTHER, "E_NOT_IN_ROLE E_NOT_OWNER"),
        ("compliance", Refusal.BARRED, "E_BARRED"),
        ("liquidity", Refusal.PAUSED, "E_POOL_PAUSED"),
        ("liquidity", Refusal.SHORT, "E_NOT_AVAILABLE"),
        (
            "liquidity",
            Refusal.DISPUTE,
            "E_RESERVATION_EXISTS E_NO_RESERVATION E_ABOVE_RESERVATION",
        ),
        ("settlement", Refusal.DONE_BEFORE, "E_BATCH_EXISTS"),
        (
            "settlement",
            Refusal.TERMS,
            "E_BATCH_ID E_HASH_LENGTH E_NET_COUNT E_NO_PAYMENTS E_BOTH_SIDES E_UNBALANCED"
            " E_TOO_LARGE",
        ),
        ("settlement", Refusal.APPROVALS, "E_EXPIRED E_EXPIRES_TOO_LATE"),
        (
            "settlement",
            Refusal.DISPUTE,
            "E_NO_BATCH E_UNKNOWN_MEMBER E_NOT_MEMBER E_SAME_MEMBER E_ZERO E_DISPUTE_LATE"
            " E_BAD_PROOF E_DISPUTE_EXISTS E_NO_DISPUTE E_DISPUTE_TOO_LARGE",
        ),
        (
            "approvals",
            Refusal.APPROVALS,
            "E_APPROVAL_COUNT E_APPROVER_REPEATED E_APPROVER_UNKNOWN E_TOO_FEW_APPROVALS"
            " E_BAD_APPROVAL",
        ),
        (
            "disputes",
            Refusal.DISPUTE,
            "E_NOT_OPEN E_ANSWER_PENDING E_RULED E_NOT_RULED E_REFUND_TOO_LARGE",
        ),
    ],
)
def test_what_may_pass_is_told_from_what_people_must_mend(
    module: str, refusal: Refusal, names: str
) -> None:
    """A batch that may pass is tried again, one that was done is booked: by this word alone."""
    meant = {m.name for m in CONTRACTS[module].values() if m.refusal is refusal}
    assert meant == set(names.split())


def constants_of(module: str) -> dict[int, str]:
    [source] = MOVE.glob(f"*/sources/{module}.move")
    found = re.findall(r"const (E_[A-Z_]+): u64 = (\d+);", source.read_text())
    return {int(number): name for name, number in found}


@pytest.mark.parametrize("module", sorted(CONTRACTS))
def test_the_numbers_are_those_of_the_contracts(module: str) -> None:
    constants = constants_of(module)
    assert constants
    for reason, meaning in CONTRACTS[module].items():
        assert constants[reason] == meaning.name


def test_every_abort_of_a_settlement_has_a_meaning_but_those_of_making_a_corridor() -> None:
    making = {
        "E_MEMBER_COUNT",
        "E_MEMBER_REPEATED",
        "E_OTHER_GOVERNANCE",
        "E_APPROVER_COUNT",
        "E_KEY_LENGTH",
        "E_KEY_REPEATED",
        "E_THRESHOLD",
    }
    for module in ("settlement", "approvals", "disputes"):
        known = {meaning.name for meaning in CONTRACTS[module].values()}
        assert set(constants_of(module).values()) - known <= making
    assert constants_of("settlement")[NO_DISPUTE] == "E_NO_DISPUTE"
