"""Businesses of a simulated world: they ask for prices, set liquidity aside, and have people pay.

Each order is sent under one key until there is an answer. Only who hears for good that a price is
over, or cannot be paid, begins the order anew under another key, as one does who wants to be paid
once. What names no price is bound by nothing: it may come late, and is priced then. Where clocks
differ a price may be over here and good there (`channels/api/decisions/0009`).
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from channels.api.meanings import meaning_of
from channels.api.payment_shown import PaymentMade
from channels.api.payments import PaymentAsked
from channels.api.problems import Code, Refusal
from channels.api.quotes import PriceAsked, QuoteShown
from channels.api.reservations import ReservationAsked, ReservationShown
from channels.api.wire import AmountAsked
from engine.clock import first_id_at
from engine.errors import CappError, CustomerMistake, NoWayNow
from tests.simulation.client_door import ClientDoor, Late
from tests.simulation.model import START
from tests.simulation.people import PEOPLE, Person

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

T = TypeVar("T")

HOUR = 3600.0
ORDERS = 8
CLIENTS = tuple(f"{n:032x}" for n in (0xC1, 0xC2))
TRIES_MAX = 15
KEYS_MAX = 3  # so often an order is begun anew
SWEPT_EVERY = 60.0
PATIENCE_SECONDS = 40.0  # longer than an answer may take
HURRIED_SECONDS = 8.0
ABOUT_OVER = (100.0, 125.0)  # a price is promised for 120 s


@dataclass
class SetAside:
    """A reservation as its client was told of it."""

    id: str
    client: str
    key: str
    minor: int
    is_told: bool = False
    is_refused: bool = False
    is_released: bool = False


@dataclass
class ClientOrder:
    """One thing that a client wants to be paid for, once."""

    number: int
    client: str
    payer: Person
    payee: Person
    amount: AmountAsked
    draws_on: SetAside | None = None
    keys: list[str] = field(default_factory=list)
    told: dict[str, PaymentMade] = field(default_factory=dict)  # by key
    refused: dict[str, str] = field(default_factory=dict)  # by key: for good, and why


class Clients:
    """All businesses of one world."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._weather = world.client_weather
        self._busy = 0
        self._clocks_differ = world.weather.clock_jump_per_hour > 0
        self.orders: list[ClientOrder] = []
        self.set_aside: list[SetAside] = []
        self.prices: dict[str, QuoteShown] = {}  # by quote id, as they were shown

    def begin(self) -> None:
        """So many orders within the time of the world; workers end what time is over for."""
        for number in range(ORDERS):
            self._busy += 1
            self._world.loop.outside(self._chance.random() * self._world.span, self._spawn, number)
        self._world.loop.outside(SWEPT_EVERY, self._sweep_later)
        self._stick_later()

    @property
    def is_busy(self) -> bool:
        """Whether anybody still asks, or a reservation has not ended."""
        rows = self._world.model.reservations.values()
        return self._busy > 0 or any(not row.is_ended for row in rows)

    def restored(self) -> None:
        """What was lost nobody is held to; what is asked for from now on is."""
        for aside in self.set_aside:
            aside.is_told = aside.is_refused = aside.is_released = False

    # What businesses do.

    def _spawn(self, number: int) -> None:
        self._world.loop.spawn(self._live(number))

    async def _live(self, number: int) -> None:
        try:
            order = self._draw(number)
            self.orders.append(order)
            if self._chance.random() < self._weather.sets_aside:
                order.draws_on = await self._reserve(order)
            for _ in range(KEYS_MAX):
                if not await self._try(order):
                    break
            if order.draws_on is not None and self._chance.random() < 0.7:
                await self._release(order.draws_on)
        except Exception as error:  # noqa: BLE001 - a world without clients keeps every law
            self._world.laws.broken(f"nobody foresaw {type(error).__name__}: {error}")
        finally:
            self._busy -= 1

    def _draw(self, number: int) -> ClientOrder:
        chance = self._chance
        payer = chance.choice(PEOPLE)
        others = [p for p in PEOPLE if p.customer.country != payer.customer.country]
        major = chance.choice((150, 500, 1_000)) * chance.randint(1, 3)
        is_kenyan = payer.customer.country == "KE"
        amount = AmountAsked(major * 100, "KES") if is_kenyan else AmountAsked(major * 30, "UGX")
        return ClientOrder(number, chance.choice(CLIENTS), payer, chance.choice(others), amount)

    async def _try(self, order: ClientOrder) -> bool:
        """One key of an order; whether it was refused for good, and a new one is to be tried."""
        key = f"order-{order.number}-{len(order.keys)}"
        order.keys.append(key)
        asked = await self._asked(order, key)
        if asked is None:
            return False
        made = await self._send(order, key, asked)
        if made is not None and self._chance.random() < 0.2:
            await self._send(order, key, asked)  # to be sure
        return key in order.refused

    async def _asked(self, order: ClientOrder, key: str) -> PaymentAsked | None:
        parties = {
            "payer": str(order.payer.customer.msisdn), "payee": str(order.payee.customer.msisdn),
            "amount": msgspec.to_builtins(order.amount),
        }  # fmt: skip
        drawn = {} if order.draws_on is None else {"reservation": order.draws_on.id}
        if self._chance.random() >= self._weather.quoted:
            return msgspec.convert({**parties, **drawn}, PaymentAsked)
        asked = msgspec.convert({**parties, **drawn}, PriceAsked)

        def price(door: ClientDoor) -> Awaitable[QuoteShown]:
            return door.price(order.client, f"quote-{key}", asked)

        shown = await self._until_answered(price)
        if not isinstance(shown, QuoteShown):
            return None
        if self.prices.setdefault(shown.id, shown) != shown:
            self._world.laws.broken("one price, two answers", quote=shown.id)
        lingers = self._chance.random() < self._weather.lingers
        await self._wait(self._chance.uniform(*(ABOUT_OVER if lingers else (0.0, 60.0))))
        return msgspec.convert({"quote": shown.id, **drawn}, PaymentAsked)

    async def _send(self, order: ClientOrder, key: str, asked: PaymentAsked) -> PaymentMade | None:
        restored = self._world.restored

        def send(door: ClientDoor) -> Awaitable[PaymentMade]:
            return door.send(order.client, key, asked)

        answer = await self._until_answered(send)
        self._world.trace("client", key, getattr(answer, "id", answer))
        if restored is not self._world.restored:
            return None  # what was told may be lost
        if isinstance(answer, PaymentMade):
            self._world.acknowledge(key, [answer.id])  # type: ignore[list-item]
            if order.told.setdefault(key, answer) != answer:
                self._world.laws.broken("one key, two answers", key=key)
            if key in order.refused:
                self._world.laws.broken("refused for good, and then taken on", key=key)
            return answer
        if isinstance(answer, str):
            if key in order.told:
                self._world.laws.broken("taken on, and then refused", key=key, why=answer)
            if asked.quote is not msgspec.UNSET and not self._clocks_differ:
                order.refused[key] = answer
            self._world.happened[f"client refused: {answer}"] += 1
        return None

    async def _reserve(self, order: ClientOrder) -> SetAside | None:
        currency = "UGX" if order.amount.currency == "KES" else "KES"
        minor = (3_000 if currency == "UGX" else 10_000) * self._chance.randint(1, 40)
        now = datetime.fromtimestamp(START + self._world.loop.time(), UTC)
        id_ = f"{int(first_id_at(now), 16) + 1 + order.number:032x}"
        aside = SetAside(id_, order.client, f"aside-{order.number}", minor)
        self.set_aside.append(aside)
        asked = ReservationAsked(AmountAsked(minor, currency), self._chance.choice((1, 5, 60)))
        restored = self._world.restored

        def reserve(door: ClientDoor) -> Awaitable[ReservationShown]:
            return door.reserve(aside.client, aside.key, asked, aside.id)

        answer = await self._until_answered(reserve)
        if restored is not self._world.restored:
            return None
        if isinstance(answer, ReservationShown):
            aside.is_told = True
            self._world.happened["reserved"] += 1
            return aside
        return None

    async def _release(self, aside: SetAside) -> None:
        await self._wait(self._chance.uniform(0.0, 120.0))
        restored = self._world.restored

        def release(door: ClientDoor) -> Awaitable[ReservationShown]:
            return door.release(aside.client, f"release-{aside.key}", aside.id)

        answer = await self._until_answered(release)
        if isinstance(answer, ReservationShown) and restored is self._world.restored:
            aside.is_released = True
            if answer.state == "open" or answer.left.minor:
                self._world.laws.broken("released and still open", reservation=aside.id)

    async def _until_answered(self, ask: Callable[[ClientDoor], Awaitable[T]]) -> T | str | None:
        """The answer; why it is refused for good; None where nobody ever said."""
        is_hurried = self._chance.random() < self._weather.hurried
        patience_seconds = HURRIED_SECONDS if is_hurried else PATIENCE_SECONDS
        for _ in range(TRIES_MAX):
            machine = self._world.any_machine(self._chance)
            try:
                return await self._world.request(
                    machine, lambda process: _asking(process, ask), patience_seconds
                )
            except Refusal as refusal:
                if refusal.code not in (Code.NOT_NOW, Code.UNDER_WAY):
                    return _reason(refusal)
            except (CustomerMistake, NoWayNow) as error:
                meant = meaning_of(error)
                if meant.code is not Code.NOT_NOW:
                    return _reason(meant)
            except (OSError, TimeoutError, Late, CappError):
                pass
            await self._wait(self._chance.uniform(1.0, 30.0))
        return None

    async def _wait(self, seconds: float) -> None:
        waited = self._world.loop.create_future()
        self._world.loop.outside(seconds, waited.set_result, None)
        await waited

    # What befalls the processes.

    def _stick_later(self) -> None:
        if per_hour := self._weather.stuck_per_hour:
            wait = self._chance.expovariate(per_hour / HOUR)
            self._world.loop.outside(wait, self._stick)

    def _stick(self) -> None:
        """Some processes store nothing for a while; reads go on, everywhere."""
        if self._world.is_calm:
            return
        seconds = self._chance.uniform(0.0, self._weather.stuck_seconds_max)
        for machine in self._chance.sample(list(self._world.machines.values()), 2):
            machine.committer.is_stuck = True
            self._world.happened["stuck"] += 1
            self._world.trace("stuck", machine.name)
            self._world.loop.outside(seconds, machine.go_on)
        self._stick_later()

    # What workers do.

    def _sweep_later(self) -> None:
        self._world.loop.spawn(self._sweep())
        self._world.loop.outside(SWEPT_EVERY, self._sweep_later)

    async def _sweep(self) -> None:
        async def sweep(machine: "Machine") -> int:
            return await machine.clients.reservations.sweep(100)

        await self._world.served(sweep, self._chance, tries=1)


async def _asking(machine: "Machine", ask: Callable[[ClientDoor], Awaitable[T]]) -> T:
    return await ask(machine.clients)


def _reason(refusal: Refusal) -> str:
    return refusal.reason or refusal.code.word
