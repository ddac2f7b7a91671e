"""Starting, ending and finding programs; the command line; what is left on the disk."""

import argparse
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import amounts, places, play, stack
from simulator.__main__ import main
from simulator.child import Child, ChildDied, end_leftovers, remember
from simulator.folder_lock import Busy, FolderLock
from simulator.installation import folder_of, write_environment
from simulator.places import NowhereToGo, Places
from simulator.stack import Stack

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('up', flush=True); time.sleep(600)",
]
FAMILY = [
    sys.executable,
    "-c",
    "import subprocess, sys, time; c = subprocess.Popen([sys.executable, '-c', "
    "'import time; time.sleep(600)']); print(c.pid, flush=True); time.sleep(600)",
]


def _make(command: list[str], folder: Path) -> Child:
    log = folder / "it.log"
    return Child("it", command, environment=dict(os.environ), folder=folder, log=log)


def _started(command: list[str], folder: Path) -> Child:
    child = _make(command, folder)
    child.start()
    deadline = time.monotonic() + 120
    while not child.tail() and time.monotonic() < deadline:
        time.sleep(0.01)
    return child


def _exists(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Child]:
    child = _started(SLEEP, tmp_path)
    yield child
    child.kill()


def test_a_child_is_stopped_and_may_be_started_again(sleeper: Child) -> None:
    first = sleeper.pid
    sleeper.stop()
    sleeper.stop()
    assert not sleeper.is_alive
    sleeper.start()
    assert sleeper.is_alive
    assert sleeper.pid != first


def test_a_child_that_ignores_the_signal_is_ended_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.child.STOP_SECONDS", 0.2)
    child = _started(STUBBORN, tmp_path)
    child.stop()
    assert not child.is_alive


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    child = _started(FAMILY, tmp_path)
    grandchild = int(child.tail())
    assert _exists(grandchild)
    child.stop()
    deadline = time.monotonic() + 120
    while _exists(grandchild) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _exists(grandchild)


def test_a_child_that_died_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = _make([sys.executable, "-c", "raise SystemExit('no port')"], tmp_path)
    child.start()
    with pytest.raises(ChildDied, match=r"(?s)it ended with exit code 1.*no port"):
        while True:
            child.check()
            time.sleep(0.01)
    child.stop()


def test_what_a_killed_run_left_behind_is_ended(sleeper: Child, tmp_path: Path) -> None:
    file = tmp_path / "children.json"
    remember([sleeper], file)
    end_leftovers(file)
    assert not sleeper.is_alive
    assert not file.exists()


def test_a_stranger_with_a_remembered_pid_is_left_alone(sleeper: Child, tmp_path: Path) -> None:
    file = tmp_path / "children.json"
    file.write_text(f'[{{"pid": {sleeper.pid}, "command": ["other", "program"]}}]')
    end_leftovers(file)
    assert sleeper.is_alive


