"""What one phone saw of its dialogues: turn by turn, with how long each answer took.

It is all that can be told of a server nobody may look into. What may be a PIN is never kept.
"""

import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from simulator.ussd import Screen

TURNS_MAX: Final = 40
_MAY_BE_PIN: Final = re.compile(r"[0-9]{4,6}")


@dataclass(frozen=True)
class Seen:
    """One turn. `came` says what kind of answer it got."""

    at: datetime
    who: str
    typed: str
    came: str
    took_ms: int
    complaint: str | None


class Trail:
    """The latest turns of one phone, oldest first."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._turns: deque[Seen] = deque(maxlen=TURNS_MAX)

    @property
    def turns(self) -> list[Seen]:
        return list(self._turns)

    def add(
        self,
        typed: str,
        screen: Screen,
        *,
        began_at: datetime,
        ended_at: datetime,
        mishap: str | None = None,
    ) -> None:
        """One turn was answered, or not. `mishap`: what the network did to it."""
        took_ms = int((ended_at - began_at).total_seconds() * 1000)
        kind = "asks" if not screen.ends else "ends"
        if screen.fault is not None:
            kind = "failed"
        reason = mishap or screen.fault or "; ".join(screen.flaws) or None
        self._turns.append(Seen(began_at, self._who, conceal(typed), kind, took_ms, reason))


def conceal(typed: str) -> str:
    """What was typed, with stars for what may be a PIN, also within a dialled string."""
    parts = re.split(r"([*#])", typed)
    return "".join("****" if _MAY_BE_PIN.fullmatch(part) else part for part in parts)
