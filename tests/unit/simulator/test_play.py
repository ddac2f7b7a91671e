"""The commands `play` and `record`, as a build server runs them, against a small server."""

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest

from simulator import play
from simulator.__main__ import main

pytestmark = pytest.mark.long("each turn of two commands; test_player.py plays without them")

GOOD = "dial *384*96#\n| Welcome\n| 1. Pay\ntype 1\n| Your PIN\ntype {pin}\n| Thank you\nended\n"
BAD = GOOD.replace("Thank you", "Thanks")


class _Menu(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        text = parse_qs(body, keep_blank_values=True).get("text", [""])[0]
        answer = ("CON Welcome\n1. Pay", "CON Your PIN", "END Thank you")[
            len(text.split("*")) if text else 0
        ]
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Menu) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ussd"
        server.shutdown()


@pytest.fixture
def run(url: str, tmp_path: Path) -> Callable[..., int]:
    (tmp_path / "pays.txt").write_text(GOOD)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "thanks.txt").write_text(BAD)

    def played(*arguments: str) -> int:
        return main(["play", str(tmp_path), "--url", url, "--quiet", *arguments])

    return played


def test_a_folder_is_played_whole_and_one_failure_fails_it(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == play.NOT_AS_WRITTEN
    out, err = capsys.readouterr()
    assert "1 of 2 transcripts are as written" in out
    assert "thanks.txt:6: type {pin}" in err
    assert "thanks.txt:7 says" in err


def test_only_what_is_named_is_played(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--only", "pays,nobody") == play.AS_WRITTEN
    assert "1 of 1 transcripts are as written" in capsys.readouterr().out
    assert run("--only", "nobody") == play.UNUSABLE
    assert "no transcript is left to play" in capsys.readouterr().err


def test_an_empty_folder_proves_nothing(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", str(tmp_path), "--url", url]) == play.UNUSABLE


def test_an_update_rewrites_what_differs_and_it_passes_then(
    run: Callable[..., int], tmp_path: Path
) -> None:
    assert run("--update") == play.AS_WRITTEN
    assert (tmp_path / "more" / "thanks.txt").read_text() == GOOD
    assert run() == play.AS_WRITTEN


def test_the_report_says_what_failed_and_where(run: Callable[..., int], tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert run("--junit", str(report)) == play.NOT_AS_WRITTEN
    (suite,) = ElementTree.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failed, passed = suite.findall("testcase")
    assert (failed.get("name"), passed.get("name")) == ("thanks", "pays")
    assert "Thanks" in (failed.findtext("failure") or "")


def test_every_run_in_bad_weather_prints_its_seed_and_the_seed_brings_it_back(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def played(*more: str) -> str:
        assert run("--only", "pays", "--faults", "drop_after:0.3,garble:0.4", *more) == 0
        return "".join(capsys.readouterr())

    first = played()
    assert "the same again: --seed " in first
    seed = first.split("--seed ")[1].split()[0]
    assert played("--seed", seed) == first
    assert len({played("--seed", str(seed)) for seed in range(6)}) > 2


@pytest.mark.parametrize("flags", ["rain:1", "drop_after", "drop_after:9"])
def test_faults_that_mean_nothing_are_of_no_use(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], flags: str
) -> None:
    assert run("--faults", flags) == play.UNUSABLE
    assert flags.split(":")[0] in capsys.readouterr().err


@pytest.fixture
def at_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """What somebody types; a real file, for its descriptor is read."""
    with (tmp_path / "keys").open("w+") as keys:

        def type_(text: str) -> None:
            keys.write(text)
            keys.flush()
            os.lseek(keys.fileno(), 0, os.SEEK_SET)
            monkeypatch.setattr("sys.stdin", keys)

        yield type_


@pytest.mark.parametrize("typed", ["8305", "{pin}", "1111"])
def test_what_was_recorded_passes_when_it_is_played(
    url: str, tmp_path: Path, at_the_keys: Callable[[str], None], typed: str
) -> None:
    file = tmp_path / "recorded.txt"
    at_the_keys(f"*384*96#\n1\n{typed}\n")
    assert main(["record", str(file), "--url", url, "--title", "A PIN.", "--prove"]) == 0
    name = "weak_pin" if typed == "1111" else "pin"
    assert file.read_text() == (
        "# A PIN.\nphone payer +25471???????\nphone payee +25677???????\n\n"
        "payer: dial *384*96#\n| Welcome\n| 1. Pay\npayer: type 1\n| Your PIN\n"
        f"payer: type {{{name}}}\n| Thank you\npayer: ended\n"
    )


def test_lines_that_cannot_be_carried_out_are_told_and_not_kept(
    url: str,
    tmp_path: Path,
    at_the_keys: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "recorded.txt"
    at_the_keys("1\nnobody: *384*96#\n# note\n\n*384*96#\n")
    assert main(["record", str(file), "--url", url]) == 0
    assert capsys.readouterr().out.count("not kept: ") == 2
    assert file.read_text().count("payer: ") == 1


def test_a_lost_answer_is_recorded_as_what_the_phone_showed(
    url: str, tmp_path: Path, at_the_keys: Callable[[str], None]
) -> None:
    file = tmp_path / "recorded.txt"
    at_the_keys("network drop_after\n*384*96#\n")
    assert main(["record", str(file), "--url", url, "--prove"]) == 0
    assert "payer: network drop_after\npayer: dial *384*96#\n| Connection problem" in (
        file.read_text()
    )


@pytest.mark.parametrize("place", ["nowhere/recorded.txt", "more"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_dialled(
    run: Callable[..., int],
    url: str,
    tmp_path: Path,
    at_the_keys: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    at_the_keys("*384*96#\n")
    assert main(["record", str(tmp_path / place), "--url", url]) == play.UNUSABLE
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert place in err


def test_a_session_that_cannot_be_had_leaves_files_as_they_were(
    tmp_path: Path, at_the_keys: Callable[[str], None], url: str
) -> None:
    at_the_keys("*384*96#\n")
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text(GOOD)
    for file in (old, new):
        many = [f"--phone=p{n}=+25471200000?" for n in range(11)]  # one more than there are
        assert main(["record", str(file), "--url", url, *many]) == play.UNUSABLE
    assert old.read_text() == GOOD
    assert not new.exists()
