import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
PYTHONS = ("3.11.0", "3.11.3", "3.12.0", "3.13.0")
"""Some packages need others on the oldest of them, as on Debian 12's own."""


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


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    "lock, extras", [("requirements.lock", {"dev"}), ("deploy/requirements.lock", set())]
)
def test_the_lock_is_whole_for_every_python(python: str, lock: str, extras: set[str]) -> None:
    """pip refuses a package that is needed and not pinned, and nothing is installed."""
    environment = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    lines = (line for line in (ROOT / lock).read_text().splitlines() if "==" in line)
    read = [Requirement(line.removesuffix("\\")) for line in lines]
    pinned = {
        canonicalize_name(pin.name)
        for pin in read
        if pin.marker is None or pin.marker.evaluate(environment)
    }
    needed = {*_needed("capp", frozenset(extras), environment)}
    assert {"capp", "redis", "hiredis", "mako"} <= needed  # it walks, beyond our own wishes too
    assert needed - {"capp"} <= pinned


def _needed(
    name: str, extras: frozenset[str], environment: dict[str, str], seen: set[object] | None = None
) -> Iterator[str]:
    """Every package that this one needs there, by what those that are installed here say."""
    seen = set() if seen is None else seen
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    yield name
    try:
        wants = [Requirement(line) for line in requires(name) or []]
    except PackageNotFoundError:  # it is for another Python than this one
        return
    for want in wants:
        asked = ({**environment, "extra": extra} for extra in ("", *extras))
        if want.marker is None or any(want.marker.evaluate(one) for one in asked):
            yield from _needed(
                canonicalize_name(want.name), frozenset(want.extras), environment, seen
            )
