"""What operators and we said to each other."""

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Table, Text, Uuid, text

from engine.tables.base import metadata, required

traffic = Table(
    "traffic",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("at_ms", BigInteger),
    required("way", SmallInteger),
    required("operator", Text),
    required("operation", Text),
    Column("attempt", Uuid),
    required("outcome", Text),
    Column("status", SmallInteger),
    required("source", Text),
    Column("elapsed_ms", Integer),
    required("asked", Text),
    required("answered", Text),
    Column("evidence", Uuid),
    required("times", BigInteger),
    Index("traffic_attempt", "attempt", postgresql_where=text("attempt is not null")),
)
