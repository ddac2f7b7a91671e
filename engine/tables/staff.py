"""Who of us may do what over the API, and the log of it."""

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
)

from engine.tables.base import metadata, required

staff_member = Table(
    "staff_member",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("name", Text),
    required("roles", ARRAY(Text)),
    required("made_ms", BigInteger),
    UniqueConstraint("tenant", "name"),
    CheckConstraint("name = lower(btrim(name)) and name <> ''", name="staff_name_is_plain"),
    CheckConstraint(
        "roles <@ array['support', 'finance', 'compliance', 'admin']", name="staff_roles_are_known"
    ),
)

staff_session = Table(
    "staff_session",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("member", Uuid),
    required("made_ms", BigInteger),
    required("expires_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("ended_by", Text),
    CheckConstraint("(ended_ms is null) = (ended_by is null)", name="ended_by_somebody"),
    Index("staff_session_member", "tenant", "member"),
)

staff_action = Table(
    "staff_action",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("who", Text),
    Column("session", Uuid),
    required("what", Text),
    required("subject", Text),
    Column("correlation", Uuid),
    Column("outcome", Text),
    Column("ended_ms", BigInteger),
    CheckConstraint("(outcome is null) = (ended_ms is null)", name="ended_with_an_outcome"),
    Index("staff_action_subject", "tenant", "subject", "id"),
)

staff_action_block = Table(
    "staff_action_block",
    metadata,
    required("tenant", Integer),
    required("number", Integer),
    required("first", Uuid),
    required("last", Uuid),
    required("marks", LargeBinary),
    required("hash", LargeBinary),
    required("sealed_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "number"),
    CheckConstraint("length(marks) > 0 and length(marks) % 8 = 0", name="block_has_marks"),
)

staff_request = Table(
    "staff_request",
    metadata,
    required("tenant", Integer),
    required("member", Uuid),
    required("key", Text(collation="C")),
    required("hash", LargeBinary),
    required("operation", Uuid),
    required("begun_ms", BigInteger),
    Column("status", SmallInteger),
    Column("answer", LargeBinary),
    PrimaryKeyConstraint("tenant", "member", "key"),
    CheckConstraint("(status is null) = (answer is null)", name="answered_whole"),
    Index("staff_request_begun", "tenant", "begun_ms"),
)
