"""Our Move packages as folders: which there are, what each needs, and a copy of them to compile in.

The compiler litters the folder it compiles in, so it never sees the checkout. It knows the
production dependency by its address; the copy holds the double where a fetched one would lie.
"""

import hashlib
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

MOVE = Path(__file__).resolve().parents[2] / "move"
FRAMEWORK = "framework_double"
# What the compiler makes of https://github.com/aptos-labs/aptos-framework.git, rev = "mainnet".
FETCHED = "https___github_com_aptos-labs_aptos-framework_git_mainnet/aptos-framework"
KEPT = ("Move.toml", "sources")
# A dependency's tests would be compiled with those of whoever depends on it, so they stay behind.
KEPT_OF_ITSELF = (*KEPT, "tests")
# Where tests and the local chain put our packages; a real chain gives each an address of its own.
ADDRESSES: Mapping[str, str] = {
    "capp_governance": "0xca01",
    "capp_compliance": "0xca02",
    "capp_liquidity": "0xca03",
    "capp_settlement": "0xca04",
    "capp_test_asset": "0xca05",
}


class Workspace(NamedTuple):
    """A copy of some packages that the compiler may write into."""

    packages: Path
    home: Path


def package_names(move: Path = MOVE) -> list[str]:
    """Every package there is, those without dependencies first."""
    found = sorted(file.parent.name for file in move.glob("*/Move.toml"))
    return sorted(found, key=lambda name: (len(closure([name], move)), name))


def closure(names: Sequence[str], move: Path = MOVE) -> list[str]:
    """These packages, all they depend on, and the framework double, in alphabetical order.

    `KeyError` for a package that is not there.
    """
    reached: set[str] = set()
    waiting = [FRAMEWORK, *names]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(_local_dependencies(move / name))
    return sorted(reached)


def fingerprint(names: Sequence[str], move: Path = MOVE) -> str:
    """Changes whenever a file does that these packages or their own tests are compiled from."""
    digest = hashlib.sha256()
    for file in _files(names, move):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(move)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def title_of(name: str, move: Path = MOVE) -> str:
    """The name a package gives itself in its `Move.toml`."""
    title: str = manifest_of(name, move)["package"]["name"]
    return title


def manifest_of(name: str, move: Path = MOVE) -> dict[str, Any]:
    """A package's `Move.toml`; `KeyError` for an unknown package."""
    try:
        return tomllib.loads((move / name / "Move.toml").read_text())
    except FileNotFoundError:
        raise KeyError(f"there is no package {name}") from None


def module_names(name: str, move: Path = MOVE) -> list[str]:
    """The modules of a package, by the names of their files; not those of its tests."""
    return sorted(file.stem for file in (move / name / "sources").rglob("*.move"))


def address_of(name: str) -> str:
    """Where the modules of a package are here; `KeyError` for one that has no address."""
    return "0x1" if name == FRAMEWORK else ADDRESSES[f"capp_{name}"]


@contextmanager
def workspace(names: Sequence[str], move: Path = MOVE) -> Iterator[Workspace]:
    """A copy of these packages and of what they need; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="capp-move-") as name:
        made = Workspace(packages=Path(name) / "packages", home=Path(name) / "home")
        for package in closure(names, move):
            _copy(move / package, made.packages / package, _kept(package, names))
        _copy(move / FRAMEWORK, made.home / FETCHED, KEPT)
        yield made


def _files(names: Sequence[str], move: Path) -> Iterator[Path]:
    for name in closure(names, move):
        yield move / name / "Move.toml"
        for kept in _kept(name, names):
            yield from sorted((move / name / kept).rglob("*.move"))


def _kept(name: str, names: Sequence[str]) -> tuple[str, ...]:
    return KEPT_OF_ITSELF if name in names else KEPT


def _copy(source: Path, target: Path, kept: Sequence[str]) -> None:
    target.mkdir(parents=True)
    for name in kept:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        elif (source / name).exists():
            shutil.copy(source / name, target / name)


def _local_dependencies(folder: Path) -> Iterator[str]:
    for dependency in manifest_of(folder.name, folder.parent).get("dependencies", {}).values():
        if "local" in dependency:
            yield (folder / dependency["local"]).resolve().name
