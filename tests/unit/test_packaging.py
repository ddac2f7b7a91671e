import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_every_room_is_listed_by_name() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    tops = ("channels", "engine", "providers", "simulator")
    found = {
        ".".join(init.parent.relative_to(ROOT).parts)
        for top in tops
        for init in (ROOT / top).rglob("__init__.py")
    }
    assert set(listed) == found


def test_the_lock_names_hashes_and_no_addresses() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "index-url" not in lock
    packages = [line for line in lock.splitlines() if "==" in line]
    assert all(line.endswith("\\") for line in packages)  # a hash follows
