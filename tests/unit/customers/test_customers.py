from datetime import UTC, datetime

import pytest

from engine.clock import CustomerId
from engine.customers.customers import FOREVER, Customer, PinVerdict
from engine.customers.guesses import Guess
from engine.errors import CustomerMistake, NoWayNow
from engine.msisdn import Msisdn

LATER = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_a_right_verdict_lets_pass() -> None:
    PinVerdict(right=True, left=3).require_right()


def test_a_wrong_verdict_tells_the_tries_that_are_left() -> None:
    with pytest.raises(CustomerMistake) as caught:
        PinVerdict(right=False, left=2).require_right()
    assert (caught.value.text_key, caught.value.variables) == ("mistake.pin_wrong", {"left": 2})


@pytest.mark.parametrize(
    ("verdict", "key", "variables"),
    [
        (PinVerdict(right=False, left=0, locked_until=LATER), "no_way.locked", {"time": LATER}),
        (
            PinVerdict(right=False, left=0, locked_until=FOREVER, until_reset=True),
            "no_way.locked_until_reset",
            {},
        ),
    ],
)
def test_a_lock_tells_its_end_if_it_has_one(
    verdict: PinVerdict, key: str, variables: dict[str, object]
) -> None:
    with pytest.raises(NoWayNow) as caught:
        verdict.require_right()
    assert (caught.value.text_key, caught.value.variables) == (key, variables)


def test_nobody_may_choose_a_new_pin_unless_it_is_said() -> None:
    customer = Customer(CustomerId("01" * 16), Msisdn("+254712000001"), "KE", "en", 0)
    assert not customer.may_reset_pin


def test_two_guesses_are_never_one_and_show_no_mac() -> None:
    first, second = (Guess(CustomerId("01" * 16), [b"mac"]) for _ in range(2))
    assert len({first, second}) == 2
    assert "mac" not in repr(first)
