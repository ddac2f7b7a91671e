"""A corridor may keep the fee of a payment that is given back."""

from alembic import op

from engine.schema import run_script

revision = "0054"
down_revision = "0053"


def upgrade():
    run_script(op.get_bind(), "0054_fee_kept.sql")


def downgrade():
    run_script(op.get_bind(), "0054_fee_kept_down.sql")
