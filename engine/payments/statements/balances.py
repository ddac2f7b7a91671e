"""The third way of the comparison: what an operator says it holds for us, beside our FLOAT.

Every look is stored. When looks begin to lie outside the band a case is opened, and another on a
later day if people closed it while that lasts; nothing is corrected.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from engine.clock import DAY_MS, AttemptId, Clock, Ids
from engine.errors import ProviderError, Unreachable
from engine.ledger.chart import Account, Kind, natural
from engine.ledger.entries import MANUAL_FROM
from engine.money import Money, plain
from engine.payments.health import Record, told_by_error, unheard
from engine.payments.statements.balance import Band, Look, is_alarming
from engine.payments.statements.cases import FLOAT_DRIFT, Case, StatementCases
from engine.payments.statements.judged import Class
from engine.payments.statements.lines import named_id
from engine.payments.statements.moves import Moves
from engine.payments.statements.ours import OursReader
from engine.payments.statements.terms import TermsBook
from engine.ports import BalancePort, Direction, OperatorFacts

log = logging.getLogger(__name__)

HELD = (Kind.RETURN_HELD, Kind.WITHDRAWAL_HELD)
"""What people agreed should leave stands in these until somebody sees that it has."""
_OURS = (Kind.FLOAT, Kind.PAYOUT_IN_FLIGHT, Kind.REFUND_IN_FLIGHT, *HELD)


ANSWER_SECONDS_MAX = 120
"""What an operator says later than that is of an unknown moment: our side is of now."""

LATE_LINES = timedelta(days=10)
"""So long after a line its money may be booked by people."""

# The keys of `Suspense.key_of`; a movement's row has its proposal's id, which its line stays with.
_LISTED_AT = """
with listed as (
  select * from statement_line where tenant = $2 and operator = $5 and day >= $6
     and completed_ms <= $3 and class in ($7, $8, $9)),
named as (
  select 'statement:' || operator || ':' || receipt || ':' || minor as key from listed),
explained as (
  select attempt as id from listed where class = $7 and attempt is not null
  union all select p.proposal from listed l join pay_in p on p.tenant = $2
     and p.operator = $5 and p.return_receipt = l.receipt where p.proposal is not null
  union all select k.payment from payment_key k
   where k.tenant = $2 and k.key in (select key from named union all
     select key || ':back' from named))
