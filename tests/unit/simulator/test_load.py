"""Crowds: numbers of their own, what is counted, what is kept, what the books must say."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulator import transcript
from simulator.load.command import RIGHT, UNUSABLE, WRONG, run_load
from simulator.load.journey import Journey, read_journey
from simulator.load.report import Effort, Money, progress, report
from simulator.load.tally import Tally, Wrong
from simulator.serving import serving
from simulator.transcript import Unreadable

SCRIPT = """\
# Somebody pays.
phone payer +2547120?????
phone payee +2567720?????
wallet payer KES 500
payer: dial *384*96#
| Welcome
| 1. Send
payer: type 1
| To {payee}, your PIN
payer: type {pin}
| {code} started
ended
sms payer
| {code} Confirmed
"""


def journey(source: str = SCRIPT) -> Journey:
    return read_journey(transcript.parse(source, name="pay.txt"))


# Journeys.


def test_crowd_walks_up_to_the_first_line_that_waits_for_somebody_else() -> None:
    found = journey()
    assert [step.verb for step in found.moves] == ["dial", "type", "type", "ended"]
    assert found.left_out == "sms payer"


@pytest.mark.parametrize("source", ["dial *384*96#\n", "phone a +2547120?????\n", "sms +254712\n"])
def test_file_without_a_phone_that_dials_is_refused(source: str) -> None:
    with pytest.raises(Unreadable):
        journey(source)


@pytest.mark.parametrize("seed", [0, 1, 999_983])
def test_no_two_walks_share_a_number(seed: int) -> None:
    found = journey()
    assert found.room == 50_000
    walks = 5_000
    numbers = [number for walk in range(walks) for _, number, _ in found.numbers(walk, seed)]
    assert len(set(numbers)) == 2 * walks
    assert {len(number) for number in numbers} == {13}
    assert {name for name, _, _ in found.numbers(0, seed)} == {"payer", "payee"}


# A server of our own, with books.


class Bank:
    """Says what the transcript says, and keeps a payment for each PIN; or errs on purpose."""

    def __init__(self) -> None:
        self.payments: dict[str, list[dict[str, Any]]] = {}
        self.sessions: Counter[str] = Counter()
        self.balanced = True
        self.errs: str = ""
        self.state = "PAID"

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/ussd", self.turn, methods=["POST"]),
                Route("/inspect/payments", self.list_payments),
                Route("/inspect/books", self.books),
            ]
        )

    async def turn(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        self.sessions[form["sessionId"]] += 1
        number = len(self.sessions)
        match form["text"].split("*"):
            case [""] if self.errs == "words" and number % 5 == 0:
                return PlainTextResponse("CON Something else")
            case [""]:
                return PlainTextResponse("CON Welcome\n1. Send")
            case ["1"]:
                payee = self.payee_of[form["phoneNumber"]]
                return PlainTextResponse(f"CON To {payee}, your PIN")
        if self.errs == "500":
            return PlainTextResponse("sorry", 500)
        code = f"{number:010d}"
        if self.errs != "forgets":
            for _ in range(2 if self.errs == "twice" else 1):
                self._pay(form["phoneNumber"], code)
        return PlainTextResponse(f"END {code} started")

    payee_of: dict[str, str]

    def _pay(self, msisdn: str, code: str) -> None:
        money = {"minor": 1, "currency": "KES"}
        self.payments.setdefault(msisdn, []).append(
            {
                "payment_id": code, "code": code, "state": self.state, "amount": money,
                "fee": money, "receives": money, "payer": "", "payee": "", "steps": [],
                "attempts": [],
            }
        )  # fmt: skip

    async def list_payments(self, request: Request) -> Response:
        return JSONResponse({"payments": self.payments.get(request.query_params["msisdn"], [])})

    async def books(self, request: Request) -> Response:
        del request
        return JSONResponse({"balanced": self.balanced, "accounts": []})


@pytest.fixture
def bank() -> Bank:
    made = Bank()
    made.payee_of = {
        people[0][1]: people[1][1]
        for people in (journey().numbers(walk, 7) for walk in range(1_000))
    }
    return made


@pytest.fixture
async def url(bank: Bank) -> AsyncIterator[str]:
    async with serving({"bank": (bank.app, 0)}) as urls:
        yield urls["bank"]


async def load(url: str, file: Path, *more: str, door: bool = True) -> int:
    """The command in a thread of its own, beside the server in this loop."""
    arguments = [
        str(file), "--server", url, "--ussd-url", f"{url}/ussd", "--gateway", url, "--rate", "100",
        "--seconds", "0.6", "--think", "0..0.01", "--seed", "7", "--patience", "0.5", *more,
    ]  # fmt: skip
    if door:
        arguments += ["--inspect-token", "open"]
    return await asyncio.to_thread(run_load, arguments)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "pay.txt"
    file.write_text(SCRIPT)
    return file


async def test_right_server_is_found_right(
    bank: Bank, url: str, script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "run.svg"
    assert await load(url, script, "--plot", str(plot)) == RIGHT
    told = capsys.readouterr().out
    walks = len(bank.sessions)
    assert walks > 30 and sum(bank.sessions.values()) == 3 * walks
    assert f"{walks} journeys begun, {walks} walked to their end" in told
    assert f"{3 * walks} turns answered" in told and "wrong answers: none" in told
    assert f"payments of {walks} phones: 0 mistakes" in told and "books: balanced" in told
    assert plot.read_text().startswith("<svg")


async def test_same_seed_brings_the_same_phones(bank: Bank, url: str, script: Path) -> None:
    assert await load(url, script) == RIGHT
    first = set(bank.payments)
    bank.payments.clear()
    await load(url, script)
    assert set(bank.payments) == first


async def test_wrong_screen_is_counted_and_kept_with_its_transcript(
    bank: Bank, url: str, script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.errs = "words"
    assert await load(url, script, "--out", str(tmp_path / "wrong")) == WRONG
    kept = sorted((tmp_path / "wrong").iterdir())
    assert len(kept) == len(bank.sessions) // 5
    text = kept[0].read_text()
    assert "payer: dial *384*96#\n| Something else" in text and "Welcome" in text
    assert f"wrong answers: {len(kept)}" in capsys.readouterr().out


async def test_server_that_fails_is_no_wrong_answer_but_none(
    bank: Bank, url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.errs = "500"
    assert await load(url, script) == WRONG
    told = capsys.readouterr().out
    assert f"no answer of use: {len(bank.sessions)}" in told and "500" in told
    assert "wrong answers: none" in told


@pytest.mark.parametrize(
    ("errs", "words"), [("forgets", "was promised and is not there"), ("twice", "were ordered")]
)
async def test_lost_and_doubled_payments_are_found(
    bank: Bank, url: str, script: Path, errs: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.errs = errs
    assert await load(url, script) == WRONG
    assert words in capsys.readouterr().out


async def test_books_that_do_not_balance_fail_the_run(
    bank: Bank, url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.balanced = False
    assert await load(url, script) == WRONG
    assert "NOT BALANCED" in capsys.readouterr().out


async def test_payment_that_never_ends_fails_the_run(
    bank: Bank, url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.state = "PAYING"
    assert await load(url, script) == WRONG
    assert "have not ended yet" in capsys.readouterr().out


async def test_without_a_door_nobody_is_asked_about_money(
    url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await load(url, script, door=False) == RIGHT
    assert "nobody was asked" in capsys.readouterr().out


async def test_dropped_turns_are_the_networks_doing(
    bank: Bank, url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await load(url, script, "--faults", "drop_after:0.3") == RIGHT
    told = capsys.readouterr().out
    assert "ended by the network" in told and "drop_after" in told and "seed 7" in told
    # A turn whose answer was lost may have paid: that is no mistake of the books.
    assert sum(map(len, bank.payments.values())) > 0


@pytest.mark.parametrize(
    "more", [["--rate", "0"], ["--think", "soon"], ["--think", "3..1"], ["--faults", "x:1"],
             ["--rate", "1000000"]],
)  # fmt: skip
async def test_option_of_no_use_is_told_before_anything_is_dialled(
    bank: Bank, url: str, script: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await load(url, script, *more) == UNUSABLE
    assert capsys.readouterr().err and not bank.sessions


# The report.


def test_report_names_what_went_wrong() -> None:
    tally = Tally()
    tally.begin("pay.txt", 0.0, 0.2)
    tally.answer(0.1, 0.004)
    tally.no_answer(0.2, "no answer within 10 s")
    tally.dropped["drop_after"] += 2
    tally.keep_wrong(Wrong(4, "pay.txt:7", "the text is not\nwhat", "..."))
    told = report(
        tally, [journey()], Money(True, 3, ["x is missing"], 1), Effort(2.0, 1.0), weather="seed 7"
    )
    for words in (
        "1 turns answered in 2.0 s", "50% of a core", "could not keep up", "2 x drop_after",
        "1 x no answer within 10 s", "phone 4, pay.txt:7: the text is not", "x is missing",
        "1 payments have not ended yet", "up to 'sms payer'", "seed 7",
    ):  # fmt: skip
        assert words in told, words
    assert all(len(line) <= 110 for line in told.splitlines())


def test_progress_tells_of_the_last_whole_second() -> None:
    tally = Tally()
    tally.begin("a", 0.1, 0.0)
    tally.answer(0.5, 0.010)
    tally.answer(0.6, 0.010)
    assert "turns 2/s" in progress(tally, 1.2) and "turns 0/s" in progress(tally, 2.2)
    assert "begun 1" in progress(tally, 0.2)
