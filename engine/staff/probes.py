"""Harmless calls to one operator, to see whether it answers. None of them ever moves money.

What is asked is what its adapter offers beside payments: what it holds for us, or whose wallet a
number is. A balance that is told is compared with our books like any other look; a name is not
kept and not shown, only whether there was one.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from engine.clock import Clock
from engine.errors import ProviderError, StaffMistake
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import BalancePort, NamePort, OperatorFacts, OperatorPort

EVERY_SECONDS = 10
"""So often one operator may be called this way, by all staff and all processes together."""


class Call(StrEnum):
    """What is asked."""

    BALANCE = "balance"
    NAME = "name"


class Probe(NamedTuple):
    """One call and what came of it; `outcome` is None while it is under way."""

    operator: str
    call: Call
    begun_ms: int
    outcome: str | None
    latency_ms: int | None


class TooSoon(StaffMistake):
    """Somebody has just called this operator. Nothing was sent; a repeat later is safe."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"it was called a moment ago: again in {seconds} seconds")
        self.seconds = seconds


class Looks(Protocol):
    """Asks operators what they hold for us (`engine/payments/statements/balances.py`)."""

    async def look(self) -> int: ...


LookAt = Callable[[OperatorFacts, BalancePort], Looks]


class Probes:
    """The test calls of one tenant."""

    def __init__(
        self,
        *,
        pool: Any,
        tenant: int,
        operators: Mapping[str, OperatorPort],
        look_at: LookAt,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        """`look_at` makes what asks one operator's balance and stores the answer."""
        self._pool = pool
        self._tenant = tenant
        self._operators = operators
        self._look_at = look_at
        self._clock = clock
        self._monotonic = monotonic

    async def last(self) -> dict[str, Probe]:
        """The last call to each operator, by name."""
        rows = await self._pool.fetch(
            "select * from operator_probe where tenant = $1", self._tenant
        )
        return {
            r["operator"]: Probe(
                r["operator"], Call(r["call"]), r["begun_ms"], r["outcome"], r["latency_ms"]
            )
            for r in rows
        }

    async def call(self, operator: str, call: Call, msisdn: Msisdn | None) -> Probe:
        """Make one call; what came of it, also when that was no answer. Not to be repeated fast.

        Raises StaffMistake when the operator offers nothing of the kind, TooSoon when it was called
        just now.
        """
        port = self._operators[operator]
        ask = self._asking(port, call, msisdn)
        begun_ms = await self._take(operator, call)
        started = self._monotonic()
        try:
            outcome = await ask()
        except ProviderError as error:
            outcome = f"{type(error).__name__}: {error.code}".rstrip(": ")
        latency_ms = int((self._monotonic() - started) * 1000)
        await self._pool.execute(
            "update operator_probe set outcome = $4, latency_ms = $5 where tenant = $1"
            " and operator = $2 and begun_ms = $3",
            self._tenant, operator, begun_ms, outcome, latency_ms,
        )  # fmt: skip
        return Probe(operator, call, begun_ms, outcome, latency_ms)

    def _asking(self, port: OperatorPort, call: Call, msisdn: Msisdn | None) -> Any:
        if call is Call.BALANCE and isinstance(port, BalancePort):
            return _Balance(port.facts, port, self._look_at).ask
        if call is Call.NAME and isinstance(port, NamePort):
            if msisdn is None:
                raise StaffMistake("whose wallet? A name enquiry needs a number")
            return _Name(port, msisdn).ask
        raise StaffMistake(f"{port.facts.name} offers no {call} to ask for")

    async def _take(self, operator: str, call: Call) -> int:
        """In one statement, so that of many who come at once one may call."""
        now_ms = int(self._clock.epoch() * 1000)
        taken = await self._pool.fetchval(
            "insert into operator_probe as p (tenant, operator, begun_ms, call)"
            " values ($1, $2, $3, $4) on conflict (tenant, operator) do update"
            " set begun_ms = excluded.begun_ms, call = excluded.call, outcome = null,"
            " latency_ms = null where p.begun_ms <= $5 returning true",
            self._tenant, operator, now_ms, call, now_ms - EVERY_SECONDS * 1000,
        )  # fmt: skip
        if not taken:
            raise TooSoon(EVERY_SECONDS)
        return now_ms


class _Name(NamedTuple):
    port: NamePort
    msisdn: Msisdn

    async def ask(self) -> str:
        return "a name" if await self.port.name_of(self.msisdn) is not None else "no name"


class _Balance:
    """Stands before the port while it is asked, to hear what the look keeps to itself."""

    def __init__(self, facts: OperatorFacts, port: BalancePort, look_at: LookAt) -> None:
        self.balance_accounts = port.balance_accounts
        self._facts = facts
        self._port = port
        self._look_at = look_at
        self._told: list[Money | None] = []
        self._error: ProviderError | None = None

    async def ask(self) -> str:
        await self._look_at(self._facts, self).look()
        if self._error is not None:
            raise self._error
        later = sum(money is None for money in self._told)
        return f"{later} of {len(self._told)} answer later" if later else "answered"

    async def ask_balance(self, account: str, callback_url: str) -> Money | None:
        try:
            money = await self._port.ask_balance(account, callback_url)
        except ProviderError as error:
            self._error = error
            raise
        self._told.append(money)
        return money

    def read_balance(self, body: bytes) -> Money | None:
        return self._port.read_balance(body)
