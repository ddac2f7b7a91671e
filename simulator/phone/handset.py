"""What one feature phone does: keys in, a display out. It knows no terminal and no menu.

While a USSD session is open the phone is busy: an operator's PIN prompt waits until it is over.
Without a gateway and operators (any server's address) there is no radio but the dialogue itself.
Where messages are read one is written too, to the number everybody writes to: ours.
"""

from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import httpx
import msgspec

from simulator import amounts
from simulator.admin import Admin, Prompt, Wallet
from simulator.dialects.numbers import word_of
from simulator.exchange import DEADLINE_SECONDS
from simulator.homes import name_of
from simulator.mishaps import CALM, Weather
from simulator.operators.world import World
from simulator.phone.caller import Caller
from simulator.phone.calls import Calls
from simulator.phone.inbox import Inbox
from simulator.phone.trail import Trail
from simulator.places import Places
from simulator.ussd import PHONE_FAULT, Screen, UssdSession

KEYS = "123456789*0#"
TYPED_MAX = 160
SESSIONS_KEPT = 3
WRITE_HINT = "Type one to CAPP, e.g. HELP"
NO_SMS = "Nobody sends SMS here."


Work = Coroutine[Any, Any, None]

DIALLED = f"{KEYS}+"


class Mode(StrEnum):
    """What the display is about."""

    IDLE = "idle"
    WAITING = "waiting"  # for the network
    MENU = "menu"  # a screen that takes an answer
    NOTICE = "notice"  # a text that ends something
    PROMPT = "prompt"  # an operator asks for the wallet's PIN
    INBOX = "inbox"
    CALLS = "calls"  # what was dialled before


DIGITS_ONLY = (Mode.IDLE, Mode.PROMPT)


@dataclass(frozen=True)
class Display:
    """What is to be drawn: a title, a text, what was typed (None: nothing can be), the keys."""

    title: str
    text: str
    typed: str | None
    enter: str  # what Enter does now
    escape: str  # what Esc does now


