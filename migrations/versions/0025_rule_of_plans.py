"""Keeping tenants apart costs a short read next to nothing: plans hold the tenant's number."""

from alembic import op

from engine.schema import run_script

revision = "0025"
down_revision = "0024"


def upgrade():
    run_script(op.get_bind(), "0025_rule_of_plans.sql")


def downgrade():
    run_script(op.get_bind(), "0025_rule_of_plans_down.sql")
