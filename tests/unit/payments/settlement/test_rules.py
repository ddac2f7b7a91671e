"""The engine's part of the settlement file: read whole, or refused with every fault at once."""

from typing import Any

import pytest

from engine.payments.settlement.rules import read_rules

OPERATORS = {"mpesa_ke": "KES", "mtn_ug": "UGX", "airtel_ke": "KES"}


def document(**changes: Any) -> dict[str, Any]:
    return {
        "asset": {"code": "USDC", "pegged_to": "USD"},
        "window": {
            "seconds": 3600, "payments": 10_000, "exposure_minor": 10**9,
            "single_above_minor": 5 * 10**7,
        },
        "approvals_seconds": 3600,
        "corridors": [corridor()],
        "aptos": {"node": "somebody else's"},
        "keys": {"kind": "file"},
    } | changes  # fmt: skip


def corridor(**changes: Any) -> dict[str, Any]:
    return {
        "name": "mpesa_ke:mtn_ug",
        "members": ["mpesa_ke", "mtn_ug"],
        "approvers": ["approver_mpesa_ke", None, "approver_house"],
        "threshold": 2,
    } | changes


def test_a_good_file_is_read() -> None:
    rules = read_rules(document(), OPERATORS)
    assert rules.asset.decimals == 6
    found = rules.corridor_of("mtn_ug", "mpesa_ke")
    assert found is not None
    assert found.members == ("mpesa_ke", "mtn_ug")
    assert found is rules.corridor("mpesa_ke:mtn_ug")
    assert rules.corridor_of("mtn_ug", "airtel_ke") is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"asset": {"code": "XXX", "pegged_to": "USD"}}, "asset.code: no such currency: XXX"),
        ({"asset": {"code": "USDC"}}, "asset: Object missing required field `pegged_to`"),
        ({"approvals_seconds": 59}, "approvals_seconds: between"),
        ({"approvals_seconds": 604_801}, "approvals_seconds: between"),
        ({"approval_seconds": 60}, "approval_seconds: nobody reads that"),
        ({"corridors": [corridor(members=["mpesa_ke", "nobody"])]}, "no operator nobody"),
        ({"corridors": [corridor(members=["mtn_ug", "mtn_ug"])]}, "two different members"),
        ({"corridors": [corridor(members=["mpesa_ke", "mtn_ug", "airtel_ke"])]}, "corridors: "),
        ({"corridors": [corridor(threshold=4)]}, "threshold: between 1 and 3"),
        ({"corridors": [corridor(threshold=0)]}, "threshold: between 1 and 3"),
        ({"corridors": [corridor(approvers=["a", "a"])]}, "approvers: one key twice"),
        ({"corridors": [corridor(name="")]}, "a name"),
        ({"corridors": [corridor(), corridor()]}, "more than once"),
        (
            {"corridors": [corridor(), corridor(name="x", members=["mtn_ug", "mpesa_ke"])]},
            "more than once",
        ),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        read_rules(document(**changes), OPERATORS)
    assert fault in str(refused.value)


@pytest.mark.parametrize("field", ["seconds", "payments", "exposure_minor", "single_above_minor"])
def test_a_window_has_limits(field: str) -> None:
    window = document()["window"] | {field: 0}
    with pytest.raises(ValueError, match=f"window.{field}: more than nothing"):
        read_rules(document(window=window), OPERATORS)


def test_a_batch_is_never_larger_than_the_rail_was_made_for() -> None:
    window = document()["window"] | {"payments": 10_001}
    with pytest.raises(ValueError, match="10000 at most"):
        read_rules(document(window=window), OPERATORS)


@pytest.mark.parametrize("seconds", [60, 604_800])
def test_approvals_may_be_good_for_as_long_and_as_short_as_the_contract_takes(
    seconds: int,
) -> None:
    assert read_rules(document(approvals_seconds=seconds), OPERATORS).approvals_seconds == seconds


@pytest.mark.parametrize("threshold", [1, 3])
def test_one_word_may_be_enough_and_everybodys_may_be_needed(threshold: int) -> None:
    rules = read_rules(document(corridors=[corridor(threshold=threshold)]), OPERATORS)
    assert rules.corridors[0].threshold == threshold


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        read_rules({"window": {"seconds": "soon"}, "approvals_seconds": 1}, OPERATORS)
    told = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in told] == [
        "approvals_seconds", "asset", "corridors", "window",
    ]  # fmt: skip
