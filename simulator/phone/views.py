"""How a handset looks in a terminal: display, soft keys, keypad. It draws and passes keys on."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from simulator.phone.handset import KEYS, Display, Handset, Mode

LETTERS = {
    "2": "abc", "3": "def", "4": "ghi", "5": "jkl", "6": "mno", "7": "pqrs", "8": "tuv",
    "9": "wxyz", "0": "+",
}  # fmt: skip
KEY_OF = {letter: key for key, letters in LETTERS.items() for letter in letters}
FLASH_SECONDS = 0.12
TAIL_MAX = 48  # three lines of the narrowest phone, whatever words they break at
REDRAW_SECONDS = 0.15


class Key(Static):
    """One key of a phone, pressed by mouse or, from elsewhere, by `flash`."""

    can_focus = False

    class Pressed(Message):
        """Somebody clicked this key."""

        def __init__(self, key: "Key") -> None:
            super().__init__()
            self.key = key

    def __init__(self, name: str, label: str, *, classes: str = "key") -> None:
        super().__init__(label, name=name, classes=classes, markup=False)

    def on_click(self) -> None:
        self.flash()
        self.post_message(self.Pressed(self))

    def flash(self) -> None:
        """Show that the key went down."""
        self.add_class("-down")
        self.set_timer(FLASH_SECONDS, lambda: self.remove_class("-down"))


class PhoneView(Vertical):
    """One phone on the table."""

    DEFAULT_CSS: ClassVar[str] = """
    PhoneView {
        width: 26; height: 100%; max-height: 34; padding: 0 1;
        border: round #8a8f98; background: #1c1f24; color: #e8e8e8;
    }
    PhoneView.-active { border: heavy #ffffff; }
    PhoneView .lcd { height: 1fr; min-height: 10; background: #c3cfa1; color: #10200c; }
    PhoneView .status { height: 1; background: #10200c; color: #dfe9c4; }
    PhoneView .paper { height: 1fr; scrollbar-size-vertical: 1; padding: 0; }
    PhoneView .text { height: auto; }
    PhoneView .input { height: auto; max-height: 3; text-style: bold reverse; }
    PhoneView .soft { height: 1; }
    PhoneView .soft Key { width: 1fr; text-style: bold; background: #30353d; }
    PhoneView .soft .middle { width: 5; text-align: center; }
    PhoneView .soft .right { width: 10; text-align: right; }
    PhoneView .keypad { height: auto; }
    PhoneView .row { height: auto; }
    PhoneView .key { width: 1fr; height: 1; text-align: center; background: #262a31; }
    PhoneView Key.-down { text-style: reverse bold; }
    """

    def __init__(self, handset: Handset) -> None:
        super().__init__(id=handset.name)
        self.handset = handset
        self._drawn: tuple[Display, str] | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="lcd"):
            yield Static(classes="status", markup=False)
            with Paper(classes="paper"):
                yield Static(classes="text", markup=False)
            yield Static(classes="input", markup=False)
        with Horizontal(classes="soft"):
            yield Key("enter", "", classes="left")
            yield Key("m", "✉ m", classes="middle")
            yield Key("escape", "", classes="right")
        with Horizontal(classes="soft"):
            yield Key("up", "▲", classes="left")
            yield Key("clear", "⌫ C", classes="middle")
            yield Key("down", "▼", classes="right")
        with Vertical(classes="keypad"):
            for start in range(0, len(KEYS), 3):
                with Horizontal(classes="row"):
                    for key in KEYS[start : start + 3]:
                        yield Key(key, f"{key} {LETTERS.get(key, '')}".rstrip())

    def on_mount(self) -> None:
        self.draw()
        self.set_interval(REDRAW_SECONDS, self.draw)

    def draw(self) -> None:
        """Bring the terminal up to what the handset shows."""
        display = self.handset.display()
        looks = (display, self._status(display.title))
        if looks == self._drawn:
            return
        self._drawn = looks
        self.query_one(".status", Static).update(looks[1])
        self.query_one(".text", Static).update(display.text)
        field = self.query_one(".input", Static)
        field.display = display.typed is not None
        field.update(f"> {_tail(display.typed or '')}_")
        self.query_one(".soft .left", Key).update(f"↵ {display.enter}" if display.enter else "")
        self.query_one(".soft .right", Key).update(f"{display.escape} Esc")

    def set_active(self, active: bool) -> None:
        """Mark the phone that gets the keys: by a heavy border and by a sign."""
        self.set_class(active, "-active")
        sign = "▶ " if active else ""
        self.border_title = f"{sign}{self.handset.name.capitalize()}"
        self.border_subtitle = self.handset.msisdn

    def flash(self, name: str) -> None:
        """Let the key of this name go down, or the one on which a letter is written."""
        wanted = KEY_OF.get(name.lower(), name) if self.handset.takes_words else name
        for key in self.query(Key):
            if key.name == ("0" if name == "+" else wanted):
                key.flash()

    def scroll_text(self, by: int) -> None:
        """Scroll a text that is longer than the display."""
        self.query_one(Paper).scroll_relative(y=by, animate=False)

    def _status(self, title: str) -> str:
        width = max(self.query_one(".status").size.width, 10)
        left = f"{'▂▄▆' if self.handset.reachable else 'no network'} {title}"
        mark = f"✉ {self.handset.unread}" if self.handset.unread else ""
        if self.handset.mode is Mode.PROMPT:
            mark = "PIN?"
        return left + mark.rjust(width - len(left))


def _tail(typed: str) -> str:
    """The end of what is being written: where the next letter comes must be seen."""
    return typed if len(typed) <= TAIL_MAX else f"…{typed[-TAIL_MAX:]}"


class Paper(VerticalScroll):
    """A text that may be longer than the display; the phone's own keys scroll it."""

    can_focus = False
