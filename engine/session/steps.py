"""One step of a session: read what was pressed, run the verb, move the machine. Saves nothing."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import CustomerMistake, NoWayNow
from engine.memory import end_if_refused
from engine.menu.networks import Network
from engine.menu.screens import BACK_KEY, HOME_KEY, MORE_KEY, PAGED, Menu, Move, Screen
from engine.menu.vocabulary import CHOICE_MISTAKE, RESUME, UNREAD_MISTAKE, VERBS
from engine.session.machine import HOME, Machine, event_of
from engine.session.press import Press, Verb
from engine.session.readers import readers_of
from engine.session.session import Item, Session
from engine.session.variables import FACTS
from engine.texts import Texts

_log = logging.getLogger(__name__)


class Late(Exception):
    """A verb missed the deadline; its work goes on without the customer waiting for it."""


class Steps:
    """Moves sessions of one menu. Deadlines are readings of `monotonic`, in seconds."""

    def __init__(
        self,
        menu: Menu,
        texts: Texts,
        verbs: Mapping[str, Verb],
        late: "LateWork",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._menu = menu
        self._readers = readers_of(menu, texts)
        self._verbs = verbs
        self._monotonic = monotonic
        self._machine = Machine(menu)
        self._late = late

    async def open(
        self, session: Session, deadline: float, network: Network, kept: Session | None = None
    ) -> None:
        """From nowhere to the first screen. `kept` is what an earlier session left behind.

        Raises NoWayNow, also where the first screen asks a secret and none may be typed, or Late.
        """
        opens = self._menu.opens
        outcome = await self._run(opens.verb, Press(session, kept, ""), deadline)
        self._machine.move(session, event_of(opens, outcome))
        if self._menu.screens[session.screen].sensitive and not network.asks_secrets:
            raise NoWayNow("session.dial_instead")

    def journey_to_resume(self, kept: Session) -> str:
        """The journey a dropped session can be taken up in, or "" when there is none."""
        screen = self._menu.screens.get(kept.screen)
        if screen is None:
            return ""
        if screen.journey in self._menu.resumes:
            return screen.journey
        offers = any(choice.move.verb == RESUME for choice in screen.choices.values())
        return kept.resumes if offers else ""  # the offer itself was dropped

    async def press(
        self, session: Session, pressed: str, key: str, deadline: float, network: Network
    ) -> CustomerMistake | None:
        """One input. What comes back was wrong with it and is to be told above the screen.

        Raises NoWayNow or Late. `key` makes the effects of this step repeatable.
        """
        screen, pressed = self._menu.screens[session.screen], pressed.strip()
        if self._turned(session, screen, pressed):
            return None
        try:
            move, value = self._read(screen, pressed, session)
            pressing = Press(session, value, key)
            if screen.check is not None and move is screen.move:
                await self._run(screen.check, pressing, deadline)
            await self._go(session, move, pressing, deadline)
            await self._without_secrets(session, key, deadline, network)
        except CustomerMistake as mistake:
            screen = self._menu.screens[session.screen]
            if mistake.text_key in screen.mistakes:
                self._machine.move(session, mistake.text_key)
            return mistake
        return None

    def may_be_dialled(self, session: Session, pressed: str) -> bool:
        """Whether an input may come in a dial string: no secret, no effect, no way back.

        A phone keeps what it dialled, so a PIN never belongs there; and because the first turn has
        no record yet, nothing it does could be told from its own repeat.
        """
        screen = self._menu.screens[session.screen]
        if screen.sensitive or screen.kind == "confirm":
            return False  # what was not read is not agreed to
        if pressed in ("", BACK_KEY, HOME_KEY, MORE_KEY):
            return False
        try:
            move = self._move_of(screen, pressed, session)
        except CustomerMistake:
            return False
        return move.verb is None or not VERBS[move.verb].effects

    # Reading.

    def _turned(self, session: Session, screen: Screen, pressed: str) -> bool:
        """Back, home and further on: no verb, another screen or page."""
        if pressed == MORE_KEY and screen.kind in PAGED and session.page + 1 < session.pages:
            session.page += 1
        elif pressed == BACK_KEY and session.page > 0:
            session.page -= 1
        elif pressed == BACK_KEY and screen.has_back:
            self._back(session)
        elif pressed == HOME_KEY and screen.has_home:
            self._machine.move(session, HOME)
        else:
            return False
        return True

    def _back(self, session: Session) -> None:
        """A list that was replaced by another meanwhile has nothing left to show: further back."""
        self._machine.back(session)
        screen = self._menu.screens[session.screen]
        while screen.lists is not None and screen.lists != session.listed and not screen.reads:
            self._machine.back(session)
            screen = self._menu.screens[session.screen]

    def _read(self, screen: Screen, pressed: str, session: Session) -> tuple[Move, Any]:
        """Raises CustomerMistake."""
        move = self._move_of(screen, pressed, session)
        if move is screen.pick:
            item = _item(screen, pressed, session)
            return move, item.ref if item is not None else ""
        if move is screen.move and screen.reads is not None:
            return move, self._readers[screen.name](pressed, session)
        return move, None

    def _move_of(self, screen: Screen, pressed: str, session: Session) -> Move:
        """Which move an input means. Raises CustomerMistake when it is none of the screen's."""
        choice = screen.choices.get(pressed)
        if choice is not None and (choice.when is None or FACTS[choice.when](session)):
            if screen.kind == "confirm" and session.page + 1 < session.pages:
                raise CustomerMistake(UNREAD_MISTAKE)
            return self._resumed(choice.move, session)
        if screen.pick is not None and _item(screen, pressed, session) is not None:
            return screen.pick
        if screen.move is not None:
            return screen.move
        raise CustomerMistake(CHOICE_MISTAKE)

    def _resumed(self, move: Move, session: Session) -> Move:
        if move.verb != RESUME:
            return move
        found = self._menu.resumes.get(session.resumes)
        if found is None:
            raise CustomerMistake(CHOICE_MISTAKE)
        return found

    # Doing.

    async def _go(self, session: Session, move: Move, press: Press, deadline: float) -> None:
        outcome = await self._run(move.verb, press, deadline)
        self._machine.move(session, event_of(move, outcome))
        if move.verb is not None and VERBS[move.verb].effects:
            session.history.clear()  # nobody walks back behind what was done: `0` leads home

    async def _without_secrets(
        self, session: Session, key: str, deadline: float, network: Network
    ) -> None:
        """Where no secret may be typed, a screen that asks one is passed or the session ends."""
        screen = self._menu.screens[session.screen]
        if not screen.sensitive or network.asks_secrets:
            return
        if screen.prompt is None:
            raise NoWayNow("session.dial_instead")
        await self._go(session, screen.prompt, Press(session, None, key), deadline)

    async def _run(self, verb: str | None, press: Press, deadline: float) -> str:
        if verb is None:
            return "next"
        facts, method = VERBS[verb], self._verbs[verb]
        if not facts.asks:
            return await method(press)
        now = self._monotonic()
        seconds = min(deadline - now, facts.seconds)
        work = method(Press(press.session, press.value, press.key, now + seconds))
        task = asyncio.get_running_loop().create_task(work)
        try:
            await _done_or_due(task, seconds)
        finally:  # also where its turn is given up: it goes on, and the end waits for it
            if not task.done():
                self._late.keep(task)
        if task.done():
            return task.result()
        raise Late(verb)


class LateWork:
    """Verbs that nobody waits for any more, and that go on: they were answered as late, or their
    turns were given up. One for all editions of a process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[str]] = set()

    def keep(self, task: "asyncio.Task[str]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def aclose(self) -> None:
        """Wait for all of it."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _finished(self, task: "asyncio.Task[str]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            end_if_refused(error)
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


def _item(screen: Screen, pressed: str, session: Session) -> Item | None:
    """The item of a list that a number means; its numbers go on where the choices end."""
    if screen.lists is None or screen.lists != session.listed:
        return None
    if not (pressed.isascii() and pressed.isdigit() and len(pressed) <= 2):
        return None
    index = int(pressed) - len(screen.choices) - 1
    return session.items[index] if 0 <= index < len(session.items) else None
