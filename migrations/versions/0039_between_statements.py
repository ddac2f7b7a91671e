"""A day's statement begins with what the one before it ended with, or some line is missing."""

from alembic import op

from engine.schema import run_script

revision = "0039"
down_revision = "0036"


def upgrade():
    run_script(op.get_bind(), "0039_between_statements.sql")


def downgrade():
    run_script(op.get_bind(), "0039_between_statements_down.sql")