select (coalesce((select amount from balance where id = $1), 0)
  - coalesce((select sum(case when c = $1 then x else -x end)
      from journal j, unnest(j.debits, j.credits, j.amounts) t(d, c, x)
     where j.tenant = $2 and j.at_ms > $3 and $1 in (d, c)
       and not (j.state >= $4 and j.payment in (select id from explained))), 0))::bigint"""


class Seen(NamedTuple):
    """A stored look, for people; amounts are minor units."""

    operator: str
    at_ms: int
    theirs_minor: int
    low_minor: int
    high_minor: int
    drift_minor: int


class BalanceBook:
    """Bands, looks and the alarm of one tenant."""

    def __init__(
        self,
        pool: Any,
        tenant: int,
        cases: StatementCases,
        ours: OursReader,
        terms: TermsBook,
        clock: Clock,
        moves: Moves,
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._moves = moves
        self._cases = cases
        self._ours = ours
        self._terms = terms
        self._clock = clock

    async def band(self, facts: OperatorFacts) -> Band:
        """Our side now."""
        numbers = [Account(self._tenant, facts.currency, k, facts.code).number for k in _OURS]
        rows = await self._pool.fetch(
            "select id, amount from balance where id = any($1::bigint[])", numbers
        )
        minor = {row["id"]: natural(row["id"], row["amount"]) for row in rows}
        float_, *leaving = (minor.get(number, 0) for number in numbers)
        arriving = await self._arriving_minor(facts)
        left, came = await self.under_way_minor(facts, int(self._clock.epoch() * 1000))
        unbooked_minor = self._terms.of(facts.name).unbooked_minor
        return Band(float_, sum(leaving) + left, arriving + came, unbooked_minor)

    async def under_way_minor(self, facts: OperatorFacts, at_ms: int) -> tuple[int, int]:
        """Of top-ups and rebalancings that nobody had seen at a moment: what may have left, and
        what may have come. Only those of the last `ageing_days`: what is later is somebody's."""
        late_ms = self._terms.of(facts.name).ageing_days * DAY_MS
        return await self._moves.under_way(facts.name, since_ms=at_ms - late_ms, at_ms=at_ms)

    async def listed_minor_at(self, facts: OperatorFacts, kind: Kind, day: date, at_ms: int) -> int:
        """An account of the operator as of a moment, with what is booked since and lines until then
        list: pay-ins and their ways back, what people moved and saw later, what was suspended.

        Looks at lines of `LATE_LINES` up to the day. Reads the journal from that moment on, in one
        snapshot with the balance: for a statement a day, not for every minute.
        """
        number = Account(self._tenant, facts.currency, kind, facts.code).number
        minor = await self._pool.fetchval(
            _LISTED_AT, number, self._tenant, at_ms, MANUAL_FROM, facts.name, day - LATE_LINES,
            int(Class.MOVED), int(Class.PAID_IN), int(Class.MISSING_HERE),
        )  # fmt: skip
        return natural(number, minor)

    async def judge(
        self,
        facts: OperatorFacts,
        look: str,
        theirs_minor: int,
        band: Band,
        at_ms: int,
        *,
        is_snapshot: bool,
    ) -> int:
        """Keep one comparison and raise or end the alarm; returns the drift in minor units.

        The same look twice is one.
        """
        drift = band.drift_minor(theirs_minor)
        await self._pool.execute(
            "insert into balance_look (look, tenant, operator, at_ms, is_snapshot, theirs_minor,"
            " float_minor, leaving_minor, arriving_minor, unbooked_minor, drift_minor)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing",
            look, self._tenant, facts.name, at_ms, is_snapshot, theirs_minor, band.float_minor,
            band.leaving_minor, band.arriving_minor, band.unbooked_minor, drift,
        )  # fmt: skip
        await self._alarm(facts, at_ms, is_snapshot=is_snapshot)
        return drift

    async def newest(self, operator: str) -> list[Seen]:
        """The last look of each sort."""
        rows = await self._pool.fetch(
            "select distinct on (is_snapshot) * from balance_look"
            " where tenant = $1 and operator = $2 order by is_snapshot, at_ms desc, n desc",
            self._tenant, operator,
        )  # fmt: skip
        return [
            Seen(
                operator,
                r["at_ms"],
                r["theirs_minor"],
                r["float_minor"] - r["leaving_minor"] + r["unbooked_minor"],
                r["float_minor"] + r["arriving_minor"] + r["unbooked_minor"],
                r["drift_minor"],
            )
            for r in rows
        ]

    async def _alarm(self, facts: OperatorFacts, at_ms: int, *, is_snapshot: bool) -> None:
        began, looks = await self._episode(facts.name, is_snapshot=is_snapshot)
        subject = named_id(self._tenant, facts.name, "drift", is_snapshot)
        if began is None:
            await self._cases.close_all(FLOAT_DRIFT, subject, "in the band again", at_ms)
        elif is_alarming(looks):
            off = looks[-1].drift_minor
            detail = (
                f"{facts.name} holds {facts.currency} {plain(abs(off), facts.currency)}"
                f" {'more' if off > 0 else 'less'} than our books can explain"
            )
            if await self._cases.is_open(FLOAT_DRIFT, subject):
                # A case about a little hides no much: it says what is missing by now.
                if await self._cases.restate(FLOAT_DRIFT, subject, detail):
                    log.warning("case %s: by now %s", FLOAT_DRIFT, detail)
                return
            # Closed by people while it lasts: once more tomorrow, or it hides all after it.
            about = named_id(subject, began, at_ms // DAY_MS)
            case = Case(subject, FLOAT_DRIFT, about, detail)
            if await self._cases.open([case], self._terms.of(facts.name), at_ms):
                log.error("case %s: %s", FLOAT_DRIFT, detail)

    async def _episode(
        self, operator: str, *, is_snapshot: bool
    ) -> tuple[str | None, Sequence[Look]]:
        """Since the last look inside the band: the first look, and the newest two in order."""
        rows = await self._pool.fetch(
            "with looks as (select look, at_ms, n, drift_minor from balance_look"
            "   where tenant = $1 and operator = $2 and is_snapshot = $3),"
            " inside as (select at_ms, n from looks where drift_minor = 0"
            "   order by at_ms desc, n desc limit 1),"
            " outside as (select * from looks where (at_ms, n) > ("
            "   coalesce((select at_ms from inside), -1), coalesce((select n from inside), -1)))"
            " (select * from outside order by at_ms, n limit 1)"
            " union all (select * from outside order by at_ms desc, n desc limit 2)",
            self._tenant, operator, is_snapshot,
        )  # fmt: skip
        if not rows:
            return None, ()
        first, *newest = rows
        looks = [Look(row["drift_minor"], is_snapshot) for row in reversed(newest)]
        return first["look"].hex, looks

    async def _arriving_minor(self, facts: OperatorFacts) -> int:
        """What live collections at the operator ask for, together."""
        live = await self._ours.read(facts, await self._ours.live_ids(facts))
        return sum(o.amount.minor for o in live if o.direction is Direction.COLLECT)


class Balances:
    """Asks operators what they hold for us, account by account; some answer later."""

    def __init__(
        self,
        pool: Any,
        tenant: int,
        book: BalanceBook,
        operators: Mapping[str, tuple[OperatorFacts, BalancePort]],
        address: Callable[[int, AttemptId], str],
        clock: Clock,
        ids: Ids,
        *,
        record: Record = unheard,
    ) -> None:
        """`address` makes the place an operator may answer at; an id made here goes into it.

        `record` is told of operators that could not be reached: this is the light probe of those
        that nobody pays through. Any other trouble may lie with the balance alone, and an answer
        does not prove that a payment would pass.
        """
        self._pool = pool
        self._tenant = tenant
        self._book = book
        self._operators = dict(operators)
        self._address = address
        self._clock = clock
        self._ids = ids
        self._record = record

    async def look(self) -> int:
        """Ask every operator that can tell; returns how many could not even be asked."""
        silent = 0
        for facts, port in self._operators.values():
            try:
                await self._ask(facts, port)
            except ProviderError as error:
                silent += 1
                if isinstance(error, Unreachable):
                    for direction in (Direction.COLLECT, Direction.DISBURSE):
                        self._record(facts.name, direction, told_by_error(error, direction), 0)
                log.warning("%s did not tell its balance: %s", facts.name, error)
        return silent

    async def hear(self, question: str, money: Money) -> bool:
        """The answer to one question; the first counts. False when nobody asked it here.

        One that comes later than `ANSWER_SECONDS_MAX` is kept and not compared.
        """
        row = await self._pool.fetchrow(
            "update balance_question set told_ms = coalesce(told_ms, $3),"
            " minor = coalesce(minor, $4) where id = $1 and tenant = $2"
            " returning operator, look",
            question, self._tenant, self._now_ms(), money.minor,
        )  # fmt: skip
        if row is None or row["operator"] not in self._operators:
            return False
        await self._compare(row["operator"], row["look"].hex)
        return True

    async def _ask(self, facts: OperatorFacts, port: BalancePort) -> None:
        look = self._ids.hex()
        questions = [(AttemptId(self._ids.hex()), account) for account in port.balance_accounts]
        await self._remember(facts, look, questions)
        for question, account in questions:
            url = self._address(facts.code, question)
            if (money := await port.ask_balance(account, url)) is not None:
                await self.hear(question, money)

    async def _remember(
        self, facts: OperatorFacts, look: str, questions: Sequence[tuple[AttemptId, str]]
    ) -> None:
        """Before the first byte leaves: an answer may come before the call returns."""
        now_ms = self._now_ms()
        async with self._pool.acquire() as connection:
            await connection.executemany(
                "insert into balance_question (id, tenant, operator, look, account, asked_ms)"
                " values ($1, $2, $3, $4, $5, $6)",
                [(id_, self._tenant, facts.name, look, name, now_ms) for id_, name in questions],
            )

    async def _compare(self, operator: str, look: str) -> None:
        """Once every account has been told."""
        told = await self._pool.fetchrow(
            "select sum(minor)::bigint as minor, bool_and(told_ms is not null) as complete,"
            " (max(told_ms) - min(asked_ms))::bigint as took_ms"
            " from balance_question where look = $1",
            look,
        )
        if not told["complete"]:
            return
        if told["took_ms"] > ANSWER_SECONDS_MAX * 1000:
            log.warning(
                "%s told its balance %d s after it was asked: nobody can say of when that is",
                operator, told["took_ms"] // 1000,
            )  # fmt: skip
        else:
            facts, _ = self._operators[operator]
            band = await self._book.band(facts)
            await self._book.judge(
                facts, look, told["minor"], band, self._now_ms(), is_snapshot=False
            )

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)
