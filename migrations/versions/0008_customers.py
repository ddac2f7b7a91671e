"""Customers save recipients and get a new PIN when they forgot theirs; locks grow longer."""

from alembic import op

from engine.schema import run_script

revision = "0008"
down_revision = "0007"


def upgrade():
    run_script(op.get_bind(), "0008_customers.sql")


def downgrade():
    run_script(op.get_bind(), "0008_customers_down.sql")
