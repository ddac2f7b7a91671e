"""Money paid in to a shortcode, matched or kept in suspense."""

from alembic import op

from engine.schema import run_script

revision = "0011"
down_revision = "0010"


def upgrade():
    run_script(op.get_bind(), "0011_payins.sql")


def downgrade():
    run_script(op.get_bind(), "0011_payins_down.sql")
