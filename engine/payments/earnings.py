"""What was earned and what it cost, by the corridor of the payment it came from. Reads only.

It is the movement of the books' accounts of income and cost, so that its sums are theirs; what is
in no book, as a fee that nobody has booked, is not in it.
"""

from typing import Any, NamedTuple

from engine.ledger.chart import Kind
from engine.ledger.entries import CORRECTS, MANUAL_FROM
from engine.money import BY_NUMERIC, Money
from engine.payments.lifecycle import State

EARNED_IN = (Kind.FEE_INCOME, Kind.FX_SPREAD, Kind.ROUNDING, Kind.OPERATOR_COST, Kind.LOSS)
"""The accounts that are counted."""


class Corridor(NamedTuple):
    """From one operator's wallets to another's, as it was priced; two "" of no payment."""

    payer_operator: str
    payee_operator: str


class Earned(NamedTuple):
    """What one corridor brought in one currency, in minor units: income above zero, cost below."""

    corridor: Corridor
    currency: str
    payments: int  # that moved one of these accounts
    fee_minor: int
    spread_minor: int
    rounding_minor: int
    cost_minor: int
    loss_minor: int

    @property
    def earned_minor(self) -> int:
        """All of it together."""
        parts = (self.fee_minor, self.spread_minor, self.rounding_minor, self.cost_minor)
        return sum(parts) + self.loss_minor


class Charged(NamedTuple):
    """What paying out cost on top, as booked: the pool of its currency bore it, no income did."""

    corridor: Corridor
    charge: Money


class Earnings:
    """Of one tenant."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant

    async def earned(self, from_ms: int, to_ms: int) -> list[Earned]:
        """By what was booked from a moment on and before another, corridor by corridor.

        A correction counts with the payment that it speaks of. Reads the journal of that time.
        """
        rows = await self._pool.fetch(
            _EARNED, self._tenant, from_ms, to_ms, [int(kind) for kind in EARNED_IN], MANUAL_FROM,
            [int(state) for state in CORRECTS],
        )  # fmt: skip
        return [Earned(Corridor(row[0], row[1]), BY_NUMERIC[row[2]].code, *row[3:]) for row in rows]

    async def charged(self, from_ms: int, to_ms: int) -> list[Charged]:
        """Of the payouts that were booked in that time, where paying out cost anything."""
        rows = await self._pool.fetch(
            _CHARGED, self._tenant, from_ms, to_ms, int(State.PAID), int(Kind.FLOAT)
        )
        return [Charged(Corridor(row[0], row[1]), Money(row[3], row[2])) for row in rows]


def _sum_of(kind: Kind) -> str:
    return f"coalesce(sum(m.minor) filter (where m.kind = {int(kind)}), 0)::bigint"


# A payment's terms begin with its quote; a ruling that stated them anew holds them by name.
_QUOTE = "coalesce(f.facts::json -> 0, f.facts::json -> 'terms' -> 0)"
_CORRIDOR = f"coalesce({_QUOTE} ->> 3, '') as payer, coalesce({_QUOTE} ->> 4, '') as payee"
_TERMS = "left join journal f on f.payment = p.id and f.version = p.terms"
_EARNED = f"""
with moved as (
  select case when j.state < $5 then j.payment
              when j.state = any($6::smallint[]) then nullif(j.facts::json ->> 'about', '')::uuid
          end as payment,
         t.account >> 32 & 1023 as currency, t.account >> 24 & 255 as kind, sum(t.minor) as minor
    from journal j, lateral (
      select unnest(j.debits) as account, -unnest(j.amounts) as minor
      union all select unnest(j.credits), unnest(j.amounts)) t
   where j.tenant = $1 and j.at_ms >= $2 and j.at_ms < $3
     and t.account >> 24 & 255 = any($4::bigint[])
   group by 1, 2, 3)
select {_CORRIDOR}, m.currency, count(distinct p.id), {", ".join(map(_sum_of, EARNED_IN))}
  from moved m left join payment p on p.id = m.payment and p.tenant = $1 and p.state < $5 {_TERMS}
 group by 1, 2, 3 order by 3, 1, 2"""
# What left the wallet of whoever paid, beyond what the payee got.
_CHARGED = f"""
with left_ as (
  select j.payment, sum(t.minor)::bigint as minor
    from journal j, unnest(j.credits, j.amounts) t(account, minor)
   where j.tenant = $1 and j.at_ms >= $2 and j.at_ms < $3 and j.state = $4
     and t.account >> 24 & 255 = $5
   group by j.payment, j.version)
select {_CORRIDOR}, {_QUOTE} -> 7 ->> 'currency',
       sum(l.minor - ({_QUOTE} -> 7 ->> 'minor')::bigint)::bigint
  from left_ l join payment p on p.id = l.payment {_TERMS}
 group by 1, 2, 3 having sum(l.minor - ({_QUOTE} -> 7 ->> 'minor')::bigint) > 0
 order by 3, 1, 2"""
