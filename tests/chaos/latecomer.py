"""Somebody whose money moves under a name that nobody tells us before the day's statement is in.

The operator's answer is lost, and its callback hangs in the network meanwhile: what the statement
lists belongs to nobody then, and is proven to be a payment's afterwards.
"""

import asyncio
from collections.abc import Iterator
from random import Random

import asyncpg

from tests.chaos.callers import Callers
from tests.chaos.draws import AMOUNTS, Country, Fault, Order, Trouble
from tests.chaos.killer import NeverBack, Patience
from tests.chaos.laws import HEARD_SECONDS_MAX, PAUSED_SECONDS_MAX, Placed, Reading
from tests.chaos.people import Interrupted
from tests.chaos.readings import is_put_aside, movements
from tests.chaos.troubles import Troubles
from tests.e2e.city import City

TRIED_SECONDS_MAX = HEARD_SECONDS_MAX + PAUSED_SECONDS_MAX
"""Of who is told to come later, as everybody is while operators are left alone."""
ANSWER_LOST = Fault("payer", "collect", "reset_after")


class Latecomer:
    """One payment from M-PESA, whose collection cannot be asked about without its name."""

    def __init__(self, city: City, callers: Callers, troubles: Troubles) -> None:
        self._city = city
        self._callers = callers
        self._troubles = troubles
        self._placed: Placed

    async def pay(self, random: Random) -> None:
        """Up to the last screen. From now on no callback arrives."""
        await asyncio.to_thread(self._troubles.begin, Trouble.CALLBACKS_STILL)
        await self._take(random, Order("KE", random.randint(*AMOUNTS["KE"]), (ANSWER_LOST,), False))
        self._placed = self._callers.placed[-1]

    async def pay_before(self, random: Random) -> None:
        """As everybody does, in both directions: each operator's last line is of a time on which
        all clocks agree, and by which books and closing balance are compared."""
        both: tuple[Country, Country] = ("KE", "UG")
        for payer in both:
            await self._take(random, Order(payer, random.randint(*AMOUNTS[payer]), (), False))

    async def _take(self, random: Random, order: Order) -> None:
        pin, patience = self._city.new_pin(), Patience(TRIED_SECONDS_MAX)
        while True:
            try:
                return await self._callers.take(random, pin, order)
            except Interrupted:
                if patience.is_over:
                    raise NeverBack(f"nobody could pay for {patience.waited:.0f} s") from None

    async def is_heard(self) -> list[str]:
        """The statements are in, and now the callbacks arrive. What was not as it is told here."""
        moved = [one for one in await movements(self._city) if one.msisdn == self._placed.payer]
        connection = await asyncpg.connect(self._city.stack.database_url)
        try:
            aside = [one for one in moved if await is_put_aside(connection, one.receipt)]
        finally:
            await connection.close()
        await asyncio.to_thread(self._troubles.end, Trouble.CALLBACKS_STILL)
        return [] if aside else [f"what came late was not in SUSPENSE before: {moved}"]

    def untrue(self, reading: Reading) -> Iterator[str]:
        """It has ended as any other, once its callback was here."""
        for one in reading.stored:
            if one.payer == self._placed.payer and one.state != "PAID":
                yield f"what came late is {one.state}: {one.code} ({'; '.join(one.cases)})"
