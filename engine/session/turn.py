"""One turn, top to bottom: recognise it, move the session one step, render, save, answer.

Knows no gateway and no company. A turn may arrive twice, late or never: the same turn gets the
same bytes, a stale one has no effect, and an effect happens once however often its turn is run.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Collection
from typing import Any

from engine.clock import Ids
from engine.errors import CustomerMistake, NoWayNow
from engine.ports import Reply, Turn
from engine.session.actions import Actions
from engine.session.menu import Menu
from engine.session.networks import Network, Networks
from engine.session.render import Renderer
from engine.session.session import OPENING, TEXT, Seal, Session, pack, unpack, version_of
from engine.session.steps import Late, Steps
from engine.session.store import Records, StoreDown
from engine.texts import FALLBACK, Texts

TTL_GRACE_SECONDS = 150
"""Kept beyond the network's patience: those figures are hearsay, and repeats arrive late."""
SAVE_SECONDS = 1.0
"""Kept back from the deadline for the save: twice the store's own timeout."""
DIALLED_INPUTS_MAX = 6
DIALLED_LENGTH_MAX = 60
SAVES_MAX = 3

_log = logging.getLogger(__name__)


class _Refused(Exception):
    """A turn that is answered with a sentence and leaves the session as it is."""

    def __init__(self, key: str, language: str = FALLBACK) -> None:
        super().__init__(key)
        self.key = key
        self.language = language


