"""What one process counts while it works, in the field's own format (Prometheus).

Labels are names of ours, few and known beforehand: never an id, a number, or what a stranger sent.
Counting costs a turn or a call about two microseconds and never fails it.
"""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from engine.hooks.schedule import HookTry
from engine.payments.lifecycle import State
from engine.ports import Reply, SessionEnd
from providers.http import Exchange

TURN_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
CALL_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The counters of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._turns = Histogram(
            "capp_turn_seconds", "USSD turns, from our having read them to our answer",
            ["gateway", "ends"], buckets=TURN_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._ends = Counter(
            "capp_session_ends", "Sessions whose end a gateway told, by why",
            ["gateway", "reason"], registry=self.registry,
        )  # fmt: skip
        self._calls = Histogram(
            "capp_call_seconds", "Calls to companies; outcome: a class of status, or what failed",
            ["provider", "operation", "outcome"], buckets=CALL_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._steps = Counter(
            "capp_payment_states", "States that payments came into, by this process",
            ["state"], registry=self.registry,
        )  # fmt: skip
        self._children: dict[tuple[str, ...], Any] = {}  # as few as there are labels
        self._dials = Counter(
            "capp_dials_limited", "Dials that were too many, or let in while Redis was slow",
            ["outcome"], registry=self.registry,
        )  # fmt: skip
        self._strange_records = Counter(
            "capp_records_refused", "Records in Redis with a wrong seal, taken for lost",
            ["kind"], registry=self.registry,
        )  # fmt: skip
        self._hook_tries = Counter(
            "capp_hook_tries", "Tries to tell a business of an event, by what came of it",
            ["outcome"], registry=self.registry,
        )  # fmt: skip
        self._clock_ahead = Gauge(
            "capp_clock_ahead_seconds",
            "By how much this process's clock is ahead of that of Postgres; below zero: behind",
            registry=self.registry,
        )
        for word in HookTry:
            self._hook_tries.labels(word.value)
        for state in State:
            if state is not State.NEW:
                self._steps.labels(state.name.lower())

    def turn(self, gateway: str, reply: Reply, seconds: float) -> None:
        ends = "yes" if reply.ends else "no"
        self._child(self._turns, "turn", gateway, ends).observe(seconds)

    def end(self, gateway: str, end: SessionEnd) -> None:
        self._child(self._ends, "end", gateway, end.reason.value).inc()

    def dial(self, outcome: str) -> None:
        """`refused` or `unheard` (`channels/web/dials.py`)."""
        self._dials.labels(outcome).inc()

    def strange_record(self, kind: str) -> None:
        """`session` or `sms` (`engine/session/sealing.py`)."""
        self._strange_records.labels(kind).inc()

    def call(self, exchange: Exchange) -> None:
        status = exchange.status
        outcome = exchange.failure or "unknown" if status is None else f"{status // 100}xx"
        labels = (exchange.provider, exchange.operation, outcome)
        self._child(self._calls, "call", *labels).observe(exchange.elapsed_seconds)

    def hook_try(self, outcome: HookTry) -> None:
        self._hook_tries.labels(outcome.value).inc()

    def clock_ahead(self, seconds: float) -> None:
        self._clock_ahead.set(seconds)

    def step(self, state: State) -> None:
        self._child(self._steps, "step", state.name.lower()).inc()

    def _child(self, family: Any, *words: str) -> Any:
        """One line of a family, found in a quarter of the time that its own `labels` takes."""
        child = self._children.get(words)
        if child is None:
            child = self._children[words] = family.labels(*words[1:])
        return child
