"""Terms that were written plain may be sealed where they stand; nothing else of the journal may."""

from alembic import op

from engine.schema import run_script

revision = "0026"
down_revision = "0025"


def upgrade():
    run_script(op.get_bind(), "0026_sealed_later.sql")


def downgrade():
    run_script(op.get_bind(), "0026_sealed_later_down.sql")
