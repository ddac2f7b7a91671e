from simulator.phone.calls import CALLS_MAX, Calls


def test_the_latest_comes_first_and_a_code_stands_there_once() -> None:
    calls = Calls()
    for code in ("*1#", "*2#", "*1#"):
        calls.add(code)
    calls.open()
    assert calls.describe() == "▶ *1#\n  *2#"


def test_the_cursor_goes_round() -> None:
    calls = Calls()
    for code in ("*1#", "*2#", "*3#"):
        calls.add(code)
    calls.open()
    seen = []
    for _ in range(4):
        seen.append(calls.chosen)
        calls.move(+1)
    assert seen == ["*3#", "*2#", "*1#", "*3#"]
    calls.move(-1)
    assert calls.chosen == "*3#"


def test_the_oldest_is_forgotten() -> None:
    calls = Calls()
    assert not calls
    for number in range(CALLS_MAX + 3):
        calls.add(f"*{number}#")
    assert len(calls.describe().splitlines()) == CALLS_MAX
    assert "*2#" not in calls.describe()
