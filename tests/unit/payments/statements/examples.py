"""Lines and attempts that the tests of statements share."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from engine.clock import AttemptId, PaymentId, first_id_at
from engine.money import Money
from engine.payments.payment import code_of
from engine.payments.statements.judged import Class, Judged, Ours, Standing, Theirs
from engine.payments.statements.lines import (
    Line,
    Moved,
    PaidInLine,
    Side,
    line_id,
    named_id,
)
from engine.payments.statements.matching import match
from engine.payments.statements.terms import Terms
from engine.ports import Direction

DAY = date(2026, 11, 20)
TERMS = Terms(utc_offset_minutes=180)
NOON = int(datetime(2026, 11, 20, 9, 0, tzinfo=UTC).timestamp() * 1000)  # in Nairobi
HOUR = 3_600_000
DAY_MS = 24 * HOUR
DAYS = frozenset(date(2026, 11, n) for n in range(15, 26))


def line(
    receipt: str = "TKK632NMUA",
    *,
    side: Side = Side.IN,
    minor: int = 102_000,
    at_ms: int = NOON,
    day: date = DAY,
    **more: Any,
) -> Line:
    plain: dict[str, Any] = {
        "reference": None, "fee_minor": 0, "counterparty": None, "balance_minor": None,
    }  # fmt: skip
    return Line(
        operator="mpesa_ke",
        day=day,
        receipt=receipt,
        side=side,
        amount=Money(minor, "KES"),
        completed_ms=at_ms,
        raw_hash=named_id(receipt, side, minor, at_ms, day, sorted(more.items())),
        **{**plain, **more},
    )


def theirs(*args: Any, pinned: AttemptId | None = None, **more: Any) -> Theirs:
    made = line(*args, **more)
    return Theirs(line_id(1, made), made, pinned)


def ours(
    n: int = 1,
    standing: Standing = Standing.SUCCEEDED,
    *,
    direction: Direction = Direction.COLLECT,
    minor: int = 102_000,
    begun_ms: int = NOON,
    ended_ms: int | None = None,
    receipt: str | None = None,
    references: tuple[str, ...] = (),
    booked_fee_minor: int = 0,
    gives_back: tuple[str, ...] = (),
) -> Ours:
    moment = datetime.fromtimestamp(begun_ms / 1000, UTC)
    attempt = AttemptId(f"{int(first_id_at(moment), 16) + n:032x}")
    payment = PaymentId(f"{int(attempt, 16) + 1000:032x}")
    is_over = standing in (Standing.SUCCEEDED, Standing.FAILED)
    return Ours(
        attempt_id=attempt,
        payment_id=payment,
        code=code_of(payment),
        direction=direction,
        amount=Money(minor, "KES"),
        booked_fee_minor=booked_fee_minor,
        standing=standing,
        receipt=receipt,
        references=references,
        masked="+2547*****001",
        begun_ms=begun_ms,
        ended_ms=(ended_ms or begun_ms + 5_000) if is_over else None,
        gives_back=gives_back,
    )


def judge(
    attempts: list[Ours],
    lines: list[Theirs],
    *,
    day: date = DAY,
    taken: frozenset[date] = DAYS,
    complete: frozenset[date] | None = None,
    today: date = date(2026, 11, 21),
    terms: Terms = TERMS,
    paid_in: Mapping[str, PaidInLine] | None = None,
    moved: Mapping[str, Moved | None] | None = None,
) -> tuple[Judged, ...]:
    return match(
        attempts,
        lines,
        day=day,
        taken=taken,
        complete=taken if complete is None else complete,
        today=today,
        terms=terms,
        paid_in=paid_in or {},
        moved=moved or {},
    )


def kinds(judged: tuple[Judged, ...]) -> list[Class]:
    return [j.kind for j in judged]
