import pytest

from engine.clock import CustomerId
from engine.customers.pins import PinKeys, has_pin_shape, is_weak_pin
from engine.msisdn import Msisdn

PHONE = Msisdn("+254712009731")
ONE, OTHER = CustomerId("01" * 16), CustomerId("02" * 16)


@pytest.mark.parametrize("pin", ["0000", "1234", "4321", "7890", "1212", "1122", "9731"])
def test_the_pins_a_thief_tries_first_are_weak(pin: str) -> None:
    assert is_weak_pin(pin, PHONE)


@pytest.mark.parametrize("pin", ["4826", "9027", "1357"])
def test_other_pins_are_not_weak(pin: str) -> None:
    assert not is_weak_pin(pin, PHONE)


@pytest.mark.parametrize("text", ["", "123", "12345", "12a4", "-123", "١٢٣٤", "12 4", "1234\n"])
def test_only_four_ascii_digits_have_the_shape_of_a_pin(text: str) -> None:
    assert not has_pin_shape(text)


def test_a_mac_depends_on_key_version_customer_and_pin() -> None:
    keys = PinKeys({1: b"a" * 32, 2: b"b" * 32})
    macs = {
        keys.mac(1, ONE, "4826"), keys.mac(2, ONE, "4826"),
        keys.mac(1, OTHER, "4826"), keys.mac(1, ONE, "4827"),
    }  # fmt: skip
    assert len(macs) == 4
    assert keys.newest == 2


def test_a_mac_is_written_as_those_that_are_stored() -> None:
    """Written in any other way no customer's PIN would be right."""
    mac = PinKeys({1: b"o" * 32, 2: b"n" * 32}).mac(2, ONE, "4826")
    assert mac.hex() == "489dedac8d228efdb76d776697eeaecbf583e57a9a207dbfe99d110f674a35e6"


def test_keys_are_never_shown_and_short_ones_refused() -> None:
    assert "aaaa" not in repr(PinKeys({1: b"a" * 32}))
    with pytest.raises(ValueError, match="too short: versions"):
        PinKeys({1: b"short"})
    with pytest.raises(ValueError, match="no PIN key"):
        PinKeys({})