class Handset:
    """One phone. `press`, `enter` and `escape` are its keys; `refresh` is the radio."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        places: Places,
        world: World,
        *,
        name: str,
        msisdn: str,
        weather: Weather = CALM,
        deadline_seconds: float = DEADLINE_SECONDS,
        idle_seconds: float | None = None,
    ) -> None:
        """`idle_seconds`: how long the network bears a menu that nobody answers; None: for ever."""
        self.name = name
        self.msisdn = msisdn
        self.mode = Mode.IDLE
        self.typed = places.shortcode
        self.inbox = Inbox(WRITE_HINT if places.gateway else NO_SMS)
        self.calls = Calls()
        self.session_ids: deque[str] = deque(maxlen=SESSIONS_KEPT)  # what was dialled last
        self.trail = Trail(name)
        self.wallet: Wallet | None = None
        self.reachable = True
        self._world = world
        self._admin = Admin(client, places)
        self._caller = Caller(
            client, places, world, name=name, msisdn=msisdn, weather=weather,
            deadline_seconds=deadline_seconds,
        )  # fmt: skip
        self._idle_seconds = idle_seconds
        self._shortcode = places.shortcode
        self._session: UssdSession | None = None
        self._text = ""
        self._prompt: Prompt | None = None
        self._answered: set[str] = set()  # prompts that an older poll may still tell of
        self._asked_at = world.clock()  # when the menu came that waits for an answer

    @property
    def operator(self) -> str:
        """Who serves this number."""
        return name_of(self.msisdn) or word_of(self._caller.network_code) or "GSM"

    @property
    def takes_words(self) -> bool:
        """Whether letters can be typed now."""
        return self.mode in (Mode.MENU, Mode.INBOX)

    @property
    def unread(self) -> int:
        """How many messages were not opened yet."""
        return self.inbox.unread

    def display(self) -> Display:
        """What the phone shows now."""
        match self.mode:
            case Mode.IDLE:
                return Display(self.operator, self._idle_text(), self.typed, "Call", "Clear")
            case Mode.WAITING:
                return Display("USSD", "USSD code running ...", None, "", "Cancel")
            case Mode.MENU:
                return Display("USSD", self._text, self.typed, "Send", "Cancel")
            case Mode.NOTICE:
                return Display("USSD", self._text, None, "OK", "OK")
            case Mode.PROMPT:
                typed = "*" * len(self.typed)
                return Display(self.operator, self._prompt_text(), typed, "OK", "Cancel")
            case Mode.INBOX:
                draft = self.inbox.draft
                enter, escape = self._inbox_keys()
                return Display(self.inbox.title, self.inbox.text, draft, enter, escape)
            case Mode.CALLS:
                return Display("Dialled", self.calls.describe(), None, "Call", "Back")

    def press(self, key: str) -> None:
        """One key of the keypad, or a letter where words are written; else nothing happens."""
        if self.mode is Mode.INBOX:
            self.inbox.write(key)
        elif self.mode is Mode.CALLS and key in DIALLED:
            self.mode, self.typed = Mode.IDLE, key
        elif self.mode is Mode.MENU or (self.mode in DIGITS_ONLY and key in DIALLED):
            self.typed = (self.typed + key)[:TYPED_MAX]

    def backspace(self) -> None:
        """Take back the last key."""
        if self.mode is Mode.INBOX:
            self.inbox.draft = self.inbox.draft[:-1]
        else:
            self.typed = self.typed[:-1]

    def enter(self) -> Work:
        """The green key: call, send, confirm, open a message, the next one, or send one's own.

        The display changes at once; what is returned is the network's part and must be awaited.
        """
        match self.mode:
            case Mode.IDLE:
                return self._dial()
            case Mode.MENU:
                return self._answer()
            case Mode.PROMPT:
                return self._answer_prompt()
            case Mode.NOTICE:
                self._rest()
            case Mode.INBOX if self.inbox.draft.strip():
                text, self.inbox.draft, self.inbox.note = self.inbox.draft, "", "Sending ..."
                return self._send(text)
            case Mode.INBOX:
                self.inbox.enter()
            case Mode.CALLS:
                self.typed = self.calls.chosen
                return self._dial()
        return _nothing()

    def escape(self) -> Work:
        """The red key: hang up, decline, back. Where something was typed it clears that first.

        As with `enter`, what is returned must be awaited.
        """
        if self.mode is Mode.PROMPT and self._prompt is not None:
            prompt, self._prompt = self._prompt, None
            self._rest()
            return self._tell_operator(prompt, None)
        if self._session is not None:
            session, self._session = self._session, None
            self._rest()
            return session.hang_up()
        if self.mode is Mode.INBOX and self.inbox.draft:
            self.inbox.draft = ""
        elif self.mode is Mode.INBOX and self.inbox.is_reading:
            self.inbox.close()
        elif self.mode is Mode.IDLE and self.typed != "":
            self.typed = ""
        else:
            self._rest()
        return _nothing()

    def open_inbox(self) -> None:
        """Show the list of messages; not while the phone is busy."""
        if self.mode in (Mode.IDLE, Mode.NOTICE):
            self.mode = Mode.INBOX
            self.inbox.open()

    def browse(self, by: int) -> bool:
        """Go to an older (+1) or newer (-1) message or code; false where there is no list."""
        match self.mode:
            case Mode.INBOX:
                self.inbox.browse(by)
            case Mode.CALLS:
                self.calls.move(by)
            case Mode.IDLE if self.calls:
                self._open_calls()
            case _:
                return False
        return True

    async def refresh(self) -> None:
        """Fetch what came by radio: SMS, the operator's prompt, the wallet's balance."""
        await self._lapse()
        try:
            new = await self._admin.messages(self.msisdn, after=self.inbox.last)
            self.inbox.take(new, is_open=self.mode is Mode.INBOX)
            self.wallet = await self._admin.wallet(self.msisdn)
            if self.wallet is None:  # nobody has paid from it: shown with the next look
                await self._admin.open_wallet(self.msisdn)
            prompts = await self._admin.prompts(self.msisdn)
        except (httpx.HTTPError, msgspec.DecodeError):
            self.reachable = False
            return
        self.reachable = True
        self._take_prompt(prompts[0] if prompts else None)

    async def _lapse(self) -> None:
        """The network ends a dialogue in which nobody answers."""
        session = self._session
        if session is None or self.mode is not Mode.MENU or self._idle_seconds is None:
            return
        if self._world.clock() - self._asked_at < timedelta(seconds=self._idle_seconds):
            return
        self._session = None
        self._text, self.mode = PHONE_FAULT, Mode.NOTICE
        reason = f"nothing was typed for {self._idle_seconds:g} s, the network ended it"
        now, ended = self._world.clock(), Screen(PHONE_FAULT, ends=True, fault=reason)
        self.trail.add("", ended, began_at=self._asked_at, ended_at=now)
        await session.lapse()

    def _take_prompt(self, prompt: Prompt | None) -> None:
        if self._prompt is not None and (prompt is None or prompt.id != self._prompt.id):
            self._prompt = None  # It ran out, or somebody else answered it.
            self._rest()
        if prompt is None or self._prompt is not None or prompt.id in self._answered:
            return
        # In the two others a session is open and the phone is busy.
        if self.mode not in (Mode.WAITING, Mode.MENU):
            self._prompt = prompt
            self._text, self.typed, self.mode = prompt.text, "", Mode.PROMPT

    def _dial(self) -> Work:
        if not self.typed and self.calls:
            self._open_calls()
            return _nothing()
        if not self.typed:
            self.typed = self._shortcode
            return _nothing()
        code, self.mode = self.typed, Mode.WAITING
        self.calls.add(code)
        session = self._session = self._caller.open()
        self.session_ids.append(session.session_id)
        return self._show(session, code, self._caller.dial(session, code))

    def _open_calls(self) -> None:
        self.mode = Mode.CALLS
        self.calls.open()

    def _answer(self) -> Work:
        session = self._session
        assert session is not None
        text, self.mode = self.typed, Mode.WAITING
        return self._show(session, text, session.answer(text))

    async def _show(
        self, session: UssdSession, typed: str, turn: Coroutine[Any, Any, Screen]
    ) -> None:
        began_at = self._world.clock()
        screen = await turn
        self._asked_at = self._world.clock()
        mishap = await self._caller.suffer(session)
        self.trail.add(typed, screen, began_at=began_at, ended_at=self._asked_at, mishap=mishap)
        if session is not self._session:
            return  # The caller hung up while the network was busy.
        self._text, self.typed = screen.text, ""
        self.mode = Mode.MENU if session.is_open else Mode.NOTICE
        if not session.is_open:
            self._session = None

    async def _send(self, text: str) -> None:
        try:
            await self._admin.write_sms(self.msisdn, text)
        except httpx.HTTPError:
            self.inbox.not_sent(text)
        else:
            self.inbox.sent()

    def _answer_prompt(self) -> Work:
        if self._prompt is None or not self.typed:
            return _nothing()
        prompt, pin, self._prompt = self._prompt, self.typed, None
        self._rest()
        return self._tell_operator(prompt, pin)

    async def _tell_operator(self, prompt: Prompt, pin: str | None) -> None:
        self._answered.add(prompt.id)
        try:
            if pin is None:
                await self._admin.decline(prompt)
            else:
                await self._admin.approve(prompt, pin)
        except httpx.HTTPStatusError:
            self._text, self.mode = "The request has expired.", Mode.NOTICE
        except httpx.HTTPError:
            self.reachable = False

    def _inbox_keys(self) -> tuple[str, str]:
        """What Enter and Esc do where messages are."""
        if self.inbox.draft:
            return "Send", "Clear"
        if self.inbox.is_reading:
            return "Next", "Back"
        return ("Open" if self.inbox.messages else ""), "Back"

    def _rest(self) -> None:
        self.mode, self.typed, self._text = Mode.IDLE, self._shortcode, ""

    def _idle_text(self) -> str:
        lines = []
        if self.wallet is not None:
            lines.append(f"Wallet {amounts.show(self.wallet.balance_minor, self.wallet.currency)}")
            lines.append(f"Wallet PIN {self.wallet.pin}")
        if self.unread:
            noun = "message" if self.unread == 1 else "messages"
            lines += ["", f"{self.unread} new {noun}", "m = read"]
        if self.calls:
            lines += ["", "↑↓ = dialled before"]
        return "\n".join(lines).lstrip("\n")

    def _prompt_text(self) -> str:
        hint = f"\n(Here it is {self.wallet.pin}.)" if self.wallet is not None else ""
        return f"{self._text}{hint}"


async def _nothing() -> None:
    """The network has no part in this key."""
