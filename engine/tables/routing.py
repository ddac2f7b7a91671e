"""Corridors, how operators do, and what was decided from that."""

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
    Uuid,
    text,
)

from engine.tables.base import metadata, required

corridor = Table(
    "corridor",
    metadata,
    required("tenant", Integer),
    required("payer_operator", Text),
    required("payee_operator", Text),
    required("spread_bp", Integer),
    required("fee_minor", BigInteger),
    required("fee_bp", Integer),
    required("amount_minor_min", BigInteger),
    required("amount_minor_max", BigInteger),
    required("collection_cost_bp", Integer),
    required("payout_cost_minor", BigInteger),
    required("fee_is_refunded", Boolean, server_default="true"),
    PrimaryKeyConstraint("tenant", "payer_operator", "payee_operator"),
)

operator_minute = Table(
    "operator_minute",
    metadata,
    required("tenant", Integer),
    required("minute", BigInteger),
    required("operator", Text),
    required("direction", SmallInteger),
    required("band", SmallInteger),
    required("succeeded", Integer),
    required("declined", Integer),
    required("unexplained", Integer),
    required("misconfigured", Integer),
    required("throttled", Integer),
    required("unreachable", Integer),
    required("unclear", Integer),
    PrimaryKeyConstraint("tenant", "minute", "operator", "direction", "band"),
)

operator_volume = Table(
    "operator_volume",
    metadata,
    required("tenant", Integer),
    required("day", Integer),
    required("operator", Text),
    required("direction", SmallInteger),
    required("payments", Integer),
    required("minor", BigInteger),
    PrimaryKeyConstraint("tenant", "day", "operator", "direction"),
)

operator_terms = Table(
    "operator_terms",
    metadata,
    required("tenant", Integer),
    required("operator", Text),
    required("direction", SmallInteger),
    Column("day_minor_max", BigInteger),
    Column("month_minor_max", BigInteger),
    required("month_minor_promised", BigInteger),
    Column("canary_ppm", Integer),
    PrimaryKeyConstraint("tenant", "operator", "direction"),
    CheckConstraint("canary_ppm between 0 and 1000000", name="canary_is_a_share"),
)

breaker = Table(
    "breaker",
    metadata,
    required("tenant", Integer),
    required("operator", Text),
    required("direction", SmallInteger),
    required("country", Text),
    required("version", Integer),
    required("position", Text),
    required("points", Integer),
    required("fault_ms", BigInteger),
    required("since_ms", BigInteger),
    required("until_ms", BigInteger),
    required("pauses", Integer),
    required("reason", Text),
    required("probes", ARRAY(BigInteger)),
    PrimaryKeyConstraint("tenant", "operator", "direction", "country"),
)

decision = Table(
    "decision",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    Column("payment", Uuid),
    required("kind", Text),
    required("outcome", Text),
    required("reason", Text),
    required("inputs", Text),
    required("at_ms", BigInteger),
    Index("decision_payment", "payment", postgresql_where=text("payment is not null")),
)

operator_probe = Table(
    "operator_probe",
    metadata,
    required("tenant", Integer),
    required("operator", Text),
    required("begun_ms", BigInteger),
    required("call", Text),
    Column("outcome", Text),
    Column("latency_ms", Integer),
    PrimaryKeyConstraint("tenant", "operator"),
)
