"""The auditor's own books about the books."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)

from engine.tables.base import metadata, required

audit_block = Table(
    "audit_block",
    metadata,
    required("tenant", Integer),
    required("partition", Text),
    required("number", Integer),
    required("from_ms", BigInteger),
    required("to_ms", BigInteger),
    required("entries", BigInteger),
    required("digest", LargeBinary),
    required("hash", LargeBinary),
    required("snapshot", Text),
    required("checked_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "partition", "number"),
    Index("audit_block_checked", "tenant", "checked_ms"),
)

audit_fence = Table(
    "audit_fence",
    metadata,
    Column("tenant", Integer, primary_key=True, autoincrement=False),
    required("until_ms", BigInteger),
)

audit_late = Table(
    "audit_late",
    metadata,
    required("payment", Uuid),
    required("version", Integer),
    required("tenant", Integer),
    required("partition", Text),
    required("digest", LargeBinary),
    required("found_ms", BigInteger),
    PrimaryKeyConstraint("payment", "version"),
)

audit_sum = Table(
    "audit_sum",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    required("tenant", Integer),
    required("minor", BigInteger),
)

audit_position = Table(
    "audit_position",
    metadata,
    required("tenant", Integer),
    required("payment", Uuid),
    required("account", BigInteger),
    required("minor", BigInteger),
    PrimaryKeyConstraint("payment", "account"),
)
