"""The ledger's clock only grows; the bill is what its parts are."""

from datetime import UTC, datetime

import pytest

from simulator.devnet.clock import MICROSECONDS, LedgerClock
from simulator.devnet.gas import GasSchedule
from simulator.devnet.ledger import Ledger


class Hands:
    """The time outside."""

    seconds = 1000.0

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


def test_stamps_grow_though_the_clock_outside_goes_back() -> None:
    hands = Hands()
    clock = LedgerClock(hands)
    first = clock.stamp()
    hands.seconds -= 50
    assert [clock.stamp(), clock.stamp()] == [first + 1, first + 2]
    hands.seconds += 51
    assert clock.stamp() == first + MICROSECONDS


def test_a_held_clock_moves_only_by_hand_and_goes_on_from_there() -> None:
    hands = Hands()
    clock = LedgerClock(hands)
    clock.hold()
    hands.seconds += 100
    assert clock.is_held
    assert clock.now() == 1000 * MICROSECONDS
    clock.advance(7)
    clock.release()
    assert clock.now() == 1007 * MICROSECONDS
    hands.seconds += 1
    assert clock.now() == 1008 * MICROSECONDS
    clock.advance(0.5)
    assert clock.now() == 1008.5 * MICROSECONDS


def test_a_ledgers_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        LedgerClock(Hands()).advance(-1)


@pytest.mark.parametrize(("size", "units"), [(100, 28), (600, 28), (601, 28), (10_600, 148)])
def test_size_costs_beyond_what_is_free(size: int, units: int) -> None:
    assert GasSchedule().intrinsic_units(size) == units


def test_a_bill_is_the_sum_of_its_parts() -> None:
    charge = GasSchedule().charge(
        size_bytes=100, execution_units=50, slots_created=2, slots_deleted=1, unit_price=150
    )
    assert charge.units == 28 + 50 + 5334  # 800,000 octas at 150, rounded up
    assert charge.octas == charge.units * 150 - 400_000
    assert charge.statement() == {
        "total_charge_gas_units": "5412",
        "execution_gas_units": "50",
        "io_gas_units": "28",
        "storage_fee_octas": "800000",
        "storage_fee_refund_octas": "400000",
    }
    assert charge.without_storage().units == 78
    assert charge.cut_to(60).octas == 9000


def test_a_refund_never_pays_more_than_the_bill() -> None:
    charge = GasSchedule().charge(
        size_bytes=100, execution_units=1, slots_created=0, slots_deleted=5, unit_price=100
    )
    assert charge.octas == 0


def test_empty_blocks_are_found_by_height_and_version() -> None:
    ledger = Ledger()
    blocks = [ledger.open_block(stamp) for stamp in (10, 20, 30)]
    assert [ledger.block_at(block.height) for block in blocks] == blocks
    assert [ledger.block_of(block.first_version) for block in blocks] == blocks
    assert (ledger.height, ledger.version, ledger.timestamp) == (3, 3, 30)
    assert ledger.block_at(4) is None
    ahead = ledger.open_block(99, height=10, first=20)
    assert ledger.block_at(10) == ahead
    assert ledger.block_at(7) is None
    assert ledger.by_version(12) is None
