"""Lists, and who was cleared against them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from engine.tables.base import metadata, required

screening_list = Table(
    "screening_list",
    metadata,
    required("tenant", Integer),
    required("source", Text),
    required("version", Integer),
    required("published", Text),
    required("loaded_ms", BigInteger),
    required("entry_count", Integer),
    required("digest", Text),
    required("entries", LargeBinary),
    PrimaryKeyConstraint("tenant", "source", "version"),
)

screening_confirmation = Table(
    "screening_confirmation",
    metadata,
    required("tenant", Integer),
    required("source", Text),
    required("confirmed_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "source"),
)

clearance = Table(
    "clearance",
    metadata,
    required("tenant", Integer),
    required("quote", Uuid),
    required("at_ms", BigInteger),
    required("payer", Text),
    required("payee", Text),
    required("minor", BigInteger),
    required("currency", Text),
    required("receives_minor", BigInteger),
    required("receives_currency", Text),
    required("action", SmallInteger, server_default="0"),
    Column("decision", Text),
    Column("people_sealed", Text),
    Column("decided_ms", BigInteger),
    Column("names_sealed", Text),
    PrimaryKeyConstraint("tenant", "quote"),
    Index("clearance_payer", "tenant", "payer", "at_ms"),
    Index("clearance_payee", "tenant", "payee", "at_ms"),
    Index("clearance_flagged", "tenant", "at_ms", postgresql_where=text("decision is not null")),
    Index(
        "clearance_decided",
        "tenant",
        "decided_ms",
        postgresql_where=text("decision is not null"),
    ),
)
