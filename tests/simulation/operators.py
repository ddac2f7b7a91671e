"""Operators of a simulated world: each keeps a ledger of its own and has every bad habit we know.

What an operator does is decided by the seed and happens outside every process. Its ledger is the
truth that the engine's books are judged by; nothing of the engine is known here but the ports.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from engine.clock import AttemptId
from engine.errors import (
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Throttled,
    Unreachable,
    Unreadable,
)
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import (
    Accepted,
    Acknowledgement,
    Callback,
    Direction,
    Finding,
    OperatorFacts,
    Order,
    Outcome,
    Reason,
)
from tests.simulation.loop import SimulatedLoop
from tests.simulation.weather import Weather

HOUR = 3600.0
DAY = 24 * HOUR
STORM = 20
BY_HAND = "hand-"
ACKNOWLEDGED = Acknowledgement()
REASONS = {
    Direction.COLLECT: (Reason.DECLINED, Reason.INSUFFICIENT_FUNDS, Reason.NOT_REACHED),
    Direction.DISBURSE: (Reason.CANNOT_RECEIVE, Reason.NOT_REGISTERED, Reason.CONFIGURATION),
    Direction.REFUND: (Reason.CANNOT_RECEIVE, Reason.CONFIGURATION),
}


@dataclass
class Job:
    """One order as the operator has it. `outcome` is None until it has acted."""

    order: Order
    reference: str
    visible_at: float
    outcome: bool | None = None
    reason: Reason | None = None
    turned: bool = False  # it said one thing, and later the other
    undone: bool = False  # it had succeeded, and the money went back
    said: list[Finding] = field(default_factory=list)


class Move(NamedTuple):
    """A line of the operator's own ledger. `sign` is -1 when something is undone."""

    attempt_id: AttemptId
    direction: Direction
    amount: Money
    sign: int


class Habits(NamedTuple):
    """What kind of operator it is."""

    needs_reference: bool  # it cannot be asked about a collection without its own reference
    answers_by_callback: bool  # asked about a payout, it answers later
    redelivers: bool  # a callback that was not acknowledged is sent again


Deliver = Callable[["SimulatedOperator", AttemptId, Callback], None]


