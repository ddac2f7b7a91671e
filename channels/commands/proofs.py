"""What was believed because a statement lists it, and who took that in: for three commands."""

from collections.abc import Callable
from typing import Any

from channels.times import minute_of
from engine.clock import DAY_MS
from engine.payments.statements.proofs import Proofs, TakenFile

Say = Callable[[str], None]

REPORTED_DAYS = 30


async def say_proofs(pool: Any, tenant: int, now_ms: int, say: Say) -> None:
    """What was believed in the last `REPORTED_DAYS` because a file lists it, and who took it in."""
    for proven in await Proofs(pool, tenant).since(now_ms - REPORTED_DAYS * DAY_MS):
        moved = [f"{m} {way}" for m, way in ((proven.came, "in"), (proven.went, "out")) if m.minor]
        say(
            f"{proven.operator}: its statement of {proven.day} proved {proven.lines} lines,"
            f" {' and '.join(moved)}; {file_words(proven.file)}"
        )


def file_words(file: TakenFile) -> str:
    """Who took a file in, when, and what it was."""
    by = f"by {file.by}, sha256 {file.sha256}" if file.by else "by nobody knows whom"
    return f"taken in {minute_of(file.taken_ms)} UTC {by}"
