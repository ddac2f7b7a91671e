"""When windows are closed and who approves what, as the settlement file says it. Pure.

It reads its own parts of the file only; what the rail and the keys need is read by their adapters.
Amounts are minor units of the settlement asset.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from engine.money import CURRENCIES

PAYMENTS_MAX = 10_000
"""So many payments a batch has at most: a root and two sums, whatever their number."""
_OTHERS = {"aptos", "keys"}


class Asset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is settled in, and the currency whose rates it is priced by."""

    code: str
    pegged_to: str

    @property
    def decimals(self) -> int:
        return CURRENCIES[self.code].decimals


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A window is closed by whatever comes first."""

    seconds: int  # since its oldest payment
    payments: int
    exposure_minor: int  # what one operator owes the other, after netting
    single_above_minor: int  # one payment worth more than that is settled alone, at once


class Corridor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two operators, and whose word is needed. An approver is the name of a key of ours.

    None: that operator signs elsewhere, and its signature is brought by hand.
    """

    name: str
    members: tuple[str, str]
    approvers: tuple[str | None, ...]
    threshold: int


class Rules(msgspec.Struct, frozen=True):
    """All of it."""

    asset: Asset
    window: Window
    approvals_seconds: int
    corridors: tuple[Corridor, ...]

    def corridor(self, name: str) -> Corridor | None:
        return next((c for c in self.corridors if c.name == name), None)

    def corridor_of(self, source: str, destination: str) -> Corridor | None:
        """The corridor in which two operators are squared, whoever owes."""
        pair = {source, destination}
        return next((c for c in self.corridors if set(c.members) == pair), None)


def read_rules(document: Mapping[str, Any], operators: Mapping[str, str]) -> Rules:
    """The engine's part of the settlement file; `operators` by name with their currencies.

    Raises ValueError with every fault of it at once, a line each.
    """
    faults = [f"{name}: nobody reads that" for name in document.keys() - _FIELDS - _OTHERS]
    asset = _read(document, "asset", Asset, faults)
    window = _read(document, "window", Window, faults)
    seconds = _read(document, "approvals_seconds", int, faults)
    corridors = _read(document, "corridors", tuple[Corridor, ...], faults)
    if asset is not None:
        faults += _faults_of_asset(asset)
    if window is not None:
        faults += _faults_of_window(window)
    # The contract's own bounds: section "bounds" of `move/governance`.
    if seconds is not None and not 60 <= seconds <= 604_800:
        faults.append("approvals_seconds: between 60 and 604800")
    faults += _faults_of_corridors(corridors or (), operators)
    if faults:
        raise ValueError("\n".join(sorted(faults)))
    assert asset and window and seconds and corridors is not None
    return Rules(asset, window, seconds, corridors)


_FIELDS = frozenset(Rules.__struct_fields__)


def _read(document: Mapping[str, Any], name: str, kind: Any, faults: list[str]) -> Any:
    if name not in document:
        faults.append(f"{name}: missing")
        return None
    try:
        return msgspec.convert(document[name], kind)
    except msgspec.ValidationError as error:
        faults.append(f"{name}: {error}")
        return None


def _faults_of_asset(asset: Asset) -> list[str]:
    return [
        f"asset.{field}: no such currency: {code}"
        for field, code in (("code", asset.code), ("pegged_to", asset.pegged_to))
        if code not in CURRENCIES
    ]


def _faults_of_window(window: Window) -> list[str]:
    faults = [
        f"window.{field}: more than nothing"
        for field in Window.__struct_fields__
        if getattr(window, field) <= 0
    ]
    if window.payments > PAYMENTS_MAX:
        faults.append(f"window.payments: {PAYMENTS_MAX} at most")
    return faults


def _faults_of_corridors(
    corridors: tuple[Corridor, ...], operators: Mapping[str, str]
) -> list[str]:
    faults = []
    for corridor in corridors:
        faults += [
            f"corridor {corridor.name}: {fault}" for fault in _faults_of(corridor, operators)
        ]
    for what in ("name", "members"):
        told = [c.name if what == "name" else tuple(sorted(c.members)) for c in corridors]
        faults += [f"corridors: {one} more than once" for one in set(told) if told.count(one) > 1]
    return faults


def _faults_of(corridor: Corridor, operators: Collection[str]) -> list[str]:
    faults = [f"no operator {name}" for name in corridor.members if name not in operators]
    if len(set(corridor.members)) < 2:
        faults.append("two different members")
    if not 1 <= corridor.threshold <= len(corridor.approvers):
        faults.append(f"threshold: between 1 and {len(corridor.approvers)} approvers")
    named = [name for name in corridor.approvers if name is not None]
    if len(named) > len(set(named)):
        faults.append("approvers: one key twice")
    if not corridor.name:
        faults.append("a name")
    return faults
