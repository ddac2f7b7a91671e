"""What is counted and traced of turns, calls and steps; and what of a fault may leave."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.exposition import generate_latest

from channels.settings import BadSettings
from channels.watching.faults import tell_faults
from channels.watching.metrics import Metrics
from channels.watching.redaction import redacted
from channels.watching.traces import Traces
from channels.watching.watch import Watch
from engine.correlation import speaking_of
from engine.msisdn import Msisdn
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.ports import EndReason, Reply, SessionEnd, Turn
from providers.http import Exchange

NUMBER = "+254712345678"
TURN = Turn("s1", Msisdn(NUMBER), "63902", "*384*96#", "1*1234", cumulative=True)
CALL = Exchange("mpesa_ke", "stk-push", 200, "", 0.2, '{"a":1}', "{}")
LOST = Exchange("mpesa_ke", "stk-push", None, "OutcomeUnknown", 30.0)
PAYMENT = cast(Payment, SimpleNamespace(state=State.PAID, payment_id="77" * 16, code="7KQ2M4XW9D"))


class Room:
    """Takes turns; while it does, a company is called."""

    def __init__(self) -> None:
        self.watch: Watch | None = None
        self.ends: list[SessionEnd] = []

    async def take(self, turn: Turn) -> Reply:
        if self.watch is not None:
            with speaking_of(session="ab"):
                self.watch.call(CALL)
        return Reply("Bye.", ends=True)

    async def note_end(self, end: SessionEnd) -> None:
        self.ends.append(end)


def values(metrics: Metrics) -> dict[str, float]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


async def test_turns_ends_calls_and_steps_are_counted() -> None:
    watch, room = Watch(Metrics()), Room()
    turns = watch.turns(room, "hubtel")
    assert await turns.take(TURN) == Reply("Bye.", ends=True)
    end = SessionEnd("s1", "Timeout", EndReason.TIMED_OUT)
    await turns.note_end(end)
    assert room.ends == [end]
    for exchange in (CALL, LOST):
        watch.over(lambda _: None)(exchange)
    heard: list[Any] = []
    watch.overhear(lambda payment, intents: heard.append((payment, intents)))(PAYMENT, ())
    assert heard == [(PAYMENT, ())]
    found = values(watch.metrics)
    assert found['capp_turn_seconds_count{ends="yes",gateway="hubtel"}'] == 1
    assert found['capp_session_ends_total{gateway="hubtel",reason="timed_out"}'] == 1
    for outcome in ("2xx", "OutcomeUnknown"):
        of_call = f'operation="stk-push",outcome="{outcome}",provider="mpesa_ke"'
        assert found[f"capp_call_seconds_count{{{of_call}}}"] == 1
    assert found['capp_payment_states_total{state="paid"}'] == 1
    assert found['capp_payment_states_total{state="refunded"}'] == 0


@pytest.mark.parametrize("operation", ["token", "stk-push", "api_key", "pin"])
def test_a_line_about_a_call_says_how_it_was_answered(
    caplog: pytest.LogCaptureFixture, operation: str
) -> None:
    """Of calls for a token, the first that fail with wrong credentials, it said `***`."""
    with caplog.at_level(logging.INFO, "channels.watching.watch"):
        for status, failure in ((401, ""), (None, "Unreachable")):
            Watch(Metrics()).call(Exchange("mpesa_ke", operation, status, failure, 0.0031))
    assert [redacted(line) for line in caplog.messages] == [
        f"mpesa_ke {operation} -> 401 in 3 ms", f"mpesa_ke {operation} -> Unreachable in 3 ms",
    ]  # fmt: skip


async def test_nothing_of_a_caller_is_in_what_is_counted() -> None:
    watch = Watch(Metrics())
    await watch.turns(Room(), "hubtel").take(TURN)
    lines = generate_latest(watch.metrics.registry).decode().splitlines()
    # The measured values are moments and seconds: any digits may stand in them.
    text = "\n".join(line if line[0] == "#" else line.rsplit(" ", 1)[0] for line in lines)
    assert "gateway=" in text
    assert "712345" not in text and "1234" not in text


async def test_a_call_made_in_a_turn_is_part_of_its_trace() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    room = Room()
    room.watch = watch = Watch(Metrics(), Traces(cast(Any, provider.get_tracer("capp"))))
    await watch.turns(room, "hubtel").take(TURN)
    watch.call(LOST)
    watch.overhear(lambda payment, intents: None)(PAYMENT, ())
    call, turn, lost, step = exporter.get_finished_spans()
    assert call.parent is not None and turn.context is not None
    assert call.parent.span_id == turn.context.span_id
    assert turn.parent is None and lost.parent is None
    assert dict(call.attributes or {}) == {
        "capp.session": "ab", "capp.provider": "mpesa_ke", "capp.operation": "stk-push",
        "capp.status": 200,
    }  # fmt: skip
    assert call.start_time is not None and call.end_time is not None
    assert call.end_time - call.start_time == 200_000_000
    assert (lost.attributes or {})["error.type"] == "OutcomeUnknown"
    assert (step.name, (step.attributes or {})["capp.payment"]) == ("payment paid", "77" * 16)
    assert NUMBER not in str([span.to_json() for span in exporter.get_finished_spans()])


@pytest.fixture
def sent() -> Iterator[list[Any]]:
    """What would leave for a Sentry."""
    envelopes: list[Any] = []

    class Kept(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            envelopes.append(envelope)

    tell_faults("https://key@sentry.example.org/1", environment="test", transport=Kept)
    yield envelopes
    sentry_sdk.init()


def test_a_fault_is_told_without_anything_of_anybodys(sent: list[Any]) -> None:
    pin = "4711, as it was typed"  # more than digits: any may stand in its ids and moments
    try:
        with speaking_of(payment="77"):
            raise ValueError(f"wallet {NUMBER} is full")
    except ValueError as error:
        with speaking_of(payment="77"):
            sentry_sdk.capture_exception(error)
    (envelope,) = sent
    event = envelope.get_event()
    assert event["exception"]["values"][0]["value"] == "wallet +254******678 is full"
    assert event["tags"]["payment"] == "77"
    assert event["environment"] == "test"
    text = str(event)
    assert pin not in text and "712345" not in text and "server_name" not in text


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(BadSettings, match="no address"):
        tell_faults("nonsense")
