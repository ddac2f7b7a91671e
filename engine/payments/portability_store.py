"""What we have seen and put down ourselves of whose a number is: dials and staff's list.

Reads many at once; a number's past is kept, its newest word counts. No number is ever logged.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from engine.clock import Clock, Ids, epoch_ms_of
from engine.gather import Gatherer
from engine.msisdn import Msisdn
from engine.privacy.seals import seals_of

_SEEN = """
select n.msisdn, c.network, c.network_since_ms, p.operator, p.at_ms
from unnest((select $2::text[]), (select $3::text[])) as n (msisdn, under)
left join lateral (  -- limited as in `engine/compliance/history.py`
    select network, network_since_ms from customer
    where tenant = $1 and msisdn in (n.msisdn, n.under) limit 2
) c on true
left join lateral (
    select operator, at_ms from ported_number
    where tenant = $1 and msisdn in (n.msisdn, n.under) order by id desc limit 1
) p on true
"""
_HISTORY = """
select id, operator, put_down_by, why from ported_number
where tenant = $1 and msisdn = any($2::text[]) order by id desc
"""
_PUT_DOWN = """
insert into ported_number (id, tenant, msisdn, operator, put_down_by, why, at_ms)
values ($1, $2, $3, $4, $5, $6, $7)
"""
# Of two people who write about one number at once, the second sees what the first wrote.
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtextextended($1, $2))"


class Seen(NamedTuple):
    """Of one number: the network of its last dial with us, staff's word; times in epoch ms.

    `put_down` is None also where staff took their word back.
    """

    network: str = ""  # mobile country and network code
    network_since_ms: int = 0
    put_down: str | None = None
    put_down_ms: int = 0


class PutDown(NamedTuple):
    """One word of staff about a number; `operator` is None where an earlier one was taken back."""

    operator: str | None
    by: str
    why: str
    at_ms: int


class PortabilityStore:
    """One tenant's, on an asyncpg pool. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int, clock: Clock, ids: Ids) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._ids = ids
        self._seals = seals_of(pool)
        self._gathered: Gatherer[str, Seen] = Gatherer(self._fetch)

    async def seen(self, msisdn: Msisdn) -> Seen:
        """Numbers of the same moment are looked up together. Raises what the pool raises."""
        return await self._gathered.get(str(msisdn)) or Seen()

    async def put_down(self, msisdn: Msisdn, operator: str | None, *, by: str, why: str) -> bool:
        """Write that a number is an operator's; None takes the last word back.

        False, and nothing written, when that is what stands already. The past is never changed.
        """
        under = self._seals.indexes(str(msisdn))
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_TAKE_TURNS, f"ported {msisdn}", self._tenant)
            last = await connection.fetchrow(_HISTORY + " limit 1", self._tenant, under)
            if (last["operator"] if last else None) == operator:
                return False
            await connection.execute(
                _PUT_DOWN, UUID(self._ids.hex()), self._tenant, under[0], operator, by, why,
                int(self._clock.epoch() * 1000),
            )  # fmt: skip
        return True

    async def history(self, msisdn: Msisdn) -> list[PutDown]:
        """All that staff put down about a number, the newest first."""
        rows = await self._pool.fetch(_HISTORY, self._tenant, self._seals.indexes(str(msisdn)))
        return [
            PutDown(r["operator"], r["put_down_by"], r["why"],
                    epoch_ms_of(r["id"].hex))
            for r in rows
        ]  # fmt: skip

    async def _fetch(self, numbers: Sequence[str]) -> dict[str, Seen]:
        rows = await self._pool.fetch(
            _SEEN, self._tenant, numbers, [self._seals.index(number) for number in numbers]
        )
        return {
            row["msisdn"]: Seen(
                row["network"] or "",
                row["network_since_ms"] or 0,
                row["operator"],
                row["at_ms"] or 0,
            )
            for row in rows
        }
