"""What a simulated world expects of statements, and when an operator's day is. Pure."""

from datetime import UTC, date, datetime, timedelta

from engine.payments.statements.lines import ONE_DAY
from engine.payments.statements.terms import Terms, TermsBook
from tests.simulation.model import START

OFFSET_MINUTES = 180
AGEING_DAYS = 2
TERMS = TermsBook(Terms(utc_offset_minutes=OFFSET_MINUTES, ageing_days=AGEING_DAYS), {})
FIRST_DAY = date(2026, 11, 21)


def day_at(seconds: float) -> date:
    """The operators' day of a virtual moment."""
    moment = datetime.fromtimestamp(START + seconds, UTC) + timedelta(minutes=OFFSET_MINUTES)
    return moment.date()


def end_of(day: date) -> float:
    """The virtual moment at which a day is over."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + ONE_DAY
    return midnight.timestamp() - OFFSET_MINUTES * 60 - START
