"""What a person may see of payments that were, as payer or as payee. Reads only, one's own only.

Nobody else's payment is ever read and then left out: a code that is not one's own is not found,
as one that never was.
"""

from datetime import datetime
from typing import Any

from engine.clock import CustomerId, PaymentId, first_id_at, made_at
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.lifecycle import State
from engine.payments.payment import Payment, id_ending, read_code
from engine.payments.store import PaymentStore
from engine.payments.views import PaymentSummary, RecentPayee
from engine.privacy.seals import found_as, seals_of

EVER = "0" * 32
"""An id before every payment's."""
PAYEES_LOOKED_AT = 50
"""Recent payees are looked for among so many of the newest payments."""

_COLUMNS = "p.id, p.state, p.version, p.live, p.way, p.terms, j.facts"
# The payer's own. A collection that nobody has claimed yet may be withdrawn.
_SENT = f"""
select {_COLUMNS}, o.id is not null as may_cancel, false as incoming
  from payment p
  join journal j on j.payment = p.id and j.version = p.terms
  left join outbox o on o.id = p.live and o.sent_at is null and p.state = {int(State.COLLECTING)}
 where p.tenant = $1 and p.customer = $2"""  # noqa: S608 - fixed names and numbers
# What arrived at a number; before that it is the payer's affair alone. Each of both that a number
# may stand under has its own look, so that the newest are found by the order of the index.
_RECEIVED_UNDER = """
select {columns}, false as may_cancel, true as incoming
  from journal i
  join payment p on p.id = i.payment and p.tenant = $1 and p.state = {state}
  join journal j on j.payment = p.id and j.version = p.terms
 where i.version = 1 and split_part(i.facts, '"', 6) = {under}"""
_RECEIVED, _RECEIVED_BEFORE = (
    _RECEIVED_UNDER.format(columns=_COLUMNS, state=int(State.PAID), under=under)
    for under in ("$3", "$5")
)
# Why functions: `decisions/0025-a-read-that-is-planned-once.md`.
_SENT_SINCE = f"payments_sent($1, $2, $3, {{most}}, {int(State.COLLECTING)}::smallint)"
_ARRIVED = f"payments_received($1, {{under}}, $4, {int(State.PAID)}::smallint)"
_RECENT = f"""
select * from (select * from {_SENT_SINCE.format(most="$4")}
     union all select * from {_ARRIVED.format(under="$5")}
     union all select * from {_ARRIVED.format(under="$6")}) seen
 order by id desc limit $4"""  # noqa: S608 - fixed names and numbers
_BY_ENDING = f"""
{_SENT} and p.id in (select id from payment where customer = $2 and right(id::text, 12) = $4)
union all
{_RECEIVED} and right(i.payment::text, 12) = $4
union all
{_RECEIVED_BEFORE} and right(i.payment::text, 12) = $4"""  # noqa: S608 - the same
_SINCE = f"select * from {_SENT_SINCE.format(most=1)}"  # noqa: S608 - the same
_NEWEST_SENT = f"select * from {_SENT_SINCE.format(most='$4')}"  # noqa: S608 - the same


class PastStore:
    """The payments of one tenant as the people see them who take part. Nothing here writes."""

    def __init__(self, pool: Any, tenant: int, store: PaymentStore) -> None:
        self._pool = pool
        self._tenant = tenant
        self._store = store
        self._seals = seals_of(pool)

    async def recent_payments(
        self, customer_id: CustomerId, msisdn: Msisdn, most: int = 10
    ) -> list[PaymentSummary]:
        """The newest first. What was sent to the number is seen once it has arrived there.

        A payment whose payee people corrected later is seen by neither of the two numbers.
        """
        under, before = found_as(self._seals, str(msisdn))
        rows = await self._pool.fetch(_RECENT, self._tenant, customer_id, EVER, most, under, before)
        return [summary for row in rows if (summary := self._seen(row, msisdn))]

    async def payment_by_code(
        self, customer_id: CustomerId, msisdn: Msisdn, code: str
    ) -> PaymentSummary | None:
        """One's own payment by its code, as payer or as payee; None for every other code."""
        found = await self.find(customer_id, msisdn, code)
        return found[1] if found is not None else None

    async def find(
        self, customer_id: CustomerId, msisdn: Msisdn, code: str
    ) -> tuple[PaymentId, PaymentSummary] | None:
        """The same with its id, for what is to be done with it."""
        asked = read_code(code)
        if asked is None:
            return None
        under, before = found_as(self._seals, str(msisdn))
        rows = await self._pool.fetch(
            _BY_ENDING, self._tenant, customer_id, under, id_ending(asked), before
        )
        for row in rows:
            summary = self._seen(row, msisdn)
            if summary is not None and summary.code == asked:
                return PaymentId(row["id"].hex), summary
        return None

    async def confirmed_since(
        self, customer_id: CustomerId, since: datetime
    ) -> PaymentSummary | None:
        """The newest payment the customer confirmed at that moment or later."""
        row = await self._pool.fetchrow(_SINCE, self._tenant, customer_id, first_id_at(since))
        return self._seen(row) if row is not None else None

    async def recent_payees(self, customer_id: CustomerId, most: int = 5) -> list[RecentPayee]:
        """To whom the customer sent last, each once with the newest amount, the newest first.

        Whatever became of the payment: one that failed is likely to be tried again.
        """
        rows = await self._pool.fetch(
            _NEWEST_SENT, self._tenant, customer_id, EVER, PAYEES_LOOKED_AT
        )
        found: dict[Msisdn, Money] = {}
        for row in rows:
            quote = self._store.read(row).quote
            found.setdefault(Msisdn(quote.payee), quote.amount)
        return [RecentPayee(msisdn, amount) for msisdn, amount in list(found.items())[:most]]

    def _seen(self, row: Any, msisdn: Msisdn | None = None) -> PaymentSummary | None:
        payment = self._store.read(row)
        if row["incoming"] and payment.quote.payee != msisdn:  # it went to another number instead
            return None
        return summarise(payment, incoming=row["incoming"], may_cancel=row["may_cancel"])


def summarise(
    payment: Payment, *, incoming: bool = False, may_cancel: bool = False
) -> PaymentSummary:
    """A payment as the payer may see it, or the payee when `incoming`."""
    quote = payment.quote
    return PaymentSummary(
        code=payment.code,
        state=payment.state.name.lower(),
        amount=quote.amount,
        receives=quote.receives,
        payee=Msisdn(quote.payee),
        at=made_at(payment.payment_id),
        incoming=incoming,
        may_cancel=may_cancel,
        payer=Msisdn(quote.payer) if incoming else None,
    )
