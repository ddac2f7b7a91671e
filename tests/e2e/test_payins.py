"""A customer pays in by hand: both processes, the sandbox and the staff's commands, over HTTP."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from simulator.inspect import Payment
from tests.e2e.city import City, Person
from tests.providers.sandbox_clients import MpesaClient, open_client

pytestmark = pytest.mark.long(
    "waits for rounds of the worker; tests/integration/test_payin_doors.py does not"
)

SIMULATE = "/mpesa/c2b/v2/simulate"
SHORTCODE = 174379


@pytest.fixture
async def till(city: City) -> AsyncIterator[MpesaClient]:
    """The sandbox's own door to pay in by, once the server has told it where to announce that."""
    await capp(city, "payins", "register", "mpesa_ke")
    async with open_client(city.places.operators["mpesa_ke"]) as client:
        hands = MpesaClient(client, "")
        await hands.log_in()
        await hands.settings(validation=True)
        yield hands
        await hands.settings(validation=False)


async def capp(city: City, *arguments: str) -> str:
    done = await asyncio.to_thread(city.stack.command, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def pay_in(till: MpesaClient, payer: Person, shillings: int, reference: str) -> None:
    message = {
        "ShortCode": SHORTCODE, "CommandID": "CustomerPayBillOnline", "Amount": shillings,
        "Msisdn": int(payer.digits), "BillRefNumber": reference,
    }  # fmt: skip
    answer = await till.post(SIMULATE, message)
    assert answer.status_code == 200, answer.text


async def asked(city: City) -> tuple[Person, Person, Payment]:
    """A payment whose payer has the prompt on the phone and has not answered it."""
    await city.set_approval("ask")
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.pay(payer, payee, 500)
    await city.prompt(payer)
    return payer, payee, await city.reaches(payer, "COLLECTING")


def total(payment: Payment) -> int:
    return (payment.amount.minor + payment.fee.minor) // 100


async def test_who_pays_by_hand_instead_of_by_prompt_is_served_once(
    city: City, till: MpesaClient
) -> None:
    payer, payee, payment = await asked(city)
    await pay_in(till, payer, total(payment), payment.code.lower())
    paid = await city.ends(payer, "PAID")
    prompt = await city.prompt(payer)
    url = f"{city.places.operators['mpesa_ke']}/_sandbox/prompts/{prompt.id}"
    (await city.client.post(url, json={"decline": True})).raise_for_status()

    async def told() -> bool | None:
        return None if await city.is_at_work_for(payer) else True

    await city.until(told, "the operator did not tell that the prompt was declined")
    await city.assert_moved_once(paid, payer, payee)
    assert await city.cases(paid) == []
    await city.assert_books()


async def test_what_nothing_waits_for_is_refused_before_it_moves(
    city: City, till: MpesaClient
) -> None:
    payer, _, payment = await asked(city)
    stranger = city.newcomer("KE")
    await pay_in(till, payer, total(payment) + 1, payment.code)
    await pay_in(till, payer, total(payment), "school fees")
    await pay_in(till, stranger, total(payment), payment.code)
    await asyncio.sleep(1)
    assert await city.movements(payer) == []
    assert await city.movements(stranger) == []


async def test_money_of_nobody_we_know_goes_back_by_two_people(
    city: City, till: MpesaClient
) -> None:
    payer = city.newcomer("KE")
    before = await city.balance_minor(payer)
    await till.settings(validation=False)
    await pay_in(till, payer, 250, "school fees")

    async def suspended() -> str | None:
        found = re.search(r"^(\w{32}) .*'school fees'  SUSPENDED", await listed(), re.M)
        return found[1] if found else None

    async def listed() -> str:
        return await capp(city, "payins", "list")

    pay_in_id = await city.until(suspended, "it is not suspended")
    assert await city.balance_minor(payer) == before - 25_000
    proposed = await capp(
        city, "propose", "RETURN_PAY_IN", f"pay_in={pay_in_id}", "--as", "amina", "--why", "asked"
    )
    await capp(city, "approve", proposed.split()[0], "--as", "brian")

    async def back() -> bool | None:
        return await city.balance_minor(payer) == before or None

    await city.until(back, "it has not come back")

    async def done() -> bool | None:
        return pay_in_id not in await listed() or None

    await city.until(done, "it still waits")
    assert [m["kind"] for m in await city.movements(payer)] == ["collection", "refund"]
    await city.assert_operators_agree()
    await city.assert_books()
