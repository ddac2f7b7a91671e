"""`python -m simulator move`: compile our Move packages, run their tests, count coverage."""

import argparse
import sys
from collections.abc import Sequence

from simulator.toolchain import compiler, packages
from simulator.toolchain.compiler import CompilationFailed
from simulator.toolchain.libraries import ToolchainMissing
from simulator.toolchain.reports import Coverage, Tested, total

# Doubles of the world around the contracts; what is ours must be covered whole.
WITHOUT_COVERAGE = ("framework_double", "test_asset")
MISSING = 3
"""The exit code where the toolchain cannot be had."""


def run_move(arguments: list[str]) -> int:
    """0: all is well; 1: a package, a test or the coverage is not; 3: no toolchain here."""
    options = _options(arguments)
    names = options.package or packages.package_names()
    try:
        is_well = _build(names) if options.verb == "build" else _test(names, options.filter)
    except ToolchainMissing as missing:
        _complain(str(missing))
        return MISSING
    except CompilationFailed as failed:
        _complain(str(failed))
        return 1
    return 0 if is_well else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator move")
    parser.add_argument("verb", choices=("build", "test"), nargs="?", default="test")
    parser.add_argument("package", nargs="*", help="folders in move/ (default: every one)")
    parser.add_argument("--filter", metavar="PART", help="tests whose module::name has this in it")
    options = parser.parse_args(arguments)
    unknown = set(options.package) - set(packages.package_names())
    if unknown:
        parser.error(f"no such package: {', '.join(sorted(unknown))}")
    return options


def _build(names: Sequence[str]) -> bool:
    for name in names:
        built = compiler.build(name)
        size = sum(len(module.code) for module in built.modules)
        _say(f"{name}: {len(built.modules)} modules, {size:,} bytes")
    return True


def _test(names: Sequence[str], only: str | None) -> bool:
    """Whether all tests passed and, where all were run, what is ours is covered."""
    whole = []
    for name in names:
        tested = compiler.run_tests(name, only=only)
        _say(_summary(tested, with_coverage=only is None))
        if tested.failed:
            _say(tested.printed)
        whole.append(tested)
    if only is not None:
        return not any(tested.failed for tested in whole)
    ours = [tested for tested in whole if tested.package not in WITHOUT_COVERAGE]
    _say(_line("ours in total", total([module for t in ours for module in t.coverage.values()])))
    return all(tested.passed and not tested.failed and is_covered(tested) for tested in whole)


def is_covered(tested: Tested) -> bool:
    """Every instruction of every module was reached by a test, where the module is ours."""
    if tested.package in WITHOUT_COVERAGE:
        return True
    return bool(tested.coverage) and all(module.is_whole for module in tested.coverage.values())


def _summary(tested: Tested, *, with_coverage: bool) -> str:
    lines = [f"{tested.package}: {len(tested.passed)} tests passed, {len(tested.failed)} failed"]
    if with_coverage and tested.package not in WITHOUT_COVERAGE:
        lines += [_line(name, coverage) for name, coverage in tested.coverage.items()]
    return "\n".join(lines)


def _line(name: str, coverage: Coverage) -> str:
    short = f"  short: {', '.join(coverage.short)}" if coverage.short else ""
    return f"  {name:<30} {coverage.percent:6.2f} % of {coverage.total:>6} instructions{short}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _complain(line: str) -> None:
    sys.stderr.write(line + "\n")
