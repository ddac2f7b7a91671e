"""A rate is stale a day after it was accepted, also where a clock was ahead for a while."""

from alembic import op

from engine.schema import run_script

revision = "0042"
down_revision = "0039"


def upgrade():
    run_script(op.get_bind(), "0042_when_a_rate_was_accepted.sql")


def downgrade():
    run_script(op.get_bind(), "0042_when_a_rate_was_accepted_down.sql")
