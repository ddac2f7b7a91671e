"""What is put off is found when its time comes, and read by nobody before."""

from alembic import op

from engine.schema import run_script

revision = "0053"
down_revision = "0052"


def upgrade():
    run_script(op.get_bind(), "0053_put_off.sql")


def downgrade():
    run_script(op.get_bind(), "0053_put_off_down.sql")
