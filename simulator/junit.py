"""What was played as a report for build servers, in JUnit's XML.

Pure. Numbers of people stand in it by their names; PINs were never said.
Schema: the one of Ant's `junitreport`, which Jenkins, GitLab and GitHub's readers follow.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from simulator.mishaps import Weather
from simulator.player import Played

SUITE = "transcripts"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Result:
    """One transcript that was played: when, how long, how it went, what was said meanwhile."""

    file: Path
    began_at: datetime
    seconds: float
    played: Played
    said: Sequence[str]


def write(results: Sequence[Result], *, weather: Weather) -> bytes:
    """The whole report. A play that the network broke off counts as skipped: it proves nothing."""
    failed = [result for result in results if result.played.failure is not None]
    skipped = [result for result in results if result.played.broken_off is not None]
    counts = {
        "tests": str(len(results)), "failures": str(len(failed)), "errors": "0",
        "skipped": str(len(skipped)), "time": _seconds(sum(r.seconds for r in results)),
    }  # fmt: skip
    root = Element("testsuites", {"name": SUITE, **counts})
    suite = SubElement(root, "testsuite", {"name": SUITE, "hostname": "localhost", **counts})
    if results:
        suite.set("timestamp", f"{results[0].began_at:%Y-%m-%dT%H:%M:%S}")
    properties = SubElement(suite, "properties")
    SubElement(properties, "property", {"name": "network", "value": str(weather)})
    for result in results:
        suite.append(_case(result))
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _case(result: Result) -> Element:
    folder = ".".join(result.file.parent.parts[-2:]) or SUITE
    case = Element(
        "testcase",
        {"classname": folder, "name": result.file.stem, "time": _seconds(result.seconds)},
    )
    names = result.played.people
    if result.played.failure is not None:
        told = _clean(result.played.failure, names)
        # The first line names file, line and step.
        failure = SubElement(case, "failure", {"type": "NotSo", "message": told.split("\n")[0]})
        failure.text = told
    elif result.played.broken_off is not None:
        SubElement(case, "skipped", {"message": _clean(result.played.broken_off, names)})
    SubElement(case, "system-out").text = _clean("\n".join(result.said), names)
    return case


def _clean(text: str, people: Mapping[str, str]) -> str:
    """What XML can hold, with people's names in place of their numbers."""
    for name, msisdn in people.items():
        text = text.replace(msisdn, f"{{{name}}}").replace(msisdn[1:], f"{{{name}_digits}}")
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
