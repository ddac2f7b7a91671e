"""Reports on real payments, and the commands of staff that write them."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from channels.cli import main
from engine.clock import Ids, PaymentId
from engine.compliance.policy import LargeFrom, read_policy
from engine.compliance.profiles import Profiles
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.fx.rates import RateBook
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.payment import code_of
from engine.payments.reports import Reports, last_day_ends
from tests.integration.world import (
    ENVIRONMENT,
    FAILED,
    SUCCEEDED,
    World,
    open_world,
)
from tests.unit.payments.examples import PAYEE, PAYER

pytestmark = pytest.mark.long("reports over payments that are made for them")

DAY = timedelta(days=1)
LIMITS = read_policy().limits


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


async def collected(world: World, shillings: int) -> PaymentId:
    payment_id = await world.confirm(shillings=shillings)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    return payment_id


def reports(world: World) -> Reports:
    return Reports(world.pool, 1, Profiles(world.pool, 1))


async def test_only_payments_whose_money_came_in_are_reported(world: World) -> None:
    paid = await collected(world, 2_000)
    failed = await world.confirm(shillings=3_000)
    await world.tell(await world.live(failed), FAILED)
    await world.confirm(shillings=4_000)  # nobody has answered yet
    now = world.clock.now()
    found = [p async for p in reports(world).collected(now - DAY, now + DAY)]
    assert [p.payment_id for p in found] == [paid]
    assert found[0].state is State.PAYING
    assert found[0].facts.quote.amount.minor == 200_000


async def test_a_period_includes_its_first_moment_and_not_its_last(world: World) -> None:
    await collected(world, 2_000)
    made = world.clock.now().replace(microsecond=world.clock.now().microsecond // 1000 * 1000)
    step = timedelta(milliseconds=1)

    async def count(since: timedelta, until: timedelta) -> int:
        return len([p async for p in reports(world).collected(made + since, made + until)])

    assert await count(timedelta(), step) == 1
    assert await count(-step, timedelta()) == 0
    assert await count(step, DAY) == 0


async def test_large_payments_are_found_in_the_books(world: World) -> None:
    large = await collected(world, 6_000)
    await collected(world, 500)
    now = world.clock.now()
    thresholds = {"KE": LargeFrom("KES", 640_000)}
    lines = await reports(world).large(now - DAY, now + DAY, thresholds, LIMITS)
    assert {line.day_total for line in lines} == {"6500.00"}
    assert code_of(large) in {line.code for line in lines}
    assert await reports(world).large(now - DAY, now + DAY, {}, LIMITS) == []


@pytest.fixture
def rates_that_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """For who waits for an evening, which may be more than a day after the rates came."""
    monkeypatch.setattr(RateBook, "is_stale", lambda *_: False)


@pytest.mark.usefixtures("rates_that_last")
async def test_a_payers_day_that_the_periods_border_cuts_counts_whole(world: World) -> None:
    clock = world.clock
    now = clock.now()  # Nairobi's midnight is 21:00 UTC: an hour before and after that of UTC
    clock.pass_((23 - now.hour) % 24 * 3600 - now.minute * 60)
    made = []
    for _ in range(2):
        made.append(code_of(await collected(world, 6_000)))
        clock.pass_(2 * 3600)
    border = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    thresholds = {"KE": LargeFrom("KES", 1_000_000)}
    before = await reports(world).large(border - 2 * DAY, border, thresholds, LIMITS)
    after = await reports(world).large(border, border + 2 * DAY, thresholds, LIMITS)
    assert [[line.code for line in lines] for lines in (before, after)] == [[made[0]], [made[1]]]
    assert {line.day_total for line in (*before, *after)} == {"12000.00"}


@pytest.mark.usefixtures("rates_that_last")
async def test_a_report_that_comes_before_its_payers_days_are_over_knows_when_they_are(
    world: World,
) -> None:
    clock = world.clock
    now = clock.now()
    clock.pass_((23 - now.hour) % 24 * 3600 - now.minute * 60)  # two o'clock in Nairobi
    made = code_of(await collected(world, 6_000))
    border = (clock.now() + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    thresholds = {"KE": LargeFrom("KES", 1_000_000)}
    over = last_day_ends(border, thresholds, LIMITS)
    assert over == border + timedelta(hours=21)
    assert last_day_ends(border, {"GH"}, LIMITS) == last_day_ends(border, {}, LIMITS) == border
    clock.pass_(2 * 3600)  # a daily report of that day finds nothing large yet
    assert await reports(world).large(border - DAY, border, thresholds, LIMITS) == []
    await collected(world, 6_000)
    lines = await reports(world).large(border - DAY, border, thresholds, LIMITS)
    assert [line.code for line in lines] == [made]


class Written(NamedTuple):
    """What the reports of a day hold: codes, and of large payments their day's sum too."""

    collected: list[str]
    travel: list[str]
    large: list[tuple[str, str]]


