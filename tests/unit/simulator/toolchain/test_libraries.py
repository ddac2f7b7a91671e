import io
import tarfile
from pathlib import Path

import pytest

from simulator.toolchain import libraries as subject
from simulator.toolchain.libraries import COMPILER, MACHINE, ToolchainMissing


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, str]:
    """An empty cache, and a PATH on which nothing is found."""
    return {"CAPP_MOVE_CACHE": str(tmp_path / "cache"), "PATH": str(tmp_path)}


def kept(cache: dict[str, str]) -> Path:
    return Path(cache["CAPP_MOVE_CACHE"]) / f"builder-{subject.VERSION}"


def program(folder: Path, script: str) -> None:
    file = folder / "npm"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)


def tarball(folder: Path) -> Path:
    file = folder / "package.tgz"
    with tarfile.open(file, "w:gz") as archive:
        for name in (
            f"package/library/{COMPILER}",
            f"package/library/{MACHINE}",
            "package/library/libmovevm.dylib",
            "package/package.json",
            "package/../../outside",
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(b"not a library")
            archive.addfile(entry, io.BytesIO(b"not a library"))
    return file


def missing(cache: dict[str, str]) -> ToolchainMissing:
    with pytest.raises(ToolchainMissing) as caught:
        subject.libraries(cache)
    return caught.value


def test_without_npm_the_reason_is_npm(cache: dict[str, str]) -> None:
    assert missing(cache).reason == "npm"


def test_npm_that_cannot_fetch_is_the_network(cache: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path, "echo no route to any host >&2; exit 1")
    error = missing(cache)
    assert error.reason == "network"
    assert "no route to any host" in str(error)
    assert not kept(cache).exists()


def test_a_fetched_file_of_another_hash_is_never_kept(
    cache: dict[str, str], tmp_path: Path
) -> None:
    source = tarball(tmp_path)
    program(tmp_path, f"/bin/cp {source} package.tgz")
    assert missing(cache).reason == "hash"
    assert not kept(cache).exists()


def test_a_kept_file_of_another_hash_is_refused(cache: dict[str, str]) -> None:
    kept(cache).mkdir(parents=True)
    for name in (COMPILER, MACHINE):
        (kept(cache) / name).write_bytes(b"not a library")
    error = missing(cache)
    assert error.reason == "hash"
    assert str(kept(cache)) in str(error)


def test_half_a_folder_is_refused(cache: dict[str, str]) -> None:
    kept(cache).mkdir(parents=True)
    assert missing(cache).reason == "hash"


def test_no_scripts_of_the_package_are_run(cache: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path, f'echo "$@" > {tmp_path}/asked; exit 1')
    missing(cache)
    asked = (tmp_path / "asked").read_text().split()
    assert "--ignore-scripts" in asked
    assert asked[:2] == ["pack", f"@initia/builder.js@{subject.VERSION}"]


def test_another_machine_is_named(cache: dict[str, str]) -> None:
    with pytest.raises(ToolchainMissing, match="darwin arm64") as caught:
        subject.libraries(cache, machine="darwin arm64")
    assert caught.value.reason == "machine"


def test_only_the_two_libraries_and_their_papers_are_unpacked(tmp_path: Path) -> None:
    subject.unpack(tarball(tmp_path), tmp_path / "unpacked")
    assert {file.name for file in (tmp_path / "unpacked").iterdir()} == {
        COMPILER,
        MACHINE,
        "package.json",
    }


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CAPP_MOVE_CACHE": "/given"}, Path("/given")),
        ({"XDG_CACHE_HOME": "/cache"}, Path("/cache/capp/move")),
        ({}, Path.home() / ".cache" / "capp" / "move"),
    ],
)
def test_the_cache_is_outside_the_checkout(environment: dict[str, str], expected: Path) -> None:
    assert subject.cache_folder(environment) == expected
