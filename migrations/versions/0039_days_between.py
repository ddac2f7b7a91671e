"""Statements of two days follow on each other; what is held later is in the report of that day."""

from alembic import op

from engine.schema import run_script

revision = "0039"
down_revision = "0038"


def upgrade():
    run_script(op.get_bind(), "0039_days_between.sql")


def downgrade():
    run_script(op.get_bind(), "0039_days_between_down.sql")
