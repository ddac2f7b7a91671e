"""Broken menus: each case is a small change to the sound one, and the exact faults it must give.

`broken/<case>/change.txt` names a file and what is taken out (`-`) and put in (`+`); other files of
a case are laid over the sound ones. `python -m tests.unit.menu.cases` writes `expected.txt` anew:
the difference is the review.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.menu.check import examine

HERE = Path(__file__).parent
SOUND, BROKEN = HERE / "sound", HERE / "broken"
CHANGE, EXPECTED = "change.txt", "expected.txt"

CASES = sorted(path.name for path in BROKEN.iterdir())


def lay_out_case(name: str, folder: Path) -> Path:
    """The sound menu with the case's change, as a folder of its own."""
    menus, case = folder / "menus", BROKEN / name
    shutil.copytree(SOUND, menus)
    for path in case.iterdir():
        if path.name not in (CHANGE, EXPECTED):
            shutil.copy(path, menus / path.name)
    if (case / CHANGE).exists():
        for block in (case / CHANGE).read_text(encoding="utf-8").rstrip("\n").split("\n\n"):
            _change(menus, block.split("\n"))
    return menus


def expected_of(name: str) -> list[str]:
    return (BROKEN / name / EXPECTED).read_text(encoding="utf-8").splitlines()


def told(menus: Path) -> list[str]:
    """What `capp menus check --warnings` says of a folder."""
    found = examine(menus)
    return [*found.faults, *(f"warning: {warning}" for warning in found.warnings)]


def _change(menus: Path, block: list[str]) -> None:
    path, lines = menus / block[0], block[1:]
    old, new = ("\n".join(_marked(lines, mark)) for mark in "-+")
    content = path.read_text(encoding="utf-8")
    if old:
        assert old in content, f"{path.name} has no {old!r}"
        path.write_text(content.replace(old, new, 1), encoding="utf-8")
    else:
        path.write_text(f"{content}{new}\n", encoding="utf-8")


def _marked(lines: list[str], mark: str) -> Iterator[str]:
    return (line[2:] for line in lines if line.startswith(mark))


def _write_expected() -> None:
    for name in CASES:
        with TemporaryDirectory() as folder:
            faults = told(lay_out_case(name, Path(folder)))
        (BROKEN / name / EXPECTED).write_text("\n".join([*faults, ""]), encoding="utf-8")
        sys.stdout.write(f"{name}: {len(faults)}\n")


if __name__ == "__main__":
    _write_expected()
