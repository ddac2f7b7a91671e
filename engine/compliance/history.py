"""What somebody wanted to pay before, counted; and the trace of every payment that is asked for.

One statement leaves the trace of a payment, counts what went before it and reads who the two
people are. Knows nothing of what became of a payment: patterns show in what is asked.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from engine.clock import first_id_at, moment_of, ms_of
from engine.compliance.clearance import Clearance
from engine.compliance.profiles import Profile, read_profile
from engine.compliance.risk import History
from engine.decisions import Decision
from engine.gather import Gatherer, alone
from engine.money import Money
from engine.msisdn import Msisdn
from engine.privacy.places import names_place, people_place
from engine.privacy.seals import Seals, open_maybe, seal_maybe, seals_of

KEPT_DAYS = 35
ROWS_MAX = 500
"""Of a payer's or payee's past, the newest so many are counted: a bound for every question."""
FORGOTTEN_AT_ONCE = 5_000

# `with asked` numbers the questions; the snapshot of the counts does not yet see what `traced`
# inserts, and a question asked again does not count itself. A limit that no answer reaches lets
# each number be looked up by itself: on a table that nobody has measured all customers were joined.
# `unhurried`: nobody waits for the disk; the payment's own commit takes the trace there before
# itself (`decisions/0005`).
LOOK = f"""
with asked as (
  select * from unnest((select $2::uuid[]), (select $3::bigint[]), (select $4::text[]),
                       (select $5::text[]), (select $6::bigint[]), (select $7::text[]),
                       (select $8::bigint[]), (select $9::text[]), (select $10::bigint[]),
                       (select $11::smallint[]), (select $12::text[]), (select $13::text[]),
                       (select $14::text[]))
    with ordinality k(quote, at_ms, payer, payee, minor, currency, receives_minor,
                      receives_currency, near_minor, watched, people_sealed, payer_before,
                      payee_before, n)),
unhurried as materialized (select set_config('synchronous_commit', 'off', true)),
traced as (
  insert into clearance (tenant, quote, at_ms, payer, payee, minor, currency, receives_minor,
                         receives_currency, people_sealed)
  select $1, quote, at_ms, payer, payee, minor, currency, receives_minor, receives_currency,
         nullif(people_sealed, '')
    from asked, unhurried where watched = 1 on conflict do nothing)
select a.n, c.id, c.msisdn, c.msisdn_sealed, c.country, c.tier, c.name, c.born, c.created_at,
       c.tier_paused_until, sent.*, received.*, paid.*
  from asked a
  left join lateral (
    select count(distinct p.payer) as payers_day_count,
           sum(p.receives_minor) filter (where p.at_ms > a.at_ms - 1800000
             and p.receives_currency = a.currency and p.action < 2) as received_recent_minor,
           min(p.at_ms) filter (where p.at_ms > a.at_ms - 1800000
             and p.receives_currency = a.currency and p.action < 2) as received_since_ms
      from (select h.* from clearance h
             where a.watched = 1 and h.tenant = $1 and h.payee = a.payer
               and h.at_ms > a.at_ms - 86400000 and h.at_ms <= a.at_ms
             order by h.at_ms desc limit {ROWS_MAX}) p) received on true
  left join lateral (
    select count(*) filter (where p.at_ms > a.at_ms - 3600000) as sent_hour_count,
           count(distinct p.payee) filter (where p.at_ms > a.at_ms - 86400000) as payees_day_count,
           count(*) filter (where p.minor >= a.near_minor and p.currency = a.currency)
             as near_limit_week_count,
           sum(p.minor) filter (where p.at_ms >= received.received_since_ms
             and p.currency = a.currency and p.action < 2
             and p.minor * 100 <= received.received_recent_minor * 120) as passed_on_minor
      from (select h.* from clearance h
             where a.watched = 1 and h.tenant = $1 and h.payer = a.payer and h.quote <> a.quote
               and h.at_ms > a.at_ms - 604800000 and h.at_ms <= a.at_ms
             order by h.at_ms desc limit {ROWS_MAX}) p) sent on true
  left join lateral (
    select count(distinct p.payer) filter (where p.payer <> a.payer) as payee_payers_day_count
      from (select h.* from clearance h
             where a.watched = 1 and h.tenant = $1 and h.payee = a.payee
               and h.at_ms > a.at_ms - 86400000 and h.at_ms <= a.at_ms
             order by h.at_ms desc limit {ROWS_MAX}) p) paid on true
  left join lateral (
    select * from customer where tenant = $1 and msisdn = any (
      array[a.payer, a.payee, a.payer_before, a.payee_before]) limit 4) c on true
