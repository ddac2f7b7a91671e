"""What a run says of itself: one line while it goes, and the report at its end.

Pure: it is told what was counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simulator.load.journey import Journey
from simulator.load.tally import Latencies, Tally

LATE_SECONDS = 0.05
"""When this program is later than that with one turn in a hundred, the latencies are its own."""


class Money(NamedTuple):
    """What the books say afterwards. `None`: nobody could be asked."""

    balanced: bool | None = None
    checked: int = 0  # phones whose payments were looked at
    mistakes: Sequence[str] = ()
    unfinished: int = 0  # payments that had not ended when we stopped waiting

    @property
    def is_right(self) -> bool:
        return self.balanced is not False and not self.mistakes and not self.unfinished


class Effort(NamedTuple):
    """What the run took: wall clock and our own CPU, in seconds."""

    seconds: float
    cpu_seconds: float


def progress(tally: Tally, at_seconds: float) -> str:
    """One line about now; rates are of the last whole second."""
    last = tally.seconds[int(at_seconds) - 1] if 0 < int(at_seconds) <= len(tally.seconds) else None
    turns = last.answered if last else 0
    slow = last.latencies.percentile(0.99) if last else 0.0
    return (
        f"{at_seconds:4.0f} s  begun {sum(tally.begun.values()):,}  walking {tally.walking:,}"
        f"  turns {turns:,}/s  p99 {slow * 1e3:.1f} ms"
        f"  no answer {sum(tally.faults.values()):,}  wrong {tally.wrong_count:,}"
    )


def report(
    tally: Tally, journeys: Sequence[Journey], money: Money, effort: Effort, *, weather: str
) -> str:
    """The whole report, lines of at most 100 characters where words allow."""
    seconds = max(effort.seconds, 1e-9)
    lines = [
        f"{sum(tally.begun.values()):,} journeys begun, {sum(tally.finished.values()):,} walked to"
        f" their end, at most {tally.walking_max:,} phones at once",
        f"{tally.latencies.count:,} turns answered in {seconds:.1f} s:"
        f" {tally.latencies.count / seconds:,.0f} a second",
        f"milliseconds to the answer: {_latencies(tally.latencies)}",
        f"this program: {effort.cpu_seconds / seconds:.0%} of a core;"
        f" late by {_latencies(tally.lateness)} ms",
    ]
    if tally.lateness.percentile(0.99) > LATE_SECONDS:
        lines.append("! it could not keep up: the latencies are its own as much as the server's")
    if weather:
        lines.append(weather)
    lines += _counts("ended by the network", tally.dropped)
    lines += _counts("no answer of use", tally.faults)
    lines += [*_journeys(tally, journeys), *_wrong(tally), *_money(money)]
    return "\n".join(lines)


def _journeys(tally: Tally, journeys: Sequence[Journey]) -> list[str]:
    lines = []
    for journey in journeys:
        begun, finished = tally.begun[journey.name], tally.finished[journey.name]
        line = f"  {journey.name}: {begun:,} begun, {finished:,} finished"
        lines.append(line + (f", up to {journey.left_out!r}" if journey.left_out else ""))
    return lines


def _latencies(seen: Latencies) -> str:
    shares = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999))
    told = [f"{name} {seen.percentile(share) * 1e3:.1f}" for name, share in shares]
    return "  ".join([*told, f"max {seen.max_seconds * 1e3:.1f}"])


def _counts(what: str, counted: dict[str, int]) -> list[str]:
    if not counted:
        return []
    rows = sorted(counted.items(), key=lambda item: -item[1])
    return [f"{what}: {sum(counted.values()):,}", *(f"  {n:,} x {why}" for why, n in rows)]


def _wrong(tally: Tally) -> list[str]:
    if not tally.wrong_count:
        return ["wrong answers: none"]
    return [
        f"wrong answers: {tally.wrong_count:,}",
        *(f"  phone {w.phone}, {w.where}: {w.what.splitlines()[0]}" for w in tally.wrong[:5]),
    ]


def _money(money: Money) -> list[str]:
    if money.balanced is None:
        return ["books: nobody was asked (no inspection door)"]
    lines = [f"books: {'balanced' if money.balanced else 'NOT BALANCED'}"]
    lines.append(f"payments of {money.checked:,} phones: {len(money.mistakes):,} mistakes")
    lines += [f"  {mistake}" for mistake in money.mistakes[:10]]
    if money.unfinished:
        lines.append(f"  {money.unfinished:,} payments have not ended yet")
    return lines
