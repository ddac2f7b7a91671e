"""What is read of payments costs the same however many months are stored."""

from alembic import op

from engine.schema import run_script

revision = "0028"
down_revision = "0027"


def upgrade():
    run_script(op.get_bind(), "0028_reads.sql")


def downgrade():
    run_script(op.get_bind(), "0028_reads_down.sql")
