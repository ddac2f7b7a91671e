"""One step of a session: read what was pressed, run the verb, move the machine. Saves nothing."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import CustomerMistake
from engine.session.actions import VERBS, Press, Verb
from engine.session.check import CHOICE_MISTAKE
from engine.session.machine import HOME, Machine, event_of
from engine.session.menu import Menu, Move, Screen
from engine.session.readers import READERS
from engine.session.session import Session

BACK_KEY, HOME_KEY = "0", "00"

_log = logging.getLogger(__name__)


class Late(Exception):
    """A verb missed the deadline; its work goes on without the customer waiting for it."""


class Steps:
    """Moves sessions of one menu. Deadlines are readings of `monotonic`, in seconds."""

    def __init__(
        self,
        menu: Menu,
        verbs: Mapping[str, Verb],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._menu = menu
        self._verbs = verbs
        self._monotonic = monotonic
        self._machine = Machine(menu)
        self._late: set[asyncio.Task[str]] = set()

    async def open(self, session: Session, deadline: float) -> None:
        """From nowhere to the first screen. Raises NoWayNow or Late."""
        opens = self._menu.opens
        outcome = await self._run(opens, Press(session, None, "", ""), deadline)
        self._machine.move(session, event_of(opens, outcome))

    async def press(
        self, session: Session, pressed: str, key: str, deadline: float
    ) -> CustomerMistake | None:
        """One input. What comes back was wrong with it and is to be told above the screen.

        Raises NoWayNow or Late. `key` makes the effects of this step repeatable.
        """
        screen, pressed = self._menu.screens[session.screen], pressed.strip()
        if screen.has_back and pressed == BACK_KEY:
            self._machine.back(session)
            return None
        if screen.has_home and pressed == HOME_KEY:
            self._machine.move(session, HOME)
            return None
        try:
            move, value = _read(screen, pressed, session)
            outcome = await self._run(
                move, Press(session, value, move.argument or "", key), deadline
            )
        except CustomerMistake as mistake:
            if mistake.text_key in screen.mistakes:
                self._machine.move(session, mistake.text_key)
            return mistake
        self._machine.move(session, event_of(move, outcome))
        return None

    def may_be_dialled(self, session: Session, pressed: str) -> bool:
        """Whether an input may come in a dial string: no secret, no effect, no way back.

        A phone keeps what it dialled, so a PIN never belongs there; and because the first turn has
        no record yet, nothing it does could be told from its own repeat.
        """
        screen = self._menu.screens[session.screen]
        if screen.sensitive or pressed in ("", BACK_KEY, HOME_KEY) or not list(screen.moves):
            return False
        choice = screen.choices.get(pressed)
        verb = choice.move.verb if choice else screen.move.verb if screen.move else None
        return verb is None or not VERBS[verb].effects

    async def aclose(self) -> None:
        """Wait for verbs that were answered as late."""
        if self._late:
            await asyncio.wait(self._late)

    async def _run(self, move: Move, press: Press, deadline: float) -> str:
        if move.verb is None:
            return "next"
        work = self._verbs[move.verb](press)
        if not VERBS[move.verb].asks:
            return await work
        task = asyncio.get_running_loop().create_task(work)
        await _done_or_due(task, deadline - self._monotonic())
        if task.done():
            return task.result()
        self._late.add(task)
        task.add_done_callback(self._finished_late)
        raise Late(move.verb)

    def _finished_late(self, task: "asyncio.Task[str]") -> None:
        self._late.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a verb that was late failed: %s", type(error).__name__)


async def _done_or_due(task: "asyncio.Task[str]", seconds: float) -> None:
    """Wait for a task, but not for ever, and leave it running: what was begun is never cut off.

    `asyncio.wait` in its narrowest form, at half its cost; it is paid in most turns.
    """
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()

    def wake(_: "asyncio.Task[str] | None" = None) -> None:
        if not woken.done():
            woken.set_result(None)

    timer = loop.call_later(max(0.0, seconds), wake)
    task.add_done_callback(wake)
    try:
        await woken
    finally:
        timer.cancel()


def _read(screen: Screen, pressed: str, session: Session) -> tuple[Move, Any]:
    """Raises CustomerMistake."""
    if screen.move is not None and screen.reads is not None:
        return screen.move, READERS[screen.reads].read(pressed, session)
    choice = screen.choices.get(pressed)
    if choice is None:
        raise CustomerMistake(CHOICE_MISTAKE)
    return choice.move, None
