"""What the system did, told beside the phones: the latest payment, the books, and a timeline.

It reads the inspection door, where there is one, and what the phones saw themselves, and turns it
into text; nothing here moves or decides. Every kind of line has a sign of its own: colour says
nothing here.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import httpx
import msgspec

from simulator.inspect import Books, Inspector, Payment, Session, Settlement, Step
from simulator.phone import trail

# A sign beside each word, so that nobody has to tell colours apart.
SIGNS = {
    "paid": "✓", "refunded": "↩", "refund_due": "↩", "refunding": "↩", "collect_failed": "✗",
    "payout_failed": "✗", "expired": "✗", "cancelled": "✗", "collect_unknown": "?",
    "payout_unknown": "?", "refund_unknown": "?",
}  # fmt: skip
STILL_RUNNING = "…"
TURN, STOOD, STATE, CALL, HEARD, SMS, CHAIN = "#", "@", "=", "→", "←", "✉", "§"
LEGEND = "# turn  = state  ✉ SMS\n→ asked ← heard @ server"
CHAIN_LEGEND = f"{CHAIN} settlement"  # only where there is one
TURNS_MAX = 12  # of the timeline; what is older has scrolled away

LOOK_SECONDS = 3.0
"""So long all that is asked at the door may take: what stands there meanwhile was so before."""
SCREENS_MAX = 3  # of a session's way
HASH_SHOWN = 12  # characters of a hash, as much as the panel is wide


class Line(NamedTuple):
    """One phone, and the sessions it dialled last."""

    who: str
    msisdn: str
    session_ids: Sequence[str] = ()


@dataclass(frozen=True)
class Seen:
    """What the inspection door told last; `trouble` says why nothing came."""

    payment: Payment | None = None
    books: Books | None = None
    sessions: Sequence[tuple[str, Session]] = ()  # whose, and where it stands at the server
    trouble: str | None = None


class Event(NamedTuple):
    """One thing that happened, as lines of text."""

    at: datetime
    lines: Sequence[str]


async def look(
    inspector: Inspector, lines: Sequence[Line], *, seconds: float = LOOK_SECONDS
) -> Seen:
    """The latest payment and sessions of these phones, and the books. Never raises for a silent
    server, and waits for it `seconds` at most.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _look(inspector, lines)
    except TimeoutError:
        return Seen(trouble=f"the server does not answer within {seconds:g} s")
    except httpx.HTTPStatusError as error:
        return Seen(trouble=f"the server answers {error.response.status_code}")
    except httpx.HTTPError as error:
        return Seen(trouble=f"the server does not answer ({type(error).__name__})")
    except msgspec.DecodeError as error:
        return Seen(trouble=f"the server tells something else: {error}")


async def _look(inspector: Inspector, lines: Sequence[Line]) -> Seen:
    found = [
        payment for line in lines for payment in await inspector.payments(line.msisdn, limit=1)
    ]
    books = await inspector.books()
    sessions = [
        (line.who, session)
        for line in lines
        for session in await inspector.sessions(line.msisdn, line.session_ids)
    ]
    newest = max(found, key=lambda payment: payment.payment_id, default=None)
    return Seen(payment=newest, books=books, sessions=sessions)


def describe(seen: Seen, turns: Sequence[trail.Seen] = ()) -> str:
    """The panel as plain text, what is newest on top."""
    if seen.trouble is not None:
        return "\n\n".join([f"! {seen.trouble}", *_timeline(_turns(turns))])
    parts = [_describe_books(seen.books), _describe_payment(seen.payment)]
    events = [*_turns(turns), *_sessions(seen.sessions)]
    events += _events(seen.payment) if seen.payment else ()
    legend = _legend(seen) if events else ""
    return "\n\n".join(part for part in [*parts, legend, *_timeline(events)] if part)


def _legend(seen: Seen) -> str:
    settles = seen.payment is not None and seen.payment.settlement is not None
    return f"{LEGEND}\n{CHAIN_LEGEND}" if settles else LEGEND


def describe_turns(turns: Sequence[trail.Seen]) -> str:
    """The panel beside a server that nobody may look into: what the phones saw."""
    if not turns:
        return "Nothing yet.\n\nDial: press Enter."
    return "\n\n".join(_timeline(_turns(turns)))


