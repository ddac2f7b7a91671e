"""A seed that cannot be what was meant is refused by name, if it can be before all is stored."""

from typing import Any

import msgspec
import pytest

from channels.commands.seed import SeedFloat, SeedRate, Seeds, SeedTerms, read_seeds, seed
from channels.environment import BadArgument
from engine.clock import Clock
from engine.fx.quotes import Corridor
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


GOOD = {
    "payer_operator": "mpesa_ke", "payee_operator": "mtn_ug", "spread_bp": 150, "fee_minor": 1_000,
    "fee_bp": 100, "amount_minor_min": 10_000, "amount_minor_max": 7_000_000,
    "collection_cost_bp": 0, "payout_cost_minor": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"spread_bp": -1}, "spread_bp"),  # we would pay more than the rate gives
        ({"spread_bp": 10_000}, "spread_bp"),  # nothing would arrive
        ({"fee_minor": -1}, "fee_minor"),
        ({"fee_bp": -1}, "fee_bp"),
        ({"fee_bp": 10_001}, "fee_bp"),
        ({"collection_cost_bp": -1}, "collection_cost_bp"),
        ({"collection_cost_bp": 10_001}, "collection_cost_bp"),
        ({"payout_cost_minor": -1}, "payout_cost_minor"),  # less would be held than is paid
        ({"amount_minor_min": 0}, "amount_minor_min"),
        ({"amount_minor_min": 7_000_001}, "amount_minor_min"),
        ({"amount_minor_max": 2**63}, "amount_minor_max"),
        ({"fee_minor": 2**63}, "fee_minor"),
        ({"payout_cost_minor": 2**63}, "payout_cost_minor"),
    ],
)
def test_a_corridor_that_would_lose_money_is_refused_by_name(
    changes: dict[str, int], why: str
) -> None:
    def given(corridor: dict[str, Any]) -> Seeds:
        return msgspec.convert({"rates": [], "corridors": [corridor], "floats": []}, Seeds)

    assert given(GOOD).corridors[0].spread_bp == 150
    with pytest.raises(msgspec.ValidationError, match=rf"{why}.*\$.corridors\[0\]"):
        given(GOOD | changes)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"day_minor_max": -1}, "day_minor_max"),
        ({"month_minor_max": 2**63}, "month_minor_max"),
        ({"month_minor_promised": -1}, "month_minor_promised"),
        ({"canary_ppm": -1}, "canary_ppm"),
        ({"canary_ppm": 1_000_000}, "canary_ppm"),  # all payments would try the new way first
    ],
)
def test_volume_terms_that_make_no_sense_are_refused_by_name(
    terms: dict[str, int], field: str
) -> None:
    part = {"operator": "mtn_ug", "direction": "disburse", **terms}
    with pytest.raises(msgspec.ValidationError, match=rf"\$.terms\[0\].{field}"):
        msgspec.convert({"rates": [], "corridors": [], "floats": [], "terms": [part]}, Seeds)


async def test_two_prices_of_one_corridor_are_none(database_url: str, pool: Any) -> None:
    """The last would have been taken, and nobody told which that was."""
    corridor = msgspec.convert(GOOD, Corridor)
    dearer = msgspec.structs.replace(corridor, fee_minor=2_000)
    rates = [SeedRate("KES", "UGX", "28"), SeedRate("KES", "UGX", "29")]
    for part, told in (
        ({"corridors": [corridor, dearer]}, "corridors: mpesa_ke to mtn_ug is there twice"),
        ({"rates": rates}, "rates: KES/UGX is there twice"),
    ):
        seeds = msgspec.structs.replace(NOTHING, **part)
        with pytest.raises(BadArgument, match=told):
            await seed(settings_for(database_url), seeds, OPERATORS, Clock())
    assert await pool.fetchval("select count(*) from corridor") == 0
    assert await pool.fetchval("select count(*) from fx_rate") == 0
