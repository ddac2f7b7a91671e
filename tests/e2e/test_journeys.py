"""A payment each way, from dial to receipt, through both processes."""

import pytest

from simulator.inspect import Payment
from tests.e2e.city import City, Country, Language, spoken, states_of

RECEIPT = {"en": "Confirmed.", "sw": "Imethibitishwa."}
RECEIVED = {"en": "You have received", "sw": "Umepokea"}


@pytest.mark.parametrize(
    ("payer_country", "payee_country", "amount"), [("KE", "UG", 1000), ("UG", "KE", 50_000)]
)
@pytest.mark.parametrize("payee_language", ["en", "sw"])
async def test_paid_and_both_people_are_told_in_their_language(
    city: City,
    payer_country: Country,
    payee_country: Country,
    amount: int,
    payee_language: Language,
) -> None:
    payer = city.newcomer(payer_country, "sw")
    payee = city.newcomer(payee_country, payee_language)
    if payee_language == "sw":  # Nobody knows a payee's language before they have dialled.
        await city.register(payee)
    before = await city.balance_minor(payer), await city.balance_minor(payee)

    code = await city.pay(payer, payee, amount)
    payment = await city.ends(payer, "PAID")

    assert payment.code == code
    assert states_of(payment) == ["RESERVED", "COLLECTING", "PAYING", "PAID"] or states_of(
        payment
    ) == ["COLLECTING", "PAYING", "PAID"]
    await city.assert_moved_once(payment, payer, payee)
    total = payment.amount.minor + payment.fee.minor
    assert await city.balance_minor(payer) == before[0] - total
    assert await city.balance_minor(payee) == before[1] + payment.receives.minor
    await city.told(
        payer, f"{code} {RECEIPT['sw']} {spoken(payment.amount)} imetumwa kwa {payee.msisdn}"
    )
    received = f"{RECEIVED[payee_language]} {spoken(payment.receives)}"
    await city.told(payee, f"{code} {RECEIPT[payee_language]} {received}")
    await city.assert_books()
    assert await reports_of(city, payment) == [("Success", True)] * 2


async def reports_of(city: City, payment: Payment) -> list[tuple[str, bool | None]]:
    """The delivery reports of a payment's two receipts: status and whether it was delivered."""

    async def both() -> list[tuple[str, bool | None]] | None:
        rows = await city.rows(
            "select r.status, r.delivered from sms_message m"
            " join sms_report r on r.message_id = m.message_id where m.payment = $1::uuid",
            payment.payment_id,
        )
        return [(row["status"], row["delivered"]) for row in rows] if len(rows) == 2 else None

    return await city.until(both, "no delivery report for each receipt")


async def test_receipt_that_was_not_delivered_is_known_as_such(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.arm(payee, "delivery_report", "delivery_failed", sandbox="gateway")
    await city.pay(payer, payee, 500)
    payment = await city.ends(payer, "PAID")
    assert sorted(await reports_of(city, payment)) == [("Failed", False), ("Success", True)]


async def test_refused_receipt_is_kept_as_refused_and_stops_no_payment(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.arm(payee, "sms", "sms_rejected", sandbox="gateway")
    await city.pay(payer, payee, 500)
    payment = await city.ends(payer, "PAID")
    await city.told(payer, "Confirmed.")

    async def refused() -> str | None:
        rows = await city.rows(
            "select status from sms_message where payment = $1::uuid and template = $2",
            payment.payment_id,
            "receipt_payee",
        )
        return rows[0]["status"] if rows else None

    assert await city.until(refused, "the refusal was not kept") == "refused:403"
    assert await city.messages(payee) == []


async def test_last_payment_is_told_at_the_next_dial(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    code = await city.pay(payer, payee, 500)
    await city.ends(payer, "PAID")
    screen = await city.type(await city.dial(payer), "3", "1")
    assert screen.text.startswith(code) and "Delivered" in screen.text
