"""Operators as staff see them: what they can, how they fare, and a harmless call to one."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from channels.api.endpoints import Call, Nothing
from channels.api.problems import Code, Refusal
from channels.times import iso_millis_of
from engine.errors import CustomerMistake
from engine.msisdn import Msisdn, parse_msisdn
from engine.payments.breaker import Breaker, Lane
from engine.payments.health_store import HealthStore, Row
from engine.payments.watch import Health
from engine.ports import (
    BalancePort,
    FixedAddressPort,
    NamePort,
    OperatorPort,
    StatementPort,
)
from engine.staff.figures import MINUTES_MAX, Figures, Holding, LaneFigures, directions_of
from engine.staff.members import Staff
from engine.staff.probes import Call as ProbeCall
from engine.staff.probes import Probe, Probes

OperatorName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]{2,40}\Z")]


class Range(msgspec.Struct, frozen=True):
    """Amounts in minor units, both included."""

    minor_min: int
    minor_max: int


class Provider(msgspec.Struct, frozen=True):
    """One operator in one country. `collects`, `disburses` are null where it cannot."""

    name: str
    country: str  # ISO 3166 alpha-2
    currency: str  # ISO 4217
    unit_minor: int  # amounts are multiples of this
    collects: Range | None
    disburses: Range | None
    refunds: str  # "collection" given back, "payout" to the payer, or "people"
    reaches: list[str]  # other operators' wallets it pays into
    can_be_asked: bool  # how an attempt went
    callbacks: str  # "none", "unsigned" or "signed"
    callbacks_have_one_address: bool
    collect_repeat_is_safe: bool
    disburse_repeat_is_safe: bool
    refund_repeat_is_safe: bool
    tells_balance: bool
    tells_names: bool
    has_own_references: bool  # in its statements
    collects_by_link: bool
    prompts_payer: bool  # False: clients and SMS cannot have collections made, only who dials


class Providers(msgspec.Struct, frozen=True):
    """By name."""

    providers: list[Provider]


class LaneHealth(msgspec.Struct, frozen=True):
    """One operator in one direction. Times are ISO 8601 in UTC."""

    direction: str  # "collect", "disburse" or "refund"
    breaker: str  # "closed", "open" or "half_open"
    since: str | None
    until: str | None  # when the pause of an open breaker is over
    reason: str
    success_ppm: int  # how likely the next small attempt succeeds, in millionths


class LastProbe(msgspec.Struct, frozen=True):
    """The last call that staff made to see whether it answers. `outcome` null: under way."""

    at: str
    call: str
    outcome: str | None
    latency_ms: int | None


class OperatorHealth(msgspec.Struct, frozen=True):
    """How one operator fares."""

    operator: str
    lanes: list[LaneHealth]
    last_probe: LastProbe | None


class OperatorsHealth(msgspec.Struct, frozen=True):
    """By name."""

    operators: list[OperatorHealth]


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of how many minutes until now. Counts that are older are forgotten."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=MINUTES_MAX)] = 60


class LaneStats(msgspec.Struct, frozen=True):
    """Attempts by what they came to; `unknown` counts payments, whenever they began."""

    operator: str
    direction: str
    attempts: int
    outcomes: dict[str, int]
    unknown: int


class FloatStats(msgspec.Struct, frozen=True):
    """What lies at one operator, in minor units. `in_flight` may have left: the exposure."""

    operator: str
    currency: str
    float_minor: int
    in_flight_minor: int
    theirs_minor: int | None  # what it said itself, null when it never did
    theirs_at: str | None


class Stats(msgspec.Struct, frozen=True):
    """The figures of a window, and what lies at the operators now."""

    minutes: int
    lanes: list[LaneStats]
    floats: list[FloatStats]


class TestCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which operator is asked what. `msisdn` is for a name: whose wallet, in international form."""

    operator: OperatorName
    call: ProbeCall = ProbeCall.BALANCE
    msisdn: Annotated[str, msgspec.Meta(pattern=r"^(\+[0-9]{7,15})?\Z")] = ""


class TestCalled(msgspec.Struct, frozen=True):
    """What came of it. No name and no balance: see the figures."""

    operator: str
    call: str
    outcome: str
    latency_ms: int


