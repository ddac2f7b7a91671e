"""The listing of the contract suite: every case counted once, and the one in the README."""

import pytest

from tests.providers.contract_listing import collected, counted, listing, table_of, written

SUBJECTS = ["mtn_ug", "mpesa_ke"]


def test_every_case_is_counted_under_its_check_and_its_subject() -> None:
    ids = [
        "f.py::test_one_trace[mpesa_ke collect]",
        "f.py::test_one_trace[closes-mtn_ug query collect0]",
        "f.py::test_one_trace[closes-mtn_ug1]",
        "f.py::test_no_secret[mpesa_ke]",
    ]
    counts = counted(ids, SUBJECTS)
    assert {check: dict(found) for check, found in counts.items()} == {
        "one trace": {"mpesa_ke": 1, "mtn_ug": 2},
        "no secret": {"mpesa_ke": 1},
    }
    assert table_of(counts, SUBJECTS).splitlines()[2:] == [
        "| one trace | 2 | 1 |",
        "| no secret | - | 1 |",
        "| **cases** | 2 | 2 |",
    ]


@pytest.mark.parametrize("case", ["", "nobody", "mtn_ug-mpesa_ke"])
def test_a_case_of_nobody_or_of_two_is_refused(case: str) -> None:
    with pytest.raises(ValueError, match="nobody, or of several"):
        counted([f"f.py::test_it[{case}]"], SUBJECTS)


@pytest.mark.long("collects the suite in a process of its own")
def test_the_readme_lists_the_suite_as_it_is() -> None:
    """`python -m tests.providers.contract_listing` writes it anew. Nothing is run."""
    assert written() == listing(collected())
