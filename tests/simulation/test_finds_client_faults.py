"""The simulation finds faults in what businesses ask for: prices, payments under keys, liquidity.

As `test_finds_faults.py`: each that is put in here breaks a law within few seeds.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import msgspec
import pytest

from channels.api.payments import Payments
from engine.clock import PaymentId
from engine.fx.quotes import Quote
from engine.ledger.plans import Plan, Verdicted
from engine.money import Money
from engine.payments import reservations
from engine.payments.client_store import Known
from engine.payments.reservations import Reservations
from tests.simulation.client_table import ModelClientPayments, ModelQuotes
from tests.simulation.client_weather import ClientWeather
from tests.simulation.finding import Fault, first_breach, planted
from tests.simulation.surfaces import ModelKeys, WiredCommitter
from tests.simulation.weather import Weather
from tests.simulation.world import Options, World


def what_is_over_leaves_all_the_same(patch: pytest.MonkeyPatch) -> None:
    """A payment waits for a connection for as long as it takes, and its client has a new price."""
    submit = WiredCommitter.submit

    def for_ever(
        self: WiredCommitter, plan: Plan, *, is_urgent: bool = True, until: float | None = None
    ) -> asyncio.Future[Verdicted]:
        return submit(self, plan, is_urgent=is_urgent)

    patch.setattr(WiredCommitter, "submit", for_ever)


def the_price_of_this_moment_counts(patch: pytest.MonkeyPatch) -> None:
    """Not the one that was promised."""
    take = ModelQuotes.take

    async def worse(self: ModelQuotes, client: str, quote_id: str, key: str) -> Quote | None:
        quote = await take(self, client, quote_id, key)
        if quote is None:
            return None
        less = Money(quote.receives.minor * 9 // 10 // 100 * 100, quote.receives.currency)
        return msgspec.structs.replace(quote, receives=less)

    patch.setattr(ModelQuotes, "take", worse)


def nobody_asks_what_stands_under_a_key(patch: pytest.MonkeyPatch) -> None:
    """A repeat is refused where its first has been taken on."""

    async def by_key(self: ModelClientPayments, client: str, key: str) -> Known | None:
        return None

    async def settled(self: ModelKeys, tenant: int, key: str) -> tuple[PaymentId, str] | None:
        return None

    patch.setattr(ModelClientPayments, "by_key", by_key)
    patch.setattr(ModelKeys, "settled", settled)


def each_try_has_a_key_of_its_own(patch: pytest.MonkeyPatch) -> None:
    """A request that is repeated is another one."""
    tries = count()

    def payment_key(client: str, key: str) -> str:
        return f"client:{client}:{key}:{next(tries)}"

    patch.setattr("channels.api.payments.payment_key", payment_key)


def what_is_set_aside_is_not_drawn_on(patch: pytest.MonkeyPatch) -> None:
    """A payment that names a reservation is taken from the pool all the same."""

    async def draws_on(self: Payments, call: object, quote: Quote) -> int | None:
        return None

    patch.setattr(Payments, "_draws_on", draws_on)


def what_is_over_is_not_given_back(patch: pytest.MonkeyPatch) -> None:
    """It is called released, and its money lies there for ever."""
    patch.setattr(reservations, "release_for_client", lambda account, minor: ())


def nobody_ends_what_is_over(patch: pytest.MonkeyPatch) -> None:
    """What its client does not give back stays away from the pool."""

    async def sweep(self: Reservations, most: int) -> int:
        return 0

    patch.setattr(Reservations, "sweep", sweep)


ROUGH = Weather(
    clock_jump_per_hour=0.0, database_down_per_hour=12.0, freeze_per_minute=1.0,
    freeze_seconds_max=130.0, restored=0.0,
)  # fmt: skip
"""Where clocks are right, and much stands still for a minute or two."""
CLIENTS = Options(payments=3, clients=True, weather=ROUGH, stirred=False, span_seconds=1800.0)
HURRIED = replace(
    CLIENTS,
    client_weather=ClientWeather(
        stuck_per_hour=200.0, hurried=1.0, sets_aside=0.0, quoted=1.0, lingers=1.0, stale=0.0
    ),
)
FAULTS: Sequence[tuple[Fault, Options]] = [
    (what_is_over_leaves_all_the_same, HURRIED),
    (the_price_of_this_moment_counts, CLIENTS),
    (nobody_asks_what_stands_under_a_key, CLIENTS),
    (each_try_has_a_key_of_its_own, CLIENTS),
    (what_is_set_aside_is_not_drawn_on, CLIENTS),
    (what_is_over_is_not_given_back, CLIENTS),
    (nobody_ends_what_is_over, CLIENTS),
]


@planted("fault, options", FAULTS)
def test_fault_breaks_a_law_within_few_seeds(
    fault: Fault, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_breach(fault, options, monkeypatch)


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    happened: Counter[str] = Counter()
    for seed in range(1, 6):
        happened.update(World(seed, CLIENTS).run().happened)
    # As in `test_simulation.py`: where none of it comes about every law is kept as well.
    for name in ("reserved", "drawn", "client taken on", "client refused: quote_expired"):
        assert happened[name], name
