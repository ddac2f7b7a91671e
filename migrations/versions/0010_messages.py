"""Messages out by several gateways and in from phones; who wants none."""

from alembic import op

from engine.schema import run_script

revision = "0010"
down_revision = "0009"


def upgrade():
    run_script(op.get_bind(), "0010_messages.sql")


def downgrade():
    run_script(op.get_bind(), "0010_messages_down.sql")
