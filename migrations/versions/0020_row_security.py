"""No connection that serves a tenant reads or writes another's rows, whatever our code asks for."""

from alembic import op

from engine.schema import run_script

revision = "0020"
down_revision = "0019"


def upgrade():
    run_script(op.get_bind(), "0020_row_security.sql")


def downgrade():
    run_script(op.get_bind(), "0020_row_security_down.sql")
