"""Of what the session before left, a dial is told of a late payment, and of nothing else as one."""

from typing import Any

import pytest

from engine.clock import CustomerId
from tests.leap import leap
from tests.unit.session.rooms import LONG_SECONDS, House

TO_PIN = ("1", "256772000002", "1000", "1")
TAKES_LONGER = "This is taking longer"
MENU_TEXT = "CAPP\n1. Send money"


async def who_was_late() -> House:
    """Their PIN was compared too late, and it was wrong: the books know of no payment."""
    house = await House().registered()
    await house.press(*TO_PIN)
    house.customers.pin_delay = LONG_SECONDS
    with house.hurried():
        assert (await house.take("*".join((*TO_PIN, "9173")))).text.startswith(TAKES_LONGER)
    leap(LONG_SECONDS)
    await house.turns.aclose()
    house.customers.pin_delay = 0.0
    return house


@pytest.mark.parametrize(
    ("left", "told"),
    [
        pytest.param({}, TAKES_LONGER, id="at the PIN"),
        pytest.param({"screen": "send_money.quote"}, TAKES_LONGER, id="where a price is agreed"),
        pytest.param({"screen": "send_money.amount"}, MENU_TEXT, id="before anybody could agree"),
        pytest.param({"quote": None}, MENU_TEXT, id="a PIN that was changed, and no price"),
        pytest.param({"screen": "of an older menu"}, MENU_TEXT, id="a screen that is no more"),
        pytest.param({"was_late": False}, MENU_TEXT, id="in time"),
    ],
)
async def test_who_dials_again_is_told_to_wait_for_a_payment_that_may_be_taken_on_yet(
    left: dict[str, Any], told: str
) -> None:
    house = await who_was_late()
    house.replace("s1", **left)
    assert (await house.press(session_id="s2")).text.startswith(told)


async def test_who_has_the_number_since_is_told_of_nobody_elses_late_payment() -> None:
    house = await who_was_late()
    house.replace("s1", customer_id=CustomerId("0" * 32))
    assert (await house.press(session_id="s2")).text.startswith(MENU_TEXT)
