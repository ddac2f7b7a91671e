"""One receipt of an operator is booked in one amount, however it is told and listed."""

from alembic import op

from engine.schema import run_script

revision = "0047"
down_revision = "0046"


def upgrade():
    run_script(op.get_bind(), "0047_receipt_in_one_amount.sql")


def downgrade():
    run_script(op.get_bind(), "0047_receipt_in_one_amount_down.sql")
