"""A guess at a PIN that comes twice, as its turn does at two processes, is counted once."""

from alembic import op

from engine.schema import run_script

revision = "0038"
down_revision = "0036"


def upgrade():
    run_script(op.get_bind(), "0038_guess_once.sql")


def downgrade():
    run_script(op.get_bind(), "0038_guess_once_down.sql")
