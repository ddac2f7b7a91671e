"""How two people of a simulated world agree: one asks, the other answers later, or presses twice.

What they ask for is for those who look (`staff.py`, `stray_staff.py`, `owner.py`); the desk and
whoever carries out what was agreed on are real.
"""

import random
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.desk.proposals import Kind, Person, Proposal, ProposalId
from engine.desk.proposals import State as Stands

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

HOUR = 3600.0
OVER = {Stands.DONE, Stands.FAILED, Stands.REJECTED, Stands.EXPIRED}
FIRST, SECOND = Person("amina"), Person("brian")


class Wish(NamedTuple):
    """What somebody who has looked asks for."""

    kind: Kind
    fields: dict[str, Any]


class TwoPeople:
    """Two of one world who decide; what they remember no restore takes from them."""

    settled = OVER  # where a proposal stands of which they have nothing more to say

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._open: dict[str, ProposalId] = {}  # by subject what was asked for and is not over

    async def _ask_for(self, subject: str, wish: Wish) -> ProposalId:
        """One proposes; whether it was heard or not, the other comes to it later."""
        proposal_id = self._world.any_machine(self._chance).desk.new_id()
        self._open[subject] = proposal_id
        self._world.laws.agreed[proposal_id] = {FIRST, SECOND}
        self._world.trace("proposes", wish.kind, subject, proposal_id)

        async def propose(machine: "Machine") -> Proposal:
            return await machine.desk.propose(
                wish.kind, wish.fields, by=FIRST, note="looked there", proposal_id=proposal_id
            )

        await self._world.served(propose, self._chance)
        delay = self._chance.choice((5.0, 60.0, 700.0, HOUR, 12 * HOUR))
        if not self._world.is_calm and self._chance.random() < 0.05:
            delay = 80 * HOUR  # after a long weekend it has expired
        self._world.loop.outside(delay, self._decide_later, subject, proposal_id)
        return proposal_id

    def _decide_later(self, subject: str, proposal_id: ProposalId) -> None:
        self._world.loop.spawn(self._decide(subject, proposal_id))

    async def _decide(self, subject: str, proposal_id: ProposalId) -> None:
        """Agree, twice at once now and then, or refuse; and again until it is over."""
        is_refused = not self._world.is_calm and self._chance.random() < 0.1

        async def decide(machine: "Machine") -> Proposal:
            if is_refused:
                return await machine.desk.reject(proposal_id, by=SECOND)
            return await machine.desk.approve(proposal_id, by=SECOND)

        presses = 2 if self._chance.random() < 0.2 else 1
        for press in range(presses):
            if press + 1 < presses:
                self._world.loop.spawn(self._world.served(decide, self._chance))
            else:
                await self._world.served(decide, self._chance)
        known = self._world.model.proposals.get(proposal_id)
        stands = known.state if known is not None else None
        self._world.trace("decided", subject, proposal_id, stands, known and known.outcome)
        if stands is None or stands in self.settled:
            del self._open[subject]
        else:
            self._world.loop.outside(HOUR, self._decide_later, subject, proposal_id)

    async def _agree_on_old_ones(self, kinds: Collection[Kind]) -> None:
        """Somebody agrees to what stands there as proposed, also what a restore brought back."""
        left = self._world.model.proposals.keys() - set(self._open.values())
        for id_ in sorted(left):
            known = self._world.model.proposals[ProposalId(id_)]
            if known.kind not in kinds or known.state is not Stands.PROPOSED:
                continue
            if self._chance.random() < 0.5:
                continue

            async def agree(machine: "Machine", which: ProposalId = known.id) -> Proposal:
                return await machine.desk.approve(which, by=SECOND)

            self._world.trace("agrees to what stood there", known.kind, id_)
            await self._world.served(agree, self._chance)

    async def _carry_out(self) -> None:
        """As the worker does it now and then."""

        async def carry_out(machine: "Machine") -> int:
            return await machine.desk.carry_out_approved()

        await self._world.served(carry_out, self._chance, tries=1)
