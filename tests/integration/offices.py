"""The people who look after a `World`: its office, with whatever they may decide there."""

from collections.abc import Mapping

from channels.office import Office, build_office
from engine.clock import Ids
from engine.desk.proposals import Executor, Kind
from engine.ledger.auditor import Pace
from tests.integration.world import World


async def agrees() -> float:
    """The clock of a test is the only one."""
    return 0.0


def office_of(
    world: World, executors: Mapping[Kind, Executor], *, pace: Pace | None = None
) -> Office:
    """`executors` carry out what belongs to the floors above the desk."""
    return build_office(
        tenant=1,
        pool=world.pool,
        committer=world.committer,
        operators=world.directory.by_name,
        clock=world.clock,
        ids=Ids(world.clock),
        ahead=agrees,
        executors=executors,
        pace=pace,
    )
