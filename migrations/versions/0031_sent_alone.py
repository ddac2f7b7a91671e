"""Who dials again after a payment asks for no more than what they sent."""

from alembic import op

from engine.schema import run_script

revision = "0031"
down_revision = "0030"


def upgrade():
    run_script(op.get_bind(), "0031_sent_alone.sql")


def downgrade():
    run_script(op.get_bind(), "0031_sent_alone_down.sql")
