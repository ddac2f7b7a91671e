"""Programs that somebody ends by Ctrl-C: they end at once, tell what they know, leave nobody."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.long("starts programs and ends them")

SCRIPT = "phone payer +25471???????\ndial *1#\n| Welcome\ntype 1\n| Once more\n"
PATIENCE_SECONDS = 120.0
CTRL_C = b"\x03"


class Echo(BaseHTTPRequestHandler):
    """A server that knows two screens."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        typed = self.rfile.read(int(self.headers["content-length"]))
        text = b"CON Welcome" if typed.endswith(b"text=") else b"CON Once more"
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """It is quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    served = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}/"
    served.shutdown()
    served.server_close()
    thread.join()


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "simulator", *arguments]


@pytest.fixture
def walking(server: str, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """`capp load` in the middle of its run: a line of progress told that turns are answered."""
    file = tmp_path / "walk.txt"
    file.write_text(SCRIPT)
    command = program(
        "load", str(file), "--url", server, "--rate", "20", "--seconds", "600", "--think", "0..0.5"
    )
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as started:
        try:
            assert started.stderr is not None
            while not re.search(r"turns [1-9]", started.stderr.readline()):
                assert started.poll() is None, started.communicate()
            yield started
        finally:
            started.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_load_that_is_broken_off_reports_what_was_seen(
    walking: "subprocess.Popen[str]", number: signal.Signals
) -> None:
    walking.send_signal(number)
    told, complaints = walking.communicate(timeout=PATIENCE_SECONDS)
    assert walking.returncode == 128 + number
    assert re.search(r"^broken off after [\d.]+ s; this was seen until then:", told)
    assert re.search(r"^[1-9]\d* turns answered in ", told, re.MULTILINE)
    assert "wrong answers: none" in told and "Traceback" not in complaints


# At a terminal of its own.


def read_until(terminal: int, wanted: bytes) -> bytes:
    seen, deadline = b"", time.monotonic() + PATIENCE_SECONDS
    while wanted not in seen:
        assert time.monotonic() < deadline, seen[-2_000:]
        if select.select([terminal], [], [], 0.5)[0]:
            seen += os.read(terminal, 65_536)
    return seen


def read_to_its_end(terminal: int) -> bytes:
    """What a program still writes until it closes its terminal."""
    seen = b""
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # How Linux tells that nobody holds the other side any more.
            return seen
        if not part:
            return seen
        seen += part


@contextmanager
def at_a_terminal(*arguments: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    ours, theirs = pty.openpty()
    started = subprocess.Popen(
        program(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"},
        preexec_fn=partial(os.login_tty, 0),
    )  # fmt: skip
    os.close(theirs)
    try:
        yield ours, started
    finally:
        if started.poll() is None:
            started.kill()
        started.wait()
        with suppress(OSError):  # it may have been closed before
            os.close(ours)


def group_of(leader: int) -> list[int]:
    """Who lives in the session that this process leads."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def test_console_over_its_own_sandboxes_ends_by_ctrl_c_and_leaves_nobody() -> None:
    with at_a_terminal("operators") as (terminal, console):
        read_until(terminal, b"mtn")
        assert group_of(console.pid)
        os.write(terminal, CTRL_C)
        rest = read_to_its_end(terminal)
        assert console.wait(PATIENCE_SECONDS) == 0
        assert b"Traceback" not in rest
        assert group_of(console.pid) == []


def test_the_phones_end_when_their_terminal_is_closed(server: str) -> None:
    """Their window: nobody reads any more what they draw, and what they say at their end."""
    with at_a_terminal("phone", "--url", server) as (terminal, phone):
        read_until(terminal, b"Nothing yet.")
        os.close(terminal)
        assert phone.wait(PATIENCE_SECONDS) == 0
        assert group_of(phone.pid) == []


def test_load_at_a_terminal_ends_by_ctrl_c_and_leaves_nobody(server: str, tmp_path: Path) -> None:
    file = tmp_path / "walk.txt"
    file.write_text(SCRIPT)
    with at_a_terminal("load", str(file), "--url", server, "--rate", "20", "--seconds", "600") as (
        terminal,
        walking,
    ):
        read_until(terminal, b" s  begun ")
        os.write(terminal, CTRL_C)
        told = read_to_its_end(terminal)
        assert walking.wait(PATIENCE_SECONDS) == 128 + signal.SIGINT
        assert b"broken off after" in told and b"Traceback" not in told
        assert group_of(walking.pid) == []


@pytest.mark.parametrize("times", [1, 2])
def test_record_that_is_broken_off_writes_what_was_taken_and_ends_at_once(
    server: str, tmp_path: Path, times: int
) -> None:
    file = tmp_path / "recorded.txt"
    with at_a_terminal("record", str(file), "--url", server) as (terminal, recording):
        read_until(terminal, b"End with Ctrl-D.")
        for typed, shown in ((b"*384*96#\n", b"| Welcome"), (b"1\n", b"| Once more")):
            os.write(terminal, typed)
            read_until(terminal, shown)
        began = time.monotonic()
        for _ in range(times):
            os.write(terminal, CTRL_C)
        told = read_to_its_end(terminal)
        assert recording.wait(PATIENCE_SECONDS) == 128 + signal.SIGINT
        assert time.monotonic() - began < PATIENCE_SECONDS
        assert b"Traceback" not in told and b"Fatal" not in told
    assert file.read_text().endswith(
        "\npayer: dial *384*96#\n| Welcome\npayer: type 1\n| Once more\n"
    )
