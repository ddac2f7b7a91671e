"""What a stack knows of the chain beside it, before anything is started."""

from pathlib import Path

import pytest

from simulator.devnet.bootstrap import Wanted
from simulator.markets import EVERY
from simulator.settling import CHAIN, SETTLEMENT, arguments, forget_halves, pairs_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def keep(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir()


def left(folder: Path) -> set[str]:
    return {kept.name for kept in folder.iterdir()}


def test_books_and_their_chain_are_kept_together(folder: Path) -> None:
    keep(folder, "postgres", CHAIN, SETTLEMENT)
    assert not forget_halves(folder)
    assert left(folder) == {"postgres", CHAIN, SETTLEMENT}


@pytest.mark.parametrize("lost", ["postgres", CHAIN])
def test_one_without_the_other_is_dropped_with_all_that_was_made_for_it(
    folder: Path, lost: str
) -> None:
    keep(folder, *({"postgres", CHAIN, SETTLEMENT} - {lost}), "logs")
    assert forget_halves(folder)
    assert left(folder) == {"logs"}
    assert not forget_halves(folder)


def test_books_that_never_had_a_chain_get_one(folder: Path) -> None:
    keep(folder, "postgres")
    assert not forget_halves(folder)
    assert left(folder) == {"postgres"}


def test_operators_that_pay_each_other_are_a_pair_once() -> None:
    assert pairs_of(["mpesa_ke", "mtn_ug"]) == [("mpesa_ke", "mtn_ug")]
    everybody = pairs_of(EVERY)
    assert len(everybody) == len({frozenset(pair) for pair in everybody})
    assert all(first < second for first, second in everybody)
    assert {name for pair in everybody for name in pair} == set(EVERY)


def test_who_runs_alone_owes_nobody() -> None:
    assert pairs_of(["mpesa_ke"]) == []


def test_a_corridor_is_named_by_its_members_in_order() -> None:
    wanted = Wanted([("mtn_ug", "mpesa_ke"), ("mpesa_ke", "mtn_ug"), ("mtn_ug", "airtel_ke")])
    assert wanted.corridors == {
        "airtel_ke:mtn_ug": ("airtel_ke", "mtn_ug"),
        "mpesa_ke:mtn_ug": ("mpesa_ke", "mtn_ug"),
    }
    assert wanted.operators == ["airtel_ke", "mpesa_ke", "mtn_ug"]


def test_the_chain_is_kept_where_the_stack_is(folder: Path) -> None:
    told = arguments(8091, folder)
    assert told[told.index("--data") + 1] == str(folder / CHAIN)
    assert told[told.index("--port") + 1] == "8091"