@pytest.mark.usefixtures("rates_that_last")
async def test_money_proven_late_is_in_the_report_of_that_day_and_in_no_other(
    world: World,
) -> None:
    """The report of the day on which it was made was written, and is not written again."""
    clock = world.clock
    now = clock.now()
    clock.pass_((9 - now.hour) % 24 * 3600 - now.minute * 60)
    border = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    days = [(border + n * DAY, border + (n + 1) * DAY) for n in range(5)]
    thresholds = {"KE": LargeFrom("KES", 1_000_000)}

    async def written() -> list[Written]:
        room, found = reports(world), []
        for day in days:
            collected = [code_of(p.payment_id) async for p in room.collected(*day)]
            travel = [record["payment"]["code"] for record in await room.travel(*day)]
            large = await room.large(*day, thresholds, LIMITS)
            found.append(Written(collected, travel, [(p.code, p.day_total) for p in large]))
        return found

    on_time = code_of(await collected(world, 6_000))
    clock.pass_(1)  # ids of one moment are in no order
    late = await world.confirm(shillings=5_000)
    attempt = await world.live(late)
    await world.tell(attempt, FAILED)
    nothing, first = Written([], [], []), Written([on_time], [on_time], [])
    assert await written() == [first, *[nothing] * 4]
    clock.pass_(3 * 24 * 3600)
    await world.tell(attempt, SUCCEEDED, Source.QUERY)
    assert await world.state(late) is not State.COLLECT_FAILED
    code = code_of(late)
    together = [(on_time, "11000.00"), (code, "11000.00")]
    fourth = Written([code], [code], together)
    assert await written() == [first, nothing, nothing, fourth, nothing]
    whole = (days[0][0], days[-1][1])
    assert [p.payment_id async for p in reports(world).collected(*whole)][1:] == [late]
    lines = await reports(world).large(*whole, thresholds, LIMITS)
    assert [(p.code, p.counts_at.date()) for p in lines] == [
        (on_time, days[3][0].date()), (code, days[3][0].date()),
    ]  # fmt: skip
    assert await reports(world).count_open(*days[3]) == 1  # it has not gone back yet
    (record,) = await reports(world).travel(*days[3])
    assert record["payment"]["provenLateAt"] > record["payment"]["at"]


async def test_what_may_still_come_into_a_period_is_counted(world: World) -> None:
    await collected(world, 2_000)
    await world.confirm(shillings=3_000)
    failed = await world.confirm(shillings=4_000)
    await world.tell(await world.live(failed), FAILED)
    now = world.clock.now()
    assert await reports(world).count_open(now - DAY, now + DAY) == 2
    assert await reports(world).count_open(now - 2 * DAY, now - DAY) == 0


Capp = Callable[..., int]


