"""Money moves through the commit alone, by right; and a small batch costs less."""

from alembic import op

from engine.schema import run_script

revision = "0029"
down_revision = "0028"


def upgrade():
    run_script(op.get_bind(), "0029_only_door.sql")


def downgrade():
    run_script(op.get_bind(), "0029_only_door_down.sql")
    run_script(op.get_bind(), "0001_commit.sql")
