"""A language in letters of 16 bits: on networks that carry them, and on those that do not."""

import msgspec
import pytest

from engine.menu.networks import Network, Networks
from engine.money import Money
from engine.septets import fits, is_gsm7
from tests.unit.session.rooms import NETWORKS, PIN, TEXTS, House

PAYEE = "256772000002"
NARROW = Networks(Network(name="narrow", encoding="gsm7"), {})


async def caller(networks: Networks | None = None) -> House:
    house = House(networks=networks)
    return await house.registered("am")


async def test_a_network_without_wide_letters_gets_every_screen_in_english() -> None:
    house = await caller(NARROW)
    walk = ("", "9", "9*1", "9*1*12", f"9*1*12*{PAYEE}")
    screens = [await house.take(text) for text in walk]
    assert screens[0].text.startswith("CAPP\n1. Send money")
    assert screens[1].text.startswith("Please choose one of these.")
    assert "Amount in KES" in screens[-1].text
    assert all(is_gsm7(screen.text) for screen in screens)
    assert house.session().language == "am"  # for the next network, and the receipts


async def test_last_words_too_come_in_letters_the_network_carries() -> None:
    for networks, language in ((NARROW, "en"), (NETWORKS, "am")):
        house = await caller(networks)
        await house.press("1", PAYEE, "1000")
        over = await house.take(f"2*{PAYEE}*1000")
        assert over.text == TEXTS.render(language, "session.over")


@pytest.mark.parametrize("by_link", [False, True])
async def test_what_is_to_be_paid_is_not_what_is_cut(by_link: bool) -> None:
    """The widest amounts that can be, on the last screen, which has no second page."""
    house = await caller()
    if by_link:
        house.payments.by_link.add("mpesa_ke")
    keys = ["1", PAYEE, "1000"]
    await house.press(*keys)
    while house.session().screen != "send_money.pin":
        keys.append("1" if house.session().page + 1 == house.session().pages else "98")
        await house.take("*".join(keys))
    quote = house.session().quote
    assert quote is not None
    paid, arrives = Money(123_456_789_012, "KES"), Money(12_345_678_901, "UGX")
    wide = msgspec.structs.replace(quote, amount=paid, fee=Money(0, "KES"), receives=arrives)
    house.replace("s1", quote=wide)
    done = await house.take("*".join((*keys, PIN)))
    assert done.ends
    assert fits(done.text, NETWORKS.of("").budget_septets)
    assert f"{wide.total.minor // 100:,}.12" in done.text


async def test_a_page_that_is_no_more_is_the_last_that_there_is() -> None:
    """The texts were changed for shorter ones while somebody read on."""
    house = House(networks=Networks(Network(name="small", budget_septets=110), {}))
    await house.registered()
    await house.press("1", PAYEE, "1000")
    house.replace("s1", page=3, pages=9)
    last = await house.take("*".join(("1", PAYEE, "1000", "98")))
    assert last.text.endswith("Total KES 1,010\n1. Pay\n0 Back 00 Home")
    assert (house.session().page, house.session().pages) == (1, 2)


async def test_a_price_on_two_pages_is_not_agreed_to_below_a_mistake() -> None:
    """Its shorter text would fit one page, with the word that agrees."""
    house = House(networks=Networks(Network(name="small", budget_septets=110), {}))
    await house.registered()
    keys = ["1", PAYEE, "1000"]
    await house.press(*keys)
    assert house.session().pages == 2
    for pressed in ("1", "9", "1"):
        keys.append(pressed)
        reply = await house.take("*".join(keys))
        assert (house.session().screen, house.session().pages) == ("send_money.quote", 2)
        assert "1. Pay" not in reply.text
    assert "1. Pay" in (await house.take("*".join((*keys, "98")))).text
    await house.take("*".join((*keys, "98", "1")))
    assert house.session().screen == "send_money.pin"


@pytest.mark.parametrize("budget", [160, 100])
async def test_a_price_on_several_pages_is_agreed_to_on_its_last(budget: int) -> None:
    house = await caller(Networks(Network(name="small", budget_septets=budget), {}))
    keys = ["1", PAYEE, "1000"]
    await house.press(*keys)
    assert house.session().pages > 2
    seen = ""
    for pressed in ("1", "98", "1", "9", *["98"] * 10):  # a mistake is told on the first page
        keys.append(pressed)
        reply = await house.take("*".join(keys))
        assert fits(reply.text, budget)
        session = house.session()
        assert session.screen == "send_money.quote"
        if pressed == "1":
            assert reply.text.startswith(TEXTS.render("am", "mistake.read_on"))
        if pressed != "98":
            seen = ""
        seen += reply.text
        if session.page + 1 == session.pages:
            break
    assert all(amount in seen for amount in ("UGX 27,123", "KES 1,000", "KES 10", "KES 1,010"))
    await house.take("*".join((*keys, "1")))
    assert house.session().screen == "send_money.pin"
    assert (await house.take("*".join((*keys, "1", PIN)))).ends
    assert len(house.payments.confirmed) == 1
