"""Lines for people and for machines, with what they are about."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from channels.watching.logs import Form, handler_of, set_up_logging
from engine.correlation import speaking_of, spoken_of

log = logging.getLogger("tests.watching")

Said = Callable[[Form], io.StringIO]


@pytest.fixture
def said() -> Iterator[Callable[[Form], io.StringIO]]:
    """Everything that is logged here from now on, in that form."""

    def begin(form: Form) -> io.StringIO:
        handler = handler_of(form)
        handler.setStream(stream := io.StringIO())
        log.handlers, log.propagate = [handler], False
        log.setLevel(logging.INFO)
        return stream

    yield begin
    log.handlers, log.propagate = [], True
    log.setLevel(logging.NOTSET)


def test_a_line_for_machines_is_one_object_with_what_it_is_about(said: Said) -> None:
    stream = said("json")
    with speaking_of(session="ab12"), speaking_of(payment="77"):
        log.info("confirmed for %s", "+254712345678")
    log.debug("not said at this level")
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert told.pop("at").endswith("+00:00")
    assert told == {
        "level": "info",
        "logger": "tests.watching",
        "message": "confirmed for +254******678",
        "session": "ab12",
        "payment": "77",
    }


def test_a_line_break_from_outside_makes_no_second_line(said: Said) -> None:
    stream = said("json")
    log.warning("unreadable: %s", 'x\n{"level":"info","message":"all is well"}')
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("failed")
    first, second = stream.getvalue().splitlines()
    assert json.loads(first)["message"].startswith("unreadable: x\n")
    assert "ValueError: two\nlines" in json.loads(second)["trace"]


def test_a_line_for_people_says_what_it_is_about_behind_it(said: Said) -> None:
    stream = said("text")
    with speaking_of(payment="77"):
        log.info("paid")
    log.info("nothing in particular")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("INFO tests.watching: paid payment=77")
    assert second.endswith("INFO tests.watching: nothing in particular")


def test_a_log_that_is_set_up_stays_as_it_is() -> None:
    root = logging.getLogger()
    root.addHandler(mine := logging.NullHandler())
    before = list(root.handlers)
    set_up_logging("debug", "json")
    assert root.handlers == before
    root.removeHandler(mine)


async def test_what_is_spoken_of_travels_with_tasks_and_ends_with_its_block() -> None:
    async def look() -> dict[str, str]:
        await asyncio.sleep(0)
        return dict(spoken_of())

    with speaking_of(session="s"):
        task = asyncio.create_task(look())
        with speaking_of(payment="p"):
            assert spoken_of() == {"session": "s", "payment": "p"}
        assert spoken_of() == {"session": "s"}
    assert spoken_of() == {}
    assert await task == {"session": "s"}
