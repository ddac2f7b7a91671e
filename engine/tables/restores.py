"""From which databases these rows have been served."""

from sqlalchemy import BigInteger, Integer, PrimaryKeyConstraint, Table, Text

from engine.tables.base import metadata, required

database_seen = Table(
    "database_seen",
    metadata,
    required("tenant", Integer),
    required("since_ms", BigInteger),
    required("identity", Text),
    PrimaryKeyConstraint("tenant", "since_ms"),
)