"""  # noqa: S608 - a number of ours
_KEEP = """
insert into clearance as c (tenant, quote, at_ms, payer, payee, minor, currency, receives_minor,
                            receives_currency, action, decision, people_sealed, decided_ms,
                            names_sealed)
values ($1, $2, $5, $6, $7, $8, $9, $10, $11, $3, $4, $12, $5, $13)
on conflict (tenant, quote) do update
   set action = excluded.action, decision = excluded.decision, payee = excluded.payee,
       people_sealed = excluded.people_sealed,
       names_sealed = case when c.payee = excluded.payee
                      then coalesce(excluded.names_sealed, c.names_sealed)
                      else excluded.names_sealed end,
       decided_ms = case when c.decision = excluded.decision
                    then coalesce(c.decided_ms, c.at_ms) else excluded.decided_ms end
"""
_NAMES_OF = "select names_sealed, payee from clearance where tenant = $1 and quote = $2"
_FLAGGED = """
select quote, at_ms, payer, payee, minor, currency, receives_minor, receives_currency, action,
       decision, people_sealed
  from clearance where tenant = $1 and decision is not null
   and (at_ms >= $2 and at_ms < $3 or decided_ms >= $2 and decided_ms < $3)
 order by at_ms, quote
"""
# A quote's id is a time, so the primary key finds the oldest.
_FORGET = """
delete from clearance where tenant = $1 and quote in (
  select quote from clearance where tenant = $1 and quote < $2 and decision is null
   order by quote limit $3)
