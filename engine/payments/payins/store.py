"""What is stored of money that was paid in: who has it now, and what is to be done about it.

Every change is a compare-and-set. It moves no money: that is the commit's alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from engine.clock import AttemptId, Clock, Ids, PaymentId, first_id_at, made_at
from engine.gather import alone, readable
from engine.money import Money
from engine.payments.payins.judging import PayIn, Stage
from engine.payments.payins.listed import ON_ITS_WAY, Listed
from engine.payments.payment import code_of, id_ending, read_code
from engine.payments.statements.judged import Theirs
from engine.payments.statements.lines import PaidInLine, Side
from engine.ports import Direction, PaidIn
from engine.privacy.places import (
    pay_in_payer_place,
    pay_in_place_before,
    pay_in_reference_place,
)
from engine.privacy.seals import Seals, open_moved, seals_of

CODE_GOOD = timedelta(days=7)
"""How old a payment that is over may be, for late money to find it by its code."""

BOOKED = (Stage.SUSPENDED, Stage.ASSIGNING, *ON_ITS_WAY)
WITH_AN_OWNER = (Stage.TAKEN, Stage.FOUND)
_MADE_TOGETHER = timedelta(seconds=10)
LOOK_AGAIN_SECONDS = 600
"""When one that came to rest is looked at once more: a notice may come before the word about the
collection that it is, and whoever puts money aside may be slower than whoever finds its owner."""
PAY_IN = "PAY_IN"
"""The kind of the case about money that nobody can tell the owner of."""
CONFLICT = "CONFLICT"
"""That of the case about an operator's word which contradicts what is booked: of another amount, or
that a return went which was booked as one that did not."""


class PayInStore:
    """The pay-ins of one tenant."""

    def __init__(self, pool: Any, tenant: int, clock: Clock, ids: Ids) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._ids = ids
        self._seals = seals_of(pool)

    async def hear(self, operator: str, paid: PaidIn, *, proven: bool) -> PayIn:
        """Store what was told, once; the same receipt again is what was told first.

        What proves it later is kept with it.
        """
        now_ms, id_ = self._now_ms(), self._ids.hex()
        reference, payer = (
            self._seals.seal(text, place) if text else ""
            for text, place in (
                (paid.reference, pay_in_reference_place(id_)),
                (paid.payer, pay_in_payer_place(id_)),
            )
        )
        row = await self._pool.fetchrow(
            "insert into pay_in (id, tenant, operator, receipt, minor, currency, reference, payer,"
            " heard_ms, stage, due_ms, proven) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9,"
            " $11) on conflict (tenant, operator, receipt) do update"
            " set proven = pay_in.proven or excluded.proven returning *",
            id_, self._tenant, operator, paid.receipt, paid.amount.minor,
            paid.amount.currency, reference, payer, now_ms, int(Stage.HEARD), proven,
        )  # fmt: skip
        return _pay_in(row, self._seals)

    async def get(self, pay_in_id: str) -> PayIn | None:
        row = await self._pool.fetchrow(
            "select * from pay_in where id = $1 and tenant = $2", pay_in_id, self._tenant
        )
        return _pay_in(row, self._seals) if row is not None else None

    async def listed(self, stages: Sequence[Stage], most: int) -> list[PayIn]:
        """The newest first. One that cannot be read is told to the log, and hides no other."""
        rows = await self._pool.fetch(
            "select * from pay_in where tenant = $1 and stage = any($2::smallint[])"
            " order by id desc limit $3",
            self._tenant, [int(s) for s in stages], most,
        )  # fmt: skip
        read = [alone(f"pay-in {row['id'].hex}", _pay_in, row, self._seals) for row in rows]
        return readable("a pay-in", read)

    async def lease_due(self, lease_seconds: int, most: int) -> list[PayIn]:
        """Those that somebody should look at; nobody else gets them until the lease ends.

        One that cannot be read waits for another lease, and keeps up nobody else.
        """
        now_ms = self._now_ms()
        rows = await self._pool.fetch(
            "with old as (select id from pay_in where due_ms <= $1 and tenant = $2"
            "   order by due_ms, id limit $4 for update skip locked)"
            " update pay_in set due_ms = $3 from old where pay_in.id = old.id returning pay_in.*",
            now_ms, self._tenant, now_ms + lease_seconds * 1000, most,
        )  # fmt: skip
        read = [alone(f"pay-in {row['id'].hex}", _pay_in, row, self._seals) for row in rows]
        return readable("a pay-in", read)

    async def is_turn_to_ask(self, pay_in: PayIn, again_ms: int) -> bool:
        """Count a question to the operator; False when somebody else has just asked."""
        return bool(
            await self._pool.fetchval(
                "update pay_in set asked = asked + 1, due_ms = $4 where id = $1 and stage = $2"
                " and asked = $3 returning true",
                pay_in.id, int(Stage.HEARD), pay_in.asked, again_ms,
            )
        )  # fmt: skip

    async def prove(self, pay_in_id: str) -> None:
        """The operator, asked, said that it came. Safe to repeat."""
        await self._pool.execute(
            "update pay_in set proven = true, due_ms = $3 where id = $1 and stage = $2",
            pay_in_id, int(Stage.HEARD), self._now_ms(),
        )  # fmt: skip

    async def settle(
        self,
        pay_in: PayIn,
        stage: Stage,
        *,
        payment: PaymentId | None = None,
        return_receipt: str | None = None,
        again_ms: int | None = None,
    ) -> bool:
        """It has come to rest there; False when it had moved on. Nothing is due any more, or one
        look at that moment (epoch milliseconds).

        False also when another pay-in is the payment's collection: one alone can be.
        """
        try:
            moved = await self._pool.fetchval(
                "update pay_in set stage = $3, payment = coalesce($4, payment), due_ms = $6,"
                " return_receipt = coalesce($5, return_receipt)"
                " where id = $1 and stage = $2 returning true",
                pay_in.id, int(pay_in.stage), int(stage), payment, return_receipt,
                again_ms,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            return False
        return bool(moved)

    async def begin(self, pay_in: PayIn, stage: Stage, proposal: str) -> bool:
        """Two people do something with it from now on; True again for the same proposal. No sweep
        looks at it before they have called.

        Never for one that came to nothing or is over: whoever else carries it out comes too late.
        """
        return bool(
            await self._pool.fetchval(
                "update pay_in set stage = $3, proposal = $4,"
                " due_ms = case when stage = $3 then due_ms end where id = $1 and ("
                "  stage = $2 and proposal is distinct from $4::uuid and exists ("
                "    select from proposal where id = $4 and tenant = $5 and state = 'approved')"
                "  or stage = $3 and proposal = $4) returning true",
                pay_in.id, int(Stage.SUSPENDED), int(stage), proposal, self._tenant,
            )
        )  # fmt: skip

    async def give_up(self, pay_in: PayIn) -> None:
        """What two people began came to nothing: it is suspended again. Which proposal did stays
        known (`begin`)."""
        await self._pool.execute(
            "update pay_in set stage = $3, calls = 0, due_ms = null"
            " where id = $1 and stage = $2 and proposal is not distinct from $4::uuid",
            pay_in.id, int(pay_in.stage), int(Stage.SUSPENDED), pay_in.proposal,
        )  # fmt: skip

    async def claim_call(self, pay_in: PayIn, again_ms: int) -> bool:
        """Before the first byte of a return leaves; False when somebody else makes this call.

        `again_ms`: when it is made again, should nobody have answered by then. The first call of
        what was ordered before under another proposal counts as its repeat: an answer does not say
        which of them it is about.
        """
        return bool(
            await self._pool.fetchval(
                "update pay_in set called_ms = $3, due_ms = $4,"
                " calls = calls + case when calls = 0 and called_ms is not null then 2 else 1 end"
                " where id = $1 and stage = $2 and calls = $5 returning true",
                pay_in.id, int(Stage.RETURNING), self._now_ms(), again_ms, pay_in.calls,
            )
        )  # fmt: skip

    async def take_turn(self, pay_in: PayIn, again_ms: int) -> bool:
        """Nobody makes the next call before that time; False when somebody has just made one."""
        return bool(
            await self._pool.fetchval(
                "update pay_in set calls = calls + 1, due_ms = $3"
                " where id = $1 and stage = $2 and calls = $4 returning true",
                pay_in.id, int(Stage.RETURNING), again_ms, pay_in.calls,
            )
        )  # fmt: skip

    async def release_call(self, pay_in: PayIn) -> None:
        """No byte of the call left: it is as if it had never been made."""
        await self._pool.execute(
            "update pay_in set calls = $3, called_ms = $4 where id = $1 and stage = $2"
            " and (calls = $3 + 1 or $3 = 0 and calls = 2 and $4::bigint is not null)",
            pay_in.id, int(Stage.RETURNING), pay_in.calls, pay_in.called_ms,
        )  # fmt: skip

    # Statements that list it.

    async def among(self, operator: str, lines: Sequence[Theirs]) -> Mapping[str, PaidInLine]:
        """Which of an operator's lines are pay-ins that people have, or their ways back, and what
        is known of each (`statements/consequences.py`).

        Of another amount than was told none is: that is for people. Where the listed fee explains
        the difference its money is in SUSPENSE under another key, so that only people take it out.
        What is not booked yet is not here either: the statement may be what proves it. A way back
        proves nothing of a return that no order has left for.
        """
        listed = Listed(lines)
        rows = await self._pool.fetch(
            "select id, receipt, return_receipt, minor, currency, stage, calls from pay_in"
            " where tenant = $1 and operator = $2 and stage = any($3::smallint[])"
            " and (receipt = any($4::text[]) or return_receipt = any($5::text[]))",
            self._tenant, operator, [int(s) for s in BOOKED], listed.receipts, listed.ways_back,
        )  # fmt: skip
        found: dict[str, PaidInLine] = {}
        for row in rows:
            found |= listed.those_of(
                row["id"].hex, row["receipt"], Money(row["minor"], row["currency"]),
                Stage(row["stage"]), return_receipt=row["return_receipt"], calls=row["calls"],
            )  # fmt: skip
        return found

    async def collections(
        self, operator: str, lines: Sequence[Theirs], before: datetime
    ) -> list[AttemptId]:
        """The collections of payments made before that, which lines are as pay-ins: a code is good
        for longer than a statement looks back."""
        receipts = [t.line.receipt for t in lines if t.line.side is Side.IN]
        rows = await self._pool.fetch(
            "select payment from pay_in where tenant = $1 and operator = $2"
            " and stage = any($3::smallint[]) and receipt = any($4::text[]) and payment < $5",
            self._tenant, operator, [int(s) for s in WITH_AN_OWNER], receipts,
            first_id_at(before),
        )  # fmt: skip
        found = [await self.collection_of(PaymentId(row["payment"].hex)) for row in rows]
        return [attempt_id for attempt_id in found if attempt_id is not None]

    async def find(self, operator: str, receipt: str, payment: PaymentId | None) -> bool:
        """A statement shows whose money it is, so people have nothing to do with it any more.

        It is a payment's, or our own (None). From then on none can send it back or assign it; safe
        to repeat. False when they have begun to, or have done so: it is not that payment's. True
        also when it was never told of.
        """
        rows = [(receipt, payment)]
        if await self._find(operator, rows, (Stage.SUSPENDED, Stage.DENIED)):
            return True
        # Read after the attempt: whoever was faster has ended by now.
        row = await self._pool.fetchrow(
            "select stage, payment from pay_in"
            " where tenant = $1 and operator = $2 and receipt = $3",
            self._tenant, operator, receipt,
        )  # fmt: skip
        if row is None or Stage(row["stage"]) in (Stage.HEARD, Stage.FOUND):
            return True
        return Stage(row["stage"]) is Stage.TAKEN and row["payment"].hex == payment

    async def find_denied(self, operator: str, owners: Sequence[tuple[str, PaymentId]]) -> None:
        """A statement shows whose these receipts are, which nobody could prove. Safe to repeat."""
        await self._find(operator, owners, (Stage.DENIED,))

    async def _find(
        self, operator: str, owners: Sequence[tuple[str, PaymentId | None]], stages: Sequence[Stage]
    ) -> int:
        """How many were found; their cases are closed in the same statement."""
        now_ms = self._now_ms()
        return int(
            await self._pool.fetchval(
                "with found as (update pay_in p set stage = $3, payment = o.payment, due_ms = $9"
                "   from unnest($4::text[], $5::uuid[]) as o (receipt, payment)"
                "   where p.tenant = $1 and p.operator = $2 and p.receipt = o.receipt"
                "   and p.stage = any($6::smallint[]) returning p.id),"
                " closed as (update case_file c set closed_ms = $7, closed_by = 'statements',"
                "   note = 'a statement shows whose it is' from found"
                "   where c.payment = found.id and c.kind = $8 and c.tenant = $1"
                "   and c.closed_ms is null)"
                " select count(*) from found",
                self._tenant, operator, int(Stage.FOUND), [receipt for receipt, _ in owners],
                [payment for _, payment in owners], [int(s) for s in stages], now_ms,
                PAY_IN, now_ms + LOOK_AGAIN_SECONDS * 1000,
            )
        )  # fmt: skip

    # Payments that it may be for.

    async def waiting_payment(self, reference: str) -> PaymentId | None:
        """The payment under way that has this code: looks only at what has a deadline."""
        return await self._named(reference, "due is not null", self._clock.now() - CODE_GOOD)

    async def recent_payment(self, reference: str) -> PaymentId | None:
        """The same, also one that is over. Walks the payments of some days: for the rare pay-in
        that nothing waits for, only."""
        return await self._named(reference, "true", self._clock.now() - CODE_GOOD)

    async def _named(self, reference: str, which: str, since: Any) -> PaymentId | None:
        code = read_code(reference)
        if code is None:
            return None
        # As bytes: writing an id as text takes longer than all else of a row.
        rows = await self._pool.fetch(
            f"select id from payment where {which} and tenant = $1 and id >= $2"  # noqa: S608
            " and substr(uuid_send(id), 11) = $3",
            self._tenant, first_id_at(since), bytes.fromhex(id_ending(code)),
        )  # fmt: skip
        found = [row["id"].hex for row in rows if code_of(row["id"].hex) == code]
        return PaymentId(found[0]) if len(found) == 1 else None

    async def collection_of(self, payment_id: PaymentId) -> AttemptId | None:
        """The attempt that was to collect a payment: both were made in the same commit."""
        made = made_at(payment_id)
        row = await self._pool.fetchval(
            "select id from attempt where id >= $1 and id < $2 and payment = $3 and direction = $4"
            " order by id limit 1",
            first_id_at(made), first_id_at(made + _MADE_TOGETHER), payment_id,
            int(Direction.COLLECT),
        )  # fmt: skip
        return AttemptId(row.hex) if row is not None else None

    # People.

    async def open_case(self, pay_in: PayIn, detail: str, kind: str = PAY_IN) -> None:
        """Put it on somebody's desk. The same twice is one."""
        await self._pool.execute(
            "insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
            " values ($1, $2, $1, $3, $4, $5) on conflict do nothing",
            pay_in.id, kind, self._tenant, self._now_ms(), detail,
        )  # fmt: skip

    async def close_case(self, pay_in: PayIn, note: str) -> None:
        """What two people agreed on has been done. Safe to repeat."""
        await self._pool.execute(
            "update case_file set closed_ms = $4, closed_by = 'pay-ins', note = $5, proposal = $6"
            " where payment = $1 and kind = $2 and tenant = $3 and closed_ms is null",
            pay_in.id, PAY_IN, self._tenant, self._now_ms(), note, pay_in.proposal,
        )  # fmt: skip

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _pay_in(row: Any, seals: Seals) -> PayIn:
    payment, proposal = row["payment"], row["proposal"]
    id_ = row["id"].hex
    before = pay_in_place_before(id_)
    return PayIn(
        id=id_,
        operator=row["operator"],
        paid=PaidIn(
            row["receipt"],
            Money(row["minor"], row["currency"]),
            open_moved(seals, row["reference"], pay_in_reference_place(id_), before),
            open_moved(seals, row["payer"], pay_in_payer_place(id_), before),
        ),
        stage=Stage(row["stage"]),
        heard_ms=row["heard_ms"],
        asked=row["asked"],
        proven=row["proven"],
        payment=PaymentId(payment.hex) if payment is not None else None,
        proposal=proposal.hex if proposal is not None else None,
        calls=row["calls"],
        called_ms=row["called_ms"],
    )
