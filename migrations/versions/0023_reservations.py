"""Clients set liquidity aside for payments to come."""

from alembic import op

from engine.schema import run_script

revision = "0023"
down_revision = "0021"


def upgrade():
    run_script(op.get_bind(), "0023_reservations.sql")


def downgrade():
    run_script(op.get_bind(), "0023_reservations_down.sql")
