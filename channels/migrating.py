"""`capp migrate`: the schema brought to a revision. It needs the database's address and no more."""

import argparse
from collections.abc import Callable, Mapping

from channels.settings import BadSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp migrate`."""
    parser.add_argument("--to", default="head", help="a revision, or base for empty")


def run_migrate(
    variables: Mapping[str, str], options: argparse.Namespace, say: Callable[[str], None]
) -> bool:
    """Safe to repeat. Raises BadSettings without an address, and what Alembic raises."""
    del say
    url = variables.get("DATABASE_URL", "")
    if not url:
        raise BadSettings("DATABASE_URL: is missing")
    from engine.schema import migrate  # Alembic: half a second that only this needs

    migrate(url, to=options.to)
    return True
