"""A thousand payments in flight at once, over ten operators: all end, and all books agree.

A stack of its own, where everything may take its time: Zamtel's calls last as long as its prompts.
"""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import yaml

from engine.ledger.entries import MANUAL_FROM
from engine.payments.lifecycle import State
from simulator.stack import EVERY, PROJECT, Stack
from simulator.ussd import Screen, UssdSession
from tests.e2e.city import TEMPORARY, City, Person, open_city
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, start_stack
from tests.e2e.test_corridors import AMOUNTS, BY_PAGE, CORRIDORS, CURRENCIES, customer

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.long("a thousand payments in flight, on a stack of its own"),
]

PAYMENTS = 1000
OF_EACH_OPERATOR = PAYMENTS // len(EVERY)
ONE_AT_A_TIME = {"mpesa_ke"}
"""Who refuses a push while another of the same subscriber is on the phone."""

REPEATS_MAX = 3
HANDS = 8
"""How many people type at the same moment."""

PATIENCE_SECONDS = 400.0
POLL_SECONDS = 1.0
"""Who looks at everybody's payments and at all SMS takes the time from those who pay."""

WALLET_PIN = "1234"  # as the sandboxes give it to a wallet that nobody has told another
# Nobody is in a hurry before the last has confirmed: prices and prompts hold, nobody is asked.
ENVIRONMENT = {
    "CAPP_COLLECT_DELAY_SECONDS": "0",
    "CAPP_FIRST_LOOK_SECONDS": "600",
    "CAPP_QUOTE_SECONDS": "600",
    "CAPP_LEASE_SECONDS": "600",
    "CAPP_ZAMTEL_ZM_READ_SECONDS": "600",
}
PROMPT_SECONDS = 600
BY_CODE = {"orange_ci"}
"""Its page wants a one-time code instead of asking for a PIN."""

MEMORY_GROWS_BY_MAX = 1.5
"""The web process afterwards, as a multiple of what it was before the first payment."""


class Paying(NamedTuple):
    """Somebody who is registered, and whom they pay."""

    payer: Person
    payees: Sequence[Person]


@pytest.fixture(scope="module")
def own_stack(e2e_folder: Path, databases: Databases, typed: Typed) -> Iterator[Stack]:
    environment = {**ENVIRONMENT, "CAPP_COMPLIANCE_FILE": str(_nobody_is_held(e2e_folder))}
    with start_stack(
        e2e_folder / "thousand",
        databases,
        database="thousand",
        redis_number=4,
        environment=environment,
        approval="ask",
    ) as started:
        typed.watch(started)
        yield started


