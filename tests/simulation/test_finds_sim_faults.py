"""The simulation finds faults in what follows from a payer's SIM that was changed.

As `test_finds_faults.py`: each that is put in here breaks a law within few seeds.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from engine.compliance.clearance import Thresholds
from engine.compliance.compliance import Compliance
from engine.decisions import Decision
from engine.payments import rulings, unseen
from engine.payments.payment import Payment
from engine.payments.rulings import Rulings
from engine.payments.sequel import Following, Sequel
from engine.payments.sims import KEPT_SECONDS, Sims
from engine.payments.unseen import Looked, Unseen
from tests.simulation.finding import Fault, all_are_whole, first_breach, planted
from tests.simulation.weather import Weather
from tests.simulation.world import Options


def nobody_asks_when_it_leaves_the_queue(patch: pytest.MonkeyPatch) -> None:
    """By what was told when the money came."""

    async def as_it_was(self: Sequel, payment: Payment, following: Following) -> Following:
        return following

    patch.setattr(Sequel, "cleared", as_it_was)


def silence_is_no_change(patch: pytest.MonkeyPatch) -> None:
    """Whatever the house says."""
    suspect = Thresholds.suspect
    patch.setattr(
        Thresholds, "suspect", lambda self, sim: bool(sim and sim.is_told) and suspect(self, sim)
    )


def an_answer_is_waited_for(patch: pytest.MonkeyPatch) -> None:
    """For as long as it takes."""
    init = Sims.__init__

    def patient(self: Sims, *given: object, **named: object) -> None:
        init(self, *given, **named)  # type: ignore[arg-type]
        self._seconds = 3600.0

    patch.setattr(Sims, "__init__", patient)


def a_release_asks_once_more(patch: pytest.MonkeyPatch) -> None:
    """Some minutes later. What is told then was shown to nobody, and counts as ruled on."""
    release = Rulings.release

    async def anew(self: Rulings, payment_id: object, ruling: object, _: object = None) -> bool:
        await asyncio.sleep(KEPT_SECONDS)
        return await release(self, payment_id, ruling)  # type: ignore[arg-type]

    patch.setattr(Rulings, "release", anew)


def a_release_states_what_is_told_then(patch: pytest.MonkeyPatch) -> None:
    """And not what people have ruled on."""
    patch.setattr(unseen, "with_ruled", lambda decision, shown: decision)


def what_a_repeat_finds_was_shown(patch: pytest.MonkeyPatch) -> None:
    """Also to those who had asked before."""
    look = Unseen.look

    async def late(self: Unseen, payment: Payment, asked_ms: int) -> Looked:
        return await look(self, payment, 2**62)

    patch.setattr(Unseen, "look", late)


def nobody_needs_to_have_seen_it(patch: pytest.MonkeyPatch) -> None:
    """A release stands for whatever holds the payment."""
    patch.setattr(unseen, "has_news", lambda now, shown: False)


def every_look_is_the_first(patch: pytest.MonkeyPatch) -> None:
    """What stands in the terms is not read."""
    recheck = Compliance.recheck

    async def forgetful(
        self: Compliance, _: Decision | None, *given: object, **named: object
    ) -> Any:
        return await recheck(self, None, *given, **named)  # type: ignore[arg-type]

    patch.setattr(Compliance, "recheck", forgetful)


def for_another_payee_all_is_asked_anew(patch: pytest.MonkeyPatch) -> None:
    """Also of the payer's SIM, on which people have ruled."""
    patch.setattr(rulings, "_of_sim_alone", lambda clearance: None)


ROUGH = Weather(clock_jump_per_hour=0.0, restored=0.0, outage_per_hour=2.0, fails=0.05)
"""Where clocks are right, and payouts wait for their operators."""
CHANGED = Options(payments=12, sims=True, weather=ROUGH, stirred=False, span_seconds=7200.0)
LISTED = replace(CHANGED, payments=24, weather=replace(ROUGH, listed_per_hour=10.0))
DEAF = replace(LISTED, weather=replace(LISTED.weather, reply_lost=0.2))
SILENT = replace(CHANGED, weather=replace(ROUGH, outage_per_hour=20.0))
BACK = replace(ROUGH, turns_around=0.5, fails=0.02, news_told_days_max=0.2)
RETURNED = replace(CHANGED, payments=24, portals=True, weather=BACK)
FAULTS: Sequence[tuple[Fault, Options, str]] = [
    (nobody_asks_when_it_leaves_the_queue, CHANGED, "nobody asked about the payer's SIM"),
    (silence_is_no_change, CHANGED, "nobody has ruled on the payer's SIM"),
    (an_answer_is_waited_for, CHANGED, "an answer about a SIM is waited for"),
    (a_release_asks_once_more, LISTED, "nobody has ruled on the payer's SIM"),
    (a_release_states_what_is_told_then, SILENT, "held once more"),
    (what_a_repeat_finds_was_shown, DEAF, "nobody has ruled on the payer's SIM"),
    (nobody_needs_to_have_seen_it, CHANGED, "nobody has ruled on the payer's SIM"),
    (for_another_payee_all_is_asked_anew, RETURNED, "held once more"),
    (every_look_is_the_first, CHANGED, "held once more"),
]


@planted("fault, options, law", FAULTS)
def test_fault_breaks_a_law_within_few_seeds(
    fault: Fault, options: Options, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_breach(fault, options, monkeypatch, law)


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    names = ("SIM changed", "held for a SIM", "held for silence", "SIM ruled on")
    all_are_whole((CHANGED, LISTED), 8, names)
