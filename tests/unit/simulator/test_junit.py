from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from simulator import junit
from simulator.junit import Result
from simulator.mishaps import CALM, Weather, read_chances
from simulator.player import Played

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PEOPLE = {"payer": "+254712000001"}
# What the schema of Ant's junitreport, as build servers read it, asks of each element.
REQUIRED = {
    "testsuite": {"name", "tests", "failures", "errors", "time", "timestamp", "hostname"},
    "testcase": {"name", "classname", "time"},
    "failure": {"type", "message"},
    "skipped": {"message"},
    "property": {"name", "value"},
}
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase"],
    "testcase": ["failure", "skipped", "system-out"],
    "properties": ["property"],
}


def result(name: str, said: str = "dial *1#", **played: str) -> Result:
    outcome = Played(played.get("failure"), {}, PEOPLE, played.get("broken_off"))
    return Result(Path(f"tests/transcripts/{name}.txt"), AT, 1.25, outcome, (said,))


def read(*results: Result, weather: Weather = CALM) -> Element:
    return ElementTree.fromstring(junit.write(results, weather=weather))


RESULTS = (
    result("paid"),
    result("failed", failure="failed.txt:3: type 1\n  not so <&> \"'"),
    result("cut", broken_off="cut.txt:2: broken off by drop_after"),
)


def test_the_report_has_what_readers_of_the_schema_need() -> None:
    for element in read(*RESULTS).iter():
        assert set(element.keys()) >= REQUIRED.get(element.tag, set()), element.tag
        order = [CHILDREN.get(element.tag, []).index(child.tag) for child in element]
        assert order == sorted(order), element.tag


def test_the_suite_counts_and_times_its_cases() -> None:
    suite = read(*RESULTS)[0]
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")]
    assert counts == ["3", "1", "0", "1", "3.750"]
    assert suite.get("timestamp") == "2026-01-02T03:04:05"
    assert [case.get("classname") for case in suite.iter("testcase")] == ["tests.transcripts"] * 3


def test_a_failure_is_told_whole_and_its_first_line_is_the_message() -> None:
    failure = next(read(*RESULTS).iter("failure"))
    assert failure.get("message") == "failed.txt:3: type 1"
    assert failure.text == "failed.txt:3: type 1\n  not so <&> \"'"


def test_what_the_network_broke_off_is_skipped() -> None:
    skipped = next(read(*RESULTS).iter("skipped"))
    assert skipped.get("message") == "cut.txt:2: broken off by drop_after"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("to +254712000001", "to {payer}"),
        ("type 254712000001", "type {payer_digits}"),
        ("a\x00b\x1b\ufffe\ud800", "a\ufffdb\ufffd\ufffd\ufffd"),
        ("<b>&amp;]]>", "<b>&amp;]]>"),
        ("ጤና ይስጥልኝ", "ጤና ይስጥልኝ"),
    ],
)
def test_texts_are_whole_but_for_numbers_and_what_xml_cannot_hold(said: str, told: str) -> None:
    assert next(read(result("paid", said)).iter("system-out")).text == told


def test_the_weather_stands_in_the_report_so_that_it_can_be_had_again() -> None:
    weather = Weather(7, read_chances("drop_after:0.1"))
    found = next(read(*RESULTS, weather=weather).iter("property"))
    assert found.get("value") == "--faults drop_after:0.1 --seed 7"


def test_a_report_of_nothing_is_still_one() -> None:
    assert read()[0].get("tests") == "0"
