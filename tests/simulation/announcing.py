"""Operators that announce what they collected for a payment as if its payer had sent it unasked.

Under a reference nobody can read or under the right one, in its amount or in another, before the
word about the collection or days after it. Such a notice moves no money.
"""

import random
from typing import TYPE_CHECKING, NamedTuple

from engine.money import Money
from engine.payments.facts import Ending, read_step
from engine.ports import Direction, PaidIn
from tests.simulation.laws import steps_of
from tests.simulation.model import START
from tests.simulation.operators import Job, Move, SimulatedOperator

if TYPE_CHECKING:
    from tests.simulation.payers import Payers
    from tests.simulation.world import World

HOUR = 3600.0
LATE_MAX = 2 * 24 * HOUR
"""Shorter than people are looked after for (`owners.BEFORE_PEOPLE_ACT`)."""
JUST_NOW_SECONDS = 300.0
"""How much sooner a collection must have ended for a return to be a fault: calls travel, and
clocks differ."""


class Told(NamedTuple):
    """A notice about a collection."""

    job: Job
    paid: PaidIn


class Announcements:
    """All that were made in one world."""

    def __init__(self, world: "World", payers: "Payers", chance: random.Random) -> None:
        self._world = world
        self._payers = payers
        self._chance = chance
        self._odds = chance.choice((0.0, 0.1, 0.4))
        self.told: dict[tuple[str, str], Told] = {}  # by operator and receipt

    def begin(self) -> None:
        for port in self._world.operators.values():
            self._listen_to(port)

    def is_told(self, key: str) -> bool:
        """Whether one would be put aside under this key, were it not known for what it is."""
        return any(key == _key(name, told.paid) for (name, _), told in self.told.items())

    def is_told_of(self, operator: str, receipt: str) -> bool:
        """Whether there was one of this receipt."""
        return (operator, receipt) in self.told

    def amount_of(self, operator: str, receipt: str) -> Money | None:
        """What the operator says when it is asked about one; None while the money is not there."""
        told = self.told.get((operator, receipt))
        return told.job.order.amount if told is not None and told.job.outcome else None

    def on_return(self, port: SimulatedOperator, receipt: str) -> None:
        """An order to send one back has come: nobody makes it who could know what it is."""
        model = self._world.model
        before_ms = (START + self._world.loop.time() - JUST_NOW_SECONDS) * 1000
        for row in [row for path in model.journal.values() for row in steps_of(path)]:
            step = read_step(str(row.facts))
            if not isinstance(step, Ending) or not step.succeeded or step.receipt != receipt:
                continue
            attempt = model.attempts[step.attempt_id]
            is_its = (attempt.operator, attempt.direction) == (port.facts.code, Direction.COLLECT)
            if is_its and row.at_ms < before_ms:
                self._world.laws.broken("sent back a payment's collection", receipt=receipt)

    def _listen_to(self, port: SimulatedOperator) -> None:
        inner = port.on_move

        def on_move(operator: SimulatedOperator, job: Job, move: Move) -> None:
            inner(operator, job, move)
            if move.direction is Direction.COLLECT and move.sign > 0:
                self._on_collected(operator, job)

        port.on_move = on_move

    def _on_collected(self, port: SimulatedOperator, job: Job) -> None:
        chance = self._chance
        if self._world.is_calm or chance.random() >= self._odds:
            return
        order, receipt = job.order, port.receipt_of(job)
        amount = order.amount
        if chance.random() < 0.4:
            by = port.facts.unit_minor * chance.choice((-1, 1, 10))
            amount = Money(amount.minor + by, amount.currency)
        reference = chance.choice(("", "RENT", order.code[:-1], "0712345678", order.code))
        payer = str(order.msisdn) if chance.random() < 0.5 else ""
        paid = PaidIn(receipt, amount, reference, payer)
        self.told[port.facts.name, receipt] = Told(job, paid)
        self._world.happened["announced a collection"] += 1
        self._world.trace("announces", port.facts.name, receipt, amount, reference)
        for _ in range(2 if chance.random() < 0.2 else 1):
            longest = chance.choice((10.0, 600.0, LATE_MAX))
            self._payers.deliver(port, paid, chance.uniform(0.0, longest))


def _key(operator: str, paid: PaidIn) -> str:
    return f"statement:{operator}:{paid.receipt}:{paid.amount.minor}"
