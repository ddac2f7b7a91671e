"""Staff see by which names a payment was held, and whose word they are."""

from alembic import op

from engine.schema import run_script

revision = "0052"
down_revision = "0050"


def upgrade():
    run_script(op.get_bind(), "0052_names_compared.sql")


def downgrade():
    run_script(op.get_bind(), "0052_names_compared_down.sql")
