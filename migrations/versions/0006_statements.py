"""Operators' statements are compared with our books."""

from alembic import op

from engine.schema import run_script

revision = "0006"
down_revision = "0005"


def upgrade():
    run_script(op.get_bind(), "0006_statements.sql")


def downgrade():
    run_script(op.get_bind(), "0006_statements_down.sql")
