"""Every Move package compiles, passes its own unit tests and, where it is ours, is covered whole.

What has passed before with the same sources is taken from the cache outside the checkout.
"""

import subprocess
from pathlib import Path

import pytest

from simulator.toolchain import compiler, packages, reports
from simulator.toolchain.command import WITHOUT_COVERAGE, is_covered
from simulator.toolchain.libraries import Libraries, libraries
from tests.alarm import alarm
from tests.move.presence import opened_or_skipped

ROOT = packages.MOVE.parent
OURS = [name for name in packages.package_names() if name not in WITHOUT_COVERAGE]
# Minutes on a busy machine, and the compiler has an end of its own for each of its two calls.
SECONDS_MAX = 2 * compiler.SECONDS_MAX + 30
# A library or bytecode by its first bytes: ELF, and Move's own sign.
FORBIDDEN_STARTS = (b"\x7fELF", b"\xa1\x1c\xeb\x0b")


@pytest.fixture(scope="module")
def toolchain() -> Libraries:
    return opened_or_skipped(libraries)


def known_patiently(name: str) -> reports.Tested:
    """Tests of a package that have not passed before may outlast the alarm of other tests."""
    with alarm(SECONDS_MAX):
        return compiler.known_tests(name)


def test_the_packages_are_those_of_the_house() -> None:
    assert set(packages.package_names()) == {
        "framework_double", "governance", "compliance", "liquidity", "settlement", "test_asset",
    }  # fmt: skip


@pytest.mark.parametrize("name", packages.package_names())
def test_a_package_compiles_to_the_modules_of_its_files(toolchain: Libraries, name: str) -> None:
    built = compiler.build(name)
    assert {module.name for module in built.modules} == set(packages.module_names(name))
    assert {module.address for module in built.modules} == {packages.address_of(name)}


@pytest.mark.parametrize("name", packages.package_names())
def test_a_package_passes_its_own_tests(toolchain: Libraries, name: str) -> None:
    tested = known_patiently(name)
    assert not tested.failed, tested.printed
    assert tested.passed


@pytest.mark.parametrize("name", OURS)
def test_every_instruction_of_ours_is_reached_by_a_test(toolchain: Libraries, name: str) -> None:
    tested = known_patiently(name)
    assert is_covered(tested), tested.coverage
    assert set(tested.coverage) <= set(packages.module_names(name))


@pytest.mark.parametrize("name", OURS)
def test_ours_names_the_production_framework(name: str) -> None:
    manifest = packages.manifest_of(name)
    assert manifest["dependencies"]["AptosFramework"] == {
        "git": "https://github.com/aptos-labs/aptos-framework.git",
        "rev": "mainnet",
        "subdir": "aptos-framework",
    }
    assert set(manifest["addresses"].values()) == {"_"}
    for address, where in manifest["dev-addresses"].items():
        assert where == packages.ADDRESSES[address]


def test_no_bytecode_and_no_library_is_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    files = [ROOT / name for name in listed.split("\0") if name]
    assert len(files) > 100
    assert [file for file in files if _is_forbidden(file)] == []


@pytest.mark.long("compiles a package once more, for what it leaves on the disk")
def test_compiling_leaves_nothing_in_the_checkout(toolchain: Libraries) -> None:
    compiler.run_tests("test_asset", only="no_test_has_this_name")
    left = [
        file for file in packages.MOVE.rglob("*") if file.suffix not in (".move", ".md", ".toml")
    ]
    assert [file for file in left if file.is_file()] == []


def _is_forbidden(file: Path) -> bool:
    if file.suffix in (".mv", ".so", ".dylib", ".dll", ".tgz"):
        return True
    if not file.is_file():
        return False
    with file.open("rb") as content:
        return content.read(4).startswith(FORBIDDEN_STARTS)
