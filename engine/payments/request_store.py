"""Requests for money in Postgres. Whether one is being paid is read from the keys of payments.

Each try to pay a request is a payment under the request's next key (`confirming.request_key`),
which `payment_key` gives away once. Whoever closes a request takes that key, so it is closed or
paid.
"""

from typing import Any, NamedTuple

from engine.clock import CustomerId
from engine.errors import OurFault
from engine.gather import alone, readable
from engine.ledger.plans import NIL
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.confirming import request_key
from engine.payments.lifecycle import State
from engine.payments.notices import MESSAGE
from engine.payments.planning import GIVES_BACK
from engine.payments.views import RequestState
from engine.privacy.places import payer_place, payload_place, requester_place
from engine.privacy.seals import (
    Seals,
    open_number,
    seals_of,
)

_GIVES_BACK = ", ".join(str(int(state)) for state in sorted(GIVES_BACK))
_PAID = int(State.PAID)

# `last_key`: that of the newest try; its payment is under way unless its state says otherwise.
_REQUEST = """
select r.id, r.code, r.requester, r.requester_msisdn, r.requester_operator, r.payer,
       r.payer_sealed, r.minor,
       r.currency, r.expires_ms, r.closed_as, t.key as last_key, p.state
  from money_request r
  left join lateral (
    select k.key, k.payment from payment_key k
     where r.closed_as is null and k.tenant = r.tenant
       and k.key >= 'request:' || r.code || ':' and k.key < 'request:' || r.code || ';'
     order by k.key desc limit 1) t on true
  left join payment p on p.id = t.payment
 where r.tenant = $1"""
_IS_FREE = f"r.closed_as is null and (t.key is null or p.state in ({_GIVES_BACK}))"
_BY_CODE = f"{_REQUEST} and r.code = $2"
# The request that was made under a key, or else the one that its asker was answered with.
_BY_KEY = f"""
{_REQUEST} and r.id = coalesce(
   (select m.id from money_request m where m.tenant = $1 and m.key = $2),
   (select k.payment from payment_key k where k.tenant = $1 and k.key = 'asked:' || $2))"""  # noqa: S608 - fixed names
_TO = (
    f"{_REQUEST} and r.payer = any($2::text[]) and r.expires_ms > $3 and {_IS_FREE}"
    " order by r.id desc limit $4"
)
_BY = f"{_REQUEST} and r.requester = $2 order by r.id desc limit $3"
_OVER = f"""
{_REQUEST} and r.closed_as is null and r.expires_ms <= $2
   and ({_IS_FREE} or p.state = {_PAID}) order by r.expires_ms limit $3"""
_UNPAID = f"""
select count(*) from (
{_REQUEST} and r.requester = $2 and r.payer = any($3::text[]) and r.closed_as is null
   and r.expires_ms > $4 and p.state is distinct from {_PAID}) unpaid"""  # noqa: S608 - fixed names and numbers
_SAME = f"""
{_REQUEST} and r.requester = $2 and r.payer = any($3::text[]) and r.requester_operator = $4
   and r.minor = $5 and r.currency = $6 and r.id >= $7 and r.expires_ms > $8
   and r.closed_as is null and p.state is distinct from {_PAID} order by r.id desc limit 1"""
_SINCE = "select count(*) from money_request where tenant = $1 and requester = $2 and id >= $3"
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtextextended($1, $2))"
_INSERT = """
insert into money_request (id, tenant, code, key, requester, requester_msisdn, requester_operator,
                           payer, minor, currency, expires_ms, payer_sealed)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing returning true"""
_STANDS_FOR = """
insert into payment_key (tenant, key, payment, hash) values ($1, 'asked:' || $2, $3, $4)
on conflict do nothing"""
_INTENT = """
insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)
values ($1, $2, $3, $4, $5, $6, $6)"""
# The message is owed by whoever closed it, in the same statement.
_CLOSE = """
with claimed as (
  insert into payment_key (tenant, key, payment, hash) values ($1, $2, $3, $4)
  on conflict do nothing returning payment),
closed as (
  update money_request set closed_as = $5, closed_ms = $6 from claimed
   where id = claimed.payment and closed_as is null returning id),
told as (
  insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)
  select $7, id, $1, $8, $9, $10, $10 from closed)
select count(*) from closed"""
_SETTLE = """
update money_request set closed_as = $3, closed_ms = $4
 where id = $1 and tenant = $2 and closed_as is null"""


class Stored(NamedTuple):
    """A request as it stands in the tables.

    So many `tries` to pay it have begun; `last_try` is the state of the last one's payment.
    """

    id: str
    code: str
    requester: CustomerId
    requester_msisdn: Msisdn
    requester_operator: str
    payer: Msisdn
    amount: Money
    expires_ms: int
    closed_as: RequestState | None = None
    tries: int = 0
    last_try: State | None = None

    def state_at(self, now_ms: int) -> RequestState:
        """A payment that is not known to have come to nothing may be paying it."""
        if self.closed_as is not None:
            return self.closed_as
        if self.last_try is State.PAID:
            return RequestState.PAID
        if self.tries and self.last_try not in GIVES_BACK:
            return RequestState.TAKEN
        return RequestState.OPEN if now_ms < self.expires_ms else RequestState.EXPIRED


class Intended(NamedTuple):
    """A message to be sent with a change: the intent's id, its payload, epoch seconds."""

    id: str
    payload: str
    now: int


