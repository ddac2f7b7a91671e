"""The simulation finds faults in what becomes of subscriptions that their owners change.

As `test_finds_faults.py`: each that is put in here breaks a law within few seeds.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.hooks.store import KeptSecret
from engine.hooks.subscription import HookId
from tests.simulation.finding import Fault, all_are_whole, first_breach, planted
from tests.simulation.hook_rows import DROPPED
from tests.simulation.hook_table import ModelHookStore
from tests.simulation.hook_weather import HookWeather
from tests.simulation.weather import Weather
from tests.simulation.world import Options


def secrets_are_read_once(patch: pytest.MonkeyPatch) -> None:
    """And kept by each process, whatever is rotated or removed since."""
    read = ModelHookStore.secrets

    async def once(self: ModelHookStore, id: HookId, now_ms: int) -> list[KeptSecret]:
        if not now_ms:  # whoever shows one to people
            return await read(self, id, now_ms)
        kept: dict[HookId, list[KeptSecret]] = self.__dict__.setdefault("once", {})
        if id not in kept:
            kept[id] = await read(self, id, now_ms)
        return kept[id]

    patch.setattr(ModelHookStore, "secrets", once)


def the_newest_alone_signs(patch: pytest.MonkeyPatch) -> None:
    """Also while the one before it is to sign as well."""
    read = ModelHookStore.secrets

    async def newest(self: ModelHookStore, id: HookId, now_ms: int) -> list[KeptSecret]:
        kept = await read(self, id, now_ms)
        return kept[:1] if now_ms else kept

    patch.setattr(ModelHookStore, "secrets", newest)


def what_is_over_signs_on(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks until when."""
    read = ModelHookStore.secrets

    async def all_of_them(self: ModelHookStore, id: HookId, _: int) -> list[KeptSecret]:
        return await read(self, id, 0)

    patch.setattr(ModelHookStore, "secrets", all_of_them)


def a_pause_is_not_stored(patch: pytest.MonkeyPatch) -> None:
    """Whoever asked for it was told that it was."""

    async def pause(self: ModelHookStore, id: HookId) -> None:
        if self._own(id) is not None:
            self.changes.on_paused(id)

    patch.setattr(ModelHookStore, "pause", pause)


def a_removed_one_is_told_on(patch: pytest.MonkeyPatch) -> None:
    """It is not shown any more, and that is all."""

    async def remove(self: ModelHookStore, id: HookId) -> None:
        if self._own(id) is not None:
            self.changes.on_removed(id)

    patch.setattr(ModelHookStore, "remove", remove)


def what_was_missed_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """A pause is for good."""
    resume = ModelHookStore.resume

    async def anew(self: ModelHookStore, id: HookId, now_ms: int) -> None:
        row = self._own(id)
        if row is not None and row.state == "paused":
            for delivery in self._model.hooks.waiting(id):
                delivery.state, delivery.due_ms = DROPPED, None
        await resume(self, id, now_ms)

    patch.setattr(ModelHookStore, "resume", anew)


def a_rotation_ends_the_old_at_once(patch: pytest.MonkeyPatch) -> None:
    """Whatever overlap was asked for."""
    rotate = ModelHookStore.rotate

    async def hasty(
        self: ModelHookStore, secret: KeptSecret, old_until_ms: int, *, most: int
    ) -> bool:
        return await rotate(self, secret, secret.made_ms, most=most)

    patch.setattr(ModelHookStore, "rotate", hasty)


ROUGH = Weather(clock_jump_per_hour=0.0, restored=0.0)
"""Where clocks are right."""
FAILING = HookWeather(fails=0.4, silent=0.2, down_per_hour=0.0, gone=0.0)
CHANGED = Options(
    payments=10, subscriptions=True, weather=ROUGH, hook_weather=FAILING, stirred=False,
    span_seconds=3600.0,
)  # fmt: skip
SLOW = replace(CHANGED, span_seconds=300.0, weather=replace(ROUGH, freeze_per_minute=3.0))
FAULTS: Sequence[tuple[Fault, Options, str]] = [
    (secrets_are_read_once, CHANGED, "signed with"),
    (the_newest_alone_signs, CHANGED, "not signed with a secret that is good"),
    (what_is_over_signs_on, CHANGED, "signed with a secret that is over"),
    (a_pause_is_not_stored, CHANGED, "told while it is paused"),
    (a_removed_one_is_told_on, CHANGED, "told after it was removed"),
    (what_was_missed_is_dropped, CHANGED, "a step nobody told"),
    (a_rotation_ends_the_old_at_once, CHANGED, "not signed with a secret that is good"),
]


@planted("fault, options, law", FAULTS)
def test_fault_breaks_a_law_within_few_seeds(
    fault: Fault, options: Options, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_breach(fault, options, monkeypatch, law)


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    names = ("hook rotated", "hook paused", "hook removed", "hook resumed")
    all_are_whole((CHANGED, SLOW), 3, names)
