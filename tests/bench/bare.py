"""The bare limits: the rows of stored lives once more, by plain batched inserts or by COPY.

Every row is sent with what it says itself, under fresh ids, as whoever stores different rows has
to. Nothing is checked, no balance moves, nothing is updated or deleted.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from engine.clock import Ids
from engine.payments.lifecycle import State
from engine.payments.notices import SMS
from engine.ports import Direction
from tests.bench.lives import TENANT

TABLES: Final = ("payment_key", "payment", "journal", "attempt", "evidence")
_OWN: Final = frozenset({"id", "attempt", "key", "hash", "customer"})
"""Besides `payment`, what is drawn anew for every row, so that nothing is there twice."""
_INTENTS: Final = (
    (Direction.COLLECT, None), (Direction.DISBURSE, None),
    (SMS, "receipt_payer:payer:"), (SMS, "receipt_payee:payee:"),
)  # fmt: skip
"""What a life leaves in the outbox, and what is struck off again: kind and payload."""
_NUMBERS: Final = frozenset({"smallint", "integer", "bigint"})

Columns = Sequence[Sequence[Any]]


class Table(NamedTuple):
    """One table's rows as they were read, a column each."""

    name: str
    names: tuple[str, ...]
    columns: Columns
    as_text: tuple[bool, ...]
    insert: str  # any number of its rows by one statement

    def renamed(self, payments: dict[Any, str], attempts: dict[Any, str], ids: Ids) -> Columns:
        """The same rows of other payments. `attempts` learns the ids of those, of their table."""
        anew: list[Sequence[Any]] = []
        for name, column in zip(self.names, self.columns, strict=True):
            if name == "payment" or (name, self.name) == ("id", "payment"):
                anew.append([payments[value] for value in column])
            elif name == "attempt":
                anew.append([attempts[value] for value in column])
            elif name in _OWN:
                fresh = [ids.hex() for _ in column]
                if self.name == "attempt":
                    attempts.update(zip(column, fresh, strict=True))
                anew.append(fresh)
            else:
                anew.append(column)
        return anew


def _table(name: str, names: Sequence[str], types: Sequence[str], columns: Columns) -> Table:
    """Text takes the place of what the house's encoders cannot send: of arrays, for `unnest` takes
    an array of them apart, and of numbers of which some are null.
    """
    as_text = [
        kind.endswith("[]") or (kind in _NUMBERS and None in column)
        for kind, column in zip(types, columns, strict=True)
    ]
    sent = ", ".join(
        f"${n}::{'text' if is_text else kind}[]"
        for n, (kind, is_text) in enumerate(zip(types, as_text, strict=True), 1)
    )
    read = ", ".join(f"{n}::{kind}" for n, kind in zip(names, types, strict=True))
    into = ", ".join(names)
    insert = f"insert into {name} ({into}) select {read} from unnest({sent}) u({into})"
    return Table(name, tuple(names), columns, tuple(as_text), insert)


class Pattern(NamedTuple):
    """So many whole lives; the outbox last."""

    payments: Sequence[Any]
    tables: tuple[Table, ...]


Write = Callable[[Any, Table, Columns], Awaitable[Any]]


async def read_pattern(connection: Any, count: int) -> Pattern:
    """`count` finished lives, drawn by chance. Their intents are gone by then, and made up."""
    found = await connection.fetch(
        "select id from payment where state = $1 order by random() limit $2", State.PAID, count
    )
    payments = [row["id"] for row in found]
    tables = [await _read(connection, name, payments) for name in TABLES]
    return Pattern(payments, (*tables, _outbox(payments)))


async def _read(connection: Any, name: str, payments: Sequence[Any]) -> Table:
    typed = await connection.fetch(
        "select attname, format_type(atttypid, null) as type from pg_attribute"
        " where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum",
        name,
    )
    own = "id" if name == "payment" else "payment"
    rows = await connection.fetch(f"select * from {name} where {own} = any($1)", payments)
    columns = list(zip(*map(tuple, rows), strict=True))
    return _table(name, [t["attname"] for t in typed], [t["type"] for t in typed], columns)


def _outbox(payments: Sequence[Any]) -> Table:
    rows = [
        (None, payment, TENANT, kind, payload, 0, 0) for payment in payments
        for kind, payload in _INTENTS
    ]  # fmt: skip
    return _table(
        "outbox",
        ("id", "payment", "tenant", "kind", "payload", "not_before", "lease_until"),
        ("uuid", "uuid", "integer", "smallint", "text", "bigint", "bigint"),
        list(zip(*rows, strict=True)),
    )


async def write_lives(connection: Any, pattern: Pattern, ids: Ids, write: Write) -> None:
    """The pattern's lives under fresh ids, in one transaction."""
    payments = {payment: ids.hex() for payment in pattern.payments}
    attempts: dict[Any, str] = {}
    async with connection.transaction():
        # No payment begins at its end, as these do.
        await connection.execute("set local session_replication_role = replica")
        for table in pattern.tables:
            await write(connection, table, table.renamed(payments, attempts, ids))


async def insert(connection: Any, table: Table, columns: Columns) -> None:
    """Rows of one table by one statement, a column an array."""
    sent = [
        [None if value is None else _text_of(value) for value in column] if as_text else column
        for column, as_text in zip(columns, table.as_text, strict=True)
    ]
    await connection.execute(table.insert, *sent)


def _text_of(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"{{{','.join(map(str, value))}}}"


async def copy(connection: Any, table: Table, columns: Columns) -> None:
    """Rows of one table by COPY: the least that Postgres takes for them."""
    rows = zip(*columns, strict=True)
    await connection.copy_records_to_table(table.name, records=rows, columns=table.names)


BARE: Final[dict[str, Write]] = {"bare": insert, "copied": copy}
"""The limits, by the names of their rows in the table."""
