"""What is typed behind `capp` is read in whatever order it stands."""

from itertools import permutations

import pytest

from channels.cli import _parser

PARTS = (("--as", "asha"), ("--why", "x"), ("TOP_UP",), ("operator=mpesa_ke", "amount=5"))


@pytest.mark.parametrize(
    "parts",
    [order for order in permutations(PARTS) if order.index(PARTS[2]) < order.index(PARTS[3])],
)
def test_fields_stand_before_options_between_them_or_behind(parts: tuple[tuple[str], ...]) -> None:
    words = ["propose", *(word for part in parts for word in part)]
    options = _parser(words).parse_args(words)
    assert (options.kind, options.person, options.why) == ("TOP_UP", "asha", "x")
    assert options.fields == ["operator=mpesa_ke", "amount=5"]


def test_a_word_that_may_be_left_out_is_read_behind_an_option() -> None:
    words = ["ported", "+256772000001", "--as", "asha", "--why", "x", "airtel_ug"]
    options = _parser(words).parse_args(words)
    assert (options.msisdn, options.operator) == ("+256772000001", "airtel_ug")


def test_behind_two_dashes_everything_is_a_word() -> None:
    words = ["menus", "diff", "--", "--output=x", "new"]
    options = _parser(words).parse_args(words)
    assert (str(options.old), str(options.new)) == ("--output=x", "new")


@pytest.mark.parametrize(
    ("words", "usage", "unread"),
    [
        (["books", "nonsense"], "usage: capp books", "nonsense"),
        (["propose", "--as", "a", "--why", "x", "TOP_UP", "--now"], "usage: capp propose", "--now"),
        (["staff", "add", "a", "b", "--roles", "admin"], "usage: capp staff add", "b"),
    ],
)
def test_what_nobody_reads_is_told_with_the_usage_of_its_command(
    capsys: pytest.CaptureFixture[str], words: list[str], usage: str, unread: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        _parser(words).parse_args(words)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith(usage)
    assert said.endswith(f"unrecognized arguments: {unread}\n")
