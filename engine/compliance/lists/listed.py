"""What an entry of a sanctions list is, whoever publishes it. Values only."""

import calendar
from datetime import date, datetime
from enum import StrEnum

import msgspec


class Source(StrEnum):
    """Whose list it is, in which of its formats. Stored: never rename."""

    OFAC_SDN = "ofac_sdn"  # US Treasury, Specially Designated Nationals, SDN.XML
    UN = "un"  # UN Security Council, consolidated list, XML


class Subject(StrEnum):
    """What is listed."""

    INDIVIDUAL = "individual"
    ENTITY = "entity"
    VESSEL = "vessel"
    AIRCRAFT = "aircraft"


class Name(msgspec.Struct, frozen=True, array_like=True):
    """One name of an entry; the first is the main one. `weak`: the publisher warns of it."""

    text: str
    weak: bool = False


class Birth(msgspec.Struct, frozen=True, array_like=True):
    """When somebody was born, as well as it is known: both days included."""

    first: date
    last: date

    def contains(self, day: date, *, slack_years: int = 0) -> bool:
        """Whether the day lies within, or within whole years beside it."""
        if self.first <= day <= self.last:
            return True
        return bool(slack_years) and (
            self.first.year - slack_years <= day.year <= self.last.year + slack_years
        )


def born_on(day: date) -> Birth:
    """The day itself is known."""
    return Birth(day, day)


def born_in(year: int, until: int | None = None) -> Birth:
    """Born in a year, or from one year until another. Raises ValueError when they are reversed."""
    last = year if until is None else until
    if last < year:
        raise ValueError(f"years reversed: {year} to {last}")
    return Birth(date(year, 1, 1), date(last, 12, 31))


def born_in_month(year: int, month: int) -> Birth:
    """Only the month is known. Raises ValueError when there is no such month."""
    return Birth(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))


class Listed(msgspec.Struct, frozen=True, array_like=True):
    """One entry. `entry_id` is the publisher's own; it stays the same from file to file."""

    entry_id: str
    subject: Subject
    names: tuple[Name, ...]
    births: tuple[Birth, ...] = ()
    programmes: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()


def published_on(told: str) -> date | None:
    """The day of a publisher's word for it: `11/02/2026` or `2026-11-02T23:00:02`; else None."""
    for shape, length in (("%m/%d/%Y", None), ("%Y-%m-%d", 10)):
        try:
            return datetime.strptime(told[:length], shape).date()  # noqa: DTZ007 - a date
        except ValueError:
            continue
    return None


class ListFile(msgspec.Struct, frozen=True):
    """A whole file as it was read. `published` is the publisher's own word for its date."""

    source: Source
    published: str
    entries: tuple[Listed, ...]
