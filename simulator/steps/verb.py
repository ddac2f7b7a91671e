"""One word of the transcripts' format: what may stand behind it, and who carries it out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulator.steps.stage import Stage
from simulator.steps.step import Step


@dataclass(frozen=True)
class Verb:
    """A verb and its arguments, a regular expression with named groups.

    `perform` returns the text that came, for a verb that `shows_text`, else None; it raises NotSo.
    """

    name: str
    arguments: str
    perform: Callable[[Stage, Step], Awaitable[str | None]]
    shows_text: bool = False
