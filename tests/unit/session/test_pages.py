"""The pages behind a mistake: they go on where the one with its sentence ended, word for word."""

import pytest

from engine.menu.layout import in_full, lay_out
from engine.menu.networks import Network, Networks
from engine.msisdn import Msisdn
from engine.ports import Reply
from tests.unit.session.rooms import MENU, PAYER, TEXTS, House

PAYEE = "256772000002"
PRICE = ("1", PAYEE, "1000")
HELP = ("5", "5")
SAVED = ("5", "4")


async def walked(language: str, budget: int, *keys: str) -> tuple[House, Reply]:
    """Somebody with six saved numbers who dials and presses `keys`."""
    house = House(networks=Networks(Network(name="small", budget_septets=budget), {}))
    await house.registered(language)
    customer = house.customers.known[PAYER].customer_id
    saved = {Msisdn(f"+25677200000{n}"): f"Wanjiru {'ABCDEF'[n]}" for n in range(6)}
    house.customers.saved[customer] = saved
    return house, await house.press(*keys)


async def read_on(language: str, budget: int, *keys: str) -> list[str]:
    """The pages from where `keys` lead to the last, without the line that leads on and away."""
    house, reply = await walked(language, budget, *keys)
    pages, typed = [reply.text], list(keys)
    while house.session().page + 1 < house.session().pages:
        typed.append("98")
        pages.append((await house.take("*".join(typed))).text)
    return [page.rpartition("\n")[0] for page in pages]


def words(*pages: str) -> list[str]:
    return " ".join(pages).split()


@pytest.mark.parametrize("keys", [PRICE, HELP, SAVED])
@pytest.mark.parametrize("budget", [75, 90, 110])
@pytest.mark.parametrize("language", ["en", "sw", "fr"])
async def test_no_line_is_skipped_behind_a_mistake(
    keys: tuple[str, ...], budget: int, language: str
) -> None:
    shown = await read_on(language, budget, *keys)
    assert len(shown) > 1, "a screen of several pages"
    sentence = TEXTS.render(language, "mistake.choice")
    house, first = await walked(language, budget, *keys, "77")
    screen = MENU.screens[house.session().screen]
    assert screen.kind == "confirm" or screen.again == screen.text  # in full below the mistake
    assert first.text.startswith(f"{sentence}\n")
    after = await read_on(language, budget, *keys, "77")
    assert words(*after) == words(sentence, *shown)


async def test_a_mistake_on_a_later_page_begins_them_anew() -> None:
    shown = await read_on("en", 75, *HELP)
    assert len(shown) > 2
    after = await read_on("en", 75, *HELP, "98", "77")
    assert words(*after) == words(TEXTS.render("en", "mistake.choice"), *shown)


async def test_back_on_its_first_page_a_screen_stands_as_it_was() -> None:
    _, undisturbed = await walked("en", 75, *HELP)
    turned = (*HELP, "77", "98", "98", "0", "0")
    assert (await walked("en", 75, *turned))[1] == undisturbed
    assert await read_on("en", 75, *turned) == await read_on("en", 75, *HELP)


@pytest.mark.parametrize("leaving", [("77", "98", "00", "5"), ("77", "00", "5"), ("77", "0")])
async def test_what_was_told_of_one_screen_is_told_of_no_other(leaving: tuple[str, ...]) -> None:
    shown = await read_on("en", 75, *SAVED)
    assert await read_on("en", 75, *HELP, *leaving, "4") == shown


async def test_a_mistake_above_a_single_page_is_not_kept() -> None:
    house, reply = await walked("en", 160, "77")
    assert reply.text.startswith(TEXTS.render("en", "mistake.choice"))
    assert (house.session().pages, house.session().mistake) == (1, "")


async def test_nothing_of_a_mistake_is_kept_of_a_session_that_is_over() -> None:
    house, _ = await walked("en", 75, *PRICE, "77")
    session = house.session()
    assert session.mistake == TEXTS.render("en", "mistake.choice") + "\n"
    session.shed()
    assert session.mistake == ""


async def test_no_way_back_is_shown_where_there_is_none() -> None:
    _, menu = await walked("en", 160)
    assert menu.text.endswith("\n5. Account, help")
    languages = (await House().press()).text.split("\n")
    assert languages[-1][1:3] == ". ", "the last line is a language, and no way back"
    house = House()
    await house.press("1")
    assert house.session().screen == "first_dial.pin"
    back, home = (TEXTS.render("en", f"footer.{word}") for word in ("back", "home"))
    assert house.session().language == "en"
    assert house.session().reply.endswith(f"\n{back}")
    assert home not in house.session().reply


@pytest.mark.parametrize("language", TEXTS.languages)
def test_what_is_agreed_to_is_in_full_on_one_page_and_on_several(language: str) -> None:
    shortened = set()
    for name, screen in MENU.screens.items():
        laid = lay_out(TEXTS, language, screen)
        full = in_full(laid)
        assert (full.again, full.whole_again) == (full.body, full.whole) == (laid.body, laid.whole)
        if laid.whole_again != laid.whole:
            shortened.add(name)
    assert "send_money.asked" in shortened
