"""The devnet as a program: what it is told at the start, and how it says that it cannot run."""

import socket
from pathlib import Path

import pytest

from simulator.devnet.command import run_devnet


def test_an_address_that_is_none_is_an_option_of_no_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_devnet(["--executor", "model", "--accounts", "0xnobody"])
    assert caught.value.code == 2
    assert "'0xnobody' is no address" in capsys.readouterr().err


def test_a_chain_id_that_no_chain_can_have_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_devnet(["--executor", "model", "--chain-id", "256"])
    assert caught.value.code == 2
    assert "chain id" in capsys.readouterr().err


def test_a_taken_port_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code = run_devnet(["--executor", "model", "--port", port, "--data", str(tmp_path)])
    assert code == 1
    assert f"port {port}" in capsys.readouterr().err
    # The folder keeps a chain now; one with other accounts is another chain.
    others = ["--executor", "model", "--port", port, "--data", str(tmp_path), "--accounts", "0x7"]
    assert run_devnet(others) == 1
    assert "was run as" in capsys.readouterr().err
