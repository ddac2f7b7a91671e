import pytest

from simulator.steps import VERBS
from simulator.transcript import (
    Unreadable,
    difference,
    first_difference,
    match,
    merge,
    parse,
    rewrite,
)

EXAMPLE = """\
# Two people.
phone payer +25671200????
phone payee +256772000002 64110
wallet payer KES 1,000.50

dial *384*77#
| 1. Send money
| 2. Balance
payer: type 1
| Number to pay:
...
sms +256700000002
| You have received UGX 13,600 from +254700000001.
fault mtn disburse recipient_rejected x2 for payee
prompt payer
| Pay?
|
| Yes
approve wrong
hang up
payment paid
ledger balanced
"""


def test_the_parser_reads_every_kind_of_line() -> None:
    steps = parse(EXAMPLE, name="example").steps
    assert [(step.line, step.person, step.verb) for step in steps] == [
        (2, None, "phone"), (3, None, "phone"), (4, None, "wallet"), (6, None, "dial"),
        (9, "payer", "type"), (12, None, "sms"), (14, None, "fault"), (15, None, "prompt"),
        (19, None, "approve"), (20, None, "hang up"), (21, None, "payment"),
        (22, None, "ledger"),
    ]  # fmt: skip
    assert steps[0].arguments == {"name": "payer", "msisdn": "+25671200????"}
    assert steps[1].arguments["network"] == "64110"
    assert steps[2].arguments == {"whom": "payer", "currency": "KES", "amount": "1,000.50"}
    assert steps[3].expected == ("1. Send money", "2. Balance")
    assert steps[4].expected == ("Number to pay:", "...")
    assert steps[6].arguments == {
        "sandbox": "mtn", "on": "disburse", "fault": "recipient_rejected", "times": "2",
        "whom": "payee",
    }  # fmt: skip
    assert steps[7].expected == ("Pay?", "", "Yes")
    assert steps[8].arguments == {"wrong": "wrong"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("dail *384*96#", r"it:1: 'dail' is none of phone, handset, wallet"),
        ("# only\n\n", r"it: nothing happens"),
        ("| text", r"it:1: no screen, SMS or prompt stands before"),
        ("dial *1#\nhang up\n| text", r"it:3: no screen"),
        ("phone payer 0712000001", r"it:1: 'phone' does not take '0712000001'|'payer 0712"),
        ("dial *1#\nledger broken", r"it:2: 'ledger' does not take 'broken'"),
        ("wallet payer KES much", r"it:1: 'wallet' does not take"),
        ("text", r"it:1: 'text' does not take ''"),
        ("text SEND 500\n| answer", r"it:2: no screen, SMS"),
        ("hang up now", r"it:1: 'hang up' does not take 'now'"),
    ],
)
def test_what_is_not_of_the_format_is_named_with_its_line(source: str, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        parse(source, name="it")


@pytest.mark.parametrize(
    ("expected", "actual", "captured"),
    [
        (["a", "b"], ["a", "b"], {}),
        (["a"], ["a", "b"], None),
        (["a", "b"], ["a"], None),
        (["a", "..."], ["a", "b", "c"], {}),
        (["...", "c"], ["a", "b", "c"], {}),
        (["a", "...", "c"], ["a", "c"], {}),
        (["a", "...", "c"], ["a", "b"], None),
        (["To *, fee 5"], ["To Amina, fee 5"], {}),
        (["To *, fee 5"], ["To Amina", ", fee 5"], None),
        (["{code} sent"], ["7K2M sent"], {"code": "7K2M"}),
        (["{code} is {code}"], ["7K2M is 7K2M"], {"code": "7K2M"}),
        (["{code} is {code}"], ["7K2M is 7K2X"], None),
        (["from {payer}"], ["from +254"], {}),
        (["from {payer}"], ["from +255"], None),
        (["1. Send (fast)"], ["1. Send (fast)"], {}),
        (["a.c"], ["abc"], None),
        (["a"], ["a  "], {}),
        (["{code}"], [""], None),
    ],
)
def test_texts_match_as_a_reader_would_say(
    expected: list[str], actual: list[str], captured: dict[str, str] | None
) -> None:
    assert match(expected, actual, {"payer": "+254"}) == captured


def test_an_update_keeps_the_wildcards_that_still_hold() -> None:
    merged = merge(
        ["Welcome", "{code} started", "*", "Bye"],
        ["Hello", "7K2M started", "to +254712000001"],
        {"payer": "+254712000001"},
    )
    assert merged == ("Hello", "{code} started", "*")


def test_an_update_writes_known_numbers_by_their_names() -> None:
    assert merge([], ["From +254712000001"], {"payer": "+254712000001"}) == ("From {payer}",)


def test_a_text_that_matches_is_not_rewritten() -> None:
    assert merge(["...", "c"], ["a", "b", "c"], {}) == ("...", "c")


def test_rewriting_touches_only_the_texts_that_changed() -> None:
    source = "# Note\ndial *1#\n| old\n| older\ntype 1\n| kept\n# End\nsms +256772000002\n"
    written = rewrite(parse(source, name="it"), {2: ["new", ""], 8: ["Paid"]})
    assert written == (
        "# Note\ndial *1#\n| new\n|\ntype 1\n| kept\n# End\nsms +256772000002\n| Paid\n"
    )
    assert [step.expected for step in parse(written, name="it").steps] == [
        ("new", ""), ("kept",), ("Paid",),
    ]  # fmt: skip


def test_a_difference_shows_both_sides_beside_each_other_with_the_lines_of_the_file() -> None:
    source = "# Note\ndial *1#\n| Welcome\n| 1. Send\n# Note\n| {x} more\n| Bye\n"
    (step,) = parse(source, name="it").steps
    shown = difference(step, ["Welcome", "1. Pay", "2. Ask", "3 more"], {})
    assert [line.split() for line in shown.splitlines()] == [
        ["expected", "came"],
        ["3", "Welcome", "Welcome"],
        ["4", "!", "1.", "Send", "1.", "Pay"],
        ["!", "2.", "Ask"],
        ["6", "{x}", "more", "3", "more"],
        ["7", "!", "Bye"],
    ]
    assert first_difference(step, ["Welcome", "1. Pay", "3 more"], {}) == 4
    assert first_difference(step, ["Welcome", "1. Send", "3 more"], {}) == 7


def test_lines_that_may_be_any_do_not_part() -> None:
    (step,) = parse("dial *1#\n| Hello\n...\n| Bye\n", name="it").steps
    shown = difference(step, ["Welcome", "1. Pay", "2. Ask", "Bye"], {})
    assert [line[7:8] for line in shown.splitlines()[1:]] == ["!", " ", " ", " "]


def test_only_what_came_too_much_is_looked_up_at_the_step() -> None:
    (step,) = parse("dial *1#\n| Hello\n", name="it").steps
    assert first_difference(step, ["Hello", "Bye"], {}) == 1


def test_every_verb_of_the_format_is_told_in_the_readme(request: pytest.FixtureRequest) -> None:
    readme = (request.config.rootpath / "simulator" / "README.md").read_text("utf-8")
    assert [verb for verb in VERBS if f"`{verb}" not in readme] == []
