"""What a program loads before it does anything: nothing dear that only another one needs."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.channels.test_settings import GOOD

pytestmark = pytest.mark.long("starts programs")

ROOT = Path(__file__).parents[3]
SERVER = {"starlette.applications", "uvicorn", "jwt", "channels.app", "channels.api"}
OUTSIDE = {"httpx", "redis", "aptos_sdk", "sentry_sdk"}
SCHEMA = {"alembic", "sqlalchemy"}
DEAR = {*SERVER, *OUTSIDE, *SCHEMA, "cryptography", "yaml", "prometheus_client", "rapidfuzz"}

LISTED = "import sys; {}; print(chr(10).join(sys.modules))"


def loaded_by(statement: str) -> set[str]:
    found = subprocess.run(
        [sys.executable, "-c", LISTED.format(statement)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(found.stdout.splitlines())


@pytest.mark.parametrize(
    ("statement", "wanted", "not_wanted"),
    [
        ("import channels.cli", {"channels.settings"}, DEAR),
        ("import channels.commands.data", {"cryptography"}, DEAR - {"cryptography"}),
        (
            "import channels.commands.working", {"channels.wiring", "httpx"},
            {*SCHEMA, "jwt", "channels.app", "channels.api", "aptos_sdk", "sentry_sdk"},
        ),
        (
            "import channels.commands.serving", {*SERVER, "channels.wiring"},
            {*SCHEMA, "channels.worker", "aptos_sdk", "sentry_sdk"},
        ),
        ("import simulator.__main__", {"simulator.__main__"}, {*DEAR, "textual"}),
    ],
)  # fmt: skip
def test_a_start_waits_for_nothing_that_only_others_need(
    statement: str, wanted: set[str], not_wanted: set[str]
) -> None:
    loaded = loaded_by(statement)
    assert loaded & not_wanted == set()
    assert wanted <= loaded


@pytest.mark.parametrize("words", [["--help"], ["no-such-command"]])
def test_help_and_mistakes_list_every_command_without_loading_one(words: list[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "channels.cli", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert "channels.settings" in loaded
    assert not loaded & {
        *DEAR,
        "channels.commands.books",
        "channels.commands.desk",
        "channels.wiring",
    }
    for command in ("serve", "worker", "doctor", "approve"):
        assert command in told.stdout + told.stderr.partition("invalid choice")[2]


@pytest.mark.parametrize("words", [["books"], ["doctor"], ["data", "rotate"]])
def test_what_is_stopped_by_ctrl_c_ends_without_a_trace(words: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # a database that never answers
        mute.settimeout(120)
        url = f"postgresql://127.0.0.1:{mute.getsockname()[1]}/capp?sslmode=disable"
        command = [sys.executable, "-m", "channels.cli", *words]
        with subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **GOOD, "DATABASE_URL": url},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as started:  # fmt: skip
            heard, _ = mute.accept()
            # The kernel took it in before the program knew: asyncio logs a stop between the two.
            heard.settimeout(120)
            assert heard.recv(1)
            started.send_signal(signal.SIGINT)
            _, err = started.communicate(timeout=120)
            heard.close()
    assert (started.returncode, err) == (130, "")
