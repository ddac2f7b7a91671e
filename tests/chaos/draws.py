"""What a seed fixes: who is struck, when, for how long, who pays whom, what operators do wrong.

Pure draws. It does not know whom the blow meets: what a process was doing at that moment is up to
the machine, and so no two runs of one seed are the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from random import Random
from typing import Literal, NamedTuple

Country = Literal["KE", "UG"]


class Victim(StrEnum):
    """What can be killed."""

    WEB = "web"
    WORKER = "worker"
    REDIS = "redis"
    POSTGRES = "postgres"
    BACKEND = "a backend of postgres"


class Trouble(StrEnum):
    """What can go wrong while everybody lives; `troubles.py` says what each is.

    Where the second word is a weather of `relay.py` the network to the first is meant; whom the
    second word freezes `freezes.py` knows, whose clock it moves `clocks.py`, and whom it starves
    `hunger.py`.
    """

    POSTGRES_STILL = "postgres still"
    POSTGRES_SLOW = "postgres slow"
    POSTGRES_CUT = "postgres cut"
    POSTGRES_DEAF = "postgres deaf"
    POSTGRES_GONE = "postgres gone"
    POSTGRES_FULL = "postgres full"
    POSTGRES_READ_ONLY = "postgres read-only"
    REDIS_STILL = "redis still"
    REDIS_CUT = "redis cut"
    REDIS_DEAF = "redis deaf"
    REDIS_GONE = "redis gone"
    REDIS_FULL = "redis full"
    REDIS_EMPTIED = "redis emptied"
    REDIS_LAGGED = "redis lagged"
    OPERATORS_STILL = "operators still"
    OPERATORS_SLOW = "operators slow"
    OPERATORS_DEAF = "operators deaf"
    OPERATORS_GONE = "operators gone"
    OPERATORS_PAGE = "operators page"
    OPERATORS_HALF = "operators half"
    OPERATORS_PACKED = "operators packed"
    OPERATORS_LATE = "operators late"
    CALLBACKS_STILL = "callbacks still"
    CALLBACKS_DEAF = "callbacks deaf"
    WEB_STOPPED = "web stopped"
    WORKER_STOPPED = "worker stopped"
    WEB_FROZEN = "web frozen"
    WORKER_FROZEN = "worker frozen"
    REDIS_FROZEN = "redis frozen"
    BACKEND_FROZEN = "backend frozen"
    POSTGRES_FROZEN = "postgres frozen"
    MACHINE_FROZEN = "machine frozen"
    WEB_OVERTAKEN = "web overtaken"
    WORKER_OVERTAKEN = "worker overtaken"
    WEB_AHEAD = "web ahead"
    WEB_BEHIND = "web behind"
    WORKER_AHEAD = "worker ahead"
    WORKER_BEHIND = "worker behind"
    DISK_FULL = "disk full"
    WEB_STARVED = "web starved"
    WORKER_STARVED = "worker starved"
    POSTGRES_STARVED = "postgres starved"


class Blow(NamedTuple):
    """One cycle of the killer."""

    victims: tuple[Victim | Trouble, ...]
    after_seconds: float
    down_seconds: float
    off_seconds: float = 0.0  # by how much a clock is moved, either way


class Fault(NamedTuple):
    """What an operator does wrong with one person's money, once."""

    side: Literal["payer", "payee"]
    on: Literal["collect", "disburse"]
    name: str
    seconds: float | None = None


class Order(NamedTuple):
    """One payment somebody wants to make. `amount` in whole units of the payer's currency."""

    payer: Country
    amount: int
    faults: tuple[Fault, ...]
    repeats: bool  # the gateway posts the last turn once more although it was answered


EACH = (Victim.WEB, Victim.WORKER, Victim.REDIS, Victim.POSTGRES)
TOGETHER = (
    (Victim.BACKEND,),
    (Victim.WEB, Victim.WORKER),
    (Victim.REDIS, Victim.POSTGRES),
    EACH,
)
AFTER_SECONDS = (0.3, 2.0)
DOWN_SECONDS = (0.1, 2.0)
TROUBLED_SECONDS = (3.5, 8.0)  # longer than a lease
FROZEN_SECONDS = (15.0, 90.0)  # what we ask of Postgres is given up after 30
OVERTAKEN_SECONDS = (65.0, 90.0)  # longer than a lease in life
TIGHT_SECONDS = (15.0, 40.0)  # of clocks, and of a full disk
OFF_SECONDS = (60.0, 180.0)
TROUBLES_IN_A_ROUND = 5

OVERTAKES = (Trouble.WEB_OVERTAKEN, Trouble.WORKER_OVERTAKEN)
FREEZES = (
    Trouble.WEB_FROZEN, Trouble.WORKER_FROZEN, Trouble.REDIS_FROZEN, Trouble.BACKEND_FROZEN,
    Trouble.POSTGRES_FROZEN, Trouble.MACHINE_FROZEN, *OVERTAKES,
)  # fmt: skip
CLOCKS = (Trouble.WEB_AHEAD, Trouble.WEB_BEHIND, Trouble.WORKER_AHEAD, Trouble.WORKER_BEHIND)
STARVES = (Trouble.WEB_STARVED, Trouble.WORKER_STARVED, Trouble.POSTGRES_STARVED)
SERVED = frozenset({Trouble.WORKER_FROZEN, Trouble.WORKER_OVERTAKEN, *CLOCKS})
"""During these people pay as ever."""

