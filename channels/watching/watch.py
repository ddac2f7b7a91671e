"""Everything that looks on while a process works, put together. It changes nothing it looks at."""

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext

from channels.settings import Settings
from channels.ussd import Dialogues
from channels.watching.metrics import Metrics
from channels.watching.traces import Traces, open_tracer
from engine.correlation import speaking_of
from engine.ledger.plans import Intent
from engine.payments.payment import Payment
from engine.payments.stepping import Hear
from engine.ports import Reply, SessionEnd, Turn
from providers.http import Exchange, Trace

log = logging.getLogger(__name__)


class Watch:
    """One process's counts, and its traces where they are wanted."""

    def __init__(self, metrics: Metrics, traces: Traces | None = None) -> None:
        self.metrics = metrics
        self._traces = traces

    def call(self, exchange: Exchange) -> None:
        """A company was called; for adapters' `trace`."""
        self.metrics.call(exchange)
        # No colon: behind the word of an operation called `token` it would be redacted as one.
        log.info(
            "%s %s -> %s in %d ms", exchange.provider, exchange.operation,
            exchange.status or exchange.failure, exchange.elapsed_seconds * 1000,
        )  # fmt: skip
        if self._traces is not None:
            self._traces.call(exchange)

    def over(self, trace: Trace) -> Trace:
        """The same trace, with every call counted first."""

        def told(exchange: Exchange) -> None:
            self.call(exchange)
            trace(exchange)

        return told

    def overhear(self, hear: Hear) -> Hear:
        """Stands between a committed step and its dispatching."""

        def heard(payment: Payment, intents: tuple[Intent, ...]) -> None:
            self.metrics.step(payment.state)
            with speaking_of(payment=payment.payment_id):
                log.info("payment %s is %s", payment.code, payment.state.name)
                if self._traces is not None:
                    self._traces.step(payment)
                hear(payment, intents)

        return heard

    def turns(self, dialogues: Dialogues, gateway: str) -> Dialogues:
        """One gateway's turns, watched."""
        return _Watched(dialogues, gateway, self.metrics, self._traces)


class _Watched:
    """Takes no turn itself."""

    def __init__(
        self,
        dialogues: Dialogues,
        gateway: str,
        metrics: Metrics,
        traces: Traces | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dialogues = dialogues
        self._gateway = gateway
        self._metrics = metrics
        self._traces = traces
        self._monotonic = monotonic

    async def take(self, turn: Turn) -> Reply:
        began = self._monotonic()
        traces = self._traces
        with nullcontext() if traces is None else traces.turning(self._gateway):
            reply = await self._dialogues.take(turn)
        self._metrics.turn(self._gateway, reply, self._monotonic() - began)
        return reply

    async def note_end(self, end: SessionEnd) -> None:
        self._metrics.end(self._gateway, end)
        await self._dialogues.note_end(end)


def open_watch(settings: Settings) -> Watch:
    """As the settings want it. Raises BadSettings when a wanted package is not installed."""
    return Watch(Metrics(), Traces(open_tracer()) if settings.watching.traces else None)
