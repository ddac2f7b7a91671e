"""The customers of one tenant: find, register, languages, PINs, saved recipients.

The one object that other rooms ask. Knows nothing of sessions or payments. Every statement names
the tenant, and no PIN goes further than into its MAC.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from engine.clock import Clock, CustomerId, Ids
from engine.customers import pins
from engine.customers.customers import Customer, PinVerdict, Recipient
from engine.customers.guesses import ATTEMPTS_MAX, COOL_DOWN_SECONDS, Guesses
from engine.customers.pins import PinKeys
from engine.customers.recipients import Recipients
from engine.customers.resets import PinResets
from engine.errors import CustomerMistake, OurFault
from engine.gather import Gatherer
from engine.msisdn import Msisdn
from engine.privacy.people import read_number, seal_number
from engine.privacy.seals import Seals, seals_of

__all__ = ["ATTEMPTS_MAX", "COOL_DOWN_SECONDS", "TIER_NUMBER_ONLY", "Customers"]

TIER_NUMBER_ONLY = 0
"""Nothing is known of the customer but a phone number that answered."""
TIER_PAUSED_SECONDS = 24 * 3600
"""After a PIN was chosen without the old one: whoever took over a number gains little in a day."""

_FIND = """
select id, msisdn, msisdn_sealed, country, language, network,
       coalesce(pin_reset_until > $3, false) as may_reset_pin,
       case when tier_paused_until > $3 then $4 else tier end as tier
from customer where tenant = $1 and msisdn = any((select $2::text[])::text[])
"""
_REGISTER = """
insert into customer (id, tenant, msisdn, country, language, tier, pin_mac, pin_key, created_at,
                      msisdn_sealed)
select $1::uuid, $2, $3, $4, $5, $6::smallint, $7, $8::smallint, $9, $10
where not exists (select from customer where tenant = $2 and msisdn = any($11::text[]))
on conflict (tenant, msisdn) do nothing
"""
_NOTE_NETWORK = """
update customer set network = $3, network_since_ms = $4
where tenant = $1 and id = $2 and network is distinct from $3
"""
_SET_LANGUAGE = "update customer set language = $3 where tenant = $1 and id = $2"
# A lock outlives a change: a guess that was counted meanwhile on another phone has its effect.
_CHANGE_PIN = """
update customer set pin_mac = $3, pin_key = $4, pin_failures = 0, pin_locks = 0,
    pin_locked_until = null, pin_reset_asked_at = null, pin_reset_until = null
where tenant = $1 and id = $2 and (pin_locked_until is null or pin_locked_until <= $5)
returning true
"""
_RESET_PIN = """
update customer set pin_mac = $3, pin_key = $4, pin_failures = 0, pin_locks = 0,
    pin_locked_until = null, pin_reset_asked_at = null, pin_reset_until = null,
    tier_paused_until = $6
