"""References that outlive a lost answer, and callbacks proven by headers or by a fixed address."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from channels.addresses import ANY_ATTEMPT, CallbackAddresses
from engine.clock import AttemptId, PaymentId
from engine.errors import OutcomeUnknown, Unreadable
from engine.payments.evidence import Source, body_hash
from engine.payments.lifecycle import State
from engine.payments.store import question_id
from engine.ports import (
    FORGED,
    Accepted,
    Acknowledgement,
    Callback,
    Finding,
    OperatorPort,
    Outcome,
    callback_at,
)
from tests.integration.webhook_room import addresses_of, callback_routes, knocking, reception_of
from tests.integration.world import (
    ENVIRONMENT,
    FAILED,
    SUCCEEDED,
    ScriptedOperator,
    World,
    open_world,
)
from tests.unit.payments.examples import PAYER

pytestmark = pytest.mark.long(
    "each operator's own way of saying it; tests/providers reads them without a database"
)


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


async def test_reference_told_before_the_answer_was_lost_is_asked_by(world: World) -> None:
    world.mpesa.answers = [OutcomeUnknown("mpesa_ke", "lost", provider_reference="MP1")]
    payment_id = await world.confirm()
    await world.dispatched()
    assert await world.state(payment_id) is State.COLLECT_UNKNOWN
    assert await world.store.provider_reference(await world.live(payment_id)) == "MP1"
    world.mpesa.findings = [SUCCEEDED]
    world.clock.pass_(61)
    await world.reconciler.sweep()
    assert await world.state(payment_id) is State.PAYING
    assert [question.provider_reference for question in world.mpesa.questions] == ["MP1"]
    assert len(world.mpesa.orders) == 1  # asked about, never sent again


async def test_answer_lost_without_a_reference_holds_none(world: World) -> None:
    world.mpesa.answers = [OutcomeUnknown("mpesa_ke", "lost")]
    payment_id = await world.confirm()
    await world.dispatched()
    assert await world.state(payment_id) is State.COLLECT_UNKNOWN
    assert await world.store.provider_reference(await world.live(payment_id)) is None


@pytest.mark.parametrize("finding", [SUCCEEDED, FAILED])
async def test_end_that_comes_with_the_answer_keeps_its_reference(
    world: World, finding: object
) -> None:
    world.mpesa.answers = [Accepted("MP1", finding=finding)]  # type: ignore[arg-type]
    payment_id = await world.confirm()
    await world.dispatched()
    collection = world.mpesa.orders[0].attempt_id
    expected = State.PAYING if finding is SUCCEEDED else State.COLLECT_FAILED
    assert await world.state(payment_id) is expected
    assert await world.store.provider_reference(collection) == "MP1"


LINK = "https://om.example/s/abc"


async def test_link_goes_to_the_payer_alone_once_the_order_is_stored(world: World) -> None:
    world.mpesa.answers = [Accepted("MP1", pay_link=LINK)]
    payment_id = await world.confirm()
    await world.dispatched()
    (message,) = world.sms.sent
    assert message.to == PAYER
    assert message.text.endswith(f"\n{LINK}")
    assert await world.store.provider_reference(await world.live(payment_id)) == "MP1"
    assert await world.state(payment_id) is State.COLLECTING


@pytest.mark.parametrize("error", [None, OutcomeUnknown("one", "silence")])
async def test_link_is_in_no_log_and_no_table(
    world: World, caplog: pytest.LogCaptureFixture, error: OutcomeUnknown | None
) -> None:
    caplog.set_level("DEBUG")
    if error is not None:
        world.sms.answers = [error]
    world.mpesa.answers = [Accepted("MP1", pay_link=LINK)]
    await world.confirm()
    await world.dispatched()
    async with world.pool.acquire() as connection:
        tables = await connection.fetch(
            "select relname from pg_class where relkind = 'r' and relnamespace ="
            " 'public'::regnamespace"
        )
        rows = [
            str(row)
            for (table,) in tables
            for row in await connection.fetch(f'select t::text from "{table}" t')
        ]
        statuses = await connection.fetch(
            "select status from sms_message where template = 'pay_link'"
        )
    assert rows
    assert not [row for row in rows if "om.example" in row]
    assert "om.example" not in caplog.text
    assert [row["status"] for row in statuses] == ["sent" if error is None else "unknown"]


class HeaderOperator(ScriptedOperator):
    """Vouches by a header; on one address for all attempts, if that is what it was given."""

    def read_callback(self, kind: str, body: bytes) -> Callback:
        raise AssertionError("without its headers nothing is believed")

    def read_signed_callback(self, kind: str, body: bytes, headers: Mapping[str, str]) -> Callback:
        if headers.get("x-signature") != "theirs":
            raise Unreadable(self.facts.name, kind, code=FORGED)
        return Callback(SUCCEEDED, Acknowledgement(), redacted='"paid"')

    def read_fixed_callback(
        self, body: bytes, headers: Mapping[str, str]
    ) -> tuple[AttemptId, Callback]:
        told = self.read_signed_callback("any", body, headers)
        return AttemptId(msgspec.json.decode(body)["attempt"]), told


class HintingOperator(ScriptedOperator):
    """Has neither headers nor a fixed address."""

    def read_callback(self, kind: str, body: bytes) -> Callback:
        return Callback(SUCCEEDED, Acknowledgement(), redacted='"paid"')


@asynccontextmanager
async def opened(world: World, operator: OperatorPort) -> AsyncIterator[httpx.AsyncClient]:
    async with knocking(callback_routes(world, reception_of(world, {1: operator}))) as client:
        yield client


def path_of(operator: OperatorPort, attempt_id: AttemptId, kind: str = "callback") -> str:
    return callback_at(addresses_of({1: operator}).address(1, attempt_id), kind)


async def test_callback_is_believed_under_its_headers_only(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    path = path_of(world.mpesa, await world.live(payment_id))
    async with opened(world, HeaderOperator(world.mpesa.facts)) as client:
        for headers in ({}, {"X-Signature": "mine"}):
            forged = await client.post(path, content=b"{}", headers=headers)
            assert forged.status_code == 400
            assert await world.state(payment_id) is State.COLLECTING
        told = await client.post(path, content=b"{}", headers={"X-Signature": "theirs"})
    assert told.status_code == 200
    assert await world.state(payment_id) is State.PAYING


async def test_callback_on_the_one_address_moves_the_attempt_it_names(world: World) -> None:
    payment_ids = [await world.confirm() for _ in range(2)]
    await world.dispatched()
    path = path_of(world.mpesa, ANY_ATTEMPT)
    attempt = await world.live(payment_ids[1])
    body = msgspec.json.encode({"attempt": attempt})
    async with opened(world, HeaderOperator(world.mpesa.facts)) as client:
        assert (await client.post(path, content=body)).status_code == 400
        headers = {"X-Signature": "theirs"}
        # An id that only a question's own address may speak of is nobody's here.
        strangers = ["f" * 32, question_id(attempt)]
        for stranger in strangers:
            named = msgspec.json.encode({"attempt": stranger})
            assert (await client.post(path, content=named, headers=headers)).status_code == 404
            assert await world.state(payment_ids[1]) is State.COLLECTING
        lost = "select attempt from traffic where outcome = 'unknown attempt' order by ctid"
        assert [row["attempt"].hex for row in await world.pool.fetch(lost)] == strangers
        assert (await client.post(path, content=body, headers=headers)).status_code == 200
    states = [await world.state(payment_id) for payment_id in payment_ids]
    assert states == [State.COLLECTING, State.PAYING]


async def test_the_one_address_is_nothing_to_an_operator_with_an_address_for_each(
    world: World,
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    async with opened(world, HintingOperator(world.mpesa.facts)) as client:
        refused = await client.post(path_of(world.mpesa, ANY_ATTEMPT), content=b"{}")
        guess = path_of(world.mpesa, ANY_ATTEMPT)[:-19] + "0" * 19
        guessed = await client.post(guess, content=b"{}")
        assert (refused.status_code, guessed.status_code) == (400, 404)
        assert await world.state(payment_id) is State.COLLECTING
        path = path_of(world.mpesa, await world.live(payment_id))
        assert (await client.post(path, content=b"{}")).status_code == 200


LARGE = 60_000  # shillings: above the threshold of either operator


class NamingOperator(HintingOperator):
    """Its callback names the reference that our order was answered with."""

    def read_callback(self, kind: str, body: bytes) -> Callback:
        named = msgspec.structs.replace(SUCCEEDED, provider_reference="MP1")
        return Callback(named, Acknowledgement(), redacted='"paid as MP1"')


async def test_reference_of_a_lost_answer_may_come_with_a_callback_and_is_asked_by(
    world: World,
) -> None:
    world.mpesa.answers = [OutcomeUnknown("mpesa_ke", "lost")]
    payment_id = await world.confirm(shillings=LARGE)
    await world.dispatched()
    attempt = await world.live(payment_id)
    world.mpesa.findings = [SUCCEEDED]
    async with opened(world, NamingOperator(world.mpesa.facts)) as client:
        told = await client.post(path_of(world.mpesa, attempt), content=b"{}")
    assert told.status_code == 200
    await world.dispatched()
    assert [question.provider_reference for question in world.mpesa.questions] == ["MP1"]
    assert await world.store.provider_reference(attempt) == "MP1"
    assert await world.state(payment_id) is State.PAYING


# Answers to our own questions that come later.


class LaterOperator(ScriptedOperator):
    """Asked how an attempt went, it calls back: with kind `answer`, or `timeout` when it cannot."""

    def read_callback(self, kind: str, body: bytes) -> Callback:
        is_answer = kind == "answer"
        finding = Finding(Outcome.SUCCEEDED, "done") if body == b"done" else SOON
        return Callback(finding, Acknowledgement(), body.decode(), answers_query=is_answer)


SOON = Finding(Outcome.PENDING, "soon")


async def paying_out(world: World) -> tuple[PaymentId, AttemptId]:
    """A large payment whose payout nobody has told about yet, and that payout."""
    payment_id = await world.confirm(shillings=LARGE)
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED, Source.QUERY)
    await world.dispatched()
    assert await world.state(payment_id) is State.PAYING
    return payment_id, await world.live(payment_id)


async def taken_as(world: World, attempt: AttemptId, body: str = "done") -> set[Source]:
    """What those words were taken for."""
    rows = await world.pool.fetch("select hash from evidence where attempt = $1", attempt)
    return {source for source in Source if body_hash(source, body) in {r["hash"].hex for r in rows}}


async def test_what_claims_to_be_an_answer_is_a_hint_on_the_orders_own_address(
    world: World,
) -> None:
    payment_id, payout = await paying_out(world)
    world.mtn.findings = [Finding(Outcome.ASKED, "asked")]
    operator = LaterOperator(world.mpesa.facts)
    async with opened(world, operator) as client:
        forged = await client.post(path_of(operator, payout, "answer"), content=b"done")
        await world.dispatched()
        assert forged.status_code == 200
        assert await world.state(payment_id) is State.PAYING
        assert await taken_as(world, payout) == {Source.CALLBACK}
        question = world.mtn.questions[-1]  # it is asked about, at an address of its own
        assert question.attempt_id == payout
        assert question.callback_url != world.mtn.orders[0].callback_url
        token = question.callback_url.rpartition(".")[2]
        asked = AttemptId(question_id(payout))
        keys = CallbackAddresses("", [bytes.fromhex(ENVIRONMENT["CAPP_CALLBACK_KEYS"])])
        assert keys.verify(world.mtn.facts.code, token) == asked
        told = await client.post(path_of(operator, asked, "answer"), content=b"done")
    assert told.status_code == 200
    assert await world.state(payment_id) is State.PAID
    assert await taken_as(world, payout) == {Source.CALLBACK, Source.QUERY}


async def test_nothing_answers_a_question_about_a_prompt_later(world: World) -> None:
    payment_id = await world.confirm(shillings=LARGE)
    await world.dispatched()
    attempt = await world.live(payment_id)
    operator = LaterOperator(world.mpesa.facts)
    async with opened(world, operator) as client:
        for whose in (attempt, AttemptId(question_id(attempt))):
            answer = await client.post(path_of(operator, whose, "answer"), content=b"done")
            assert answer.status_code == 200
    await world.dispatched()
    assert await world.state(payment_id) is State.COLLECTING
    assert await taken_as(world, attempt) == {Source.CALLBACK}


@pytest.mark.parametrize("kind", ["timeout", "result"])
async def test_another_kind_on_a_questions_address_is_a_hint(world: World, kind: str) -> None:
    payment_id, payout = await paying_out(world)
    operator = LaterOperator(world.mpesa.facts)
    place = path_of(operator, AttemptId(question_id(payout)), kind)
    async with opened(world, operator) as client:
        assert (await client.post(place, content=b"done")).status_code == 200
        stranger = path_of(operator, AttemptId("f" * 32), kind)
        assert (await client.post(stranger, content=b"done")).status_code == 404
    assert await world.state(payment_id) is State.PAYING
    assert await taken_as(world, payout) == {Source.CALLBACK}
