"""What an authority asks about payments: large ones, and who stood at both ends (travel rule).

A payment is in the report of the days on which it was made; one whose money came when it was over,
in that of the day on which this was proven: the first may be written long ago.

Reads the books and never writes. What it gives holds full names and numbers: it is for the
regulated file it was asked for, never for a log.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from engine.clock import PaymentId, first_id_at, made_at, moment_of, ms_of
from engine.compliance.limits import Limits
from engine.compliance.policy import LargeFrom
from engine.compliance.profiles import Profile, Profiles
from engine.money import to_decimal
from engine.msisdn import Msisdn, country_of
from engine.payments.facts import Facts, open_terms, read_terms
from engine.payments.lifecycle import TERMINAL, State
from engine.payments.payment import code_of
from engine.privacy.seals import seals_of

PAGE = 1_000
NEVER_COLLECTED = (
    State.NEW, State.QUOTED, State.RESERVED, State.COLLECTING, State.COLLECT_UNKNOWN,
    State.COLLECT_FAILED, State.EXPIRED, State.CANCELLED,
)  # fmt: skip
"""In these states nobody's money has come to us, so nothing happened that is to be reported."""

WITHOUT_MONEY = (State.COLLECT_FAILED, State.EXPIRED, State.CANCELLED)
"""How a payment was over whose money comes late."""
LATE = (
    State.LATE_FUNDS, State.REFUND_DUE, State.REFUNDING, State.REFUND_UNKNOWN, State.REFUNDED,
)  # fmt: skip
"""It goes back, and is never paid out."""

_PAID_FOR = """
select p.id, p.state, j.facts, l.at_ms from payment p
  join journal j on j.payment = p.id and j.version = p.terms
  left join lateral (select late.at_ms from journal late
      join journal e on e.payment = late.payment and e.version = late.version - 1
     where late.payment = p.id and p.state = any($6::smallint[]) and e.state = any($7::smallint[])
     limit 1) l on true
 where p.tenant = $1 and p.id > $2 and p.id < $3 and p.customer is not null
   and p.state <> all($4::smallint[])
 order by p.id limit $5
"""
_LATE = """
  from journal l join journal e on e.payment = l.payment and e.version = l.version - 1
  join payment p on p.id = l.payment
  join journal j on j.payment = p.id and j.version = p.terms
 where l.tenant = $1 and l.at_ms >= $2 and l.at_ms < $3 and l.payment < $4
   and l.state = any($5::smallint[]) and e.state = any($6::smallint[]) and p.customer is not null
"""
_COUNT_OPEN = """
select count(*) from payment
 where tenant = $1 and id > $2 and id < $3 and customer is not null
   and state <> all($4::smallint[])
"""
_HOW_LATE = [int(state) for state in LATE], [int(state) for state in WITHOUT_MONEY]
_DAY = timedelta(days=1)


class Reported(msgspec.Struct, frozen=True):
    """A payment whose money was collected, as it stands now."""

    payment_id: PaymentId
    state: State
    facts: Facts
    late: datetime | None = None  # when its money was proven, had it been over by then

    @property
    def at(self) -> datetime:
        return made_at(self.payment_id)

    @property
    def counts_at(self) -> datetime:
        """In the report of which day it is: in that of no other."""
        return self.late or self.at


class LargePayment(msgspec.Struct, frozen=True):
    """A line of the report on large transactions; amounts in major units, exactly."""

    code: str
    at: datetime
    country: str
    payer: str
    payee: str
    payer_operator: str
    payee_operator: str
    currency: str
    amount: str
    day_total: str  # of all of the payer's payments of that local day
    receives_currency: str
    receives: str
    state: str
    counts_at: datetime  # `at`; or when money was proven late that makes it one to be reported


