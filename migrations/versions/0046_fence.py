"""No commit writes into history that the auditor has said it seals."""

from alembic import op

from engine.schema import run_script

revision = "0046"
down_revision = "0045"


def upgrade():
    run_script(op.get_bind(), "0046_fence.sql")


def downgrade():
    run_script(op.get_bind(), "0046_fence_down.sql")
    run_script(op.get_bind(), "0033_late_money.sql")
