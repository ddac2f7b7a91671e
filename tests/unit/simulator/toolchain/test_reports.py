from simulator.toolchain import reports
from simulator.toolchain.reports import Coverage

PRINTED = """\
Compiling, may take a little while to download git dependencies...
BUILDING CappThing
warning: unknown attribute
   ┌─ ./sources/thing.move:71:7
   │
71 │     #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
   │       ^^^^^^^^^^^^^^^^^^^^^ Attribute name 'resource_group_member' is unknown (use ...)

warning: unused alias
  ┌─ ./sources/thing.move:4:14
Running Move unit tests
[ PASS    ] 0xca01::thing_tests::goes_well
[ FAIL    ] 0xca01::thing_tests::goes_wrong
[ TIMEOUT ] 0xca01::thing_tests::goes_on
Test result: FAILED. Total tests: 3; passed: 1; failed: 2
"""
COUNTED = "\n".join(
    [
        "ModuleName,FunctionName,Covered,Uncovered",
        f"{'0' * 60}ca01::thing,whole,10,10",
        f"{'0' * 60}ca01::thing,half,5,10",
        f"{'0' * 60}ca01::thing_tests,goes_well,1,4",
        "00000",
    ]
)


def test_tests_are_read_by_how_they_ended() -> None:
    tested = reports.read_tests("thing", PRINTED, counted=COUNTED, modules=["thing"])
    assert tested is not None
    assert tested.passed == ("0xca01::thing_tests::goes_well",)
    assert tested.failed == ("0xca01::thing_tests::goes_wrong", "0xca01::thing_tests::goes_on")


def test_coverage_counts_the_packages_modules_and_names_what_is_short() -> None:
    tested = reports.read_tests("thing", PRINTED, counted=COUNTED, modules=["thing"])
    assert tested is not None
    assert tested.coverage == {"thing": Coverage(covered=15, total=20, short=("half",))}
    assert tested.coverage["thing"].percent == 75.0
    assert not tested.coverage["thing"].is_whole


def test_a_run_without_a_result_is_no_result() -> None:
    assert reports.read_tests("thing", "error: no such thing", counted="", modules=[]) is None


def test_a_run_whose_tests_are_not_all_told_is_no_result() -> None:
    told = PRINTED.replace("[ TIMEOUT ]", "[ ANOTHER ]")
    assert reports.read_tests("thing", told, counted=COUNTED, modules=[]) is None


def test_what_is_said_of_every_package_is_left_out() -> None:
    plain = reports.plain("\x1b[33m" + PRINTED)
    assert plain.startswith("BUILDING CappThing\nwarning: unused alias")
    assert "[ FAIL    ] 0xca01::thing_tests::goes_wrong" in plain


def test_a_last_instruction_that_is_missing_is_not_rounded_away() -> None:
    almost = Coverage(covered=99_999, total=100_000, short=("last",))
    assert f"{almost.percent:.2f}" == "100.00"
    assert not almost.is_whole
