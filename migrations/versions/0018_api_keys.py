"""Businesses use the API: their keys, what they asked and were answered, their payments by time."""

from alembic import op

from engine.schema import run_script

revision = "0018"
down_revision = "0017"


def upgrade():
    run_script(op.get_bind(), "0018_api_keys.sql")


def downgrade():
    run_script(op.get_bind(), "0018_api_keys_down.sql")
