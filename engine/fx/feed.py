"""Asks every source, and lets the consensus decide what becomes our rate. It knows no company.

Any number of processes may run it: each source is asked by one of them at a time, and a pair is
decided under one lock, from what all of them stored.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from engine.clock import Clock
from engine.decisions import Decision
from engine.errors import ProviderError
from engine.fx.consensus import HELD, Terms
from engine.fx.store import Decided, RateStore, patience_of
from engine.ports import Observation, Pair, RateSource

log = logging.getLogger(__name__)


def pairs_of(currencies: Iterable[str]) -> tuple[Pair, ...]:
    """Every two of the currencies once, in alphabetical order."""
    return tuple(Pair(*two) for two in combinations(sorted(set(currencies)), 2))


class RateFeed:
    """The loop's work. `pairs` are in alphabetical order (`pairs_of`), each counts both ways.

    `note` is told every new decision, for the log that staff reads; it must not fail. A rate is
    accepted again after `renew_seconds` of the same words while they are fresh, so that it is not
    held to be stale; that must be well below the age from which a rate prices nothing.
    """

    def __init__(
        self,
        *,
        sources: Sequence[RateSource],
        pairs: Sequence[Pair],
        store: RateStore,
        terms: Terms,
        clock: Clock,
        every_seconds: int,
        renew_seconds: int,
        note: Callable[[Decision], None],
    ) -> None:
        assert all(pair.base < pair.quote for pair in pairs), "a pair is in alphabetical order"
        self._sources = {source.name: source for source in sources}
        self._pairs = tuple(pairs)
        self._store = store
        self._terms = terms
        self._clock = clock
        self._every_ms = every_seconds * 1000
        self._renew_ms = renew_seconds * 1000
        self._note = note
        self._patience = patience_of(sources)

    async def refresh(self) -> int:
        """Ask the sources nobody asked for `every_seconds`, decide, store. Often is cheap.

        Gives how many new rates were accepted. A source that fails disturbs no other. Raises what
        the pool raises; a repeat is safe.
        """
        due = await self._store.claim(list(self._sources), self._now_ms(), self._every_ms)
        if not due:
            return 0
        heard: dict[Pair, list[tuple[str, Observation]]] = defaultdict(list)
        answers = await asyncio.gather(*(self._ask(self._sources[name]) for name in sorted(due)))
        for name, said in zip(sorted(due), answers, strict=True):
            for observation in said:
                heard[observation.pair].append((name, observation))
        accepted = 0
        for pair in self._pairs:
            decided = await self._store.decide(
                pair, heard[pair], self._patience, self._terms, self._now_ms(),
                renew_after_ms=self._renew_ms,
            )  # fmt: skip
            if decided is not None:
                _tell(decided)
                self._note(decided.decision)
                accepted += decided.is_taken
        return accepted

    async def aclose(self) -> None:
        """Close every source."""
        for source in self._sources.values():
            await source.aclose()

    async def _ask(self, source: RateSource) -> list[Observation]:
        try:
            said = await source.fetch(self._pairs)
            failure = ""
        except ProviderError as error:
            log.warning("no rates from %s: %s", source.name, error)
            said, failure = [], f"{type(error).__name__}: {error.detail}"
        await self._store.answered(source.name, self._now_ms(), failure)
        return said

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _tell(decided: Decided) -> None:
    decision = decided.decision
    if decision.outcome == HELD:
        # Staff must look: until then the last rate goes on, and then stale.
        log.error("rate of %s held: %s", decided.pair, decision.reason)
    elif decided.is_taken:
        log.info("rate of %s is %s: %s", decided.pair, decision.outcome, decision.reason)
    else:
        log.warning("no new rate of %s: %s", decided.pair, decision.reason)
