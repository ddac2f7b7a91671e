"""People's numbers and names are sealed in the database and found by blind indexes."""

from alembic import op

from engine.schema import run_script

revision = "0021"
down_revision = "0020"


def upgrade():
    run_script(op.get_bind(), "0021_privacy.sql")


def downgrade():
    run_script(op.get_bind(), "0021_privacy_down.sql")
