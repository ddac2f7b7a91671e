"""OpenTelemetry by setting: a span for each turn, each call to a company, each step of a payment.

The package is an extra (`capp[watching]`); how spans leave is the exporter's affair, which
OpenTelemetry's own variables choose. Attributes are ids and names of ours, never a number or a
text. Without the setting nothing here costs anything.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

from channels.settings import BadSettings
from engine.correlation import spoken_of
from engine.payments.payment import Payment
from providers.http import Exchange

NANOSECONDS = 1_000_000_000


class Tracer(Protocol):
    """What is used of OpenTelemetry's tracer."""

    start_span: Callable[..., Any]
    start_as_current_span: Callable[..., Any]


def open_tracer() -> Tracer:
    """The tracer of OpenTelemetry's global provider. Raises BadSettings without the package."""
    try:
        from opentelemetry import trace
    except ImportError as error:
        raise BadSettings("CAPP_TRACES needs the package: install capp[watching]") from error
    return cast(Tracer, trace.get_tracer("capp"))


class Traces:
    """A call's and a step's span is begun and ended at once, with the times it really had."""

    def __init__(self, tracer: Tracer, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._tracer = tracer
        self._now_ns = now_ns

    def call(self, exchange: Exchange) -> None:
        """One exchange with a company."""
        self._told(
            f"{exchange.provider} {exchange.operation}", exchange.elapsed_seconds,
            failed=exchange.failure, provider=exchange.provider, operation=exchange.operation,
            status=exchange.status or 0,
        )  # fmt: skip

    def step(self, payment: Payment) -> None:
        """A payment came into a state."""
        state = payment.state.name.lower()
        self._told(f"payment {state}", 0.0, payment=payment.payment_id, state=state)

    def turning(self, gateway: str) -> AbstractContextManager[Any]:
        """A block that is one turn of a dialogue: what it begins, calls included, is part of it."""
        span: AbstractContextManager[Any] = self._tracer.start_as_current_span(
            f"turn {gateway}", attributes={"capp.gateway": gateway}, record_exception=False
        )
        return span

    def _told(
        self, name: str, seconds: float, *, failed: str = "", **attributes: str | int | bool
    ) -> None:
        ended = self._now_ns()
        words = {f"capp.{kind}": word for kind, word in {**spoken_of(), **attributes}.items()}
        span = self._tracer.start_span(
            name, start_time=ended - int(seconds * NANOSECONDS), attributes=words
        )
        if failed:
            span.set_attribute("error.type", failed)
        span.end(end_time=ended)
