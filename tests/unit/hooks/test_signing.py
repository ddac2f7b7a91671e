"""Signatures as the specification's own libraries make them."""

import base64

import pytest

from engine.hooks.signing import sign, write_secret
from simulator.receiver import TOLERANCE_SECONDS, Refused, verify

# From the specification's libraries: `libraries/javascript/src/webhook.test.ts`, "sign function
# works", and the same in the Python and Go libraries (read 2026-11-21).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

KEY = base64.b64decode(SECRET.removeprefix("whsec_"))
OLD = bytes(range(32))


def headers(signature: str = SIGNATURE, **changed: str) -> dict[str, str]:
    named = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": signature}
    return {**named, **{name.replace("_", "-"): value for name, value in changed.items()}}


def test_the_published_vector_comes_out() -> None:
    assert sign([KEY], ID, AT, BODY) == SIGNATURE
    assert write_secret(KEY) == SECRET


def test_each_secret_signs_the_newest_first() -> None:
    both = sign([KEY, OLD], ID, AT, BODY)
    assert both == f"{SIGNATURE} {sign([OLD], ID, AT, BODY)}"
    for secret in (SECRET, write_secret(OLD)):
        assert verify(headers(both), BODY, [secret], AT) == (ID, AT)


def test_an_id_with_a_full_stop_is_never_signed() -> None:
    with pytest.raises(AssertionError):
        sign([KEY], "a.1", AT, BODY)


@pytest.mark.parametrize(
    ("given", "body", "now"),
    [
        pytest.param(headers(), BODY + b" ", AT, id="another body"),
        pytest.param(headers(webhook_id="msg_2"), BODY, AT, id="another id"),
        pytest.param(headers(webhook_timestamp=str(AT + 1)), BODY, AT, id="another time"),
        pytest.param(headers(), BODY, AT + TOLERANCE_SECONDS + 1, id="a replay, later"),
        pytest.param(headers(), BODY, AT - TOLERANCE_SECONDS - 1, id="from the future"),
        pytest.param(headers(webhook_timestamp="now"), BODY, AT, id="no time"),
        pytest.param(headers("v1,"), BODY, AT, id="an empty signature"),
        pytest.param(headers(SIGNATURE.replace("v1,", "v2,")), BODY, AT, id="another scheme"),
        pytest.param(headers(sign([OLD], ID, AT, BODY)), BODY, AT, id="another secret"),
        pytest.param({}, BODY, AT, id="no headers"),
    ],
)
def test_a_receiver_refuses_what_is_not_as_it_was_signed(
    given: dict[str, str], body: bytes, now: float
) -> None:
    with pytest.raises(Refused):
        verify(given, body, [SECRET], now)
