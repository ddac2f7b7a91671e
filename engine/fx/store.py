"""The tables of what sources said and what was decided; who may ask a source now.

Deciding a pair happens under one lock per pair, from what is stored, so that any number of
processes decide as one. It refuses to know the rule: that is `consensus.py`.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from engine.decisions import Decision
from engine.fx.consensus import (
    HELD,
    NONE,
    Choice,
    Question,
    Terms,
    Word,
    choose,
    fingerprint,
    inverse,
    plain_digits,
    question_of,
)
from engine.ports import Observation, Pair, RateSource

ACCEPTED = "consensus"
"""The source of a row of `fx_rate` that was chosen; all others are tables that people keep."""


class Patience(NamedTuple):
    """How a source counts: for how long its word is good, and whether it follows the market."""

    stale_after_ms: int
    is_live: bool


class Decided(NamedTuple):
    """One decision on one pair, as it is stored. `at_ms` and the pair are its id."""

    pair: Pair
    at_ms: int
    decision: Decision
    confirmed_by: str | None = None

    @property
    def is_taken(self) -> bool:
        """Whether a rate came of it."""
        return self.decision.outcome not in (HELD, NONE)


class Asked(NamedTuple):
    """How asking one source went last. Times in milliseconds; `failure` is empty when it went."""

    source: str
    asked_ms: int
    answered_ms: int | None
    failure: str


class RateStore:
    """Observations, decisions and accepted rates of one tenant."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant

    async def claim(self, sources: Sequence[str], now_ms: int, every_ms: int) -> set[str]:
        """Those of the sources that nobody asked for `every_ms`: whoever gets them asks them."""
        rows = await self._pool.fetch(
            "insert into fx_source as s (tenant, source, asked_ms)"
            " select $1, name, $3 from unnest($2::text[]) name order by name"
            " on conflict (tenant, source) do update set asked_ms = excluded.asked_ms"
            # The distance, not the difference: a clock that was set back must not stop the asking.
            " where abs(excluded.asked_ms - s.asked_ms) >= $4"
            " returning source",
            self._tenant, list(sources), now_ms, every_ms,
        )  # fmt: skip
        return {row["source"] for row in rows}

    async def answered(self, source: str, now_ms: int, failure: str) -> None:
        """Keep how asking went; `failure` is empty when it went well."""
        await self._pool.execute(
            "update fx_source set answered_ms = $3, failure = $4"
            " where tenant = $1 and source = $2",
            self._tenant, source, now_ms, failure,
        )  # fmt: skip

    async def decide(
        self,
        pair: Pair,
        heard: Sequence[tuple[str, Observation]],
        patience: dict[str, Patience],
        terms: Terms,
        now_ms: int,
        *,
        renew_after_ms: int,
    ) -> Decided | None:
        """Keep what was heard, decide on the newest word of each source, keep the decision.

        None when the newest decision says the same from the same words, and is younger than
        `renew_after_ms` or took no rate; a repeat changes nothing.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await self._take_turn(connection, pair)
            await self._keep(connection, heard, now_ms)
            question = Question(
                pair.base,
                pair.quote,
                now_ms,
                await self._words(connection, pair, patience, terms),
                await self._last_mid(connection, pair),
                terms,
            )
            choice = choose(question)
            before = await self._newest(connection, pair)
            if before is not None and before["fingerprint"] == fingerprint(choice):
                made_ms = question_of(_decision(before)).now_ms  # its name may lie ahead of it
                is_due = abs(now_ms - made_ms) >= renew_after_ms
                if choice.mid is None or not is_due:
                    return None
            return await self._record(connection, pair, choice, now_ms, before)

    async def confirm(self, pair: Pair, at_ms: int, by: str, now_ms: int) -> Decided | None:
        """Take the rate that the decision of `at_ms` held. `by` says who confirmed it.

        None, and nothing changes, when that decision held nothing, when something newer was
        decided since, or when its words have gone stale. A repeat therefore changes nothing.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await self._take_turn(connection, pair)
            before = await self._newest(connection, pair)
            if before is None or before["at_ms"] != at_ms or before["outcome"] != HELD:
                return None
            held = question_of(_decision(before))
            last = await self._last_mid(connection, pair)
            asked = msgspec.structs.replace(held, now_ms=now_ms, last=last, confirmed=True)
            choice = choose(asked)
            if choice.mid is None:
                return None
            return await self._record(connection, pair, choice, now_ms, before, by)

    async def history(self, pair: Pair | None = None, *, limit: int = 1) -> list[Decided]:
        """The newest decisions of a pair, or of each pair, the newest first."""
        rows = await self._pool.fetch(
            "select base, quote, at_ms, decision, confirmed_by from ("
            "  select *, row_number() over (partition by base, quote order by at_ms desc) nth"
            "  from fx_decision where tenant = $1"
            "    and ($2::text is null or base = $2 and quote = $3)) d"
            " where nth <= $4 order by base, quote, at_ms desc",
            self._tenant, pair and pair.base, pair and pair.quote, limit,
        )  # fmt: skip
        return [
            Decided(Pair(r["base"], r["quote"]), r["at_ms"], _decision(r), r["confirmed_by"])
            for r in rows
        ]

    async def asked(self) -> list[Asked]:
        """How asking each source went last."""
        rows = await self._pool.fetch(
            "select source, asked_ms, answered_ms, failure from fx_source"
            " where tenant = $1 order by source",
            self._tenant,
        )
        return [Asked(*row) for row in rows]

    async def _take_turn(self, connection: Any, pair: Pair) -> None:
        await connection.execute(
            "select pg_advisory_xact_lock(hashtextextended($1, 0))",
            f"fx_decision {self._tenant} {pair}",
        )

    async def _keep(
        self, connection: Any, heard: Sequence[tuple[str, Observation]], now_ms: int
    ) -> None:
        await connection.executemany(
            "insert into fx_observation (tenant, base, quote, source, at_ms, mid, seen_ms)"
            " values ($1, $2, $3, $4, $5, $6::text::numeric, $7) on conflict do nothing",
            [
                (self._tenant, *said.pair, source, said.at_ms, said.mid, now_ms)
                for source, said in heard
            ],
        )

    async def _words(
        self, connection: Any, pair: Pair, patience: dict[str, Patience], terms: Terms
    ) -> tuple[Word, ...]:
        """The newest word of each source; one that came from the future hides no other."""
        rows = await connection.fetch(
            "select distinct on (source) source, mid, at_ms from fx_observation"
            " where tenant = $1 and base = $2 and quote = $3 and source = any($4)"
            " order by source, at_ms > seen_ms + $5, at_ms desc, seen_ms desc, mid",
            self._tenant, *pair, list(patience), terms.early_ms_max,
        )  # fmt: skip
        return tuple(
            Word(r["source"], plain_digits(r["mid"]), r["at_ms"], *patience[r["source"]])
            for r in rows
        )

    async def _last_mid(self, connection: Any, pair: Pair) -> str | None:
        mid = await connection.fetchval(
            # To Postgres NaN is a number, and above all others.
            "select mid from fx_rate where tenant = $1 and base = $2 and quote = $3"
            " and mid < 'Infinity' order by decided_ms is null, at_ms desc limit 1",
            self._tenant, *pair,
        )  # fmt: skip
        return None if mid is None else plain_digits(mid)

    async def _newest(self, connection: Any, pair: Pair) -> Any:
        return await connection.fetchrow(
            "select at_ms, outcome, decision, fingerprint from fx_decision"
            " where tenant = $1 and base = $2 and quote = $3 order by at_ms desc limit 1",
            self._tenant, *pair,
        )  # fmt: skip

    async def _record(
        self,
        connection: Any,
        pair: Pair,
        choice: Choice,
        now_ms: int,
        before: Any,
        by: str | None = None,
    ) -> Decided:
        # Decisions of one pair are told apart, and put in order, by their time alone.
        at_ms = now_ms if before is None else max(now_ms, before["at_ms"] + 1)
        if choice.mid is not None:
            at_ms = await self._accept(connection, pair, choice.mid, at_ms, now_ms)
        await connection.execute(
            "insert into fx_decision"
            " (tenant, base, quote, at_ms, outcome, decision, fingerprint, confirmed_by)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8)",
            self._tenant, *pair, at_ms, choice.decision.outcome,
            msgspec.json.encode(choice.decision).decode(), fingerprint(choice), by,
        )  # fmt: skip
        await connection.executemany(
            "update fx_observation set verdict = $7 where tenant = $1 and base = $2 and quote = $3"
            " and source = $4 and at_ms = $5 and mid = $6::text::numeric and verdict is null",
            [
                (self._tenant, *pair, word.source, word.at_ms, word.mid,
                 choice.verdicts[word.source].value)
                for word in question_of(choice.decision).words
            ],
        )  # fmt: skip
        return Decided(pair, at_ms, choice.decision, by)

    async def _accept(
        self, connection: Any, pair: Pair, mid: Decimal, at_ms: int, now_ms: int
    ) -> int:
        """Write the rate in both directions; gives the time that became its id."""
        newest = await connection.fetchval(
            "select max(at_ms) from fx_rate where tenant = $1"
            " and (base = $2 and quote = $3 or base = $3 and quote = $2)",
            self._tenant, *pair,
        )  # fmt: skip
        at_ms = at_ms if newest is None else max(at_ms, newest + 1)
        await connection.executemany(
            "insert into fx_rate (tenant, base, quote, at_ms, mid, source, decided_ms, accepted_ms)"
            " values ($1, $2, $3, $4, $5, $6, $4, $7)",
            [
                (self._tenant, pair.base, pair.quote, at_ms, mid, ACCEPTED, now_ms),
                (self._tenant, pair.quote, pair.base, at_ms, inverse(mid), ACCEPTED, now_ms),
            ],
        )
        return at_ms


def patience_of(sources: Sequence[RateSource]) -> dict[str, Patience]:
    """How each of the sources counts, by name."""
    return {s.name: Patience(s.stale_after_seconds * 1000, s.is_live) for s in sources}


def _decision(row: Any) -> Decision:
    return msgspec.json.decode(row["decision"], type=Decision)
