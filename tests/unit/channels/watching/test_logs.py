"""Lines for people and for machines, with what they are about."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from channels.watching.logs import Form, ForPeople, Line, handler_of, set_up_logging
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


@pytest.mark.parametrize("seconds", [1_795_251_600.0, 1_795_251_600.9999, 1_795_251_599.001, 0.5])
def test_a_line_for_people_begins_with_the_time_as_logging_writes_it(seconds: float) -> None:
    record = logging.LogRecord("tests", logging.INFO, "", 0, "paid", None, None)
    record.created, record.msecs = seconds, int((seconds - int(seconds)) * 1000) + 0.0
    usual = logging.Formatter("%(asctime)s").format(record)
    people = ForPeople()
    assert [people.format(record).partition(" INFO")[0] for _ in range(2)] == [usual, usual]
    record.created, record.msecs = seconds + 7, record.msecs
    assert people.format(record) != usual


def test_what_a_terminal_would_obey_is_written_out(said: Said) -> None:
    stream = said("text")
    log.info("back\x1b[2J \u202egnp.exe")
    log.info("karibu é ወ")
    obeyed, plain = stream.getvalue().splitlines()
    assert obeyed.endswith("back\\x1b[2J \\u202egnp.exe")
    assert plain.endswith("karibu é ወ")


def test_who_migrates_reads_of_its_steps_and_not_of_alembics_parts() -> None:
    set_up_logging("info", "text")
    assert not logging.getLogger("alembic.runtime.plugins").isEnabledFor(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.INFO)
    assert logging.getLogger("alembic.runtime.migration").isEnabledFor(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.NOTSET)


def test_a_log_that_is_set_up_stays_as_it_is() -> None:
    root = logging.getLogger()
    root.addHandler(mine := logging.NullHandler())
    before = list(root.handlers)
    set_up_logging("debug", "json")
    assert root.handlers == before
    root.removeHandler(mine)


def test_a_record_says_what_the_one_of_logging_says_and_leaves_the_rest_readable() -> None:
    for args in [("a", 2), ({"who": "b"},), (), ({},), None]:
        given = ("tests", logging.WARNING, "place.py", 7, "it is", args, None)
        ours, usual = Line(*given), logging.LogRecord(*given)
        for name in ("name", "msg", "args", "levelno", "levelname", "exc_info"):
            assert getattr(ours, name) == getattr(usual, name)
        assert ours.created == pytest.approx(usual.created, abs=5)
    everything = logging.Formatter("%(asctime)s %(module)s %(lineno)d %(threadName)s %(message)s")
    assert everything.format(ours).endswith(" it is")


def test_a_line_that_cannot_be_written_stops_nobody(
    said: Said, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = said("text")
    stream.close()
    log.info("nobody hears it")
    log.info("%d of them", "many")
    assert "ValueError" in capsys.readouterr().err


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
