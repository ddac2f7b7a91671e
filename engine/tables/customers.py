"""Who dials, whom they pay, and numbers that moved to another operator."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from engine.tables.base import metadata, required

customer = Table(
    "customer",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("msisdn", Text),
    required("country", Text),
    required("language", Text),
    required("tier", SmallInteger),
    Column("pin_mac", LargeBinary),
    Column("pin_key", SmallInteger),
    required("pin_failures", SmallInteger, server_default="0"),
    Column("pin_locked_until", DateTime(timezone=True)),
    required("created_at", DateTime(timezone=True)),
    Column("name", Text),
    Column("born", Date),
    required("pin_locks", SmallInteger, server_default="0"),
    Column("pin_reset_asked_at", DateTime(timezone=True)),
    Column("pin_reset_until", DateTime(timezone=True)),
    Column("pin_reset_by", Uuid),
    Column("tier_paused_until", DateTime(timezone=True)),
    Column("network", Text),
    Column("network_since_ms", BigInteger),
    Column("msisdn_sealed", Text),
    Column("erased_ms", BigInteger),
    Column("pin_guess", LargeBinary),
    UniqueConstraint("tenant", "msisdn"),
    CheckConstraint("(network is null) = (network_since_ms is null)", name="network_has_a_time"),
)

ported_number = Table(
    "ported_number",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("msisdn", Text),
    Column("operator", Text),
    required("put_down_by", Text),
    required("why", Text),
    required("at_ms", BigInteger),
    Index("ported_number_msisdn", "tenant", "msisdn", "id"),
)

recipient = Table(
    "recipient",
    metadata,
    required("tenant", Integer),
    required("customer_id", Uuid),
    required("msisdn", Text),
    required("name", Text),
    required("saved_at", DateTime(timezone=True)),
    Column("msisdn_sealed", Text),
    PrimaryKeyConstraint("tenant", "customer_id", "msisdn"),
)
