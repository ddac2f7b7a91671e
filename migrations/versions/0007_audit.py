"""The auditor remembers how far it has added the books up again."""

from alembic import op

from engine.schema import run_script

revision = "0007"
down_revision = "0006"


def upgrade():
    run_script(op.get_bind(), "0007_audit.sql")


def downgrade():
    run_script(op.get_bind(), "0007_audit_down.sql")
