"""One seed's run: the same calls to two executors, everything they say held side by side."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

from simulator.devnet import bcs
from simulator.devnet.addresses import parse_address, sha3
from simulator.devnet.executor import (
    Aborted,
    Call,
    Environment,
    Executed,
    Executor,
    Failed,
    Json,
    Refusal,
)
from simulator.devnet.executors.model import ModelExecutor
from tests.move.differential import laws, watching
from tests.move.differential.drawing import METADATA, Drawn
from tests.move.differential.picture import Picture
from tests.move.differential.plots import CHAIN_ID, PLOTS
from tests.move.differential.setting import scene
from tests.move.differential.spoiling import doubly_spoilt, perhaps_spoilt
from tests.move.differential.tally import Tally

LOOK_EVERYWHERE_EVERY = 150
LOOKS_MAX = 12
"""After a call so many views of what it touched are held, drawn anew; now and then all views."""

PAIRS = 60
"""So many calls with two faults are tried of each function, of all two of its arguments."""

_STEPS_SECONDS = (0, 1, 7, 61, 700, 86_401, 300_000)
_STEP_WEIGHTS = (40, 30, 15, 8, 3, 1, 0.5)


class Different(AssertionError):
    """The two do not say the same, or the model broke a law. The message says how to see it."""


class Play:
    """A world of one seed, played by both."""

    def __init__(self, seed: int, move: Executor, model: ModelExecutor, tally: Tally) -> None:
        self._seed = seed
        self._move = move
        self._model = model
        self._tally = tally
        self._chance = random.Random(seed)
        self._eye = random.Random(seed)  # its own, so that looking changes no call
        self._picture = Picture(self._chance, self._ask)
        self._calls = 0
        self._views = 0
        self._options = ""

    def run(self, calls: int, *, pairs: int = PAIRS) -> None:
        """Set the scene, then so many calls by chance, and calls with two faults each.

        Raises `Different`.
        """
        self._options = f"--seeds {self._seed} --calls {calls} --pairs {pairs}"
        for drawn in scene(self._picture):
            self._step(drawn)
        for number in range(calls):
            if number == calls // 4:
                self._try_doubly_spoilt(pairs)
            self._pass_time()
            self._step(self._draw())
        self._look(watching.everything(self._picture))

    def _draw(self) -> Drawn:
        plot = self._chance.choices(list(PLOTS), list(PLOTS.values()))[0]
        return perhaps_spoilt(self._picture, plot(self._picture))

    def _try_doubly_spoilt(self, most: int) -> None:
        """What two faults at once are refused by: nothing is kept, so all start from one state."""
        for plot in PLOTS:
            fitting = plot(self._picture)
            tried = list(doubly_spoilt(self._picture, fitting))
            for drawn in self._eye.sample(tried, min(most, len(tried))):
                self._try(drawn)

    def _pass_time(self) -> None:
        self._picture.now += self._chance.choices(_STEPS_SECONDS, _STEP_WEIGHTS)[0]

    def _try(self, drawn: Drawn) -> tuple[Executed, Executed]:
        self._calls += 1
        call, environment = drawn.call(), self._environment(b"call", self._calls)
        both = self._move.execute(call, environment), self._model.execute(call, environment)
        self._hold(drawn, _outcome(both[0]), _outcome(both[1]))
        self._tally.called(drawn.name, both[0].refusal)
        return both

    def _step(self, drawn: Drawn) -> None:
        both = self._try(drawn)
        if both[0].refusal is not None:
            return
        self._move.apply(both[0])
        self._model.apply(both[1])
        drawn.remember()
        self._look_after(drawn, both[0])

    def _look_after(self, drawn: Drawn, executed: Executed) -> None:
        try:
            laws.check(self._model.kept())
        except laws.Broken as broken:
            raise Different(self._told(drawn, str(broken), "the model's own books")) from broken
        if self._calls % LOOK_EVERYWHERE_EVERY == 0:
            self._look(watching.everything(self._picture))
        else:
            seen = list(watching.of_touched(self._picture, _touched(drawn, executed)))
            self._look(self._eye.sample(seen, min(LOOKS_MAX, len(seen))))

    def _look(self, views: Iterable[Drawn]) -> None:
        for drawn in views:
            self._views += 1
            call, environment = drawn.call(), self._environment(b"view", self._views)
            move, model = self._move.view(call, environment), self._model.view(call, environment)
            self._tally.viewed(drawn.name)
            self._hold(
                drawn,
                (_word(move.refusal), list(move.values)),
                (_word(model.refusal), list(model.values)),
            )

    def _hold(self, drawn: Drawn, move: Any, model: Any) -> None:
        if move != model:
            raise Different(self._told(drawn, f"move:  {move}", f"model: {model}"))

    def _told(self, drawn: Drawn, *lines: str) -> str:
        where = f"seed {self._seed}, call {self._calls}: {drawn}"
        again = f"python -m tests.move.differential {self._options}"
        return "\n".join([where, *lines, again])

    def _environment(self, kind: bytes, number: int) -> Environment:
        return Environment(
            chain_id=CHAIN_ID,
            height=self._calls,
            timestamp_microseconds=self._picture.now * 1_000_000 + self._calls,
            transaction_hash=sha3(kind, bcs.u64(self._seed), bcs.u64(number)),
        )

    def _ask(self, name: str, *arguments: tuple[str, Any]) -> Json | None:
        types = (METADATA,) if name.startswith("primary_fungible_store") else ()
        call: Call = Drawn(name, (), arguments, types=types).call()
        viewed = self._model.view(call, self._environment(b"ask", 0))
        if viewed.refusal is not None:
            return None
        return viewed.values[0] if len(viewed.values) == 1 else list(viewed.values)


def _outcome(executed: Executed) -> tuple[Any, list[tuple[str, Json]]]:
    return _word(executed.refusal), [(event.type, event.data) for event in executed.events]


def _word(refusal: Refusal | None) -> Any:
    """What of a refusal must be the same; where in the code the VM stopped, no model knows."""
    match refusal:
        case Aborted():
            return refusal.address.hex().lstrip("0"), refusal.module, hex(refusal.code)
        case Failed():
            return refusal.status
    return refusal


def _touched(drawn: Drawn, executed: Executed) -> set[bytes]:
    objects = {value for kind, value in drawn.arguments if kind.startswith("0x1::object::Object<")}
    told = {address for event in executed.events for address in _addresses(event.data)}
    return objects | told


def _addresses(data: Json) -> Iterator[bytes]:
    for value in data.values():
        if isinstance(value, str) and value.startswith("0x") and len(value) == 66:
            yield parse_address(value)
