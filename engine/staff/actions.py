"""The log of what staff read and did: one row each, append-only (`migrations/sql/0013_staff.sql`).

What changes something is written down before it is done, and its outcome afterwards, once. A row
without an outcome says that a process died in between: the effect may be there.
"""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, NamedTuple

from engine.clock import Clock, Ids, PaymentId, epoch_of, first_id_at, is_id, made_at
from engine.errors import StaffMistake
from engine.ledger.entries import MANUAL_FROM
from engine.payments.codes import find_by_code
from engine.payments.payment import code_of, read_code
from engine.staff.members import SessionId

TEXT_MAX = 200
CLOCKS_APART = timedelta(minutes=15)
"""So far may the clocks of two processes be from each other, and not more."""
OPEN_SECONDS = 600
"""So long may an outcome be written; later the row may be sealed as it is (`sealing.py`)."""


log = logging.getLogger(__name__)

# A number as somebody types it where a code belongs: it stands apart from letters, which of ids and
# nearly all codes no nine digits do.
_NUMBER = re.compile(r"(?<![0-9A-Za-z])(\+?)(\d(?:[ -]?\d){8,14})(?![0-9A-Za-z])")


class Action(NamedTuple):
    """Who does what to which subject; `correlation_id` is the one the answer names."""

    who: str
    what: str
    subject: str = ""
    session_id: SessionId | None = None  # None: at the terminal
    correlation_id: str | None = None


class Logged(NamedTuple):
    """A row as it is stored. `ended_ms` and `outcome` are None when nobody knows how it ended."""

    id: str
    action: Action
    outcome: str | None
    ended_ms: int | None


class Actions:
    """The log of one tenant. Every method raises what the pool raises: nothing goes unlogged."""

    def __init__(self, pool: Any, tenant: int, clock: Clock, ids: Ids) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._ids = ids

    async def begin(self, action: Action) -> str:
        """Write down what is about to be done; the row's id."""
        return await self._insert(action, None, None)

    async def end(self, row_id: str, outcome: str) -> None:
        """How it ended. The first word counts; a second is refused by the database's own law.

        Nothing is written of what took longer than `OPEN_SECONDS`.
        """
        if self._clock.epoch() - epoch_of(row_id) > OPEN_SECONDS:
            log.error("action %s ended %r too late to be written down", row_id, outcome[:TEXT_MAX])
            return
        await self._pool.execute(
            "update staff_action set outcome = $3, ended_ms = $4 where id = $1 and tenant = $2"
            " and outcome is null",
            row_id, self._tenant, outcome[:TEXT_MAX], self._now_ms(),
        )  # fmt: skip

    @asynccontextmanager
    async def doing(self, action: Action, outcome: str = "ok") -> AsyncIterator[None]:
        """Around what is done: written down before it, and `outcome` after it.

        What is refused (StaffMistake) is written down as that. Whatever else is raised leaves the
        row without an outcome: the effect may be there.
        """
        row_id = await self.begin(action)
        try:
            yield
        except StaffMistake:
            await self.end(row_id, "refused")
            raise
        await self.end(row_id, outcome)

    async def write(self, action: Action, outcome: str) -> None:
        """What was read, or refused: all of it in one row."""
        await self._insert(action, outcome[:TEXT_MAX], self._now_ms())

    async def about(self, subject: str, most: int = 100) -> list[Logged]:
        """What was read or done about a subject, the newest first.

        A payment's code, its id and the ids of its attempts are one subject, however they were
        written: whoever looked by one of them is named by each.
        """
        payment_id = await self._payment_of(subject)
        if payment_id is None:
            rows = await self._pool.fetch(
                "select * from staff_action where tenant = $1 and subject = any($2::text[])"
                " order by id desc limit $3",
                self._tenant, [subject, _without_number(subject)], most,
            )  # fmt: skip
        else:
            since, code = first_id_at(made_at(payment_id) - CLOCKS_APART), code_of(payment_id)
            rows = await self._pool.fetch(
                _ABOUT_PAYMENT, self._tenant, since, payment_id, code, most, _without_number(code)
            )
        return [_logged(row) for row in rows]

    async def _payment_of(self, subject: str) -> PaymentId | None:
        plain = subject.strip().replace("-", "").lower()
        if is_id(plain):
            row = await self._pool.fetchrow(
                "select id from payment where id = $1 and tenant = $2 and state < $3"
                " union all select payment from attempt where id = $1 and tenant = $2",
                plain, self._tenant, MANUAL_FROM,
            )  # fmt: skip
            return PaymentId(row["id"].hex) if row else None
        code = read_code(subject)
        return None if code is None else await find_by_code(self._pool, self._tenant, code)

    async def _insert(self, action: Action, outcome: str | None, ended_ms: int | None) -> str:
        row_id = self._ids.hex()
        await self._pool.execute(
            "insert into staff_action (id, tenant, who, session, what, subject, correlation,"
            " outcome, ended_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            row_id, self._tenant, action.who[:TEXT_MAX], action.session_id, action.what,
            _without_number(action.subject)[:TEXT_MAX], action.correlation_id, outcome, ended_ms,
        )  # fmt: skip
        return row_id

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _without_number(subject: str) -> str:
    """What the log keeps of a subject: `07*****678` where it is a number, as `Msisdn.masked`.

    One code in a hundred thousand has no letter and is kept so as well.
    """
    if is_id(subject.replace("-", "").lower()):
        return subject
    return _NUMBER.sub(_masked, subject)


def _masked(number: re.Match[str]) -> str:
    digits = "".join(sign for sign in number[2] if sign.isdigit())
    return f"{number[1]}{digits[:-8]}*****{digits[-3:]}"


# No index knows all ways to write a name, but nothing was done about a payment before it was made.
# Codes as `read_code` reads them.
_ABOUT_PAYMENT: Final = """
select s.* from staff_action s
 cross join lateral (select replace(lower(s.subject), '-', '') as id) plain
 cross join lateral (select case when plain.id ~ '^[0-9a-f]{32}$' then plain.id::uuid end as id) n
 where s.tenant = $1 and s.id >= $2
   and (n.id = $3 or translate(upper(s.subject), 'ILO -', '110') = $4 or s.subject = $6
        or exists (select 1 from attempt a where a.id = n.id and a.payment = $3))
 order by s.id desc limit $5"""


def _logged(row: Any) -> Logged:
    session, correlation = row["session"], row["correlation"]
    action = Action(
        row["who"], row["what"], row["subject"], session.hex if session else None,
        correlation.hex if correlation else None,
    )  # fmt: skip
    return Logged(row["id"].hex, action, row["outcome"], row["ended_ms"])
