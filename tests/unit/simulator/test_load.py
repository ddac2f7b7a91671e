"""Crowds: numbers of their own, what is counted, what is kept, what the books must say."""

import asyncio
import statistics
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulator import transcript
from simulator.inspect import Inspector
from simulator.load.command import RIGHT, UNUSABLE, WRONG, run_load
from simulator.load.crowd import ENDED, Crowd, Plan, look_at_books
from simulator.load.journey import Journey, read_journey
from simulator.load.report import Effort, Money, progress, report
from simulator.load.tally import Tally, Wrong
from simulator.load.walker import Phones, Walk, Walked, match_screen
from simulator.load.wire import Wires
from simulator.operators.world import World
from simulator.places import Places
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
        self.looks_until_paid = 0  # so many times the door tells of a payment under way
        self.pins: dict[str, str] = {}
        self.networks: Counter[str] = Counter()
        self.ends = 0
        self.walking = self.walking_max = 0
        self.slow_seconds = 0.0

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/ussd", self.turn, methods=["POST"]),
                Route("/inspect/payments", self.list_payments),
                Route("/inspect/books", self.books),
                Route("/end", self.end, methods=["POST"]),
            ]
        )

    async def turn(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        self.sessions[form["sessionId"]] += 1
        number = len(self.sessions)
        self.networks[form["networkCode"]] += 1
        self.walking += 1
        self.walking_max = max(self.walking_max, self.walking)
        await asyncio.sleep(self.slow_seconds)
        self.walking -= 1
        match form["text"].split("*"):
            case [""] if self.errs == "words" and number % 5 == 0:
                return PlainTextResponse("CON Something else")
            case [""] if self.errs == "abroad" and form["networkCode"] != "63902":
                return PlainTextResponse("CON Welcome abroad")
            case [""]:
                return PlainTextResponse("CON Welcome\n1. Send")
            case ["1"]:
                payee = self.payee_of[form["phoneNumber"]]
                if self.errs == "another payee":
                    payee = "+256772999999"
                return PlainTextResponse(f"CON To {payee}, your PIN")
        self.pins[form["phoneNumber"]] = form["text"].partition("*")[2]
        if self.errs == "500":
            return PlainTextResponse("sorry", 500)
        code = f"{number:010d}"
        if self.errs != "forgets":
            for _ in range(2 if self.errs == "twice" else 1):
                self._pay(form["phoneNumber"], code)
        if self.errs == "pays, then 500":
            return PlainTextResponse("sorry", 500)
        if self.errs == "pays, then other words":
            return PlainTextResponse("END Bye")
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
        found = self.payments.get(request.query_params["msisdn"], [])
        if self.looks_until_paid:
            self.looks_until_paid -= 1
            found = [{**payment, "state": "PAYING"} for payment in found]
        return JSONResponse({"payments": found[: int(request.query_params["limit"])]})

    async def end(self, request: Request) -> Response:
        del request
        self.ends += 1
        return Response()

    async def books(self, request: Request) -> Response:
        del request
        return JSONResponse({"balanced": self.balanced, "accounts": []})


@pytest.fixture
def bank() -> Bank:
    made, walked = Bank(), journey()
    made.payee_of = {
        people[0][1]: people[1][1] for people in (walked.numbers(walk, 7) for walk in range(1_000))
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


@pytest.fixture
def unpaid(tmp_path: Path) -> Path:
    """Up to the PIN, which it does not type."""
    file = tmp_path / "unpaid.txt"
    file.write_text(SCRIPT.partition("payer: type {pin}")[0])
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


@pytest.mark.long("a whole crowd for one finding")
async def test_same_seed_brings_the_same_phones(bank: Bank, url: str, script: Path) -> None:
    assert await load(url, script) == RIGHT
    first, pins = set(bank.payments), dict(bank.pins)
    bank.payments.clear()
    await load(url, script)
    assert set(bank.payments) == first
    assert bank.pins == pins and len(set(pins.values())) > 10


@pytest.mark.long("a whole crowd for one finding")
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


@pytest.mark.long("a whole crowd for one finding")
async def test_server_that_fails_is_no_wrong_answer_but_none(
    bank: Bank, url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.errs = "500"
    assert await load(url, script) == WRONG
    told = capsys.readouterr().out
    assert f"no answer of use: {len(bank.sessions)}" in told and "500" in told
    assert "wrong answers: none" in told


@pytest.mark.long("a whole crowd for one finding")
@pytest.mark.parametrize(
    ("errs", "words"), [("forgets", "was promised and is not there"), ("twice", "were ordered")]
)
async def test_lost_and_doubled_payments_are_found(
    bank: Bank, url: str, script: Path, errs: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.errs = errs
    assert await load(url, script) == WRONG
    assert words in capsys.readouterr().out


@pytest.mark.long("a whole crowd for one finding")
async def test_books_that_do_not_balance_fail_the_run(
    bank: Bank, url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.balanced = False
    assert await load(url, script) == WRONG
    assert "NOT BALANCED" in capsys.readouterr().out


@pytest.mark.long("a whole crowd for one finding")
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


@pytest.mark.long("a whole crowd for one finding")
async def test_dropped_turns_are_the_networks_doing(
    bank: Bank, url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await load(url, script, "--faults", "drop_after:0.3") == RIGHT
    told = capsys.readouterr().out
    assert "ended by the network" in told and "drop_after" in told and "seed 7" in told
    # A turn whose answer was lost may have paid: that is no mistake of the books.
    assert sum(map(len, bank.payments.values())) > 0


@pytest.mark.long("a whole crowd for one finding")
@pytest.mark.parametrize(
    "more", [["--rate", "0"], ["--think", "soon"], ["--think", "3..1"], ["--faults", "x:1"],
             ["--rate", "1000000"]],
)  # fmt: skip
async def test_option_of_no_use_is_told_before_anything_is_dialled(
    bank: Bank, url: str, script: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await load(url, script, *more) == UNUSABLE
    assert capsys.readouterr().err and not bank.sessions


# What is allowed for, and what is not.


@pytest.mark.long("a whole crowd for one finding")
@pytest.mark.parametrize("errs", ["pays, then 500", "pays, then other words"])
async def test_turn_whose_screen_was_of_no_use_may_have_paid_once(
    bank: Bank, url: str, script: Path, errs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.errs = errs
    assert await load(url, script) == WRONG
    assert ": 0 mistakes" in capsys.readouterr().out


async def test_another_payee_than_was_typed_is_a_wrong_answer(
    bank: Bank, url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.errs = "another payee"
    assert await load(url, script, door=False) == WRONG
    assert f"wrong answers: {len(bank.sessions)}" in capsys.readouterr().out


@pytest.mark.long("a whole crowd for one finding")
@pytest.mark.parametrize(
    "fault", ["truncate:1:4", "hang_up:1", "garble:1:1", "drop_before:1", "lost_end:1"]
)
async def test_what_the_network_did_is_no_wrong_answer(
    bank: Bank, url: str, script: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await load(url, script, "--faults", fault, "--rate", "30") == RIGHT
    told = capsys.readouterr().out
    assert "wrong answers: none" in told and f"x {fault.partition(':')[0]}" in told
    assert " 0 walked to their end" in told


@pytest.mark.long("a whole crowd for one finding")
async def test_what_no_caller_sees_breaks_no_walk_off(
    url: str, unpaid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await load(url, unpaid, "--faults", "duplicate:0.5,reorder:0.5", door=False) == RIGHT
    told = capsys.readouterr().out
    begun = told.partition(" ")[0]
    assert f"{begun} walked to their end" in told and "ended by the network" not in told


@pytest.mark.long("a whole crowd for one finding")
async def test_what_went_wrong_at_the_dial_excuses_the_screens_after_it(
    bank: Bank, url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank.errs = "abroad"
    assert await load(url, script, "--faults", "ported:0.5:64101") == RIGHT
    assert bank.networks["64101"] > 5
    assert f"{bank.networks['64101']} x ported" in capsys.readouterr().out


@pytest.mark.long("a whole crowd for one finding")
async def test_payment_that_ends_while_we_wait_is_right(bank: Bank, url: str, script: Path) -> None:
    bank.looks_until_paid = 3
    assert await load(url, script, "--patience", "5") == RIGHT


@pytest.mark.parametrize("state", sorted(ENDED))
async def test_every_end_of_a_payment_is_an_end(state: str) -> None:
    bank = Bank()
    bank.state = state.upper()
    bank._pay("+254712000001", "C")
    assert await looked_at(bank, Walked("+254712000001", frozenset("C"), 0)) == Money(True, 1, [])


async def looked_at(bank: Bank, walked: Walked) -> Money:
    transport = httpx.ASGITransport(bank.app)
    async with httpx.AsyncClient(transport=transport) as client:
        inspector = Inspector(client, Places("http://bank", "", "", inspect_token="x"))
        return await look_at_books(inspector, [walked], patience_seconds=0.0)


async def test_mistake_tells_no_full_number() -> None:
    money = await looked_at(Bank(), Walked("+254712000001", frozenset({"GONE"}), 0))
    assert money.mistakes == ["+2547*****001: GONE was promised and is not there"]


async def test_silent_door_is_no_right_run(
    url: str, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await load(url, script, "--server", "http://127.0.0.1:9") == WRONG
    assert "nobody tells of the books" in capsys.readouterr().out


# How a crowd walks.


def plan_of(*journeys: Journey, **changed: Any) -> Plan:
    plan = Plan(journeys, 40.0, 0.5, 1_000, (0.0, 0.0), 7)
    return replace(plan, **changed)


async def walked(url: str, plan: Plan) -> Crowd:
    places = Places("", f"{url}/ussd", "", ussd_end_url=f"{url}/end")
    wires = Wires()
    async with httpx.AsyncClient(verify=False, timeout=60) as client:
        crowd = Crowd(plan, places, client, wires)
        async with asyncio.timeout(120):
            await crowd.run()
    await wires.aclose()
    return crowd


def test_journeys_begin_as_independent_people_do() -> None:
    begins = plan_of(journey(), rate=50.0, seconds=40.0).begins()
    gaps = [later - earlier for earlier, later in pairwise(begins)]
    assert 1_800 < len(begins) < 2_200 and begins[-1] < 40.0
    # The spread of exponential gaps is their mean; even ones have none.
    assert 0.8 < statistics.stdev(gaps) / statistics.mean(gaps) < 1.2
    assert begins == plan_of(journey(), rate=50.0, seconds=40.0).begins()
    assert begins != plan_of(journey(), rate=50.0, seconds=40.0, seed=8).begins()


@pytest.mark.long("a whole crowd for one finding")
async def test_journeys_begin_by_the_clock_though_the_server_is_slow(bank: Bank, url: str) -> None:
    bank.slow_seconds = 0.6
    plan = plan_of(journey(), seconds=1.6)
    crowd = await walked(url, plan)
    due = plan.begins()
    seconds, lateness = crowd.tally.seconds, crowd.tally.lateness
    assert sum(second.begun for second in seconds) == len(due)
    assert seconds[0].begun <= sum(moment < 1 for moment in due), "nobody was early"
    # A busy machine may be late as well, but not as if each had waited for the one before.
    assert lateness.total_seconds / len(due) < len(due) * bank.slow_seconds / 8
    assert crowd.tally.walking_max > 20


async def test_no_more_phones_walk_than_there_may(bank: Bank, url: str) -> None:
    bank.slow_seconds = 0.05
    crowd = await walked(url, plan_of(journey(), phones_max=2))
    assert bank.walking_max <= 2 == crowd.tally.walking_max
    assert crowd.tally.finished["pay.txt"] == len(plan_of(journey()).begins())


async def test_all_files_are_walked_in_turn(url: str) -> None:
    other = read_journey(transcript.parse(SCRIPT, name="other.txt"))
    crowd = await walked(url, plan_of(journey(), other))
    begun = crowd.tally.begun
    assert set(begun) == {"pay.txt", "other.txt"}
    assert abs(begun["pay.txt"] - begun["other.txt"]) <= 1


async def test_phone_thinks_before_each_key_and_not_before_the_dial(url: str) -> None:
    thoughts = list[int]()

    def think() -> float:
        thoughts.append(1)
        return 0.0

    wires = Wires()
    async with httpx.AsyncClient(verify=False, timeout=60) as client:
        places = Places("", f"{url}/ussd", "")
        stage = Phones(client, places, World(), "pay.txt 0", wires=wires)
        walk = Walk(0, journey(), stage, Tally(), think, lambda: 0.0)
        await walk.begin(7)
        assert await walk.go()
    await wires.aclose()
    assert len(thoughts) == 2


async def test_phone_hangs_up_when_its_part_is_over(bank: Bank, url: str) -> None:
    short = read_journey(transcript.parse(SCRIPT.partition("payer: type 1")[0], name="short.txt"))
    crowd = await walked(url, plan_of(short))
    assert bank.ends == crowd.tally.begun["short.txt"] > 5


def test_two_people_with_one_pattern_never_share_a_number() -> None:
    found = journey(SCRIPT.replace("+2567720", "+2547120"))
    numbers = [n for walk in range(2_000) for _, n, _ in found.numbers(walk, 7)]
    assert len(set(numbers)) == 4_000


def test_another_seed_brings_other_people() -> None:
    assert journey().numbers(0, 1) != journey().numbers(0, 2)


def test_smallest_pattern_decides_how_many_can_walk() -> None:
    assert journey(SCRIPT.replace("+2567720?????", "+25677200????")).room == 5_000


def test_name_that_is_known_already_decides_where_it_ends() -> None:
    """A pattern made for all phones would let `{payee}` end at the first blank."""
    expected, bound = ("{payee} {rest}",), {"payee": "Mary Ann"}
    assert match_screen(expected, ["Mary Ann is paid"], bound) == {"rest": "is paid"}
    assert match_screen(expected, ["Mary Beth is paid"], bound) is None


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
