"""Whoever owns the liquidity of a simulated world, and the two people who book what they move.

They top up, take out and move float from one operator to another: at the operator by hand, in the
books in two phases, each by two people. Money is often there before anybody asked for it; of a
withdrawal nothing leaves before it is reserved. What nobody will move is cancelled.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.desk.proposals import Kind, Proposal, ProposalId
from engine.desk.proposals import State as Stands
from engine.money import Money
from engine.payments.statements.lines import Side
from tests.simulation.two_people import FIRST, OVER, TwoPeople, Wish

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

HOUR = 3600.0
MOVEMENTS = 8
LOOKED_AT_EVERY = HOUR
CAN_BE_TOPPED_UP = ("mpesa_ke", "mtn_ug", "airtel_ug")
PAIRS = (("mtn_ug", "airtel_ug"), ("airtel_ug", "mtn_ug"))
NOT_OVER = (Stands.APPROVED, Stands.WAITING)
UNITS = (500, 5_000, 20_000)  # of the operator, so many at most are moved


@dataclass
class Step:
    """One line that a movement has at one operator."""

    operator: str
    side: Side
    receipt: str


@dataclass
class Errand:
    """Something that is to be moved, and how far that is. What moved no restore takes back."""

    number: int
    kind: Kind
    operators: tuple[str, ...]  # of a rebalancing both
    minor: int
    proposal: ProposalId | None = None
    asked: list[ProposalId] = field(default_factory=list)  # all, also what nobody seemed to hear
    cancels: bool = False  # nobody will move it: two people say so
    seen_as: str = ""  # how people name it, once it has moved
    steps: list[Step] = field(default_factory=list)
    is_over: bool = False
    is_dropped: bool = False  # over without having moved

    @property
    def has_moved(self) -> bool:
        return bool(self.steps)


class Owner(TwoPeople):
    """The owner and the people of one world."""

    settled = OVER | {Stands.WAITING}

    def __init__(self, world: "World", chance: random.Random) -> None:
        super().__init__(world, chance)
        self.errands: list[Errand] = []
        self._number = 0
        self._on_visit = False
        self.on_moved: Callable[[Errand], None] = lambda _: None

    def begin(self) -> None:
        """So many errands within the time of the world; somebody comes by every hour."""
        for _ in range(MOVEMENTS):
            self._world.loop.outside(self._chance.random() * self._world.span, self._think_of_one)
        self._world.loop.outside(min(LOOKED_AT_EVERY, self._world.span / 10), self._come_by)

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to be moved, seen or cancelled."""
        if self._open or any(True for _ in self._asked_twice()):
            return True
        return not all(errand.is_over for errand in self.errands)

    def restored(self) -> None:
        """What was booked may be forgotten: every errand is looked at once more."""
        for errand in self.errands:
            errand.is_over = False

    def _think_of_one(self) -> None:
        chance = self._chance
        kind = chance.choice((Kind.TOP_UP, Kind.TOP_UP, Kind.WITHDRAWAL, Kind.REBALANCE))
        operators: tuple[str, ...] = (chance.choice(CAN_BE_TOPPED_UP),)
        if kind is Kind.REBALANCE:
            operators = chance.choice(PAIRS)
        self._add(kind, operators, chance.randint(1, chance.choice(UNITS)))

    def _add(self, kind: Kind, operators: tuple[str, ...], units: int) -> Errand:
        minor = units * self._world.operators[operators[0]].facts.unit_minor
        errand = Errand(len(self.errands), kind, operators, minor)
        self.errands.append(errand)
        self._world.happened[f"errand {kind}"] += 1
        if kind is Kind.TOP_UP and self._chance.random() < 0.4:
            self._move(errand)  # nobody has asked for it yet
        return errand

    def _come_by(self) -> None:
        self._world.loop.spawn(self._visit())
        self._world.loop.outside(min(LOOKED_AT_EVERY, self._world.span / 10), self._come_by)

    async def _visit(self) -> None:
        """The next thing that each errand needs, by what the books say of it now."""
        if self._on_visit:
            return
        self._on_visit = True
        try:
            for errand in list(self.errands):
                if not errand.is_over and not self._is_asked(errand):
                    await self._go_on(errand)
            await self._cancel_what_was_asked_twice()
        finally:
            self._on_visit = False

    async def _cancel_what_was_asked_twice(self) -> None:
        """What nobody seemed to hear, and was asked for anew, waits at the desk all the same."""
        for known in list(self._asked_twice()):
            if known.state is Stands.WAITING and (subject := f"{known.id} no") not in self._open:
                self._world.happened["asked twice"] += 1
                await self._ask_for(subject, Wish(Kind.CANCEL_WITHDRAWAL, {"withdrawal": known.id}))

    def _asked_twice(self) -> Iterator[Proposal]:
        """Agreed on, or waiting, beside the one that its errand goes by."""
        for errand in self.errands:
            for id_ in errand.asked:
                known = self._world.model.proposals.get(id_)
                if id_ != errand.proposal and known is not None and known.state in NOT_OVER:
                    yield known

    def _is_asked(self, errand: Errand) -> bool:
        return str(errand.number) in self._open or f"{errand.number} no" in self._open

    async def _go_on(self, errand: Errand) -> None:
        known = self._world.model.proposals.get(errand.proposal or ProposalId(""))
        match known.state if known is not None else None:
            case None if errand.is_dropped:
                errand.is_over = True
            case None:
                await self._propose(errand)
            case Stands.PROPOSED:  # as a restore has left it
                assert known is not None
                self._open[str(errand.number)] = known.id
                await self._decide(str(errand.number), known.id)
            case Stands.WAITING:
                assert known is not None
                await self._go_on_with(errand, known)
            case Stands.DONE:
                errand.is_over = True
            case Stands.FAILED | Stands.REJECTED | Stands.EXPIRED if not errand.has_moved:
                errand.is_over = errand.is_dropped = errand.cancels = True
            case Stands.FAILED if errand.kind is Kind.WITHDRAWAL:
                # It has left, as a restore forgot, and the pool is promised: it is filled first.
                self._world.trace("fills the pool for", errand.number)
                self._fill(errand)
                await self._propose(errand)
            case Stands.FAILED | Stands.REJECTED | Stands.EXPIRED:
                await self._propose(errand)
            case _:
                pass  # agreed on, and left behind by who died: `Staff` has it carried out

    def _fill(self, errand: Errand) -> None:
        unit = self._world.operators[errand.operators[0]].facts.unit_minor
        self._add(Kind.TOP_UP, errand.operators, errand.minor // unit)

    async def _propose(self, errand: Errand) -> None:
        minor = errand.minor
        if errand.kind is Kind.REBALANCE:
            source, target = errand.operators
            fields = {"source": source, "target": target, "minor": minor}
        else:
            fields = {"operator": errand.operators[0], "minor": minor}
        errand.proposal = await self._ask_for(str(errand.number), Wish(errand.kind, fields))
        errand.asked.append(errand.proposal)

    async def _go_on_with(self, errand: Errand, known: Proposal) -> None:
        """It waits for the outside: moved now and seen later, or never."""
        chance = self._chance
        if errand.has_moved:
            await self._see(errand, known)
        elif errand.cancels or chance.random() < 0.2:
            errand.cancels = True
            wish = Wish(Kind.CANCEL_WITHDRAWAL, {"withdrawal": known.id})
            await self._ask_for(f"{errand.number} no", wish)
        elif chance.random() < 0.6:
            self._move(errand)
            if chance.random() < 0.5:  # else somebody looks at the portal later
                await self._see(errand, known)

    def _move(self, errand: Errand) -> None:
        """At the operator, now. It lists each line with a number of its own, and a word of ours."""
        chance, world = self._chance, self._world
        word = f"BANK {errand.number}x"
        sides = {Kind.TOP_UP: (Side.IN,), Kind.WITHDRAWAL: (Side.OUT,)}
        for operator, side in zip(
            errand.operators, sides.get(errand.kind, (Side.OUT, Side.IN)), strict=True
        ):
            self._number += 1
            step = Step(operator, side, f"T{self._number}")
            errand.steps.append(step)
            is_named = errand.kind is Kind.REBALANCE or chance.random() < 0.7
            errand.seen_as = word if is_named else step.receipt
            world.trace("moves", errand.kind, operator, side.name, step.receipt, errand.minor)
            if world.clerk is not None:
                amount = Money(errand.minor, world.operators[operator].facts.currency)
                reference = word if is_named else None
                world.clerk.enter_moved(operator, side, amount, step.receipt, reference)
        self.on_moved(errand)

    async def _see(self, errand: Errand, known: Proposal) -> None:
        """Somebody names what they saw, spelled as they please, now and then twice at once."""
        word = errand.seen_as
        said = self._chance.choice((word, word.lower(), f" {word} ", word.replace(" ", "")))

        async def see(machine: "Machine") -> Proposal:
            return await machine.desk.see(known.id, said, by=FIRST)

        self._world.trace("saw", errand.number, known.id, said)
        if self._chance.random() < 0.2:
            self._world.loop.spawn(self._world.served(see, self._chance))
        await self._world.served(see, self._chance)
