"""Who of the staff may do what, their open sessions, and everything they read or did."""

from alembic import op

from engine.schema import run_script

revision = "0013"
down_revision = "0012"


def upgrade():
    run_script(op.get_bind(), "0013_staff.sql")


def downgrade():
    run_script(op.get_bind(), "0013_staff_down.sql")
