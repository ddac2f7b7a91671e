"""Everything an operator can do wrong, each with the state it must end in and the money it moves.

All payments run at once and each test looks at its own: the slowest operator decides how long
this takes, not their sum.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from random import Random

import pytest
import pytest_asyncio

from simulator.inspect import Payment
from simulator.stack import Stack
from tests.e2e.city import ENDED, Busy, City, Country, Person, effects_of, open_city, states_of
from tests.e2e.secrecy import Typed
from tests.e2e.told import DELAYED

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.long("every fault of an operator, and the slowest of them takes its time"),
]

DIALLING_AT_ONCE = 6
TRIES_MAX = 10
BUSY_SECONDS = 15.0
FAULTY_AT_ONCE = 2
"""In one direction of one operator: five faults in a row, and it would rightly be left alone."""

CALLBACK, QUERY = 2, 3  # where evidence came from, as stored
CONFIRMED = "Confirmed."
SMALL = {"KE": 500, "UG": 20_000}
# Beyond what either operator's unsigned callbacks are believed for (KES 10,000, UGX 300,000).
LARGE = {"KE": 11_000, "UG": 400_000}
SETTLING_SECONDS = 7.0
"""The time in which something wrong would have been done to a payment whose fate is unknown."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong in which call; `sms` faults happen at the gateway."""

    on: str
    name: str
    seconds: float | None = None


@dataclass(frozen=True)
class Case:
    """One payment under faults. `told` are phrases, one for each SMS the payer gets."""

    claim: str
    payer: Country
    faults: tuple[Fault, ...]
    ends: str = "PAID"
    told: tuple[str, ...] = (CONFIRMED,)
    passes: str | None = None  # a state it must have been in
    cases: tuple[str, ...] = ()
    amount: int | None = None

    @property
    def lanes(self) -> list[tuple[Country, str]]:
        """What suffers of whose operator, in one order; of a question both directions may."""
        payee: Country = "UG" if self.payer == "KE" else "KE"
        lanes = {
            (payee if fault.on == "disburse" else self.payer, fault.on) for fault in self.faults
        }
        return sorted(lane for lane in lanes if lane[1] in ("collect", "disburse", "refund"))


@dataclass(frozen=True)
class Run:
    """How a case went. Of one whose fate is unknown also how often money had moved then."""

    payer: Person
    payee: Person
    payment: Payment
    taken: int = 0
    given: int = 0


def _both(claim: str, *faults: Fault, **more: object) -> list[Case]:
    """The same fault with a payer in either country."""
    first = Case(f"{claim}, payer in KE", "KE", faults, **more)  # type: ignore[arg-type]
    return [first, replace(first, claim=f"{claim}, payer in UG", payer="UG")]


def _failed(claim: str, fault: str, *, kenya: str, uganda: str) -> list[Case]:
    """A collection that definitely fails; operators say why in their own words."""
    first, second = _both(claim, Fault("collect", fault), ends="COLLECT_FAILED")
    sentence = "Failed: {}. Nothing was charged."
    return [
        replace(first, told=(sentence.format(kenya),)),
        replace(second, told=(sentence.format(uganda),)),
    ]


_SHORT = "there was not enough money in the wallet"
_DECLINED = "the request was declined"
_REFUND = ("Not delivered: {}. We are returning", "was returned to you.")

