"""What is kept of the talk with operators, how it is read back, and when it is forgotten."""

import argparse
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.commands.traffic import lines_of, show_traffic
from channels.traffic import Overheard
from engine.clock import AttemptId, Ids
from engine.correlation import spoken_of
from engine.errors import OutcomeUnknown
from engine.payments.evidence import Source
from engine.ports import callback_at
from engine.traffic import log as traffic_log
from engine.traffic.conversation import Conversations
from engine.traffic.log import TrafficLog
from engine.traffic.messages import Fate, Kind, Message, Said, Way
from providers.http import Exchange
from tests.integration.owner import Owner
from tests.integration.test_webhooks import PlainOperator
from tests.integration.webhook_room import addresses_of, callback_routes, knocking, reception_of
from tests.integration.world import PENDING, SUCCEEDED, World, open_world, settings_for
from tests.providers.subjects import ATTEMPT

pytestmark = pytest.mark.long(
    "talk that is kept, read back and forgotten; tests/unit/traffic veils it"
)

DAY = 24 * 3600


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


@pytest.fixture
def traffic(world: World) -> TrafficLog:
    return TrafficLog(world.pool, 1, world.clock, Ids(world.clock))


def conversations(world: World, tenant: int = 1) -> Conversations:
    return Conversations(world.pool, tenant, {1: "mpesa_ke", 2: "mtn_ug"})


def said(world: World, **more: Any) -> Said:
    now_ms = int(world.clock.epoch() * 1000)
    return Said(now_ms, Way.THEY_CALLED, "mpesa_ke", "timeout", Fate.UNREADABLE, **more)


async def count(world: World) -> int:
    found: int = await world.pool.fetchval("select count(*) from traffic")
    return found


async def test_a_payments_conversation_is_told_in_order(world: World, traffic: TrafficLog) -> None:
    overheard = Overheard(world.clock)
    overheard.traffic = traffic
    operator = PlainOperator(world.mpesa.facts)
    reception = reception_of(world, {1: operator}, traffic=traffic)

    def take() -> None:
        overheard(
            Exchange(
                "mpesa_ke", "stk_push", 200, "", 0.25, '{"Amount":1025}', '{"ResponseCode":"0"}'
            )
        )
        world.clock.pass_(1)

    world.mpesa.takes = take
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    path = callback_at(addresses_of({1: operator}).address(1, attempt), "stk-callback")
    async with knocking(callback_routes(world, reception)) as client:
        world.clock.pass_(1)
        await client.post(path, content=b"what is that")
        world.clock.pass_(1)
        await client.post(path, content=b'"paid"')
        world.clock.pass_(1)
        await client.post(path, content=b'"paid"')
    await traffic.flush()

    code = (await world.payment(payment_id)).code
    told = await conversations(world).of_payment(code)
    assert told is not None
    mine = [m for m in told if m.attempt_id == attempt]
    assert [(m.kind, m.operation, m.outcome, m.status) for m in mine] == [
        (Kind.REQUEST, "stk_push", "", 200),
        (Kind.EVIDENCE, "accepted", "collect", None),
        (Kind.CALLBACK, "stk-callback", "unreadable", 400),
        (Kind.EVIDENCE, "callback", "collect", None),
        (Kind.STATE, "PAYING", "succeeded ok by callback", None),
        (Kind.CALLBACK, "stk-callback", "kept", 200),
    ]
    states = [m.operation for m in told if m.kind is Kind.STATE]
    assert states[-2:] == ["COLLECTING", "PAYING"]
    assert [m.asked for m in mine if m.kind is Kind.CALLBACK][1] == '"paid"'  # from the evidence
    request = mine[0]
    assert (request.asked, request.answered, request.elapsed_ms) == (
        '{"Amount":1025}', '{"ResponseCode":"0"}', 250,
    )  # fmt: skip
    assert sorted(told, key=lambda m: m.at) == told


