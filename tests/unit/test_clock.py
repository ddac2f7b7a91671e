import os
import warnings
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from engine.clock import (
    Clock,
    Ids,
    SystemRandom,
    epoch_ms_of,
    epoch_of,
    first_id_at,
    is_id,
    made_at,
    moment_of,
    ms_of,
)


class StoppedClock(Clock):
    """Always the same moment."""

    def epoch(self) -> float:
        return 1_700_000_000.123


def test_ids_are_uuid_version_7_and_tell_their_time() -> None:
    made = Ids(StoppedClock()).hex()
    assert len(made) == 32
    assert UUID(made).version == 7
    assert UUID(made).variant == "specified in RFC 4122"
    assert epoch_ms_of(made) == 1_700_000_000_123
    assert epoch_of(made) == 1_700_000_000.123


def test_ids_of_one_moment_differ_and_randomness_is_passed_in() -> None:
    ids = Ids(StoppedClock())
    assert len({ids.hex() for _ in range(1000)}) == 1000
    zeros = Ids(StoppedClock(), random=bytes).hex()
    ones = Ids(StoppedClock(), random=lambda count: b"\xff" * count).hex()
    assert UUID(zeros).version == UUID(ones).version == 7
    assert zeros < ones


def test_ids_drawn_together_keep_every_random_bit_and_nothing_else() -> None:
    """Version and variant alone are fixed; 74 bits of each are random, as RFC 9562 has them."""
    ids = Ids(StoppedClock())
    made = [int(ids.hex(), 16) for _ in range(2000)]
    set_somewhere, set_everywhere = 0, (1 << 128) - 1
    for number in made:
        set_somewhere |= number
        set_everywhere &= number
    varying = set_somewhere & ~set_everywhere
    assert varying == 0x0FFF3FFFFFFFFFFFFFFF
    assert len({number & varying for number in made}) == len(made)


def test_an_id_of_given_bytes_is_the_same_for_ever() -> None:
    """Recorded worlds are replayed from their seed."""
    ids = Ids(StoppedClock(), random=lambda count: bytes(range(1, count + 1)))
    assert ids.hex() == "018bcfe5687b7010a030405060708090"


def test_randomness_that_is_passed_in_is_asked_for_each_id_anew() -> None:
    """A world made from a seed is the same again, however many ids another part of it draws."""
    asked: list[int] = []

    def draw(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    ids = Ids(StoppedClock(), random=draw)
    ids.hex()
    ids.hex()
    assert asked == [10, 10]


def test_the_first_id_of_a_moment_is_below_all_of_them() -> None:
    moment = datetime.fromtimestamp(1_700_000_000.123, UTC)
    assert first_id_at(moment) < Ids(StoppedClock()).hex()
    assert made_at(first_id_at(moment)) == moment


def test_an_aware_time_is_ours_to_the_millisecond_and_never_one_too_late() -> None:
    for ms in (0, 1, 1_001, 1_795_260_309_250, 1_795_260_309_251, 1_732_000_000_001):
        moment = moment_of(ms) + timedelta(microseconds=999)
        assert ms_of(moment) == ms
        assert ms_of(moment.astimezone(timezone(timedelta(hours=3)))) == ms
        assert epoch_ms_of(first_id_at(moment)) == ms


def test_a_process_and_its_child_draw_other_bytes() -> None:
    draw, ids = SystemRandom(), Ids(StoppedClock())
    draw(16)
    ids.hex()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
        child = os.fork()
    if not child:
        os.write(writing, draw(16) + ids.hex().encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(reading, 48)
    assert len(told) == 48
    assert told[:16] != draw(16)
    assert told[16:].decode() != ids.hex()
    os.close(reading)
    os.close(writing)


def test_an_id_is_told_by_its_form() -> None:
    assert is_id(Ids(Clock()).hex())
    good = "0123456789abcdef" * 2
    for none in ("", good[:-1], good + "0", good[:-1] + "A", good[:-1] + "\n", good[:-1] + "٣"):
        assert not is_id(none), none
