"""Guesses at a PIN: compared and counted in one statement, several customers' in one batch.

Knows no session. A PIN goes no further than into its MAC: neither an argument of a statement nor
an error ever holds one.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from engine.clock import Clock, CustomerId
from engine.customers.customers import FOREVER, Customer, PinVerdict
from engine.customers.pins import PinKeys, refuse_shapeless
from engine.errors import OurFault
from engine.gather import Gatherer

ATTEMPTS_MAX = 3
"""Wrong guesses in a row before a lock."""
COOL_DOWN_SECONDS = 30 * 60
LONGER = (1, 4, 48)
"""Each lock in a row, in cool-downs: 30 minutes, 2 hours, 24 hours. After the next, staff."""
LOCKS_MAX = len(LONGER) + 1
"""The lock that only a reset ends: twelve guesses of ten thousand are all a thief has."""
WAIT_SECONDS = 5.0
"""Nothing of ours holds a customer's row longer than a statement; a person at psql may."""
_MARK_BYTES = 16

_RIGHT = "pin_mac = ($4::bytea[])[array_position($3::smallint[], pin_key)]"
_SAME = "pin_guess = $9::bytea"
_FAILURES = "case when pin_locked_until is not null then 1 else pin_failures + 1 end"
# One statement counts and compares, under the row's lock: guesses made at the same moment queue up
# and see each other's count. Expressions stand on the row itself, because Postgres evaluates only
# those again after waiting for the lock. The MACs are compared here, not in constant time: both
# sides are outputs of a keyed MAC, so a guesser chooses neither and learns nothing from the time.
# A right guess is stored again under the newest key, which the last version and MAC are. The same
# guess of the same turn is compared and not counted: two processes may have got that turn.
_COMPARE = f"""
update customer set
    pin_failures = case when {_RIGHT} then 0 when {_SAME} then pin_failures else {_FAILURES} end,
    pin_locks = case when {_RIGHT} then 0 when {_SAME} then pin_locks
        when {_FAILURES} >= $6 then pin_locks + 1 else pin_locks end,
    pin_locked_until = case when {_RIGHT} then null when {_SAME} then pin_locked_until
        when {_FAILURES} >= $6
            then coalesce(($7::timestamptz[])[pin_locks + 1], 'infinity') end,
    pin_mac = case when {_RIGHT} then ($4::bytea[])[cardinality($4::bytea[])] else pin_mac end,
    pin_key = case when {_RIGHT} then ($3::smallint[])[cardinality($3::smallint[])]
        else pin_key end,
    pin_guess = $9::bytea
where tenant = $1 and id = $2 and (pin_locked_until is null or pin_locked_until <= $5)
    and (pin_key is null or pin_key = any($3::smallint[]))
returning $8::int as number, id, coalesce({_RIGHT}, false) as is_right, pin_failures, pin_locks,
    pin_locked_until, pin_key
"""  # noqa: S608 - put together from the expressions above
_LOCKS = """
select id, pin_locks, pin_locked_until, pin_key from customer
where tenant = $1 and id = any((select $2::uuid[])::uuid[])
"""