def _timeline(events: Sequence[Event]) -> Iterator[str]:
    for event in sorted(events, key=lambda event: event.at, reverse=True):
        yield "\n".join(event.lines)


def _turns(turns: Sequence[trail.Seen]) -> list[Event]:
    latest = sorted(turns, key=lambda turn: turn.at)[-TURNS_MAX:]
    return [Event(turn.at, _describe_turn(turn)) for turn in latest]


def _describe_turn(turn: trail.Seen) -> list[str]:
    typed = turn.typed or "(nothing)"
    lines = [
        f"{_clock(turn.at)} {TURN} {turn.who}",
        f" {typed}",
        f" {turn.came} after {turn.took_ms} ms",
    ]
    if turn.complaint is not None:
        lines.append(f" ! {turn.complaint}")
    return lines


def _sessions(sessions: Sequence[tuple[str, Session]]) -> Iterator[Event]:
    """Beside what a phone sent: on which screen the server has it, after how many turns."""
    for who, session in sessions:
        way = session.screens[-SCREENS_MAX:]
        before = "… > " if len(way) < len(session.screens) else ""
        yield Event(
            session.at,
            [
                f"{_clock(session.at)} {STOOD} {who}",
                f" {before}{' > '.join(way)}",
                f" turn {session.step}: {session.state}",
                f" menu {session.menu}",
            ],
        )


def _events(payment: Payment) -> Iterator[Event]:
    for step in payment.steps:
        yield Event(step.at, _describe_step(step))
    calls = {attempt.attempt_id: attempt for attempt in payment.attempts}
    for attempt in payment.attempts:
        told = f"{_clock(attempt.at)} {CALL} {attempt.direction.lower()} {attempt.operator}"
        yield Event(attempt.at, [told])
    for heard in payment.heard:
        whom = calls[heard.attempt_id].operator if heard.attempt_id in calls else "?"
        yield Event(heard.at, [f"{_clock(heard.at)} {HEARD} {heard.source.lower()} {whom}"])
    for sent in payment.messages:
        yield Event(sent.at, [f"{_clock(sent.at)} {SMS} {sent.status}", f" {sent.template}"])
    if payment.settlement is not None:
        yield from _settlement(payment.settlement)


def _settlement(settlement: Settlement) -> Iterator[Event]:
    for reached in reversed(settlement.stages):  # the newest stands first, also within a second
        lines = [f"{_clock(reached.at)} {CHAIN} {reached.stage}"]
        if reached.stage == settlement.stage:
            lines += [f" {line}" for line in describe_settlement(settlement)[1:]]
        yield Event(reached.at, lines)


def describe_settlement(settlement: Settlement) -> list[str]:
    """How far it got, its batch, and where the chain has it; hashes by their beginning."""
    lines = [settlement.stage, settlement.corridor]
    if settlement.batch:
        lines.append(f"batch {settlement.batch[:HASH_SHOWN]}…")
    if settlement.transaction:
        lines.append(f"hash {settlement.transaction[:HASH_SHOWN]}…")
    if settlement.version is not None:
        lines.append(f"version {settlement.version}")
    return lines


def _describe_payment(payment: Payment | None) -> str:
    if payment is None:
        return "No payment yet.\n\nDial from the left\nphone: press Enter."
    sign = SIGNS.get(payment.state.lower(), STILL_RUNNING)
    return "\n".join(
        [
            f"{payment.code}",
            f"{sign} {payment.state.upper()}",
            f"{payment.amount}",
            f"→ {payment.receives}",
            f"fee {payment.fee}",
            f"from {payment.payer}",
            f"to   {payment.payee}",
        ]
    )


def _describe_step(step: Step) -> list[str]:
    lines = [f"{_clock(step.at)} {STATE} {step.state.lower()}"]
    for posting in step.postings:
        lines.append(f" Dr {posting.debit}")
        lines.append(f" Cr {posting.credit}")
        lines.append(f"    {posting.amount}")
    return lines


def _describe_books(books: Books | None) -> str:
    if books is None:
        return ""
    return "✓ books balance" if books.balanced else "✗ BOOKS DO NOT BALANCE"


def _clock(at: datetime) -> str:
    """The time of day where this terminal stands."""
    return at.astimezone().strftime("%H:%M:%S")
