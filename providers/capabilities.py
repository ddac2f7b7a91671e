"""What each operator can do for us, as a table, read from its facts and the ports it implements.

It knows no company, and nothing here is written twice: who can do more says so in its own adapter.
"""

from collections.abc import Iterable
from typing import Final

from engine.money import Money, plain
from engine.ports import (
    BalancePort,
    CallbackTrust,
    NamePort,
    OperatorFacts,
    OperatorPort,
    PayInPort,
    SimPort,
    StatementPort,
)

HEADER: Final = (
    "operator", "country", "unit", "collects", "pays out", "gives back", "asked how it went",
    "calls back", "safe to repeat", "balance", "own word in statements", "payee's name",
    "pay-ins", "changed SIMs",
)  # fmt: skip


def table_of(ports: Iterable[OperatorPort]) -> str:
    """A Markdown table, one line for each operator in each country, by country and name."""
    ordered = sorted(ports, key=lambda port: (port.facts.country, port.facts.name))
    lines = [HEADER, ("---",) * len(HEADER), *map(_row, ordered)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(port: OperatorPort) -> tuple[str, ...]:
    facts = port.facts
    return (
        f"`{facts.name}`",
        facts.country,
        str(Money(facts.unit_minor, facts.currency)),
        _range(facts, facts.collect_minor_min, facts.collect_minor_max),
        _range(facts, facts.disburse_minor_min, facts.disburse_minor_max),
        _refund(facts),
        _said(facts.can_be_asked),
        _callback(facts),
        _repeats(facts),
        _said(isinstance(port, BalancePort)),
        _said(isinstance(port, StatementPort)),
        _said(isinstance(port, NamePort)),
        _said(isinstance(port, PayInPort)),
        _said(isinstance(port, SimPort)),
    )


def _range(facts: OperatorFacts, minor_min: int, minor_max: int) -> str:
    if minor_max <= 0:
        return "no"
    return f"{plain(minor_min, facts.currency)} to {plain(minor_max, facts.currency)}"


def _refund(facts: OperatorFacts) -> str:
    if facts.collect_minor_max <= 0:
        return "no"  # there is nothing to give back
    if not facts.can_refund:
        return "by hand"
    if not facts.refund_is_payout:
        return "the collection"
    return "by a payout" if facts.can_disburse else "by hand"


def _callback(facts: OperatorFacts) -> str:
    """What its own word is worth. A signature proves who speaks; large sums are asked about too."""
    if facts.callback is CallbackTrust.NONE:
        return "never"
    above = facts.confirm_callback_above_minor
    asked = f"asked above {plain(above, facts.currency)}" if above else "always asked"
    word = facts.callback.value
    return f"{word}, {asked}" if facts.can_be_asked else word


def _repeats(facts: OperatorFacts) -> str:
    safe = {
        "collection": facts.collect_minor_max > 0 and facts.collect_repeat_is_safe,
        "payout": facts.disburse_minor_max > 0 and facts.disburse_repeat_is_safe,
        "refund": _refund(facts) not in ("no", "by hand") and facts.refund_repeat_is_safe,
    }
    return ", ".join(name for name, is_safe in safe.items() if is_safe) or "no"


def _said(can: bool) -> str:
    return "yes" if can else "no"
