"""Keys that people's data is sealed with, each wrapped by a key that is not in this database."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from engine.tables.base import metadata, required

data_key = Table(
    "data_key",
    metadata,
    required("tenant", Integer),
    required("purpose", Text),
    required("version", Integer),
    required("wrapped", LargeBinary),
    required("wrapped_by", Integer),
    required("made_ms", BigInteger),
    required("since_ms", BigInteger),
    Column("retired_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "purpose", "version"),
    CheckConstraint("purpose in ('data', 'index')", name="data_key_purpose_is_known"),
)
