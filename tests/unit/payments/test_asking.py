import asyncio
from functools import partial

from engine.clock import Clock
from engine.payments.asking import Ask, Asking

LEASE = 10


class SetClock(Clock):
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def epoch(self) -> float:
        return self.seconds


class Operators:
    """Writes down who is asked about what; answers once it may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()

    def about(self, name: str) -> Ask:
        return partial(self._ask, name)

    async def _ask(self, name: str) -> None:
        self.asked.append(name)
        await self.may_answer.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_each_operator_is_asked_so_many_things_at_once_in_the_order_they_came() -> None:
    asking, operators = Asking(SetClock(), lease_seconds=LEASE), Operators()
    for n in range(4):
        asking.begin("mpesa_ke", 2, f"mpesa {n}", operators.about(f"mpesa {n}"))
    asking.begin("mtn_ug", 2, "mtn", operators.about("mtn"))
    await settle()
    assert operators.asked == ["mpesa 0", "mpesa 1", "mtn"]
    operators.may_answer.set()
    await asking.idle()
    assert operators.asked[3:] == ["mpesa 2", "mpesa 3"]


async def test_who_is_under_way_is_not_begun_again_until_that_is_over() -> None:
    clock, operators = SetClock(), Operators()
    asking = Asking(clock, lease_seconds=LEASE)
    for _ in range(3):
        asking.begin("mpesa_ke", 5, "a", operators.about("a"))
        await settle()
        clock.seconds += LEASE
    operators.may_answer.set()
    await asking.idle()
    assert operators.asked == ["a"]
    asking.begin("mpesa_ke", 5, "a", operators.about("a"))
    await asking.idle()
    assert operators.asked == ["a", "a"]


async def test_after_its_lease_nobody_is_asked_about_unless_it_was_leased_anew() -> None:
    clock, operators = SetClock(), Operators()
    asking = Asking(clock, lease_seconds=LEASE)
    for name in ("first", "lost", "kept"):
        asking.begin("mpesa_ke", 1, name, operators.about(name))
    await settle()
    clock.seconds += LEASE
    asking.begin("mpesa_ke", 1, "kept", operators.about("kept, leased anew"))
    operators.may_answer.set()
    await asking.idle()
    assert operators.asked == ["first", "kept, leased anew"]


async def test_no_more_wait_than_can_be_asked_about_within_a_lease() -> None:
    asking, operators = Asking(SetClock(), lease_seconds=LEASE), Operators()
    for n in range(100):
        asking.begin("mpesa_ke", 2, str(n), operators.about(str(n)))
    operators.may_answer.set()
    await asking.idle()
    assert operators.asked == [str(n) for n in range(2 * LEASE)]


async def test_a_stop_waits_for_what_is_asked_and_asks_nothing_more() -> None:
    asking, operators = Asking(SetClock(), lease_seconds=LEASE), Operators()
    for name in ("a", "b"):
        asking.begin("mpesa_ke", 1, name, operators.about(name))
    await settle()
    stopping = asyncio.create_task(asking.stop())
    await settle()
    assert not stopping.done()
    operators.may_answer.set()
    await stopping
    assert operators.asked == ["a"]


async def test_a_failure_is_its_own_and_gives_its_turn_back() -> None:
    asking, operators = Asking(SetClock(), lease_seconds=LEASE), Operators()

    async def fail() -> None:
        raise OSError("the database is away")

    asking.begin("mpesa_ke", 1, "failing", fail)
    asking.begin("mpesa_ke", 1, "next", operators.about("next"))
    operators.may_answer.set()
    await asking.idle()
    assert operators.asked == ["next"]
