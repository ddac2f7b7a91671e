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


async def test_a_key_that_was_another_wallets_is_told(database_url: str, pool: Any) -> None:
    settings, clock = settings_for(database_url), Clock()
    first, copied = SeedFloat("mtn_ug", 100, "one"), SeedFloat("mpesa_ke", 100, "one")
    with pytest.raises(BadArgument, match="'one' is there twice"):
        await seed(
            settings, msgspec.structs.replace(NOTHING, floats=[first, copied]), OPERATORS, clock
        )
    assert await pool.fetchval("select count(*) from journal") == 0
    await seed(settings, msgspec.structs.replace(NOTHING, floats=[first]), OPERATORS, clock)
    with pytest.raises(BadArgument, match="'one': was paid in at another operator"):
        await seed(settings, msgspec.structs.replace(NOTHING, floats=[copied]), OPERATORS, clock)


async def test_a_corridor_that_left_the_file_is_said_to_be_served_still(database_url: str) -> None:
    settings, clock = settings_for(database_url), Clock()
    whole = msgspec.structs.replace(read_seeds(SEEDS), floats=[])
    served = {end for c in whole.corridors for end in (c.payer_operator, c.payee_operator)}
    facts = {
        name: msgspec.structs.replace(MPESA if name.endswith("_ke") else MTN, name=name)
        for name in served
    }
    assert await seed(settings, whole, facts, clock) == []
    first, *rest = whole.corridors
    fewer = msgspec.structs.replace(whole, corridors=rest)
    left_out = (first.payer_operator, first.payee_operator)
    assert await seed(settings, fewer, facts, clock) == [left_out]


@pytest.mark.parametrize("minor", [0, -5])
def test_a_float_of_nothing_or_less_is_refused(minor: int) -> None:
    part = {"operator": "mtn_ug", "minor": minor, "key": "one"}
    with pytest.raises(msgspec.ValidationError, match=r"\$.floats\[0\].minor"):
        msgspec.convert({"rates": [], "corridors": [], "floats": [part]}, Seeds)
