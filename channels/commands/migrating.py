"""`capp migrate`: the schema brought to a revision, and the role made that serves the tenant.

It needs the address that the tables' owner connects by, and no more.
"""

import argparse
from collections.abc import Callable, Mapping

from channels.environment import BadSettings, Reader
from engine.ledger.chart import TENANT_MAX


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp migrate`."""
    parser.add_argument("--to", default="head", help="a revision, or base for empty")


def run_migrate(
    variables: Mapping[str, str], options: argparse.Namespace, say: Callable[[str], None]
) -> bool:
    """Safe to repeat. Raises BadSettings without a good address or for a revision that is none, and
    what Alembic raises.

    All is not well where roles are wanted that this user may not make: what to run is said.
    """
    reader = Reader(variables)
    url, tenant = reader.database(), variables.get("CAPP_TENANT") or "1"
    if not (tenant.isascii() and tenant.isdigit() and int(tenant) <= TENANT_MAX):
        reader.wrong("CAPP_TENANT", "is no number of a tenant")
    if reader.faults:
        raise BadSettings("; ".join(reader.faults))
    from engine.schema import migrate, revisions  # Alembic: half a second that only this needs

    if options.to not in ("head", *revisions()):
        raise BadSettings(f"--to: there is no such revision: {options.to!r}")
    wanted = migrate(url, to=options.to, tenant=int(tenant), say=say)
    if not wanted or variables.get("CAPP_DATABASE_ROLE") == "none":
        # Whoever runs it again would else see nothing, and not know whether anything was done.
        say(f"the schema is at {revisions()[-1] if options.to == 'head' else options.to}")
        return True
    say("the schema is there; nobody can serve it before a user who may make roles has run")
    for line in wanted:
        say(f"  {line}")
    say("and `capp migrate` is run again")
    return False
