"""What is forgotten after how many days. Rows that are dated by their own id or time go, or lose
the words in them; some thousand at a time, by the worker and by `capp data retain`.

The journal is not here and never will be: how long the law wants books kept is a matter of whole
partitions, and of people.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from engine.clock import Clock, first_id_at, ms_of

AT_ONCE = 1_000
LAW_DAYS = 7 * 366
"""What most of our countries ask for records of payments; a house whose law wants more sets it."""


ANSWERED_AGAIN_DAYS = 7
"""So long a request under its key is answered again, and a price is shown (`engine/once.py`)."""


class Kept(NamedTuple):
    """One kind of thing. `old` finds its rows by $1 (tenant), and by $2: an id of before which all
    are old, or epoch milliseconds; `then` is what becomes of them.
    """

    kind: str
    days: int  # unless the house says otherwise, where it may
    table: str
    key: str
    by_id: bool
    old: str
    then: str
    is_promised: bool = False  # these days are told to callers: no house changes them


KEPT = (
    # Sealed words of operators: what proves a payment is the journal's.
    Kept(
        "evidence", LAW_DAYS, "evidence", "attempt, hash", True,
        "tenant = $1 and attempt < $2 and body <> '\"\"'", "update evidence set body = '\"\"'",
    ),
    Kept(
        "statements", LAW_DAYS, "statement_line", "id", False,
        "tenant = $1 and taken_ms < $2 and counterparty is not null",
        "update statement_line set counterparty = null",
    ),
    Kept(
        "payins", LAW_DAYS, "pay_in", "id", True,
        "tenant = $1 and id < $2 and due_ms is null and stage in (2, 4, 6, 8)"
        " and (payer <> '' or reference <> '')",
        "update pay_in set payer = '', reference = ''",
    ),
    Kept(
        "flagged", LAW_DAYS, "clearance", "tenant, quote", True,
        "tenant = $1 and quote < $2", "delete from clearance",
    ),
    Kept(
        "requests", 730, "money_request", "id", True,
        "tenant = $1 and id < $2 and closed_as is not null", "delete from money_request",
    ),
    Kept(
        "messages", 365, "sms_message", "id", True, "tenant = $1 and id < $2",
        "delete from sms_message",
    ),
    Kept(
        "reports", 365, "sms_report", "message_id, status", False,
        "tenant = $1 and at_ms < $2", "delete from sms_report",
    ),
    # Whoever asks again forgets these too; nobody may ask again.
    Kept(
        "quotes", ANSWERED_AGAIN_DAYS, "client_quote", "tenant, client, key", False,
        "tenant = $1 and expires_at < $2::bigint / 1000", "delete from client_quote",
        is_promised=True,
    ),
    Kept(
        "answers", ANSWERED_AGAIN_DAYS, "client_request", "tenant, client, key", False,
        "tenant = $1 and begun_ms < $2", "delete from client_request", is_promised=True,
    ),
    Kept(
        "staff", ANSWERED_AGAIN_DAYS, "staff_request", "tenant, member, key", False,
        "tenant = $1 and begun_ms < $2", "delete from staff_request", is_promised=True,
    ),
)  # fmt: skip
KINDS = tuple(kept.kind for kept in KEPT if not kept.is_promised)
"""What a house may keep longer or shorter."""


class Retention:
    """Forgets for one tenant. Every method may be repeated, by any process."""

    def __init__(self, pool: Any, tenant: int, clock: Clock, days: Mapping[str, int]) -> None:
        """`days` by kind, of those that the house keeps longer or shorter than is usual."""
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._days = days

    def days_of(self, kept: Kept) -> int:
        return self._days.get(kept.kind, kept.days)

    async def due(self, kept: Kept) -> int:
        """How many rows are old enough; nothing is changed."""
        found: int = await self._pool.fetchval(
            f"select count(*) from {kept.table} where {kept.old}", self._tenant, self._edge(kept)
        )
        return found

    async def forget(self, kept: Kept) -> int:
        """A bounded number of the old ones of one kind; how many they were."""
        done: str = await self._pool.execute(
            f"{kept.then} where tenant = $1 and ({kept.key}) in"
            f" (select {kept.key} from {kept.table} where {kept.old} limit {AT_ONCE})",
            self._tenant, self._edge(kept),
        )  # fmt: skip
        return int(done.rpartition(" ")[2])

    async def sweep(self) -> int:
        """A bounded number of every kind; how many in all."""
        return sum([await self.forget(kept) for kept in KEPT])

    def _edge(self, kept: Kept) -> UUID | int:
        before = self._clock.now() - timedelta(days=self.days_of(kept))
        if kept.by_id:
            return UUID(first_id_at(before))
        return ms_of(before)
