"""The first path from dial to receipt needs payments, books, evidence, customers and prices."""

from alembic import op

from engine.schema import run_script

revision = "0001"
down_revision = None


def upgrade():
    run_script(op.get_bind(), "0001_tables.sql")
    run_script(op.get_bind(), "0001_commit.sql")


def downgrade():
    run_script(op.get_bind(), "0001_down.sql")
