"""The simulation finds faults in whose a number is held to be, and in what is paid by that.

As `test_finds_faults.py`: each that is put in here breaks a law within few seeds.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest

from engine.msisdn import Msisdn
from engine.payments import wallets
from engine.payments.portability import Hints, Wallet, decide
from engine.payments.routing import Directory, Ways
from engine.payments.wallets import LookUp, Wallets
from tests.simulation.finding import Fault, first_breach, planted
from tests.simulation.weather import Weather
from tests.simulation.world import Options, World


def whoever_is_named_is_believed(patch: pytest.MonkeyPatch) -> None:
    """Also an operator abroad, or one that nobody knows."""
    patch.setattr(Wallets, "_at_home", lambda self, payee, operator: operator)


def a_look_up_is_waited_for(patch: pytest.MonkeyPatch) -> None:
    """For as long as it takes."""
    init = LookUp.__init__

    def patient(self: LookUp, *given: object, **named: object) -> None:
        init(self, *given, **named)  # type: ignore[arg-type]
        self._seconds = 3600.0

    patch.setattr(LookUp, "__init__", patient)


def what_it_cannot_say_stops_a_price(patch: pytest.MonkeyPatch) -> None:
    """An error of the look-up is the customer's."""

    async def operator_of(self: LookUp, msisdn: Msisdn) -> str | None:
        async with asyncio.timeout(self._seconds):
            return await self._port.operator_of(msisdn)

    patch.setattr(LookUp, "operator_of", operator_of)


def not_all_that_was_weighed_is_kept(patch: pytest.MonkeyPatch) -> None:
    """So that nobody can say any more why a wallet was believed."""

    def forgotten(hints: Hints) -> Wallet:
        wallet = decide(hints)
        if wallet.decision is None or hints.looked_up is None:
            return wallet
        inputs = {n: said for n, said in wallet.decision.inputs.items() if n != "looked_up"}
        decision = msgspec.structs.replace(wallet.decision, inputs=inputs)
        return msgspec.structs.replace(wallet, decision=decision)

    patch.setattr(wallets, "decide", forgotten)


def the_prefix_is_paid(patch: pytest.MonkeyPatch) -> None:
    """Whoever was shown to the payer."""
    choose = Directory.choose_ways

    def by_prefix(
        self: Directory, payer: Msisdn, network: str, payee: Msisdn, *, wallet: str | None = None
    ) -> Ways:
        return choose(self, payer, network, payee)._replace(wallet=wallet or "mtn_ug")

    patch.setattr(Directory, "choose_ways", by_prefix)


PORTED = Options(
    payments=6, ported=True, span_seconds=3600.0, stirred=False,
    weather=Weather(clock_jump_per_hour=0.0, restored=0.0),
)  # fmt: skip
FAULTS: Sequence[tuple[Fault, str]] = [
    (whoever_is_named_is_believed, "a wallet in a country that is not its number's"),
    (a_look_up_is_waited_for, "a look-up is waited for"),
    (what_it_cannot_say_stops_a_price, "a look-up keeps a price back"),
    (not_all_that_was_weighed_is_kept, "weighed again it is another wallet"),
    (the_prefix_is_paid, "paid into another wallet than was priced"),
]


@planted("fault, law", FAULTS)
def test_fault_breaks_a_law_within_few_seeds(
    fault: Fault, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_breach(fault, PORTED, monkeypatch, law)


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    happened: Counter[str] = Counter()
    for seed in range(1, 13):
        happened.update(World(seed, PORTED).run().happened)
    # As in `test_simulation.py`: where none of it comes about every law is kept as well.
    for name in ("ported", "no such wallet", "refund sent elsewhere"):
        assert happened[name], name
