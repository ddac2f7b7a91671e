"""Breakers and success rates are shared by all processes."""

from alembic import op

from engine.schema import run_script

revision = "0005"
down_revision = "0004"


def upgrade():
    run_script(op.get_bind(), "0005_routing.sql")


def downgrade():
    run_script(op.get_bind(), "0005_routing_down.sql")
