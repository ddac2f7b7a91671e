"""Limits, sanctions lists and rules need what they know, and what they decided."""

from alembic import op

from engine.schema import run_script

revision = "0003"
down_revision = "0002"


def upgrade():
    run_script(op.get_bind(), "0003_compliance.sql")


def downgrade():
    run_script(op.get_bind(), "0003_compliance_down.sql")
