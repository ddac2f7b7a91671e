"""The timetables that are shipped, with the first looks of an installation."""

from channels.reconciliation import read_polling
from channels.settings import read_settings
from engine.ports import Direction
from tests.unit.channels.test_settings import GOOD

COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND


def test_airtel_is_given_its_three_minutes_after_a_prompt_and_nowhere_else() -> None:
    tables = read_polling(read_settings(GOOD))
    first = {direction: tables.of("airtel_ke", direction).looks[0] for direction in Direction}
    assert first == {COLLECT: 180, DISBURSE: 30, REFUND: 30}
    assert tables.of("airtel_ke", COLLECT).unclear_after == 240


def test_first_looks_of_an_installation_go_before_what_is_usual_alone() -> None:
    environment = {
        **GOOD,
        "CAPP_FIRST_LOOK_SECONDS": "20",
        "CAPP_FIRST_PAYOUT_LOOK_SECONDS": "10",
    }
    tables = read_polling(read_settings(environment))
    first = {direction: tables.of("mtn_ug", direction).looks[0] for direction in Direction}
    assert first == {COLLECT: 20, DISBURSE: 10, REFUND: 20}
    assert tables.of("airtel_ke", COLLECT).looks[0] == 180
    assert tables.of("airtel_ke", DISBURSE).looks[0] == 10
    assert tables.of("zamtel_zm", COLLECT).looks == (150,)
