"""What is typed at a terminal leaves its row, before anything is shown or done."""

import asyncio
import os
import pwd
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from channels.cli import main
from channels.commands.staff import who_is_here
from engine.database import open_pool
from tests.integration.owner import Owner
from tests.integration.world import ENVIRONMENT

NUMBER = "+254712000001"
OPERATOR = {
    "CAPP_OPERATORS": "mtn_ug",
    "CAPP_MTN_UG_BASE_URL": "http://127.0.0.1:1",
    "CAPP_AFRICASTALKING_BASE_URL": "http://127.0.0.1:1",
    **{f"CAPP_MTN_UG_{name}": "00000000-0000-4000-8000-000000000000" for name in (
        "API_USER", "API_KEY", "COLLECTION_KEY", "DISBURSEMENT_KEY")},
    **{f"CAPP_AFRICASTALKING_{name}": "1234" for name in ("USERNAME", "API_KEY", "SENDER")},
}  # fmt: skip
Row = tuple[str, str, str | None]


class Terminal:
    """Commands, and the rows they leave: what, about what, how it ended."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url

    def type(self, *words: str) -> list[Row]:
        """The rows that a command leaves."""
        before = len(self.rows())
        main(list(words))
        return [(row["what"], row["subject"], row["outcome"]) for row in self.rows()[before:]]

    def rows(self) -> list[Any]:
        rows: list[Any] = self.ask(
            lambda pool: pool.fetch("select * from staff_action order by id")
        )
        return rows

    def ask(self, question: Callable[[Any], Any]) -> Any:
        async def asked() -> Any:
            pool = await open_pool(self._url, size=1)
            try:
                return await question(pool)
            finally:
                await pool.close()

        return asyncio.run(asked())


@pytest.fixture
def terminal(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name, value in {**ENVIRONMENT, **OPERATOR, "DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)
    return Terminal(database_url)


def test_what_is_read_is_written_down_by_whom_and_about_what(terminal: Terminal) -> None:
    assert terminal.type("books") == [("books", "", "ok")]
    assert terminal.type("cases", "--kind", "AUDIT") == [("cases", "AUDIT", "ok")]
    assert terminal.type("staff", "log", "asha") == [("staff log", "asha", "ok")]
    report = ("report", "large", "--from", "2020-01-01", "--to", "2100-01-01")
    assert terminal.type(*report) == [("report", "large", "ok")]
    assert all(re.fullmatch(r"terminal:\S+", row["who"]) for row in terminal.rows())


def test_who_proposes_something_about_a_payment_is_named_by_its_code(terminal: Terminal) -> None:
    why = ("--as", "Asha", "--why", "looked into")
    words = ("propose", "CORRECTION", f"payment={'a' * 32}", "version=1", *why)
    assert terminal.type(*words) == [("propose CORRECTION", "a" * 32, "ok")]
    words = ("propose", "WRITE_OFF", "currency=UGX", "minor=5", *why)
    assert terminal.type(*words) == [("propose", "WRITE_OFF", "ok")]


def test_a_number_is_masked_in_the_log(terminal: Terminal) -> None:
    [(what, subject, outcome)] = terminal.type("customer", NUMBER)
    assert (what, outcome) == ("customer", "not well")
    assert subject.endswith(NUMBER[-3:]) and NUMBER[1:] not in subject
    [(whole, *_)] = terminal.type("traffic", NUMBER, "--whole")
    assert whole == "traffic --whole"
    [(changed, *_)] = terminal.type("customer", NUMBER, "--tier", "0", "--name", "Jane Wanjiku")
    assert changed == "customer --tier 0 --name"  # what somebody may send was changed to that
    assert "Jane" not in str(terminal.rows())
    assert NUMBER[4:-3] not in str(terminal.rows())


def test_who_somebody_says_they_are_is_kept_beside_who_the_system_says(terminal: Terminal) -> None:
    words = ("propose", "WRITE_OFF", "currency=UGX", "minor=5", "--as", "Asha", "--why", "gone")
    assert terminal.type(*words) == [("propose", "WRITE_OFF", "ok")]
    assert terminal.rows()[-1]["who"].endswith(" as asha")
    assert terminal.type("approve", "0" * 8, "--as", "babu") == [("approve", "0" * 8, "refused")]
    terminal.type("rates", "--confirm", "KES/UGX@1795255200000", "--as", "Asha")
    assert terminal.rows()[-1]["what"] == "rates"
    assert terminal.rows()[-1]["who"].endswith(" as asha")


def test_nobody_does_anything_under_a_colleagues_name(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the environment says is the word of whoever types."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "babu")
    terminal.type("traffic", "7K2M9QX4TB", "--whole")
    terminal.type("staff", "add", "asha", "--roles", "finance")
    assert "terminal:babu" not in (told := {row["who"] for row in terminal.rows()})
    assert told == {f"terminal:{who_is_here()}"}
    me = tmp_path / "loginuid"
    mine = pwd.getpwuid(os.getuid()).pw_name
    assert who_is_here(me) == mine  # there is no such file yet
    nobody, unreadable = str(2**32 - 1), "-"
    for number, name in (("0", "root"), (nobody, mine), (unreadable, mine)):
        me.write_text(number)
        assert who_is_here(me) == name
    me.write_text("3999999999")
    assert who_is_here(me) == "3999999999"


def test_what_writes_its_own_rows_is_not_written_down_twice(terminal: Terminal) -> None:
    typed = ("staff", "add", "asha", "--roles", "finance")
    assert terminal.type(*typed) == [("add_member", "asha", "finance")]
    assert terminal.type("data", "keys") == []


def test_what_takes_long_is_written_down_at_both_ends(terminal: Terminal) -> None:
    rows = terminal.type("data", "retain", "--dry-run")
    assert rows == [("data retain --dry-run", "", "begun"), ("data retain --dry-run", "", "ok")]


def test_what_cannot_be_written_down_is_not_done(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    rename = "alter table {} rename to {}"
    terminal.ask(lambda pool: Owner(pool).execute(rename.format("staff_action", "elsewhere")))
    try:
        assert main(["ported", NUMBER, "airtel_ke", "--as", "asha", "--why", "said so"]) == 1
        assert "staff_action" in capsys.readouterr().err
        assert terminal.ask(lambda pool: pool.fetchval("select count(*) from ported_number")) == 0
    finally:
        terminal.ask(lambda pool: Owner(pool).execute(rename.format("elsewhere", "staff_action")))
