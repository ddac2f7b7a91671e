"""A request is paid at most once, or closed and not paid, in whatever order things happen to it."""

import asyncio
import random
from collections.abc import Awaitable

import pytest

from engine.clock import PaymentId
from engine.errors import CustomerMistake, NoWayNow
from engine.fx.quotes import Quote
from engine.payments.lifecycle import State
from engine.payments.planning import GIVES_BACK
from engine.payments.requests import RequestRules
from engine.payments.views import Confirmed
from tests.integration.counter_room import AMINA, CounterRoom, open_room
from tests.integration.world import FAILED, SUCCEEDED

pytestmark = pytest.mark.long("twenty-five walks on a real Postgres")

WALKS = 25
WALKS_MAX = 250
"""Walks go on until they have led everywhere: how two things that happen at once fall is not told
by the seed. One in twenty ends expired."""
STEPS = 14
EVERYWHERE = {"paid", "declined", "expired"}
RULES = RequestRules(
    open_seconds=500, unpaid_most=10**6, recent_most=10**6, again_seconds=0
)  # each walk asks for the same, and asks anew


class Walk:
    """Two phones of the payer, the operators, the clock and the worker, all at one request."""

    def __init__(self, room: CounterRoom, code: str, dice: random.Random) -> None:
        self.room = room
        self.code = code
        self.dice = dice
        self.quotes: list[Quote] = []
        self.payments: set[PaymentId] = set()

    async def step(self) -> None:
        """One thing, or two at once."""
        moves = [self.quote, self.confirm, self.decline, self.end, self.cancel, self.wait]
        weights = [4, 6, 1, 4, 1, 1]
        chosen = self.dice.choices(moves, weights, k=self.dice.choice((1, 2, 3)))
        await asyncio.gather(*[_unless_refused(move()) for move in chosen])

    async def quote(self) -> None:
        self.quotes.append(await self.room.quoted(self.code))

    async def confirm(self) -> None:
        if self.quotes:
            key = f"{self.code} {self.dice.randrange(3)}"
            confirmed: Confirmed = await self.room.counter.confirm(
                payer=AMINA, quote=self.dice.choice(self.quotes), key=key
            )
            self.payments.add(confirmed.payment_id)

    async def decline(self) -> None:
        await self.room.counter.decline(AMINA, self.code)

    async def cancel(self) -> None:
        for payment_id in list(self.payments):
            await self.room.counter.cancel(AMINA, await self.room.code(payment_id), key="x")

    async def end(self) -> None:
        """The operator of whichever attempt is live tells how it went."""
        for payment_id in list(self.payments):
            payment = await self.room.world.payment(payment_id)
            if payment.live is not None:
                finding = self.dice.choice((SUCCEEDED, FAILED))
                await self.room.world.tell(payment.live, finding)

    async def wait(self) -> None:
        self.room.world.clock.pass_(self.dice.choice((1, 60, 400)))
        await self.room.requests.expire(self.room.world.clock.now())

    async def check(self) -> None:
        states = [await self.room.world.state(payment_id) for payment_id in self.payments]
        counts = [state for state in states if state not in GIVES_BACK]
        state = await self.room.state(self.code)
        assert len(counts) <= 1, states
        if counts:
            assert state == ("paid" if counts == [State.PAID] else "taken"), states
        else:
            assert state in ("open", "declined", "expired"), states


async def _unless_refused(move: Awaitable[None]) -> None:
    try:
        await move
    except (CustomerMistake, NoWayNow):
        return  # what a person would be told


async def test_no_order_of_events_pays_a_request_twice(database_url: str) -> None:
    ends = set[str]()
    async with open_room(database_url, RULES) as room:
        room.world.dispatching = False
        for seed in range(WALKS_MAX):
            if seed >= WALKS and ends >= EVERYWHERE:
                break
            room.world.clock.pass_(1)
            walk = Walk(room, await room.ask(key=f"walk {seed}"), random.Random(seed))
            for _ in range(STEPS):
                await walk.step()
                try:
                    await walk.check()
                except AssertionError as error:
                    raise AssertionError(f"seed {seed}") from error
            ends.add(await room.state(walk.code))
    assert ends >= EVERYWHERE
