"""Some decisions need two people: proposals, and who approved them."""

from alembic import op

from engine.schema import run_script

revision = "0002"
down_revision = "0001"


def upgrade():
    run_script(op.get_bind(), "0002_desk.sql")


def downgrade():
    run_script(op.get_bind(), "0002_desk_down.sql")