class Operators:
    """The handlers."""

    def __init__(
        self,
        *,
        ports: Mapping[str, OperatorPort],
        health: Health,
        health_store: HealthStore,
        figures: Figures,
        probes: Probes,
    ) -> None:
        self._ports = ports
        self._health = health
        self._health_store = health_store
        self._figures = figures
        self._probes = probes

    async def providers(self, _: Call[Staff, Nothing, Nothing, Nothing]) -> Providers:
        """What each operator can do for us. Asks nobody."""
        return Providers([_provider(port) for _, port in sorted(self._ports.items())])

    async def health(self, _: Call[Staff, Nothing, Nothing, Nothing]) -> OperatorsHealth:
        """Breakers as all processes share them, and the last test calls. Asks no operator."""
        breakers = await self._health_store.breakers()
        probes = await self._probes.last()
        return OperatorsHealth(
            [
                OperatorHealth(name, self._lanes(port, breakers), _last(probes.get(name)))
                for name, port in sorted(self._ports.items())
            ]
        )

    async def stats(self, call: Call[Staff, Nothing, Window, Nothing]) -> Stats:
        """Attempts by operator, direction and outcome; exposure and float. Asks no operator."""
        minutes = call.query.minutes
        lanes = await self._figures.lanes(minutes)
        holdings = await self._figures.holdings()
        return Stats(minutes, list(map(_lane_stats, lanes)), list(map(_float_stats, holdings)))

    async def test_call(self, call: Call[Staff, Nothing, Nothing, TestCall]) -> TestCalled:
        """Ask one operator something harmless, at most once in some seconds.

        Raises Refusal NOT_FOUND for an operator we do not have, and what `Probes.call` raises.
        """
        wanted = call.body
        if wanted.operator not in self._ports:
            raise Refusal(Code.NOT_FOUND, "no such operator")
        probe = await self._probes.call(wanted.operator, wanted.call, self._number(wanted.msisdn))
        assert probe.outcome is not None and probe.latency_ms is not None
        return TestCalled(probe.operator, probe.call, probe.outcome, probe.latency_ms)

    def _number(self, text: str) -> Msisdn | None:
        if not text:
            return None
        try:
            return parse_msisdn(text, "")
        except CustomerMistake:
            raise Refusal(Code.MALFORMED, "`msisdn` is no mobile number") from None

    def _lanes(self, port: OperatorPort, breakers: Mapping[Lane, Row]) -> list[LaneHealth]:
        name = port.facts.name
        return [
            _lane_health(
                direction.name.lower(),
                breakers.get(Lane(name, direction)),
                self._health.vitals(name, direction, 0).belief.success_ppm,
            )
            for direction in directions_of(port.facts)
        ]


def _provider(port: OperatorPort) -> Provider:
    facts = port.facts
    back = "payout" if facts.refund_is_payout else "collection"
    return Provider(
        name=facts.name,
        country=facts.country,
        currency=facts.currency,
        unit_minor=facts.unit_minor,
        collects=_range(facts.collect_minor_min, facts.collect_minor_max),
        disburses=_range(facts.disburse_minor_min, facts.disburse_minor_max),
        refunds=back if facts.can_refund else "people",
        reaches=list(facts.reaches),
        can_be_asked=facts.can_be_asked,
        callbacks=facts.callback,
        callbacks_have_one_address=isinstance(port, FixedAddressPort),
        collect_repeat_is_safe=facts.collect_repeat_is_safe,
        disburse_repeat_is_safe=facts.disburse_repeat_is_safe,
        refund_repeat_is_safe=facts.refund_repeat_is_safe,
        tells_balance=isinstance(port, BalancePort),
        tells_names=isinstance(port, NamePort),
        has_own_references=isinstance(port, StatementPort),
        collects_by_link=facts.collects_by_link,
        prompts_payer=facts.prompts_payer,
    )


def _range(minor_min: int, minor_max: int) -> Range | None:
    return Range(minor_min, minor_max) if minor_max > 0 else None


def _lane_health(direction: str, row: Row | None, success_ppm: int) -> LaneHealth:
    breaker = row.breaker if row is not None else Breaker()
    return LaneHealth(
        direction,
        breaker.position,
        iso_millis_of(breaker.since_ms) if breaker.since_ms else None,
        iso_millis_of(breaker.until_ms) if breaker.until_ms else None,
        row.reason if row is not None else "",
        success_ppm,
    )


def _last(probe: Probe | None) -> LastProbe | None:
    if probe is None:
        return None
    return LastProbe(iso_millis_of(probe.begun_ms), probe.call, probe.outcome, probe.latency_ms)


def _lane_stats(lane: LaneFigures) -> LaneStats:
    return LaneStats(
        lane.operator, lane.direction.name.lower(), lane.told.count,
        msgspec.structs.asdict(lane.told), lane.unknown,
    )  # fmt: skip


def _float_stats(holding: Holding) -> FloatStats:
    return FloatStats(
        holding.operator, holding.currency, holding.float_minor, holding.in_flight_minor,
        holding.theirs_minor, iso_millis_of(holding.theirs_at_ms) if holding.theirs_at_ms else None,
    )  # fmt: skip
