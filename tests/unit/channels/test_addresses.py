import pytest

from channels.addresses import TOKEN_LENGTH, CallbackAddresses
from engine.clock import AttemptId

KEY, OLD_KEY, OTHER = b"k" * 32, b"o" * 32, b"x" * 32
ATTEMPT = AttemptId("0190a0000000700080000000000000aa")


def token(keys: list[bytes], operator: int = 1) -> str:
    address = CallbackAddresses("https://pay.example.org", keys).address(operator, ATTEMPT)
    assert address.startswith(f"https://pay.example.org/callbacks/{operator}/")
    return address.rsplit("/", 1)[1]


def test_an_address_leads_back_to_its_attempt() -> None:
    assert CallbackAddresses("", [KEY]).verify(1, token([KEY])) == ATTEMPT


def test_an_address_holds_hexadecimal_only() -> None:
    made = token([KEY])
    assert len(made) == TOKEN_LENGTH
    assert set(made) <= set("0123456789abcdef")


def test_an_old_key_still_verifies_after_a_rotation() -> None:
    assert CallbackAddresses("", [KEY, OLD_KEY]).verify(1, token([OLD_KEY])) == ATTEMPT


@pytest.mark.parametrize(
    ("operator", "given"),
    [
        (2, token([KEY])),  # another operator's door
        (1, token([OTHER])),
        (1, token([KEY])[:-1] + "0" if token([KEY])[-1] != "0" else token([KEY])[:-1] + "1"),
        (1, token([KEY])[:-1]),
        (1, ""),
        (1, "a" * TOKEN_LENGTH),
        (1, "é" * TOKEN_LENGTH),
        (1, "\udcff" * TOKEN_LENGTH),
    ],
)
def test_an_address_we_never_made_leads_nowhere(operator: int, given: str) -> None:
    assert CallbackAddresses("", [KEY]).verify(operator, given) is None
