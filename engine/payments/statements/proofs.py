"""What was believed because a statement listed it, and whose word that was: who took the file in.

Reads only. One person takes a file in; what is told here is what others hold against it
(`../decisions/0036-...`).
"""

from datetime import date
from typing import Any, NamedTuple

import msgspec

from engine.clock import AttemptId, PaymentId
from engine.ledger.entries import MANUAL_FROM
from engine.money import Money
from engine.payments.evidence import Source
from engine.payments.facts import Ending, read_step
from engine.payments.statements.lines import Side
from engine.privacy.places import evidence_place
from engine.privacy.seals import seals_of

# All that a file listed first has its moment; no two of an operator's are taken in at once.
_ITS_FILE = (
    "left join lateral (select taken_by, sha256 from statement_file f where f.tenant = l.tenant"
    " and f.operator = l.operator and f.taken_ms = l.taken_ms limit 1) f on true"
)


class TakenFile(NamedTuple):
    """A file as it was taken in; `by` and `sha256` are "" of one of before they were kept."""

    taken_ms: int
    by: str
    sha256: str  # of its bytes, 64 hex digits


class Proof(NamedTuple):
    """A step of a payment that a statement led to. `file` is None where it is what none lists."""

    at_ms: int
    attempt_id: AttemptId
    words: str
    file: TakenFile | None


class Proven(NamedTuple):
    """What the lines of one file proved of one currency, together."""

    operator: str
    day: date
    file: TakenFile
    lines: int
    came: Money
    went: Money


class Proofs:
    """Those of one tenant."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant
        self._seals = seals_of(pool)

    async def of(self, payment_id: PaymentId) -> list[Proof]:
        """What statements proved about a payment, in the order in which it was heard."""
        rows = await self._pool.fetch(
            "select facts from journal where payment = $1 and tenant = $2 and version > 1"
            " and facts is not null and state < $3 order by version",
            payment_id, self._tenant, MANUAL_FROM,
        )  # fmt: skip
        steps = [read_step(row["facts"]) for row in rows]
        attempts = {s.attempt_id for s in steps if isinstance(s, Ending) and _is_listed(s)}
        told = await self._pool.fetch(
            "select attempt, at_ms, body from evidence where attempt = any($1::uuid[])"
            " and source = $2 order by at_ms, attempt, hash",
            sorted(attempts), int(Source.STATEMENT),
        )  # fmt: skip
        return [await self._proof(row) for row in told]

    async def since(self, at_ms: int) -> list[Proven]:
        """What statements proved about payments since then, file by file, the newest first."""
        rows = await self._pool.fetch(
            "select l.operator, l.day, l.currency, l.taken_ms, f.taken_by, f.sha256,"  # noqa: S608
            "   count(*) as lines,"
            "   coalesce(sum(l.minor) filter (where l.side = $3), 0)::bigint as came,"
            "   coalesce(sum(l.minor) filter (where l.side = $4), 0)::bigint as went"
            f" from statement_line l {_ITS_FILE}"
            " where l.tenant = $1 and l.proved_ms >= $2"
            " group by 1, 2, 3, 4, 5, 6 order by 4 desc, 1, 2",
            self._tenant, at_ms, int(Side.IN), int(Side.OUT),
        )  # fmt: skip
        return [
            Proven(
                r["operator"], r["day"], _file(r), r["lines"],
                Money(r["came"], r["currency"]), Money(r["went"], r["currency"]),
            )
            for r in rows
        ]  # fmt: skip

    async def _proof(self, row: Any) -> Proof:
        attempt_id = AttemptId(row["attempt"].hex)
        body = self._seals.open(row["body"], evidence_place(attempt_id))
        told = msgspec.json.decode(body, type=_Told)
        if told.day is None:
            return Proof(row["at_ms"], attempt_id, told.absent, None)
        line = await self._pool.fetchrow(
            "select l.operator, l.taken_ms, f.taken_by, f.sha256"  # noqa: S608
            f" from statement_line l {_ITS_FILE}"
            " where l.tenant = $1 and l.day = $2 and l.receipt = $3 and l.side = $4"
            "   and l.operator in (select operator from statement_file where tenant = $1)"
            "   and l.minor = $6 and l.currency = $7"
            " order by l.attempt = $5 desc nulls last, l.id limit 1",
            self._tenant, told.day, told.receipt, _SIDES[told.side], attempt_id, told.minor,
            told.currency,
        )  # fmt: skip
        amount = Money(told.minor, told.currency)
        words = f"lists {told.receipt} of {told.day}, {amount} {told.side}"
        if line is None:
            return Proof(row["at_ms"], attempt_id, words, None)
        return Proof(row["at_ms"], attempt_id, f"{line['operator']} {words}", _file(line))


class _Told(msgspec.Struct):
    """What is kept as evidence (`consequences.py`)."""

    receipt: str = ""
    day: date | None = None
    side: str = "in"
    minor: int = 0
    currency: str = ""
    absent: str = ""


_SIDES = {side.name.lower(): int(side) for side in Side}


def _is_listed(ending: Ending) -> bool:
    return ending.source == Source.STATEMENT


def _file(row: Any) -> TakenFile:
    return TakenFile(row["taken_ms"], row["taken_by"] or "", row["sha256"] or "")
