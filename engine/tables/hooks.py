"""Who is told of payments, what is told, and every try to tell it."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
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

hook_subscription = Table(
    "hook_subscription",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    Column("client", Uuid),
    required("url", Text),
    required("events", ARRAY(Text)),
    required("whole_numbers", Boolean),
    required("state", Text),
    required("why", Text, server_default=""),
    required("made_ms", BigInteger),
    Column("failing_since_ms", BigInteger),
    CheckConstraint("state in ('active', 'paused', 'removed')", name="hook_state_is_known"),
    Index("hook_subscription_live", "tenant", "id", postgresql_where=text("state <> 'removed'")),
)

hook_secret = Table(
    "hook_secret",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("subscription", Uuid),
    required("key_version", Integer),
    required("sealed", LargeBinary),
    required("made_ms", BigInteger),
    Column("until_ms", BigInteger),
    Column("overlap_ms", BigInteger),
    Index("hook_secret_subscription", "tenant", "subscription"),
)

hook_look = Table(
    "hook_look",
    metadata,
    Column("tenant", Integer, primary_key=True, autoincrement=False),
    required("looked_ms", BigInteger),
    required("again_ms", BigInteger),
)

hook_event = Table(
    "hook_event",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("payment", Uuid),
    required("sequence", Integer),
    Column("client", Uuid),
    required("kind", Text),
    required("state", SmallInteger),
    required("terms", Integer),
    required("at_ms", BigInteger),
    UniqueConstraint("tenant", "payment", "sequence"),
    Index("hook_event_newest", "tenant", "id"),
    Index(
        "hook_event_of_client",
        "tenant",
        "client",
        "id",
        postgresql_where=text("client is not null"),
    ),
)

hook_delivery = Table(
    "hook_delivery",
    metadata,
    required("event", Uuid),
    required("subscription", Uuid),
    required("tenant", Integer),
    required("payment", Uuid),
    required("sequence", Integer),
    required("state", SmallInteger),
    required("made_ms", BigInteger),
    required("begun_ms", BigInteger),
    Column("due_ms", BigInteger),
    required("attempts", Integer, server_default="0"),
    Column("last_ms", BigInteger),
    Column("last_status", SmallInteger),
    required("last_failure", Text, server_default=""),
    PrimaryKeyConstraint("event", "subscription"),
    CheckConstraint("(state = 1) = (due_ms is not null)", name="waiting_is_due"),
    Index(
        "hook_delivery_due", "subscription", "due_ms", "event", postgresql_where=text("state = 1")
    ),
    Index(
        "hook_delivery_order",
        "subscription",
        "payment",
        "sequence",
        postgresql_where=text("state = 1"),
    ),
    Index("hook_delivery_newest", "tenant", "subscription", "event"),
)

hook_attempt = Table(
    "hook_attempt",
    metadata,
    required("event", Uuid),
    required("subscription", Uuid),
    required("number", Integer),
    required("tenant", Integer),
    required("at_ms", BigInteger),
    required("elapsed_ms", Integer),
    Column("status", SmallInteger),
    required("failure", Text),
    PrimaryKeyConstraint("event", "subscription", "number"),
)