class TurnTaker:
    """Takes turns, any number at once. Between two turns a session lives in the store only."""

    def __init__(
        self,
        *,
        menu: Menu,
        texts: Texts,
        networks: Networks,
        store: Records,
        actions: Actions,
        seal: Seal,
        ids: Ids,
        shortcodes: Collection[str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`menu` is one that `load_menu` proved; `shortcodes` are those we are dialled by."""
        self._menu = menu
        self._networks = networks
        self._store = store
        self._seal = seal
        self._ids = ids
        self._shortcodes = frozenset(shortcodes)
        self._monotonic = monotonic
        self._steps = Steps(menu, actions.verbs, monotonic)
        self._renderer = Renderer(menu, texts)
        self._running: dict[str, asyncio.Future[None]] = {}

    async def take(self, turn: Turn) -> Reply:
        """The screen that answers a turn, always, and within the network's deadline.

        Safe to repeat: the same turn gets the same reply and no second effect. Raises nothing but
        a cancellation.
        """
        if turn.shortcode not in self._shortcodes:
            return self._last_words("session.unknown_code")
        network = self._networks.of(turn.network)
        deadline = self._monotonic() + network.deadline_seconds - SAVE_SECONDS
        if turn.session_id in self._running and not await self._wait_for_twin(turn, deadline):
            return self._last_words("session.late")
        done = asyncio.get_running_loop().create_future()
        self._running[turn.session_id] = done
        try:
            return await self._answer(turn, network, deadline)
        except _Refused as refusal:
            return self._last_words(refusal.key, refusal.language)
        except StoreDown as error:
            _log.warning("session store: %s", type(error.__cause__ or error).__name__)
            return self._last_words("session.unavailable")
        except Exception as error:  # noqa: BLE001 - the edge that must answer the gateway
            _tell(turn, error)
            return self._last_words("session.sorry")
        finally:
            del self._running[turn.session_id]
            done.set_result(None)

    async def aclose(self) -> None:
        """Let the work of turns that were answered as late come to its end."""
        await self._steps.aclose()

    async def _wait_for_twin(self, turn: Turn, deadline: float) -> bool:
        """Let another turn of this session in this process finish first; False when it is slow.

        A doubled delivery then finds the reply of the first, and a wrong PIN is not counted twice.
        Between processes the conditional save and the idempotency keys do the same work.
        """
        while (running := self._running.get(turn.session_id)) is not None:
            left = deadline - self._monotonic()
            if left <= 0:
                return False
            await asyncio.wait({running}, timeout=left)
        return True

    async def _answer(self, turn: Turn, network: Network, deadline: float) -> Reply:
        # A dial is nearly always new, and if it is not, the save says so and brings the record.
        dial = turn.cumulative and not turn.text
        record = None if dial else await self._store.load(turn.msisdn, turn.session_id)
        for _ in range(SAVES_MAX):
            session = self._begun(turn) if record is None else self._resumed(record)
            pressed = None if record is None else self._new_input(session, turn)
            if record is not None and pressed is None:
                return Reply(session.reply, session.ended)
            expected = version_of(session.step)
            reply = await self._advance(session, turn, pressed, network, deadline)
            record = await self._save(session, turn, reply, expected, network)
            if record is None:
                return reply
        raise StoreDown  # Somebody else was faster each time; no dialogue looks like that.

    def _begun(self, turn: Turn) -> Session:
        """A new session, unless the turn shows that there was one whose record is lost."""
        may_begin = turn.opens or turn.cumulative
        dialled = _dialled_inputs(turn)
        too_much = len(dialled) > DIALLED_INPUTS_MAX or len(turn.text) > DIALLED_LENGTH_MAX
        if not may_begin or too_much:
            raise _Refused("mistake.session_lost")
        return Session(
            nonce=self._ids.hex()[16:],  # the random half
            step=0,
            menu=self._menu.version,
            msisdn=turn.msisdn,
            network=turn.network,
            language=FALLBACK,
            country="",
            screen=OPENING,
            history=[],
        )

    def _resumed(self, record: bytes) -> Session:
        session = unpack(record)
        if session is None or (session.menu != self._menu.version and not session.ended):
            # Written by another release: the same key press may mean something else by now.
            raise _Refused("mistake.session_lost")
        return session

    def _new_input(self, session: Session, turn: Turn) -> str | None:
        """What this turn adds to the session; None when it adds nothing and is to be repeated.

        With cumulative text the new input is what remains behind the text already answered: never
        the last piece of a split, because the customer may type `*`. A gateway that sends the last
        input only gives no means to tell a repeat from the same key pressed again.
        """
        text, known = turn.text, session.text_length
        if not turn.cumulative:
            if turn.opens and session.step == 1:
                return None
            if turn.opens or session.ended:
                raise _Refused("session.over", session.language)
            return text
        if len(text) < known:  # Older than what was answered last: overtaken on its way.
            return None
        if not self._seal.matches(session, TEXT, text[:known], session.text_mac):
            raise _Refused("session.over", session.language)
        rest = text[known:]
        if not rest:
            return None
        if session.ended or (known and rest[0] != "*"):
            raise _Refused("session.over", session.language)
        return rest.removeprefix("*")

    async def _advance(
        self, session: Session, turn: Turn, pressed: str | None, network: Network, deadline: float
    ) -> Reply:
        """Move the session by this turn; `pressed` is None when the turn opens it."""
        key = f"ussd:{turn.session_id}:{session.nonce}:{session.step + 1}"
        try:
            if pressed is None:
                mistake = await self._open(session, turn, key, deadline)
            else:
                mistake = await self._steps.press(session, pressed, key, deadline)
        except NoWayNow as refusal:
            text = self._renderer.sentence(session.language, refusal.text_key, refusal.variables)
            return Reply(text, ends=True)
        except Late as late:
            _log.warning("verb %s missed the deadline", late)
            return self._last_words("session.late", session.language)
        text = self._renderer.screen(session, network.budget_septets, mistake)
        return Reply(text, self._menu.screens[session.screen].kind == "end")

    async def _open(
        self, session: Session, turn: Turn, key: str, deadline: float
    ) -> CustomerMistake | None:
        """The first screen, or, for a dial string like `*384*96*1#`, the one it leads to.

        The same text may be all that is left of a session whose record was lost. Replayed, it has
        no effect; where that would take a secret or an effect, the customer must dial again.
        """
        await self._steps.open(session, deadline)
        mistake = None
        for pressed in _dialled_inputs(turn):
            if mistake is not None or not self._steps.may_be_dialled(session, pressed):
                raise _Refused("mistake.session_lost", session.language)
            mistake = await self._steps.press(session, pressed, key, deadline)
        return mistake

    async def _save(
        self, session: Session, turn: Turn, reply: Reply, expected: bytes, network: Network
    ) -> bytes | None:
        """Keep the session as of this turn; what comes back is the record of who was faster."""
        session.step += 1
        session.reply, session.ended = reply.text, reply.ends
        if turn.cumulative:
            session.text_length = len(turn.text)
            session.text_mac = self._seal.of(session, TEXT, turn.text)
        ttl = network.idle_seconds + TTL_GRACE_SECONDS
        try:
            return await self._store.save(
                turn.msisdn,
                turn.session_id,
                expected=expected,
                record=pack(session),
                ttl_seconds=ttl,
            )
        except StoreDown as error:
            if not reply.ends:
                raise
            # The last screen needs no record: better the payment's code than an apology.
            _log.warning("session store: %s", type(error.__cause__ or error).__name__)
            return None

    def _last_words(self, key: str, language: str = FALLBACK) -> Reply:
        return Reply(self._renderer.sentence(language, key, {}), ends=True)


def _dialled_inputs(turn: Turn) -> list[str]:
    """Nothing was answered yet, so here every star does separate two inputs."""
    return turn.text.split("*") if turn.cumulative and turn.text else []


def _tell(turn: Turn, error: Exception) -> None:
    """Where it happened and what kind it was. Never its message, which may quote what was typed."""
    where: list[Any] = traceback.format_tb(error.__traceback__)
    _log.error(
        "turn of %s failed with %s\n%s", turn.msisdn.masked, type(error).__name__, "".join(where)
    )
