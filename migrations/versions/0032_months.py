"""Making the months ahead holds up no payment."""

from alembic import op

from engine.schema import run_script

revision = "0032"
down_revision = "0031"


def upgrade():
    run_script(op.get_bind(), "0032_months.sql")


def downgrade():
    run_script(op.get_bind(), "0032_months_down.sql")
