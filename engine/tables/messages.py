"""SMS that left, and that came."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
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

sms_message = Table(
    "sms_message",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("payment", Uuid),
    required("tenant", Integer),
    required("template", Text),
    required("status", Text),
    required("message_id", Text),
    required("at_ms", BigInteger),
    required("gateway", Text, server_default=""),
    Column("segments", SmallInteger),
    Column("counted", SmallInteger),
    Index("sms_message_payment", "payment"),
    Index("sms_message_unknown", "tenant", "at_ms", postgresql_where=text("status = 'unknown'")),
    postgresql_partition_by="RANGE (id)",
)

sms_report = Table(
    "sms_report",
    metadata,
    required("message_id", Text),
    required("status", Text),
    required("tenant", Integer),
    Column("delivered", Boolean),
    required("failure", Text),
    required("at_ms", BigInteger),
    Column("message", Uuid),
    PrimaryKeyConstraint("message_id", "status"),
    Index("sms_report_message", "message", postgresql_where=text("message is not null")),
    Index("sms_report_at", "tenant", "at_ms"),
)

sms_opt_out = Table(
    "sms_opt_out",
    metadata,
    required("tenant", Integer),
    required("msisdn", Text),
    required("since_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "msisdn"),
)

sms_inbound = Table(
    "sms_inbound",
    metadata,
    required("tenant", Integer),
    required("gateway", Text),
    required("message_id", Text),
    required("at_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "gateway", "message_id"),
    Index("sms_inbound_at", "tenant", "at_ms"),
)
