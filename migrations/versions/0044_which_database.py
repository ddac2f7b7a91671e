"""A database that was restored, copied or promoted is told from the one of before."""

from alembic import op

from engine.schema import run_script

revision = "0044"
down_revision = "0043"


def upgrade():
    run_script(op.get_bind(), "0044_which_database.sql")


def downgrade():
    run_script(op.get_bind(), "0044_which_database_down.sql")
