"""Takes in what operators list of the days of a run, as staff do at the terminal."""

import asyncio
from datetime import date, datetime, timedelta

from simulator.operators.statement import EAST_AFRICA
from tests.e2e.city import City

AGREES = "closing balance: as our books say"
OVERDUE = " overdue\n"
"""How whoever looked ends: so many cases are open, and of these so many overdue."""


class Clerk:
    """Made when the run begins: its days are all from then on."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._first = _today()

    async def take_all(self) -> list[str]:
        """Every file of every day; what a command refused, or what it says we do not hold."""
        found: list[str] = []
        days = [self._first + timedelta(days=n) for n in range((_today() - self._first).days + 1)]
        for operator in self._city.places.operators:
            for day in days:
                said, is_taken = await self._take(operator, day)
                if not is_taken or (day == days[-1] and AGREES not in said):
                    found.append(f"the statement of {operator} of {day}: {said[-1500:]}")
        return found

    async def compare_again(self) -> list[str]:
        """What was taken in, held against the books as they are now, as the worker does each hour;
        what the command could not do."""
        done = await asyncio.to_thread(self._city.stack.command, "statements", "look")
        said = done.stdout + done.stderr
        return [] if OVERDUE in done.stdout else [f"capp statements look: {said[-1500:]}"]

    async def _take(self, operator: str, day: date) -> tuple[str, bool]:
        url = f"{self._city.places.operators[operator]}/_sandbox/statement"
        fetched = await self._city.client.get(url, params={"day": day.isoformat()})
        file = self._city.stack.folder / f"{operator}-{day}.csv"
        await asyncio.to_thread(file.write_bytes, fetched.raise_for_status().content)
        arguments = ("statements", "take", operator, day.isoformat(), str(file))
        done = await asyncio.to_thread(self._city.stack.command, *arguments)
        return done.stdout + done.stderr, done.returncode == 0


def _today() -> date:
    return datetime.now(EAST_AFRICA).date()
