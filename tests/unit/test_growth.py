"""What grows like a line is told from what grows like a square."""

import gc

from tests.growth import grows_in_line

LENGTH = 30_000


def test_a_line_is_a_line() -> None:
    assert grows_in_line(lambda size: sum(range(size)), LENGTH)


def test_a_square_is_none() -> None:
    assert not grows_in_line(lambda size: [sum(range(n)) for n in range(0, size, 10)], 1000)


def test_what_gets_dearer_each_time_is_none() -> None:
    done: list[int] = []

    def work(size: int) -> None:
        for n in range(size):
            done.append(n)
            sum(done)

    assert not grows_in_line(work, 300)


def test_rubbish_is_collected_again_afterwards() -> None:
    assert gc.isenabled()
    grows_in_line(lambda size: None, 1)
    assert gc.isenabled()
