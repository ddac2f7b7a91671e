"""`capp keys`: development keys in files of their owner, whose private half nobody ever sees."""

import stat
from pathlib import Path

import pytest

from channels.cli import _parser
from channels.commands.keys import run_keys
from engine.errors import Rejected, StaffMistake

ARBITER, SPONSOR = "arbiter", "sponsor"


def capp(*words: str, variables: dict[str, str] | None = None) -> tuple[bool, list[str]]:
    said: list[str] = []
    options = _parser(["keys"]).parse_args(["keys", *words])
    return run_keys(variables or {}, options, said.append), said


def test_a_made_key_is_shown_by_its_public_half_and_its_account(tmp_path: Path) -> None:
    where = ("--folder", str(tmp_path / "keys"))
    made, told = capp("create", SPONSOR, ARBITER, *where)
    assert made
    assert [line.split()[0] for line in told] == [SPONSOR, ARBITER]
    assert capp("show", *where) == (True, sorted(told))
    assert capp("show", SPONSOR, *where) == (True, told[:1])


def test_what_is_written_is_for_its_owner_alone_and_never_said(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    _, told = capp("create", SPONSOR, "--folder", str(folder))
    (file,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = file.read_text().strip().removeprefix("ed25519-priv-0x")
    assert len(secret) == 64
    _, shown = capp("show", "--folder", str(folder))
    assert secret not in "".join([*told, *shown])


def test_a_key_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    capp("create", SPONSOR, "--folder", str(folder))
    before = (folder / f"{SPONSOR}.key").read_text()
    made, told = capp("create", SPONSOR, ARBITER, "--folder", str(folder))
    assert not made
    assert told[0] == f"{SPONSOR}: is there already"
    assert told[1].startswith(ARBITER)
    assert (folder / f"{SPONSOR}.key").read_text() == before


def test_a_key_that_others_can_read_is_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    capp("create", SPONSOR, ARBITER, "--folder", str(folder))
    (folder / f"{SPONSOR}.key").chmod(0o644)
    well, told = capp("show", "--folder", str(folder))
    assert not well
    assert [("account" in line) for line in told] == [True, False]


def test_nothing_is_made_in_a_folder_that_others_may_enter(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    with pytest.raises(Rejected, match="0700"):
        capp("create", SPONSOR, "--folder", str(folder))
    assert not list(folder.iterdir())


def test_the_settlement_file_says_where_keys_are(tmp_path: Path) -> None:
    folder, file = tmp_path / "keys", tmp_path / "settlement.yaml"
    file.write_text(f"keys: {{kind: file, folder: {folder}}}\n")
    made, _ = capp("create", SPONSOR, variables={"CAPP_SETTLEMENT_FILE": str(file)})
    assert made
    assert (folder / f"{SPONSOR}.key").exists()


def test_keys_of_a_vault_are_not_made_here(tmp_path: Path) -> None:
    file = tmp_path / "settlement.yaml"
    file.write_text("keys: {kind: vault, url: 'http://127.0.0.1:8200', token_file: /t}\n")
    with pytest.raises(StaffMistake, match="not in files"):
        capp("create", SPONSOR, variables={"CAPP_SETTLEMENT_FILE": str(file)})


def test_without_a_folder_or_a_file_it_is_asked_for() -> None:
    with pytest.raises(StaffMistake, match="--folder"):
        capp("show")


@pytest.mark.parametrize("name", ["../escape", "UPPER", "", "a/b"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StaffMistake):
        capp("create", name, "--folder", str(tmp_path / "keys"))
    assert not [*tmp_path.rglob("*.key")]
