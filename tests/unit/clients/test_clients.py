import pytest

from engine.clients.clients import (
    ApiKey,
    Client,
    ClientId,
    KeyId,
    Scope,
    read_client_name,
    read_scopes,
    write_scopes,
)
from engine.errors import StaffMistake

KEY = ApiKey(
    KeyId("a" * 32), Client(ClientId("b" * 32), "shop"), frozenset(Scope), b"", 1, 1_000
)  # fmt: skip


def test_scopes_are_read_as_they_are_written() -> None:
    for scopes in (frozenset(Scope), frozenset({Scope.RATES_READ})):
        assert read_scopes(",".join(write_scopes(scopes))) == scopes
    assert read_scopes(" Payments:Write , quotes:read") == {
        Scope.PAYMENTS_WRITE, Scope.QUOTES_READ,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", ",", "payments", "payments:write,all", "*"])
def test_a_word_that_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(StaffMistake, match="payments:write"):
        read_scopes(text)


@pytest.mark.parametrize("text", ["", " ", "a" * 41, "a b", "späti", "a/b", "a\nb", "a:b"])
def test_a_name_that_could_be_mistaken_is_refused(text: str) -> None:
    with pytest.raises(StaffMistake):
        read_client_name(text)


def test_a_name_is_kept_in_lower_case() -> None:
    assert read_client_name(" Shop-2.Test ") == "shop-2.test"


GOOD = (
    (KEY, 1_000, True),
    (KEY._replace(expires_ms=2_000), 1_999, True),
    (KEY._replace(expires_ms=2_000), 2_000, False),
    (KEY._replace(ended_ms=1_500), 1_000, False),  # whatever the clocks say
    (KEY._replace(replaced_by=KeyId("c" * 32)), 5_000, True),
)


@pytest.mark.parametrize(("key", "now_ms", "is_good"), GOOD)
def test_a_key_is_good_until_it_expires_or_is_revoked(
    key: ApiKey, now_ms: int, is_good: bool
) -> None:
    assert key.is_good(now_ms) is is_good
