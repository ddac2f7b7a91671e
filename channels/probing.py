"""Harmless calls to operators, put together: for staff who ask, and for the worker by itself."""

import time

from channels.statements import Comparison, open_comparison
from channels.wiring import Engine
from engine.payments.health_store import HealthStore
from engine.payments.statements.balances import Balances
from engine.ports import BalancePort, OperatorFacts
from engine.staff.light_probes import LightProbes, Pace
from engine.staff.probes import Looks, Probes


def build_probes(engine: Engine) -> Probes:
    """The calls of a running engine, each with one operator."""
    comparison = open_comparison(engine)

    def look_at(facts: OperatorFacts, port: BalancePort) -> Looks:
        return _look_at(engine, comparison, facts, port)

    return Probes(
        pool=engine.pool,
        tenant=engine.settings.tenant,
        operators=engine.operators,
        look_at=look_at,
        clock=engine.clock,
        monotonic=time.monotonic,
    )


def build_light_probes(engine: Engine) -> LightProbes:
    """The worker's own, at the pace of the settings."""
    settings = engine.settings
    return LightProbes(
        probes=build_probes(engine),
        health=engine.health,
        store=HealthStore(engine.pool, settings.tenant),
        operators=engine.operators,
        clock=engine.clock,
        pace=Pace(settings.probe_quiet_seconds, settings.probe_seconds),
    )


def _look_at(
    engine: Engine, comparison: Comparison, facts: OperatorFacts, port: BalancePort
) -> Looks:
    """One operator's balance, asked and kept like every other look."""
    return Balances(
        engine.pool, engine.settings.tenant, comparison.book, {facts.name: (facts, port)},
        engine.addresses.address, engine.clock, engine.ids, record=engine.health.record,
    )  # fmt: skip
