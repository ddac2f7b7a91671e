"""What a transaction costs: bounds, the part for its size, the part for storage, estimates.

It knows prices, not transactions. Sizes of numbers: AIP-141 (accepted; charges ten times those
before it), as the reference tells it; on a chain they change by vote, here by settings.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GasSchedule:
    """Prices in octas (10^-8 APT) a unit, amounts in gas units, thousandths where it says so."""

    unit_price_min: int = 100
    unit_price_max: int = 10_000_000_000
    units_max: int = 2_000_000
    transaction_milliunits: int = 27_600
    size_free_bytes: int = 600
    byte_milliunits: int = 12
    slot_octas: int = 400_000
    prioritized_percent: int = 150

    def intrinsic_units(self, size_bytes: int) -> int:
        """What a transaction of this size costs before it does anything."""
        over = max(0, size_bytes - self.size_free_bytes)
        return _up(self.transaction_milliunits + over * self.byte_milliunits, 1000)

    def charge(
        self,
        *,
        size_bytes: int,
        execution_units: int,
        slots_created: int,
        slots_deleted: int,
        unit_price: int,
    ) -> Charge:
        """The whole bill."""
        io_units = self.intrinsic_units(size_bytes)
        storage_octas = slots_created * self.slot_octas
        units = io_units + execution_units + _up(storage_octas, max(unit_price, 1))
        refund = slots_deleted * self.slot_octas
        return Charge(units, execution_units, io_units, storage_octas, refund, unit_price)

    def estimate(self) -> dict[str, int]:
        """As `/estimate_gas_price` answers."""
        return {
            "deprioritized_gas_estimate": self.unit_price_min,
            "gas_estimate": self.unit_price_min,
            "prioritized_gas_estimate": self.unit_price_min * self.prioritized_percent // 100,
        }


@dataclass(frozen=True, slots=True)
class Charge:
    """A bill, in units and octas."""

    units: int
    execution_units: int
    io_units: int
    storage_octas: int
    refund_octas: int
    unit_price: int

    @property
    def octas(self) -> int:
        """What the payer's balance shrinks by; never less than nothing."""
        return max(0, self.units * self.unit_price - self.refund_octas)

    def cut_to(self, units: int) -> Charge:
        """All that was allowed is spent, and nothing was stored."""
        return Charge(units, max(0, units - self.io_units), self.io_units, 0, 0, self.unit_price)

    def without_storage(self) -> Charge:
        """What is left to pay when nothing was kept."""
        units = self.io_units + self.execution_units
        return Charge(units, self.execution_units, self.io_units, 0, 0, self.unit_price)

    def statement(self) -> dict[str, str]:
        """As the event `0x1::transaction_fee::FeeStatement` has it."""
        return {
            "total_charge_gas_units": str(self.units),
            "execution_gas_units": str(self.execution_units),
            "io_gas_units": str(self.io_units),
            "storage_fee_octas": str(self.storage_octas),
            "storage_fee_refund_octas": str(self.refund_octas),
        }


def _up(value: int, unit: int) -> int:
    return -(-value // unit)