@pytest.fixture
def capp(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Capp:
    for name, value in {**ENVIRONMENT, "DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)
    return lambda *words: main([str(word) for word in words])


@pytest.mark.parametrize("kind", ["large", "suspicious", "travel"])
def test_a_report_of_days_that_are_not_over_says_so(
    capp: Capp, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    today = datetime.now(UTC).date()
    words = ("report", kind, "--from", today - 9 * DAY, "--output")
    assert capp(*words, tmp_path / "open", "--to", today + DAY) == 0
    assert "are over at" in capsys.readouterr().out
    assert capp(*words, tmp_path / "over", "--to", today - DAY) == 0
    assert "are over at" not in capsys.readouterr().out


async def a_payment_of_jane(database_url: str) -> None:
    async with open_world(database_url) as world:
        keys = PinKeys({1: b"k" * 32})
        customers = Customers(world.pool, 1, keys, Ids(world.clock), world.clock)
        await customers.register(PAYER, "KE", "en", "4826")
        await collected(world, 2_000)


def test_staff_describe_a_customer_and_write_the_travel_record(
    capp: Capp, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(a_payment_of_jane(database_url))
    assert capp("customer", PAYER, "--tier", "1", "--name", "Jane Wanjiku") == 1
    assert "tier 1 needs --born" in capsys.readouterr().out
    assert (
        capp("customer", PAYER, "--tier", 1, "--name", "Jane Wanjiku", "--born", "1990-05-31") == 0
    )
    assert "tier 1  Jane Wanjiku  born 1990-05-31" in capsys.readouterr().out
    assert capp("customer", PAYEE, "--tier", "0") == 1
    assert "is not registered" in capsys.readouterr().out
    output = tmp_path / "travel.json"
    asked = ("report", "travel", "--from", "2020-01-01", "--to", "2100-01-01", "--output", output)
    assert capp(*asked) == 0
    told = capsys.readouterr().out
    assert f"1 lines in {output}" in told
    assert "1 payment(s) of these days have not ended yet" in told
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    (record,) = json.loads(output.read_text())
    person = record["originator"]["originatorPersons"][0]["naturalPerson"]
    assert person["name"]["nameIdentifier"][0]["primaryIdentifier"] == "Jane Wanjiku"
    assert capp(*asked) == 1  # never over another file
    assert capp(*asked, "--format", "csv") == 1


def test_large_and_suspicious_are_written_as_tables(
    capp: Capp, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, column in (("large", "day_total"), ("suspicious", "likeness")):
        asked = ("report", kind, "--from", "2020-01-01", "--to", "2100-01-01")
        assert capp(*asked, "--format", "csv") == 0
        assert column in capsys.readouterr().out.splitlines()[0].split(",")
        assert capp(*asked) == 0
        assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("kind", ["large", "suspicious", "travel"])
def test_a_period_may_begin_and_end_with_the_times_of_ours(
    capp: Capp, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert capp("report", kind, "--from", "1970-01-01", "--to", "9998-12-31") == 0
    assert capsys.readouterr().out == "[]\n"


def test_a_period_without_a_day_is_no_report_of_nothing(
    capp: Capp, capsys: pytest.CaptureFixture[str]
) -> None:
    for until in ("2026-11-01", "2026-10-01"):
        assert capp("report", "large", "--from", "2026-11-01", "--to", until) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "--to: wants a day after --from" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("customer", "0712000001"),
        ("customer", "+254", "--tier", "1"),
        ("customer", PAYER, "--name", "=1+1"),
        ("customer", PAYER, "--tier", "7"),
        ("report", "large", "--from", "yesterday", "--to", "2026-01-01"),
        ("report", "large", "--from", "0001-01-01", "--to", "2026-01-01"),
        ("report", "large", "--from", "2026-01-01", "--to", "9999-12-31"),
        ("lists", "load", "x.xml", "--kind", "eu"),
    ],
)
def test_senseless_words_are_refused_before_anything_is_opened(
    capp: Capp, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        capp(*words)
    assert caught.value.code == 2
    assert "error: argument" in capsys.readouterr().err
