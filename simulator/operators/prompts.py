"""The PIN prompts waiting on customers' phones. It knows neither PINs nor money, only answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Prompt:
    """What one phone shows: the text, and the amount it asks for."""

    id: str
    msisdn: str
    text: str
    amount_minor: int
    currency: str
    created_at: datetime


@dataclass(frozen=True)
class PinTyped:
    """The customer typed this PIN, right or wrong."""

    pin: str


@dataclass(frozen=True)
class Declined:
    """The customer pressed cancel."""


class Prompts:
    """Prompts on screens now; each is answered once or runs out."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Prompt, asyncio.Future[PinTyped | Declined]]] = {}

    async def ask(self, prompt: Prompt, *, window_seconds: float) -> PinTyped | Declined | None:
        """Show `prompt` and wait for its answer; None when nobody answered in the window."""
        answer: asyncio.Future[PinTyped | Declined] = asyncio.get_running_loop().create_future()
        self._waiting[prompt.id] = (prompt, answer)
        try:
            async with asyncio.timeout(window_seconds):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._waiting[prompt.id]

    def pending(self, msisdn: str | None = None) -> list[Prompt]:
        """Prompts on screen, of one number or of all, oldest first."""
        return [
            prompt
            for prompt, answer in self._waiting.values()
            if msisdn in (None, prompt.msisdn) and not answer.done()
        ]

    def answer(self, prompt_id: str, answer: PinTyped | Declined) -> bool:
        """Answer a prompt; False when it is not on screen (unknown, answered, run out)."""
        _, waiting = self._waiting.get(prompt_id, (None, None))
        if waiting is None or waiting.done():
            return False
        waiting.set_result(answer)
        return True
