"""Whose wallet a number is: the network of a customer's last dial, and what staff put down."""

from alembic import op

from engine.schema import run_script

revision = "0014"
down_revision = "0013"


def upgrade():
    run_script(op.get_bind(), "0014_portability.sql")


def downgrade():
    run_script(op.get_bind(), "0014_portability_down.sql")
