"""Whether terms are a client's is seen at their end, without counting their characters."""

from alembic import op

from engine.schema import run_script

revision = "0027"
down_revision = "0026"


def upgrade():
    run_script(op.get_bind(), "0027_ends_of_terms.sql")


def downgrade():
    run_script(op.get_bind(), "0027_ends_of_terms_down.sql")