"""


class Question(msgspec.Struct, frozen=True):
    """A payment that is asked for."""

    quote_id: str
    at: datetime
    payer: Msisdn
    payee: Msisdn
    amount: Money  # before the fee
    receives: Money


class _Asked(msgspec.Struct, frozen=True):
    question: Question
    near_minor: int  # from here on a payment is just below the limit
    watched: bool


class Dossier(msgspec.Struct, frozen=True):
    """Who the two are, as far as that is known, and what went before; None if not looked at."""

    payer: Profile | None
    payee: Profile | None
    history: History | None


class Named(NamedTuple):
    """A name that resembled an entry when a payment was held or refused, and whose word it was.

    Personal: sealed where it is kept, shown to staff who look at that payment, never logged.
    """

    who: str  # payer or payee
    named_by: str
    name: str

    def __repr__(self) -> str:
        return f"Named({self.who}, {self.named_by})"


class Flagged(msgspec.Struct, frozen=True):
    """A payment that was held or refused, with what was decided about it."""

    question: Question
    action: int
    decision: Decision


class HistoryStore:
    """Traces and counts of one tenant. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant
        self._seals = seals_of(pool)
        self._looks: Gatherer[_Asked, Dossier] = Gatherer(self._fetch, batch_max=200)

    async def look(self, question: Question, *, near_minor: int, watched: bool) -> Dossier:
        """Leave a trace and count what went before it; who is not watched is only looked up.

        Questions of the same moment travel together and do not see each other.
        """
        found = await self._looks.get(_Asked(question, near_minor, watched))
        assert found is not None, "every question gets an answer"
        return found

    async def keep(
        self, question: Question, clearance: Clearance, named: Sequence[Named] = ()
    ) -> None:
        """Store what was decided, for the reports. The same question twice keeps the last.

        That includes who was to be paid: people may have put another payee in place of the first.
        The names by which it was decided are kept beside those of before, of the same two people.
        """
        written = msgspec.json.encode(clearance.decision).decode()
        payee = self._seals.index(str(question.payee))
        if named:
            before = await self._names(question.quote_id, payee)
            named = [*dict.fromkeys((*before, *named))]
        names = msgspec.json.encode(named).decode() if named else None
        await self._pool.execute(
            _KEEP, self._tenant, UUID(question.quote_id), int(clearance.action), written,
            ms_of(question.at), self._seals.index(str(question.payer)), payee,
            question.amount.minor, question.amount.currency, question.receives.minor,
            question.receives.currency,
            self._people(question) or None,
            seal_maybe(self._seals, names, names_place(question.quote_id)),
        )  # fmt: skip

    async def names_of(self, quote_id: str) -> list[Named]:
        """By which names a payment was held or refused, the first first; none for every other."""
        return await self._names(quote_id)

    async def _names(self, quote_id: str, payee: str | None = None) -> list[Named]:
        """Those of a row, or none where it is not about this payee."""
        row = await self._pool.fetchrow(_NAMES_OF, self._tenant, UUID(quote_id))
        if row is None or (payee is not None and row["payee"] != payee):
            return []
        names = open_maybe(self._seals, row["names_sealed"], names_place(quote_id))
        return [] if names is None else msgspec.json.decode(names, type=list[Named])

    async def flagged(self, since: datetime, until: datetime) -> list[Flagged]:
        """What was asked for, or held or refused, from a moment on and before another.

        A payment may be held days after it was asked for, once a list has changed: it belongs to
        both days, for the report of the first may be written. The oldest first.
        """
        rows = await self._pool.fetch(_FLAGGED, self._tenant, ms_of(since), ms_of(until))
        return [_flagged(row, self._seals) for row in rows]

    async def forget(self, now: datetime) -> int:
        """Delete old traces, some thousand at a time; says how many. What was flagged stays."""
        before = UUID(first_id_at(now - timedelta(days=KEPT_DAYS)))
        done: str = await self._pool.execute(_FORGET, self._tenant, before, FORGOTTEN_AT_ONCE)
        return int(done.rpartition(" ")[2])

    async def _fetch(self, asked: Sequence[_Asked]) -> dict[_Asked, Dossier | Exception]:
        questions = [each.question for each in asked]
        rows = await self._pool.fetch(
            LOOK,
            self._tenant,
            [q.quote_id for q in questions],
            [ms_of(q.at) for q in questions],
            [self._seals.index(str(q.payer)) for q in questions],
            [self._seals.index(str(q.payee)) for q in questions],
            [q.amount.minor for q in questions],
            [q.amount.currency for q in questions],
            [q.receives.minor for q in questions],
            [q.receives.currency for q in questions],
            [each.near_minor for each in asked],
            [int(each.watched) for each in asked],
            [self._people(q) for q in questions],
            [str(q.payer) for q in questions],
            [str(q.payee) for q in questions],
        )
        by_number: dict[int, list[Any]] = {}
        for row in rows:
            by_number.setdefault(row["n"], []).append(row)
        return {
            each: alone("a customer", _dossier, each, by_number[n], self._seals)
            for n, each in enumerate(asked, 1)
        }

    def _people(self, question: Question) -> str:
        """Both numbers as they are read back; "" where they stand in their own columns."""
        if not self._seals.hides:
            return ""
        return self._seals.seal(
            f"{question.payer} {question.payee}", people_place(question.quote_id)
        )


def _dossier(asked: _Asked, rows: list[Any], seals: Seals) -> Dossier:
    known = [read_profile(row, seals) for row in rows if row["msisdn"] is not None]
    people = {str(profile.msisdn): profile for profile in known}
    history = None
    if asked.watched:
        row = rows[0]
        history = History(**{name: int(row[name] or 0) for name in History.__struct_fields__})
    question = asked.question
    return Dossier(people.get(str(question.payer)), people.get(str(question.payee)), history)


def _flagged(row: Any, seals: Seals) -> Flagged:
    payer, payee = row["payer"], row["payee"]
    if row["people_sealed"] is not None:
        payer, payee = seals.open(row["people_sealed"], people_place(row["quote"].hex)).split()
    question = Question(
        row["quote"].hex,
        moment_of(row["at_ms"]),
        Msisdn(payer),
        Msisdn(payee),
        Money(row["minor"], row["currency"]),
        Money(row["receives_minor"], row["receives_currency"]),
    )
    return Flagged(question, row["action"], msgspec.json.decode(row["decision"], type=Decision))
