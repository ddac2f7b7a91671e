"""No payment begins where no first step leads, whoever writes."""

from alembic import op

from engine.schema import run_script

revision = "0050"
down_revision = "0049"


def upgrade():
    run_script(op.get_bind(), "0050_known_beginnings.sql")


def downgrade():
    run_script(op.get_bind(), "0050_known_beginnings_down.sql")