CASES = [
    *_failed("no money in the wallet", "insufficient_funds", kenya=_SHORT, uganda=_SHORT),
    # MTN says of a wrong PIN only that the payment was not approved.
    *_failed("wrong wallet PIN", "wrong_pin", kenya="the PIN was wrong", uganda=_DECLINED),
    *_failed("payer declines", "decline", kenya=_DECLINED, uganda=_DECLINED),
    *_both("collected without a callback", Fault("collect", "no_callback")),
    *_both("collected with a callback twice", Fault("collect", "callback_twice")),
    *_both("collected, callback before the answer", Fault("collect", "callback_before_answer")),
    *_both(
        "collected, answered 500",
        Fault("collect", "error_500_after"),
        Fault("collect", "callback_late", 1),
        told=(DELAYED, CONFIRMED),
        passes="COLLECT_UNKNOWN",
    ),
    Case(
        "collected, answered 500, too large to believe a callback",
        "KE",
        (Fault("collect", "error_500_after"), Fault("collect", "callback_late", 1)),
        told=(DELAYED, CONFIRMED),
        passes="COLLECT_UNKNOWN",
        amount=LARGE["KE"],
    ),
    Case(
        "collected, callback too large to believe comes before the answer",
        "KE",
        (Fault("collect", "callback_before_answer"),),
        amount=LARGE["KE"],
    ),
    Case(
        "payout failed, callback too large to believe",
        "KE",
        (Fault("disburse", "recipient_rejected"), Fault("disburse", "callback_twice")),
        ends="REFUNDED",
        told=(_REFUND[0].format("the wallet cannot receive money"), _REFUND[1]),
        amount=LARGE["KE"],
    ),
    Case("everything too large to believe", "UG", (), amount=LARGE["UG"]),
    *_both("collected, never answered", Fault("collect", "hang_after", 2)),
    *_both(
        "collected, connection cut",
        Fault("collect", "reset_after"),
        Fault("collect", "callback_late", 1),
        told=(DELAYED, CONFIRMED),
        passes="COLLECT_UNKNOWN",
    ),
    # MTN's acceptance is a status without a body: nothing of it can be cut off.
    Case(
        "collected, half an answer",
        "KE",
        (Fault("collect", "truncated_json"), Fault("collect", "callback_late", 1)),
        told=(DELAYED, CONFIRMED),
        passes="COLLECT_UNKNOWN",
    ),
    *_both("collection throttled", Fault("collect", "throttle_429")),
    *_both("token refused at the collection", Fault("collect", "expired_token")),
    *_both("collected, callback with an unlisted status", Fault("collect", "unknown_status")),
    *_both(
        "collected without a callback, query with an unlisted status",
        Fault("collect", "no_callback"),
        Fault("query", "unknown_status"),
    ),
    *_both(
        "collected, callback with another amount",
        Fault("collect", "callback_wrong_amount"),
        cases=("CONFLICT",),
    ),
    *_both("paid out without a callback", Fault("disburse", "no_callback")),
    *_both("paid out with a callback twice", Fault("disburse", "callback_twice")),
    *_both("paid out, callback before the answer", Fault("disburse", "callback_before_answer")),
    *_both(
        "paid out, answered 500",
        Fault("disburse", "error_500_after"),
        Fault("disburse", "callback_late", 1),
        told=(DELAYED, CONFIRMED),
        passes="PAYOUT_UNKNOWN",
    ),
    *_both("paid out, never answered", Fault("disburse", "hang_after", 2)),
    *_both("token refused at the payout", Fault("disburse", "expired_token")),
    *_both("paid out, callback with an unlisted status", Fault("disburse", "unknown_status")),
    *_both(
        "paid out, callback with another amount",
        Fault("disburse", "callback_wrong_amount"),
        cases=("CONFLICT",),
    ),
    *_both("payout throttled", Fault("disburse", "throttle_429")),
    Case("payout waits in a queue", "UG", (Fault("disburse", "queue_timeout", 1),)),
    Case(
        "payee cannot receive",
        "KE",
        (Fault("disburse", "recipient_rejected"),),
        ends="REFUNDED",
        told=(_REFUND[0].format("the wallet cannot receive money"), _REFUND[1]),
    ),
    Case(
        "payee has no wallet",
        "UG",
        (Fault("disburse", "recipient_rejected"),),
        ends="REFUNDED",
        told=(_REFUND[0].format("the number has no wallet"), _REFUND[1]),
    ),
    Case(
        "payee cannot receive, refund answered 500",
        "UG",
        (
            Fault("disburse", "recipient_rejected"),
            Fault("refund", "error_500_after"),
            Fault("refund", "callback_late", 1),
        ),
        ends="REFUNDED",
        told=(_REFUND[0].format("the number has no wallet"), _REFUND[1]),
        passes="REFUND_UNKNOWN",
    ),
    Case("receipt sent, answered 500", "KE", (Fault("sms", "error_500_after"),)),
]  # fmt: skip

