"""What operators sent us and what we asked of them, redacted, for support."""

from alembic import op

from engine.schema import run_script

revision = "0012"
down_revision = "0011"


def upgrade():
    run_script(op.get_bind(), "0012_traffic.sql")


def downgrade():
    run_script(op.get_bind(), "0012_traffic_down.sql")
