"""What is kept of a callback nobody vouches for, when it is no JSON: enough to know it again."""

import hashlib
from typing import Any

import msgspec
import pytest

from channels.webhooks import Reception

BODY = b"amount=500&pin=4831"
PLAIN = b"text/plain; charset=utf-8"


def outline(key: bytes, body: bytes = BODY, content_type: bytes = PLAIN) -> dict[str, object]:
    nobody: Any = object()  # an outline asks none of the others
    reception = Reception(
        operators={}, addresses=nobody, sources=nobody, traffic=nobody, clock=nobody,
        digest_key=key, strangers=nobody,
    )  # fmt: skip
    scope = {"headers": [(b"content-length", b"19"), (b"content-type", content_type)]}
    found: dict[str, object] = msgspec.json.decode(reception.outline(body, scope))
    return found


def test_the_same_bytes_are_known_again_and_others_are_told_apart() -> None:
    first = outline(b"k" * 32)
    assert first == {"bytes": 19, "digest": first["digest"], "type": "text/plain"}
    assert outline(b"k" * 32) == first
    assert outline(b"k" * 32, BODY[:-1] + b"2")["digest"] != first["digest"]


@pytest.mark.parametrize("key", [b"k" * 16, b"k" * 32, b"k" * 200])
def test_without_the_key_nobody_finds_out_what_the_bytes_were(key: bytes) -> None:
    """There are ten thousand PINs: whoever may try them all against a digest knows it."""
    digest = outline(key)["digest"]
    assert len(str(digest)) == 16
    assert digest != hashlib.blake2b(BODY, digest_size=8).hexdigest()
    assert digest != outline(b"other" + key[5:])["digest"]


@pytest.mark.parametrize("said", [b"x" * 1_000, b"a/b\r\nb", b"\x1b[2J\xff" * 40])
def test_a_type_is_the_senders_choice_and_kept_short_and_printable(said: bytes) -> None:
    kept = str(outline(b"k" * 32, content_type=said)["type"])
    assert kept.isprintable()
    assert len(kept) <= 60
