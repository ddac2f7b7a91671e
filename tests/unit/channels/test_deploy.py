"""What `deploy/` shows is what the product takes: environment, secrets, lock, units."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from channels.cli import main
from channels.production import findings_of
from channels.secrecy import with_files
from channels.settings import Settings, read_settings

PROJECT = Path(__file__).parents[3]
DEPLOY = PROJECT / "deploy"
README = (DEPLOY / "README.md").read_text()
PROXY = (DEPLOY / "nginx" / "capp.conf").read_text()
PINNED = re.compile(r"^\S+==\S+(?: \\\n    --hash=\S+)+", re.MULTILINE)


def variables_of(text: str) -> dict[str, str]:
    """As systemd reads an EnvironmentFile."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def drawn(folder: Path) -> dict[str, str]:
    subprocess.run([DEPLOY / "draw-secrets", folder], check=True, capture_output=True)
    return {file.name: file.read_text() for file in folder.iterdir()}


def installed(folder: Path) -> dict[str, str]:
    """The environment that `deploy/README.md` makes below a folder, companies' secrets included."""
    drawn(folder / "secrets")
    text = (DEPLOY / "capp.env").read_text()
    environment = variables_of(text.replace("/etc/capp", str(folder)))
    told = {
        "DATABASE_URL": "postgresql://capp_web_1@127.0.0.1/capp",
        "REDIS_URL": "redis://127.0.0.1",
    }
    for number, (name, path) in enumerate(environment.items()):
        if name.endswith("_FILE") and not Path(path).exists():
            secret = told.get(name.removesuffix("_FILE"), f"{number:02}abcdef" * 4)
            Path(path).write_text(f"{secret}\n")
    return environment


def read(environment: dict[str, str]) -> Settings:
    return read_settings(with_files(environment))


def test_production_mode_takes_the_environment_as_it_stands(tmp_path: Path) -> None:
    settings = read(installed(tmp_path))
    assert settings.is_production
    assert not findings_of(settings)


@pytest.mark.parametrize(
    "name", ["CAPP_PIN_KEYS", "CAPP_DATA_KEYS", "CAPP_METRICS_TOKEN", "CAPP_TRUSTED_PROXIES"]
)
def test_each_of_its_lines_is_needed(tmp_path: Path, name: str) -> None:
    environment = installed(tmp_path)
    for variable in (name, f"{name}_FILE"):
        environment.pop(variable, None)
    try:
        found = findings_of(read(environment))
    except ValueError as error:
        assert name in str(error)
    else:
        assert any(name in str(finding) for finding in found)


def test_secrets_that_were_drawn_stay(tmp_path: Path) -> None:
    first = drawn(tmp_path / "secrets")
    (tmp_path / "secrets" / "CAPP_SESSION_KEY").unlink()
    again = drawn(tmp_path / "secrets")
    changed = {name for name in first if first[name] != again[name]}
    assert changed == {"CAPP_SESSION_KEY"}
    assert len({*again.values()}) == len(again)
    modes = {oct(file.stat().st_mode & 0o777) for file in (tmp_path / "secrets").iterdir()}
    assert modes == {"0o600"}


def test_what_serves_is_pinned_as_it_was_tested() -> None:
    serving = {*PINNED.findall((DEPLOY / "requirements.lock").read_text())}
    tested = {*PINNED.findall((PROJECT / "requirements.lock").read_text())}
    assert serving <= tested
    wanted = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = {pin.partition("==")[0] for pin in serving}
    assert {re.split(r"[\[<>=~!]", one)[0].lower() for one in wanted} <= pinned


def test_who_owns_the_tables_migrates_beside_the_environment(tmp_path: Path) -> None:
    """The line of `README.md`, where the address of who serves is not there yet. Theirs is read
    before it: what is typed on a line stays in the shell's history."""
    line = next(line for line in README.splitlines() if line.endswith("makes, once"))
    given = dict(word.split("=", 1) for word in line.split(" capp migrate")[0].split())
    assert "read -rs DATABASE_URL; export DATABASE_URL" in README
    assert not any(given.values())
    environment = installed(tmp_path)
    Path(environment["DATABASE_URL_FILE"]).unlink()
    owners = "postgresql://capp_owner:0123@db/capp"
    told = with_files(environment | given | {"DATABASE_URL": owners})
    assert told["DATABASE_URL"] == owners


def test_a_shell_reads_the_environment_as_systemd_does() -> None:
    file = DEPLOY / "capp.env"
    told = subprocess.run(
        ["sh", "-c", "set -a; . ./capp.env; env"],
        cwd=DEPLOY, env={}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    heard = dict(line.split("=", 1) for line in told.stdout.splitlines())
    wanted = variables_of(file.read_text())
    assert {name: heard.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").glob("*.service"), key=str))
def test_what_ends_at_once_is_started_as_often_as_it_takes(unit: Path) -> None:
    """systemd gives up for ever after five starts in ten seconds, unless it is told otherwise."""
    lines = unit.read_text().partition("[Service]")[0].splitlines()
    assert "StartLimitIntervalSec=0" in lines


@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").glob("*.service"), key=str))
def test_no_crash_leaves_keys_on_a_disk(unit: Path) -> None:
    assert "LimitCORE=0" in unit.read_text().partition("[Service]")[2].splitlines()


def test_no_level_that_writes_a_path_reaches_the_log_of_nginx() -> None:
    """Of nginx' levels `alert` quotes the request too: "worker_connections are not enough"."""
    levels = re.findall(r"^\s*error_log \S+ (\w+);", PROXY, re.MULTILINE)
    assert levels == ["emerg"]


def test_the_proxy_hands_on_one_word_about_its_caller() -> None:
    """`Sources` believes nobody where two headers differ, and `Forwarded` is the caller's own."""
    sent = re.findall(r"proxy_set_header (\S+) ([^;]+);", PROXY)
    assert ("X-Forwarded-For", "$proxy_add_x_forwarded_for") in sent
    assert ("Forwarded", '""') in sent


@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").glob("*.service"), key=str))
def test_units_start_what_there_is(unit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = re.findall(
        r"^ExecStart=/opt/capp/\.venv/bin/capp (.+)$", unit.read_text(), re.MULTILINE
    )
    with pytest.raises(SystemExit) as ended:
        main([*command.replace("%i", "8081").split(), "--help"])
    assert ended.value.code == 0
    assert f"capp {command.split()[0]}" in capsys.readouterr().out
