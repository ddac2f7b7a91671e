"""The settlement file's `aptos:` part: read when it is sound, refused with every fault when not."""

from pathlib import Path
from typing import Any

import pytest

from providers.aptos import (
    Account,
    BadSettlementFile,
    Reader,
    build_settlement_rail,
    read_settings,
    sdk,
)
from tests.providers.aptos_subjects import CORRIDOR, CORRIDORS, keys, settings_file

NODE = "http://127.0.0.1:1"


def test_a_sound_file_is_read() -> None:
    settings = read_settings(settings_file(NODE), CORRIDORS)
    assert (settings.node, settings.chain_id, settings.expires_seconds) == (f"{NODE}/v1", 4, 60)
    assert settings.packages["settlement"] == sdk.address("0xca04")
    assert settings.contracts.corridor(CORRIDOR).members == ("mpesa_ke", "mtn_ug")
    assert [account.key for account in settings.roles.all] == [
        "sponsor",
        "submitter_1",
        "submitter_2",
        "member_mpesa_ke",
        "arbiter",
    ]
    assert settings.budget.units_max == 200_000


def test_what_may_be_left_out_has_a_usual_value(tmp_path: Path) -> None:
    given = settings_file(NODE)
    for name in ("budget", "expires_seconds"):
        del given[name]
    del given["accounts"]["arbiter"]
    given["accounts"]["members"] = {"mpesa_ke": None}  # it signs elsewhere
    given["addresses"] = {
        name: given["addresses"][name] for name in ("settlement", "liquidity", "compliance")
    }
    settings = read_settings(given, CORRIDORS)
    assert settings.roles.arbiter is None
    assert settings.roles.members == {}
    assert (settings.expires_seconds, settings.budget.margin_percent) == (60, 50)


def test_an_account_whose_key_was_changed_is_named_with_its_address() -> None:
    given = settings_file(NODE)
    given["accounts"]["sponsor"] = {"key": "sponsor_2", "address": "0xabc"}
    assert read_settings(given, CORRIDORS).roles.sponsor == Account(
        "sponsor_2", sdk.address("0xabc")
    )


def changed(**parts: Any) -> dict[str, Any]:
    given = settings_file(NODE)
    for path, value in parts.items():
        *folders, name = path.split("__")
        place = given
        for folder in folders:
            place = place[folder]
        place[name] = value
    return given


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (changed(node="ftp://x/v1"), ["aptos.node"]),
        (changed(node="http://u:secret@x/v1"), ["aptos.node"]),
        (changed(node="http://x"), ["aptos.node"]),
        (changed(node=7), ["aptos.node"]),
        (changed(chain_id=0), ["aptos.chain_id"]),
        (changed(chain_id=256), ["aptos.chain_id"]),
        (changed(chain_id=True), ["aptos.chain_id"]),
        (changed(chain_id="4"), ["aptos.chain_id"]),
        (changed(expires_seconds=601), ["aptos.expires_seconds"]),
        (changed(password="x"), ["aptos.password"]),
        (changed(addresses__settlement="ca04"), ["aptos.addresses.settlement"]),
        (changed(addresses__settlement="0x0"), ["aptos.addresses.settlement"]),
        (changed(addresses__liquidity="0xca04"), ["aptos.addresses"]),
        (changed(addresses__asset="USDC"), ["aptos.addresses.asset"]),
        (changed(corridors__elsewhere="0x5"), ["aptos.corridors.elsewhere"]),
        (changed(corridors={}), [f"aptos.corridors.{name}" for name in CORRIDORS]),
        (changed(**{f"corridors__{CORRIDOR}": "0xc1"}), ["aptos.corridors"]),
        (changed(accounts__submitters=[]), ["aptos.accounts.submitters"]),
        (changed(accounts__submitters="submitter_1"), ["aptos.accounts.submitters"]),
        (changed(accounts__submitters=["sponsor"]), ["aptos.accounts"]),
        (changed(accounts__sponsor="../../etc/passwd"), ["aptos.accounts.sponsor"]),
        (changed(accounts__sponsor=None), ["aptos.accounts.sponsor"]),
        (changed(accounts__members={"zamtel_zm": "z"}), ["aptos.accounts.members.zamtel_zm"]),
        (changed(accounts__sponsor={"key": "s", "private": "x"}), [
            "aptos.accounts.sponsor.private", "aptos.accounts.sponsor.address",
        ]),
        (changed(budget__units_max=2_000_001), ["aptos.budget.units_max"]),
        (changed(budget__unit_price_max=0), ["aptos.budget.unit_price_max"]),
        (changed(budget__margin_percent=-1), ["aptos.budget.margin_percent"]),
        (changed(budget__tip=1), ["aptos.budget.tip"]),
        (changed(node_key_file="/nowhere/at/all"), ["aptos.node_key_file"]),
        ({}, [
            "aptos.node", "aptos.chain_id", "aptos.addresses", "aptos.addresses.settlement",
            "aptos.addresses.liquidity", "aptos.addresses.compliance", "aptos.corridors",
            *[f"aptos.corridors.{name}" for name in CORRIDORS], "aptos.accounts",
            "aptos.accounts.sponsor", "aptos.accounts.submitters",
        ]),
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_all_of_it_named(given: dict[str, Any], where: list[str]) -> None:
    with pytest.raises(BadSettlementFile) as bad:
        read_settings(given, CORRIDORS)
    assert sorted(fault.split(" ")[0] for fault in bad.value.faults) == sorted(where)
    assert "secret" not in str(bad.value)


def test_a_file_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(BadSettlementFile):
        read_settings([], CORRIDORS)  # type: ignore[arg-type]


async def test_the_nodes_own_key_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "node_key"
    path.write_text("aptos-key-that-nobody-sees\n")
    given = settings_file(NODE, node_key_file=str(path))
    settings = read_settings(given, CORRIDORS)
    assert settings.api_key == "aptos-key-that-nobody-sees"
    rail = build_settlement_rail(given, CORRIDORS, keys())
    assert "nobody-sees" not in repr(settings) + repr(rail) + str(rail)
    await rail.aclose()


async def test_a_receipt_is_read_without_an_account() -> None:
    reader = Reader(f"{NODE}/v1/", chain_id=4, settlement="0xca04", corridors={"here": "0xc0"})
    await reader.aclose()
    with pytest.raises(ValueError, match="address"):
        Reader(f"{NODE}/v1", chain_id=4, settlement="settlement", corridors={})
