"""Whoever gets a case is told what to do about it, whatever kind it is."""

import re
from pathlib import Path

import engine
from engine.desk import cases
from engine.desk.next_steps import NEXT
from engine.desk.proposals import Kind
from engine.payments.late_news import PAID_TWICE
from engine.payments.our_faults import OUR_FAULT
from engine.payments.payins.store import PAY_IN
from engine.payments.settlement.batch_store import CASE
from engine.payments.statements.cases import KINDS
from engine.payments.stepping import REFUND_BY_HAND, WAITS_FOR_PEOPLE
from engine.payments.unresolved import UNRESOLVED

OPENED = re.compile(r'open_(?:case|one)\(\s*[a-z.]+,\s*"([A-Z_]+)"')


def test_every_kind_of_case_has_its_line() -> None:
    told = {*cases.ONE_PERSON, *KINDS, *WAITS_FOR_PEOPLE.values(), "AUDIT"}
    told |= {CASE, OUR_FAULT, PAID_TWICE, PAY_IN, REFUND_BY_HAND, cases.RESTORED, UNRESOLVED}
    for file in Path(engine.__file__).parent.rglob("*.py"):
        told |= set(OPENED.findall(file.read_text("utf-8")))
    assert told == set(NEXT)


def test_what_two_people_must_close_is_not_told_to_one() -> None:
    for kind, line in NEXT.items():
        assert ("`capp close`" in line) == (kind in cases.ONE_PERSON), kind


def test_what_a_line_says_to_propose_can_be_proposed() -> None:
    words = {word for line in NEXT.values() for word in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", line)}
    assert words <= {kind.value for kind in Kind}
