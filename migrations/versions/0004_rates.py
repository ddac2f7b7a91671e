"""Rates come from several sources; every price must show what it was made from."""

from alembic import op

from engine.schema import run_script

revision = "0004"
down_revision = "0003"


def upgrade():
    run_script(op.get_bind(), "0004_rates.sql")


def downgrade():
    run_script(op.get_bind(), "0004_rates_down.sql")
