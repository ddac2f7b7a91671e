"""What a person may see of payments that were, as payer or as payee. Reads only, one's own only.

Nobody else's payment is ever read and then left out: a code that is not one's own is not found,
as one that never was.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from engine.clock import CustomerId, PaymentId, first_id_at, made_at
from engine.gather import alone, readable
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.facts import payee_mark
from engine.payments.lifecycle import TERMINAL, State
from engine.payments.payment import Payment, code_of, id_ending, read_code
from engine.payments.routing import Directory
from engine.payments.store import PaymentStore
from engine.payments.views import PaymentSummary, RecentPayee
from engine.privacy.seals import found_as, seals_of

ONE_PAYMENT = "a payment that somebody wants to see"
EVER = "0" * 32
"""An id before every payment's."""
PAYEES_LOOKED_AT = (10, 50)
"""Recent payees are looked for among so many of the newest payments; if too few are found, among
more. Each costs a look into the journal and its terms opened.
"""

# Why functions: `decisions/0025-a-read-that-is-planned-once.md`.
_SENT_SINCE = f"payments_sent($1, $2, $3, {{most}}, {int(State.COLLECTING)}::smallint)"
_ARRIVED = f"payments_received($1, {{under}}, $4, {int(State.PAID)}::smallint)"
_RECENT = f"""
select * from (select * from {_SENT_SINCE.format(most="$4")}
     union all select * from {_ARRIVED.format(under="$5")}
     union all select * from {_ARRIVED.format(under="$6")}) seen
 order by id desc limit $4"""  # noqa: S608 - fixed names and numbers
_BY_ENDING = f"""
select * from payments_ending($1, $2, $3, $4::text[], $5, {int(State.COLLECTING)}::smallint,
                              {int(State.PAID)}::smallint)"""  # noqa: S608 - the same
# What had arrived and did not stay. So seldom asked that no function has its plan.
_TAKEN_BACK = f"""
select p.*, false as may_cancel, true as incoming
  from payments_by_id(array(
         select i.payment from unnest($2::text[]) k(payee)
          cross join lateral (select i.payment from journal i
                               where i.tenant = $1 and i.version = 1
                                 and split_part(i.facts, '"', 6) = k.payee
                                 and right(i.payment::text, 12) = $3 offset 0) i)) p
 where p.state <> {int(State.PAID)} and exists (
         select 1 from journal j where j.payment = p.id and j.state = {int(State.PAID)})"""  # noqa: S608 - fixed numbers
_SINCE = f"select * from {_SENT_SINCE.format(most=1)}"  # noqa: S608 - the same
_NEWEST_SENT = f"select * from {_SENT_SINCE.format(most='$4')}"  # noqa: S608 - the same


