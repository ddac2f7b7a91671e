"""What people have to look at: who looks after it, since when, and how it was closed.

Cases are opened by whoever meets one (payments, statements, the auditor). Where money is at
stake, two people close one: the second way in is the executor of CLOSE_CASE.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from engine.clock import Clock, is_id
from engine.customers.resets import PIN_RESET
from engine.desk.proposals import (
    CaseClosing,
    Check,
    Executor,
    Kind,
    Outcome,
    Person,
    Proposal,
    done,
    read_body,
    read_line,
)
from engine.errors import AlreadyDecided, StaffMistake

LOW_WATER = "LOW_WATER"
SMS_UNKNOWN = "SMS_UNKNOWN"  # nobody knows whether a message arrived
HOOK_PAUSED = "HOOK_PAUSED"  # a business is told nothing any more: its address fails or is gone
RESTORED = "RESTORED"  # the database was restored: `deploy/restoring.md` is to be gone through
REPORTED = "REPORTED"  # a customer says that something is wrong with a payment
ONE_PERSON = frozenset({HOOK_PAUSED, LOW_WATER, PIN_RESET, REPORTED, SMS_UNKNOWN})
"""Kinds at which no money is at stake. A kind nobody listed needs two people.

A forgotten PIN is among them: to close its case is to refuse, and nothing is reset by that.
"""


class CaseKey(NamedTuple):
    """What a case is told by; written `payment:KIND:hash`."""

    payment: str
    kind: str
    hash: str

    def __str__(self) -> str:
        return f"{self.payment}:{self.kind}:{self.hash}"


class Case(NamedTuple):
    """One case. `payment` in its key may be an id made from an account or a statement line."""

    key: CaseKey
    opened_ms: int
    detail: str
    owner: str | None
    due_ms: int | None
    closed_ms: int | None
    closed_by: str | None
    note: str | None

    def age_seconds(self, now_ms: int) -> int:
        return max(now_ms - self.opened_ms, 0) // 1000


def read_key(text: str) -> CaseKey:
    """Raises StaffMistake when it is no key of a case."""
    words = text.split(":")
    if len(words) != 3 or not all(is_id(word) for word in (words[0], words[2])) or not words[1]:
        raise StaffMistake(f"{text!r} is no case; `capp cases` shows their keys")
    return CaseKey(*words)


class Cases:
    """The cases of one tenant. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int, clock: Clock) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock

    def executors(self) -> dict[Kind, Executor]:
        return {Kind.CLOSE_CASE: self.close_by_two}

    def checks(self) -> dict[Kind, Check]:
        return {Kind.CLOSE_CASE: self._check_key}

    async def open_cases(self, most: int = 200, *, kind: str | None = None) -> list[Case]:
        """The oldest first."""
        rows = await self._pool.fetch(
            "select * from case_file where tenant = $1 and closed_ms is null"
            " and ($2::text is null or kind = $2) order by opened_ms, payment, hash limit $3",
            self._tenant, kind, most,
        )  # fmt: skip
        return [_case(row) for row in rows]

    async def states(self, payments: Iterable[str]) -> dict[str, int]:
        """How those of them stand that are payments (a case may speak of an account or a line)."""
        rows = await self._pool.fetch(
            "select id, state from payment where id = any((select $1::uuid[])::uuid[])"
            " and tenant = $2",
            list(payments), self._tenant,
        )  # fmt: skip
        return {row["id"].hex: row["state"] for row in rows}

    async def open(self, key: CaseKey, detail: str) -> bool:
        """Put something on somebody's desk; False when it lies there, or lay there, already."""
        row = await self._pool.fetchval(
            "insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
            " values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning true",
            *key, self._tenant, self._now_ms(), detail,
        )  # fmt: skip
        return bool(row)

    async def get(self, key: CaseKey) -> Case:
        """Raises StaffMistake when there is none."""
        row = await self._pool.fetchrow(
            "select * from case_file where payment = $1 and kind = $2 and hash = $3"
            " and tenant = $4",
            *key, self._tenant,
        )  # fmt: skip
        if row is None:
            raise StaffMistake(f"there is no case {key}")
        return _case(row)

    async def take(self, key: CaseKey, *, owner: Person, due_ms: int | None = None) -> Case:
        """Say who looks after an open case, and until when. Raises StaffMistake if it is closed."""
        row = await self._pool.fetchval(
            "update case_file set owner = $5, due_ms = coalesce($6, due_ms) where payment = $1"
            " and kind = $2 and hash = $3 and tenant = $4 and closed_ms is null returning true",
            *key, self._tenant, owner, due_ms,
        )  # fmt: skip
        case = await self.get(key)
        if not row:
            raise StaffMistake(f"{key} was closed by {case.closed_by}")
        return case

    async def close(self, key: CaseKey, *, by: Person, note: str) -> Case:
        """One person closes a case at which no money is at stake.

        Raises StaffMistake when its kind needs two, AlreadyDecided when somebody else was first.
        """
        if key.kind not in ONE_PERSON:
            raise StaffMistake(f"{key.kind} needs two people: capp propose CLOSE_CASE case={key}")
        return await self._close(key, by, note, None)

    async def close_by_two(self, proposal: Proposal) -> Outcome:
        """The executor: one person asked for it with a reason, another agreed."""
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, CaseClosing)
        key = read_key(body.case)
        await self._close(key, proposal.made_by, proposal.note, proposal.id)
        return done(f"{key.kind} is closed")

    def _check_key(self, body: CaseClosing) -> None:
        read_key(body.case)

    async def _close(self, key: CaseKey, by: Person, note: str, proposal_id: str | None) -> Case:
        note = read_line(note)
        await self._pool.execute(
            "update case_file set closed_ms = $5, closed_by = $6, note = $7, proposal = $8"
            " where payment = $1 and kind = $2 and hash = $3 and tenant = $4"
            " and closed_ms is null",
            *key, self._tenant, self._now_ms(), by, note, proposal_id,
        )  # fmt: skip
        case = await self.get(key)
        if (case.closed_by, case.note) != (by, note):
            raise AlreadyDecided(f"{key} was closed by {case.closed_by}: {case.note}")
        return case

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _case(row: Any) -> Case:
    return Case(
        CaseKey(row["payment"].hex, row["kind"], row["hash"].hex), row["opened_ms"],
        row["detail"], row["owner"], row["due_ms"], row["closed_ms"], row["closed_by"],
        row["note"],
    )  # fmt: skip
