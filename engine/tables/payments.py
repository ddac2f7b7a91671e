"""Payments, their journal and balances, and what is still to do for them."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from engine.tables.base import metadata, required

payment = Table(
    "payment",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("state", SmallInteger),
    required("version", Integer),
    Column("due", BigInteger),
    Column("live", Uuid),
    required("way", SmallInteger),
    required("terms", Integer),
    Column("customer", Uuid),
    Index("payment_due", "due", postgresql_where=text("due is not null")),
    Index("payment_customer", "customer", "id", postgresql_where=text("customer is not null")),
    postgresql_partition_by="RANGE (id)",
)

payment_key = Table(
    "payment_key",
    metadata,
    required("tenant", Integer),
    required("key", Text(collation="C")),
    required("payment", Uuid),
    required("hash", Uuid),
    PrimaryKeyConstraint("tenant", "key"),
)

journal = Table(
    "journal",
    metadata,
    required("payment", Uuid),
    required("version", Integer),
    required("tenant", Integer),
    required("state", SmallInteger),
    required("at_ms", BigInteger),
    required("debits", ARRAY(BigInteger)),
    required("credits", ARRAY(BigInteger)),
    required("amounts", ARRAY(BigInteger)),
    Column("facts", Text),
    PrimaryKeyConstraint("payment", "version"),
    Index(
        "journal_at",
        "at_ms",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 64, "autosummarize": "on"},
    ),
    Index(
        "journal_payee",
        text("split_part(facts, '\"', 6)"),
        "payment",
        postgresql_where=text("version = 1"),
    ),
    postgresql_partition_by="RANGE (payment)",
)

balance = Table(
    "balance",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    required("guarded", Boolean),
    required("amount", BigInteger, server_default="0"),
    CheckConstraint("id >> 32 > 0", name="account_has_a_book"),
    CheckConstraint("amount >= 0 or not guarded", name="never_below_zero"),
)

spending = Table(
    "spending",
    metadata,
    required("tenant", Integer),
    required("customer", Uuid),
    required("currency", SmallInteger),
    required("day", Integer),
    required("day_minor", BigInteger),
    required("day_minor_max", BigInteger),
    required("month", Integer),
    required("month_minor", BigInteger),
    required("month_minor_max", BigInteger),
    PrimaryKeyConstraint("tenant", "customer", "currency"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("payment", Uuid),
    required("tenant", Integer),
    required("direction", SmallInteger),
    required("operator", SmallInteger),
    postgresql_partition_by="RANGE (id)",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("payment", Uuid),
    required("tenant", Integer),
    required("kind", SmallInteger),
    Column("payload", Text),
    required("not_before", BigInteger),
    required("lease_until", BigInteger),
    Column("sent_at", BigInteger),
    required("claims", Integer, server_default="0"),
    Column("ended", Text),
)

evidence = Table(
    "evidence",
    metadata,
    required("attempt", Uuid),
    required("hash", Uuid),
    required("payment", Uuid),
    required("tenant", Integer),
    required("at_ms", BigInteger),
    required("source", SmallInteger),
    required("body", Text),
    PrimaryKeyConstraint("attempt", "hash"),
    postgresql_partition_by="RANGE (attempt)",
)

case_file = Table(
    "case_file",
    metadata,
    required("payment", Uuid),
    required("kind", Text),
    required("hash", Uuid),
    required("tenant", Integer),
    required("opened_ms", BigInteger),
    required("detail", Text),
    Column("closed_ms", BigInteger),
    Column("closed_by", Text),
    Column("note", Text),
    Column("proposal", Uuid),
    Column("owner", Text),
    Column("due_ms", BigInteger),
    PrimaryKeyConstraint("payment", "kind", "hash"),
    CheckConstraint("closed_ms is null or closed_by is not null", name="closed_by_somebody"),
    Index("case_open", "tenant", "opened_ms", postgresql_where=text("closed_ms is null")),
)

money_request = Table(
    "money_request",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("code", Text(collation="C")),
    required("key", Text(collation="C")),
    required("requester", Uuid),
    required("requester_msisdn", Text),
    required("requester_operator", Text),
    required("payer", Text),
    required("minor", BigInteger),
    required("currency", Text),
    required("expires_ms", BigInteger),
    Column("closed_as", Text),
    Column("closed_ms", BigInteger),
    UniqueConstraint("tenant", "code"),
    UniqueConstraint("tenant", "key"),
    CheckConstraint("minor > 0", name="asks_for_something"),
    CheckConstraint("closed_as in ('paid', 'declined', 'expired')", name="closed_as_is_known"),
    CheckConstraint("(closed_as is null) = (closed_ms is null)", name="closed_at_a_time"),
    Index(
        "money_request_payer", "tenant", "payer", "id", postgresql_where=text("closed_as is null")
    ),
    Index("money_request_requester", "tenant", "requester", "id"),
    Index("money_request_expires", "expires_ms", postgresql_where=text("closed_as is null")),
)

pay_in = Table(
    "pay_in",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("operator", Text),
    required("receipt", Text),
    required("minor", BigInteger),
    required("currency", Text),
    required("reference", Text),
    required("payer", Text),
    required("heard_ms", BigInteger),
    required("stage", SmallInteger),
    Column("due_ms", BigInteger),
    required("asked", Integer, server_default="0"),
    required("proven", Boolean, server_default="false"),
    Column("payment", Uuid),
    Column("proposal", Uuid),
    required("calls", Integer, server_default="0"),
    Column("called_ms", BigInteger),
    Column("return_receipt", Text),
    CheckConstraint("minor > 0", name="pay_in_is_something"),
    CheckConstraint("stage <> 4 or payment is not null", name="pay_in_of_somebody"),
    UniqueConstraint("tenant", "operator", "receipt"),
    Index("pay_in_due", "due_ms", postgresql_where=text("due_ms is not null")),
    Index("pay_in_stage", "tenant", "stage", "id"),
    Index("pay_in_payment", "payment", unique=True, postgresql_where=text("stage = 4")),
    Index(
        "pay_in_return",
        "tenant",
        "operator",
        "return_receipt",
        postgresql_where=text("return_receipt is not null"),
    ),
)
