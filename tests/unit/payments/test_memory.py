"""What a process remembers of attempts it has begun itself, and what it never claims to know."""

import msgspec

from engine.clock import AttemptId
from engine.payments.lifecycle import State
from engine.payments.memory import Memory
from engine.ports import Direction
from tests.unit.payments.examples import payment

ATTEMPT = AttemptId("a" * 32)


def test_an_attempt_is_told_once_and_then_the_store_is_asked() -> None:
    memory = Memory()
    memory.note(paying := payment(State.PAYING, live=ATTEMPT))
    told = memory.take(ATTEMPT)
    assert told is not None
    assert told.payment is paying
    assert (told.attempt_id, told.direction, told.operator) == (
        ATTEMPT, Direction.DISBURSE, "mtn_ug",
    )  # fmt: skip
    assert memory.take(ATTEMPT) is None


def test_the_newest_version_of_a_payment_is_told() -> None:
    memory = Memory()
    memory.note(payment(State.COLLECTING, version=1, live=ATTEMPT))
    memory.note(payment(State.COLLECT_UNKNOWN, version=2, live=ATTEMPT))
    told = memory.take(ATTEMPT)
    assert told is not None and told.payment.version == 2


def test_of_what_is_given_back_or_has_no_attempt_nothing_is_remembered() -> None:
    memory = Memory()
    memory.note(payment(State.REFUNDING, live=ATTEMPT))
    memory.note(msgspec.structs.replace(payment(State.PAID), live=None))
    assert memory.take(ATTEMPT) is None


def test_of_too_many_the_oldest_are_forgotten() -> None:
    memory = Memory(attempts_max=3)
    attempts = [AttemptId(f"{number:032x}") for number in range(5)]
    for attempt_id in attempts:
        memory.note(payment(State.COLLECTING, live=attempt_id))
        memory.note_reference(attempt_id, "ws_CO_1")
    assert [memory.take(each) is not None for each in attempts] == [False] * 2 + [True] * 3
    known = [memory.was_taken_under(each, "ws_CO_1") for each in attempts]
    assert known == [False] * 2 + [True] * 3


def test_only_the_reference_that_was_stored_is_known() -> None:
    memory = Memory()
    memory.note_reference(ATTEMPT, "ws_CO_1")
    assert memory.was_taken_under(ATTEMPT, "ws_CO_1")
    assert not memory.was_taken_under(ATTEMPT, "ws_CO_2")
