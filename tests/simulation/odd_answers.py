"""Operators that speak of another amount, or another currency, than they were ordered to move.

What they moved is what was ordered: the answer is wrong, for a while. Nothing may end by it, and
once they speak right again all must end as their ledgers say.
"""

import random
from typing import TYPE_CHECKING, Any

import msgspec

from engine.ledger.plans import Plan
from engine.money import Money
from engine.payments.evidence import Source
from engine.payments.facts import Ending, read_step
from engine.ports import Finding, Order

if TYPE_CHECKING:
    from tests.simulation.world import World

OTHER = {"KES": "UGX", "UGX": "KES"}
SPOKEN = (Source.CALLBACK, Source.QUERY)


class OddAnswers:
    """What the operators of one world say otherwise, and the law about it."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._odds = chance.choice((0.05, 0.2, 0.6))
        self._ordered: dict[str, Money] = {}
        for port in world.operators.values():
            port.misread = self._misread
        world.laws.excuses.discard("CONFLICT")  # a case says that they contradict, no more
        world.model.watchers.append(self._on_plan)

    def _misread(self, order: Order, finding: Finding) -> Finding:
        self._ordered[order.attempt_id] = order.amount
        if self._world.is_calm or self._chance.random() >= self._odds:
            return finding
        minor, currency = order.amount.minor, order.amount.currency
        said = self._chance.choice(
            (
                Money(minor, OTHER[currency]),
                Money(minor * 100, currency),
                Money(max(minor // 100, 1), currency),
                Money(minor - 1, currency),
            )
        )
        self._world.happened["odd amount"] += 1
        return msgspec.structs.replace(finding, amount=said)

    # After every commit.

    def _on_plan(self, plan: Plan) -> None:
        """No attempt ends by what speaks of another amount than was ordered."""
        if plan.version < 1 or plan.ends is None or plan.facts is None:
            return
        step = read_step(plan.facts)
        if not isinstance(step, Ending) or step.source not in SPOKEN:
            return
        ordered = self._ordered.get(step.attempt_id)
        for told in plan.evidence:
            said = _amount_in(told.body) if told.source == step.source else None
            if ordered is not None and said is not None and said != ordered:
                self._world.laws.broken(
                    "ended by what speaks of another amount", payment=plan.payment,
                    attempt=step.attempt_id, said=said, ordered=ordered,
                )  # fmt: skip


def _amount_in(body: str) -> Money | None:
    """Of a callback as `SimulatedOperator` writes it, or of an answer as we keep it."""
    told: Any = msgspec.json.decode(body)
    said = (told.get("minor"), told.get("currency")) if isinstance(told, dict) else told[4::2]
    return None if said[0] is None else Money(*said)
