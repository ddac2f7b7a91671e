"""What a seed fixes: who is killed, when, for how long, who pays whom, what operators do wrong.

Pure draws. It does not know whom the blow meets: what a process was doing at that moment is up to
the machine, and so no two runs of one seed are the same.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
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


class Blow(NamedTuple):
    """One cycle of the killer."""

    victims: tuple[Victim, ...]
    after_seconds: float
    down_seconds: float


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

AMOUNTS: Mapping[Country, tuple[int, int]] = {"KE": (200, 900), "UG": (8_000, 40_000)}
FAULT_ODDS = 0.15
REPEAT_ODDS = 0.1
FAULTS = (
    Fault("payer", "collect", "callback_twice", 0.5),
    Fault("payer", "collect", "callback_late", 3.0),
    Fault("payer", "collect", "no_callback"),
    Fault("payer", "collect", "reset_after"),
    Fault("payer", "collect", "hang_after", 2.0),
    Fault("payer", "collect", "insufficient_funds"),
    Fault("payee", "disburse", "callback_twice", 0.5),
    Fault("payee", "disburse", "callback_late", 3.0),
    Fault("payee", "disburse", "no_callback"),
    Fault("payee", "disburse", "reset_after"),
    Fault("payee", "disburse", "hang_after", 2.0),
    Fault("payee", "disburse", "recipient_rejected"),
)


def draw_blows(random: Random) -> Iterator[Blow]:
    """Without end: rounds in which each is killed alone once, and then one of `TOGETHER`."""
    while True:
        alone = random.sample(EACH, len(EACH))
        for victims in [*((victim,) for victim in alone), random.choice(TOGETHER)]:
            after = random.uniform(*AFTER_SECONDS)
            yield Blow(victims, after, random.uniform(*DOWN_SECONDS))


def draw_orders(random: Random, fault_odds: float = FAULT_ODDS) -> Iterator[Order]:
    """Without end, in both directions."""
    while True:
        payer: Country = random.choice(("KE", "UG"))
        low, high = AMOUNTS[payer]
        faults = (random.choice(FAULTS),) if random.random() < fault_odds else ()
        repeats = random.random() < REPEAT_ODDS
        yield Order(payer, random.randint(low, high), faults, repeats)
