"""The listing of the contract suite in `tests/providers/README.md`: operator by check, with the
number of cases. `python -m tests.providers.contract_listing` collects the suite and writes it anew.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
README = FOLDER / "README.md"
SUITES = ("test_contract.py",)
BEGIN, END = "<!-- contract -->\n", "<!-- end of contract -->\n"

Counts = Mapping[str, Mapping[str, int]]
"""Check -> subject -> cases."""


def collected() -> list[str]:
    """The suite's cases, from a pytest of its own that runs none. Raises CalledProcessError."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    told = subprocess.run(
        [*command, *(str(FOLDER / suite) for suite in SUITES)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [line for line in told.splitlines() if "::" in line]


def counted(node_ids: Sequence[str], subjects: Sequence[str]) -> Counts:
    """How many cases each check has of each subject. Raises ValueError for one that names none."""
    counts: dict[str, Counter[str]] = {}
    for node_id in node_ids:
        check, _, parameters = node_id.partition("::")[2].partition("[")
        of_check = counts.setdefault(check.removeprefix("test_").replace("_", " "), Counter())
        of_check[_subject(parameters.removesuffix("]"), subjects)] += 1
    return counts


def table_of(counts: Counts, subjects: Sequence[str]) -> str:
    """One row a check, one column a subject; a check that does not apply there is a dash."""
    rows = [["check", *subjects]]
    rows.append(["---"] * len(rows[0]))
    rows += [
        [check, *(str(of_check.get(subject) or "-") for subject in subjects)]
        for check, of_check in counts.items()
    ]
    totals = [sum(of_check.get(subject, 0) for of_check in counts.values()) for subject in subjects]
    rows.append(["**cases**", *map(str, totals)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def subjects_of_the_suite() -> list[str]:
    """Whom the suite is run with, in its own order, two of one name once."""
    from tests.providers.test_contract import SUBJECTS

    return list(dict.fromkeys(subject.name for subject in SUBJECTS))


def listing(node_ids: Sequence[str]) -> str:
    """The table of what was collected."""
    subjects = subjects_of_the_suite()
    return table_of(counted(node_ids, subjects), subjects)


def written() -> str:
    """The part of the README between the marks. Raises ValueError when a mark lacks."""
    text = README.read_text("utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def write() -> None:
    text = README.read_text("utf-8")
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    README.write_text(text[:start] + listing(collected()) + text[end:], "utf-8")


def _subject(parameters: str, subjects: Sequence[str]) -> str:
    """Whose name stands as a word of its own; pytest numbers those that stand there twice."""
    words = {word.rstrip("0123456789") for word in parameters.replace("-", " ").split()}
    found = [subject for subject in subjects if subject in words]
    if len(found) != 1:
        raise ValueError(f"a case of nobody, or of several: {parameters!r}")
    return found[0]


if __name__ == "__main__":
    write()
