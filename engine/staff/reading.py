"""Everything that is stored of one payment, for people who look after it. Reads only; SQL only."""

from typing import Any, NamedTuple

from engine.clock import AttemptId, PaymentId, first_id_at, is_id, made_at, moment_of
from engine.desk.cases import Case, CaseKey
from engine.ledger.entries import MANUAL_FROM
from engine.payments.codes import find_by_code
from engine.payments.evidence import Source
from engine.payments.facts import Ending, read_step
from engine.payments.lifecycle import State
from engine.payments.payment import Payment, read_code
from engine.payments.store import PaymentStore
from engine.ports import Direction
from engine.privacy.places import evidence_place
from engine.privacy.seals import Seals, open_maybe, seals_of
from engine.staff.actions import CLOCKS_APART
from engine.staff.remedies import Sending

ROWS_MAX = 500


class Found(NamedTuple):
    """A payment, and the one of its attempts that was asked for by its own id."""

    payment: Payment
    attempt_id: AttemptId | None


class Attempt(NamedTuple):
    """One try. `succeeded` is None while nothing final is known; the rest is the operator's."""

    id: AttemptId
    direction: Direction
    operator_code: int
    is_live: bool
    succeeded: bool | None = None
    code: str | None = None
    receipt: str | None = None
    reference: str | None = None


class Step(NamedTuple):
    """One row of the journal: amounts are minor units, accounts are numbers."""

    version: int
    state: State
    at_ms: int
    transfers: tuple[tuple[int, int, int], ...]  # debit, credit, minor


class Reader:
    """The payments of one tenant. A payment of another is not found, like one that never was."""

    def __init__(self, pool: Any, tenant: int, store: PaymentStore) -> None:
        self._pool = pool
        self._tenant = tenant
        self._store = store
        self._seals = seals_of(pool)

    async def find(self, name: str) -> Found | None:
        """By code, by payment or by attempt. A code walks payments from the newest: for people."""
        if is_id(name):
            return await self._by_id(name)
        if (code := read_code(name)) is None:
            return None
        payment_id = await find_by_code(self._pool, self._tenant, code)
        return await self._by_id(payment_id) if payment_id is not None else None

    async def attempts(self, payment: Payment) -> list[Attempt]:
        """In the order they were begun, each with what is known of its end."""
        first, last = await self._ids_while_it_moved(payment)
        rows = await self._pool.fetch(
            "select a.id, a.direction, a.operator, (select e.body from evidence e"
            "   where e.attempt = a.id and e.source = $2 order by e.at_ms desc limit 1) as body"
            " from attempt a where a.payment = $1 and a.id >= $4 and a.id < $5"
            " order by a.id limit $3",
            payment.payment_id, int(Source.ACCEPTED), ROWS_MAX, first, last,
        )  # fmt: skip
        endings = {ending.attempt_id: ending for ending in await self._endings(payment)}
        return [
            _attempt(row, payment, endings.get(AttemptId(row["id"].hex)), self._seals)
            for row in rows
        ]

    async def steps(self, payment: Payment) -> list[Step]:
        """The journal of a payment, the first row first."""
        rows = await self._pool.fetch(
            "select version, state, at_ms, debits, credits, amounts from journal"
            " where payment = $1 order by version limit $2",
            payment.payment_id, ROWS_MAX,
        )  # fmt: skip
        return [
            Step(
                r["version"], State(r["state"]), r["at_ms"],
                tuple(zip(r["debits"], r["credits"], r["amounts"], strict=True)),
            )
            for r in rows
        ]  # fmt: skip

    async def cases(self, payment: Payment) -> list[Case]:
        """What people had to look at, open and closed."""
        rows = await self._pool.fetch(
            "select * from case_file where payment = $1 and tenant = $2"
            " order by opened_ms limit $3",
            payment.payment_id, self._tenant, ROWS_MAX,
        )  # fmt: skip
        return [
            Case(
                CaseKey(r["payment"].hex, r["kind"], r["hash"].hex), r["opened_ms"], r["detail"],
                r["owner"], r["due_ms"], r["closed_ms"], r["closed_by"], r["note"],
            )
            for r in rows
        ]  # fmt: skip

    async def sending(self, attempt_id: AttemptId) -> Sending:
        """How far the order of an attempt has come on its way out."""
        row = await self._pool.fetchrow(
            "select sent_at is null and ended is null as waits from outbox where id = $1",
            attempt_id,
        )
        if row is None:
            return Sending.GONE
        return Sending.WAITS if row["waits"] else Sending.UNDER_WAY

    async def hurry(self, attempt_id: AttemptId, now: int) -> bool:
        """Let the next sweep send an order of which no byte has left; False when one may have.

        Never before the moment until which its payer may still withdraw. Nothing else of the row
        changes: what says that something was sent is not touched, here or anywhere.
        """
        row = await self._pool.fetchval(
            "update outbox set lease_until = least(lease_until, greatest($2::bigint, not_before)),"
            " put_off_until = least(lease_until, greatest($2::bigint, not_before))"
            " where id = $1 and tenant = $3 and sent_at is null and ended is null returning true",
            attempt_id, now - 1, self._tenant,
        )  # fmt: skip
        return bool(row)

    async def _ids_while_it_moved(self, payment: Payment) -> tuple[str, str]:
        """Between these lie all ids made for a payment: attempts have no index by payment, but each
        is begun by a step, and its id is older than the step's row.
        """
        last_ms = await self._pool.fetchval(
            "select max(at_ms) from journal where payment = $1", payment.payment_id
        )
        made = made_at(payment.payment_id)
        ended = max(moment_of(last_ms), made)
        return first_id_at(made - CLOCKS_APART), first_id_at(ended + CLOCKS_APART)

    async def _by_id(self, name: str) -> Found | None:
        row = await self._pool.fetchrow(
            "select id, null::uuid as attempt from payment"
            " where id = $1 and tenant = $2 and state < $3"
            " union all select payment, id from attempt where id = $1 and tenant = $2",
            name, self._tenant, MANUAL_FROM,
        )  # fmt: skip
        if row is None:
            return None
        payment = await self._store.payment(PaymentId(row["id"].hex))
        attempt = row["attempt"]
        return Found(payment, AttemptId(attempt.hex) if attempt else None) if payment else None

    async def _endings(self, payment: Payment) -> list[Ending]:
        rows = await self._pool.fetch(
            "select facts from journal where payment = $1 and version > 1 and facts is not null"
            " order by version",
            payment.payment_id,
        )
        return [step for row in rows if isinstance(step := read_step(row["facts"]), Ending)]


def _attempt(row: Any, payment: Payment, ending: Ending | None, seals: Seals) -> Attempt:
    attempt_id = AttemptId(row["id"].hex)
    return Attempt(
        attempt_id, Direction(row["direction"]), row["operator"], payment.live == attempt_id,
        ending.succeeded if ending else None, ending.code if ending else None,
        ending.receipt if ending else None,
        open_maybe(seals, row["body"], evidence_place(attempt_id)),
    )  # fmt: skip
