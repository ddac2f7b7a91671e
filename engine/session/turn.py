"""One turn, top to bottom: recognise it, move the session one step, render, save, answer.

Knows no gateway and no company. A turn may arrive twice, late or never: the same turn gets the
same bytes, a stale one has no effect, and an effect happens once however often its turn is run.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Mapping
from copy import copy
from functools import partial
from typing import Any

from engine.clock import Clock, Ids
from engine.correlation import speaking_of
from engine.errors import CustomerMistake, NoWayNow
from engine.memory import end_if_refused
from engine.menu.deep_links import INPUTS_MAX
from engine.menu.networks import Network
from engine.msisdn import Msisdn, country_of
from engine.outages import nameable, server_away
from engine.ports import Reply, SessionEnd, Turn
from engine.session.before import SessionBefore
from engine.session.drops import Drops
from engine.session.editions import Edition, Editions
from engine.session.ends import SessionEnds
from engine.session.recognition import (
    Refused,
    chose_a_pin,
    dialled_inputs,
    is_another_dial,
    is_repeated_dial,
    new_input,
)
from engine.session.session import (
    KEPT_SECONDS,
    OPENING,
    TEXT,
    TTL_GRACE_SECONDS,
    Seal,
    Session,
    head_of,
    new_nonce,
    pack,
    unpack,
    went_back,
)
from engine.session.steps import Late, LateWork
from engine.session.store import Pointer, Records, StoreDown
from engine.texts import FALLBACK

SAVE_SECONDS = 1.0
"""Kept back from the deadline for the save: twice the store's own timeout."""
DIALLED_LENGTH_MAX = 60
SAVES_MAX = 3

_log = logging.getLogger(__name__)