class PastStore:
    """The payments of one tenant as the people see them who take part. Nothing here writes."""

    def __init__(self, pool: Any, tenant: int, store: PaymentStore, directory: Directory) -> None:
        """The `directory` says how payers approve what they pay."""
        self._pool = pool
        self._tenant = tenant
        self._store = store
        self._directory = directory
        self._seals = seals_of(pool)

    async def recent_payments(
        self, customer_id: CustomerId, msisdn: Msisdn, most: int = 10
    ) -> list[PaymentSummary]:
        """The newest first. What was sent to the number is seen once it has arrived there.

        A payment whose payee people corrected later is seen by neither of the two numbers. One that
        cannot be read is told to the log, and hides no other. Raises OurFault when none can be
        read: nobody is told that there are none.
        """
        under, before = found_as(self._seals, str(msisdn))
        rows = await self._pool.fetch(_RECENT, self._tenant, customer_id, EVER, most, under, before)
        read = [alone(_named(row), self._seen, row, msisdn) for row in rows]
        seen = readable(ONE_PAYMENT, read)
        if not seen and read and isinstance(read[0], Exception):
            raise read[0]
        return [summary for summary in seen if summary is not None]

    async def payment_by_code(
        self, customer_id: CustomerId, msisdn: Msisdn, code: str
    ) -> PaymentSummary | None:
        """One's own payment by its code, as payer or as payee; None for every other code.

        The payee's are those that have arrived, also when an operator took the money back since:
        they were told of it. Raises OurFault for one that cannot be read: nobody is told that there
        is none.
        """
        found = await self.find(customer_id, msisdn, code)
        return found[1] if found is not None else None

    async def find(
        self, customer_id: CustomerId, msisdn: Msisdn, code: str
    ) -> tuple[PaymentId, PaymentSummary] | None:
        """The same with its id, for what is to be done with it."""
        payees = self._seals.indexes(str(msisdn))
        return await self._by_ending(customer_id, code, EVER, payees, msisdn)

    async def confirmed_with_code(
        self, customer_id: CustomerId, code: str, since: datetime
    ) -> PaymentSummary | None:
        """What the customer confirmed at that moment or later, by its code.

        Asked at every dial after a payment, and so only where it can be.
        """
        found = await self._by_ending(customer_id, code, first_id_at(since))
        return found[1] if found is not None else None

    async def _by_ending(
        self,
        customer_id: CustomerId,
        code: str,
        since: str,
        payees: Sequence[str] = (),
        msisdn: Msisdn | None = None,
    ) -> tuple[PaymentId, PaymentSummary] | None:
        asked = read_code(code)
        if asked is None:
            return None
        ending, under = id_ending(asked), list(payees)
        rows = await self._pool.fetch(_BY_ENDING, self._tenant, customer_id, since, under, ending)
        if under and all(code_of(PaymentId(row["id"].hex)) != asked for row in rows):
            rows = await self._pool.fetch(_TAKEN_BACK, self._tenant, under, ending)
        for row in rows:
            payment_id = PaymentId(row["id"].hex)
            if code_of(payment_id) != asked:
                continue
            summary = alone(_named(row), self._seen, row, msisdn)
            if isinstance(summary, Exception):
                raise summary
            if summary is not None:
                return payment_id, summary
        return None

    async def confirmed_since(
        self, customer_id: CustomerId, since: datetime
    ) -> PaymentSummary | None:
        """The newest payment the customer confirmed at that moment or later."""
        row = await self._pool.fetchrow(_SINCE, self._tenant, customer_id, first_id_at(since))
        return self._seen(row) if row is not None else None

    async def recent_payees(self, customer_id: CustomerId, most: int = 5) -> list[RecentPayee]:
        """To whom the customer sent last, each once with the newest amount, the newest first.

        Whatever became of the payment: one that failed is likely to be tried again. Of one that is
        not over no amount is told, so that it is not paid twice by two keys. One that cannot be
        read is told to the log.
        """
        found: dict[Msisdn, Money | None] = {}
        opened: set[str] = set()  # people pay the same few: of each the newest row is opened
        for count in PAYEES_LOOKED_AT:
            rows = await self._pool.fetch(_NEWEST_SENT, self._tenant, customer_id, EVER, count)
            for row in rows:
                if len(found) == most:
                    break
                mark = payee_mark(row["facts"])
                if mark and mark in opened:
                    continue
                read = alone(_named(row), self._store.read, row)
                for payment in readable(ONE_PAYMENT, [read]):
                    is_over, quote = payment.state in TERMINAL, payment.quote
                    found.setdefault(Msisdn(quote.payee), quote.amount if is_over else None)
                    opened.add(mark)
            if len(found) == most or len(rows) < count:
                break
        return [RecentPayee(msisdn, amount) for msisdn, amount in found.items()]

    def _seen(self, row: Any, msisdn: Msisdn | None = None) -> PaymentSummary | None:
        payment = self._store.read(row)
        if row["incoming"] and payment.quote.payee != msisdn:  # it went to another number instead
            return None
        return self._summarise(payment, incoming=row["incoming"], may_cancel=row["may_cancel"])

    def _summarise(self, payment: Payment, *, incoming: bool, may_cancel: bool) -> PaymentSummary:
        quote = payment.quote
        payer = self._directory.by_name[quote.payer_operator]
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
            by_link=payer.collects_by_link,
            prompted=payer.prompts_payer,
            fee=None if incoming else quote.fee,
        )


def _named(row: Any) -> str:
    return f"payment {row['id'].hex}"
