"""Every corridor of the ten operators: paid, refused by the payee's wallet, and with a lost answer.

All payments of a test run at once. Money is compared with the sandboxes' own ledgers, to the unit.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pytest
import yaml

from simulator.inspect import Payment
from simulator.operators.statement import EAST_AFRICA
from simulator.seeding import FILES
from tests.e2e.city import City, Person
from tests.e2e.people import OPERATOR, Country, Language
from tests.e2e.told import but_delays

pytestmark = pytest.mark.long(
    "every corridor three times over; test_transcripts.py plays one of each kind"
)

AMOUNTS = {"KES": 500, "UGX": 20_000, "NGN": 5_000, "GHS": 200, "XOF": 5_000, "ZMW": 100}
CURRENCIES = {
    "KE": "KES", "UG": "UGX", "NG": "NGN", "GH": "GHS", "CI": "XOF", "SN": "XOF", "ZM": "ZMW",
}  # fmt: skip
BY_PAGE = {"orange_ci", "orange_sn"}
CANNOT_GIVE_BACK = {"orange_ci"}
CANNOT_BE_ASKED = {"zamtel_zm"}
CALLS_BACK_LATE = {"mpesa_ke", "mtn_ug", "mtn_ng", "mtn_gh", "mtn_zm"}
DIALLING_AT_ONCE = 6


@dataclass(frozen=True)
class Corridor:
    """From one operator's customers to another's."""

    payer: str
    payee: str

    def __str__(self) -> str:
        return f"{self.payer} to {self.payee}"


@dataclass(frozen=True)
class Run:
    """One payment in a corridor and where it came to rest."""

    corridor: Corridor
    payer: Person
    payee: Person
    payment: Payment


CORRIDORS = [
    Corridor(line["payer_operator"], line["payee_operator"])
    for file in FILES
    for line in yaml.safe_load(file.read_text("utf-8"))["corridors"]
]


@dataclass(frozen=True)
class Plan:
    """What is to happen in a corridor: faults in calls about the payee, and where it ends."""

    corridor: Corridor
    rests_in: str = "PAID"
    faults: tuple[tuple[str, str], ...] = ()


async def all_at_once(city: City, plans: Sequence[Plan]) -> list[Run]:
    """Every payment of newcomers to newcomers; a failure says in which corridor it was."""
    gate = asyncio.Semaphore(DIALLING_AT_ONCE)
    found = await asyncio.gather(*[run(city, p, gate) for p in plans], return_exceptions=True)
    runs = [each for each in found if isinstance(each, Run)]
    failures = [
        f"{plan.corridor}: {error!r}"
        for plan, error in zip(plans, found, strict=True)
        if isinstance(error, BaseException)
    ]
    assert not failures, "\n".join(failures)
    return runs


async def run(city: City, plan: Plan, gate: asyncio.Semaphore) -> Run:
    payer, payee = (customer(city, o) for o in (plan.corridor.payer, plan.corridor.payee))
    for on, fault in plan.faults:
        await city.arm(payee, on, fault, seconds=1 if fault == "callback_late" else None)
    async with gate:
        await city.pay(payer, payee, AMOUNTS[CURRENCIES[payer.country]])
    if plan.corridor.payer in BY_PAGE:
        await city.open_page(payer)
    payment = await city.reaches(payer, plan.rests_in)
    return Run(plan.corridor, payer, payee, payment)


def customer(city: City, operator: str) -> Person:
    """A newcomer of that operator, who reads the language of the country."""
    country: Country = operator.rsplit("_", 1)[1].upper()  # type: ignore[assignment]
    language: Language = "fr" if country in ("CI", "SN") else "en"
    return city.newcomer(country, language, operator=operator)


def test_every_operator_is_paid_from_and_all_that_can_are_paid_to() -> None:
    assert {c.payer for c in CORRIDORS} >= {*OPERATOR.values(), "airtel_ke", "airtel_zm", "mtn_zm"}
    assert {c.payee for c in CORRIDORS} == {c.payer for c in CORRIDORS} - {"orange_ci"}


async def test_each_corridor_moves_money_once_and_tells_both(city: City) -> None:
    runs = await all_at_once(city, [Plan(each) for each in CORRIDORS])
    for each in runs:
        await city.assert_moved_once(each.payment, each.payer, each.payee)
        said = [m.text for m in await city.messages(each.payer)]
        texts = but_delays(said, [each.payment])
        assert len(texts) == 1 + (each.corridor.payer in BY_PAGE), (each.corridor, texts)
        assert len(await city.messages(each.payee)) == 1, each.corridor
    await city.assert_operators_agree()
    await city.assert_books()


async def test_what_a_payees_wallet_refuses_goes_back_or_waits_for_people(city: City) -> None:
    refused = (("disburse", "recipient_rejected"),)
    runs = await all_at_once(
        city, [Plan(each, _after_a_refusal(each), refused) for each in CORRIDORS]
    )
    for each in runs:
        assert await city.movements(each.payee) == [], each.corridor
        if each.corridor.payer in CANNOT_GIVE_BACK:
            assert [m["kind"] for m in await city.movements(each.payer)] == ["collection"]
            assert await city.cases(each.payment) == ["REFUND_BY_HAND"]
        else:
            await city.assert_moved_once(each.payment, each.payer, each.payee)
            assert await city.cases(each.payment) == [], each.corridor
    await city.assert_operators_agree()
    await city.assert_books()


def _after_a_refusal(corridor: Corridor) -> str:
    return "REFUND_DUE" if corridor.payer in CANNOT_GIVE_BACK else "REFUNDED"


async def test_a_payout_whose_answer_is_lost_is_never_sent_twice(city: City) -> None:
    begun = datetime.now(EAST_AFRICA).date()
    runs = await all_at_once(
        city, [Plan(each, _after_silence(each), _lost(each)) for each in CORRIDORS]
    )
    unknown = [each for each in runs if each.payment.state == "PAYOUT_UNKNOWN"]
    assert {each.corridor.payee for each in unknown} == CANNOT_BE_ASKED
    for each in unknown:
        given = await city.movements(each.payee)
        assert [m["amount_minor"] for m in given] == [each.payment.receives.minor]
        assert await city.messages(each.payee) == [], "somebody guessed"
    for day in sorted({begun, datetime.now(EAST_AFRICA).date()}):
        await take_statement(city, "zamtel_zm", day.isoformat())
    for each in runs:
        payment = await city.reaches(each.payer, "PAID")
        await city.assert_moved_once(payment, each.payer, each.payee)
    await city.assert_operators_agree()
    await city.assert_books()


def _lost(corridor: Corridor) -> tuple[tuple[str, str], ...]:
    """The payout is carried out and answered with an error; a callback may tell it later."""
    late = (("disburse", "callback_late"),) if corridor.payee in CALLS_BACK_LATE else ()
    return (("disburse", "error_500_after"), *late)


def _after_silence(corridor: Corridor) -> str:
    return "PAYOUT_UNKNOWN" if corridor.payee in CANNOT_BE_ASKED else "PAID"


async def take_statement(city: City, operator: str, day: str) -> None:
    """Staff fetch the operator's statement of a day and take it in."""
    url = f"{city.places.operators[operator]}/_sandbox/statement"
    fetched = await city.client.get(url, params={"day": day})
    file = city.stack.folder / f"{operator}.csv"
    file.write_bytes(fetched.raise_for_status().content)
    arguments = ("statements", "take", operator, day, str(file))
    done = await asyncio.to_thread(city.stack.command, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