class Guess(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One guess, as MACs under every key. Two of the same customer are never the same guess.

    `mark` is the same for the same PIN in the same turn; None where nobody says which turn it was.
    """

    customer_id: CustomerId
    macs: list[bytes]
    mark: bytes | None = None

    def __repr__(self) -> str:
        return f"Guess({self.customer_id})"


class Guesses:
    """The guesses of one tenant, on an asyncpg pool."""

    def __init__(
        self,
        pool: Any,
        tenant: int,
        keys: PinKeys,
        clock: Clock,
        *,
        cool_down_seconds: float,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """`cool_down_seconds` is the first lock; the next ones are `LONGER`.

        `wait_seconds`: so long does a batch wait for a row that somebody else holds.
        """
        self._pool = pool
        self._tenant = tenant
        self._keys = keys
        self._versions = list(keys.versions)
        self._clock = clock
        self._wait = wait_seconds
        self._cool_downs = [timedelta(seconds=cool_down_seconds * times) for times in LONGER]
        self._gathered: Gatherer[Guess, PinVerdict] = Gatherer(self._compare, batch_max=100)

    async def check(self, customer: Customer, pin: str, turn: str = "") -> PinVerdict:
        """Compare one guess and count it, also when many arrive at once.

        `turn` names what brought it: the same PIN in the same turn is counted once, as long as no
        other guess came between. Without one a repeat counts again. Raises CustomerMistake
        `mistake.pin_format`, uncounted, for what is no PIN; OurFault, uncounted, when the
        customer's PIN is kept under a key that this process was not given; TimeoutError when a row
        was not to be had: then nobody hears whether it was counted.
        """
        refuse_shapeless(pin)
        macs = [self._keys.mac(version, customer.customer_id, pin) for version in self._versions]
        mark = _mark(turn, macs[-1]) if turn else None
        verdict = await self._gathered.get(Guess(customer.customer_id, macs, mark))
        assert verdict is not None, "customers are never deleted"
        return verdict

    async def lock_of(self, customer: Customer) -> PinVerdict:
        """The lock that a customer is under, as a guess would be told; nothing is counted."""
        row = await self._pool.fetchrow(_LOCKS, self._tenant, [customer.customer_id])
        assert row is not None, "customers are never deleted"
        return _locked(row, self._clock.now())

    async def _compare(self, guesses: Sequence[Guess]) -> dict[Guess, PinVerdict | Exception]:
        """One statement per guess in one round trip and one transaction.

        In the order of ids: two processes that guess at the same customers never wait in a circle.
        """
        now = self._clock.now()
        ends = [now + cool_down for cool_down in self._cool_downs]
        ordered = sorted(guesses, key=lambda guess: guess.customer_id)
        tenant, versions = self._tenant, self._versions
        rows = [
            (tenant, g.customer_id, versions, g.macs, now, ATTEMPTS_MAX, ends, number, g.mark)
            for number, g in enumerate(ordered)
        ]
        async with self._pool.acquire() as connection:
            compared = await self._in_time(connection, rows)
        if compared is None:
            raise TimeoutError
        verdicts: dict[Guess, PinVerdict | Exception] = {
            ordered[row["number"]]: _verdict(row) for row in compared
        }
        if len(verdicts) < len(ordered):
            left_over = [guess for guess in ordered if guess not in verdicts]
            verdicts |= await self._look(left_over, now)
        return verdicts

    async def _in_time(self, connection: Any, rows: Sequence[tuple[Any, ...]]) -> Any:
        """None when somebody holds a row too long.

        The driver then calls the batch off, over a connection that stays: were it hung up, the
        rows that the batch has locked so far would stay so for as long as that other one is held.
        """
        try:
            if len(rows) == 1:  # cheaper than a batch, and no other guess is waiting
                return await connection.fetch(_COMPARE, *rows[0], timeout=self._wait)
            return await connection.fetchmany(_COMPARE, rows, timeout=self._wait)
        except TimeoutError:
            return None

    async def _look(
        self, guesses: Sequence[Guess], now: datetime
    ) -> dict[Guess, PinVerdict | Exception]:
        """Why these were not compared."""
        wanted = [guess.customer_id for guess in guesses]
        rows = await self._pool.fetch(_LOCKS, self._tenant, wanted)
        by_customer = {row["id"].hex: self._reason(row, now) for row in rows}
        return {g: by_customer[g.customer_id] for g in guesses if g.customer_id in by_customer}

    def _reason(self, row: Any, now: datetime) -> PinVerdict | Exception:
        if row["pin_key"] is not None and row["pin_key"] not in self._versions:
            # Counting this as wrong would lock out whoever dials while keys are being rotated.
            return OurFault(f"PIN key {row['pin_key']} is not at hand in this process")
        return _locked(row, now)


def _mark(turn: str, mac: bytes) -> bytes:
    return hashlib.blake2b(turn.encode(), key=mac, digest_size=_MARK_BYTES).digest()


def _verdict(row: Any) -> PinVerdict:
    if row["is_right"]:
        return PinVerdict(right=True, left=ATTEMPTS_MAX)
    if row["pin_locked_until"] is not None:
        return _locked(row, row["pin_locked_until"])
    return PinVerdict(right=False, left=ATTEMPTS_MAX - row["pin_failures"])


def _locked(row: Any, now: datetime) -> PinVerdict:
    if row["pin_locks"] >= LOCKS_MAX:
        return PinVerdict(right=False, left=0, locked_until=FOREVER, until_reset=True)
    # A lock that ended between the two statements is reported as ending now.
    return PinVerdict(right=False, left=0, locked_until=row["pin_locked_until"] or now)
