"""Every command that can be typed is known to the table of what is written down."""

import inspect

import pytest

from channels.cli import COMMANDS, DESK, _load, _parser
from channels.commands.terminal import LINES, Silent, TellsItself, Told, all_words, words_of

PARSER = _parser()
TYPED = sorted(all_words(PARSER))


def test_every_command_and_each_of_its_words_has_a_line() -> None:
    """Who adds one says in `commands/terminal.py` whether it is written down, and if not why."""
    assert set(TYPED) == set(LINES)
    assert {words.split()[0] for words in TYPED} == {*COMMANDS, *DESK}


@pytest.mark.parametrize("words", [w for w, line in LINES.items() if isinstance(line, Silent)])
def test_what_leaves_no_row_says_why(words: str) -> None:
    line = LINES[words]
    assert isinstance(line, Silent) and len(line.why) > 10


@pytest.mark.parametrize("words", [w for w, line in LINES.items() if not isinstance(line, Silent)])
def test_what_is_written_down_passes_where_it_is_written(words: str) -> None:
    """A process, or a command without settings, has no log: it would pass by unseen."""
    command = COMMANDS.get(words.split()[0])
    assert command is None or not (command.is_process or command.is_bare)


@pytest.mark.parametrize("words", [w for w, line in LINES.items() if isinstance(line, Told)])
def test_the_argument_that_names_a_subject_is_there(words: str) -> None:
    line, parser = LINES[words], PARSER
    assert isinstance(line, Told)
    for word in words.split():
        parser = next(a for a in parser._actions if a.choices and word in a.choices).choices[word]  # type: ignore[index]
    known = {action.dest for action in parser._actions}
    assert {*line.marks, line.subject or "help"} <= known
    assert {*line.values} <= {*line.marks}


@pytest.mark.parametrize("words", [w for w, line in LINES.items() if isinstance(line, TellsItself)])
def test_what_writes_its_own_row_does_so(words: str) -> None:
    name, word = words.split()
    module = inspect.getmodule(_load(COMMANDS[name].runs))
    known = {**vars(module)}
    carried_out = (known.get("COMMANDS") or known.get("_COMMANDS"))[word]  # type: ignore[index]
    assert "actions.doing(" in (source := inspect.getsource(carried_out)) or (
        "actions.begin(" in source and "actions.end(" in source
    )


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["books"], "books"),
        (["staff", "log", "asha"], "staff log"),
        (["audit", "verify"], "audit"),
        (["settlement"], "settlement"),
        (["settlement", "dispute", "rule", "d", "0"], "settlement dispute rule"),
        (["liquidity", "set", "POOL_AVAIL:UGX", "--low", "1", "--target", "2"], "liquidity set"),
    ],
)
def test_a_command_is_found_with_its_words(typed: list[str], words: str) -> None:
    parser = _parser(typed)
    try:
        options = parser.parse_args(typed)
    except SystemExit:
        options = parser.parse_args([*typed, "--as", "asha"])
    assert words_of(parser, options) == words
