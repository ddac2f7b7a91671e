"""Every table, as SQLAlchemy sees it: for migrations to compare with and read models to query.

The hot path does not come through here; `engine/ledger/commit.py` speaks to Postgres directly.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

metadata = MetaData()


def _required(name: str, kind: object, **options: object) -> Column[object]:
    return Column(name, kind, nullable=False, **options)  # type: ignore[arg-type]


payment = Table(
    "payment",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("state", SmallInteger),
    _required("version", Integer),
    Column("due", BigInteger),
    Column("live", Uuid),
    Column("customer", Uuid),
    Index("payment_due", "due", postgresql_where=text("due is not null")),
    Index("payment_customer", "customer", "id", postgresql_where=text("customer is not null")),
    postgresql_partition_by="RANGE (id)",
)

payment_key = Table(
    "payment_key",
    metadata,
    _required("tenant", Integer),
    _required("key", Text(collation="C")),
    _required("payment", Uuid),
    _required("hash", Uuid),
    PrimaryKeyConstraint("tenant", "key"),
)

journal = Table(
    "journal",
    metadata,
    _required("payment", Uuid),
    _required("version", Integer),
    _required("tenant", Integer),
    _required("state", SmallInteger),
    _required("at_ms", BigInteger),
    _required("debits", ARRAY(BigInteger)),
    _required("credits", ARRAY(BigInteger)),
    _required("amounts", ARRAY(BigInteger)),
    Column("facts", Text),
    PrimaryKeyConstraint("payment", "version"),
    postgresql_partition_by="RANGE (payment)",
)

balance = Table(
    "balance",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    _required("guarded", Boolean),
    _required("amount", BigInteger, server_default="0"),
    CheckConstraint("id >> 32 > 0", name="account_has_a_book"),
    CheckConstraint("amount >= 0 or not guarded", name="never_below_zero"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("payment", Uuid),
    _required("tenant", Integer),
    _required("direction", SmallInteger),
    _required("operator", SmallInteger),
    postgresql_partition_by="RANGE (id)",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("payment", Uuid),
    _required("tenant", Integer),
    _required("kind", SmallInteger),
    Column("payload", Text),
    _required("not_before", BigInteger),
    _required("lease_until", BigInteger),
    Column("sent_at", BigInteger),
    Index("outbox_lease", "lease_until"),
)

evidence = Table(
    "evidence",
    metadata,
    _required("attempt", Uuid),
    _required("hash", Uuid),
    _required("payment", Uuid),
    _required("tenant", Integer),
    _required("at_ms", BigInteger),
    _required("source", SmallInteger),
    _required("body", Text),
    PrimaryKeyConstraint("attempt", "hash"),
    postgresql_partition_by="RANGE (attempt)",
)

case_file = Table(
    "case_file",
    metadata,
    _required("payment", Uuid),
    _required("kind", Text),
    _required("hash", Uuid),
    _required("tenant", Integer),
    _required("opened_ms", BigInteger),
    _required("detail", Text),
    Column("closed_ms", BigInteger),
    PrimaryKeyConstraint("payment", "kind", "hash"),
)

sms_message = Table(
    "sms_message",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("payment", Uuid),
    _required("tenant", Integer),
    _required("template", Text),
    _required("status", Text),
    _required("message_id", Text),
    _required("at_ms", BigInteger),
    Index("sms_message_payment", "payment"),
    postgresql_partition_by="RANGE (id)",
)

sms_report = Table(
    "sms_report",
    metadata,
    _required("message_id", Text),
    _required("status", Text),
    _required("tenant", Integer),
    Column("delivered", Boolean),
    _required("failure", Text),
    _required("at_ms", BigInteger),
    PrimaryKeyConstraint("message_id", "status"),
)

customer = Table(
    "customer",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("msisdn", Text),
    _required("country", Text),
    _required("language", Text),
    _required("tier", SmallInteger),
    Column("pin_mac", LargeBinary),
    Column("pin_key", SmallInteger),
    _required("pin_failures", SmallInteger, server_default="0"),
    Column("pin_locked_until", DateTime(timezone=True)),
    _required("created_at", DateTime(timezone=True)),
    UniqueConstraint("tenant", "msisdn"),
)

fx_rate = Table(
    "fx_rate",
    metadata,
    _required("tenant", Integer),
    _required("base", Text),
    _required("quote", Text),
    _required("at_ms", BigInteger),
    _required("mid", Numeric),
    _required("source", Text),
    PrimaryKeyConstraint("tenant", "base", "quote", "at_ms"),
    CheckConstraint("mid > 0", name="mid_is_positive"),
)

corridor = Table(
    "corridor",
    metadata,
    _required("tenant", Integer),
    _required("payer_operator", Text),
    _required("payee_operator", Text),
    _required("spread_bp", Integer),
    _required("fee_minor", BigInteger),
    _required("fee_bp", Integer),
    _required("amount_minor_min", BigInteger),
    _required("amount_minor_max", BigInteger),
    _required("collection_cost_bp", Integer),
    _required("payout_cost_minor", BigInteger),
    PrimaryKeyConstraint("tenant", "payer_operator", "payee_operator"),
)
