"""What the rail is to be asked, the places in our accounts' order, and the bytes signed for them.

The laws are the table's: one transaction holds a number at a time, one may happen for an errand at
a time, and bytes are here before they are anywhere else. Every change is a compare-and-set.
"""

from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.payments.settlement.state import ErrandState, Stage
from engine.ports import (
    DisputeAnswer,
    DisputeOpening,
    DisputeRefund,
    DisputeRuling,
    Found,
    Instruction,
    Prepared,
    Refusal,
    Settlement,
    Slot,
    Standing,
)

_KINDS: dict[str, type[Instruction]] = {
    "settlement": Settlement,
    "opening": DisputeOpening,
    "answer": DisputeAnswer,
    "ruling": DisputeRuling,
    "refund": DisputeRefund,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def kind_of(instruction: Instruction) -> str:
    """The word under which an instruction is stored."""
    return _NAMES[type(instruction)]


class Errand(NamedTuple):
    """One instruction, carried out once. `hash`, `version`, `fee` are of what ended it."""

    id: str
    account: str
    instruction: Instruction
    state: ErrandState
    due_ms: int
    refusals: int
    refusal: Refusal | None
    hash: bytes | None
    version: int | None
    fee: int | None


class Transaction(NamedTuple):
    """A place in an account's order. `prepared` is None while nothing signed for it is kept."""

    id: str
    errand: str | None
    slot: Slot
    stage: Stage
    prepared: Prepared | None


class ErrandStore:
    """The errands and transactions of one tenant."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant

    # Errands.

    async def want(
        self, errand_id: str, account: str, instruction: Instruction, now_ms: int
    ) -> None:
        """From now on the rail is to be asked for it. The first instruction of an id stays."""
        await self._pool.execute(
            "insert into settlement_errand (id, tenant, account, kind, instruction, state, due_ms)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
            errand_id, self._tenant, account, kind_of(instruction),
            msgspec.json.encode(instruction).decode(), int(ErrandState.WANTED), now_ms,
        )  # fmt: skip

    async def get(self, errand_id: str) -> Errand | None:
        row = await self._pool.fetchrow(
            "select * from settlement_errand where id = $1 and tenant = $2",
            errand_id, self._tenant,
        )  # fmt: skip
        return _errand(row) if row is not None else None

    async def wanted(self, account: str, now_ms: int, most: int) -> list[Errand]:
        """Those of an account whose time has come and for which nothing may happen yet."""
        rows = await self._pool.fetch(
            "select * from settlement_errand where tenant = $1 and account = $2"
            " and state in (1, 2) and state = $3 and due_ms <= $4 order by id limit $5",
            self._tenant, account, int(ErrandState.WANTED), now_ms, most,
        )  # fmt: skip
        return [_errand(row) for row in rows]

    async def first_made_ms(self, errand_id: str) -> int | None:
        """When a place was first taken for it."""
        found: int | None = await self._pool.fetchval(
            "select min(made_ms) from settlement_transaction where errand = $1 and tenant = $2",
            errand_id, self._tenant,
        )  # fmt: skip
        return found

    async def busy_accounts(self) -> list[str]:
        """Accounts that have something to send, or of which something may still happen."""
        rows = await self._pool.fetch(
            "select account from settlement_errand where tenant = $1 and state in (1, 2)"
            " union select account from settlement_transaction where tenant = $1"
            " and stage in (1, 2) order by 1",
            self._tenant,
        )
        return [row["account"] for row in rows]

    async def refuse(self, errand: Errand, refusal: Refusal) -> None:
        """The rail would refuse it now; no number was used."""
        await self._pool.execute(
            "update settlement_errand set state = $3, refusal = $4, refusals = refusals + 1"
            " where id = $1 and state = $2",
            errand.id, int(ErrandState.WANTED), int(ErrandState.REFUSED), refusal.value,
        )  # fmt: skip

    async def lapse(self, errand: Errand) -> None:
        """Its approvals are past, and nothing signed for it can happen any more."""
        await self._pool.execute(
            "update settlement_errand set state = $3 where id = $1 and state = $2",
            errand.id, int(errand.state), int(ErrandState.LAPSED),
        )  # fmt: skip

    async def want_again(self, errand: Errand, due_ms: int) -> None:
        """It was refused for a reason that may pass."""
        await self._pool.execute(
            "update settlement_errand set state = $3, due_ms = $4 where id = $1 and state = $2",
            errand.id, int(ErrandState.REFUSED), int(ErrandState.WANTED), due_ms,
        )  # fmt: skip

    # Places and bytes.

    async def live(self, account: str) -> list[Transaction]:
        """What of an account may still happen, in its order."""
        rows = await self._pool.fetch(
            "select * from settlement_transaction where tenant = $1 and account = $2"
            " and stage in (1, 2) order by number",
            self._tenant, account,
        )  # fmt: skip
        return [_transaction(row) for row in rows]

    async def live_count(self, account: str) -> int:
        """How many of an account may still happen."""
        found: int = await self._pool.fetchval(
            "select count(*) from settlement_transaction where tenant = $1 and account = $2"
            " and stage in (1, 2)",
            self._tenant, account,
        )  # fmt: skip
        return found

    async def oldest_signed(self, account: str) -> Transaction | None:
        """The next of an account that the rail may carry out."""
        row = await self._pool.fetchrow(
            "select * from settlement_transaction where tenant = $1 and account = $2"
            " and stage = 2 order by number limit 1",
            self._tenant, account,
        )  # fmt: skip
        return _transaction(row) if row is not None else None

    async def highest(self, account: str) -> int | None:
        """The highest number of ours that was used, or may be."""
        found: int | None = await self._pool.fetchval(
            "select max(number) from settlement_transaction"
            " where tenant = $1 and account = $2 and stage <> 5",
            self._tenant, account,
        )  # fmt: skip
        return found

    async def allocate(
        self, transaction_id: str, errand: Errand | None, slot: Slot, now_ms: int
    ) -> Transaction | None:
        """Take the first free number from `slot`'s on; for a filler, exactly that one.

        A number is free when nothing that may happen, or did, has it. The errand is under way from
        now on. None when somebody else was faster, or the errand has moved on.
        """
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                if errand is not None and not await connection.fetchval(
                    "update settlement_errand set state = $3, hash = null where id = $1"
                    " and state = $2 returning true",
                    errand.id, int(ErrandState.WANTED), int(ErrandState.UNDER_WAY),
                ):  # fmt: skip
                    return None
                row = await connection.fetchrow(
                    _ALLOCATE, transaction_id, self._tenant, errand.id if errand else None,
                    slot.account, slot.sequence_number, slot.expires_at, now_ms,
                )  # fmt: skip
        except asyncpg.UniqueViolationError:
            return None
        return _transaction(row) if row is not None else None

    async def keep(self, transaction: Transaction, prepared: Prepared) -> Transaction | None:
        """Keep what was signed. None when the place was given up: these bytes must not leave."""
        row = await self._pool.fetchrow(
            "update settlement_transaction set stage = $3, hash = $4, body = $5, fee_max = $6"
            " where id = $1 and stage = $2 returning *",
            transaction.id, int(Stage.ALLOCATED), int(Stage.SIGNED), prepared.hash, prepared.body,
            prepared.fee_max,
        )  # fmt: skip
        return _transaction(row) if row is not None else None

    async def give_up(self, transaction: Transaction) -> None:
        """It never will happen: its number is free, and its errand wanted as before.

        Of a place that nothing was signed for, nothing is worth keeping.
        """
        forget = "delete from settlement_transaction where id = $1 and stage = $2 returning true"
        mark = (
            f"update settlement_transaction set stage = {int(Stage.GONE)}"
            " where id = $1 and stage = $2 returning true"
        )
        sql = forget if transaction.stage is Stage.ALLOCATED else mark
        async with self._pool.acquire() as connection, connection.transaction():
            moved = await connection.fetchval(sql, transaction.id, int(transaction.stage))
            if moved and transaction.errand is not None:
                await connection.execute(
                    "update settlement_errand set state = $3 where id = $1 and state = $2",
                    transaction.errand,
                    int(ErrandState.UNDER_WAY),
                    int(ErrandState.WANTED),
                )

    async def end(self, transaction: Transaction, found: Found) -> None:
        """The rail decided: DONE, or REFUSED with its word. Once."""
        done = found.standing is Standing.DONE
        refusal = None if done else found.refusal or Refusal.OTHER
        async with self._pool.acquire() as connection, connection.transaction():
            moved = await connection.fetchval(
                "update settlement_transaction set stage = $3 where id = $1 and stage = $2"
                " returning true",
                transaction.id, int(transaction.stage), int(Stage.DONE if done else Stage.REFUSED),
            )  # fmt: skip
            if moved and transaction.errand is not None:
                assert transaction.prepared is not None
                state = ErrandState.DONE if done else ErrandState.REFUSED
                await connection.execute(
                    "update settlement_errand set state = $3, hash = $4, version = $5, fee = $6,"
                    " refusal = $7, refusals = refusals + $8 where id = $1 and state = $2",
                    transaction.errand, int(ErrandState.UNDER_WAY), int(state),
                    transaction.prepared.hash, found.version, found.fee,
                    refusal.value if refusal else None, 0 if done else 1,
                )  # fmt: skip

    async def called_over(self, account: str, number: int, rail_seconds: int) -> list[Transaction]:
        """What the rail called done or refused from `number` on, and is too late for by now."""
        rows = await self._pool.fetch(
            "select * from settlement_transaction where tenant = $1 and account = $2"
            " and stage <> 5 and stage in (3, 4) and number >= $3 and expires_at < $4"
            " order by number",
            self._tenant, account, number, rail_seconds,
        )  # fmt: skip
        return [_transaction(row) for row in rows]

    async def ended_by(self, errand: Errand) -> Transaction | None:
        """What was signed for it and is said to have ended it."""
        row = await self._pool.fetchrow(
            "select * from settlement_transaction where errand = $1 and tenant = $2 and hash = $3",
            errand.id, self._tenant, errand.hash,
        )  # fmt: skip
        return _transaction(row) if row is not None else None

    async def free(self, transaction: Transaction) -> bool:
        """It was called over and never was: its number is free. Its errand stays as it is."""
        moved = await self._pool.fetchval(
            f"{_FREE} returning true", transaction.id, int(transaction.stage), int(Stage.GONE)
        )
        return bool(moved)

    async def want_anew(self, errand: Errand, transaction: Transaction) -> bool:
        """What is said to have ended it never was: it is wanted as before, and its number is free.

        False when it has moved on.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            moved = await connection.fetchval(
                "update settlement_errand set state = $3, hash = null, version = null, fee = null"
                " where id = $1 and state = $2 and hash = $4 returning true",
                errand.id, int(ErrandState.DONE), int(ErrandState.WANTED), errand.hash,
            )  # fmt: skip
            if moved:
                await connection.execute(_FREE, transaction.id, int(Stage.DONE), int(Stage.GONE))
        return bool(moved)

    async def taken_from(self, account: str, number: int) -> set[int]:
        """Numbers from `number` on that something of ours has."""
        rows = await self._pool.fetch(
            "select number from settlement_transaction where tenant = $1 and account = $2"
            " and stage <> 5 and number >= $3",
            self._tenant, account, number,
        )  # fmt: skip
        return {row["number"] for row in rows}

    # One process at a time.

    async def hold(self, account: str, holder: str, now_ms: int, until_ms: int) -> bool:
        """Whether `holder` alone sends from the account until then. Safe to repeat."""
        row = await self._pool.fetchval(
            "insert into settlement_account as a (tenant, account, holder, lease_until_ms)"
            " values ($1, $2, $3, $4) on conflict (tenant, account) do update"
            " set holder = excluded.holder, lease_until_ms = excluded.lease_until_ms"
            " where a.holder = excluded.holder or a.lease_until_ms <= $5"
            # A lease that ends in a far future was given by a clock that has been set back.
            " or a.lease_until_ms > $5 + 3600000 returning true",
            self._tenant, account, holder, until_ms, now_ms,
        )  # fmt: skip
        return bool(row)

    async def let_go(self, account: str, holder: str) -> None:
        """Somebody else may send from it. Safe to repeat."""
        await self._pool.execute(
            "update settlement_account set lease_until_ms = 0 where tenant = $1 and account = $2"
            " and holder = $3",
            self._tenant, account, holder,
        )  # fmt: skip


_FREE = "update settlement_transaction set stage = $3 where id = $1 and stage = $2"

_ALLOCATE = """
with taken as (
  select number from settlement_transaction
   where tenant = $2 and account = $4 and stage <> 5 and number >= $5)
insert into settlement_transaction (id, tenant, errand, account, number, expires_at, stage, made_ms)
select $1, $2, $3, $4, n, $6, 1, $7
  from (select $5::bigint as n union select number + 1 from taken) c
 where not exists (select from taken t where t.number = c.n)
   and ($3::uuid is not null or c.n = $5)
 order by n limit 1
returning *"""


def _errand(row: Any) -> Errand:
    hash_, refusal = row["hash"], row["refusal"]
    return Errand(
        row["id"].hex, row["account"],
        msgspec.json.decode(row["instruction"], type=_KINDS[row["kind"]]),
        ErrandState(row["state"]), row["due_ms"], row["refusals"],
        Refusal(refusal) if refusal is not None else None,
        bytes(hash_) if hash_ is not None else None, row["version"], row["fee"],
    )  # fmt: skip


def _transaction(row: Any) -> Transaction:
    slot = Slot(row["account"], row["number"], row["expires_at"])
    body, errand = row["body"], row["errand"]
    prepared = Prepared(slot, bytes(row["hash"]), bytes(body), row["fee_max"]) if body else None
    return Transaction(
        row["id"].hex, errand.hex if errand is not None else None, slot, Stage(row["stage"]),
        prepared,
    )  # fmt: skip
