"""Who pays knows better than the payee's prefix: another operator's wallet, for this payment."""

import pytest

from engine.menu.networks import Networks
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import MoneyRequest
from engine.ports import EndReason, SessionEnd
from engine.session.session import Chosen
from tests.unit.session.rooms import NETWORKS, PIN, TEXTS, House

PAYEE = "256772000002"
MARY, OTHER = Msisdn("+256772000002"), "256752000003"
TO_PRICE = ("1", PAYEE, "1000")
ELSEWHERE = "2. Other network"


def keys(*more: str) -> str:
    """All that was typed once some keys more were, behind the price."""
    return "*".join([*TO_PRICE, *more])


async def caller(language: str = "en", networks: Networks = NETWORKS) -> House:
    house = await House(networks=networks).registered(language)
    house.payments.wallets["UG"] = ["airtel_ug", "mtn_ug", "utl_ug"]
    return house


async def test_where_nobody_told_a_name_another_network_can_be_chosen() -> None:
    house = await caller()
    price = await house.press(*TO_PRICE)
    assert "MTN MoMo" in price.text
    assert f"1. Pay\n{ELSEWHERE}\n" in price.text
    wallets = await house.take(keys("2"))
    assert wallets.text == f"Whose wallet is\n{MARY}?\n1. Airtel Money\n2. UTL\n0 Back 00 Home"
    again = await house.take(keys("2", "1"))
    assert again.text.startswith(f"To {MARY} Airtel Money\nGets UGX 27,123")
    await house.take(keys("2", "1", "1"))
    assert (await house.take(keys("2", "1", "1", PIN))).ends
    assert len(house.payments.confirmed) == 1


async def test_pay_stays_where_it_is() -> None:
    house = await caller()
    await house.press(*TO_PRICE)
    assert "Type your CAPP PIN" in (await house.take(keys("1"))).text


async def test_back_from_other_networks_to_where_a_number_is_typed_it_is_still_typed() -> None:
    """The list of people that stood there is gone; the question is not."""
    house = await caller()
    (caller_id,) = [known.customer_id for known in house.customers.known.values()]
    house.customers.saved[caller_id] = {MARY: "Mary"}
    asked = await house.press("1")
    assert "1. Mary" in asked.text
    back = await house.press(*TO_PRICE, "2", "0", "0", "0")
    assert back.text.partition("\n")[0] == asked.text.partition("\n")[0]
    assert "Airtel" not in back.text  # and no network stands there in place of people
    assert "Amount in KES" in (await house.take(keys("2", "0", "0", "0", MARY))).text


async def test_a_name_that_the_operator_told_is_enough() -> None:
    house = await caller()
    house.names.told[MARY] = "Okello James"
    price = await house.press(*TO_PRICE)
    assert "Okello James" in price.text and ELSEWHERE not in price.text
    refused = await house.take(keys("2"))
    assert refused.text.startswith("Please choose one of these.")


@pytest.mark.parametrize("wallets", [[], ["mtn_ug"]])
async def test_without_another_operator_there_is_nothing_to_choose(wallets: list[str]) -> None:
    house = await caller()
    house.payments.wallets["UG"] = wallets
    assert ELSEWHERE not in (await house.press(*TO_PRICE)).text


async def test_whoever_chose_wrongly_can_choose_the_first_again() -> None:
    house = await caller()
    await house.press(*TO_PRICE, "2", "1", "2")
    assert "1. MTN MoMo\n2. UTL" in house.session().reply
    assert "MTN MoMo" in (await house.take(keys("2", "1", "2", "1"))).text


async def test_a_name_that_one_operator_told_is_not_shown_for_the_wallet_of_another() -> None:
    house = await caller()
    await house.press(*TO_PRICE, "2")
    house.names.told[MARY] = "Okello James"
    chosen = await house.take(keys("2", "1"))
    assert chosen.text.startswith(f"To Okello James {MARY} Airtel Money")
    assert ELSEWHERE not in chosen.text
    session = house.session()
    assert session.holder_of(MARY, "airtel_ug") == "Okello James"
    assert session.holder_of(MARY, "mtn_ug") == ""
    assert "Okello" not in repr(session.holders)


async def test_another_amount_is_for_the_same_wallet_and_another_number_is_not() -> None:
    house = await caller()
    chosen = [*TO_PRICE, "2", "1"]
    await house.press(*chosen)
    # Back through the list and the first price to the amount.
    house.replace("s1", screen="send_money.amount", history=["home.menu", "send_money.to"])
    assert "Airtel Money" in (await house.take("*".join([*chosen, "500"]))).text
    house.replace("s1", screen="send_money.to", history=["home.menu"])
    assert "Amount in KES" in (await house.take("*".join([*chosen, "500", OTHER]))).text
    assert house.session().chosen is None


async def test_who_is_dropped_goes_on_with_the_wallet_they_chose() -> None:
    house = await caller()
    await house.press(*TO_PRICE, "2", "1")
    await house.turns.note_end(
        SessionEnd("s1", "dropped", EndReason.TIMED_OUT, msisdn=house.session().msisdn)
    )
    await house.press(session_id="s2")
    assert "Airtel Money" in (await house.take("7", "s2")).text


async def test_a_session_that_is_over_keeps_no_choice_and_shows_no_number() -> None:
    house = await caller()
    await house.press(*TO_PRICE, "2", "1", "1", PIN)
    assert house.session().chosen is None
    assert MARY not in repr(Chosen(MARY, "airtel_ug"))


async def test_the_price_check_offers_the_same_and_stays_a_price_check() -> None:
    house = await caller()
    asked = ("4", PAYEE, "1000")
    assert ELSEWHERE in (await house.press(*asked)).text
    await house.take("*".join([*asked, "2"]))
    again = await house.take("*".join([*asked, "2", "1"]))
    assert "Airtel Money" in again.text and "1. Send this" in again.text


async def test_what_was_asked_for_is_paid_into_the_wallet_that_asked() -> None:
    house = await caller()
    request = MoneyRequest("ASK0000009", MARY, Money(27_123, "UGX"), house.clock.now(), "k")
    house.payments.requests["ASK0000009"] = (Msisdn("+254712000001"), request)
    price = await house.press("2", "2", "1", "1")
    assert "1. Pay" in price.text and ELSEWHERE not in price.text


@pytest.mark.parametrize("language", TEXTS.languages)
async def test_it_can_be_chosen_in_every_language_once_the_price_was_read(language: str) -> None:
    house, typed = await caller(language), list(TO_PRICE)
    reply = await house.press(*typed)
    while "98" in reply.text:
        typed.append("98")
        reply = await house.take("*".join(typed))
    assert "\n2. " in reply.text
    wallets = await house.take("*".join([*typed, "2"]))
    assert str(MARY) in wallets.text
    assert "1. Airtel Money\n2. UTL" in wallets.text


# Who served the dial.


async def test_a_dial_tells_which_network_serves_the_customer_once() -> None:
    house = await House().registered()
    for session_id in ("s1", "s2", "s3"):
        await house.press(session_id=session_id)
    assert house.customers.noted == ["63902"]
    await house.press(session_id="s4", network="63903")
    assert house.customers.noted == ["63902", "63903"]


async def test_who_registers_is_served_by_that_network_at_once() -> None:
    house = House()
    await house.press("1", PIN, PIN)
    assert house.customers.noted == ["63902"]
