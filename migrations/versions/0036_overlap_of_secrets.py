"""A rotation under a key that was used is answered as it was asked for, or refused."""

from alembic import op

from engine.schema import run_script

revision = "0036"
down_revision = "0034"


def upgrade():
    run_script(op.get_bind(), "0036_overlap_of_secrets.sql")


def downgrade():
    run_script(op.get_bind(), "0036_overlap_of_secrets_down.sql")
