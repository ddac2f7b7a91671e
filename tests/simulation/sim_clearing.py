"""Compliance of one process of a simulated world: the engine's, over lists and people in memory.

Everybody is registered under their number for a name, and the lists are the world's. Decisions that
no payment keeps are rows of the model, which the engine's own log writes and reads.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from engine.clock import CustomerId
from engine.compliance.clearance import Clearance, Seen, Thresholds, clear
from engine.compliance.compliance import Compliance
from engine.compliance.history import HistoryStore, Named, Question
from engine.compliance.lists.listed import Source
from engine.compliance.matching import BirthSays, Match
from engine.compliance.policy import SimPolicy, read_policy
from engine.compliance.profiles import Profile, Profiles
from engine.compliance.screening import Screener
from engine.decision_log import DecisionLog
from engine.decisions import Decision, Kind
from engine.msisdn import Msisdn
from engine.payments.clearing import Clearing
from engine.payments.decided import STATES_OF_PAYMENTS_BELOW, Decided
from engine.payments.payment import Payment
from engine.payments.sims import Sims
from engine.payments.unseen import Unseen
from tests.simulation.model import DecisionRow, Model
from tests.simulation.sim_laws import SimLaws
from tests.simulation.wire import Wire

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

POLICY = read_policy()
TENANT = 1
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class ListsOfTheWorld(Screener):
    """Whoever is listed is listed by their number; each new name is a new version."""

    def __init__(self, world: "World") -> None:
        self._world = world

    @property
    def versions(self) -> dict[str, int]:
        newest = max(self._world.lists.values(), default=0)
        return {str(Source.UN): newest} if newest else {}

    def screen(self, name: str, born: date | None) -> tuple[Match, ...]:
        version = self._world.lists.get(name)
        if version is None:
            return ()
        return (Match(Source.UN, f"entry {version}", 0, 95, BirthSays.NOTHING),)

    async def need(self) -> None:
        """There are no stale lists here."""


class EverybodyIsKnown(Profiles):
    """By their number."""

    def __init__(self) -> None:
        """Needs no pool."""

    async def of_both(self, payer: Msisdn, payee: Msisdn) -> tuple[Profile | None, Profile | None]:
        return _profile(payer), _profile(payee)


def _profile(number: Msisdn) -> Profile:
    return Profile(CustomerId("0" * 32), number, "", 0, str(number), None, LONG_AGO)


class NobodyReports(HistoryStore):
    """Reports are not simulated."""

    def __init__(self) -> None:
        """Needs no pool."""

    async def keep(
        self, question: Question, clearance: Clearance, named: Sequence[Named] = ()
    ) -> None:
        """Of no account here."""


class SimClearing(Clearing):
    """Its answers are overheard by the laws. What it says of a confirm is what lists say."""

    world: "World"
    machine: "Machine"
    laws: SimLaws
    sims: Sims
    thresholds: Thresholds

    def ask_ahead(self, operator: str, payer: Msisdn) -> Decision:
        """As a confirm does it; the decision that is stated in the terms."""
        self.sims.ask_ahead(operator, payer)
        lists = ListsOfTheWorld(self.world).versions
        seen = Seen(self.thresholds, lists, collected=False, named=("payer", "payee"))
        return clear(seen, None).decision

    async def clear_again(self, payment: Payment) -> Decision | None:
        number = payment.quote.payer
        answer = await super().clear_again(payment)
        self.laws.on_looked(self.machine.process, payment.payment_id, number)
        return answer


def clearing_of(
    world: "World", machine: "Machine", sims: Sims, of_sims: SimPolicy, laws: SimLaws
) -> SimClearing:
    """What one process asks before it pays."""
    policy = msgspec.structs.replace(POLICY, sim=of_sims)
    compliance = Compliance(
        policy=policy, screener=ListsOfTheWorld(world), history=NobodyReports(),
        profiles=EverybodyIsKnown(),
    )  # fmt: skip
    clearing = SimClearing(compliance, machine.clock, sims=sims)
    clearing.world, clearing.machine, clearing.sims, clearing.laws = world, machine, sims, laws
    clearing.thresholds = compliance._thresholds
    return clearing


def unseen_of(world: "World", machine: "Machine", clearing: SimClearing) -> Unseen:
    """Whether people were shown all that holds a payment, as `channels/wiring.py` makes it."""
    pool = DecisionPool(world.model, machine.wire, clearing.laws)
    log = DecisionLog(pool, TENANT, machine._ids)
    return Unseen(clearing, Decided(pool, TENANT, log), log)  # type: ignore[arg-type]


class DecisionPool:
    """The statements of the log and of whoever reads it, each by itself."""

    def __init__(self, model: Model, wire: Wire, laws: SimLaws) -> None:
        self._model = model
        self._wire = wire
        self._laws = laws

    async def fetch(self, statement: str, payment_id: str, tenant: int, *_: object) -> list[Any]:
        if "from journal" in statement:
            return await self._wire.ask(lambda: list(self._steps(payment_id)))
        assert "from decision where payment = $1" in statement, statement
        return await self._wire.ask(lambda: list(self._kept(payment_id)))

    async def executemany(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        assert statement.startswith("insert into decision"), statement
        given = list(rows)

        def insert() -> None:
            for id_, _, payment, *said, _at_ms in given:
                row = DecisionRow(payment.hex, *said)
                self._model.decisions.setdefault(id_.hex, row)
                about = msgspec.json.decode(row.inputs)
                decision = Decision(Kind(row.kind), row.outcome, row.reason, about)
                self._laws.on_shown(row.payment, decision)

        await self._wire.ask(insert)

    def _steps(self, payment_id: str) -> Iterable[dict[str, Any]]:
        for row in self._model.journal.get(payment_id, ()):
            if row.facts is not None and row.state < STATES_OF_PAYMENTS_BELOW:
                yield {"payment": UUID(payment_id), "facts": row.facts, "at_ms": row.at_ms}

    def _kept(self, payment_id: str) -> Iterable[dict[str, Any]]:
        for id_, row in sorted(self._model.decisions.items()):
            if row.payment == payment_id:
                yield {**row._asdict(), "id": UUID(id_), "payment": UUID(payment_id)}
