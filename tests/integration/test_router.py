"""A way is chosen by what the books, the breakers and the agreements say at this moment."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from engine.clock import Ids
from engine.decision_log import DecisionLog
from engine.decisions import Decision
from engine.errors import NoWayNow
from engine.fx.quotes import Corridor
from engine.fx.rates import Rate, RateBook
from engine.ledger.chart import Account, Kind
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.breaker import BreakerRules, Lane
from engine.payments.health import Told
from engine.payments.health_store import HealthStore
from engine.payments.outlook import Condition
from engine.payments.planning import Timing
from engine.payments.pools import Holding, Pools
from engine.payments.pricing import Price, price
from engine.payments.ranking import Ranking, Refusal, Terms
from engine.payments.replays import differing
from engine.payments.router import Router, keep_current, margin_minor
from engine.payments.routing import Ways
from engine.payments.selling import Selling
from engine.payments.watch import BELIEF_SECONDS, Health
from engine.ports import Direction
from tests.integration.world import CUSTOMER, ScriptedPolicy, TestClock
from tests.numbering import directory_of
from tests.unit.payments.examples import KE_UG, MPESA, MTN, PAYEE

AIRTEL = msgspec.structs.replace(MTN, code=3, name="airtel_ug", reaches=("mtn_ug",))
OPERATORS = {facts.name: facts for facts in (MPESA, MTN, AIRTEL)}
CORRIDORS = {
    ("mpesa_ke", "mtn_ug"): KE_UG,
    ("mpesa_ke", "airtel_ug"): msgspec.structs.replace(
        KE_UG, payee_operator="airtel_ug", payout_cost_minor=500
    ),
}
WAYS = Ways(MPESA, MTN, "mtn_ug", (MTN, AIRTEL))
AMOUNT = Money(100_000, "KES")
LAST, FIRST = b"\xff" * 7 + b"\x3f", b"\0" * 8  # lots that explore nothing, and that explore


def corridor(payer: str, payee: str) -> Corridor:
    try:
        return CORRIDORS[payer, payee]
    except KeyError:
        raise NoWayNow("no_way.corridor") from None


class SteadyRates(RateBook):
    """A rate that never moves."""

    def __init__(self) -> None:
        """Needs no database."""

    def corridor(self, payer_operator: str, payee_operator: str) -> Corridor:
        return corridor(payer_operator, payee_operator)

    def rate(self, base: str, quote: str) -> Rate:
        return Rate(base, quote, Decimal("28.45"), 1, 1)


PRICE: Price = price(AMOUNT, Decimal("28.45"), KE_UG, MPESA, MTN)


@dataclass
class Scene:
    router: Router
    health: Health
    pools: Pools
    log: DecisionLog
    kept: list[Decision]
    clock: TestClock
    pool: Any

    def choose(self) -> Ranking:
        return self.router.choose(WAYS, AMOUNT, PRICE)

    async def put(self, kind: Kind, code: int, minor: int) -> None:
        await self.pool.execute(
            "insert into balance (id, guarded, amount) values ($1, false, $2)"
            " on conflict (id) do update set amount = excluded.amount",
            Account(1, "UGX", kind, code).number, minor,
        )  # fmt: skip
        await self.pools.refresh()

    async def break_(self, operator: str, direction: Direction) -> None:
        for _ in range(5):
            self.health.record(operator, direction, Told.UNCLEAR, 1_000)
        await self.health.tend()


def scene(pool: Any, random: bytes = LAST) -> Scene:
    clock = TestClock()
    kept: list[Decision] = []
    health = Health(store=HealthStore(pool, 1), operators=OPERATORS, clock=clock, ids=Ids(clock))
    pools = Pools(pool, 1, OPERATORS)
    router = Router(
        corridor=corridor,
        health=health,
        pools=pools,
        random=lambda _: random,
        keep=kept.append,
    )
    return Scene(router, health, pools, DecisionLog(pool, 1, Ids(clock)), kept, clock, pool)


@pytest.fixture
def now(pool: Any) -> Scene:
    return scene(pool)


def test_the_cheaper_way_first_and_the_quote_covers_both() -> None:
    now = scene(None)
    ranking = now.choose()
    assert (ranking.ways, ranking.lead) == (("mtn_ug", "airtel_ug"), "best")
    assert ranking.payout_cost_minor_max == 500
    assert ranking.question.margin_minor == margin_minor(PRICE)
    assert differing([ranking.decision]) == []
    assert now.kept == []


async def test_a_price_holds_the_dearest_way_and_names_what_each_of_them_charges() -> None:
    now = scene(None)
    clock = now.clock

    async def language_of(_: Msisdn) -> str:
        return "sw"

    selling = Selling(
        rates=SteadyRates(), directory=directory_of(OPERATORS), language_of=language_of,
        clock=clock, ids=Ids(clock), timing=Timing(), policy=ScriptedPolicy(),
        router=now.router, wallets=None,
    )  # fmt: skip
    quote = await selling.quote(payer=CUSTOMER, network="63902", payee=PAYEE, amount=AMOUNT)
    assert (quote.ways, quote.way_costs) == (("mtn_ug", "airtel_ug"), (300, 500))
    assert quote.payout_cost_minor_max == 500


def test_now_and_then_the_lot_falls_on_the_other() -> None:
    assert scene(None, FIRST).choose().ways == ("airtel_ug", "mtn_ug")


def test_the_margin_is_what_is_earned_at_the_prices_own_rate() -> None:
    earned = PRICE.fee.minor + PRICE.spread_minor - PRICE.collection_cost_minor
    assert margin_minor(PRICE) == earned * PRICE.receives.minor // PRICE.value_at_mid_minor
    assert 0 < margin_minor(PRICE) < PRICE.receives.minor // 10


async def test_an_operator_that_is_down_is_no_way_while_another_is(now: Scene) -> None:
    await now.break_("mtn_ug", Direction.DISBURSE)
    assert now.choose().ways == ("airtel_ug",)


async def test_when_all_are_down_the_sender_is_refused_and_the_refusal_is_kept(now: Scene) -> None:
    for operator in ("mtn_ug", "airtel_ug"):
        await now.break_(operator, Direction.DISBURSE)
    with pytest.raises(NoWayNow) as caught:
        now.choose()
    assert caught.value.text_key == "no_way.busy"
    (decision,) = now.kept
    assert decision.reason == "none; airtel_ug: breaker_open; mtn_ug: breaker_open"
    assert differing([decision]) == []


async def test_a_payer_whose_operator_is_down_is_refused_before_being_charged(now: Scene) -> None:
    await now.break_("mpesa_ke", Direction.DISBURSE)
    assert now.choose().ways  # we may not pay out there, but we may collect
    await now.break_("mpesa_ke", Direction.COLLECT)
    with pytest.raises(NoWayNow):
        now.choose()
    assert now.kept[0].reason.endswith("collecting, mpesa_ke: breaker_open")


async def test_small_payments_are_offered_while_an_operator_is_being_tried(now: Scene) -> None:
    await now.break_("mpesa_ke", Direction.COLLECT)
    now.clock.pass_(BreakerRules().pause_seconds_first)
    await now.health.tend()
    assert now.choose().ways
    while await now.health.take_probe("mpesa_ke", Direction.COLLECT, AMOUNT.minor):
        pass
    await now.health.tend()
    with pytest.raises(NoWayNow):
        now.choose()


async def test_a_wallet_of_ours_that_is_empty_is_no_way(now: Scene) -> None:
    assert now.pools.of("mtn_ug") == Holding()
    await now.put(Kind.POOL_AVAIL, 0, 10**8)
    await now.put(Kind.FLOAT, MTN.code, -100_000)  # a debit: we hold it there
    await now.put(Kind.PAYOUT_IN_FLIGHT, MTN.code, 80_000)
    assert now.pools.of("mtn_ug") == Holding(10**8, 20_000, 80_000)
    assert now.choose().ways == ("airtel_ug",)
    await now.put(Kind.PAYOUT_IN_FLIGHT, MTN.code, 0)
    assert now.choose().ways == ("mtn_ug", "airtel_ug")


async def test_an_empty_pool_is_no_way_at_all(now: Scene) -> None:
    await now.put(Kind.POOL_AVAIL, 0, PRICE.receives.minor)
    with pytest.raises(NoWayNow):
        now.choose()
    assert {r.why for r in now.router.rank(WAYS, AMOUNT, PRICE).refused} == {Refusal.NO_LIQUIDITY}


async def test_what_was_agreed_about_volume_is_kept(now: Scene) -> None:
    store, lane = HealthStore(now.pool, 1), Lane("mtn_ug", Direction.DISBURSE)
    await store.set_terms(lane, Terms(day_minor_max=2 * PRICE.receives.minor))
    await now.health.tend()
    assert "mtn_ug" in now.choose().ways
    for _ in range(2):
        now.health.record("mtn_ug", Direction.DISBURSE, Told.SUCCEEDED, PRICE.receives.minor)
    now.clock.pass_(BELIEF_SECONDS)
    await now.health.tend()
    assert now.choose().ways == ("airtel_ug",)


def test_a_corridor_nobody_opened_is_no_way() -> None:
    ugandan = Ways(MTN, MTN, "mtn_ug", (MTN,))
    ranking = scene(None).router.rank(ugandan, AMOUNT, PRICE)
    assert [r.why for r in ranking.refused] == [Refusal.CORRIDOR_CLOSED]


async def test_the_outlook_refuses_nothing_and_keeps_nothing(now: Scene) -> None:
    assert now.router.outlook(WAYS, AMOUNT, PRICE).would_be_taken
    for operator in ("mtn_ug", "airtel_ug"):
        await now.break_(operator, Direction.DISBURSE)
    seen = now.router.outlook(WAYS, AMOUNT, PRICE)
    assert not seen.would_be_taken
    assert {end.condition for end in seen.payee} == {Condition.DOWN}
    assert now.kept == []


async def test_one_loop_tells_and_reads_everything_and_outlives_the_database(now: Scene) -> None:
    await now.pool.execute("alter table breaker rename to gone")
    task = asyncio.create_task(keep_current(now.health, now.pools, now.log, every_seconds=0.01))
    await now.put(Kind.POOL_AVAIL, 0, 5)
    for _ in range(5):
        now.health.record("mtn_ug", Direction.DISBURSE, Told.UNCLEAR, 1_000)
    now.log.note(Decision("liquidity", "x", "y", {}))  # type: ignore[arg-type]
    await asyncio.sleep(0.1)
    assert now.health.may_disburse("mtn_ug")
    await now.pool.execute("alter table gone rename to breaker")
    for _ in range(3000):
        await asyncio.sleep(0.01)
        kept = await now.pool.fetchval("select count(*) from decision")
        if kept == 2 and not now.health.may_disburse("mtn_ug"):
            break
    task.cancel()
    assert not now.health.may_disburse("mtn_ug")
    assert now.pools.of("mtn_ug").available_minor == 5
    assert await now.pool.fetchval("select count(*) from decision") == 2


async def test_a_pool_that_is_gone_is_an_error_the_caller_sees(now: Scene) -> None:
    await now.pool.execute("alter table balance rename to gone")
    with pytest.raises(asyncpg.PostgresError):
        await now.pools.refresh()
