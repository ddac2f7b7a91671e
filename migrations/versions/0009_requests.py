"""People ask each other for money, and a payee finds what was paid to their number."""

from alembic import op

from engine.schema import run_script

revision = "0009"
down_revision = "0008"


def upgrade():
    run_script(op.get_bind(), "0009_requests.sql")


def downgrade():
    run_script(op.get_bind(), "0009_requests_down.sql")
