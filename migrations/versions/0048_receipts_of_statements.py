"""Which attempt of ours a receipt is, as statements list it: asked of a pay-in nobody can place."""

from alembic import op

from engine.schema import run_script

revision = "0048"
down_revision = "0047"


def upgrade():
    run_script(op.get_bind(), "0048_receipts_of_statements.sql")


def downgrade():
    run_script(op.get_bind(), "0048_receipts_of_statements_down.sql")
