"""A payment by its code, and the names under which operators took attempts, in the same way."""

from alembic import op

from engine.schema import run_script

revision = "0030"
down_revision = "0029"


def upgrade():
    run_script(op.get_bind(), "0030_past_reads.sql")


def downgrade():
    run_script(op.get_bind(), "0030_past_reads_down.sql")
