"""A client's own key stands in the lists of its payments: found by the payment."""

from alembic import op

from engine.schema import run_script

revision = "0043"
down_revision = "0042"


def upgrade():
    run_script(op.get_bind(), "0043_keys_of_clients.sql")


def downgrade():
    run_script(op.get_bind(), "0043_keys_of_clients_down.sql")
