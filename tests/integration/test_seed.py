"""A seed that cannot be what was meant is refused by name, if it can be before all is stored."""

from typing import Any

import msgspec
import pytest

from channels.commands.seed import SeedFloat, SeedRate, Seeds, SeedTerms, read_seeds, seed
from channels.environment import BadArgument
from engine.clock import Clock
from tests.integration.world import SEEDS, settings_for
from tests.unit.payments.examples import MPESA, MTN

OPERATORS = {"mpesa_ke": MPESA, "mtn_ug": MTN}
NOTHING = Seeds(rates=[], corridors=[], floats=[])


@pytest.mark.parametrize(
    "part",
    [
        {"floats": [SeedFloat("mtn_xx", 100, "one")]},
        {"terms": [SeedTerms("mtn_xx", "collect")]},
        {"corridors": [msgspec.structs.replace(c, payee_operator="mtn_xx")
                       for c in read_seeds(SEEDS).corridors[:1]]},
    ],
    ids=["floats", "terms", "corridors"],
)  # fmt: skip
async def test_an_operator_that_is_not_served_is_named_before_anything_is_stored(
    database_url: str, pool: Any, part: dict[str, Any]
) -> None:
    seeds = msgspec.structs.replace(NOTHING, rates=[SeedRate("KES", "UGX", "28")], **part)
    with pytest.raises(BadArgument, match="CAPP_OPERATORS does not name mtn_xx"):
        await seed(settings_for(database_url), seeds, OPERATORS, Clock())
    assert await pool.fetchval("select count(*) from fx_rate") == 0


async def test_another_amount_under_a_known_key_is_told_and_not_paid_in(database_url: str) -> None:
    settings, clock = settings_for(database_url), Clock()
    first = msgspec.structs.replace(NOTHING, floats=[SeedFloat("mtn_ug", 100, "one")])
    other = msgspec.structs.replace(NOTHING, floats=[SeedFloat("mtn_ug", 200, "one")])
    for _ in range(2):
        await seed(settings, first, OPERATORS, clock)
    with pytest.raises(BadArgument, match="'one': another amount was paid in under this key"):
        await seed(settings, other, OPERATORS, clock)


@pytest.mark.parametrize("minor", [0, -5])
def test_a_float_of_nothing_or_less_is_refused(minor: int) -> None:
    part = {"operator": "mtn_ug", "minor": minor, "key": "one"}
    with pytest.raises(msgspec.ValidationError, match=r"\$.floats\[0\].minor"):
        msgspec.convert({"rates": [], "corridors": [], "floats": [part]}, Seeds)
