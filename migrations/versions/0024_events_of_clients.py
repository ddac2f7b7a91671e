"""A client's own events are found by their index."""

from alembic import op

from engine.schema import run_script

revision = "0024"
down_revision = "0023"


def upgrade():
    run_script(op.get_bind(), "0024_events_of_clients.sql")


def downgrade():
    run_script(op.get_bind(), "0024_events_of_clients_down.sql")
