"""Corridors that keep the fee of what is given back, by turns, and what must hold of the books.

Every so often the corridors are seeded anew, with the other policy. A price keeps what it said.
"""

import math
from typing import TYPE_CHECKING

from engine.ledger.chart import Kind, read_account
from engine.ledger.entries import MANUAL_FROM
from engine.ledger.plans import NOTE, Plan
from engine.payments.facts import read_terms
from engine.payments.lifecycle import State
from tests.simulation.laws import MONEY_STAYED

if TYPE_CHECKING:
    from tests.simulation.world import World

SEEDED_EVERY = 90.0


class FeesKept:
    """Who seeds the corridors of one world, and the law about fees."""

    def __init__(self, world: "World") -> None:
        self._world = world
        world.model.watchers.append(self._on_plan)

    def is_refunded(self) -> bool:
        """What the corridors say by now."""
        return math.floor(self._world.loop.time() / SEEDED_EVERY) % 2 == 1

    def _on_plan(self, plan: Plan) -> None:
        """What was given back lacks what the price of before the confirm says, and nothing else."""
        if plan.version == NOTE or plan.state >= MANUAL_FROM or plan.state != State.REFUNDED:
            return
        path = self._world.model.journal[plan.payment]
        quote = read_terms(str(path[0].facts)).quote
        is_late = any(State(row.state) in MONEY_STAYED for row in path)
        kept = quote.fee.minor if quote.keeps_fee and not is_late else 0
        earned = 0
        for row in path:
            for debit, credit, minor in row.transfers:
                earned += minor * (_is_fee(credit) - _is_fee(debit))
        name = "a fee that came late" if is_late else "a fee"
        self._world.happened[f"{name} {'kept' if quote.keeps_fee else 'given back'}"] += 1
        if earned != kept:
            self._world.laws.broken(
                "another fee is kept than was promised", payment=plan.payment, kept=earned,
                promised=kept,
            )  # fmt: skip


def _is_fee(account: int) -> bool:
    return read_account(account).kind is Kind.FEE_INCOME
