"""What `capp doctor` looks at where operators are squared on a chain. It changes nothing."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from channels.settings import Settings, SettlementSettings
from channels.settlement_outside import SettlementOutside, build_outside
from engine.clock import Clock
from engine.errors import CappError
from engine.payments.settlement.rules import Corridor
from providers.registry import build_operators

CLOCK_SECONDS_MAX = 30
"""So far may the chain's clock be from ours before expiries mean something else than we think."""

Check = Callable[[Settings], Awaitable[str]]


def settlement_checks(settings: Settings) -> dict[str, Check]:
    """By the names they are told under; none where nothing is settled on a chain."""
    if settings.settlement is None:
        return {}
    checks = {
        "settlement": _rules,
        "settlement keys": _keys,
        "settlement chain": _chain,
        "settlement corridors": _corridors,
    }
    return {name: partial(_looked, check=check) for name, check in checks.items()}


async def _looked(settings: Settings, check: Callable[[SettlementOutside], Awaitable[str]]) -> str:
    assert settings.settlement is not None, "a check of what is not set"
    outside = await _open(settings, settings.settlement)
    try:
        return await check(outside)
    finally:
        await outside.aclose()


async def _open(settings: Settings, where: SettlementSettings) -> SettlementOutside:
    operators = build_operators(settings.environment, clock=Clock(), names=settings.operators)
    for port in operators.values():
        await port.aclose()
    return build_outside(where, {n: port.facts.currency for n, port in operators.items()})


async def _rules(outside: SettlementOutside) -> str:
    rules = outside.rules
    names = ", ".join(corridor.name for corridor in rules.corridors)
    hand = sum(corridor.approvers.count(None) for corridor in rules.corridors)
    told = f"{names or 'no corridor'}; windows of {rules.window.seconds} s in {rules.asset.code}"
    return told + (f"; {hand} approvals come by hand" if hand else "")


async def _keys(outside: SettlementOutside) -> str:
    faults = []
    for name in outside.key_names:
        try:
            await outside.signer.public_key(name)
        except CappError as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise ValueError("; ".join(faults))
    return f"{len(outside.key_names)} keys are there, and ours alone"


async def _chain(outside: SettlementOutside) -> str:
    rail = outside.rail
    position = await rail.position()
    apart = position.seconds - int(Clock().epoch())
    if abs(apart) > CLOCK_SECONDS_MAX:
        raise ValueError(f"the chain's clock and ours are {abs(apart)} s apart")
    reserve = await rail.fee_reserve()
    if reserve < rail.fee_reserve_min:
        raise ValueError(
            f"the sponsor has {reserve} left for fees, less than {rail.fee_reserve_min}"
        )
    return (
        f"chain {position.chain_id} at version {position.version}, clocks {abs(apart)} s apart,"
        f" the sponsor has {reserve} of its smallest unit for fees"
    )


async def _corridors(outside: SettlementOutside) -> str:
    """What the file says of them against what the chain has, which decides."""
    faults = [
        f"{corridor.name}: {fault}"
        for corridor in outside.rules.corridors
        for fault in await _faults_of(corridor, outside)
    ]
    if faults:
        raise ValueError("; ".join(faults))
    return f"{len(outside.rules.corridors)} are on the chain as the file has them"


async def _faults_of(corridor: Corridor, outside: SettlementOutside) -> list[str]:
    there = await outside.rail.corridor(corridor.name)
    members = [await outside.rail.member(name) for name in corridor.members]
    approvers = [
        None if name is None else await outside.signer.public_key(name)
        for name in corridor.approvers
    ]
    faults = []
    if not _agree(members, there.members):
        faults.append("other members on the chain, or in another order")
    if not _agree(approvers, there.approvers):
        faults.append("other approvers on the chain, or in another order")
    decimals = await outside.rail.asset_decimals(corridor.name)
    if decimals != outside.rules.asset.decimals:
        asset = outside.rules.asset
        faults.append(f"its asset has {decimals} decimals, our {asset.code} {asset.decimals}")
    if corridor.threshold != there.threshold:
        faults.append(f"the chain wants {there.threshold} approvals, not {corridor.threshold}")
    return faults


def _agree(ours: Sequence[bytes | None], theirs: Sequence[bytes]) -> bool:
    """Whether each that we know stands at its place; None is whoever signs elsewhere."""
    return len(ours) == len(theirs) and all(
        mine in (None, other) for mine, other in zip(ours, theirs, strict=True)
    )