def test_secrets_are_made_once_and_only_we_may_read_them(tmp_path: Path) -> None:
    file = tmp_path / "demo.env"
    made = stack.read_secrets(file)
    assert stack.read_secrets(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made["CAPP_PIN_KEYS"].startswith("1:")
    lengths = {name: len(value.removeprefix("1:")) for name, value in made.items()}
    assert lengths == {
        "CAPP_PIN_KEYS": 64, "CAPP_CALLBACK_KEYS": 64, "CAPP_SESSION_KEY": 64,
        "CAPP_DATA_KEYS": 64, "CAPP_STAFF_KEYS": 64, "CAPP_CLIENT_KEYS": 64,
        "CAPP_GATEWAY_TOKEN": 32, "CAPP_INSPECT_TOKEN": 32,
    }  # fmt: skip


@pytest.mark.parametrize("written", ["", '{"pla', "[]", '{"places": 1}', "{}"])
def test_a_state_file_that_is_none_is_told_in_a_sentence(tmp_path: Path, written: str) -> None:
    file = tmp_path / "demo.json"
    file.write_text(written)
    with pytest.raises(NowhereToGo, match="is of no demo"):
        places.from_options(_options(), file)


def test_a_state_file_of_another_version_tells_what_it_knows(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    file.write_text(
        '{"places": {"server": "s", "ussd_url": "u", "gateway": "g", "of_tomorrow": 1}}'
    )
    assert places.from_options(_options(), file) == Places(server="s", ussd_url="u", gateway="g")


@pytest.mark.parametrize("given", ["x", "mpesa_ke=", "=http://127.0.0.1", "a=b,"])
def test_sandboxes_without_name_or_address_are_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(NowhereToGo, match="write NAME=URL"):
        places.from_options(_options("--operators", given), tmp_path / "none.json")


def test_what_a_file_of_before_lacks_is_made_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "demo.env"
    kept = {**stack.read_secrets(file)}
    kept.pop("CAPP_INSPECT_TOKEN")
    file.write_text("".join(f"{name}={value}\n" for name, value in kept.items()))
    whole = stack.read_secrets(file)
    assert {name: whole[name] for name in kept} == kept
    assert len(whole["CAPP_INSPECT_TOKEN"]) == 32
    assert stack.read_secrets(file) == whole
    file.write_text("")  # of a machine that went down while it was written
    assert stack.read_secrets(file).keys() == whole.keys()


def test_what_the_next_start_reads_is_whole_however_this_one_ends(
    sleeper: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "children.json"
    remember([sleeper], file)
    before = file.read_text()

    def die(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        with pytest.raises(KeyboardInterrupt):
            remember([sleeper, sleeper], file)
    assert file.read_text() == before
    remember([sleeper, sleeper], file)
    assert file.read_text() != before
    assert not [kept.name for kept in tmp_path.iterdir() if kept.name.endswith(".new")]


def test_a_start_that_is_given_up_leaves_nothing_running(tmp_path: Path) -> None:
    class GivenUp(Exception):
        pass

    steps = 0
    started: list[Stack] = []

    def proceed() -> None:
        nonlocal steps
        steps += 1
        if steps == 2:  # The sandboxes run by now.
            raise GivenUp

    class Watched(Stack):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[arg-type]
            started.append(self)

    with pytest.raises(GivenUp):
        Watched.start(tmp_path, proceed=proceed)
    assert not started[0].sandboxes.is_alive
    assert not (tmp_path / "children.json").exists()
    assert not (tmp_path / "demo.json").exists()


def test_a_folder_in_use_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{}")
    lock = FolderLock(tmp_path)
    with pytest.raises(Busy):
        Stack.start(tmp_path)
    assert (tmp_path / "demo.json").exists()
    lock.release()
    FolderLock(tmp_path).release()


PLACES = Places(
    server="http://s", ussd_url="http://s/u", gateway="http://g",
    operators={"mpesa_ke": "http://m", "mtn_ug": "http://n"}, inspect_token="secret-token",
)  # fmt: skip


def test_addresses_written_are_read_back_and_options_win(tmp_path: Path) -> None:
    state = tmp_path / "demo.json"
    places.write(PLACES, state, pids={"web": 1})
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert places.from_options(_options(), state) == PLACES
    found = places.from_options(_options("--gateway", "http://x", "--operators", "a=b,c=d"), state)
    assert (found.gateway, found.operators) == ("http://x", {"a": "b", "c": "d"})
    assert found.server == "http://s"


def test_without_a_demo_the_missing_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(NowhereToGo, match=r"give --ussd-url, --gateway$"):
        places.from_options(_options("--server", "http://s"), tmp_path / "demo.json")


def test_the_token_is_in_no_representation() -> None:
    assert "secret-token" not in repr(PLACES)


@pytest.mark.parametrize(
    ("name", "url"),
    [("gateway", "http://g"), ("mpesa", "http://m"), ("mpesa_ke", "http://m"), ("mtn", "http://n")],
)
def test_a_sandbox_is_found_by_its_short_name(name: str, url: str) -> None:
    assert PLACES.sandbox(name) == url


@pytest.mark.parametrize(
    ("text", "currency", "minor", "shown"),
    [
        ("1,000.50", "KES", 100050, "KES 1,000.50"),
        ("0", "KES", 0, "KES 0.00"),
        ("13,600", "UGX", 13600, "UGX 13,600"),
    ],
)
def test_amounts_are_read_and_shown(text: str, currency: str, minor: int, shown: str) -> None:
    assert amounts.to_minor(text, currency) == minor
    assert amounts.show(minor, currency) == shown


def test_play_says_by_its_exit_code_that_a_file_is_of_no_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.txt"
    file.write_text("dail *1#\n")
    options = ["--server", "http://s", "--ussd-url", "http://s", "--gateway", "http://g"]
    assert main(["play", str(file), *options]) == play.UNUSABLE
    assert "bad.txt:1: 'dail' is none of" in capsys.readouterr().err


def test_play_says_by_its_exit_code_that_nobody_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "it.txt"
    file.write_text("dial *1#\n| Hello\n")
    nowhere = "http://127.0.0.1:1"
    options = ["--server", nowhere, "--ussd-url", nowhere, "--gateway", nowhere]
    assert main(["play", str(file), *options]) == play.NOT_AS_WRITTEN
    assert "ConnectError" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), ([], 2), (["fly"], 2)])
def test_the_commands_are_listed(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert "demo" in (out if code == 0 else err)


def test_a_data_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "data"
    told = subprocess.run(
        [sys.executable, "-m", "simulator", "demo", "--data", str(folder)],
        cwd=stack.PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith(f"\nnothing can be kept in {folder}: ")
    assert told.stderr.count("\n") == 2


class Enough(Exception):
    """The start has come far enough."""


def test_keys_of_a_database_of_ones_own_are_kept_apart_under_its_name(tmp_path: Path) -> None:
    def stop() -> None:
        raise Enough

    def start(database_url: str | None) -> None:
        with pytest.raises(Enough):
            Stack.start(tmp_path, operators=["mpesa_ke"], database_url=database_url, proceed=stop)

    own = ["postgresql://one@db.example.org/capp", "postgresql://one@db.example.org/other"]
    for url in (None, *own):
        start(url)
    files = [tmp_path / "demo.env", *(tmp_path / folder_of(url) / "demo.env" for url in own)]
    made = [file.read_text() for file in files]
    assert len(set(made)) == 3
    for url in (None, *own):
        start(url)
    assert [file.read_text() for file in files] == made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_for_a_safe_moment(number: signal.Signals) -> None:
    code = (
        "import os, time; from simulator.interrupts import *; i = Interrupts()\n"
        f"os.kill(os.getpid(), {int(number)}); time.sleep(0.05)\n"
        "try: i.check()\nexcept Interrupted: print('safe')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout == b"safe\n"


def _options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    places.add_options(parser)
    return parser.parse_args(arguments)


def test_a_shell_reads_what_the_server_was_told_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "server.env"
    told = {"CAPP_PIN_KEYS": "1:ab cd'$HOME", "DATABASE_URL": "postgresql:///x?a=1&b=2"}
    write_environment(file, {**told, "PATH": "/nowhere", "MY_DATABASE_URL": "another's"})
    assert file.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["/bin/sh", "-c", f". {file}; /usr/bin/env"],
        env={}, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert {f"{name}={value}" for name, value in told.items()} <= set(shown)
    assert not any("nowhere" in line or "another's" in line for line in shown)
