"""Rates, their sources, what was observed and decided."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from engine.tables.base import metadata, required

fx_rate = Table(
    "fx_rate",
    metadata,
    required("tenant", Integer),
    required("base", Text),
    required("quote", Text),
    required("at_ms", BigInteger),
    required("mid", Numeric),
    required("source", Text),
    Column("decided_ms", BigInteger),
    Column("accepted_ms", BigInteger),
    PrimaryKeyConstraint("tenant", "base", "quote", "at_ms"),
    CheckConstraint("mid > 0", name="mid_is_positive"),
)

fx_source = Table(
    "fx_source",
    metadata,
    required("tenant", Integer),
    required("source", Text),
    required("asked_ms", BigInteger),
    Column("answered_ms", BigInteger),
    required("failure", Text, server_default=""),
    PrimaryKeyConstraint("tenant", "source"),
)

fx_observation = Table(
    "fx_observation",
    metadata,
    required("tenant", Integer),
    required("base", Text),
    required("quote", Text),
    required("source", Text),
    required("at_ms", BigInteger),
    required("mid", Numeric),
    required("seen_ms", BigInteger),
    Column("verdict", Text),
    PrimaryKeyConstraint("tenant", "base", "quote", "source", "at_ms", "mid"),
    CheckConstraint("mid > 0", name="observed_mid_is_positive"),
)

fx_decision = Table(
    "fx_decision",
    metadata,
    required("tenant", Integer),
    required("base", Text),
    required("quote", Text),
    required("at_ms", BigInteger),
    required("outcome", Text),
    required("decision", Text),
    required("fingerprint", Text),
    Column("confirmed_by", Text),
    PrimaryKeyConstraint("tenant", "base", "quote", "at_ms"),
)
