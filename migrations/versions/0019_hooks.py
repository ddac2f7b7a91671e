"""Businesses are told of their payments: subscriptions, events, deliveries."""

from alembic import op

from engine.schema import run_script

revision = "0019"
down_revision = "0018"


def upgrade():
    run_script(op.get_bind(), "0019_hooks.sql")


def downgrade():
    run_script(op.get_bind(), "0019_hooks_down.sql")
