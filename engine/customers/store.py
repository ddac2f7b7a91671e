"""The customer table: find, register, change the language, check a PIN.

Knows nothing of sessions or payments. Every statement names the tenant.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from engine.clock import Clock, CustomerId, Ids
from engine.customers.customers import Customer, PinVerdict
from engine.customers.pins import PinKeys, has_pin_shape, is_weak_pin
from engine.errors import CustomerMistake
from engine.gather import Gatherer
from engine.msisdn import Msisdn

ATTEMPTS_MAX = 3
COOL_DOWN_SECONDS = 30 * 60

_FIND = """
select id, msisdn, country, language, tier from customer
where tenant = $1 and msisdn = any($2::text[])
"""
_REGISTER = """
insert into customer (id, tenant, msisdn, country, language, tier, pin_mac, pin_key, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (tenant, msisdn) do nothing
"""
_SET_LANGUAGE = "update customer set language = $3 where tenant = $1 and id = $2"
# One statement counts and compares, under the row's lock: guesses made at the same moment queue up
# and see each other's count. Expressions stand on the row itself, because Postgres evaluates only
# those again after waiting for the lock. The MACs are compared here, not in constant time: both
# sides are outputs of a keyed MAC, so a guesser chooses neither and learns nothing from the time.
_CHECK_PIN = """
update customer set
    pin_failures = case
        when pin_mac = ($4::bytea[])[array_position($3::smallint[], pin_key)] then 0
        when pin_locked_until is not null then 1
        else pin_failures + 1 end,
    pin_locked_until = case
        when pin_mac = ($4::bytea[])[array_position($3::smallint[], pin_key)] then null
        when (case when pin_locked_until is not null then 1 else pin_failures + 1 end) >= $6
            then $5::timestamptz + $7::interval
        else null end
where tenant = $1 and id = $2 and (pin_locked_until is null or pin_locked_until <= $5)
returning pin_failures, pin_locked_until
"""
_LOCKED_UNTIL = "select pin_locked_until from customer where tenant = $1 and id = $2"

TIER_NUMBER_ONLY = 0
"""Nothing is known of the customer but a phone number that answered."""


class Customers:
    """The customers of one tenant, on an asyncpg pool. Every method may be repeated."""

    def __init__(
        self,
        pool: Any,
        tenant: int,
        keys: PinKeys,
        ids: Ids,
        clock: Clock,
        *,
        cool_down_seconds: float = COOL_DOWN_SECONDS,
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._keys = keys
        self._ids = ids
        self._clock = clock
        self._cool_down = timedelta(seconds=cool_down_seconds)
        self._finds = Gatherer(self._fetch)

    async def find(self, msisdn: Msisdn) -> Customer | None:
        """Who has this number. Dials of the same moment are looked up together."""
        return await self._finds.get(str(msisdn))

    async def register(self, msisdn: Msisdn, country: str, language: str, pin: str) -> Customer:
        """Enter a customer with a PIN. A number that is already known keeps the PIN it has.

        Raises CustomerMistake `mistake.pin_format` or `mistake.pin_weak`.
        """
        self.refuse_weak(pin, msisdn)
        customer_id, version = self._ids.customer(), self._keys.newest
        await self._pool.execute(
            _REGISTER, customer_id, self._tenant, str(msisdn), country, language,
            TIER_NUMBER_ONLY, self._keys.mac(version, customer_id, pin), version,
            self._clock.now(),
        )  # fmt: skip
        found = await self.find(msisdn)
        assert found is not None, "customers are never deleted"
        return found

    async def set_language(self, customer_id: CustomerId, language: str) -> None:
        await self._pool.execute(_SET_LANGUAGE, self._tenant, customer_id, language)

    async def check_pin(self, customer: Customer, pin: str) -> PinVerdict:
        """Compare one guess and count it, also when many arrive at once.

        A right PIN clears the count. The third wrong one in a row locks for the cool-down, and
        while it lasts no guess is compared, not even the right one.
        """
        versions = list(self._keys.versions)
        macs = [self._keys.mac(version, customer.customer_id, pin) for version in versions]
        row = await self._pool.fetchrow(
            _CHECK_PIN, self._tenant, customer.customer_id, versions, macs,
            self._clock.now(), ATTEMPTS_MAX, self._cool_down,
        )  # fmt: skip
        if row is None:
            return await self._locked(customer)
        if row["pin_failures"] == 0:
            return PinVerdict(right=True, left=ATTEMPTS_MAX)
        locked_until: datetime | None = row["pin_locked_until"]
        return PinVerdict(
            right=False, left=ATTEMPTS_MAX - row["pin_failures"], locked_until=locked_until
        )

    @staticmethod
    def refuse_weak(pin: str, msisdn: Msisdn) -> None:
        """Raises CustomerMistake when a new PIN has no shape or is among the first to be tried."""
        if not has_pin_shape(pin):
            raise CustomerMistake("mistake.pin_format")
        if is_weak_pin(pin, msisdn):
            raise CustomerMistake("mistake.pin_weak")

    async def _fetch(self, numbers: Sequence[str]) -> dict[str, Customer]:
        rows = await self._pool.fetch(_FIND, self._tenant, numbers)
        return {row["msisdn"]: _customer(row) for row in rows}

    async def _locked(self, customer: Customer) -> PinVerdict:
        until = await self._pool.fetchval(_LOCKED_UNTIL, self._tenant, customer.customer_id)
        # A lock that ended between the two statements is reported as ending now.
        return PinVerdict(right=False, left=0, locked_until=until or self._clock.now())


def _customer(row: Any) -> Customer:
    return Customer(
        CustomerId(row["id"].hex),
        Msisdn(row["msisdn"]),
        row["country"],
        row["language"],
        row["tier"],
    )
