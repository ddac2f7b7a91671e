"""`capp menus` as a person at the command line meets it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from channels import cli
from channels.commands import menus
from channels.tenants import FOLDER
from channels.tenants import MENUS as OWN_MENUS
from engine.menu.bundle import read_bundle
from engine.menu.drawing import BEGIN, END
from engine.menu.schemas import schemas
from tests.integration.street_room import file_of, write_files
from tests.unit.menu.cases import SOUND, expected_of, lay_out_case


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The menus are proved where nothing is set, on a build server too."""
    for name in ("DATABASE_URL", "REDIS_URL", OWN_MENUS, FOLDER):
        monkeypatch.delenv(name, raising=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = cli.main(["menus", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_shipped_menus_are_sound(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check")
    assert code == 0, out
    assert "sound" in out


def test_a_broken_folder_fails_with_every_fault(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = run(capsys, "check", lay_out_case("verb_unknown", tmp_path))
    assert code == 1
    assert out.splitlines() == [*expected_of("verb_unknown"), "1 faults: not served"]


def test_warnings_are_told_when_asked_for_and_do_not_fail(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = lay_out_case("warning_session_short_for_the_slow", tmp_path)
    code, out, _ = run(capsys, "check", folder, "--warnings")
    assert (code, out.splitlines()[:-1]) == (0, expected_of("warning_session_short_for_the_slow"))
    code, out, _ = run(capsys, "check", folder)
    assert (code, len(out.splitlines())) == (0, 1)


def test_a_screen_is_previewed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "preview", "send.pin", "--folder", SOUND, "--language", "sw",
                       "--network", "1")  # fmt: skip
    assert code == 0
    assert out.startswith("send.pin (input) in sw on narrow\n+--")
    assert "of 100 septets" in out


def test_without_a_screen_all_are_previewed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "preview", "--folder", SOUND, "--widest")
    assert code == 0
    assert out.count(" in en on ") >= 15


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["preview", "send.nothing"], "no screen send.nothing"),
        (["preview", "--language", "xx"], "no language xx"),
        (["graph", "nothing"], "no journey nothing"),
        (["diff", "nothing-there", str(SOUND)], "nothing-there: neither a folder, an edition nor"),
        (["diff", str(SOUND), "0123abcd"], "0123abcd: neither a folder, an edition nor"),
        (["diff", "--", "--output=x", str(SOUND)], "--output=x: neither a folder"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert said in err


def test_broken_menus_are_not_drawn_but_sent_to_the_check(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, err = run(capsys, "graph", "--folder", lay_out_case("label_missing", tmp_path / "a"))
    assert (code, "see `capp menus check`" in err) == (1, True)
    code, _, err = run(capsys, "graph", "--folder", lay_out_case("yaml_tab", tmp_path / "b"))
    assert (code, "send.yaml:38: not YAML" in err) == (1, True)


def test_the_diagram_is_written_into_its_block(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# menus\n{BEGIN}\n{END}\nthe end\n")
    assert run(capsys, "graph", "--folder", SOUND, "--update", readme)[0] == 0
    content = readme.read_text()
    assert "flowchart LR" in content
    assert content.endswith("the end\n")
    before = content
    assert run(capsys, "graph", "--folder", SOUND, "--update", readme)[0] == 0
    assert readme.read_text() == before


def test_the_schemas_are_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(capsys, "schema", tmp_path / "schema")[0] == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "schema").iterdir()} == dict(schemas())


def test_a_change_that_breaks_a_link_fails(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = shutil.copytree(SOUND, tmp_path / "menus")
    assert run(capsys, "diff", SOUND, folder) == (0, "no difference\n", "")
    home = (folder / "home.yaml").read_text().replace("      1: {label: home.send",
                                                      "      3: {label: home.send")  # fmt: skip
    (folder / "home.yaml").write_text(home)
    code, out, _ = run(capsys, "diff", SOUND, folder)
    assert code == 1
    assert "links broken: 1 led to send.to, leads to nowhere" in out
    assert "choices moved: home.menu: 1 was `Send` (send.to), is nothing" in out


def test_a_change_of_words_does_not_fail(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = shutil.copytree(SOUND, tmp_path / "menus")
    texts = (folder / "texts" / "en.yaml").read_text().replace("pin: Your PIN", "pin: Your code")
    (folder / "texts" / "en.yaml").write_text(texts)
    code, out, _ = run(capsys, "diff", SOUND, folder)
    assert (code, out) == (0, "texts: en: send.pin was 'Your PIN', is 'Your code'\n")


def test_a_git_revision_is_read_as_it_was_committed(tmp_path: Path) -> None:
    folder = shutil.copytree(SOUND, tmp_path / "house" / "menus")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "menus"]):
        subprocess.run([*git, *command], cwd=folder.parent, check=True)
    texts = folder / "texts" / "en.yaml"
    texts.write_text(texts.read_text().replace("pin: Your PIN", "pin: Your code"))
    assert menus.bundle_at("HEAD", folder) == read_bundle(SOUND)
    with pytest.raises(menus.NoSuchMenus, match="neither"):
        menus.bundle_at("HEAD~1", folder)


# What a tenant says otherwise.


def lay(own: Path, content: str) -> Path:
    (own / "texts").mkdir(parents=True)
    (own / "texts" / "en.yaml").write_text(content)
    return own


def test_a_tenants_words_are_checked_and_shown_over_a_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own = lay(tmp_path / "duka", "send: {pin: Your secret}\n")
    code, out, _ = run(capsys, "check", SOUND, "--own", own)
    assert (code, "sound" in out) == (0, True)
    _, out, _ = run(capsys, "preview", "send.pin", "--folder", SOUND, "--own", own)
    assert "Your secret" in out
    assert run(capsys, "graph", "--folder", SOUND, "--own", own)[0] == 0
    (own / "texts" / "en.yaml").write_text("send: {pin: 'Your {secret}'}\n")
    code, out, _ = run(capsys, "check", SOUND, "--own", own)
    assert code == 1
    assert "own/texts/en.yaml:1: send.pin: other variables than in en.yaml" in out


def test_a_tenants_folder_that_is_not_there_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, err = run(capsys, "check", SOUND, "--own", tmp_path / "nowhere")
    assert (code, "nowhere is not a folder" in err) == (1, True)


def test_the_folder_of_the_settings_is_checked_with_the_houses(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OWN_MENUS, str(lay(tmp_path / "duka", "home: {menu: 'Duka {x}'}\n")))
    code, out, _ = run(capsys, "check")
    assert code == 1
    assert "own/texts/en.yaml:1" in out
    assert run(capsys, "check", SOUND)[0] == 0, "another folder has nothing to do with it"


def test_in_a_street_every_tenant_is_checked_and_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, **{name: file_of(name, n) for n, name in enumerate("abc", 21)}, torn={})
    (tmp_path / "torn.env").write_text("CAPP_TENANT")
    lay(tmp_path / "a", "home: {menu: Duka}\n")
    lay(tmp_path / "b", "home: {mneu: Soko}\n")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    code, out, _ = run(capsys, "check")
    said = out.splitlines()
    assert code == 1
    assert "sound" in said[0] and said[1].startswith("a: 64 screens")
    lines = [line.removeprefix("b: ") for line in said[2:7]]
    assert lines[-1] == "4 faults: not served"
    for language, line in zip(("am", "fr", "lg", "sw"), lines, strict=False):
        assert line == (
            f"own/texts/{language}.yaml: home.mneu: missing, the house has none"
            " (own/texts/en.yaml:1)"
        )
    assert not any(line.startswith("c: ") for line in said)
    assert said[-1] == "torn: line 1: wants NAME=VALUE"
