"""What a process says of itself: lines for people, or JSON objects for machines, redacted.

Every line carries what the work was about (`engine/correlation.py`), so that one payment can be
followed from the turn in which it was confirmed to its operators and to the chain.
"""

import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import msgspec

from channels.watching.redaction import Redacting
from engine.correlation import spoken_of
from engine.memory import end_if_refused

Form = Literal["text", "json"]
# What moves a cursor, colours, deletes or turns the direction of writing; line feeds are not in it.
_OBEYED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
"""As they are typed, the most talkative first."""
_TELL_TOO_MUCH: Final = ("transitions", "alembic.runtime.plugins")
"""Of every key, and of each part of itself: who migrates looks for what is done."""


class About(logging.Filter):
    """Puts on every record what its work is about; it stands on handlers, and lets all pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.words = spoken_of()
        return True


class ForPeople(logging.Formatter):
    """One line of text; what it is about stands behind it."""

    def __init__(self) -> None:
        super().__init__()
        self._written = (-1, "")  # a second is written once, for all its lines

    def format(self, record: logging.LogRecord) -> str:
        at, message = self._local(record.created), record.getMessage()
        text = f"{at} {record.levelname} {record.name}: {message}"
        for kind, word in getattr(record, "words", {}).items():
            text += f" {kind}={word}"
        if record.exc_info:
            text += f"\n{self.formatException(record.exc_info)}"
        return _one_line(text)

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


_UNSAID: Final = vars(logging.LogRecord("", 0, "(unknown file)", 0, "", None, None))
"""What every record holds and no line of ours tells."""


class Line(logging.LogRecord):
    """A record of what lines tell, and of nothing else.

    Where in our code it was said is known to nobody here, and taking that name apart as `logging`
    does costs more than all the rest of a record. What is left out is as of this module.
    """

    def __init__(
        self, name: str, level: int, _path: str, _line: int, msg: object, args: Any, exc_info: Any,
        *_: Any, **__: Any,
    ) -> None:  # fmt: skip
        if args and len(args) == 1 and args[0] and isinstance(args[0], Mapping):
            args = args[0]  # as `logging` allows it
        vars(self).update(_UNSAID)
        self.name, self.msg, self.args, self.exc_info = name, msg, args, exc_info
        self.levelno, self.levelname = level, logging.getLevelName(level)
        self.created = time.time()
        self.msecs = int((self.created - int(self.created)) * 1000) + 0.0


class Written(logging.StreamHandler[TextIO]):
    """Each line leaves at once, by one write."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(f"{self.format(record)}\n")
            self.stream.flush()
        except Exception as error:  # noqa: BLE001 - an unwritten line stops nobody's work
            end_if_refused(error)
            self.handleError(record)


def handler_of(form: Form) -> logging.StreamHandler[TextIO]:
    """Writes to standard error, redacted, with what each line is about."""
    handler = Written()
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
    for name in _TELL_TOO_MUCH:
        logging.getLogger(name).setLevel(logging.WARNING)


def _leave_out_what_no_line_tells() -> None:
    """Where in our code a line was said, by which thread: most of what making one costs.

    How, is in the documentation of `logging`, "Optimization". A trace has its places all the same.
    """
    logging._srcfile = None
    logging.setLogRecordFactory(Line)
