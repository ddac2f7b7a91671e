"""The number of a pay-in's way back, so that its line in a statement is known."""

from alembic import op

from engine.schema import run_script

revision = "0015"
down_revision = "0014"


def upgrade():
    run_script(op.get_bind(), "0015_return_receipts.sql")


def downgrade():
    run_script(op.get_bind(), "0015_return_receipts_down.sql")
