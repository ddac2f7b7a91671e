"""Strangers who pay in to our till by hand and type something no payment is called.

Some of them want it back at once: two of our people agree to that at the terminal, while everything
dies. They type a command again until they see that it took.
"""

import asyncio
import contextlib
import subprocess
import time
from random import Random

import asyncpg

from tests.chaos.draws import Order
from tests.chaos.laws import Placed
from tests.chaos.people import PAUSE_SECONDS, People
from tests.e2e.city import City
from tests.providers.sandbox_clients import MpesaClient

SIMULATE = "/mpesa/c2b/v2/simulate"
SHORTCODE = 174379
REFERENCES = ("school fees", "rent", "0712", "a present")
WANTS_BACK_ODDS = 0.4
AGREED_SECONDS_MAX = 60.0
HEARD_SECONDS_MAX = 8.0
"""Whoever was away when it was announced hears of it from the day's statement."""
_SUSPENDED = "select id from pay_in where stage = 3 and minor = $1 limit 1"
_OPEN = "select id from proposal where kind = 'RETURN_PAY_IN' and state in ('proposed', 'approved')"


class Depositors:
    """All of them; one pays in after the other. They see no screen, so nothing is placed."""

    def __init__(self, people: People, till: MpesaClient) -> None:
        self._people = people
        self._till = till
        self.placed: list[Placed] = []
        self.paid_in: dict[str, int] = {}  # by number, in minor units

    async def register(self) -> None:
        """Have M-PESA know where to announce pay-ins."""
        city = self._people.city
        told = await asyncio.to_thread(city.stack.command, "payins", "register", "mpesa_ke")
        assert told.returncode == 0, told.stdout + told.stderr
        await self._till.log_in()

    async def take(self, random: Random, pin: str, order: Order) -> None:
        """One pay-in, and perhaps its way back."""
        payer, _ = self._people.pair(random, order._replace(payer="KE"), pin)
        shillings = random.randint(10, 60_000)
        self.paid_in[payer.digits] = shillings * 100
        answer = await self._till.post(
            SIMULATE,
            {
                "ShortCode": SHORTCODE, "CommandID": "CustomerPayBillOnline", "Amount": shillings,
                "Msisdn": int(payer.digits), "BillRefNumber": random.choice(REFERENCES),
            },
        )  # fmt: skip
        answer.raise_for_status()
        if random.random() < WANTS_BACK_ODDS:
            await _give_back(self._people.city, shillings * 100)
        else:
            await asyncio.sleep(1)


async def _give_back(city: City, minor: int) -> None:
    """Two people, who look at what there is before they type anything."""
    deadline = time.monotonic() + HEARD_SECONDS_MAX
    is_there = False
    while time.monotonic() < deadline:
        try:
            typed = await _next_command(city, minor)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            typed = None  # Postgres is away: nobody can look
        if typed:
            if not is_there:
                is_there, deadline = True, time.monotonic() + AGREED_SECONDS_MAX
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(city.stack.command, *typed)
        elif typed == () and is_there:
            return
        await asyncio.sleep(PAUSE_SECONDS)


async def _next_command(city: City, minor: int) -> tuple[str, ...]:
    """What is to be typed now; nothing when it is on its way, or is not suspended yet."""
    connection = await asyncpg.connect(city.stack.database_url, timeout=2)
    try:
        pay_in = await connection.fetchval(_SUSPENDED, minor)
        if pay_in is None:
            return ()
        proposed = await connection.fetchval(_OPEN)
        if proposed is not None:
            return "approve", proposed.hex, "--as", "brian"
        why = ("--as", "amina", "--why", "asked for it back")
        return "propose", "RETURN_PAY_IN", f"pay_in={pay_in.hex}", *why
    finally:
        await connection.close()
