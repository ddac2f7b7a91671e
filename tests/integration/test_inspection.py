"""The inspection door on a real Postgres: what happened to a payment, and no number in it."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from channels.inspect import Inspection
from engine.database import ANSWER_SECONDS_MAX, Pool, connect
from engine.ledger.books import Books
from simulator.inspect import Inspector, Payment
from simulator.places import Places
from tests.integration.locks import outwaited
from tests.integration.owner import Owner
from tests.integration.world import SUCCEEDED, World, open_world
from tests.unit.payments.examples import PAYEE, PAYER

TOKEN = "open" * 4


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


@pytest.fixture
async def web(world: World) -> AsyncIterator[httpx.AsyncClient]:
    door = Inspection(
        pool=world.pool, tenant=1, store=world.store, books=world.books, directory=world.directory,
        token=TOKEN,
    )  # fmt: skip
    transport = httpx.ASGITransport(Starlette(routes=door.routes()))
    async with httpx.AsyncClient(transport=transport) as client:
        yield client


@pytest.fixture
def inspector(web: httpx.AsyncClient) -> Inspector:
    return Inspector(web, Places("http://capp.test", "", "", inspect_token=TOKEN))


async def paid(world: World) -> None:
    payment_id = await world.confirm()
    for _ in ("collect", "disburse"):
        await world.dispatched()
        await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()


async def test_everything_that_happened_to_a_payment_is_told(
    world: World, inspector: Inspector
) -> None:
    await paid(world)
    [payment] = await inspector.payments(PAYER)
    assert (payment.state, [step.state for step in payment.steps][-1]) == ("PAID", "PAID")
    names = {attempt.attempt_id: attempt.operator for attempt in payment.attempts}
    heard = [(names[each.attempt_id], each.source) for each in payment.heard]
    assert sorted(heard) == [
        ("mpesa_ke", "ACCEPTED"), ("mpesa_ke", "CALLBACK"),
        ("mtn_ug", "ACCEPTED"), ("mtn_ug", "CALLBACK"),
    ]  # fmt: skip
    assert [message.status for message in payment.messages] == ["sent", "sent"]
    assert len({message.template for message in payment.messages}) == 2
    assert (await inspector.books()).balanced


async def test_the_payee_is_told_the_same(world: World, inspector: Inspector) -> None:
    await paid(world)
    assert await inspector.payments(PAYEE) == await inspector.payments(PAYER)


async def test_no_number_and_nothing_that_was_said_goes_through_the_door(
    world: World, web: httpx.AsyncClient
) -> None:
    await paid(world)
    answer = await web.get(
        "http://capp.test/inspect/payments", headers={"authorization": f"Bearer {TOKEN}"}
    )
    for number in (PAYER, PAYEE):
        assert number.digits not in answer.text
    assert "outcome" not in answer.text  # a word of every finding we keep


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer wrong", TOKEN])
@pytest.mark.parametrize("name", ["payments", "books"])
async def test_the_door_stays_shut_without_its_token(
    web: httpx.AsyncClient, name: str, authorization: str
) -> None:
    headers = {"authorization": authorization}
    answer = await web.get(f"http://capp.test/inspect/{name}", headers=headers)
    assert (answer.status_code, answer.text) == (403, "forbidden")


def test_an_older_server_that_tells_less_is_read_too() -> None:
    fields: dict[str, Any] = {
        "payment_id": "01", "code": "X", "state": "PAID", "payer": "", "payee": "", "steps": [],
        "attempts": [], **{n: {"minor": 1, "currency": "KES"} for n in ("amount", "fee")},
        "receives": {"minor": 1, "currency": "UGX"},
    }  # fmt: skip
    payment = msgspec.convert(fields, Payment)
    assert (payment.heard, payment.messages) == ([], [])


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "0"}, {"limit": "51"}, {"limit": "²"}, {"limit": "٥"}, {"msisdn": "%"},
        {"msisdn": "+2547%"}, {"msisdn": "\x00"}, {"msisdn": "+" + "1" * 16}, {"msisdn": ""},
    ],
)  # fmt: skip
async def test_what_cannot_be_looked_for_is_refused(
    web: httpx.AsyncClient, asked: dict[str, str]
) -> None:
    answer = await web.get(
        "http://capp.test/inspect/payments", params=asked,
        headers={"authorization": f"Bearer {TOKEN}"},
    )  # fmt: skip
    assert answer.status_code == 400


async def test_another_tenants_payments_are_not_told(
    world: World, web: httpx.AsyncClient, inspector: Inspector
) -> None:
    await paid(world)
    assert len(await inspector.payments(PAYER)) == 1
    await Owner(world.pool).execute("update payment set tenant = 2")
    answer = await web.get(
        "http://capp.test/inspect/payments", headers={"authorization": f"Bearer {TOKEN}"}
    )
    assert answer.json() == {"payments": []}
    await Owner(world.pool).execute("update payment set tenant = 1")


@pytest.mark.parametrize(("name", "table"), [("payments", "payment"), ("books", "balance")])
async def test_a_database_that_does_not_answer_is_told_and_no_fault_of_ours(
    world: World, seeded_url: str, name: str, table: str
) -> None:
    slow = Pool(partial(connect, seeded_url, answer_seconds_max=ANSWER_SECONDS_MAX), size=2)
    door = Inspection(
        pool=slow, tenant=1, store=world.store, books=Books(slow, 1, {}),
        directory=world.directory, token=TOKEN,
    )  # fmt: skip
    transport = httpx.ASGITransport(Starlette(routes=door.routes()))
    bearer = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, headers=bearer) as client:
        url = f"http://capp.test/inspect/{name}"
        async with Owner(world.pool).acquire() as connection, connection.transaction():
            await connection.execute(f"lock table {table} in access exclusive mode")
            answer = await outwaited(connection, client.get(url), ANSWER_SECONDS_MAX)
        assert (answer.status_code, answer.text) == (503, "Postgres is away")
        assert int(answer.headers["retry-after"]) > 0
        assert (await client.get(url)).status_code == 200
    await slow.close()


async def test_a_fault_of_ours_is_not_told_as_an_outage(world: World) -> None:
    class Broken(Books):
        async def trial_balance(self) -> Any:
            raise ZeroDivisionError

    door = Inspection(
        pool=world.pool, tenant=1, store=world.store, books=Broken(world.pool, 1, {}),
        directory=world.directory, token=TOKEN,
    )  # fmt: skip
    transport = httpx.ASGITransport(Starlette(routes=door.routes()))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(ZeroDivisionError):
            await client.get(
                "http://capp.test/inspect/books", headers={"authorization": f"Bearer {TOKEN}"}
            )
