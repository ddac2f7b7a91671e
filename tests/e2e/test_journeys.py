"""A payment each way, from dial to receipt, through both processes."""

import pytest

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
