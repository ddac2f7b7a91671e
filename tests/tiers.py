"""Which tests a run holds that names none: the quick ones, or every one with `--all`.

It refuses to know how long anything takes. A test that is long says so itself, beside the reason:
`pytest.mark.long("why, and what stays quick in its place")`, on a whole file as its `pytestmark`.
"""

import re
from pathlib import Path

import pytest

MARK = "long"
# Read, not imported: a file that stays away should cost nothing, and most of its cost is importing.
_WHOLE_FILE = re.compile(r"^pytestmark = (?:\[[^\]]*)?pytest\.mark\.long\(", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", dest=MARK, action="store_true", help="the long tests as well")


def pytest_configure(config: pytest.Config) -> None:
    """The mark exists whatever is run; only a run of the quick ones leaves anything out."""
    config.addinivalue_line("markers", f"{MARK}(why): not among the quick tests, for this reason")
    if is_quick(config):
        config.pluginmanager.register(Quick(), "the quick tests")


def is_quick(config: pytest.Config) -> bool:
    """Nothing is named: neither all of them, nor a place, a word or a mark."""
    named = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    asked = named or config.option.keyword or config.option.markexpr
    return not (asked or config.getoption(MARK))


def is_long(source: str) -> bool:
    """Whether a file is long as a whole."""
    return _WHOLE_FILE.search(source) is not None


class Quick:
    """Leaves out what is long."""

    def pytest_report_header(self) -> str:
        return "the quick tests: `--all`, or ALL=1 of make, adds the long ones"

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
            return None
        return is_long(collection_path.read_text("utf-8")) or None

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        long = [item for item in items if item.get_closest_marker(MARK)]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker(MARK)]
