"""One handset's USSD dialogue, told to a server in a gateway's dialect.

It plays the network and the gateway: it knows nothing of what a menu means, and no gateway's words.
Between phone and server may lie a `Carrier` that does harm. Whatever a server answers, a turn ends
within its deadline with a screen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import httpx

from simulator import display
from simulator.dialects import AFRICASTALKING
from simulator.dialects.dialect import Dialect, End, Ended, Told, Turn, Unreadable
from simulator.dialects.numbers import network_of, split_code
from simulator.exchange import DEADLINE_SECONDS, Answer, Courier, Request, Unanswered, exchange
from simulator.operators.world import World

__all__ = [
    "PHONE_FAULT",
    "Answer",
    "Carrier",
    "Dropped",
    "Line",
    "Screen",
    "Unanswered",
    "UssdSession",
]

PHONE_FAULT = "Connection problem or invalid MMI code."
"""What a phone shows for every bad answer, whatever the reason."""

NOTICES_MAX = 20_000
"""Characters of the last answer that an end notification repeats."""

GRACE_SECONDS = 0.2
"""An exchange has the same deadline as the network before it, and knows better what was wrong: it
may speak first."""

Deliver = Callable[[], Awaitable[Answer]]


class Dropped(Exception):
    """The network lost a turn or its answer; the message says what a tester should read."""


@dataclass(frozen=True)
class Screen:
    """What the phone shows, and for the tester what was wrong with the answer.

    `fault`: the answer was of no use, the phone shows `PHONE_FAULT` and the session is over.
    `flaws`: the phone shows it all the same, but cut, or without what it cannot show.
    """

    text: str
    ends: bool
    fault: str | None = None
    flaws: tuple[str, ...] = ()

    @property
    def complaint(self) -> str | None:
        """One sentence for whoever tests the server; None when nothing is wrong."""
        if self.fault is not None:
            return f"the phone shows {PHONE_FAULT!r}, because: {self.fault}"
        if self.flaws:
            return "the phone shows a screen, but: " + "; ".join(self.flaws)
        return None


@dataclass(frozen=True)
class Line:
    """A subscriber's line: whose number, which network, which gateway, and where it posts."""

    msisdn: str  # E.164, with plus
    url: str
    end_url: str | None = None  # for dialects that tell of ends at an address of their own
    shortcodes: Sequence[str] = ()  # published codes; what is dialled beyond one becomes text
    network: str = ""
    dialect: Dialect = AFRICASTALKING

    @property
    def network_code(self) -> str:
        """The given code, else the one that usually serves the number."""
        return self.network or network_of(self.msisdn)


class Carrier(Protocol):
    """What lies between phone and server, and may do harm to all that passes."""

    def session_id(self, fresh: str) -> str:
        """The id of the session that begins: the fresh one, or an older one once more."""
        ...

    async def carry(self, deliver: Deliver, *, turn: int) -> Answer:
        """Bring turn `turn` (the dial is 1) to the server and its answer back.

        `deliver` makes one exchange, each time it is called, also after the session went on; it
        raises Unanswered when the server does wrong. Raises Dropped when the network loses the
        turn or the answer. What takes longer than the deadline is cancelled.
        """
        ...

    def show(self, screen: Screen, *, turn: int) -> Screen:
        """What of a screen comes through to the phone."""
        ...


