"""Breakers and counts in Postgres, where all processes meet. SQL only; it decides nothing."""

from typing import Any, NamedTuple

import msgspec

from engine.decision_log import Kept, store_decisions
from engine.decisions import Decision
from engine.payments.breaker import Breaker, Lane, Position
from engine.payments.counting import Counts, Volumes
from engine.payments.health import HealthRules, Tally, Told
from engine.payments.ranking import Terms
from engine.ports import Direction

_KINDS = Tally.__struct_fields__
_SUMS = ", ".join(f"sum({kind})::bigint as {kind}" for kind in _KINDS)
_ANSWERS = [kind for kind in _KINDS if kind != Told.UNREACHABLE]
_ADDED = ", ".join(f"{kind} = m.{kind} + excluded.{kind}" for kind in _KINDS)


class Moved(NamedTuple):
    """What a lane has moved today and this month (UTC), in minor units."""

    day_minor: int = 0
    month_minor: int = 0


class Row(NamedTuple):
    """A breaker as stored; version 0 is one that nobody has stored yet."""

    version: int
    breaker: Breaker
    reason: str = ""
    probes: tuple[int, ...] = ()  # until when (ms) each probe under way is waited for

    def moved(self, after: Breaker, decision: Decision | None) -> "Row":
        """The row once it is moved; a decision says that its position changed."""
        if decision is None:
            return Row(self.version + 1, after, self.reason, self.probes)
        return Row(self.version + 1, after, decision.reason)


UNSTORED = Row(0, Breaker())


