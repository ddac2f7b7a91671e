"""How operators fared and what lies at them, as figures for people. Reads only; SQL only."""

from typing import Any, NamedTuple

from engine.clock import Clock
from engine.ledger.chart import Account, Kind, natural, read_account
from engine.payments.health import HealthRules, Tally
from engine.payments.lifecycle import State
from engine.ports import Direction, OperatorFacts

MINUTES_MAX = HealthRules().memory_minutes
"""Counts older than that are forgotten (`engine/payments/watch.py`)."""

_UNKNOWN = [int(s) for s in (State.COLLECT_UNKNOWN, State.PAYOUT_UNKNOWN, State.REFUND_UNKNOWN)]
_SHOWN = (Kind.FLOAT, Kind.PAYOUT_IN_FLIGHT, Kind.REFUND_IN_FLIGHT)
_KINDS = Tally.__struct_fields__
_SUMS = ", ".join(f"sum({kind})::bigint as {kind}" for kind in _KINDS)


class LaneFigures(NamedTuple):
    """One operator in one direction: what its attempts of the window came to."""

    operator: str
    direction: Direction
    told: Tally
    unknown: int  # payments whose attempt here nobody knows the end of, whenever begun


class Holding(NamedTuple):
    """What lies at one operator, in minor units of its currency.

    `in_flight_minor` may have left already: it is the exposure. `theirs_minor` is what the operator
    itself last said it holds, None when it never did.
    """

    operator: str
    currency: str
    float_minor: int
    in_flight_minor: int
    theirs_minor: int | None
    theirs_at_ms: int | None


class Figures:
    """The figures of one tenant's operators."""

    def __init__(
        self, pool: Any, tenant: int, operators: dict[str, OperatorFacts], clock: Clock
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._operators = operators
        self._clock = clock

    async def lanes(self, minutes: int) -> list[LaneFigures]:
        """Every lane of ours by name and direction; attempts by the minute they began in."""
        since = int(self._clock.epoch() // 60) - minutes
        rows = await self._pool.fetch(
            f"select operator, direction, {_SUMS} from operator_minute"  # noqa: S608 - fixed names
            " where tenant = $1 and minute > $2 group by 1, 2",
            self._tenant, since,
        )  # fmt: skip
        told = {
            (row["operator"], row["direction"]): Tally(*(row[kind] or 0 for kind in _KINDS))
            for row in rows
        }
        unknown = await self._unknown()
        return [
            LaneFigures(
                name, direction, told.get((name, direction), Tally()),
                unknown.get((facts.code, direction), 0),
            )
            for name, facts in sorted(self._operators.items())
            for direction in directions_of(facts)
        ]  # fmt: skip

    async def holdings(self) -> list[Holding]:
        """Every operator of ours, by name."""
        accounts = {
            Account(self._tenant, facts.currency, kind, facts.code).number: 0
            for facts in self._operators.values()
            for kind in _SHOWN
        }
        rows = await self._pool.fetch(
            "select id, amount from balance where id = any($1::bigint[])", list(accounts)
        )
        accounts |= {row["id"]: natural(row["id"], row["amount"]) for row in rows}
        looks = await self._looks()
        return [
            _holding(facts, accounts, looks.get(facts.name))
            for _, facts in sorted(self._operators.items())
        ]

    async def _unknown(self) -> dict[tuple[int, int], int]:
        """Through the index of deadlines: every payment whose end is unknown has one."""
        rows = await self._pool.fetch(
            "select a.operator, a.direction, count(*) as n from payment p"
            " join attempt a on a.id = p.live"
            " where p.due is not null and p.tenant = $1 and p.state = any($2::smallint[])"
            " group by 1, 2",
            self._tenant, _UNKNOWN,
        )  # fmt: skip
        return {(row["operator"], row["direction"]): row["n"] for row in rows}

    async def _looks(self) -> dict[str, tuple[int, int]]:
        rows = await self._pool.fetch(
            "select distinct on (operator) operator, theirs_minor, at_ms from balance_look"
            " where tenant = $1 and not is_snapshot order by operator, at_ms desc, n desc",
            self._tenant,
        )
        return {row["operator"]: (row["theirs_minor"], row["at_ms"]) for row in rows}


def directions_of(facts: OperatorFacts) -> tuple[Direction, ...]:
    """What an operator does for us; what it gives back counts with its own direction."""
    able = {
        Direction.COLLECT: facts.can_collect,
        Direction.DISBURSE: facts.can_disburse,
        Direction.REFUND: facts.can_collect and facts.can_refund,
    }
    return tuple(direction for direction, is_able in able.items() if is_able)


def _holding(
    facts: OperatorFacts, accounts: dict[int, int], look: tuple[int, int] | None
) -> Holding:
    minor = {
        account.kind: value
        for number, value in accounts.items()
        if (account := read_account(number)).owner == facts.code
    }
    theirs, at_ms = look or (None, None)
    in_flight = minor[Kind.PAYOUT_IN_FLIGHT] + minor[Kind.REFUND_IN_FLIGHT]
    return Holding(facts.name, facts.currency, minor[Kind.FLOAT], in_flight, theirs, at_ms)
