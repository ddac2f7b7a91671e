"""What people propose and decide."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table, Text, Uuid, text

from engine.tables.base import metadata, required

proposal = Table(
    "proposal",
    metadata,
    Column("id", Uuid, primary_key=True),
    required("tenant", Integer),
    required("kind", Text),
    required("body", Text),
    required("note", Text),
    required("state", Text),
    required("made_by", Text),
    required("made_ms", BigInteger),
    required("expires_ms", BigInteger),
    Column("decided_by", Text),
    Column("decided_ms", BigInteger),
    Column("reference", Text),
    Column("reference_by", Text),
    required("outcome", Text, server_default=""),
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
    required("tenant", Integer),
    required("low_minor", BigInteger),
    required("target_minor", BigInteger),
    Column("below_ms", BigInteger),
    CheckConstraint("low_minor >= 0 and target_minor >= low_minor", name="marks_are_ordered"),
)