class HealthStore:
    """Reads and writes of one tenant. Every method raises what the pool raises."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant

    async def add(self, counts: Counts, volumes: Volumes) -> None:
        """Add to the counts, in one transaction. No repeat is safe: it would count twice."""
        tenant = self._tenant
        # In one order everywhere, so that two processes never wait for each other crosswise.
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.executemany(
                f"insert into operator_minute as m (tenant, minute, operator, direction, band,"
                f" {', '.join(_KINDS)}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
                f" on conflict (tenant, minute, operator, direction, band) do update set {_ADDED}",
                [(tenant, *b, *t.counts) for b, t in sorted(counts.items())],
            )
            await connection.executemany(
                "insert into operator_volume as v"
                " (tenant, day, operator, direction, payments, minor)"
                " values ($1, $2, $3, $4, $5, $6) on conflict (tenant, day, operator, direction)"
                " do update set payments = v.payments + excluded.payments,"
                " minor = v.minor + excluded.minor",
                [(tenant, *day, *volume) for day, volume in sorted(volumes.items())],
            )

    async def tallies(
        self, minute: int, rules: HealthRules
    ) -> dict[tuple[Lane, int], tuple[Tally, ...]]:
        """By lane and band: what was told in each half-life until `minute`, the newest first."""
        rows = await self._pool.fetch(
            f"select operator, direction, band, ($2 - minute) / $3 as step, {_SUMS}"
            " from operator_minute where tenant = $1 and minute > $2 - $4 and minute <= $2"
            " group by 1, 2, 3, 4",
            self._tenant, minute, rules.half_life_minutes, rules.memory_minutes,
        )  # fmt: skip
        found: dict[tuple[Lane, int], list[Tally]] = {}
        for row in rows:
            key = Lane(row["operator"], Direction(row["direction"])), row["band"]
            steps = found.setdefault(key, [Tally()] * rules.half_lives)
            steps[row["step"]] = _tally(row)
        return {key: tuple(steps) for key, steps in found.items()}

    async def window(self, lane: Lane, after_minute: int) -> Tally:
        """All that was told of a lane's attempts that began after a minute."""
        row = await self._pool.fetchrow(
            f"select {_SUMS} from operator_minute"
            " where tenant = $1 and minute > $2 and operator = $3 and direction = $4",
            self._tenant, after_minute, *lane,
        )  # fmt: skip
        return _tally(row)

    async def last_heard(self) -> dict[str, int]:
        """When each operator last answered anything, as epoch seconds, to the minute.

        Whoever could not be reached was not heard of.
        """
        rows = await self._pool.fetch(
            f"select operator, max(minute) * 60 as heard from operator_minute"
            f" where tenant = $1 and {' + '.join(_ANSWERS)} > 0 group by operator",
            self._tenant,
        )
        return {row["operator"]: row["heard"] for row in rows}

    async def moved(self, day: int, month_day: int) -> dict[Lane, Moved]:
        """Volumes of `day` and since `month_day`, the first day of its month."""
        rows = await self._pool.fetch(
            "select operator, direction,"
            " coalesce(sum(minor) filter (where day = $2), 0)::bigint as day_minor,"
            " sum(minor)::bigint as month_minor from operator_volume"
            " where tenant = $1 and day between $3 and $2 group by 1, 2",
            self._tenant, day, month_day,
        )  # fmt: skip
        return {
            Lane(r["operator"], Direction(r["direction"])): Moved(r["day_minor"], r["month_minor"])
            for r in rows
        }

    async def terms(self) -> dict[Lane, Terms]:
        """What was agreed with the operators."""
        rows = await self._pool.fetch(
            "select * from operator_terms where tenant = $1", self._tenant
        )
        return {
            Lane(row["operator"], Direction(row["direction"])): Terms(
                *(row[name] for name in Terms.__struct_fields__)
            )
            for row in rows
        }

    async def set_terms(self, lane: Lane, terms: Terms) -> None:
        """Replace what was agreed with an operator. Safe to repeat."""
        await self._pool.execute(
            "insert into operator_terms (tenant, operator, direction, day_minor_max,"
            " month_minor_max, month_minor_promised, canary_ppm)"
            " values ($1, $2, $3, $4, $5, $6, $7)"
            " on conflict (tenant, operator, direction) do update set"
            " day_minor_max = excluded.day_minor_max, month_minor_max = excluded.month_minor_max,"
            " month_minor_promised = excluded.month_minor_promised,"
            " canary_ppm = excluded.canary_ppm",
            self._tenant, *lane, *msgspec.structs.astuple(terms),
        )  # fmt: skip

    async def breakers(self) -> dict[Lane, Row]:
        """Every breaker that was ever moved."""
        rows = await self._pool.fetch("select * from breaker where tenant = $1", self._tenant)
        return {Lane(r["operator"], Direction(r["direction"])): _row(r) for r in rows}

    async def breaker(self, lane: Lane, country: str) -> Row:
        """One breaker as it stands now."""
        row = await self._pool.fetchrow(
            "select * from breaker where tenant = $1 and operator = $2 and direction = $3"
            " and country = $4",
            self._tenant, *lane, country,
        )  # fmt: skip
        return _row(row) if row else UNSTORED

    async def move(
        self, lane: Lane, country: str, before: Row, after: Breaker, kept: Kept | None
    ) -> bool:
        """Put a breaker to `after` if it still stands as in `before`, and keep why; else False.

        A move that changes its position frees all probes. Safe to repeat: the second is False.
        """
        row = before.moved(after, kept.decision if kept is not None else None)
        async with self._pool.acquire() as connection, connection.transaction():
            moved = await connection.fetchval(
                _NEXT if before.version else _FIRST,
                self._tenant, *lane, country, before.version, *msgspec.structs.astuple(after),
                row.reason, row.probes,
            )  # fmt: skip
            if moved and kept is not None:
                await store_decisions(connection, self._tenant, [kept])
        return bool(moved)

    async def take_probe(
        self,
        lane: Lane,
        country: str,
        *,
        now_ms: int,
        until_ms: int,
        until_ms_max: int,
        at_once: int,
    ) -> bool:
        """Take one of the lane's probes, if it is half open and fewer than `at_once` are out.

        Those that would be waited for beyond `until_ms_max` are out no more (`held_until_max`).
        """
        return bool(
            await self._pool.fetchval(
                "update breaker set probes = array_append(array(select p from unnest(probes) p"
                "   where p > $5 and p <= $9), $6)"
                " where tenant = $1 and operator = $2 and direction = $3 and country = $4"
                " and position = $8 and (select count(*) from unnest(probes) p"
                "   where p > $5 and p <= $9) < $7 returning true",
                self._tenant, *lane, country, now_ms, until_ms, at_once, Position.HALF_OPEN,
                until_ms_max,
            )
        )  # fmt: skip

    async def forget(self, before_minute: int, *, most: int = 10_000) -> int:
        """Drop counts of long ago, so many at a time; returns how many there were."""
        gone = await self._pool.execute(
            "delete from operator_minute where (tenant, minute, operator, direction, band) in"
            " (select tenant, minute, operator, direction, band from operator_minute"
            "   where tenant = $1 and minute < $2 limit $3)",
            self._tenant, before_minute, most,
        )  # fmt: skip
        return int(gone.rpartition(" ")[2])


_FIRST = """
insert into breaker (tenant, operator, direction, country, version, position, points, fault_ms,
  since_ms, until_ms, pauses, reason, probes)
values ($1, $2, $3, $4, $5::int + 1, $6, $7, $8, $9, $10, $11, $12, $13)
on conflict do nothing returning true"""
_NEXT = """
update breaker set version = version + 1, position = $6, points = $7, fault_ms = $8, since_ms = $9,
  until_ms = $10, pauses = $11, reason = $12, probes = $13
where tenant = $1 and operator = $2 and direction = $3 and country = $4 and version = $5
returning true"""


def _row(row: Any) -> Row:
    breaker = Breaker(
        Position(row["position"]),
        *(row[name] for name in Breaker.__struct_fields__[1:]),
    )
    return Row(row["version"], breaker, row["reason"], tuple(row["probes"]))


def _tally(row: Any) -> Tally:
    return Tally(*(row[kind] or 0 for kind in _KINDS))
