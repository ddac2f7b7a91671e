"""What keeping a payment's people unreadable costs: sealing the terms beside writing them down.

In memory, no servers. `whole` is what it would cost to seal all of the terms instead of the two
numbers in them; `answer` is one operator's answer as evidence.
"""

import sys
from collections.abc import Callable
from functools import lru_cache
from time import thread_time
from typing import NamedTuple

from engine.clock import Clock, Ids, SystemRandom
from engine.ledger.plans import Evidence, Intent, Plan
from engine.payments.facts import open_terms, read_terms, seal_terms, write
from engine.payments.lifecycle import State
from engine.payments.sealed_plans import PlanSealer
from engine.privacy.codec import BlindIndex, Writer, derive, open_sealed, read_sealed
from engine.privacy.places import evidence_place, terms_place
from tests.bench.command import Bench, main
from tests.bench.table import Pace, Section, Void
from tests.unit.payments.examples import payment

ANSWER = '"ws_CO_21112026_254712000001"'


class Options(NamedTuple):
    """So many of each in a round; the cheapest round counts."""

    values: int = 2_000
    rounds: int = 15


class Keys:
    """Seals as a process does whose ring is read (`engine/privacy/ring.py`)."""

    hides = True

    def __init__(self) -> None:
        key = bytes(range(32))
        self._writer = Writer(1, key, SystemRandom())
        self._derive = lru_cache(64)(lambda salt: derive(key, salt))
        self.index = lru_cache(16_384)(BlindIndex(1, key, 1).of)

    def seal(self, text: str, place: str) -> str:
        return self._writer.seal(text, "1/" + place)

    def open(self, text: str, place: str) -> str:
        sealed = read_sealed(text)
        return open_sealed(self._derive(sealed.salt), sealed, "1/" + place) if sealed else text

    def indexes(self, number: str) -> list[str]:
        return [self.index(number), number]


def run(options: Options) -> str:
    """One table. Raises Void when what was sealed is not what is opened."""
    keys, facts, id_ = Keys(), payment(State.PAYING).facts, Ids(Clock()).payment()
    text = write(facts)
    kept = seal_terms(text, keys, id_)
    if open_terms(kept, keys, id_) != text or kept == text:
        raise Void("the terms are not what they were")
    sealer, life = PlanSealer(keys), life_of(id_, text)
    work: dict[str, tuple[Callable[[], object], str]] = {
        "write": (lambda: write(facts), "write"),
        "seal the numbers": (lambda: seal_terms(text, keys, id_), "write"),
        "seal the whole": (lambda: keys.seal(text, terms_place(id_)), "write"),
        "seal an answer": (lambda: keys.seal(ANSWER, evidence_place(id_)), "write"),
        "a payment's plans": (lambda: [sealer(plan) for plan in life], "write"),
        "read": (lambda: read_terms(text), "read"),
        "open the numbers": (lambda: open_terms(kept, keys, id_), "read"),
    }
    with Pace() as pace:
        costs = {name: _us(each, options) for name, (each, _) in work.items()}
    return Section(
        ("(m) sealing", "CPU µs", "to write or read", "loop ms"),
        tuple(
            (
                name,
                f"{costs[name]:.1f}",
                f"{costs[name] / costs[beside]:.1f}",
                f"{pace.loop_ms:.1f}",
            )
            for name, (_, beside) in work.items()
        ),
        (
            f"the cheapest of {options.rounds} rounds of {options.values:,}; the terms are sealed"
            " once a payment, answers some four times",
        ),
    ).written()


def life_of(payment_id: str, terms: str) -> list[Plan]:
    """The plans of a payment that arrives: made, two orders taken and told of, and three between
    that hold nothing about people.
    """
    attempts = ["e" * 32] * 2 + ["f" * 32] * 2
    heard = [(Evidence(attempt, "a" * 32, n, ANSWER),) for n, attempt in enumerate(attempts, 1)]
    return [
        Plan(payment_id, 0, 1, 1, facts=terms, intents=(Intent("1" * 32, 1, None, 0, 0),)),
        *[Plan(payment_id, n, 1, 2, evidence=evidence) for n, evidence in enumerate(heard, 1)],
        *[Plan(payment_id, n, 1, 3, done=("1" * 32,)) for n in range(5, 8)],
    ]


def _us(work: Callable[[], object], options: Options) -> float:
    def one_round() -> float:
        began = thread_time()
        for _ in range(options.values):
            work()
        return (thread_time() - began) / options.values * 1e6

    return min(one_round() for _ in range(options.rounds))


BENCH = Bench(
    module="tests.bench.sealing",
    about="Seal, open, and the cost of both.",
    options=Options,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))
