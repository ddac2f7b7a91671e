"""kill -9 of both processes in the middle of payments, and a restart: each payment ends, once.

One kill meets payments at every moment of their lives; the prompts that are approved while
nobody listens lose their callbacks for good.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
import pytest_asyncio

from simulator.stack import Stack
from simulator.ussd import UssdSession
from tests.e2e.city import OPERATOR, City, Country, Person, open_city
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, start_stack
from tests.e2e.told import DELAYED

pytestmark = pytest.mark.asyncio(loop_scope="module")

# The collection waits long enough to be killed before it, also on a machine that does much else;
# leases end soon after the restart.
ENVIRONMENT = {
    "CAPP_COLLECT_DELAY_SECONDS": "20",
    "CAPP_FIRST_LOOK_SECONDS": "5",
    "CAPP_LEASE_SECONDS": "3",
}
SILENCE_SECONDS = 60.0
CONFIRMED = "Confirmed."
AMOUNTS = {"KE": 700, "UG": 30_000}

Pair = tuple[Person, Person]


@pytest.fixture(scope="module")
def crashing(e2e_folder: Path, databases: Databases, typed: Typed) -> Iterator[Stack]:
    """A stack of its own: nobody else's payments die with it."""
    with start_stack(
        e2e_folder / "crashing",
        databases,
        database="crashing",
        redis_number=1,
        environment=ENVIRONMENT,
        approval="ask",
        operators=("mpesa_ke", "mtn_ug"),
    ) as started:
        typed.watch(started)
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(crashing: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    async with open_city(crashing, typed, random) as opened:
        yield opened


# What has happened when the machine fails, and what still happens while it is dead.


async def _asked(city: City, payer: Person, payee: Person) -> None:
    await city.prompt(payer)


async def _paying(city: City, payer: Person, payee: Person) -> None:
    await city.approve(payer)

    async def struck() -> bool | None:
        return None if await city.is_armed(payee) else True

    await city.until(struck, "the payout did not run into its fault")


async def _silent_after_the_push(city: City, payer: Person, payee: Person) -> None:
    await city.arm(payer, "collect", "hang_after", seconds=SILENCE_SECONDS)


async def _silent_after_the_payout(city: City, payer: Person, payee: Person) -> None:
    await city.arm(payee, "disburse", "hang_after", seconds=SILENCE_SECONDS)


async def _silent_before_the_payout(city: City, payer: Person, payee: Person) -> None:
    await city.arm(payee, "disburse", "hang_before", seconds=SILENCE_SECONDS)


async def _nothing(city: City, payer: Person, payee: Person) -> None:
    return


async def _approve(city: City, payer: Person, payee: Person) -> None:
    await city.approve(payer)


Doing = Callable[[City, Person, Person], Awaitable[None]]


class Moment(NamedTuple):
    """When the kill meets a payment: what is armed before, awaited, done while dead, and after."""

    claim: str
    payer: Country
    before: Doing
    until: Doing
    while_dead: Doing
    after: Doing
    told: tuple[str, ...] = (CONFIRMED,)


BOTH: tuple[Country, ...] = ("KE", "UG")
KENYA, UGANDA = BOTH


def _moments(
    claim: str,
    *,
    until: Doing,
    payers: tuple[Country, ...] = BOTH,
    before: Doing = _nothing,
    while_dead: Doing = _nothing,
    after: Doing = _nothing,
    told: tuple[str, ...] = (CONFIRMED,),
) -> list[Moment]:
    return [
        Moment(f"{claim}, payer in {payer}", payer, before, until, while_dead, after, told)
        for payer in payers
    ]


MOMENTS = [
    *_moments("payout done, unanswered", before=_silent_after_the_payout, until=_paying),
    *_moments("payout not done, unanswered", before=_silent_before_the_payout, until=_paying),
    # A push that may have been sent is never sent again at M-PESA: the payer is told to wait.
    *_moments(
        "payer asked, push unanswered",
        payers=(KENYA,),
        before=_silent_after_the_push,
        until=_asked,
        after=_approve,
        told=(DELAYED, CONFIRMED),
    ),
    *_moments(
        "payer asked, push unanswered",
        payers=(UGANDA,),
        before=_silent_after_the_push,
        until=_asked,
        after=_approve,
    ),
    *_moments("approved while nobody listens", until=_asked, while_dead=_approve),
]
# These are confirmed last, and the kill comes at once, before their collections leave.
LAST_MOMENTS = _moments("confirmed, nothing sent yet", until=_nothing, after=_approve)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def survivors(city: City, crashing: Stack) -> dict[str, Pair]:
    """Payer and payee of every moment, after the kill and the restart."""
    people = {
        moment.claim: (
            city.newcomer(moment.payer),
            city.newcomer("UG" if moment.payer == "KE" else "KE"),
        )
        for moment in MOMENTS + LAST_MOMENTS
    }
    ready = {
        moment.claim: await _order(city, moment, people[moment.claim])
        for moment in MOMENTS + LAST_MOMENTS
    }
    for together in (MOMENTS, LAST_MOMENTS):
        await asyncio.gather(
            *(_confirm(city, m, people[m.claim], ready[m.claim]) for m in together)
        )
    crashing.kill_web()
    crashing.kill_worker()
    for moment in LAST_MOMENTS:
        await _assert_nothing_sent(city, people[moment.claim][0])
    for moment in MOMENTS:
        await moment.while_dead(city, *people[moment.claim])
    await city.until(lambda: _callbacks_are_lost(city), "the operators called nobody")
    await asyncio.to_thread(crashing.restart_web)
    await asyncio.to_thread(crashing.restart_worker)
    return people


async def _assert_nothing_sent(city: City, payer: Person) -> None:
    """Looked at while all are dead, so that the kill comes as soon as it can."""
    assert not await city.is_at_work_for(payer), "killed too late: the operator was asked already"


async def _order(city: City, moment: Moment, pair: Pair) -> UssdSession:
    await moment.before(city, *pair)
    return await city.order(*pair, AMOUNTS[moment.payer])


async def _confirm(city: City, moment: Moment, pair: Pair, session: UssdSession) -> None:
    screen = await city.type(session, pair[0].pin)
    assert screen.ends, screen.text
    await moment.until(city, *pair)


async def _callbacks_are_lost(city: City) -> bool | None:
    """Whether each payer's operator has called in vain; they never call twice."""
    for country in ("KE", "UG"):
        url = city.places.operators[OPERATOR[country]]
        found = (await city.client.get(f"{url}/_sandbox/callbacks")).json()["callbacks"]
        if not any(callback["status"] is None for callback in found):
            return None
    return True


@pytest.mark.parametrize(
    "moment", MOMENTS + LAST_MOMENTS, ids=lambda moment: moment.claim.replace(" ", "_")
)
async def test_killed_payment_ends_once(
    city: City, survivors: dict[str, Pair], moment: Moment
) -> None:
    payer, payee = survivors[moment.claim]
    await moment.after(city, payer, payee)
    payment = await city.ends(payer, "PAID")
    await city.assert_moved_once(payment, payer, payee)
    assert await city.cases(payment) == []
    await city.told(payer, *moment.told)
    await city.told(payee, "You have received")
    assert not await city.admin.prompts(payer.msisdn), "the payer was asked twice"


async def test_books_balance_after_the_kill(city: City, survivors: dict[str, Pair]) -> None:
    for payer, _ in survivors.values():
        await city.ends(payer, "PAID")
    await city.assert_books()
    await city.assert_operators_agree()