class Bounds(NamedTuple):
    """How many requests one customer may have."""

    unpaid_most: int  # open or under way, of one requester and one payer
    recent_most: int  # of one requester
    recent_since: str  # counted from this id on
    same_since: str  # who asks the same person for the same amount since asks again, not twice


class RequestStore:
    """The requests of one tenant. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant
        self._seals = seals_of(pool)

    async def known(self, key: str) -> Stored | None:
        """The request that was made under an idempotency key, or that it was answered with."""
        row = await self._pool.fetchrow(_BY_KEY, self._tenant, key)
        return _stored(row, self._seals) if row is not None else None

    async def put(
        self, request: Stored, *, key: str, message: Intended, bounds: Bounds, now_ms: int
    ) -> Stored | None:
        """Enter a request with the message to the payer; None when the requester has too many.

        Requests of one requester take turns, so that the bounds hold for those made at once, and
        so do keys: the request that the key made before is answered, and so is one for the same
        that is open: who dialled again without having heard. The key stands for that one from then
        on, also once it is over. Raises OurFault when the key is used by somebody else at this
        moment.
        """
        seals, under = self._seals, self._seals.indexes(str(request.payer))
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_TAKE_TURNS, f"request {request.requester}", self._tenant)
            row = await connection.fetchrow(_BY_KEY, self._tenant, key)
            if row is None:
                row = await connection.fetchrow(
                    _SAME, self._tenant, request.requester, under, request.requester_operator,
                    request.amount.minor, request.amount.currency, bounds.same_since, now_ms,
                )  # fmt: skip
                if row is not None:  # else a repeat would ask once more when that one is over
                    await connection.execute(_STANDS_FOR, self._tenant, key, row["id"], NIL)
            if row is not None:
                return _stored(row, self._seals)
            unpaid = await connection.fetchval(
                _UNPAID, self._tenant, request.requester, under, now_ms
            )
            recent = await connection.fetchval(
                _SINCE, self._tenant, request.requester, bounds.recent_since
            )
            if unpaid >= bounds.unpaid_most or recent >= bounds.recent_most:
                return None
            entered = await connection.fetchval(
                _INSERT, request.id, self._tenant, request.code, key, request.requester,
                seals.seal(str(request.requester_msisdn), requester_place(request.id)),
                request.requester_operator, under[0], request.amount.minor,
                request.amount.currency, request.expires_ms,
                seals.seal(str(request.payer), payer_place(request.id)) if under[1:] else None,
            )  # fmt: skip
            if not entered:
                raise OurFault(f"request {request.code}: its key or code is another's")
            await connection.execute(
                _INTENT,
                message.id,
                request.id,
                self._tenant,
                MESSAGE,
                self._sealed(message),
                message.now,
            )
        return request

    async def by_code(self, code: str) -> Stored | None:
        row = await self._pool.fetchrow(_BY_CODE, self._tenant, code)
        return _stored(row, self._seals) if row is not None else None

    async def to(self, payer: Msisdn, now_ms: int, most: int) -> list[Stored]:
        """What a number is asked for and may pay now; the newest first."""
        rows = await self._pool.fetch(
            _TO, self._tenant, self._seals.indexes(str(payer)), now_ms, most
        )
        return [_stored(row, self._seals) for row in rows]

    async def by(self, requester: CustomerId, most: int) -> list[Stored]:
        """What a customer asked for, however it stands; the newest first."""
        return [
            _stored(row, self._seals)
            for row in await self._pool.fetch(_BY, self._tenant, requester, most)
        ]

    async def over(self, now_ms: int, most: int) -> list[Stored]:
        """Requests whose time is over, unless a payment for them is under way.

        One that cannot be read waits, and keeps up nobody else.
        """
        rows = await self._pool.fetch(_OVER, self._tenant, now_ms, most)
        read = [alone(f"request {row['code']}", _stored, row, self._seals) for row in rows]
        return readable("a request", read)

    async def close(
        self,
        request: Stored,
        closed_as: RequestState,
        now_ms: int,
        told: Intended,
    ) -> bool:
        """Close what nobody is paying, and owe the message; False when somebody was faster."""
        closed = await self._pool.fetchval(
            _CLOSE, self._tenant, request_key(request.code, request.tries), request.id, NIL,
            str(closed_as), now_ms, told.id, MESSAGE, self._sealed(told), told.now,
        )  # fmt: skip
        return bool(closed)

    async def settle(self, request: Stored, now_ms: int) -> None:
        """A payment has answered it: no key is asked any more."""
        await self._pool.execute(_SETTLE, request.id, self._tenant, str(RequestState.PAID), now_ms)

    def _sealed(self, message: Intended) -> str:
        return self._seals.seal(message.payload, payload_place(message.id))


def _stored(row: Any, seals: Seals) -> Stored:
    id_ = row["id"].hex
    last_key, state, closed_as = row["last_key"], row["state"], row["closed_as"]
    return Stored(
        id=id_,
        code=row["code"],
        requester=CustomerId(row["requester"].hex),
        requester_msisdn=Msisdn(seals.open(row["requester_msisdn"], requester_place(id_))),
        requester_operator=row["requester_operator"],
        payer=Msisdn(open_number(seals, row["payer"], row["payer_sealed"], payer_place(id_))),
        amount=Money(row["minor"], row["currency"]),
        expires_ms=row["expires_ms"],
        closed_as=RequestState(closed_as) if closed_as is not None else None,
        tries=int(last_key.rpartition(":")[2]) + 1 if last_key is not None else 0,
        last_try=State(state) if state is not None else None,
    )
