"""A sanctions list that is loaded every day is not old because nothing in it has changed."""

from alembic import op

from engine.schema import run_script

revision = "0034"
down_revision = "0033"


def upgrade():
    run_script(op.get_bind(), "0034_lists_confirmed.sql")


def downgrade():
    run_script(op.get_bind(), "0034_lists_confirmed_down.sql")