async def test_a_conversation_is_found_by_whatever_somebody_has_of_it(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    payment = await world.payment(payment_id)
    attempt = await world.live(payment_id)
    reader = conversations(world)
    for word in (payment.code, payment.code.lower(), payment_id, attempt, f" {attempt.upper()} "):
        assert await reader.find(word) == payment_id, word
        assert await reader.of_payment(word), word
    for word in ("", "7KQ2M4XW9D", "f" * 32, "no code", ATTEMPT, "é" * 10, "'"):
        assert await reader.of_payment(word) is None, word
    assert await conversations(world, tenant=2).of_payment(payment.code) is None


async def test_an_attempt_that_ended_long_ago_is_still_part_of_it(world: World) -> None:
    world.mpesa.answers = [OutcomeUnknown("mpesa_ke", "lost")]
    payment_id = await world.confirm()
    await world.dispatched()
    collection = world.mpesa.orders[0].attempt_id
    await world.tell(collection, SUCCEEDED, Source.QUERY)
    await world.dispatched()
    told = await conversations(world).of_payment(payment_id)
    assert told is not None
    assert {m.attempt_id for m in told if m.kind is Kind.EVIDENCE} >= {collection}
    assert (await world.live(payment_id)) != collection


async def test_calls_are_known_by_the_attempt_they_are_about(world: World) -> None:
    seen: list[Mapping[str, str]] = []
    world.mpesa.takes = lambda: seen.append(spoken_of())
    payment_id = await world.confirm()
    await world.dispatched()
    assert seen == [{"payment": payment_id, "attempt": await world.live(payment_id)}]
    assert spoken_of() == {}


async def test_questions_are_known_by_their_attempt_too(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    seen: list[str | None] = []
    query = world.mpesa.query

    async def listening(order: Any) -> Any:
        seen.append(spoken_of().get("attempt"))
        return await query(order)

    world.mpesa.query = listening  # type: ignore[method-assign]
    world.mpesa.findings = [PENDING]
    payment = await world.payment(payment_id)
    await world.dispatcher.ask(payment, attempt, payment.live_direction)  # type: ignore[arg-type]
    assert seen == [attempt]


async def test_a_call_costs_nothing_and_never_fails_for_being_overheard(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Away:
        async def execute(self, *_: Any) -> str:
            raise ConnectionRefusedError

    overheard = Overheard(world.clock)
    overheard(Exchange("mpesa_ke", "token", 200, "", 0.1))  # before anything is open
    overheard.traffic = TrafficLog(Away(), 1, world.clock, Ids(world.clock))
    with caplog.at_level(logging.DEBUG):
        overheard(Exchange("mpesa_ke", "token", 200, "", 0.1, '{"asked":1}', '{"answered":1}'))
    assert "asked" not in caplog.text
    with pytest.raises(ConnectionRefusedError):
        await overheard.traffic.flush()


async def test_what_could_not_be_stored_is_stored_later(
    world: World, traffic: TrafficLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flaky:
        def __init__(self) -> None:
            self.away = True

        async def execute(self, *arguments: Any) -> str:
            if self.away:
                raise ConnectionRefusedError
            return str(await world.pool.execute(*arguments))

    flaky = Flaky()
    log = TrafficLog(flaky, 1, world.clock, Ids(world.clock))
    for _ in range(1_200):
        log.note(said(world))
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            await log.flush()
    flaky.away = False
    await log.flush()
    await log.flush()
    assert await count(world) == 1_200


async def test_more_than_can_wait_is_dropped_and_counted(
    world: World, traffic: TrafficLog, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(traffic_log.WAITING_MAX + 7):
        traffic.note(said(world))
    await traffic.flush()
    assert await count(world) == traffic_log.WAITING_MAX
    assert "7 messages were dropped" in caplog.text


async def test_every_column_comes_back_as_it_was_said(world: World, traffic: TrafficLog) -> None:
    now_ms = int(world.clock.epoch() * 1000)
    whole = Said(
        now_ms, Way.WE_CALLED, "mtn_ug", "transfer", "ReadTimeout", ATTEMPT, None, "10.0.0.1",
        30_000, '{"a":"é"}', "", "f" * 32, 3,
    )  # fmt: skip
    await traffic.keep(whole)
    await traffic.keep(replace_status(whole, 202))
    rows = await world.pool.fetch("select * from traffic order by status nulls first")
    told = [
        Said(
            r["at_ms"], Way(r["way"]), r["operator"], r["operation"], r["outcome"],
            AttemptId(r["attempt"].hex), r["status"], r["source"], r["elapsed_ms"], r["asked"],
            r["answered"], r["evidence"].hex, r["times"],
        )
        for r in rows
    ]  # fmt: skip
    assert told == [whole, replace_status(whole, 202)]
    assert {r["tenant"] for r in rows} == {1}


def replace_status(whole: Said, status: int) -> Said:
    return whole._replace(status=status)


async def test_what_is_older_than_the_days_is_forgotten_a_batch_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_log, "FORGOTTEN_AT_ONCE", 4)
    owner = Owner(world.pool)  # before whom only our own code keeps tenants apart
    traffic, stranger = (TrafficLog(owner, t, world.clock, Ids(world.clock)) for t in (1, 2))
    for _ in range(6):
        await traffic.keep(said(world))
    await stranger.keep(said(world))
    world.clock.pass_(30 * DAY + 1)
    await traffic.keep(said(world))
    assert [await traffic.forget(30) for _ in range(3)] == [4, 2, 0]
    assert await owner.fetchval("select count(*) from traffic where tenant = 1") == 1
    assert await owner.fetchval("select count(*) from traffic") == 2  # theirs is their own affair


async def test_the_command_tells_a_conversation_line_by_line(
    world: World, traffic: TrafficLog, database_url: str
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    await traffic.keep(said(world, attempt_id=attempt, status=400, source="203.0.113.7"))
    settings = replace(settings_for(database_url), operators=())
    said_lines: list[str] = []
    code = (await world.payment(payment_id)).code
    asked = argparse.Namespace(payment=code, whole=False)
    assert await show_traffic(settings, asked, said_lines.append)
    text = "\n".join(said_lines)
    assert f"<- mpesa_ke timeout unreadable 400 from 203.0.113.7 attempt {attempt}" in text
    assert "* COLLECTING" in text
    asked = argparse.Namespace(payment="x", whole=False)
    assert not await show_traffic(settings, asked, said_lines.append)
    assert said_lines[-1] == "no payment x"


@pytest.mark.parametrize("whole", [False, True])
async def test_the_command_hides_the_numbers_in_operators_references_unless_asked(
    world: World, traffic: TrafficLog, database_url: str, whole: bool
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt, payment = await world.live(payment_id), await world.payment(payment_id)
    numbers = [payment.quote.payer.digits[-9:], payment.quote.payee.digits[-9:]]
    for number in numbers:
        body = f'{{"CheckoutRequestID":"ws_CO_2011202610150{number}"}}'
        await traffic.keep(said(world, attempt_id=attempt, asked=body))
    settings = replace(settings_for(database_url), operators=())
    said_lines: list[str] = []
    asked = argparse.Namespace(payment=payment.code, whole=whole)
    assert await show_traffic(settings, asked, said_lines.append)
    text = "\n".join(said_lines)
    assert [number in text for number in numbers] == [whole, whole]
    assert "ws_CO_2011202610150" in text


def test_a_call_without_an_answer_says_so() -> None:
    at = datetime(2026, 11, 21, 10, 0, 0, 42_000, tzinfo=UTC)
    message = Message(
        at, Kind.REQUEST, "transfer", "mtn_ug", ATTEMPT, "ReadTimeout", None, 30_000, asked="{}"
    )
    assert lines_of(message) == [
        "2026-11-21T10:00:00.042Z -> mtn_ug transfer ReadTimeout no answer 30000 ms"
        f" attempt {ATTEMPT}",
        "    asked: {}",
    ]