def _nobody_is_held(folder: Path) -> Path:
    """The house's rules, but for this: ten payments to ten people in an hour are held by night."""
    policy = yaml.safe_load((PROJECT / "engine/compliance/policy.yaml").read_text())
    policy["risk"]["hold_points"] = policy["risk"]["refuse_points"]
    file = folder / "nobody-is-held.yaml"
    file.write_text(yaml.safe_dump(policy))
    return file


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(own_stack: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    async with open_city(own_stack, typed, random) as opened:
        yield opened


async def test_a_thousand_payments_in_flight_all_end_and_every_book_agrees(city: City) -> None:
    await city.set_everywhere({"approval_window_seconds": PROMPT_SECONDS})
    people = await _everybody(city)
    memory_before, began = _memory(city.stack.web.pid), time.monotonic()
    for group in _zamtel_last(people):
        await _by_many_hands([_confirm_all(city, each) for each in group])
    confirmed = time.monotonic()
    await city.until(
        lambda: _are(city, State.COLLECTING), "not all are in flight", poll_seconds=POLL_SECONDS
    )
    assert await _states(city) == {State.COLLECTING: PAYMENTS}

    asked = time.monotonic()
    await _approve_everything(city, people)
    await city.until(
        lambda: _are(city, State.PAID),
        "not all were paid",
        patience=PATIENCE_SECONDS,
        poll_seconds=POLL_SECONDS,
    )
    paid = time.monotonic()

    await _assert_moved_once(city, people)
    await _assert_told_once(city, people)
    await city.assert_operators_agree()
    await city.assert_books()
    books = (await city.inspector.books()).accounts
    assert not [line for line in books if line.minor and line.account.startswith(TEMPORARY)]
    grown = _memory(city.stack.web.pid) / memory_before
    assert grown < MEMORY_GROWS_BY_MAX, f"the web process grew {grown:.2f} times"
    sys.stdout.write(
        f"\n{PAYMENTS} payments: dialled in {confirmed - began:.1f} s, approved and paid in"
        f" {paid - asked:.1f} s ({(paid - asked) / (confirmed - began):.2f} of it),"
        f" web process {grown:.2f} times as large\n"
    )


async def _everybody(city: City) -> list[Paying]:
    """Payers of every operator, registered, with money; each has payees of their own."""
    people = []
    for operator in city.places.operators:
        ways = itertools.cycle(c for c in CORRIDORS if c.payer == operator)
        each_pays = _each_pays(operator)
        for _ in range(OF_EACH_OPERATOR // each_pays):
            payees = [customer(city, next(ways).payee) for _ in range(each_pays)]
            people.append(Paying(customer(city, operator), payees))
    await _by_many_hands([_register(city, each.payer) for each in people])
    return people


def _each_pays(operator: str) -> int:
    return 1 if operator in ONE_AT_A_TIME else 10


async def _register(city: City, payer: Person) -> None:
    price_minor = 2 * AMOUNTS[CURRENCIES[payer.country]] * 100
    await city.admin.set_balance(payer.msisdn, price_minor * _each_pays(payer.operator))
    for _ in range(REPEATS_MAX):
        session = city.phone(payer)
        await _patiently(session, session.dial(city.places.shortcode))
        if session.is_open:
            break
    for text in ("1", payer.pin, payer.pin):
        screen = await _patiently(session, session.answer(text))
    assert screen.text.startswith("CAPP"), screen
    await session.hang_up()


async def _patiently(session: UssdSession, turn: Awaitable[Screen]) -> Screen:
    """As a gateway does on a busy machine: a turn that got no answer is sent again, as it was."""
    screen = await turn
    for _ in range(REPEATS_MAX):
        if screen.fault is None:
            break
        screen = await session.repeat()
    assert screen.fault is None, screen.fault
    return screen


def _zamtel_last(people: list[Paying]) -> tuple[list[Paying], list[Paying]]:
    """Its calls last as long as its prompts, and nobody waits for ever."""
    zamtel = [each for each in people if each.payer.operator == "zamtel_zm"]
    return [each for each in people if each not in zamtel], zamtel


async def _confirm_all(city: City, paying: Paying) -> None:
    """One after the other, as one person with one phone does."""
    for payee in paying.payees:
        session = await _priced(city, paying.payer, payee)
        screen = await _patiently(session, session.answer(paying.payer.pin))
        assert screen.ends, screen
        # A screen that could not wait for the payment says that an SMS will; the states tell.
        assert payee.msisdn in screen.text or "SMS" in screen.text, screen


async def _priced(city: City, payer: Person, payee: Person) -> UssdSession:
    """Up to the PIN, dialled again where a busy machine ended the dialogue; nothing is paid yet."""
    stem, amount = city.places.shortcode.removesuffix("#"), AMOUNTS[CURRENCIES[payer.country]]
    for _ in range(REPEATS_MAX):
        session = city.phone(payer)
        dialled = session.dial(f"{stem}*1*{payee.digits}*{amount}#")
        screen = await _patiently(session, dialled)
        # Who heard no answer has hung up, though the turn that was sent again is answered.
        if session.is_open:
            assert payee.msisdn in screen.text, screen
            screen = await _patiently(session, session.answer("1"))
        if session.is_open:
            break
    assert session.is_open, screen
    return session


async def _approve_everything(city: City, people: list[Paying]) -> None:
    """Everybody types their wallet's PIN, or opens the page that an SMS brought."""
    pages = [each.payer for each in people if each.payer.operator in BY_PAGE]
    await _by_many_hands([_open_pages(city, payer) for payer in pages])
    prompts = [
        f"{url}/_sandbox/prompts/{prompt['id']}"
        for url in city.places.operators.values()
        for prompt in (await city.client.get(f"{url}/_sandbox/prompts")).json()["prompts"]
    ]
    expected = sum(len(p.payees) for p in people if p.payer.operator not in BY_CODE)
    assert len(prompts) == expected
    await _by_many_hands([_type_pin(city, url) for url in prompts])


async def _open_pages(city: City, payer: Person) -> None:
    """One after the other: a new one-time code ends the one before."""
    texts = [message.text for message in await city.messages(payer)]
    assert len(texts) == _each_pays(payer.operator)
    for text in texts:
        await city.admin.confirm_page(text.splitlines()[-1], payer.msisdn, WALLET_PIN)


async def _type_pin(city: City, prompt: str) -> None:
    (await city.client.post(prompt, json={"pin": WALLET_PIN})).raise_for_status()


async def _assert_moved_once(city: City, people: list[Paying]) -> None:
    """Each operator took and gave as often as it was to, and nothing under one reference twice."""
    expected = Counter(("collection", p.payer.operator) for p in people for _ in p.payees)
    expected += Counter(("disbursement", o.operator) for p in people for o in p.payees)
    moved: Counter[tuple[str, str]] = Counter()
    for name, url in city.places.operators.items():
        movements = (await city.client.get(f"{url}/_sandbox/ledger")).json()["movements"]
        moved.update((movement["kind"], name) for movement in movements)
        references = Counter((m["kind"], m["reference"]) for m in movements)
        assert max(references.values()) == 1, name
        payees = Counter(m["msisdn"] for m in movements if m["kind"] == "disbursement")
        assert max(payees.values(), default=1) == 1, name
    assert moved == expected


async def _assert_told_once(city: City, people: list[Paying]) -> None:
    """One receipt for each payment to either person, and a page where one was needed."""
    pages = {each.payer.msisdn for each in people if each.payer.operator in BY_PAGE}
    url = f"{city.places.gateway}/_sandbox/sms"
    expected = Counter({p.payer.msisdn: len(p.payees) for p in people})
    expected += Counter({p.payer.msisdn: len(p.payees) for p in people if p.payer.msisdn in pages})
    expected += Counter(payee.msisdn for p in people for payee in p.payees)

    async def told() -> bool | None:
        found = (await city.client.get(url)).json()["messages"]
        return Counter(message["to"] for message in found) == expected or None

    await city.until(told, "somebody was not told, or told twice", poll_seconds=POLL_SECONDS)


async def _by_many_hands(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """All of it, so many at a time; the first failure is told."""
    hands = asyncio.Semaphore(HANDS)

    async def by_hand(one: Coroutine[Any, Any, None]) -> None:
        async with hands:
            await one

    await asyncio.gather(*map(by_hand, work))


async def _states(city: City) -> dict[State, int]:
    rows = await city.rows(
        "select state, count(*) as payments from payment where state < $1 group by state",
        MANUAL_FROM,
    )
    return {State(row["state"]): row["payments"] for row in rows}


async def _are(city: City, state: State) -> bool | None:
    return (await _states(city)) == {state: PAYMENTS} or None


def _memory(pid: int | None) -> int:
    """Resident, in kilobytes."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