class SimulatedOperator:
    """One operator, as all processes see it."""

    def __init__(
        self,
        facts: OperatorFacts,
        habits: Habits,
        *,
        loop: SimulatedLoop,
        chance: random.Random,
        weather: Weather,
        deliver: Deliver,
        happened: Counter[str],
    ) -> None:
        """`deliver` takes a callback to whichever process answers the door.

        `happened` is told of everything that goes wrong, by its name in the weather.
        """
        self.facts = facts
        self.habits = habits
        self._loop = loop
        self._chance = chance
        self._weather = weather
        self._deliver = deliver
        self._happened = happened
        self.jobs: dict[AttemptId, list[Job]] = {}
        self._by_code: dict[str, list[Job]] = {}
        self.travelling: dict[AttemptId, int] = {}
        self.is_out = False
        self.callback_late_max = 2 * DAY
        self.on_move: Callable[[SimulatedOperator, Job, Move], None] = lambda *_: None
        self.on_fate: Callable[[SimulatedOperator, Order, str], None] = lambda *_: None
        self.misread: Callable[[Order, Finding], Finding] = lambda _, finding: finding
        # Whether it cannot move that, for the wallet is with another operator now.
        self.lacks_wallet: Callable[[SimulatedOperator, Order], bool] = lambda *_: False
        self.on_order: Callable[[SimulatedOperator, Order], None] = lambda *_: None

    # The port.

    async def refund(self, order: Order) -> Accepted:
        """Of an operator that cannot give back nobody asks that."""
        assert self.facts.can_refund, "asked to give back"
        return await self.collect(order)

    async def collect(self, order: Order) -> Accepted:
        """Any order; the fate it meets is drawn before it leaves."""
        fate = self._fate()
        self._happened[fate] += 1
        answer_after = self._between(0.05, 2.0)
        if fate in ("answer_lost", "request_vanishes"):
            answer_after = self._between(10.0, 29.0)
        elif self._happens("answer_late"):
            answer_after = self._between(20.0, 50.0)
        arrives_after = self._between(0.0, min(answer_after, 1.0))
        attempt_id = order.attempt_id
        if fate not in ("unreachable", "request_vanishes"):
            self.travelling[attempt_id] = self.travelling.get(attempt_id, 0) + 1

        self.on_fate(self, order, fate)

        def arrive() -> Accepted:
            if fate == "unreachable":
                raise Unreachable(self.facts.name, "connection refused")
            if fate == "request_vanishes":
                raise OutcomeUnknown(self.facts.name, "silence")
            self.travelling[attempt_id] -= 1
            return self._receive(order, fate)

        return await self._loop.remote(arrives_after, arrive, answer_after - arrives_after)

    disburse = collect

    async def query(self, order: Order) -> Finding:
        """What is known now; nothing on some days."""

        def look() -> Finding:
            error = self._mood()
            if error is not None:
                raise error
            return self._finding_for(order)

        return await self._loop.remote(self._between(0.0, 0.5), look, self._between(0.0, 0.5))

    def read_callback(self, kind: str, body: bytes) -> Callback:
        raise Unreadable(self.facts.name, f"{kind} {len(body)}")

    async def aclose(self) -> None:
        """Nothing is open."""

    # What the world asks.

    def may_still_act(self, attempt_id: AttemptId) -> bool:
        """Whether the attempt has succeeded here or may yet: then it is not to be given up."""
        jobs = self.jobs.get(attempt_id, [])
        if self.travelling.get(attempt_id) and not (jobs and self.deduplicates(jobs[0].order)):
            return True
        return any(job.outcome is not False and not job.turned for job in jobs)

    def has_succeeded(self, attempt_id: AttemptId) -> bool:
        """Whether its own ledger shows the money moved, even if it went back later."""
        return any(job.outcome or job.undone for job in self.jobs.get(attempt_id, ()))

    def shown(self, code: str) -> list[Job]:
        """What its portal shows of a payment, by the code that orders bear.

        As late as its answers where clocks are right, at once elsewhere: people's looks are dated
        by the processes' clocks, and ten minutes are all that there is between the two.
        """
        jobs, now = self._by_code.get(code, []), self._loop.time()
        if self._weather.clock_jump_per_hour:
            return list(jobs)
        return [job for job in jobs if job.visible_at <= now]

    def pay_by_hand(self, order: Order) -> str:
        """Somebody moves money in its portal: done at once, and told to nobody. Its reference."""
        job = Job(order, f"{BY_HAND}{len(self.jobs)}", self._loop.time(), outcome=True)
        self._keep(job)
        self._move(job, +1)
        return job.reference

    @staticmethod
    def receipt_of(job: Job) -> str:
        """Its own number of a movement, as it is told and listed."""
        return job.reference if job.reference.startswith(BY_HAND) else f"R{job.reference}"

    def settle(self) -> None:
        """An honest end for everything that was never acted on."""
        for job in [job for jobs in self.jobs.values() for job in jobs if job.outcome is None]:
            self._loop.outside(self._between(0, HOUR), self._act, job)

    def replay(self) -> None:
        """Yesterday's callbacks once more, as after an outage."""
        for attempt_id, jobs in self.jobs.items():
            for job in jobs:
                for finding in job.said[-2:]:
                    self._tell(attempt_id, finding, self._between(0, 60.0))

    # An order arrives.

    def _receive(self, order: Order, fate: str) -> Accepted:
        known = self.jobs.get(order.attempt_id, [])
        self.on_order(self, order)
        if known and self.deduplicates(order) and fate not in ("throttled", "refused"):
            return Accepted(known[0].reference if self._odds(0.5) else None)
        if fate == "throttled":
            raise Throttled(
                self.facts.name, "busy", code="429", retry_after_seconds=self._between(1.0, 120.0)
            )
        if fate == "taken" and self.lacks_wallet(self, order) and self._odds(0.5):
            fate = "refused"
        if fate == "refused":
            reason = self._chance.choice(REASONS[order.direction])
            if self._happens("refused_as_taken"):
                return Accepted(finding=Finding(Outcome.FAILED, "refused", reason=reason))
            raise Rejected(self.facts.name, "no", code="refused", reason=reason)
        job = Job(order, f"ref-{len(self.jobs)}-{len(known)}", self._visible_at())
        self._keep(job)
        self._plan(job)
        if fate == "answer_lost":
            raise OutcomeUnknown(self.facts.name, "silence")
        if fate == "server_error":
            raise OutcomeUnknown(self.facts.name, "500")
        return Accepted(job.reference)

    def _keep(self, job: Job) -> None:
        self.jobs.setdefault(job.order.attempt_id, []).append(job)
        self._by_code.setdefault(job.order.code, []).append(job)

    def deduplicates(self, order: Order) -> bool:
        return self.facts.repeat_is_safe(order.direction)

    def _fate(self) -> str:
        if self.is_out:
            return self._chance.choice(("unreachable", "unreachable", "request_vanishes"))
        weather = self._weather
        point = self._chance.random()
        for name, odds in (
            ("refused", weather.refused_at_the_door),
            ("throttled", weather.throttled),
            ("unreachable", weather.unreachable),
            ("request_vanishes", weather.request_vanishes),
            ("answer_lost", weather.answer_lost),
            ("server_error", weather.server_error_after),
        ):
            point -= odds
            if point < 0:
                return name
        return "taken"

    def _visible_at(self) -> float:
        lags = self._happens("index_lags")
        return self._loop.time() + (self._between(0, 600.0) if lags else 0)

    # The order is carried out.

    def _plan(self, job: Job) -> None:
        if self._happens("never_acts"):
            return  # until the world grows quiet
        if self._happens("callback_before_answer"):
            delay = 0.0
        elif self._happens("acts_late"):
            delay = self._between(60.0, 26 * HOUR)
        else:
            delay = self._between(0.2, 45.0)
        self._loop.outside(delay, self._act, job)

    def _act(self, job: Job) -> None:
        if job.outcome is not None:
            return
        failing = self._happens("fails") or self.lacks_wallet(self, job.order)
        self._end(job, not failing)
        if self._happens("turns_around"):
            self._loop.outside(self._between(60.0, 2 * DAY), self._turn, job)

    def _end(self, job: Job, succeeded: bool) -> None:
        job.outcome = succeeded
        job.reason = None if succeeded else self._chance.choice(REASONS[job.order.direction])
        if succeeded:
            self._move(job, +1)
        self._call_back(job)

    def _turn(self, job: Job) -> None:
        """What failed succeeds after all; what had succeeded is given back."""
        job.turned = True
        if job.outcome:
            job.undone = True
            job.outcome = False
            job.reason = Reason.OTHER
            self._move(job, -1)
        else:
            job.outcome = True
            self._move(job, +1)
        self._insist(job, self._finding(job))

    def _move(self, job: Job, sign: int) -> None:
        order = job.order
        self.on_move(self, job, Move(order.attempt_id, order.direction, order.amount, sign))

    # It is told.

    def _call_back(self, job: Job) -> None:
        if self._happens("callback_forged"):
            self._tell(job.order.attempt_id, self._forged(job), self._between(0, 10.0))
        if self._happens("silent"):
            return
        finding = self._finding(job)
        copies = 1
        if self._happens("callback_twice"):
            copies = 2
        elif self._happens("callback_storm"):
            copies = STORM
        late = self._happens("callback_late")
        for _ in range(copies):
            delay = (
                self._between(600.0, self.callback_late_max) if late else self._between(0.0, 5.0)
            )
            self._tell(job.order.attempt_id, finding, delay)
        if self._happens("callback_replayed"):
            self._tell(job.order.attempt_id, finding, DAY)
        job.said.append(finding)

    def _tell(
        self, attempt_id: AttemptId, finding: Finding, delay: float, *, answers: bool = False
    ) -> None:
        # The receipt and the reference are in it; no number is, as in what we keep.
        redacted = msgspec.json.encode(
            [finding.outcome, finding.code, finding.receipt, finding.reason,
             finding.amount.minor if finding.amount else None, finding.msisdn is not None,
             finding.amount.currency if finding.amount else None]
        ).decode()  # fmt: skip
        callback = Callback(finding, ACKNOWLEDGED, redacted, answers)
        self._loop.outside(delay, self._deliver, self, attempt_id, callback)

    def _insist(self, job: Job, finding: Finding) -> None:
        """News that nobody could find out otherwise is told again every day."""
        job.said.append(finding)
        for n in range(max(int(self._weather.news_told_days_max), 1)):
            self._tell(job.order.attempt_id, finding, n * DAY + self._between(0, 60.0))

    def _forged(self, job: Job) -> Finding:
        """From somebody who guessed an address: never all of amount, number and truth right."""
        order = job.order
        outcome = self._chance.choice((Outcome.SUCCEEDED, Outcome.FAILED))
        if order.amount.minor > self.facts.confirm_callback_above_minor and self._odds(0.5):
            wrong = Outcome.FAILED if job.outcome else Outcome.SUCCEEDED
            return Finding(wrong, "forged", reason=Reason.OTHER)
        if self._odds(0.5):
            return Finding(outcome, "forged", amount=order.amount + Money(1, order.amount.currency))
        return Finding(outcome, "forged", msisdn=Msisdn("+254700000000"))

    # It is asked.

    def _mood(self) -> ProviderError | None:
        name = self.facts.name
        if not self.is_out and not self._happens("query_fails"):
            return None
        return self._chance.choice(
            (Unreachable(name, "refused"), OutcomeUnknown(name, "silence"), Throttled(name, "busy"))
        )

    def _finding_for(self, order: Order) -> Finding:
        is_collection = order.direction is Direction.COLLECT
        if self.habits.needs_reference and is_collection and order.provider_reference is None:
            return Finding(Outcome.ASKED, "no_reference")
        jobs = [j for j in self.jobs.get(order.attempt_id, ()) if j.visible_at <= self._loop.time()]
        if self.habits.answers_by_callback and not is_collection:
            if jobs and jobs[0].outcome is not None and not self._happens("silent"):
                finding = self._finding(jobs[0])
                self._tell(order.attempt_id, finding, self._between(0.1, 5.0), answers=True)
            return Finding(Outcome.ASKED, "asked")
        if not jobs:
            return Finding(Outcome.NOT_FOUND, "no_such_reference")
        if self._happens("odd_word"):
            return Finding(Outcome.PENDING, "odd_word")
        return self._finding(next((j for j in jobs if j.outcome), jobs[0]))

    def _finding(self, job: Job) -> Finding:
        if job.outcome is None:
            return Finding(Outcome.PENDING, "pending")
        order = job.order
        outcome = Outcome.SUCCEEDED if job.outcome else Outcome.FAILED
        if job.undone:
            outcome = Outcome.REVERSED
        finding = Finding(
            outcome,
            "ok" if job.outcome else "failed",
            reason=job.reason if outcome is Outcome.FAILED else None,
            amount=order.amount if self._odds(0.7) else None,
            msisdn=order.msisdn if self._odds(0.7) else None,
            receipt=self.receipt_of(job),
            provider_reference=job.reference,
        )
        return self.misread(order, finding)

    def _happens(self, name: str) -> bool:
        """Whether what the weather names so comes about this time."""
        if not self._odds(getattr(self._weather, name)):
            return False
        self._happened[name] += 1
        return True

    def _odds(self, odds: float) -> bool:
        return odds > 0 and self._chance.random() < odds

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * self._chance.random()


def all_jobs(operators: dict[str, SimulatedOperator]) -> Iterator[Job]:
    """Every order every operator has."""
    for operator in operators.values():
        for jobs in operator.jobs.values():
            yield from jobs
