"""The messages of one phone: a list with unread marks, the open one, and what is being written.

It knows no radio: messages are handed to it.
"""

from collections.abc import Sequence

from simulator.admin import Message

DRAFT_MAX = 306  # two messages; nobody types more on such a phone
ROWS = 4
"""Messages on a page of the list: two lines each, and a line for the note on the least display."""
WIDTH = 21
"""Of a line of the list: the least display, beside its scroll bar."""
CHOSEN, UNREAD = "▶", "●"
_TIME = 5
_SENDER = WIDTH - _TIME - 4


class Inbox:
    """From new to old. `draft` is an SMS being written; a prompt or Back does not lose it.

    Only a message that was opened counts as read: its first words in the list are not enough.
    """

    def __init__(self, hint: str) -> None:
        """`hint` stands where no message is."""
        self._hint = hint
        self.messages: list[Message] = []
        self.draft = ""
        self.note = ""  # what became of the last one that was sent
        self.is_reading = False  # one message is open; else the list is
        self._read: set[int] = set()
        self._at = 0

    @property
    def unread(self) -> int:
        """How many messages were not opened yet."""
        return sum(message.n not in self._read for message in self.messages)

    @property
    def last(self) -> int:
        """The number of the newest message, 0 for none."""
        return self.messages[-1].n if self.messages else 0

    @property
    def title(self) -> str:
        number = f" {self._at + 1}/{len(self.messages)}" if self.messages else ""
        return f"{'SMS' if self.is_reading else 'Inbox'}{number}"

    @property
    def text(self) -> str:
        """The open message or the list, below the note if there is one."""
        lines = [self.note] if self.note else []
        if self.is_reading:
            message = self._chosen()
            lines += [f"From {message.sender or 'unknown'}", message.text]
        elif self.messages:
            lines += self._page()
        elif not lines:
            lines = ["No messages.", self._hint]
        return "\n".join(lines)

    def open(self) -> None:
        """Show the list, the newest chosen."""
        self._at, self.note, self.is_reading = 0, "", False

    def enter(self) -> None:
        """Open the chosen message; from an open one go to the next older one."""
        if self.is_reading:
            self.browse(+1)
        elif self.messages:
            self.is_reading = True
            self._mark_read()

    def close(self) -> None:
        """From the open message back to the list, which stands where it stood."""
        self.is_reading, self.note = False, ""

    def browse(self, by: int) -> None:
        """Go to an older (+1) or newer (-1) message; behind the last comes the first."""
        if self.messages:
            self._at = (self._at + by) % len(self.messages)
            self._mark_read()

    def write(self, key: str) -> None:
        """One more letter."""
        self.draft, self.note = (self.draft + key)[:DRAFT_MAX], ""

    def take(self, new: Sequence[Message], *, is_open: bool) -> None:
        """Whoever is at the newest sees the answer come; whoever went back stays there."""
        if not new:
            return
        self.messages += new
        self.note = ""
        if is_open and self._at:
            self._at += len(new)
        elif is_open:
            self._mark_read()

    def sent(self) -> None:
        """The draft left the phone."""
        self._at, self.note = 0, "Sent. The answer comes here."
        self._mark_read()

    def not_sent(self, text: str) -> None:
        """It did not; nothing of it is lost."""
        self.draft, self.note = text, "Not sent. Try again."

    def _mark_read(self) -> None:
        if self.is_reading:
            self._read.add(self._chosen().n)

    def _chosen(self) -> Message:
        return self._newest_first()[self._at]

    def _newest_first(self) -> list[Message]:
        return self.messages[::-1]

    def _page(self) -> list[str]:
        """The part of the list in which the chosen one is, two lines a message."""
        first = self._at // ROWS * ROWS
        lines = []
        for place, message in enumerate(self._newest_first()[first : first + ROWS], first):
            cursor = CHOSEN if place == self._at else " "
            mark = " " if message.n in self._read else UNREAD
            sender = _cut(message.sender or "unknown", _SENDER).ljust(_SENDER)
            lines.append(f"{cursor}{mark} {sender} {_clock(message)}".rstrip())
            lines.append(f"   {_cut(' '.join(message.text.split()), WIDTH - 3)}")
        return lines


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _clock(message: Message) -> str:
    """The time of day where this terminal stands."""
    return "" if message.at is None else message.at.astimezone().strftime("%H:%M")
