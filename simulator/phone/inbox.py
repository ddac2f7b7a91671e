"""The messages of one phone: which are read, which one is open, and what is being written.

It knows no radio: messages are handed to it.
"""

from collections.abc import Sequence

from simulator.admin import Message

DRAFT_MAX = 306  # two messages; nobody types more on such a phone


class Inbox:
    """From new to old. `draft` is an SMS being written; a prompt or Back does not lose it."""

    def __init__(self, hint: str) -> None:
        """`hint` stands where no message is."""
        self._hint = hint
        self.messages: list[Message] = []
        self.draft = ""
        self.note = ""  # what became of the last one that was sent
        self._read: set[int] = set()
        self._shown = 0

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
        number = f" {self._shown + 1}/{len(self.messages)}" if self.messages else ""
        return f"Inbox{number}"

    @property
    def text(self) -> str:
        """The open message, below the note if there is one."""
        lines = [self.note] if self.note else []
        if self.messages:
            message = self._newest_first()[self._shown]
            lines += [f"From {message.sender or 'unknown'}", message.text]
        elif not lines:
            lines = ["No messages.", self._hint]
        return "\n".join(lines)

    def open(self) -> None:
        """Show the newest."""
        self._shown, self.note = 0, ""
        self._mark_read()

    def browse(self, by: int) -> None:
        """Turn to an older (+1) or newer (-1) message."""
        if self.messages:
            self._shown = (self._shown + by) % len(self.messages)
            self._mark_read()

    def write(self, key: str) -> None:
        """One more letter."""
        self.draft, self.note = (self.draft + key)[:DRAFT_MAX], ""

    def take(self, new: Sequence[Message], *, is_open: bool) -> None:
        """Whoever reads the newest sees the answer come; whoever turned back stays there."""
        if not new:
            return
        self.messages += new
        self.note = ""
        if is_open and self._shown:
            self._shown += len(new)
        elif is_open:
            self._mark_read()

    def sent(self) -> None:
        """The draft left the phone."""
        self._shown, self.note = 0, "Sent. The answer comes here."

    def not_sent(self, text: str) -> None:
        """It did not; nothing of it is lost."""
        self.draft, self.note = text, "Not sent. Try again."

    def _mark_read(self) -> None:
        if self.messages:
            self._read.add(self._newest_first()[self._shown].n)

    def _newest_first(self) -> list[Message]:
        return self.messages[::-1]
