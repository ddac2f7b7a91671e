"""The simulation finds faults in how windows are closed, settled on the chain and booked.

As `test_finds_faults.py`: each that is put in here breaks a law within few seeds.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from engine.payments.settlement.approving import Approving
from engine.payments.settlement.batch import Batch
from engine.payments.settlement.booking import Booking
from engine.payments.settlement.errand_store import Errand
from engine.payments.settlement.settling import Settling
from engine.payments.settlement.state import BatchState
from engine.payments.settlement.submitting import Submitting
from engine.ports import Approval, Recorded
from tests.simulation.chain import ChainWeather, SimulatedChain
from tests.simulation.finding import Fault, all_are_whole, first_breach, planted
from tests.simulation.weather import Weather
from tests.simulation.world import Options


def a_window_is_reopened_in_its_time(patch: pytest.MonkeyPatch) -> None:
    """While the chain may still carry it out."""

    async def hasty(
        self: Settling, batch: Batch, errand: Errand, reason: str, rail_seconds: int
    ) -> bool:
        return await self._batches.move(batch, BatchState.REOPENING, reason=reason)

    async def lapsed(self: Settling, batch: Batch, errand: Errand, rail_seconds: int) -> bool:
        return await hasty(self, batch, errand, "it takes long", rail_seconds)

    patch.setattr(Settling, "_reopen", hasty)
    patch.setattr(Settling, "_lapse", lapsed)


def what_has_no_answer_is_reopened(patch: pytest.MonkeyPatch) -> None:
    """A node that has not come that far is taken at its word."""
    confirm = Settling._confirm

    async def at_once(self: Settling, batch: Batch, rail_seconds: int) -> bool:
        if await self._rail.recorded(batch.corridor, bytes.fromhex(batch.id)) is None:
            return await self._batches.move(batch, BatchState.REOPENING, reason="not there")
        return await confirm(self, batch, rail_seconds)

    patch.setattr(Settling, "_confirm", at_once)


def what_was_sent_is_final(patch: pytest.MonkeyPatch) -> None:
    """Whatever the chain's books say."""

    async def recorded(self: SimulatedChain, corridor: str, batch_id: bytes) -> Recorded | None:
        batch = self._world.model.settle.batches[batch_id.hex()]
        return Recorded(
            batch.terms_hash or b"", batch.merkle_root, batch.payment_count, batch.debits,
            batch.credits, 0,
        )  # fmt: skip

    patch.setattr(SimulatedChain, "recorded", recorded)


def a_place_called_taken_stays_taken(patch: pytest.MonkeyPatch) -> None:
    """Though by the account's order nothing stands there."""

    async def nothing(self: Submitting, account: str, first: int, rail_seconds: int) -> None: ...

    patch.setattr(Submitting, "_free_what_never_was", nothing)


def what_is_called_done_is_waited_for(patch: pytest.MonkeyPatch) -> None:
    """However long the chain has had no such window."""

    async def never(self: Submitting, errand: Errand) -> bool:
        return False

    patch.setattr(Submitting, "never_was", never)


def one_word_is_enough(patch: pytest.MonkeyPatch) -> None:
    """On either side."""
    init = SimulatedChain.__init__

    def lenient(self: SimulatedChain, *given: Any) -> None:
        init(self, *given)
        self._threshold = 1

    approved = Approving.approved

    async def first(self: Approving, batch: Batch) -> Any:
        settlement = await approved(self, batch)
        if settlement is None:
            return None
        words: tuple[Approval, ...] = settlement.approvals[:1]
        return msgspec.structs.replace(settlement, approvals=words)

    patch.setattr(SimulatedChain, "__init__", lenient)
    patch.setattr(Approving, "approved", first)


def a_window_is_booked_rounded(patch: pytest.MonkeyPatch) -> None:
    """To whole units of the asset."""
    closed = Settling._closed

    def rounded(self: Settling, batch: Batch) -> Any:
        whole = batch.net_minor // 1_000_000 * 1_000_000
        debits = tuple(whole if debit else 0 for debit in batch.debits)
        return closed(self, msgspec.structs.replace(batch, debits=debits))

    patch.setattr(Settling, "_closed", rounded)


def final_is_booked_for_each_look(patch: pytest.MonkeyPatch) -> None:
    """Under another entry."""

    async def nothing(self: Booking, *given: Any) -> bool:
        return True

    patch.setattr(Booking, "follow", nothing)


QUIET = Weather(clock_jump_per_hour=0.0, restored=0.0)
SETTLED = Options(payments=15, settlement=True, weather=QUIET, stirred=False, span_seconds=3600.0)
LATE = replace(
    SETTLED,
    chain_weather=ChainWeather(behind=0.5, slow=0.6, lost=0.3, halted_per_hour=3.0, forked=0.0),
)
FORKED = replace(SETTLED, chain_weather=ChainWeather(forked=0.5, slow=0.6))
PAUSED = replace(SETTLED, chain_weather=ChainWeather(paused_per_hour=5.0, slow=0.6))
FAULTS: Sequence[tuple[Fault, Options, str]] = [
    (a_window_is_reopened_in_its_time, LATE, "settled twice"),
    (what_has_no_answer_is_reopened, LATE, "turned round, and the chain has moved it"),
    (what_was_sent_is_final, FORKED, "final, and the chain has moved nothing"),
    (a_place_called_taken_stays_taken, FORKED, "a window never ends"),
    (what_is_called_done_is_waited_for, FORKED, "a window never ends"),
    (one_word_is_enough, SETTLED, "moved by the word of one"),
    (a_window_is_booked_rounded, SETTLED, "a window moves another net"),
    (final_is_booked_for_each_look, SETTLED, "moved on the chain, and not in the books"),
]


@planted("fault, options, law", FAULTS)
def test_fault_breaks_a_law_within_few_seeds(
    fault: Fault, options: Options, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_breach(fault, options, monkeypatch, law)


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    names = ("window closed", "window settled", "window reopened", "chain forked")
    all_are_whole((SETTLED, LATE, PAUSED, FORKED), 5, names)
