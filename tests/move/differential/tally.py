"""What runs have reached: every function, how it ended, every reason to say no, every view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from simulator.devnet.executor import Aborted, Failed, Refusal
from simulator.devnet.executors.explanations import explanations
from simulator.devnet.executors.model.catalogue import CONTRACTS

_OURS = range(0xCA01, 0xCA06)
UNREACHABLE = {
    "liquidity::E_ABOVE_RESERVATION": "only a settler that is a contract could draw more",
    "liquidity::E_NOT_DELIVERED": "needs an asset that moves another amount than asked",
}
"""Reasons that no call from outside to these packages, with this asset, can bring about."""


class Tally:
    """Counts over any number of runs."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.aborts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.views: Counter[str] = Counter()

    def called(self, name: str, refusal: Refusal | None) -> None:
        """One call has ended."""
        (self.done if refusal is None else self.refused)[name] += 1
        match refusal:
            case Aborted():
                self.aborts[f"{refusal.module}::{refusal.name or hex(refusal.code)}"] += 1
            case Failed():
                self.failures[refusal.status] += 1

    def viewed(self, name: str) -> None:
        """One view was held side by side."""
        self.views[name] += 1

    def never_done(self) -> list[str]:
        """Entry functions of our packages that never ended well."""
        return sorted(set(_functions(entries=True)) - set(self.done))

    def never_viewed(self) -> list[str]:
        """Views of our packages that were never asked."""
        return sorted(set(_functions(entries=False)) - set(self.views))

    def never_aborted(self) -> list[str]:
        """Reasons of our packages that were never given, though they could be."""
        return sorted(set(_reasons()) - set(self.aborts) - set(UNREACHABLE))

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{'function':44} {'done':>8} {'refused':>8}"
        for name in sorted({*self.done, *self.refused}):
            yield f"{name:44} {self.done[name]:8} {self.refused[name]:8}"
        yield f"{self.done.total()} done, {self.refused.total()} refused"
        yield f"{self.views.total()} views of {len(self.views)} functions held side by side"
        yield "aborts: " + ", ".join(
            f"{name} {times}" for name, times in sorted(self.aborts.items())
        )
        yield "failures: " + ", ".join(f"{name} {n}" for name, n in sorted(self.failures.items()))
        for what, names in (
            ("never done", self.never_done()),
            ("never viewed", self.never_viewed()),
            ("never aborted", self.never_aborted()),
        ):
            yield f"{what}: {', '.join(names) if names else 'none'}"


def _functions(*, entries: bool) -> Iterator[str]:
    for (address, module), contract in CONTRACTS.items():
        if int.from_bytes(address) in _OURS:
            for function in contract.functions.values():
                if function.is_entry is entries:
                    yield f"{module}::{function.name}"


def _reasons() -> Iterator[str]:
    for address, module in CONTRACTS:
        if int.from_bytes(address) in _OURS:
            for name in explanations().reasons(address, module).values():
                yield f"{module}::{name}"