class UssdSession:
    """One dialogue from dial to end. A new dial needs a new object."""

    def __init__(
        self,
        client: httpx.AsyncClient | Courier,
        line: Line,
        world: World,
        *,
        network: Carrier | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        fresh = line.dialect.session_id(world)
        self.session_id = fresh if network is None else network.session_id(fresh)
        self.is_open = False
        self._client = client
        self._line = line
        self._network = network
        self._deadline_seconds = deadline_seconds
        self._now = world.clock
        self._started_at = world.clock()
        self._turn: Turn | None = None
        self._state = ""
        self._states: list[str] = []
        self._hops = 0
        self._closed_by_server = False
        self._last_body = b""
        self._is_told = False  # whether the end was told already
        self._notices: set[asyncio.Task[None]] = set()

    @property
    def text(self) -> str:
        """Everything typed so far, joined by `*`."""
        return self._turn.text if self._turn is not None else ""

    @property
    def hops(self) -> int:
        """How many turns were posted, repeats as well."""
        return self._hops

    async def dial(self, code: str) -> Screen:
        """Open the session. `*384*96*1#` reaches `*384*96#` with the text `1`."""
        assert self._turn is None, "a session is dialled once"
        shortcode, behind = split_code(code, self._line.shortcodes)
        line = self._line
        self._turn = Turn(self.session_id, line.msisdn, line.network_code, code, shortcode, behind)
        self._started_at = self._now()
        self.is_open = True
        return await self.repeat()

    async def answer(self, text: str) -> Screen:
        """Send one more input."""
        assert self.is_open and self._turn is not None, "the session is over"
        turn = self._turn
        self._turn = replace(turn, typed=(*turn.typed, text), state=self._state)
        return await self.repeat()

    async def repeat(self) -> Screen:
        """Send the last turn as it was, as a gateway does that heard no answer.

        Also after the end: the server must bear it.
        """
        turn = self._turn
        assert turn is not None, "nothing was dialled yet"
        self._hops += 1
        was_open = self.is_open
        heard = await self._carry_out(turn)
        shown = heard
        if self._network is not None:
            shown = self._network.show(heard, turn=turn.number)
        self.is_open = self.is_open and not shown.ends
        # The gateway knows an end also where the phone did not hear it.
        if was_open and (heard.ends or shown.ends):
            self._notify(End.FAILED if heard.fault else End.ANSWERED, heard.fault)
        return shown

    async def hang_up(self) -> None:
        """Close the dialogue from the handset. Safe to repeat."""
        if self.is_open:
            self.is_open = False
            self._notify(End.HUNG_UP)

    async def lapse(self) -> None:
        """The network closes a dialogue in which nothing was typed for too long. As `hang_up`."""
        if self.is_open:
            self.is_open = False
            self._notify(End.TIMED_OUT)

    async def notified(self) -> None:
        """Wait until the end notification was delivered or given up."""
        await asyncio.gather(*self._notices)

    async def _carry_out(self, turn: Turn) -> Screen:
        try:
            answer = await self._exchange(turn)
            self._last_body = answer.body
            told = self._line.dialect.read_answer(answer, turn)
        except TimeoutError:
            return _fault(f"no answer within {self._deadline_seconds:g} s")
        except (Dropped, Unanswered, Unreadable) as error:
            return _fault(str(error))
        return self._take(told)

    async def _exchange(self, turn: Turn) -> Answer:
        request = self._line.dialect.write_turn(turn)

        async def deliver() -> Answer:
            return await self._post(self._line.url, request)

        if self._network is None:
            return await deliver()
        async with asyncio.timeout(self._deadline_seconds + GRACE_SECONDS):
            return await self._network.carry(deliver, turn=turn.number)

    async def _post(self, url: str, request: Request) -> Answer:
        return await exchange(self._client, url, request, deadline_seconds=self._deadline_seconds)

    def _take(self, told: Told) -> Screen:
        """The screen of an answer that could be read."""
        if self._closed_by_server and not told.ends:
            return _fault("the server had ended the session, and now goes on with it")
        self._closed_by_server = told.ends
        self._state = told.state
        if told.state:
            self._states.append(told.state)
        shown = display.show(told.text)
        return Screen(shown.text, told.ends, flaws=told.flaws + shown.flaws)

    def _notify(self, end: End, error: str | None = None) -> None:
        line = self._line
        url = line.end_url if line.dialect.ends_elsewhere else line.url
        if url is None or self._turn is None or self._is_told:
            return
        self._is_told = True
        request = line.dialect.write_end(self._ended(self._turn, end, error))
        if request is None:
            return
        # The caller's screen does not wait for the gateway's bookkeeping.
        task = asyncio.create_task(self._post_notice(url, request))
        self._notices.add(task)
        task.add_done_callback(self._notices.discard)

    def _ended(self, turn: Turn, end: End, error: str | None) -> Ended:
        now = self._now()
        return Ended(
            turn,
            end,
            at=now,
            duration_ms=int((now - self._started_at).total_seconds() * 1000),
            hops=self._hops,
            last_answer=self._last_body.decode("utf-8", "replace")[:NOTICES_MAX],
            states=tuple(self._states),
            error=error,
        )

    async def _post_notice(self, url: str, request: Request) -> None:
        try:
            await self._post(url, request)
        except Unanswered:
            return  # The gateway tells once and forgets.


def _fault(reason: str) -> Screen:
    return Screen(text=PHONE_FAULT, ends=True, fault=reason)
