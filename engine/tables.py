"""Every table, as SQLAlchemy sees it: for migrations to compare with and read models to query.

The hot path does not come through here; `engine/ledger/commit.py` speaks to Postgres directly.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
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
    _required("way", SmallInteger),
    _required("terms", Integer),
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
    _required("guarded", Boolean),
    _required("amount", BigInteger, server_default="0"),
    CheckConstraint("id >> 32 > 0", name="account_has_a_book"),
    CheckConstraint("amount >= 0 or not guarded", name="never_below_zero"),
)

spending = Table(
    "spending",
    metadata,
    _required("tenant", Integer),
    _required("customer", Uuid),
    _required("currency", SmallInteger),
    _required("day", Integer),
    _required("day_minor", BigInteger),
    _required("day_minor_max", BigInteger),
    _required("month", Integer),
    _required("month_minor", BigInteger),
    _required("month_minor_max", BigInteger),
    PrimaryKeyConstraint("tenant", "customer", "currency"),
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
    _required("claims", Integer, server_default="0"),
    Column("ended", Text),
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
    Column("closed_by", Text),
    Column("note", Text),
    Column("proposal", Uuid),
    Column("owner", Text),
    Column("due_ms", BigInteger),
    PrimaryKeyConstraint("payment", "kind", "hash"),
    CheckConstraint("closed_ms is null or closed_by is not null", name="closed_by_somebody"),
    Index("case_open", "tenant", "opened_ms", postgresql_where=text("closed_ms is null")),
)

proposal = Table(
    "proposal",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("kind", Text),
    _required("body", Text),
    _required("note", Text),
    _required("state", Text),
    _required("made_by", Text),
    _required("made_ms", BigInteger),
    _required("expires_ms", BigInteger),
    Column("decided_by", Text),
    Column("decided_ms", BigInteger),
    Column("reference", Text),
    Column("reference_by", Text),
    _required("outcome", Text, server_default=""),
    CheckConstraint(
        "state in ('proposed', 'approved', 'waiting', 'done', 'failed', 'rejected', 'expired')",
        name="proposal_state_is_known",
    ),
    CheckConstraint("decided_by <> made_by", name="two_people"),
    CheckConstraint(
        "made_by = lower(btrim(made_by)) and made_by <> ''"
        " and decided_by = lower(btrim(decided_by)) and decided_by <> ''",
        name="names_are_plain",
    ),
    CheckConstraint(
        "(state in ('proposed', 'expired')) = (decided_by is null)"
        " and (decided_by is null) = (decided_ms is null)",
        name="decided_once_by_somebody",
    ),
    CheckConstraint(
        "(reference is null) = (reference_by is null)"
        " and (reference is null or decided_by is not null)",
        name="seen_by_somebody",
    ),
    Index(
        "proposal_open",
        "tenant",
        "state",
        postgresql_where=text("state in ('proposed', 'approved', 'waiting')"),
    ),
    Index("proposal_reference", "tenant", "reference", unique=True),
)

liquidity_mark = Table(
    "liquidity_mark",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    _required("tenant", Integer),
    _required("low_minor", BigInteger),
    _required("target_minor", BigInteger),
    Column("below_ms", BigInteger),
    CheckConstraint("low_minor >= 0 and target_minor >= low_minor", name="marks_are_ordered"),
)

audit_block = Table(
    "audit_block",
    metadata,
    _required("tenant", Integer),
    _required("partition", Text),
    _required("number", Integer),
    _required("from_ms", BigInteger),
    _required("to_ms", BigInteger),
    _required("entries", BigInteger),
    _required("digest", LargeBinary),
    _required("hash", LargeBinary),
    _required("snapshot", Text),
    _required("checked_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "partition", "number"),
    Index("audit_block_checked", "tenant", "checked_ms"),
)

audit_late = Table(
    "audit_late",
    metadata,
    _required("payment", Uuid),
    _required("version", Integer),
    _required("tenant", Integer),
    _required("partition", Text),
    _required("digest", LargeBinary),
    _required("found_ms", BigInteger),
    PrimaryKeyConstraint("payment", "version"),
)

audit_sum = Table(
    "audit_sum",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    _required("tenant", Integer),
    _required("minor", BigInteger),
)

audit_position = Table(
    "audit_position",
    metadata,
    _required("tenant", Integer),
    _required("payment", Uuid),
    _required("account", BigInteger),
    _required("minor", BigInteger),
    PrimaryKeyConstraint("payment", "account"),
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
    _required("gateway", Text, server_default=""),
    Column("segments", SmallInteger),
    Column("counted", SmallInteger),
    Index("sms_message_payment", "payment"),
    Index("sms_message_unknown", "tenant", "at_ms", postgresql_where=text("status = 'unknown'")),
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
    Column("message", Uuid),
    PrimaryKeyConstraint("message_id", "status"),
    Index("sms_report_message", "message", postgresql_where=text("message is not null")),
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
    Column("name", Text),
    Column("born", Date),
    _required("pin_locks", SmallInteger, server_default="0"),
    Column("pin_reset_asked_at", DateTime(timezone=True)),
    Column("pin_reset_until", DateTime(timezone=True)),
    Column("pin_reset_by", Uuid),
    Column("tier_paused_until", DateTime(timezone=True)),
    Column("network", Text),
    Column("network_since_ms", BigInteger),
    UniqueConstraint("tenant", "msisdn"),
    CheckConstraint("(network is null) = (network_since_ms is null)", name="network_has_a_time"),
)

ported_number = Table(
    "ported_number",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("msisdn", Text),
    Column("operator", Text),
    _required("put_down_by", Text),
    _required("why", Text),
    _required("at_ms", BigInteger),
    Index("ported_number_msisdn", "tenant", "msisdn", "id"),
)

recipient = Table(
    "recipient",
    metadata,
    _required("tenant", Integer),
    _required("customer_id", Uuid),
    _required("msisdn", Text),
    _required("name", Text),
    _required("saved_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant", "customer_id", "msisdn"),
)

screening_list = Table(
    "screening_list",
    metadata,
    _required("tenant", Integer),
    _required("source", Text),
    _required("version", Integer),
    _required("published", Text),
    _required("loaded_ms", BigInteger),
    _required("entry_count", Integer),
    _required("digest", Text),
    _required("entries", LargeBinary),
    PrimaryKeyConstraint("tenant", "source", "version"),
)

clearance = Table(
    "clearance",
    metadata,
    _required("tenant", Integer),
    _required("quote", Uuid),
    _required("at_ms", BigInteger),
    _required("payer", Text),
    _required("payee", Text),
    _required("minor", BigInteger),
    _required("currency", Text),
    _required("receives_minor", BigInteger),
    _required("receives_currency", Text),
    _required("action", SmallInteger, server_default="0"),
    Column("decision", Text),
    PrimaryKeyConstraint("tenant", "quote"),
    Index("clearance_payer", "tenant", "payer", "at_ms"),
    Index("clearance_payee", "tenant", "payee", "at_ms"),
    Index("clearance_flagged", "tenant", "at_ms", postgresql_where=text("decision is not null")),
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
    Column("decided_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "base", "quote", "at_ms"),
    CheckConstraint("mid > 0", name="mid_is_positive"),
)

fx_source = Table(
    "fx_source",
    metadata,
    _required("tenant", Integer),
    _required("source", Text),
    _required("asked_ms", BigInteger),
    Column("answered_ms", BigInteger),
    _required("failure", Text, server_default=""),
    PrimaryKeyConstraint("tenant", "source"),
)

fx_observation = Table(
    "fx_observation",
    metadata,
    _required("tenant", Integer),
    _required("base", Text),
    _required("quote", Text),
    _required("source", Text),
    _required("at_ms", BigInteger),
    _required("mid", Numeric),
    _required("seen_ms", BigInteger),
    Column("verdict", Text),
    PrimaryKeyConstraint("tenant", "base", "quote", "source", "at_ms", "mid"),
    CheckConstraint("mid > 0", name="observed_mid_is_positive"),
)

fx_decision = Table(
    "fx_decision",
    metadata,
    _required("tenant", Integer),
    _required("base", Text),
    _required("quote", Text),
    _required("at_ms", BigInteger),
    _required("outcome", Text),
    _required("decision", Text),
    _required("fingerprint", Text),
    Column("confirmed_by", Text),
    PrimaryKeyConstraint("tenant", "base", "quote", "at_ms"),
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

operator_minute = Table(
    "operator_minute",
    metadata,
    _required("tenant", Integer),
    _required("minute", BigInteger),
    _required("operator", Text),
    _required("direction", SmallInteger),
    _required("band", SmallInteger),
    _required("succeeded", Integer),
    _required("declined", Integer),
    _required("unexplained", Integer),
    _required("misconfigured", Integer),
    _required("throttled", Integer),
    _required("unreachable", Integer),
    _required("unclear", Integer),
    PrimaryKeyConstraint("tenant", "minute", "operator", "direction", "band"),
)

operator_volume = Table(
    "operator_volume",
    metadata,
    _required("tenant", Integer),
    _required("day", Integer),
    _required("operator", Text),
    _required("direction", SmallInteger),
    _required("payments", Integer),
    _required("minor", BigInteger),
    PrimaryKeyConstraint("tenant", "day", "operator", "direction"),
)

operator_terms = Table(
    "operator_terms",
    metadata,
    _required("tenant", Integer),
    _required("operator", Text),
    _required("direction", SmallInteger),
    Column("day_minor_max", BigInteger),
    Column("month_minor_max", BigInteger),
    _required("month_minor_promised", BigInteger),
    Column("canary_ppm", Integer),
    PrimaryKeyConstraint("tenant", "operator", "direction"),
    CheckConstraint("canary_ppm between 0 and 1000000", name="canary_is_a_share"),
)

breaker = Table(
    "breaker",
    metadata,
    _required("tenant", Integer),
    _required("operator", Text),
    _required("direction", SmallInteger),
    _required("country", Text),
    _required("version", Integer),
    _required("position", Text),
    _required("points", Integer),
    _required("fault_ms", BigInteger),
    _required("since_ms", BigInteger),
    _required("until_ms", BigInteger),
    _required("pauses", Integer),
    _required("reason", Text),
    _required("probes", ARRAY(BigInteger)),
    PrimaryKeyConstraint("tenant", "operator", "direction", "country"),
)

decision = Table(
    "decision",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    Column("payment", Uuid),
    _required("kind", Text),
    _required("outcome", Text),
    _required("reason", Text),
    _required("inputs", Text),
    _required("at_ms", BigInteger),
    Index("decision_payment", "payment", postgresql_where=text("payment is not null")),
)

statement_file = Table(
    "statement_file",
    metadata,
    _required("tenant", Integer),
    _required("operator", Text),
    _required("day", Date),
    _required("hash", Uuid),
    _required("lines", Integer),
    _required("doubled", Integer),
    _required("gaps", Integer),
    _required("taken_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "operator", "day", "hash"),
)

statement_line = Table(
    "statement_line",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("operator", Text),
    _required("day", Date),
    _required("receipt", Text),
    Column("reference", Text),
    _required("side", SmallInteger),
    _required("minor", BigInteger),
    _required("fee_minor", BigInteger),
    _required("currency", Text),
    Column("counterparty", Text),
    _required("completed_ms", BigInteger),
    Column("balance_minor", BigInteger),
    _required("raw_hash", Uuid),
    _required("taken_ms", BigInteger),
    _required("class", SmallInteger, server_default="0"),
    Column("attempt", Uuid),
    Column("suspended_ms", BigInteger),
    CheckConstraint("minor > 0 and fee_minor >= 0", name="moves_something"),
    Index("statement_line_day", "tenant", "operator", "day"),
    Index("statement_line_attempt", "attempt", postgresql_where=text("attempt is not null")),
)

balance_question = Table(
    "balance_question",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("operator", Text),
    _required("look", Uuid),
    _required("account", Text),
    _required("asked_ms", BigInteger),
    Column("told_ms", BigInteger),
    Column("minor", BigInteger),
    Index("balance_question_look", "look"),
)

balance_look = Table(
    "balance_look",
    metadata,
    Column("look", Uuid, primary_key=True),
    Column("n", BigInteger, Identity(always=True)),
    _required("tenant", Integer),
    _required("operator", Text),
    _required("at_ms", BigInteger),
    _required("is_snapshot", Boolean),
    _required("theirs_minor", BigInteger),
    _required("float_minor", BigInteger),
    _required("leaving_minor", BigInteger),
    _required("arriving_minor", BigInteger),
    _required("unbooked_minor", BigInteger),
    _required("drift_minor", BigInteger),
    Index("balance_look_newest", "tenant", "operator", "is_snapshot", "at_ms"),
)

money_request = Table(
    "money_request",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("code", Text(collation="C")),
    _required("key", Text(collation="C")),
    _required("requester", Uuid),
    _required("requester_msisdn", Text),
    _required("requester_operator", Text),
    _required("payer", Text),
    _required("minor", BigInteger),
    _required("currency", Text),
    _required("expires_ms", BigInteger),
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

sms_opt_out = Table(
    "sms_opt_out",
    metadata,
    _required("tenant", Integer),
    _required("msisdn", Text),
    _required("since_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "msisdn"),
)

sms_inbound = Table(
    "sms_inbound",
    metadata,
    _required("tenant", Integer),
    _required("gateway", Text),
    _required("message_id", Text),
    _required("at_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "gateway", "message_id"),
    Index("sms_inbound_at", "tenant", "at_ms"),
)

pay_in = Table(
    "pay_in",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("operator", Text),
    _required("receipt", Text),
    _required("minor", BigInteger),
    _required("currency", Text),
    _required("reference", Text),
    _required("payer", Text),
    _required("heard_ms", BigInteger),
    _required("stage", SmallInteger),
    Column("due_ms", BigInteger),
    _required("asked", Integer, server_default="0"),
    _required("proven", Boolean, server_default="false"),
    Column("payment", Uuid),
    Column("proposal", Uuid),
    _required("calls", Integer, server_default="0"),
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

staff_member = Table(
    "staff_member",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("name", Text),
    _required("roles", ARRAY(Text)),
    _required("made_ms", BigInteger),
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
    _required("tenant", Integer),
    _required("member", Uuid),
    _required("made_ms", BigInteger),
    _required("expires_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("ended_by", Text),
    CheckConstraint("(ended_ms is null) = (ended_by is null)", name="ended_by_somebody"),
    Index("staff_session_member", "tenant", "member"),
)

staff_action = Table(
    "staff_action",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("who", Text),
    Column("session", Uuid),
    _required("what", Text),
    _required("subject", Text),
    Column("correlation", Uuid),
    Column("outcome", Text),
    Column("ended_ms", BigInteger),
    CheckConstraint("(outcome is null) = (ended_ms is null)", name="ended_with_an_outcome"),
    Index("staff_action_subject", "tenant", "subject", "id"),
)

staff_request = Table(
    "staff_request",
    metadata,
    _required("tenant", Integer),
    _required("member", Uuid),
    _required("key", Text(collation="C")),
    _required("hash", LargeBinary),
    _required("operation", Uuid),
    _required("begun_ms", BigInteger),
    Column("status", SmallInteger),
    Column("answer", LargeBinary),
    PrimaryKeyConstraint("tenant", "member", "key"),
    CheckConstraint("(status is null) = (answer is null)", name="answered_whole"),
    Index("staff_request_begun", "tenant", "begun_ms"),
)

operator_probe = Table(
    "operator_probe",
    metadata,
    _required("tenant", Integer),
    _required("operator", Text),
    _required("begun_ms", BigInteger),
    _required("call", Text),
    Column("outcome", Text),
    Column("latency_ms", Integer),
    PrimaryKeyConstraint("tenant", "operator"),
)

traffic = Table(
    "traffic",
    metadata,
    Column("id", Uuid, primary_key=True),
    _required("tenant", Integer),
    _required("at_ms", BigInteger),
    _required("way", SmallInteger),
    _required("operator", Text),
    _required("operation", Text),
    Column("attempt", Uuid),
    _required("outcome", Text),
    Column("status", SmallInteger),
    _required("source", Text),
    Column("elapsed_ms", Integer),
    _required("asked", Text),
    _required("answered", Text),
    Column("evidence", Uuid),
    _required("times", BigInteger),
    Index("traffic_attempt", "attempt", postgresql_where=text("attempt is not null")),
)
