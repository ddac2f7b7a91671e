"""The log of staff's actions is sealed in blocks, so that a change of it is found."""

from alembic import op

from engine.schema import run_script

revision = "0017"
down_revision = "0016"


def upgrade():
    run_script(op.get_bind(), "0017_sealed_actions.sql")


def downgrade():
    run_script(op.get_bind(), "0017_sealed_actions_down.sql")
