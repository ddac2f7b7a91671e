"""Pay-ins through the doors: the operator's own bodies, addresses nobody guesses."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest

from channels.commands.payins import register
from channels.payins import ANSWER_SECONDS, build_pay_ins, pay_in_doors
from channels.sources import Sources, read_networks
from engine.clock import AttemptId, Clock, Ids
from engine.errors import StaffMistake
from engine.payments.lifecycle import State
from engine.ports import (
    PAY_IN_KINDS,
    PAY_IN_NOTICE,
    PAY_IN_QUESTION,
    PAY_IN_RETURN,
    PAY_IN_STATUS,
    PAY_IN_TIMEOUT,
    OperatorPort,
    callback_at,
)
from providers.mpesa import Mpesa
from tests.integration.locks import somebody_waits
from tests.integration.owner import Owner
from tests.integration.payins_room import TOTAL, code
from tests.integration.webhook_room import addresses_of, callback_routes, knocking, reception_of
from tests.integration.world import World, open_world
from tests.leap import leap
from tests.providers.company import Company, opened
from tests.providers.subjects import KENYAN_TOKEN_PATH, MPESA, STATUS_PATH, TAKEN, mpesa_settings
from tests.providers.test_mpesa_pay_ins import CONFIRMATION, RECEIPT, entries, result
from tests.unit.payments.examples import PAYER

MASKED = f"{PAYER.digits[:4]} ***** {PAYER.digits[-3:]}"


class Street(NamedTuple):
    """Whoever knocks, at the doors of one world."""

    world: World
    mpesa: Mpesa
    client: httpx.AsyncClient
    sweep: Any

    def place(self, kind: str, whose: str = "0" * 32) -> str:
        addresses = addresses_of({1: self.mpesa})
        return callback_at(addresses.address(1, AttemptId(whose)), kind)

    async def say(self, kind: str, whose: str = "0" * 32, **changes: Any) -> httpx.Response:
        told = {
            **CONFIRMATION, "TransAmount": f"{TOTAL.minor // 100}.00", "MSISDN": MASKED, **changes
        }  # fmt: skip
        return await self.client.post(self.place(kind, whose), json=told)

    async def traffic(self) -> list[Any]:
        return list(await self.world.pool.fetch("select * from traffic order by id"))


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await opened.dispatched()


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    async with opened() as listening:
        yield listening


@pytest.fixture
async def street(world: World, company: Company) -> AsyncIterator[Street]:
    company.on(KENYAN_TOKEN_PATH, MPESA.token)
    company.on(STATUS_PATH, TAKEN)
    mpesa = Mpesa(mpesa_settings(company.url), clock=Clock())
    operators: dict[str, OperatorPort] = {"mpesa_ke": mpesa, "mtn_ug": world.mtn}
    room = build_pay_ins(
        tenant=1, pool=world.pool, committer=world.committer, payments=world.payments,
        store=world.store, operators=operators, addresses=addresses_of({1: mpesa}),
        clock=world.clock, ids=Ids(world.clock),
    )  # fmt: skip
    reception = reception_of(
        world,
        {1: mpesa, 2: world.mtn},
        sources=Sources({"mpesa_ke": read_networks(["203.0.113.0/24"])}),
    )
    routes = [route for door in pay_in_doors(reception, room) for route in door.routes()]
    async with knocking([*routes, *callback_routes(world, reception)]) as client:
        yield Street(world, mpesa, client, room.watch.sweep)
    await mpesa.aclose()


async def waiting(world: World, shillings: int = 1000) -> Any:
    payment_id = await world.confirm(shillings=shillings)
    await world.dispatched()
    return payment_id


async def test_a_confirmation_is_stored_answered_and_pays_its_payment(street: Street) -> None:
    payment_id = await waiting(street.world)
    for _ in range(3):
        answer = await street.say(PAY_IN_NOTICE, BillRefNumber=code(payment_id))
        assert answer.json() == {"ResultCode": 0, "ResultDesc": "Success"}
    await street.world.dispatched()
    assert await street.world.state(payment_id) is State.PAYING
    assert len(street.world.mtn.orders) == 1
    kept = await street.traffic()
    assert [(row["operation"], row["outcome"]) for row in kept] == [
        ("c2b-confirmation", "paid in")
    ] * 3
    assert RECEIPT in kept[0]["asked"]


async def test_the_same_address_by_the_name_businesses_know(street: Street) -> None:
    payment_id = await waiting(street.world)
    place = street.place(PAY_IN_NOTICE)
    assert place.startswith("/api/v1/webhooks/daraja/c2b-confirmation/")
    known = place.replace("/daraja/", "/mpesa/")
    body = {**CONFIRMATION, "BillRefNumber": code(payment_id), "TransAmount": "1020"}
    answer = await street.client.post(known, json={**body, "MSISDN": MASKED})
    assert answer.status_code == 200
    assert await street.world.state(payment_id) is State.PAYING


VALIDATIONS = [
    ({}, "0"),
    ({"TransAmount": "5.00"}, "C2B00013"),
    ({"BillRefNumber": "school fees"}, "C2B00012"),
    ({"BillRefNumber": None}, "C2B00012"),
    ({"MSISDN": "2547 ***** 126"}, "C2B00011"),
]


@pytest.mark.parametrize(("changes", "told"), VALIDATIONS)
async def test_a_validation_takes_what_is_waited_for_and_says_why_not(
    street: Street, changes: dict[str, Any], told: str
) -> None:
    payment_id = await waiting(street.world)
    given = {"BillRefNumber": code(payment_id), **changes}
    answer = await street.say(PAY_IN_QUESTION, **given)
    assert answer.json()["ResultCode"] == told
    assert await street.world.pool.fetchval("select count(*) from pay_in") == 0
    assert await street.world.state(payment_id) is State.COLLECTING
    (kept,) = await street.traffic()
    assert (kept["operation"], kept["outcome"]) == ("c2b-validation", "answered")


async def test_a_validation_that_the_database_does_not_answer_is_refused_in_time(
    street: Street,
) -> None:
    payment_id = await waiting(street.world)
    async with Owner(street.world.pool).acquire() as connection, connection.transaction():
        await connection.execute("lock table payment in access exclusive mode")
        asked = asyncio.create_task(street.say(PAY_IN_QUESTION, BillRefNumber=code(payment_id)))
        await somebody_waits(connection)
        assert not asked.done()
        leap(ANSWER_SECONDS)
        answer = await asked
    assert answer.json()["ResultCode"] == "C2B00016"
    assert ANSWER_SECONDS < 8  # so long M-PESA waits


async def test_a_large_pay_in_is_proven_by_the_operator_on_the_address_it_was_given(
    street: Street, company: Company
) -> None:
    payment_id = await waiting(street.world, 11_000)
    total = (await street.world.payment(payment_id)).quote.total.minor // 100
    await street.say(PAY_IN_NOTICE, BillRefNumber=code(payment_id), TransAmount=str(total))
    assert await street.world.state(payment_id) is State.COLLECTING
    await street.sweep(10)
    asked = company.received(STATUS_PATH)[0].json
    assert asked["TransactionID"] == RECEIPT
    timeout = await street.client.post(asked["QueueTimeOutURL"], content=b"late")
    assert timeout.status_code == 200
    proof = entries(
        TransactionStatus="Completed", Amount=str(total), ReceiptNo=RECEIPT,
        DebitPartyName=f"{PAYER.digits} - JANE DOE",
    )  # fmt: skip
    answer = await street.client.post(asked["ResultURL"], content=result(0, proof))
    assert answer.json() == {"ResultCode": 0, "ResultDesc": "Success"}
    await street.world.dispatched()
    assert await street.world.state(payment_id) is State.PAYING
    kept = await street.traffic()
    assert not any(PAYER.digits in row["asked"] for row in kept)
    told = [row["asked"] for row in kept if row["outcome"] == "answered"]
    assert '{"outcome":"succeeded","code":"Completed"}' in told


@pytest.mark.parametrize("kind", PAY_IN_KINDS)
async def test_an_address_we_never_made_opens_nothing(street: Street, kind: str) -> None:
    payment_id = await waiting(street.world)
    place = street.place(kind)
    last = "0" if place[-1] != "0" else "1"
    body = {**CONFIRMATION, "BillRefNumber": code(payment_id), "TransAmount": "1020"}
    for forged in (place[:-1] + last, place.replace("/1.", "/2."), place.replace("daraja", "mtn")):
        assert (await street.client.post(forged, json=body)).status_code == 404
    assert await street.world.state(payment_id) is State.COLLECTING
    assert await street.world.pool.fetchval("select count(*) from pay_in") == 0


async def test_the_address_of_an_attempt_announces_no_pay_ins(street: Street) -> None:
    mine, theirs = await waiting(street.world), await waiting(street.world)
    attempt = await street.world.live(mine)
    for kind in (PAY_IN_NOTICE, PAY_IN_QUESTION):
        for named in (mine, theirs):
            answer = await street.say(kind, attempt, BillRefNumber=code(named), MSISDN="")
            assert answer.status_code == 404
    await street.world.dispatched()
    assert await street.world.state(theirs) is State.COLLECTING
    assert await street.world.pool.fetchval("select count(*) from pay_in") == 0
    assert {row["outcome"] for row in await street.traffic()} == {"unknown attempt"}


async def test_an_answer_about_money_nobody_asked_about_is_refused(street: Street) -> None:
    for kind in (PAY_IN_STATUS, PAY_IN_RETURN):
        place = street.place(kind, "0193488c2d7a7c3e9f0112233445566a")
        assert (await street.client.post(place, content=result(0))).status_code == 404
    assert (await street.client.post(street.place(PAY_IN_TIMEOUT), content=b"")).status_code == 200
    kept = sorted((row["outcome"], row["status"]) for row in await street.traffic())
    assert kept == [("answered", 200), ("unknown attempt", 404), ("unknown attempt", 404)]


async def test_garbage_another_shortcode_and_another_source_move_nothing(street: Street) -> None:
    place = street.place(PAY_IN_NOTICE)
    for body in (b"", b"{}", b"<html>", json.dumps({**CONFIRMATION, "TransID": ""}).encode()):
        assert (await street.client.post(place, content=body)).status_code == 400
    assert (await street.say(PAY_IN_NOTICE, BusinessShortCode="999999")).status_code == 400
    assert (await street.client.get(place)).status_code == 405
    assert (await street.client.post(place, content=b" " * 70_000)).status_code == 413
    assert await street.world.pool.fetchval("select count(*) from pay_in") == 0


async def test_a_strangers_source_is_refused(world: World, street: Street) -> None:
    payment_id = await waiting(world)
    app = street.client._transport.app  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(app, client=("198.51.100.9", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as stranger:
        body = {**CONFIRMATION, "BillRefNumber": code(payment_id), "TransAmount": "1020"}
        answer = await stranger.post(street.place(PAY_IN_NOTICE), json=body)
    assert answer.status_code == 403
    assert await world.state(payment_id) is State.COLLECTING


async def test_what_a_customer_typed_is_kept_without_numbers(street: Street) -> None:
    await street.say(PAY_IN_NOTICE, BillRefNumber="0712345678")
    (kept,) = await street.traffic()
    assert "0712345678" not in kept["asked"]
    assert "2547 " not in kept["asked"]


async def test_an_operator_is_told_both_addresses_and_one_that_announces_nothing_is_refused(
    street: Street, company: Company
) -> None:
    path = "/mpesa/c2b/v2/registerurl"
    company.on(path, TAKEN)
    said: list[str] = []
    operators: dict[str, OperatorPort] = {"mpesa_ke": street.mpesa, "mtn_ug": street.world.mtn}
    addresses = addresses_of({1: street.mpesa})
    await register("mpesa_ke", operators, addresses, said.append)
    message = company.received(path)[0].json
    assert message["ConfirmationURL"] == street.place(PAY_IN_NOTICE)
    assert message["ValidationURL"] == street.place(PAY_IN_QUESTION)
    assert not any(street.place(PAY_IN_NOTICE) in line for line in said)
    with pytest.raises(StaffMistake, match="mpesa_ke"):
        await register("mtn_ug", operators, addresses, said.append)
