"""The terminal program: one or two phones side by side and a panel that tells what happened.

It passes keys to handsets and polls what comes by radio; it knows nothing of menus or money.
"""

import asyncio
from collections.abc import Callable, Sequence
from string import ascii_letters, digits
from typing import ClassVar

import httpx
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from simulator.inspect import Inspector
from simulator.mishaps import CALM, Weather
from simulator.operators.world import World
from simulator.phone import panel
from simulator.phone.handset import Handset, Work
from simulator.phone.views import Key, PhoneView
from simulator.places import Places

POLL_SECONDS = 0.7
WATCH_SECONDS = 0.2
HELP = " Tab other phone | Enter | Esc | m messages | ↑↓ PgUp PgDn scroll | Ctrl-Q quit"


# The phone's keys, and what else words are written with, by the terminal library's names for them.
TERMINAL_KEYS = {
    **{sign: sign for sign in f"{ascii_letters}{digits}"},
    "*": "asterisk", "#": "number_sign", "+": "plus", " ": "space", ".": "full_stop",
    ",": "comma", "?": "question_mark", "!": "exclamation_mark", "'": "apostrophe",
    "-": "minus", "/": "slash", ":": "colon", "=": "equals_sign", "@": "at",
}  # fmt: skip


class Panel(VerticalScroll):
    """The text beside the phones."""

    can_focus = False

    def compose(self) -> ComposeResult:
        yield Static(markup=False)


class PhoneApp(App[Exception]):
    """One phone or two. It ends with the error that `trouble` found, or with nothing."""

    TITLE = "CAPP"
    ENABLE_COMMAND_PALETTE = False
    # The base class declares them without ClassVar, hence the exceptions.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (36, "-tall")]  # noqa: RUF012
    CSS = """
    Screen { background: #0d0f12; color: #e8e8e8; layers: base; }
    #table { height: 1fr; }
    Panel {
        width: 1fr; height: 100%; border: round #8a8f98; padding: 0 1;
        background: #0d0f12; scrollbar-size-vertical: 1;
    }
    #help { height: 1; background: #30353d; }
    .-wide PhoneView { width: 32; }
    .-tall PhoneView .key { height: 3; border: round #4a505a; }
    """
    # All of one kind: keys typed fast must be handled in the order they were pressed.
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"key({sign!r})", priority=True) for sign, key in TERMINAL_KEYS.items()),
        Binding("tab,shift+tab", "switch", priority=True),
        Binding("enter", "key('enter')", priority=True),
        Binding("escape", "key('escape')", priority=True),
        Binding("backspace", "backspace", priority=True),
        Binding("up", "turn(-1)", priority=True),
        Binding("down", "turn(1)", priority=True),
        Binding("pageup", "scroll(-8)", priority=True),
        Binding("pagedown", "scroll(8)", priority=True),
        Binding("ctrl+c,ctrl+q", "quit", priority=True),
    ]

    def __init__(
        self,
        client: httpx.AsyncClient,
        places: Places,
        world: World,
        *,
        payer: str,
        payee: str | None,
        trouble: Callable[[], Exception | None],
        weather: Weather = CALM,
        idle_seconds: float | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`client` is ours from here on and closed in the end."""
        super().__init__()
        self._client = client
        self._trouble = trouble
        self._poll_seconds = poll_seconds
        self.polls = 0  # how often all that comes by radio was fetched and told
        # None: nobody may look into this server, and the panel tells what the phones saw.
        self._inspector = Inspector(client, places) if places.server else None
        self.handsets: Sequence[Handset] = [
            Handset(
                client, places, world, name=name, msisdn=msisdn, weather=weather,
                idle_seconds=idle_seconds,
            )
            for name, msisdn in (("payer", payer), ("payee", payee))
            if msisdn is not None
        ]  # fmt: skip
        self._active = 0

    @property
    def active(self) -> Handset:
        """The phone that gets the keys."""
        return self.handsets[self._active]

    def compose(self) -> ComposeResult:
        with Horizontal(id="table"):
            for handset in self.handsets:
                yield PhoneView(handset)
            yield Panel()
        yield Static(HELP, id="help", markup=False)

    def on_mount(self) -> None:
        title = "What the system did" if self._inspector else "What the phone saw"
        self.query_one(Panel).border_title = title
        self._mark_active()
        self.set_interval(WATCH_SECONDS, self._watch)
        self.run_worker(self._listen(), exit_on_error=True)

    async def on_unmount(self) -> None:
        await self._client.aclose()

    def on_key_pressed(self, message: Key.Pressed) -> None:
        """A key was clicked: its phone is the one in the hand now."""
        for index, view in enumerate(self.query(PhoneView)):
            if view in message.key.ancestors:
                self._active = index
        self._mark_active()
        match message.key.name:
            case "m":  # The envelope is no letter.
                self.active.open_inbox()
            case "up":
                self.action_turn(-1)
            case "down":
                self.action_turn(+1)
            case "clear":
                self.action_backspace()
            case name:
                self._press(name or "")
        self._view().draw()

    def on_click(self, event: events.Click) -> None:
        """A click anywhere on a phone takes it into the hand."""
        if event.widget is None:
            return
        for index, view in enumerate(self.query(PhoneView)):
            if view is event.widget or view in event.widget.ancestors:
                self._active = index
                self._mark_active()

    def action_switch(self) -> None:
        self._active = (self._active + 1) % len(self.handsets)
        self._mark_active()

    def action_key(self, name: str) -> None:
        self._view().flash(name)
        self._press(name)

    def action_backspace(self) -> None:
        self.active.backspace()
        self._view().draw()

    def action_turn(self, by: int) -> None:
        if self.active.browse(by):
            self._view().draw()
        else:
            self._view().scroll_text(by)

    def action_scroll(self, by: int) -> None:
        self.query_one(Panel).scroll_relative(y=by, animate=False)

    def _press(self, name: str) -> None:
        handset = self.active
        match name:
            case "enter":
                self._do(handset.enter())
            case "escape":
                self._do(handset.escape())
            case "m" if not handset.takes_words:
                handset.open_inbox()
            case _:
                handset.press(name)
        self._view().draw()

    def _do(self, work: Work) -> None:
        # The network may take its ten seconds; the other phone must go on working.
        self.run_worker(work, exit_on_error=True)

    def _view(self) -> PhoneView:
        return self.query(PhoneView)[self._active]

    def _mark_active(self) -> None:
        for index, view in enumerate(self.query(PhoneView)):
            view.set_active(index == self._active)

    def _watch(self) -> None:
        if (error := self._trouble()) is not None:
            self.exit(error)

    async def _listen(self) -> None:
        """What comes by radio, for as long as the program runs."""
        text = self.query_one(Panel).query_one(Static)
        while True:
            told, *_ = await asyncio.gather(
                self._tell(), *(handset.refresh() for handset in self.handsets)
            )
            assert told is not None
            text.update(told)
            self.polls += 1
            await asyncio.sleep(self._poll_seconds)

    async def _tell(self) -> str:
        """The panel's text."""
        turns = [turn for handset in self.handsets for turn in handset.trail.turns]
        if self._inspector is None:
            return panel.describe_turns(turns)
        lines = [
            panel.Line(handset.name, handset.msisdn, list(handset.session_ids))
            for handset in self.handsets
        ]
        return panel.describe(await panel.look(self._inspector, lines), turns)
