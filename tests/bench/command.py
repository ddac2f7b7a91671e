"""The command line of a bench that is run alone: its options by name, its children, one table.

It refuses to know what is measured. Every bench's `main` is one call of `main` here.
"""

import argparse
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

from tests.bench.table import Void, drive

Child = Callable[..., Coroutine[Any, Any, None]]


class Bench(NamedTuple):
    """`options` is a NamedTuple with a default for each field; every field is an option."""

    module: str
    about: str
    options: type[Any]
    run: Callable[[Any], str]  # what is printed; raises Void
    children: Mapping[str, Child] = {}  # by the word a run starts them with; more words follow it


def main(bench: Bench, arguments: Sequence[str]) -> int:
    """The exit code, 1 for a run that is void. A child's word makes this program that child."""
    if arguments and arguments[0] in bench.children:
        return drive(bench.children[arguments[0]](*arguments[1:]))
    try:
        written = bench.run(read_options(bench, arguments))
    except Void as error:
        sys.stderr.write(f"void: {error}\n")
        return 1
    sys.stdout.write(written + "\n")
    return 0


def read_options(bench: Bench, arguments: Sequence[str]) -> Any:
    """`--in-flight 8` for `in_flight: int`; `--ways a b`, of its default, for a tuple of words."""
    parser = argparse.ArgumentParser(prog=bench.module, description=bench.about)
    for name, default in bench.options._field_defaults.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(default, tuple):
            parser.add_argument(flag, nargs="+", choices=default, default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    return bench.options(**vars(parser.parse_args(arguments)))
