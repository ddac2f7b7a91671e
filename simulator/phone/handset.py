"""What one feature phone does: keys in, a display out. It knows no terminal and no menu.

While a USSD session is open the phone is busy: an operator's PIN prompt waits until it is over.
Where messages are read one is written too, to the number everybody writes to: ours.
"""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx
import msgspec

from simulator import amounts
from simulator.admin import Admin, Message, Prompt, Wallet
from simulator.operators.world import World
from simulator.places import Places
from simulator.ussd import Line, Screen, UssdSession

KEYS = "123456789*0#"
TYPED_MAX = 160
SMS_TYPED_MAX = 306  # two messages; nobody types more on such a phone
OPERATORS = {"+254": "M-PESA", "+256": "MTN MoMo"}


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
        self, client: httpx.AsyncClient, places: Places, world: World, *, name: str, msisdn: str
    ) -> None:
        self.name = name
        self.msisdn = msisdn
        self.mode = Mode.IDLE
        self.typed = places.shortcode
        self.messages: list[Message] = []
        self.wallet: Wallet | None = None
        self.reachable = True
        self.fault: str | None = None  # the technical reason of the last bad answer
        self._client = client
        self._world = world
        self._admin = Admin(client, places)
        self._line = Line(msisdn, places.ussd_url, places.ussd_end_url, (places.shortcode,))
        self._shortcode = places.shortcode
        self._session: UssdSession | None = None
        self._text = ""
        self._prompt: Prompt | None = None
        self._answered: set[str] = set()  # prompts that an older poll may still tell of
        self._read: set[int] = set()
        self._shown = 0  # which message of the inbox is open
        self._draft = ""  # an SMS being written; a prompt or Back does not lose it
        self._note = ""  # what became of the last one

    @property
    def operator(self) -> str:
        """Who serves this number."""
        return OPERATORS.get(self.msisdn[:4], "GSM")

    @property
    def takes_words(self) -> bool:
        """Whether letters can be typed now."""
        return self.mode in (Mode.MENU, Mode.INBOX)

    @property
    def unread(self) -> int:
        """How many messages were not opened yet."""
        return sum(message.n not in self._read for message in self.messages)

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
                enter, escape = ("Send", "Clear") if self._draft else ("Next", "Back")
                return Display(self._inbox_title(), self._inbox_text(), self._draft, enter, escape)

    def press(self, key: str) -> None:
        """One key of the keypad, or a letter where words are written; else nothing happens."""
        if self.mode is Mode.INBOX:
            self._draft, self._note = (self._draft + key)[:SMS_TYPED_MAX], ""
        elif self.mode is Mode.MENU or (self.mode in DIGITS_ONLY and key in DIALLED):
            self.typed = (self.typed + key)[:TYPED_MAX]

    def backspace(self) -> None:
        """Take back the last key."""
        if self.mode is Mode.INBOX:
            self._draft = self._draft[:-1]
        else:
            self.typed = self.typed[:-1]

    def enter(self) -> Work:
        """The green key: call, send, confirm, next message or the one that was written.

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
            case Mode.INBOX if self._draft.strip():
                text, self._draft, self._note = self._draft, "", "Sending ..."
                return self._send(text)
            case Mode.INBOX:
                self.browse(+1)
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
        if self.mode is Mode.INBOX and self._draft:
            self._draft = ""
        elif self.mode is Mode.IDLE and self.typed != "":
            self.typed = ""
        else:
            self._rest()
        return _nothing()

    def open_inbox(self) -> None:
        """Show the newest message; not while the phone is busy."""
        if self.mode in (Mode.IDLE, Mode.NOTICE):
            self.mode = Mode.INBOX
            self._shown, self._note = 0, ""
            self._mark_read()

    def browse(self, by: int) -> None:
        """Turn to an older (+1) or newer (-1) message."""
        if self.mode is Mode.INBOX and self.messages:
            self._shown = (self._shown + by) % len(self.messages)
            self._mark_read()

    async def refresh(self) -> None:
        """Fetch what came by radio: SMS, the operator's prompt, the wallet's balance."""
        try:
            after = self.messages[-1].n if self.messages else 0
            self._take_messages(await self._admin.messages(self.msisdn, after=after))
            self.wallet = await self._admin.wallet(self.msisdn)
            prompts = await self._admin.prompts(self.msisdn)
        except (httpx.HTTPError, msgspec.DecodeError):
            self.reachable = False
            return
        self.reachable = True
        self._take_prompt(prompts[0] if prompts else None)

    def _take_messages(self, new: Sequence[Message]) -> None:
        """Whoever reads the newest sees the answer come; whoever turned back stays there."""
        if not new:
            return
        self.messages += new
        self._note = ""
        if self.mode is Mode.INBOX and self._shown:
            self._shown += len(new)
        elif self.mode is Mode.INBOX:
            self._mark_read()

    def _take_prompt(self, prompt: Prompt | None) -> None:
        if self._prompt is not None and (prompt is None or prompt.id != self._prompt.id):
            self._prompt = None  # It ran out, or somebody else answered it.
            self._rest()
        if prompt is None or self._prompt is not None or prompt.id in self._answered:
            return
        # In every other mode a session is open and the phone is busy.
        if self.mode in (Mode.IDLE, Mode.NOTICE, Mode.INBOX):
            self._prompt = prompt
            self._text, self.typed, self.mode = prompt.text, "", Mode.PROMPT

    def _dial(self) -> Work:
        if not self.typed:
            self.typed = self._shortcode
            return _nothing()
        code, self.mode = self.typed, Mode.WAITING
        session = self._session = UssdSession(self._client, self._line, self._world)
        return self._show(session, session.dial(code))

    def _answer(self) -> Work:
        session = self._session
        assert session is not None
        text, self.mode = self.typed, Mode.WAITING
        return self._show(session, session.answer(text))

    async def _show(self, session: UssdSession, turn: Coroutine[Any, Any, Screen]) -> None:
        screen = await turn
        if session is not self._session:
            return  # The caller hung up while the network was busy.
        self._text, self.fault, self.typed = screen.text, screen.fault, ""
        self.mode = Mode.NOTICE if screen.ends else Mode.MENU
        if screen.ends:
            self._session = None

    async def _send(self, text: str) -> None:
        try:
            await self._admin.write_sms(self.msisdn, text)
        except httpx.HTTPError:
            self._draft, self._note = text, "Not sent. Try again."
        else:
            self._shown, self._note = 0, "Sent. The answer comes here."

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

    def _rest(self) -> None:
        self.mode, self.typed, self._text = Mode.IDLE, self._shortcode, ""

    def _mark_read(self) -> None:
        if self.messages:
            self._read.add(self._newest_first()[self._shown].n)

    def _newest_first(self) -> list[Message]:
        return self.messages[::-1]

    def _idle_text(self) -> str:
        lines = []
        if self.wallet is not None:
            lines.append(f"Wallet {amounts.show(self.wallet.balance_minor, self.wallet.currency)}")
            lines.append(f"Wallet PIN {self.wallet.pin}")
        if self.unread:
            noun = "message" if self.unread == 1 else "messages"
            lines += ["", f"{self.unread} new {noun}", "m = read"]
        return "\n".join(lines)

    def _prompt_text(self) -> str:
        hint = f"\n(Here it is {self.wallet.pin}.)" if self.wallet is not None else ""
        return f"{self._text}{hint}"

    def _inbox_title(self) -> str:
        number = f" {self._shown + 1}/{len(self.messages)}" if self.messages else ""
        return f"Inbox{number}"

    def _inbox_text(self) -> str:
        lines = [self._note] if self._note else []
        if self.messages:
            message = self._newest_first()[self._shown]
            lines += [f"From {message.sender or 'unknown'}", message.text]
        elif not lines:
            lines = ["No messages.", "Type one to CAPP, e.g. HELP"]
        return "\n".join(lines)


async def _nothing() -> None:
    """The network has no part in this key."""
