"""A price within one currency: no line says that a shilling is a shilling."""

import msgspec
import pytest

from engine.menu.networks import Network
from engine.money import Money
from engine.session.render import Renderer
from engine.session.session import Session
from engine.texts.templates import Plural, Template
from tests.unit.session.rooms import MENU, NETWORKS, TEXTS, House

PAYEE = "256772000002"


@pytest.mark.parametrize("language", TEXTS.languages)
@pytest.mark.parametrize("presses", [("1", PAYEE, "1000"), ("4", PAYEE, "1000")])
async def test_the_rate_is_shown_between_two_currencies_alone(
    language: str, presses: tuple[str, ...]
) -> None:
    house = await House().registered(language)
    await house.press(*presses)
    session, network = house.session(), NETWORKS.of("")
    assert session.screen in ("send_money.quote", "price.quote")
    renderer = Renderer(MENU, TEXTS)
    assert session.quote is not None
    session.page = 0
    across = "".join(pages(renderer, session, network))
    gets = Money(session.quote.amount.minor, session.quote.amount.currency)
    session.quote = msgspec.structs.replace(session.quote, receives=gets, rate="1")
    session.page = 0
    within = "".join(pages(renderer, session, network))
    assert "1 KES = " in across
    assert "1 KES" not in within.replace("KES 1", "")
    assert "\n\n" not in within
    assert "KES 1,010" in within or "KES 1 010" in within  # all the rest is there


def pages(renderer: Renderer, session: Session, network: Network) -> list[str]:
    shown = [renderer.screen(session, network)]
    for number in range(1, session.pages):
        session.page = number
        shown.append(renderer.screen(session, network))
    return shown


def test_a_text_without_a_value_loses_its_lines_and_no_other() -> None:
    text = Template("To {payee}\n1 {source} = {rate} {target}\nTotal {total}")
    assert text.without("rate").source == "To {payee}\nTotal {total}"
    assert text.without("absent").source == text.source
    forms = {"one": "{left} left\n{rate}", "other": "{left} are left\n{rate}"}
    plural = Plural(forms, "left", lambda n: "one" if n == 1 else "other").without("rate")
    assert plural.fill({"left": "1"}) == "1 left"
    assert plural.fill({"left": "2"}) == "2 are left"
