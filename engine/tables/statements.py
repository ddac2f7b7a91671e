"""Operators' statements and balances."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from engine.tables.base import metadata, required

statement_file = Table(
    "statement_file",
    metadata,
    required("tenant", Integer),
    required("operator", Text),
    required("day", Date),
    required("hash", Uuid),
    required("lines", Integer),
    required("doubled", Integer),
    required("gaps", Integer),
    required("taken_ms", BigInteger),
    Column("opening_minor", BigInteger),
    Column("closing_minor", BigInteger),
    Column("taken_by", Text),
    Column("sha256", Text),
    PrimaryKeyConstraint("tenant", "operator", "day", "hash"),
)

statement_line = Table(
    "statement_line",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("operator", Text),
    required("day", Date),
    required("receipt", Text),
    Column("reference", Text),
    required("side", SmallInteger),
    required("minor", BigInteger),
    required("fee_minor", BigInteger),
    required("currency", Text),
    Column("counterparty", Text),
    required("completed_ms", BigInteger),
    Column("balance_minor", BigInteger),
    required("raw_hash", Uuid),
    required("taken_ms", BigInteger),
    required("class", SmallInteger, server_default="0"),
    Column("attempt", Uuid),
    Column("suspended_ms", BigInteger),
    Column("proved_ms", BigInteger),
    CheckConstraint("minor > 0 and fee_minor >= 0", name="moves_something"),
    Index("statement_line_day", "tenant", "operator", "day"),
    Index("statement_line_attempt", "attempt", postgresql_where=text("attempt is not null")),
    Index(
        "statement_line_proved",
        "tenant",
        "proved_ms",
        postgresql_where=text("proved_ms is not null"),
    ),
)

balance_question = Table(
    "balance_question",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("operator", Text),
    required("look", Uuid),
    required("account", Text),
    required("asked_ms", BigInteger),
    Column("told_ms", BigInteger),
    Column("minor", BigInteger),
    Index("balance_question_look", "look"),
)

balance_look = Table(
    "balance_look",
    metadata,
    Column("look", Uuid, primary_key=True),
    Column("n", BigInteger, Identity(always=True)),
    required("tenant", Integer),
    required("operator", Text),
    required("at_ms", BigInteger),
    required("is_snapshot", Boolean),
    required("theirs_minor", BigInteger),
    required("float_minor", BigInteger),
    required("leaving_minor", BigInteger),
    required("arriving_minor", BigInteger),
    required("unbooked_minor", BigInteger),
    required("drift_minor", BigInteger),
    Index("balance_look_newest", "tenant", "operator", "is_snapshot", "at_ms"),
)

receipt_amount = Table(
    "receipt_amount",
    metadata,
    required("tenant", Integer),
    required("operator", Text),
    required("receipt", Text),
    required("minor", BigInteger),
    PrimaryKeyConstraint("tenant", "operator", "receipt"),
    CheckConstraint("minor > 0", name="receipt_is_of_something"),
)
