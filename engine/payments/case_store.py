"""Cases about payments, and about messages of none, as they are opened and answered.

Whoever meets one says so here; who looks after it and how people close it is the desk's
(`engine/desk/cases.py`).
"""

from typing import Any, NamedTuple

from engine.clock import IntentId, PaymentId
from engine.desk.proposals import Proposal
from engine.payments.payment import Payment


class Standing(NamedTuple):
    """What is known of a payment beside its terms; times in epoch milliseconds."""

    tenant: int
    moved_ms: int
    closed_ms: int | None


class CaseStore:
    """What people must look at. Every method may be repeated."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def open_case(
        self, payment: Payment, kind: str, hash_: str, detail: str, at_ms: int
    ) -> None:
        """Put a payment on somebody's desk. The same case twice is one."""
        await self._pool.execute(
            "insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
            " values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            payment.payment_id, kind, hash_, payment.facts.tenant, at_ms, detail,
        )  # fmt: skip

    async def open_one(
        self,
        payment_id: PaymentId,
        tenant: int,
        kind: str,
        detail: str,
        at_ms: int,
        at_version: int | None = None,
    ) -> int:
        """The same complaint again and again is one case, and another once that is closed.

        With `at_version` only of a payment that has not moved on since: whoever moved it closed its
        case. The number of the case that is open now, counted from 1 for each payment and kind.
        """
        number: int = await self._pool.fetchval(
            "with known as (select count(closed_ms) as n, count(*) > count(closed_ms) as is_open"
            "   from case_file where payment = $1 and kind = $2),"
            " opened as (insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
            # No version is so large: a case of a step has that for its hash.
            "   select $1, $2, ('c' || lpad(to_hex(n), 31, '0'))::uuid, $3, $4, $5 from known"
            "   where not is_open and ($6::int is null"
            "    or exists (select from payment where id = $1 and version = $6))"
            "   on conflict do nothing)"
            " select n + 1 from known",
            payment_id, kind, tenant, at_ms, detail, at_version,
        )  # fmt: skip
        return number

    async def open_of_message(
        self, intent_id: IntentId, kind: str, detail: str, at_ms: int
    ) -> bool:
        """Put a message that belongs to no payment on somebody's desk while it waits; whether it
        was this call. One case for good: once people have closed it they know.
        """
        return bool(
            await self._pool.fetchval(
                "insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
                " select id, $2, id, tenant, $3, $4 from outbox where id = $1"
                " on conflict do nothing returning true",
                intent_id, kind, at_ms, detail,
            )
        )  # fmt: skip

    async def standing(self, payment_id: PaymentId, kind: str) -> Standing | None:
        """Of a payment that may be unreadable: whose it is, when it moved last, and when two people
        last closed such a case about it. None where there is no such payment.
        """
        row = await self._pool.fetchrow(
            "select p.tenant, j.at_ms, (select max(c.closed_ms) from case_file c"
            "   where c.payment = p.id and c.kind = $2 and c.proposal is not null) as closed_ms"
            " from payment p join journal j on j.payment = p.id and j.version = p.version"
            " where p.id = $1",
            payment_id, kind,
        )  # fmt: skip
        return Standing(*row) if row else None

    async def close_answered(self, payment_id: PaymentId, kind: str, by: Proposal) -> None:
        """What two people agreed on has been done: the cases it answers lie on no desk any more.

        One that was opened after they agreed is another. Safe to repeat.
        """
        await self._pool.execute(
            "update case_file set closed_ms = $3, closed_by = $4, note = $5, proposal = $6"
            " where payment = $1 and kind = $2 and closed_ms is null and opened_ms <= $3",
            payment_id, kind, by.decided_ms, by.made_by, by.note, by.id,
        )  # fmt: skip