ANYWHERE = tuple(trouble for trouble in Trouble if trouble is not Trouble.DISK_FULL)
"""What can be brought on every machine; a full disk takes one that can be filled (`disks.py`)."""

AMOUNTS: Mapping[Country, tuple[int, int]] = {"KE": (200, 900), "UG": (8_000, 40_000)}
FAULT_ODDS = 0.15
REPEAT_ODDS = 0.1
PAID_AFTERWARDS = "paid_afterwards"
"""The collection is told failed, for good, and then the payer's money comes all the same."""
FAULTS = (
    Fault("payer", "collect", "callback_twice", 0.5),
    Fault("payer", "collect", "callback_late", 3.0),
    Fault("payer", "collect", "no_callback"),
    Fault("payer", "collect", "reset_after"),
    Fault("payer", "collect", "hang_after", 2.0),
    Fault("payer", "collect", "insufficient_funds"),
    Fault("payer", "collect", PAID_AFTERWARDS, 3.0),
    Fault("payee", "disburse", "callback_twice", 0.5),
    Fault("payee", "disburse", "callback_late", 3.0),
    Fault("payee", "disburse", "no_callback"),
    Fault("payee", "disburse", "reset_after"),
    Fault("payee", "disburse", "hang_after", 2.0),
    Fault("payee", "disburse", "recipient_rejected"),
)
LATE_FAULTS = (
    Fault("payer", "collect", PAID_AFTERWARDS, 20.0),
    Fault("payer", "collect", "callback_twice", 20.0),
    Fault("payer", "collect", "callback_twice", 75.0),
    Fault("payer", "collect", "callback_late", 75.0),
    Fault("payee", "disburse", "callback_twice", 20.0),
    Fault("payee", "disburse", "callback_twice", 75.0),
    Fault("payee", "disburse", "callback_late", 75.0),
)
"""Of callbacks, and money, that come when everybody has been asked, told or called."""


def draw_blows(random: Random) -> Iterator[Blow]:
    """Without end: rounds in which each is killed alone once, and then one of `TOGETHER`."""
    while True:
        alone = random.sample(EACH, len(EACH))
        for victims in [*((victim,) for victim in alone), random.choice(TOGETHER)]:
            after = random.uniform(*AFTER_SECONDS)
            yield Blow(victims, after, random.uniform(*DOWN_SECONDS))


def draw_troubles(random: Random, of: Sequence[Trouble] = ANYWHERE) -> Iterator[Blow]:
    """Without end: each once, in any order, and again."""
    while True:
        for trouble in random.sample(of, len(of)):
            after = random.uniform(*AFTER_SECONDS)
            down = random.uniform(*_lasts(trouble))
            off = random.uniform(*OFF_SECONDS) if trouble in CLOCKS else 0.0
            yield Blow((trouble,), after, down, off)


def draw_freezes(random: Random) -> Iterator[Blow]:
    """Without end: nobody is killed, and somebody stands still."""
    return draw_troubles(random, FREEZES)


def draw_clocks(random: Random) -> Iterator[Blow]:
    """Without end: one process has another time than all others."""
    return draw_troubles(random, CLOCKS)


def draw_starvations(random: Random) -> Iterator[Blow]:
    """Without end: one of our processes, or those of Postgres, get no more memory."""
    return draw_troubles(random, STARVES)


def draw_full_disks(random: Random) -> Iterator[Blow]:
    """Without end: nothing more fits on the disk of Postgres, and then somebody makes room."""
    return draw_troubles(random, (Trouble.DISK_FULL,))


def _lasts(trouble: Trouble) -> tuple[float, float]:
    if trouble in OVERTAKES:
        return OVERTAKEN_SECONDS
    if trouble in FREEZES:
        return FROZEN_SECONDS
    return TIGHT_SECONDS if trouble in (*CLOCKS, Trouble.DISK_FULL) else TROUBLED_SECONDS


def draw_both(random: Random) -> Iterator[Blow]:
    """Without end: a round of `draw_blows`, some troubles, and again."""
    blows, troubles = draw_blows(random), draw_troubles(random)
    while True:
        yield from islice(blows, len(EACH) + 1)
        yield from islice(troubles, TROUBLES_IN_A_ROUND)


def draw_orders(
    random: Random, fault_odds: float = FAULT_ODDS, faults_of: Sequence[Fault] = FAULTS
) -> Iterator[Order]:
    """Without end, in both directions."""
    while True:
        payer: Country = random.choice(("KE", "UG"))
        low, high = AMOUNTS[payer]
        faults = (random.choice(faults_of),) if random.random() < fault_odds else ()
        repeats = random.random() < REPEAT_ODDS
        yield Order(payer, random.randint(low, high), faults, repeats)
