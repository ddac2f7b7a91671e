"""Businesses that use the API: their keys, what they asked and were answered."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from engine.tables.base import metadata, required

client = Table(
    "client",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("name", Text),
    required("made_ms", BigInteger),
    UniqueConstraint("tenant", "name"),
    CheckConstraint("name = lower(btrim(name)) and name <> ''", name="client_name_is_plain"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("client", Uuid),
    required("scopes", ARRAY(Text)),
    required("mac", LargeBinary),
    required("mac_key", SmallInteger),
    required("made_ms", BigInteger),
    Column("expires_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("ended_by", Text),
    Column("used_ms", BigInteger),
    Column("replaced_by", Uuid),
    CheckConstraint("(ended_ms is null) = (ended_by is null)", name="key_ended_by_somebody"),
    CheckConstraint("length(mac) = 32", name="key_has_a_mac"),
    Index("api_key_client", "tenant", "client"),
)

client_request = Table(
    "client_request",
    metadata,
    required("tenant", Integer),
    required("client", Uuid),
    required("key", Text(collation="C")),
    required("hash", LargeBinary),
    required("operation", Uuid),
    required("begun_ms", BigInteger),
    Column("status", SmallInteger),
    Column("answer", LargeBinary),
    PrimaryKeyConstraint("tenant", "client", "key"),
    CheckConstraint("(status is null) = (answer is null)", name="client_answered_whole"),
    Index("client_request_begun", "tenant", "begun_ms"),
)

client_quote = Table(
    "client_quote",
    metadata,
    required("tenant", Integer),
    required("client", Uuid),
    required("key", Text(collation="C")),
    required("hash", LargeBinary),
    required("id", Uuid),
    required("quote", Text),
    required("expires_at", BigInteger),
    Column("taken_by", Text(collation="C")),
    PrimaryKeyConstraint("tenant", "client", "key"),
    UniqueConstraint("tenant", "id"),
    Index("client_quote_expires", "tenant", "expires_at"),
)

liquidity_reservation = Table(
    "liquidity_reservation",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("client", Uuid),
    required("account", BigInteger),
    required("amount_minor", BigInteger),
    required("made_ms", BigInteger),
    required("expires_ms", BigInteger),
    Column("ended_ms", BigInteger),
    UniqueConstraint("account"),
    CheckConstraint("amount_minor > 0", name="reserves_something"),
    CheckConstraint(
        "account >> 42 = tenant and (account >> 24 & 255) = 26", name="account_is_its_own"
    ),
    Index(
        "liquidity_reservation_open",
        "tenant",
        "expires_ms",
        postgresql_where=text("ended_ms is null"),
    ),
)
