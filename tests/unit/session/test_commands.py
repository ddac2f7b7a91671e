"""Commands as bytes, and the slot of their keys."""

import pytest
from redis.exceptions import DataError

from engine.session.commands import Argument, pack, slot_of


@pytest.mark.parametrize(
    ("command", "slot"),
    [
        # The first two are worked out in the cluster specification and in redis-cli.
        (("GET", "123456789"), 12739),
        (("GET", "foo"), 12182),
        (("get", b"foo"), 12182),
        (("GET", "{foo}bar"), 12182),
        (("GET", "capp:{foo}:{bar}"), 12182),
        (("GET", "foo{}"), 5542),
        (("EVALSHA", "abc", 2, "foo", "bar"), 12182),
        (("EVAL", "return 1", b"1", "foo"), 12182),
        (("EVAL", "return 1", 0), None),
        (("EVALSHA", "abc", 0, "foo"), None),
        (("PING",), None),
        (("ECHO", "foo"), None),
        (("SCRIPT", "FLUSH"), None),
        (("CLUSTER", "SLOTS"), None),
    ],
)
def test_a_command_goes_to_the_slot_of_its_first_key(
    command: tuple[Argument, ...], slot: int | None
) -> None:
    assert slot_of(command) == slot


def test_what_redis_cannot_be_sent_is_refused_and_not_quoted() -> None:
    assert pack(("SET", "a", 1)) == b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
    with pytest.raises(DataError) as caught:
        pack(("SET", None, "4826"))
    assert "4826" not in str(caught.value)
