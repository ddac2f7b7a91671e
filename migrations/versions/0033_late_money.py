"""Late money counts in its own day and month; the last tenant may commit."""

from alembic import op

from engine.schema import run_script

revision = "0033"
down_revision = "0032"


def upgrade():
    run_script(op.get_bind(), "0033_late_money.sql")


def downgrade():
    run_script(op.get_bind(), "0033_late_money_down.sql")
    run_script(op.get_bind(), "0001_commit.sql")
    run_script(op.get_bind(), "0029_only_door.sql")
