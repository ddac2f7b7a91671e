"""The phone and transcripts before a server that is not ours: the one in the README, unchanged."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from textual.widgets import Static

from simulator import embedded
from simulator.__main__ import main
from simulator.operators.world import World
from simulator.phone.app import Panel, PhoneApp
from simulator.places import Places

README = Path(__file__).parents[2] / "simulator" / "dialects" / "README.md"
PHONE = "+254712000001"
START_SECONDS_MAX = 120.0


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server of the README, started as a reader would, on a free port."""
    port = embedded.free_port()
    file = tmp_path_factory.mktemp("server") / "server.py"
    file.write_text(block("python").replace("8000", str(port)), "utf-8")
    with (file.parent / "log").open("w") as log:
        server = subprocess.Popen([sys.executable, file], stdout=log, stderr=log)
    try:
        yield _answering(f"http://127.0.0.1:{port}/", server)
    finally:
        server.terminate()
        server.wait(120)


def _answering(url: str, server: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and server.poll() is None:
        try:
            httpx.post(url, data={"text": ""}, trust_env=False, timeout=60)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return url
    raise AssertionError("the server of the README does not start")


def test_the_server_of_the_readme_has_ten_lines() -> None:
    assert len([line for line in block("python").splitlines() if line]) <= 10


async def test_the_phone_speaks_to_the_server_of_the_readme(url: str) -> None:
    places = Places(server="", ussd_url=url, gateway="", shortcode="*123#")
    client = httpx.AsyncClient(trust_env=False, verify=False, timeout=60)
    app = PhoneApp(client, places, World(), payer=PHONE, payee=None, trouble=lambda: None)
    async with app.run_test(size=(80, 24)) as pilot:
        [phone] = app.handsets
        await pilot.press("enter")
        while phone.display().text != "What is your name?":
            await pilot.pause(0.05)
        await pilot.press(*"Amina", "enter")
        while phone.display().text != "Hello, Amina.":
            await pilot.pause(0.05)
        panel = app.query_one(Panel).query_one(Static)
        while "Amina" not in str(panel.render()):
            await pilot.pause(0.05)
        assert app.query_one(Panel).border_title == "What the phone saw"
        for told in ("# payer", " *123#", "asks after", "ends after"):
            assert told in str(panel.render())
        assert phone.reachable


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "hello.txt"
    file.write_text(block("text"), "utf-8")
    return file


def test_the_transcript_of_the_readme_is_as_written(
    url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", "--url", url, str(script)]) == 0
    assert "| Hello, Amina." in capsys.readouterr().out


def test_a_server_of_another_dialect_is_found_out(
    url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", "--url", url, "--dialect", "hubtel", str(script)]) == 1
    assert "content type 'text/plain' is not application/json" in capsys.readouterr().err


def test_a_transcript_tells_what_is_wrong_with_an_answer(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "long.txt"
    file.write_text(f"dial *123#\ntype {'x' * 180}\n", "utf-8")
    assert main(["play", "--url", url, str(file)]) == 1
    assert "the text has 188 septets, a network carries 182" in capsys.readouterr().err


def test_a_step_that_needs_more_than_an_address_says_so(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "books.txt"
    file.write_text("dial *123#\nledger balanced\n", "utf-8")
    assert main(["play", "--url", url, str(file)]) == 1
    assert "there is no inspection door here" in capsys.readouterr().err


@pytest.mark.parametrize(
    "address", ["", "localhost:8000", "ftp://host/", "http://", "http://host:99999/", "http://a\n/"]
)
@pytest.mark.parametrize("command", ["phone", "play"])
def test_what_is_no_address_is_refused(
    address: str, command: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(script)] if command == "play" else []
    assert main([command, "--url", address, *arguments]) == 2
    assert "is no address; write http://host:port/path" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["--dialect", "klingon"], ["--msisdn", "0712"], ["--payee", "+254x"], ["--idle", "soon"]],
)
def test_an_option_of_no_use_is_named(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["phone", "--url", "http://127.0.0.1:1/", *arguments])
    assert raised.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_fault_that_no_network_has_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["phone", "--url", "http://127.0.0.1:1/", "--faults", "locusts:1"]) == 2
    assert "no network does 'locusts'" in capsys.readouterr().err
