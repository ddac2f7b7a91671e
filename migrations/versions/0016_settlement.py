"""What operators owe each other through us, gathered, closed in windows, squared on a rail."""

from alembic import op

from engine.schema import run_script

revision = "0016"
down_revision = "0015"


def upgrade():
    run_script(op.get_bind(), "0016_settlement.sql")


def downgrade():
    run_script(op.get_bind(), "0016_settlement_down.sql")
