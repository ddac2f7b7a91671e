"""Who took a statement in, the file's hash, and which of its lines proved something."""

from alembic import op

from engine.schema import run_script

revision = "0045"
down_revision = "0044"


def upgrade():
    run_script(op.get_bind(), "0045_who_took_a_statement_in.sql")


def downgrade():
    run_script(op.get_bind(), "0045_who_took_a_statement_in_down.sql")
