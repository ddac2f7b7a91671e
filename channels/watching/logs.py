"""What a process says of itself: lines for people, or JSON objects for machines, redacted.

Every line carries what the work was about (`engine/correlation.py`), so that one payment can be
followed from the turn in which it was confirmed to its operators and to the chain.
"""

import logging
import re
import time
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import msgspec

from channels.watching.redaction import Redacting
from engine.correlation import spoken_of

Form = Literal["text", "json"]
TEXT: Final = "%(at)s %(levelname)s %(name)s: %(message)s%(about)s"
# What moves a cursor, colours, deletes or turns the direction of writing; line feeds are not in it.
_OBEYED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_TELLS_OF_EVERY_KEY: Final = ("transitions",)


class About(logging.Filter):
    """Puts on every record what its work is about; it stands on handlers, and lets all pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.words = spoken_of()
        return True


class ForPeople(logging.Formatter):
    """One line of text; what it is about stands behind it."""

    def __init__(self) -> None:
        super().__init__(TEXT)
        self._written = (-1, "")  # a second is written once, for all its lines

    def format(self, record: logging.LogRecord) -> str:
        words = getattr(record, "words", {})
        record.at = self._local(record.created)
        record.about = "".join(f" {kind}={word}" for kind, word in words.items())
        return _one_line(super().format(record))

    def _local(self, seconds: float) -> str:
        """As `logging` writes it by default: `2026-11-21 09:00:00,123`, by the machine's clock."""
        whole = int(seconds)
        second, written = self._written
        if whole != second:
            written = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(whole))
            self._written = (whole, written)
        return f"{written},{int((seconds - whole) * 1000):03d}"


def _one_line(text: str) -> str:
    """What a terminal would obey is written out, and no line of a longer text looks like another's.

    Behind the first line stand traces, and whatever a stranger put a line break into.
    """
    if text.isprintable():
        return text  # nothing of the below is, nor a line feed
    text = _OBEYED.sub(lambda sign: sign[0].encode("unicode_escape").decode(), text)
    return text.replace("\n", "\n  | ")


class ForMachines(logging.Formatter):
    """One JSON object in one line: `at` (RFC 3339, UTC), `level`, `logger`, `message`, and ids.

    A trace stands in `trace`, its line breaks escaped: whatever a line holds, it is one line.
    """

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "at": at,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "words", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=repr).decode()


def handler_of(form: Form) -> logging.StreamHandler[TextIO]:
    """Writes to standard error, redacted, with what each line is about."""
    handler = logging.StreamHandler()
    handler.addFilter(About())
    handler.setFormatter(Redacting(ForMachines() if form == "json" else ForPeople()))
    return handler


def set_up_logging(level: str, form: Form) -> None:
    """For a whole process, once, before anything is said; where a log was set up it stays as it is.

    Raises ValueError for a level that Python does not know.
    """
    if not logging.getLogger().handlers:
        _leave_out_what_no_line_tells()
    logging.basicConfig(level=level.upper(), handlers=[handler_of(form)])
    for name in _TELLS_OF_EVERY_KEY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _leave_out_what_no_line_tells() -> None:
    """Where in our code a line was said, by which thread: a third of what making one costs.

    How, is in the documentation of `logging`, "Optimization". A trace has its places all the same.
    """
    logging._srcfile = None
    logging.logThreads = logging.logMultiprocessing = logging.logProcesses = False