class Reports:
    """Reports on the payments of one tenant. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int, profiles: Profiles) -> None:
        self._pool = pool
        self._tenant = tenant
        self._profiles = profiles
        self._seals = seals_of(pool)

    async def collected(self, since: datetime, until: datetime) -> AsyncIterator[Reported]:
        """Payments of the days from a moment on and before another whose money came in, the oldest
        first: those made then, and those of before whose money was proven late then."""
        for payment in await self._late(since, until):
            yield payment
        async for payment in self._made(since, until):
            if since <= payment.counts_at < until:
                yield payment

    async def _late(self, since: datetime, until: datetime) -> list[Reported]:
        """Of payments made before a moment those whose money was proven late from then on and
        before another."""
        rows = await self._pool.fetch(
            f"select p.id, p.state, j.facts, l.at_ms {_LATE} order by p.id",
            self._tenant, ms_of(since), ms_of(until), first_id_at(since), *_HOW_LATE,
        )  # fmt: skip
        return [self._reported(row) for row in rows]

    async def _made(self, since: datetime, until: datetime) -> AsyncIterator[Reported]:
        after, before = _before(first_id_at(since)), first_id_at(until)
        while True:
            rows = await self._pool.fetch(
                _PAID_FOR, self._tenant, after, before, [int(s) for s in NEVER_COLLECTED], PAGE,
                *_HOW_LATE,
            )  # fmt: skip
            for row in rows:
                after = row["id"].hex
                yield self._reported(row)
            if len(rows) < PAGE:
                return

    def _reported(self, row: Any) -> Reported:
        payment_id = PaymentId(row["id"].hex)
        facts = read_terms(open_terms(row["facts"], self._seals, payment_id))
        late = moment_of(row["at_ms"]) if row["at_ms"] is not None else None
        return Reported(payment_id, State(row["state"]), facts, late)

    async def large(
        self,
        since: datetime,
        until: datetime,
        thresholds: Mapping[str, LargeFrom],
        limits: Limits,
    ) -> list[LargePayment]:
        """Payments that reach their country's threshold, alone or with others of the same day.

        A payer's own day reaches beyond the period at both ends: it is summed whole, and of it the
        payments of the period are told. It may not be over: see `last_day_ends`. Money that was
        proven late in the period counts to the day on which its payment was made: it is told, and
        with it what it takes to the threshold of that day.
        """
        days = [(since - _DAY, until + _DAY)]
        days += [(p.at - _DAY, p.at + _DAY) for p in await self._late(since, until)]
        found = [payment for day in _together(days) async for payment in self._made(*day)]
        return [p for p in large_among(found, thresholds, limits) if since <= p.counts_at < until]

    async def count_open(self, since: datetime, until: datetime) -> int:
        """How many payments of a period, also of money that was proven late in it, have not ended:
        what they come to is not known yet."""
        after, before = _before(first_id_at(since)), first_id_at(until)
        ended = [int(state) for state in TERMINAL]
        made: int = await self._pool.fetchval(_COUNT_OPEN, self._tenant, after, before, ended)
        late: int = await self._pool.fetchval(
            f"select count(*) {_LATE} and p.state <> all($7::smallint[])",
            self._tenant, ms_of(since), ms_of(until), first_id_at(since), *_HOW_LATE, ended,
        )  # fmt: skip
        return made + late

    async def travel(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """The record of both ends for every payment, in the manner of IVMS 101."""
        found = [payment async for payment in self.collected(since, until)]
        out: list[dict[str, Any]] = []
        for start in range(0, len(found), PAGE):
            page = found[start : start + PAGE]
            numbers = {Msisdn(n) for p in page for n in (p.facts.quote.payer, p.facts.quote.payee)}
            people = await self._profiles.find(sorted(numbers))
            out += [travel_record(payment, people) for payment in page]
        return out


def last_day_ends(until: datetime, thresholds: Iterable[str], limits: Limits) -> datetime:
    """When the last of the payers' own days is over in which a payment before `until` may count.

    Until then another payment may take such a day to its country's threshold, and with it all of
    its payments. `thresholds`: the countries that have one.
    """
    last = until - timedelta(milliseconds=1)
    return max([until, *(limits.day_ends(country, last) for country in thresholds)])


def large_among(
    payments: Iterable[Reported], thresholds: Mapping[str, LargeFrom], limits: Limits
) -> Iterator[LargePayment]:
    """A payer's days whose sum, before fees, reaches the threshold, payment by payment."""
    days: dict[tuple[str, str, str, int], list[Reported]] = defaultdict(list)
    for payment in payments:
        quote = payment.facts.quote
        country = country_of(Msisdn(quote.payer)) or ""
        day = limits.local_time(country, payment.at).day
        days[country, str(quote.payer), quote.amount.currency, day].append(payment)
    for (country, _, currency, _), together in days.items():
        threshold = thresholds.get(country)
        if threshold is None or threshold.currency != currency:
            continue
        day_ends = limits.day_ends(country, together[0].at)
        for payment, counts_at, total in _reaching(together, threshold.minor, day_ends):
            yield _large(payment, country, total, counts_at)


