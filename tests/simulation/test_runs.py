"""Many worlds are the same worlds, whoever lives through them, and a breach is told at once."""

from pathlib import Path

import pytest

from tests.simulation import __main__ as command
from tests.simulation import runs
from tests.simulation.model import Model
from tests.simulation.runs import Total, in_turn, side_by_side
from tests.simulation.world import Options

FEW = Options(payments=4)


def added(totals: list[Total]) -> Total:
    total = Total()
    for part in totals:
        total.add(part)
    total.cpu_seconds = 0.0
    return total


def test_two_processes_live_through_the_same_worlds_as_one() -> None:
    alone = list(in_turn(range(1, 8), FEW, goes_on=False))
    together = list(side_by_side(range(1, 8), FEW, processes=2, goes_on=False))
    assert [(t.steps, t.states, t.happened) for t in together] == [
        (t.steps, t.states, t.happened) for t in alone
    ]
    assert added(together) == added(alone)
    assert added(alone).payments == 28


def test_a_breach_ends_a_run_with_its_command_unless_it_is_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Model, "checks_versions", False)
    monkeypatch.setattr(Model, "_is_known_move", lambda *_: True)  # or that would stop it
    assert command.main(["--seeds", "1..40"]) == 1
    told = capsys.readouterr().out
    assert told.count("again: make simulate SEED=") == 1
    assert "1 broken" in told
    seed = told.split("SEED=")[1].split()[0]
    assert command.main(["--seeds", f"{seed}..{int(seed) + 1}", "--all"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == told.splitlines()[0]


def test_a_long_run_keeps_a_line_for_each_chunk_and_stops_when_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, stop = tmp_path / "log", tmp_path / "stop"
    arguments = ["--payments-per-seed", "4", "--log", str(log), "--stop", str(stop)]
    assert command.main(["--seeds", "1..5", "--chunk", "2", *arguments]) == 0
    lines = log.read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == ["seeds 1..2", "seeds 3..4", "seeds 5..5"]
    assert "8 payments in 2 worlds, 0 broken" in lines[0]

    live = runs._live

    def live_and_stop(*arguments: object) -> Total:
        stop.touch()
        return live(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "_live", live_and_stop)
    assert command.main(["--seeds", "6..9", "--chunk", "2", *arguments]) == 0
    assert [line.split(":")[0] for line in log.read_text().splitlines()[3:]] == ["seeds 6..7"]