where tenant = $1 and id = $2 and pin_reset_until > $5
returning true
"""
_WAS_RESET = "select tier_paused_until > $3 from customer where tenant = $1 and id = $2"


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
        languages: Collection[str] | None = None,
        cool_down_seconds: float = COOL_DOWN_SECONDS,
    ) -> None:
        """`languages` are those that there are texts in; None where there are no texts at all."""
        self._pool = pool
        self._tenant = tenant
        self._keys = keys
        self._ids = ids
        self._clock = clock
        self._languages = None if languages is None else frozenset(languages)
        self._seals = seals_of(pool)
        self._finds: Gatherer[str, Customer] = Gatherer(self._fetch)
        self._guesses = Guesses(pool, tenant, keys, clock, cool_down_seconds=cool_down_seconds)
        self._recipients = Recipients(pool, tenant, clock)
        self._resets = PinResets(pool, tenant, clock, ids)

    async def find(self, msisdn: Msisdn) -> Customer | None:
        """Who has this number. Dials of the same moment are looked up together."""
        return await self._finds.get(str(msisdn))

    async def register(self, msisdn: Msisdn, country: str, language: str, pin: str) -> Customer:
        """Enter a customer with a PIN. A number that is already known keeps the PIN it has.

        Raises CustomerMistake `mistake.pin_format`, `mistake.pin_weak` or `mistake.language`.
        """
        self.refuse_weak(pin, msisdn)
        self._refuse_unknown(language)
        customer_id, version = self._ids.customer(), self._keys.newest
        await self._pool.execute(
            _REGISTER, customer_id, self._tenant, self._seals.index(str(msisdn)), country, language,
            TIER_NUMBER_ONLY, self._keys.mac(version, customer_id, pin), version,
            self._clock.now(), seal_number(self._seals, customer_id, msisdn),
            self._seals.indexes(str(msisdn)),
        )  # fmt: skip
        found = await self.find(msisdn)
        assert found is not None, "customers are never deleted"
        return found

    async def set_language(self, customer_id: CustomerId, language: str) -> None:
        """Raises CustomerMistake `mistake.language` for one without texts."""
        self._refuse_unknown(language)
        await self._pool.execute(_SET_LANGUAGE, self._tenant, customer_id, language)

    async def note_network(self, customer: Customer, network: str) -> None:
        """Which network served a dial of theirs, written only when it is another than the last.

        What is no mobile country and network code ("sms", "") is no news and changes nothing.
        """
        if network != customer.network and is_network_code(network):
            await self._pool.execute(
                _NOTE_NETWORK, self._tenant, customer.customer_id, network,
                int(self._clock.epoch() * 1000),
            )  # fmt: skip

    async def check_pin(self, customer: Customer, pin: str, turn: str = "") -> PinVerdict:
        """Compare one guess and count it, also when many arrive at once; once for a `turn`.

        A right PIN clears the count. The third wrong one in a row locks for the cool-down, and
        while it lasts no guess is compared, not even the right one; each lock in a row is longer,
        and the fourth ends only by a reset. Raises CustomerMistake `mistake.pin_format`, and
        OurFault when the key of this customer's PIN is not at hand, both uncounted.
        """
        return await self._guesses.check(customer, pin, turn)

    async def change_pin(self, customer: Customer, pin: str) -> None:
        """A new PIN from a customer whose old one was right just now.

        Raises CustomerMistake `mistake.pin_format` or `mistake.pin_weak`, and NoWayNow
        `no_way.locked` when it was locked meanwhile. An open reset is over: it is not needed.
        """
        self.refuse_weak(pin, customer.msisdn)
        if not await self._renew(_CHANGE_PIN, customer, pin):
            (await self._guesses.lock_of(customer)).require_right()

    async def ask_pin_reset(self, customer: Customer) -> None:
        """The PIN is forgotten: staff are told, once a day at most."""
        await self._resets.ask(customer)

    async def reset_pin(self, customer: Customer, pin: str) -> None:
        """A new PIN without the old one, once, while staff's agreement lasts. Ends every lock.

        Raises CustomerMistake `mistake.pin_format`, `mistake.pin_weak`, or `mistake.reset_over`
        when the agreement is over or used. The same PIN again is the same reset: it is compared
        as a guess, and counts as one.
        """
        self.refuse_weak(pin, customer.msisdn)
        paused_until = self._clock.now() + timedelta(seconds=TIER_PAUSED_SECONDS)
        if await self._renew(_RESET_PIN, customer, pin, paused_until):
            return
        if not await self._was_reset(customer) or not (await self.check_pin(customer, pin)).right:
            raise CustomerMistake("mistake.reset_over")

    async def recipients(self, customer_id: CustomerId) -> list[Recipient]:
        """Whom this customer saved, by name, at most `RECIPIENTS_MAX`."""
        return await self._recipients.of(customer_id)

    async def save_recipient(self, customer_id: CustomerId, msisdn: Msisdn, name: str) -> None:
        """Keep a number under a name, or give it a new name.

        Raises CustomerMistake `mistake.name`, or `mistake.recipients_full`.
        """
        await self._recipients.save(customer_id, msisdn, name)

    async def remove_recipient(self, customer_id: CustomerId, msisdn: Msisdn) -> None:
        await self._recipients.remove(customer_id, msisdn)

    @staticmethod
    def refuse_weak(pin: str, msisdn: Msisdn) -> None:
        """Raises CustomerMistake when a new PIN has no shape or is among the first to be tried."""
        pins.refuse_weak(pin, msisdn)

    async def _fetch(self, numbers: Sequence[str]) -> dict[str, Customer | Exception]:
        under = {name: number for number in numbers for name in self._seals.indexes(number)}
        rows = await self._pool.fetch(
            _FIND, self._tenant, [*under], self._clock.now(), TIER_NUMBER_ONLY
        )
        return {under[row["msisdn"]]: self._read(row) for row in rows}

    def _read(self, row: Any) -> Customer | Exception:
        """Who cannot be read, by a key that is not at hand say, is no reason to know nobody."""
        try:
            return _customer(row, self._seals)
        except OurFault as error:
            return error

    async def _renew(self, statement: str, customer: Customer, pin: str, *more: Any) -> bool:
        version = self._keys.newest
        mac = self._keys.mac(version, customer.customer_id, pin)
        renewed = await self._pool.fetchval(
            statement, self._tenant, customer.customer_id, mac, version, self._clock.now(), *more
        )
        return bool(renewed)

    async def _was_reset(self, customer: Customer) -> bool:
        return bool(
            await self._pool.fetchval(
                _WAS_RESET, self._tenant, customer.customer_id, self._clock.now()
            )
        )

    def _refuse_unknown(self, language: str) -> None:
        if self._languages is not None and language not in self._languages:
            raise CustomerMistake("mistake.language")


def _customer(row: Any, seals: Seals) -> Customer:
    return Customer(
        CustomerId(row["id"].hex),
        read_number(seals, row),
        row["country"],
        row["language"],
        row["tier"],
        row["may_reset_pin"],
        row["network"] or "",
    )


def is_network_code(network: str) -> bool:
    """Whether it names a mobile network: five or six digits, and not the gateways' test network."""
    return network.isascii() and network.isdigit() and 5 <= len(network) <= 6 and network != "99999"