# What may have been done, and nobody says so: the operator lost it, or only its answers.
UNKNOWN = [
    *_both("payout lost, answered 500", Fault("disburse", "error_500_before")),
    *_both("payout lost, answered 503", Fault("disburse", "error_503")),
]
UNKNOWN = [replace(case, ends="PAYOUT_UNKNOWN", told=(DELAYED,)) for case in UNKNOWN]
UNKNOWN += [
    Case(
        "push lost, answered 500",
        "KE",
        (Fault("collect", "error_500_before"),),
        ends="COLLECT_UNKNOWN",
        told=(DELAYED,),
    )
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(stack: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    async with open_city(stack, typed, random) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runs(
    city: City, request: pytest.FixtureRequest
) -> AsyncIterator[dict[str, asyncio.Task[Run]]]:
    """All the cases that are going to be looked at, started together."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]
    gates = Gates()
    started = {case.claim: asyncio.create_task(_play(city, case, gates)) for case in chosen}
    yield started
    for task in started.values():
        task.cancel()
    await asyncio.gather(*started.values(), return_exceptions=True)


class Gates:
    """How much happens at once."""

    def __init__(self) -> None:
        self.dialling = asyncio.Semaphore(DIALLING_AT_ONCE)
        self.faulty = defaultdict[tuple[Country, str], asyncio.Semaphore](
            lambda: asyncio.Semaphore(FAULTY_AT_ONCE)
        )


async def _play(city: City, case: Case, gates: Gates) -> Run:
    async with AsyncExitStack() as stack:
        for lane in case.lanes:
            await stack.enter_async_context(gates.faulty[lane])
        return await _pay_under_faults(city, case, gates.dialling)


async def _pay(city: City, payer: Person, payee: Person, amount: int) -> None:
    """Who hears that CAPP is busy tries again, as it says: a slow machine's operators may be left
    alone for what they did and what they had no time to do."""
    session = await city.register(payer)
    for remaining in reversed(range(TRIES_MAX)):
        try:
            screen = await city.type(session, "1", payee.digits, str(amount), "1", payer.pin)
        except Busy:
            if not remaining:
                raise
            await asyncio.sleep(BUSY_SECONDS)
            session = await city.dial(payer)
        else:
            assert screen.ends and payee.msisdn in screen.text, screen.text
            return


async def _pay_under_faults(city: City, case: Case, dialling: asyncio.Semaphore) -> Run:
    payer = city.newcomer(case.payer)
    payee = city.newcomer("UG" if case.payer == "KE" else "KE")
    for fault in case.faults:
        suffers = payee if fault.on == "disburse" else payer
        sandbox = "gateway" if fault.on == "sms" else None
        await city.arm(suffers, fault.on, fault.name, seconds=fault.seconds, sandbox=sandbox)
    async with dialling:
        await _pay(city, payer, payee, case.amount or SMALL[case.payer])
    if case.ends in ENDED:
        return Run(payer, payee, await city.ends(payer, case.ends))
    await city.reaches(payer, case.ends)
    await asyncio.sleep(SETTLING_SECONDS)
    # Here and now: what no operator knows of two minutes later is rightly sent once more.
    seen = await city.reaches(payer, case.ends, *ENDED)
    taken, given = [len(await city.movements(person)) for person in (payer, payee)]
    await city.told(payer, *case.told)
    return Run(payer, payee, seen, taken, given)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.claim.replace(" ", "_"))
async def test_ends_right_and_moves_money_once(
    city: City, runs: dict[str, asyncio.Task[Run]], case: Case
) -> None:
    run = await runs[case.claim]
    await city.assert_moved_once(run.payment, run.payer, run.payee)
    assert case.passes is None or case.passes in states_of(run.payment)
    assert len(set(states_of(run.payment))) == len(run.payment.steps), "a step was taken twice"
    assert await city.cases(run.payment) == list(case.cases)
    await city.told(run.payer, *case.told)
    await city.told(run.payee, *["You have received"] * (case.ends == "PAID"))
    for person in (run.payer, run.payee):
        assert not await city.is_armed(person), "the fault never struck"


@pytest.mark.parametrize("case", UNKNOWN, ids=lambda case: case.claim.replace(" ", "_"))
async def test_unknown_outcome_is_no_failure(
    city: City, runs: dict[str, asyncio.Task[Run]], case: Case
) -> None:
    run = await runs[case.claim]
    assert run.payment.state == case.ends, "somebody guessed"
    effects = effects_of(run.payment)
    paying = case.ends == "PAYOUT_UNKNOWN"
    total = run.payment.amount.minor + run.payment.fee.minor
    receives = run.payment.receives
    exposure = [v for k, v in effects.items() if k.startswith("PAYOUT_IN_FLIGHT ")]
    assert exposure == [receives.minor] * paying
    held = 0 if paying else receives.minor
    assert effects[f"POOL_HELD {receives.currency}"] == held
    assert effects[f"CUSTOMER_FUNDS {run.payment.amount.currency}"] == total * paying
    assert (run.taken, run.given) == (paying, 0)


async def test_books_and_operators_agree_after_all_faults(
    city: City, runs: dict[str, asyncio.Task[Run]]
) -> None:
    await asyncio.gather(*runs.values(), return_exceptions=True)
    await city.assert_books()
    await city.assert_operators_agree()