class TurnTaker:
    """Takes turns, any number at once. Between two turns a session lives in the store only."""

    def __init__(
        self,
        *,
        editions: Editions,
        late: LateWork,
        store: Records,
        drops: Drops,
        seal: Seal,
        ids: Ids,
        clock: Clock,
        shortcodes: Collection[str],
        may_begin: Callable[[Msisdn], Awaitable[bool]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`shortcodes` are those we are dialled by; `late` is the editions' own.

        `may_begin` says whether a phone may begin another session. It is asked before anything of
        the session is done, must answer in a fraction of a network's deadline, and raise nothing.
        """
        self._editions = editions
        self._late = late
        self._store = store
        self._ends = SessionEnds(store, drops, clock)
        self._seal = seal
        self._ids = ids
        self._clock = clock
        self._shortcodes = frozenset(shortcodes)
        self._may_begin = may_begin
        self._told_shortcode = min(shortcodes, default="")
        self._monotonic = monotonic
        self._running: dict[str, asyncio.Future[None]] = {}
        self._before = SessionBefore(store, clock)

    async def take(self, turn: Turn) -> Reply:
        """The screen that answers a turn, always, and within the network's deadline.

        Safe to repeat: the same turn gets the same reply and no second effect. Raises nothing but
        a cancellation.
        """
        network = self._editions.current.networks.of(turn.network)
        if not self._is_ours(turn, network):
            return self._last_words("session.unknown_code")
        deadline = self._monotonic() + network.deadline_seconds - SAVE_SECONDS
        if turn.session_id in self._running and not await self._wait_for_twin(turn, deadline):
            return self._last_words("session.late")
        done = asyncio.get_running_loop().create_future()
        self._running[turn.session_id] = done
        try:
            return await self._answer(turn, network, deadline)
        except Refused as refusal:
            return self._refusal(refusal, network)
        except StoreDown as error:
            _log.warning("session store: %s", nameable(error.__cause__ or error))
            return self._last_words("session.unavailable")
        except Exception as error:  # noqa: BLE001 - the edge that must answer the gateway
            end_if_refused(error)
            _tell(turn, error)
            away = server_away(error) is not None
            return self._last_words("session.unavailable" if away else "session.sorry")
        finally:
            del self._running[turn.session_id]
            done.set_result(None)

    async def note_end(self, end: SessionEnd) -> None:
        """A gateway says that a session is over: count it, and let nobody go on in it.

        What the session had got to stays for the next dial. A notice that comes late or twice
        counts once more and changes nothing else. Raises nothing but a cancellation.
        """
        await self._ends.note(end)

    async def aclose(self) -> None:
        """Let the work of turns that were answered as late come to its end."""
        await self._late.aclose()

    def _is_ours(self, turn: Turn, network: Network) -> bool:
        """Some gateways tell the shortcode at the dial only, and an SMS has none at all."""
        if network.channel == "sms" or not (turn.shortcode or turn.opens or turn.cumulative):
            return True
        return turn.shortcode in self._shortcodes

    async def _wait_for_twin(self, turn: Turn, deadline: float) -> bool:
        """Let another turn of this session in this process finish first; False when it is slow.

        A doubled delivery then finds the reply of the first. Between processes the conditional save
        and the keys of what has an effect do the same work; a guess at a PIN has one too.
        """
        while (running := self._running.get(turn.session_id)) is not None:
            left = deadline - self._monotonic()
            if left <= 0:
                return False
            await asyncio.wait({running}, timeout=left)
        return True

    async def _answer(self, turn: Turn, network: Network, deadline: float) -> Reply:
        came_at = int(self._clock.epoch())
        record = await self._record(turn)
        is_counted = False
        for _ in range(SAVES_MAX):
            session = await self._session(turn, record)
            if not session.step and not is_counted:
                await self._count(session)
                is_counted = True
            pressed = new_input(session, turn, self._seal) if session.step else None
            if session.step and pressed is None:
                return Reply(session.reply, session.ended)
            edition = await self._edition(session)
            expected = head_of(record)
            with speaking_of(session=session.told_name):
                reply = await self._advance(edition, session, turn, pressed, network, deadline)
            if session.was_late:
                session = copy(session)  # the verb goes on with its own, and with what is in it
            session.keep_seconds = _keep_seconds(edition, session)
            # What a late turn began may have its id by now: the books are asked from here on.
            session.at = came_at if session.was_late else int(self._clock.epoch())
            record = await self._save(session, turn, reply, expected, network)
            if record is None:
                return reply
        raise StoreDown  # Somebody else was faster each time; no dialogue looks like that.

    async def _count(self, begun: Session) -> None:
        """Raises Refused, in the language of the caller's country: nobody is looked up for it."""
        if not await self._may_begin(begun.msisdn):
            renderer = self._editions.current.renderer
            begun.language = renderer.default_of(country_of(begun.msisdn) or "")
            raise Refused("session.too_often", begun)

    async def _record(self, turn: Turn) -> bytes | None:
        # A dial is nearly always new, and if it is not, the save says so and brings the record.
        if turn.cumulative and not turn.text:
            return None
        return await self._store.load(turn.msisdn, turn.session_id)

    async def _session(self, turn: Turn, record: bytes | None) -> Session:
        """The session as it was left, or a new one, whose `step` is 0."""
        if record is None:
            return self._begun(turn)
        session = unpack(record)
        if turn.id_recurs and turn.opens and not is_repeated_dial(session, self._clock.epoch()):
            return self._begun(turn)
        if session is not None and is_another_dial(session, turn, self._clock.epoch()):
            return self._begun(turn)
        if session is None:  # written by another release, in a shape this one cannot read
            raise Refused("mistake.session_lost")
        return session

    def _begun(self, turn: Turn) -> Session:
        """A new session, unless the turn shows that there was one whose record is lost."""
        may_begin = turn.opens or turn.cumulative
        dialled = dialled_inputs(turn)
        too_much = len(dialled) > INPUTS_MAX or len(turn.text) > DIALLED_LENGTH_MAX
        if not may_begin or too_much or chose_a_pin(dialled):
            raise Refused("mistake.session_lost")
        return Session(
            nonce=new_nonce(self._ids),
            step=0,
            menu=self._editions.current.version,
            msisdn=turn.msisdn,
            network=turn.network,
            language=FALLBACK,
            country="",
            screen=OPENING,
            history=[],
        )

    async def _edition(self, session: Session) -> Edition:
        """The menus a session began with. Raises Refused when no process has them any more."""
        current = self._editions.current
        if session.menu == current.version:
            return current
        found = await self._editions.find(session.menu)
        if found is None:
            raise Refused("mistake.session_lost", session)
        return found

    async def _advance(
        self,
        edition: Edition,
        session: Session,
        turn: Turn,
        pressed: str | None,
        network: Network,
        deadline: float,
    ) -> Reply:
        """Move the session by this turn; `pressed` is None when the turn opens it."""
        # The nonce alone tells sessions apart; a gateway's own id may hold the caller's number.
        key = f"turn:{session.nonce}:{session.step + 1}"
        renderer = edition.renderer
        try:
            if pressed is None:
                mistake = await self._open(edition, session, turn, key, network, deadline)
            else:
                mistake = await edition.steps.press(session, pressed, key, deadline, network)
        except NoWayNow as refusal:
            # By SMS a screen may say what to dial instead; nobody else needs to be told.
            told = {"shortcode": self._told_shortcode, **refusal.variables}
            text = renderer.last_words(session, network, refusal.text_key, told)
            return Reply(text, ends=True)
        except Late as late:
            _log.warning("verb %s missed the deadline", late)
            session.was_late = True
            return Reply(renderer.last_words(session, network, "session.late", {}), ends=True)
        text = renderer.screen(session, network, mistake)
        return Reply(text, edition.menu.screens[session.screen].kind == "end")

    async def _open(
        self,
        edition: Edition,
        session: Session,
        turn: Turn,
        key: str,
        network: Network,
        deadline: float,
    ) -> CustomerMistake | None:
        """The first screen, or, for a dial string like `*384*96*1#`, the one it leads to.

        The same text may be all that is left of a session whose record was lost. Replayed, it has
        no effect; where that would take a secret or an effect, the customer must dial again. Who
        is first asked for something else, a language or a new PIN, is asked that and nothing is
        pressed for them: what stands in a dial string was meant for the menu. Nor is it for who is
        told of a payment that was late: most often it is the one that the string would make again.
        """
        dialled = dialled_inputs(turn)
        kept = await self._before.of(turn.msisdn)
        if kept is not None and (kept.may_have_paid or kept.unseen):
            session.unseen_since, session.unseen = kept.unseen_since or kept.at, kept.left_unseen
        if dialled and kept is not None and not kept.was_late:
            kept = None
        if kept is not None and self._before.may_be_resumed(kept):
            session.resumes = edition.steps.journey_to_resume(kept)
        await edition.steps.open(session, deadline, network, kept)
        if kept is not None and self._before.is_unsettled(edition, kept, session):
            raise Refused("session.late", session)
        if session.screen != edition.menu.home:
            return None
        mistake = None
        for index, pressed in enumerate(dialled):
            if mistake is None and index == len(dialled) - 1 and edition.asks_consent(session):
                break  # the price is shown again, and agreed to by who reads it
            if mistake is not None or not edition.steps.may_be_dialled(session, pressed):
                raise Refused("mistake.session_lost", session)
            mistake = await edition.steps.press(session, pressed, key, deadline, network)
        return mistake

    async def _save(
        self, session: Session, turn: Turn, reply: Reply, expected: bytes, network: Network
    ) -> bytes | None:
        """Keep the session as of this turn; what comes back is the record of who was faster."""
        pointer = Pointer.PROLONG if session.step else Pointer.POINT
        session.step += 1
        session.reply, session.ended = reply.text, reply.ends
        session.note(turn.sequence)
        if reply.ends:
            session.shed()
        if reply.ends and session.code is None and not session.was_late and not session.unseen:
            pointer = Pointer.CLEAR
        if turn.cumulative or reply.ends:
            session.text_length = len(turn.text)
            session.text_mac = self._seal.of(session, TEXT, turn.text)
        save = partial(
            self._store.save,
            turn.msisdn,
            turn.session_id,
            record=pack(session),
            ttl_seconds=max(network.idle_seconds + TTL_GRACE_SECONDS, session.useful_seconds),
            pointer=pointer,
        )
        try:
            other = await save(expected=expected)
            if other is not None and went_back(other, session):
                other = await save(expected=head_of(other))
            return other
        except StoreDown as error:
            if not reply.ends:
                raise
            # The last screen needs no record: better the payment's code than an apology.
            _log.warning("session store: %s", nameable(error.__cause__ or error))
            return None

    def _refusal(self, refusal: Refused, network: Network) -> Reply:
        if refusal.session is None:
            return self._last_words(refusal.key)
        renderer = self._editions.current.renderer
        return Reply(renderer.last_words(refusal.session, network, refusal.key, {}), ends=True)

    def _last_words(self, key: str, variables: Mapping[str, Any] | None = None) -> Reply:
        renderer = self._editions.current.renderer
        return Reply(renderer.sentence(FALLBACK, key, variables or {}), ends=True)


def _keep_seconds(edition: Edition, session: Session) -> int:
    """What the screen says; what became of work that was late is told as long as of any other."""
    screen = edition.menu.screens.get(session.screen)
    return KEPT_SECONDS if screen is None or session.was_late else screen.keep_seconds


def _tell(turn: Turn, error: Exception) -> None:
    """Where it happened and what kind it was. Never its message, which may quote what was typed.

    Of a server that is away the error itself, which tells of nobody and is told once an outage.
    """
    if server_away(error) is not None:
        _log.warning("turn of %s could not be taken: %s", turn.msisdn.masked, error)
        return
    where: list[Any] = traceback.format_tb(error.__traceback__)
    _log.error(
        "turn of %s failed with %s\n%s", turn.msisdn.masked, type(error).__name__, "".join(where)
    )