def _reaching(
    together: Iterable[Reported], threshold_minor: int, day_ends: datetime
) -> Iterator[tuple[Reported, datetime, int]]:
    """What of a payer's day is to be told, when it counts, and the day's sum as of then.

    Each stands in one report for good, however much is proven late after that was written.
    """
    on_time = [p for p in together if p.late is None or p.late < day_ends]
    late = sorted((p.late, p.payment_id, p) for p in together if p.late and p.late >= day_ends)
    total = sum(_minor(payment) for payment in on_time)
    waiting = on_time
    if total >= threshold_minor:
        yield from ((payment, payment.at, total) for payment in on_time)
        waiting = []
    for proven, _, payment in late:
        total += _minor(payment)
        waiting.append(payment)
        if total >= threshold_minor:
            yield from ((each, proven, total) for each in waiting)
            waiting = []


def _large(payment: Reported, country: str, total_minor: int, counts_at: datetime) -> LargePayment:
    quote = payment.facts.quote
    total = msgspec.structs.replace(quote.amount, minor=total_minor)
    return LargePayment(
        code=code_of(payment.payment_id),
        at=payment.at,
        country=country,
        payer=str(quote.payer),
        payee=str(quote.payee),
        payer_operator=quote.payer_operator,
        payee_operator=quote.payee_operator,
        currency=quote.amount.currency,
        amount=f"{to_decimal(quote.amount):f}",
        day_total=f"{to_decimal(total):f}",
        receives_currency=quote.receives.currency,
        receives=f"{to_decimal(quote.receives):f}",
        state=payment.state.name,
        counts_at=counts_at,
    )


def travel_record(payment: Reported, people: Mapping[Msisdn, Profile]) -> dict[str, Any]:
    """Who sent, who received, through whom: field names in the manner of interVASP IVMS 101.

    What is not known is left out, never invented.
    """
    quote = payment.facts.quote
    payer, payee = Msisdn(quote.payer), Msisdn(quote.payee)
    return {
        "payment": {
            "code": code_of(payment.payment_id),
            "at": payment.at.isoformat(),
            "state": payment.state.name,
            "amount": f"{to_decimal(quote.amount):f}",
            "currency": quote.amount.currency,
            "receives": f"{to_decimal(quote.receives):f}",
            "receivesCurrency": quote.receives.currency,
            **({"provenLateAt": payment.late.isoformat()} if payment.late else {}),
        },
        "originator": {
            "originatorPersons": [_person(payer, people.get(payer))],
            "accountNumber": [str(payer)],
        },
        "beneficiary": {
            "beneficiaryPersons": [_person(payee, people.get(payee))],
            "accountNumber": [str(payee)],
        },
        "originatingInstitution": quote.payer_operator,
        "beneficiaryInstitution": quote.payee_operator,
    }


def _person(msisdn: Msisdn, profile: Profile | None) -> dict[str, Any]:
    person: dict[str, Any] = {}
    if profile is not None:
        person["customerIdentification"] = profile.customer_id
        if profile.name is not None:
            # The whole name stands in one field: where a family name begins nobody asked.
            told = {"primaryIdentifier": profile.name, "nameIdentifierType": "MISC"}
            person["name"] = {"nameIdentifier": [told]}
        if profile.born is not None:
            person["dateAndPlaceOfBirth"] = {"dateOfBirth": profile.born.isoformat()}
    country = profile.country if profile is not None else country_of(msisdn)
    if country is not None:
        person["countryOfResidence"] = country
    return {"naturalPerson": person}


def _together(
    periods: Iterable[tuple[datetime, datetime]],
) -> list[tuple[datetime, datetime]]:
    """The same times, none of them twice."""
    found: list[tuple[datetime, datetime]] = []
    for since, until in sorted(periods):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def _minor(payment: Reported) -> int:
    return payment.facts.quote.amount.minor


def _before(identifier: str) -> str:
    """The id just before one: pages begin after an id, periods begin with one."""
    return f"{max(int(identifier, 16) - 1, 0):032x}"
