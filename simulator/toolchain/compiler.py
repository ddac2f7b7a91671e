"""The Move compiler: packages become modules, their unit tests are run, their coverage is counted.

Each call is a process of its own over a copy of the sources; nothing is left in the checkout.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from simulator.toolchain import packages, reports
from simulator.toolchain.encoding import address, boolean, optional_text, text, vector
from simulator.toolchain.libraries import VERSION, cache_folder, keep, libraries
from simulator.toolchain.packages import ADDRESSES, MOVE, Workspace
from simulator.toolchain.reports import Tested

BYTECODE_VERSION = 7
LANGUAGE_VERSION = "2.1"
SECONDS_MAX = 300
PROJECT = Path(__file__).resolve().parents[2]


class CompilationFailed(RuntimeError):
    """The compiler refused a package; the message is what it printed."""


class Module(NamedTuple):
    """A compiled module; `address` as in `0xca01`."""

    address: str
    name: str
    code: bytes


class Built(NamedTuple):
    """A compiled package: its own modules, not those of its dependencies."""

    package: str
    modules: tuple[Module, ...]


class _Run(NamedTuple):
    printed: str
    counted: str


class _Ended(NamedTuple):
    is_done: bool
    answer: bytes
    printed: str


def build(name: str, move: Path = MOVE) -> Built:
    """Compile one package; what was compiled before of the same sources is taken from the cache.

    Raises `CompilationFailed`, `ToolchainMissing`, and `KeyError` for an unknown package. Safe to
    repeat, and for several processes at once.
    """
    key = packages.fingerprint([name], move)
    kept = cache_folder() / f"built-{VERSION}" / name / key
    if not kept.exists():
        _keep(_build(name, move), kept)
    where = packages.address_of(name)
    files = sorted(kept.glob("*.mv"))
    return Built(name, tuple(Module(where, file.stem, file.read_bytes()) for file in files))


def build_all(move: Path = MOVE) -> list[Built]:
    """Every package, those that others need first; errors as `build` has them."""
    return [build(name, move) for name in packages.package_names(move)]


def run_tests(name: str, *, only: str | None = None, move: Path = MOVE) -> Tested:
    """Run a package's own unit tests and count what they reach; `only` is a part of `module::test`.

    Tests that fail are in the answer. Raises `CompilationFailed` when nothing could be run,
    `ToolchainMissing`, and `KeyError` for an unknown package.
    """
    return _read(name, _run_tests(name, only, move), move)


def known_tests(name: str, move: Path = MOVE) -> Tested:
    """The same as `run_tests`, but out of the cache when the same sources have passed before."""
    key = packages.fingerprint([name], move)
    kept = cache_folder() / f"tested-{VERSION}" / name / key
    if kept.exists():
        files = {file.name: file.read_text() for file in kept.iterdir()}
        return _read(name, _Run(**files), move)
    run = _run_tests(name, None, move)
    tested = _read(name, run, move)
    if not tested.failed:
        _keep({field: text_.encode() for field, text_ in run._asdict().items()}, kept)
    return tested


def _run_tests(name: str, only: str | None, move: Path) -> _Run:
    with packages.workspace([name], move) as place:
        arguments = _arguments(place.packages / name, is_test=True)
        ended = _call("test_move_package", [arguments, _test_options(only)], place)
        table = boolean(True) + boolean(True)  # by function, with commas
        counted = _call("coverage_summary_move_package", [arguments, table], place)
        return _Run(printed=_message(ended), counted=counted.printed)


def _read(name: str, run: _Run, move: Path) -> Tested:
    modules = packages.module_names(name, move)
    tested = reports.read_tests(name, run.printed, counted=run.counted, modules=modules)
    if tested is None:
        raise CompilationFailed(run.printed)
    return tested


def _build(name: str, move: Path) -> dict[str, bytes]:
    with packages.workspace([name], move) as place:
        target = place.packages / name
        ended = _call("build_move_package", [_arguments(target)], place)
        if not ended.is_done:
            raise CompilationFailed(_message(ended))
        folder = target / "build" / packages.title_of(name, move) / "bytecode_modules"
        return {file.name: file.read_bytes() for file in sorted(folder.glob("*.mv"))}


def _keep(files: Mapping[str, bytes], kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="keeping-") as scratch:
        whole = Path(scratch) / "modules"
        whole.mkdir()
        for name, code in files.items():
            (whole / name).write_bytes(code)
        keep(whole, kept)


def _call(function: str, payloads: Sequence[bytes], place: Workspace) -> _Ended:
    library = libraries().compiler
    answer = place.home / "answer"
    environment = os.environ | {"MOVE_HOME": str(place.home), "RUST_BACKTRACE": "0"}
    command = [sys.executable, "-m", "simulator.toolchain.native", str(library), function]
    try:
        ended = subprocess.run(
            [*command, str(answer)],
            input="\n".join(payload.hex() for payload in payloads),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=PROJECT,
            env=environment,
            timeout=SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as late:
        raise CompilationFailed(f"no end after {SECONDS_MAX} seconds") from late
    content = answer.read_bytes() if answer.exists() else b"\0"
    return _Ended(is_done=content[0] == 1, answer=content[1:], printed=reports.plain(ended.stdout))


def _message(ended: _Ended) -> str:
    return "\n".join(part for part in (ended.printed.strip(), ended.answer.decode()) if part)


def _arguments(folder: Path, *, is_test: bool = False) -> bytes:
    """The compiler's own order of arguments; see `build_move_package` in its package."""
    return b"".join(
        (
            optional_text(str(folder)),
            boolean(False),  # verbose
            boolean(is_test),  # development mode
            boolean(is_test),
            boolean(False),  # documents
            boolean(False),  # interfaces
            optional_text(None),  # its own place to build in
            boolean(False),  # everything anew
            boolean(False),  # fetch only
            boolean(True),  # do not ask the network for what lies there
            BYTECODE_VERSION.to_bytes(4, "little"),
            text(LANGUAGE_VERSION),
            text(LANGUAGE_VERSION),
            vector(
                text(name) + address(where)
                for name, where in ({} if is_test else ADDRESSES).items()
            ),
        )
    )


def _test_options(only: str | None) -> bytes:
    return b"".join(
        (
            optional_text(only),
            boolean(False),  # statistics
            boolean(False),  # storage of what failed
            boolean(True),  # warnings are no failures
            boolean(True),  # coverage
        )
    )
