"""No payment goes where no step of it leads, whoever writes."""

from alembic import op

from engine.schema import run_script

revision = "0049"
down_revision = "0048"


def upgrade():
    run_script(op.get_bind(), "0049_known_moves.sql")


def downgrade():
    run_script(op.get_bind(), "0049_known_moves_down.sql")
