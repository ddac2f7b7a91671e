"""Numbers that are ported while they are paid, and what is said of whose they are now.

A wallet goes with its number. An operator moves nothing into a wallet that it neither has nor
reaches, nor out of one that is gone. The look-up says who has a number, who had it, nobody,
somebody we have no word for or abroad; it is late, or says nothing at all. People's dials and what
staff put down are as old as they are. What a price named is paid, or comes back.
"""

import asyncio
import random
from typing import TYPE_CHECKING, NamedTuple

from engine.errors import CappError, OutcomeUnknown, Unreachable, Unreadable
from engine.ledger.plans import Plan
from engine.msisdn import Msisdn, country_of
from engine.payments.facts import read_terms
from engine.payments.portability import replay
from engine.payments.portability_store import PortabilityStore, Seen
from engine.payments.wallets import LookUp, Wallets
from engine.ports import Direction, Order
from tests.simulation.model import START
from tests.simulation.operators import SimulatedOperator
from tests.simulation.people import PEOPLE
from tests.simulation.wire import Wire

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

NETWORKS = {"mtn_ug": "64110", "airtel_ug": "64101"}
MOVES = 6
ASKS = 10
ANSWERED_WITHIN = 1.0  # a look-up has 0.8 s
FOREIGN = "mpesa_ke"


class Told(NamedTuple):
    """Who has a number, and who had it before."""

    now: str
    before: str


class Ported:
    """The numbers of one world that are ported, and the laws about them; a `PortabilityPort`."""

    name = "simulated look-up"

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._says = chance.choice(("truth", "anything", "nothing"))
        numbers = [p.customer.msisdn for p in PEOPLE if p.customer.country == "UG"]
        self._held = {number: Told("mtn_ug", "mtn_ug") for number in numbers}
        self._seen: dict[str, Seen] = {}
        for port in world.operators.values():
            port.lacks_wallet = self._lacks_wallet
        world.model.watchers.append(self._on_plan)
        world.laws.order_watchers.append(self._on_order)

    def begin(self) -> None:
        """Numbers move, and prices are asked for."""
        for when, what in ((MOVES, self._move), (ASKS, self._ask)):
            for _ in range(when):
                self._world.loop.outside(self._chance.random() * self._world.span, what)

    @property
    def is_busy(self) -> bool:
        """Nobody waits for any of it."""
        return False

    def wallets(self, machine: "Machine") -> Wallets:
        """As `channels/wiring.py` makes them."""
        world = self._world
        look_up = LookUp(self, monotonic=world.loop.time)
        return Wallets(world.directory, SeenHere(self._seen, machine.wire), look_up)

    # Where numbers go.

    def _move(self) -> None:
        """One goes to the other operator; some are heard of there, or put down by staff."""
        number = self._chance.choice(sorted(self._held))
        before = self._held[number].now
        now = next(name for name in NETWORKS if name != before)
        self._held[number] = Told(now, before)
        self._world.happened["ported"] += 1
        self._world.trace("ported", number[-2:], now)
        seen = self._seen.get(number, Seen())
        at_ms = int((START + self._world.loop.time()) * 1000)
        if self._chance.random() < 0.4:
            seen = seen._replace(network=NETWORKS[now], network_since_ms=at_ms)
        if self._chance.random() < 0.3:
            named = self._chance.choice((now, before, None, "nobody_ug"))
            seen = seen._replace(put_down=named, put_down_ms=at_ms)
        self._seen[number] = seen

    def _lacks_wallet(self, operator: SimulatedOperator, order: Order) -> bool:
        """Whether it neither has the wallet nor reaches who has it, as it is this moment."""
        held = self._held.get(order.msisdn)
        if held is None or held.now == operator.facts.name:
            return False
        is_reached = order.direction is not Direction.COLLECT and (
            held.now in operator.facts.reaches
        )
        self._world.happened["no such wallet"] += not is_reached
        return not is_reached

    # What is said of them.

    async def operator_of(self, msisdn: Msisdn) -> str | None:
        held = self._held.get(msisdn)
        fate = self._chance.random() if self._says == "anything" else 0.0
        if held is None or self._says == "nothing":
            return None
        if fate > 0.85:
            await asyncio.sleep(self._chance.uniform(1.0, 60.0))
        else:
            await asyncio.sleep(self._chance.random() * 0.3)
        if fate < 0.3:
            return held.now
        if fate < 0.5:
            return held.before
        if fate < 0.75:
            return self._chance.choice((None, "", "nobody_ug", FOREIGN))
        kind = self._chance.choice((Unreachable, Unreadable, OutcomeUnknown))
        raise kind(self.name, "nothing to rely on")

    async def aclose(self) -> None:
        """Nothing is open."""

    # Laws.

    def _ask(self) -> None:
        self._world.loop.spawn(self._asked())

    async def _asked(self) -> None:
        """Whoever asks hears of an operator of the number's own country, and soon."""
        number = self._chance.choice(sorted(self._held))
        machine, loop = self._world.any_machine(self._chance), self._world.loop
        began = loop.time()
        try:
            wallet = await self._world.request(
                machine, lambda m: m.payments.selling.wallet_of(number)
            )
        except (OSError, TimeoutError):
            return  # the process is dead, or stands still
        except CappError as error:
            self._broken("a look-up keeps a price back", error=repr(error))
            return
        is_frozen = machine.process.frozen_until > began
        if loop.time() - began > ANSWERED_WITHIN and not is_frozen:
            self._broken("a look-up is waited for", seconds=f"{loop.time() - began:.1f}")
        self._check_home(number, wallet.operator)

    def _on_plan(self, plan: Plan) -> None:
        """A price names an operator of its payee's country, and can be weighed again."""
        if plan.version != 0 or plan.customer is None:
            return
        quote = read_terms(str(plan.facts)).quote
        self._check_home(quote.payee, quote.payee_operator)
        for decision in quote.decisions:
            again = replay(decision)
            if again != decision:
                self._broken("weighed again it is another wallet", payment=plan.payment)

    def _check_home(self, number: Msisdn, operator: str | None) -> None:
        if operator is None or self._world.directory.country_of(operator) != country_of(number):
            self._broken("a wallet in a country that is not its number's", operator=operator)

    def _on_order(self, operator: SimulatedOperator, order: Order) -> None:
        """Who pays out is who has the wallet that the price named, or reaches it."""
        row = self._world.laws.rows.get(order.attempt_id)
        path = self._world.model.journal.get(row.payment) if row is not None else None
        if row is None or path is None or row.direction != Direction.DISBURSE:
            return
        quote = read_terms(str(path[self._world.model.payments[row.payment].terms - 1].facts)).quote
        facts = operator.facts
        if quote.payee_operator not in (facts.name, *facts.reaches):
            self._broken("paid into another wallet than was priced", payment=row.payment)

    def _broken(self, law: str, **details: object) -> None:
        self._world.laws.broken(law, **details)


class SeenHere(PortabilityStore):
    """What dials and staff have told us, over a process's wire."""

    def __init__(self, seen: dict[str, Seen], wire: Wire) -> None:
        self._seen_here = seen
        self._wire = wire

    async def seen(self, msisdn: Msisdn) -> Seen:
        return await self._wire.ask(lambda: self._seen_here.get(msisdn, Seen()))
