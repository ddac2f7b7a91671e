"""What the system did, told beside the phones: the latest payment, its steps, the books.

It reads the inspection door and turns it into text; nothing here moves or decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx
import msgspec

from simulator.inspect import Books, Inspector, Payment, Step

# A sign beside each word, so that nobody has to tell colours apart.
SIGNS = {
    "paid": "✓", "refunded": "↩", "refund_due": "↩", "refunding": "↩", "collect_failed": "✗",
    "payout_failed": "✗", "expired": "✗", "cancelled": "✗", "collect_unknown": "?",
    "payout_unknown": "?", "refund_unknown": "?",
}  # fmt: skip
STILL_RUNNING = "…"


@dataclass(frozen=True)
class Seen:
    """What the inspection door told last; `trouble` says why nothing came."""

    payment: Payment | None = None
    books: Books | None = None
    trouble: str | None = None


async def look(inspector: Inspector, numbers: Sequence[str]) -> Seen:
    """The latest payment of these numbers and the books. Never raises for a silent server."""
    try:
        found = [
            payment for number in numbers for payment in await inspector.payments(number, limit=1)
        ]
        books = await inspector.books()
    except httpx.HTTPStatusError as error:
        return Seen(trouble=f"the server answers {error.response.status_code}")
    except httpx.HTTPError as error:
        return Seen(trouble=f"the server does not answer ({type(error).__name__})")
    except msgspec.DecodeError as error:
        return Seen(trouble=f"the server tells something else: {error}")
    newest = max(found, key=lambda payment: payment.payment_id, default=None)
    return Seen(payment=newest, books=books)


def describe(seen: Seen) -> str:
    """The panel as plain text, what is newest on top."""
    if seen.trouble is not None:
        return f"! {seen.trouble}"
    parts = [_describe_books(seen.books), _describe_payment(seen.payment)]
    return "\n\n".join(part for part in parts if part)


def _describe_payment(payment: Payment | None) -> str:
    if payment is None:
        return "No payment yet.\n\nDial from the left\nphone: press Enter."
    sign = SIGNS.get(payment.state.lower(), STILL_RUNNING)
    lines = [
        f"{payment.code}",
        f"{sign} {payment.state.upper()}",
        f"{payment.amount}",
        f"→ {payment.receives}",
        f"fee {payment.fee}",
        f"from {payment.payer}",
        f"to   {payment.payee}",
    ]
    lines += [
        f"{_clock(attempt.at)} {attempt.direction.lower()} {attempt.operator}"
        for attempt in reversed(payment.attempts)
    ]
    for step in reversed(payment.steps):
        lines += ["", *_describe_step(step)]
    return "\n".join(lines)


def _describe_step(step: Step) -> list[str]:
    lines = [f"{_clock(step.at)} {step.state.lower()}"]
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
