"""The people of the end-to-end tests: they dial, type, and look at their money afterwards.

It speaks HTTP to the server and to the sandboxes; only `rows` reads Postgres, to check the books.
"""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any, TypeVar

import asyncpg
import httpx

from channels.addresses import CallbackAddresses
from engine.clock import AttemptId, Clock
from engine.payments.evidence import Source
from engine.ports import callback_at
from engine.privacy.places import evidence_place
from engine.privacy.ring import KeyRing
from engine.privacy.wrapping import HeldKeys
from simulator.admin import Admin, Message, Prompt
from simulator.inspect import Amount, Inspector, Payment
from simulator.markets import MARKETS
from simulator.operators.world import World
from simulator.play import LIMITS
from simulator.stack import Stack, read_secrets
from simulator.ussd import Line, Screen, UssdSession
from tests.e2e import told
from tests.e2e.people import (
    CODES,
    OPERATOR,
    START_MINOR,
    Country,
    Language,
    Person,
    new_msisdn,
)
from tests.e2e.secrecy import Typed
from tests.integration.books import LAWS

__all__ = [
    "CODES",
    "OPERATOR",
    "START_MINOR",
    "TEMPORARY",
    "Busy",
    "City",
    "Country",
    "Language",
    "Person",
]

T = TypeVar("T")
# As `menus/texts/countries.yaml` offers them; where there is one language it is the first.
_LANGUAGE_CHOICE = {("KE", "sw"): "2", ("UG", "sw"): "3"}

_DIALLING_CODES = tuple(market.dialling_code[1:] for market in MARKETS.values())
ENDED = frozenset({"PAID", "REFUNDED", "COLLECT_FAILED", "EXPIRED", "CANCELLED"})
# A call that is still under way at the first look is asked about half a minute later.
PATIENCE_SECONDS = 180.0
CALL_SECONDS = 60.0
"""As no starved machine takes over one call. How soon a server answers is asked elsewhere."""
POLL_SECONDS = 0.2
_BUSY = "CAPP is very busy"


class Busy(AssertionError):
    """Somebody was told to try again in a few minutes; says what stood in their way."""


# Balances that are somebody else's money under way: every payment that has ended left them empty.
TEMPORARY = (
    "POOL_HELD", "CUSTOMER_FUNDS", "PAYOUT_IN_FLIGHT", "REFUND_DUE", "REFUND_IN_FLIGHT",
)  # fmt: skip


async def read_ring(stack: Stack, connection: Any) -> KeyRing:
    """What opens whatever a stack has stored sealed."""
    [(version, key)] = [
        word.split(":")
        for word in read_secrets(stack.kept / "demo.env")["CAPP_DATA_KEYS"].split(",")
    ]
    wrap = HeldKeys({int(version): bytes.fromhex(key)}, os.urandom)
    ring = KeyRing(connection, 1, wrap, os.urandom, Clock())
    await ring.refresh()
    return ring


class City:
    """Everybody and everything around one running stack."""

    def __init__(
        self, client: httpx.AsyncClient, stack: Stack, typed: Typed, random: Random
    ) -> None:
        self.client = client
        self.stack = stack
        self.places = stack.places
        self.typed = typed
        self.random = random
        self.world = World(random=random)
        self.admin = Admin(client, self.places)
        self.inspector = Inspector(client, self.places)
        keys = read_secrets(stack.kept / "demo.env")["CAPP_CALLBACK_KEYS"]
        self.addresses = CallbackAddresses(
            self.places.server,
            [bytes.fromhex(key) for key in keys.split(",")],
            {1: "daraja", 2: "mtn-momo"},
        )

    # People and their phones.

    def newcomer(
        self, country: Country, language: Language = "en", *, operator: str | None = None
    ) -> Person:
        """Somebody nobody has seen yet, a customer of the country's usual operator or another."""
        pin, operator = self.new_pin(), operator or OPERATOR[country]
        msisdn = new_msisdn(operator, self.random, taken=self.typed.msisdns, pin=pin)
        self.typed.msisdns.add(msisdn)
        return Person(msisdn, pin, country, language, operator)

    def new_pin(self) -> str:
        """Four digits nobody has, which no rule calls weak: all different, not counted (7890).

        Nor does one begin like a number: masked numbers (`2567*****002`) would look like leaks.
        """
        while True:
            digits = self.random.sample(range(10), 4)
            pin = "".join(map(str, digits))
            is_counted = len({(after - before) % 10 for before, after in pairwise(digits)}) == 1
            is_code = pin[0] in "12"  # like 1032 or 2001, which operators write between quotes
            if is_counted or is_code or pin.startswith(_DIALLING_CODES) or pin in self.typed.pins:
                continue
            self.typed.pins.add(pin)
            return pin

    def phone(self, person: Person) -> UssdSession:
        places = self.places
        line = Line(
            person.msisdn, places.ussd_url, places.ussd_end_url, (places.shortcode,), person.network
        )
        return UssdSession(self.client, line, self.world, deadline_seconds=CALL_SECONDS)

    async def type(self, session: UssdSession, *inputs: str) -> Screen:
        """Type one after the other; the screen after the last. Raises Busy where one says so."""
        screen = Screen("", ends=False)
        for text in inputs:
            assert session.is_open, f"the session ended with {screen.text!r}"
            screen = await session.answer(text)
            assert screen.fault is None, screen.fault
            if _BUSY in screen.text:
                raise Busy(await self._why_busy())
        return screen

    async def _why_busy(self) -> str:
        """Which operators are left alone, and why the last payments had no way."""
        alone = await self.rows(
            "select operator, direction, position, reason from breaker where position <> 'closed'"
        )
        refused = await self.rows(
            "select kind, outcome, reason from decision where payment is null and kind <> 'rate'"
            " order by id desc limit 3"
        )
        return f"{_BUSY}: {[*map(tuple, alone)]}, {[*map(tuple, refused)]}"

    async def dial(self, person: Person) -> UssdSession:
        session = self.phone(person)
        screen = await session.dial(self.places.shortcode)
        assert screen.fault is None and not screen.ends, screen
        return session

    async def register(self, person: Person) -> UssdSession:
        """The first dial; the session stands at the menu afterwards."""
        session = await self.dial(person)
        choice = _LANGUAGE_CHOICE.get((person.country, person.language), "1")
        screen = await self.type(session, choice, person.pin, person.pin)
        assert screen.text.startswith("CAPP"), screen.text
        return session

    async def order(self, payer: Person, payee: Person, amount: int) -> UssdSession:
        """Up to the last question of a new customer's first payment: their PIN."""
        session = await self.register(payer)
        screen = await self.type(session, "1", payee.digits, str(amount), "1")
        assert "PIN" in screen.text and not screen.ends, screen.text
        return session

    async def pay(self, payer: Person, payee: Person, amount: int) -> str:
        """A new customer pays; the payment's code from the last screen."""
        session = await self.order(payer, payee, amount)
        screen = await self.type(session, payer.pin)
        assert screen.ends and payee.msisdn in screen.text, screen.text
        return screen.text.split(" ", 1)[0]

    async def prompt(self, person: Person) -> Prompt:
        """The operator's question on a phone; the sandboxes must be told to `ask`."""

        async def shown() -> Prompt | None:
            prompts = await self.admin.prompts(person.msisdn)
            return prompts[0] if prompts else None

        return await self.until(shown, "no operator asks for a PIN")

    async def approve(self, person: Person) -> None:
        """Type the wallet's PIN into the operator's question."""
        prompt = await self.prompt(person)
        pin = self.new_pin()
        await self.admin.set_pin(prompt, pin)
        await self.admin.approve(prompt, pin)

    async def open_page(self, person: Person) -> None:
        """Pay on the page that an SMS has brought."""

        async def brought() -> str | None:
            texts = [message.text for message in await self.messages(person)]
            return next((t.splitlines()[-1] for t in texts if "http" in t), None)

        page = await self.until(brought, "no SMS brought a page")
        await self.admin.confirm_page(page, person.msisdn, self.new_pin())

    async def messages(self, person: Person) -> list[Message]:
        return list(await self.admin.messages(person.msisdn, after=0))

    async def told(self, person: Person, *phrases: str, patience: float = PATIENCE_SECONDS) -> None:
        """Wait until each phrase stands in an SMS of its own; there is no SMS more.

        But for what is told once of a payment that really took long, where no phrase tells of it.
        """
        missing: list[str] = []
        left: list[str] = []

        async def complete() -> bool | None:
            nonlocal missing, left
            texts = [message.text for message in await self.messages(person)]
            missing, left = told.compare(texts, phrases)
            return not missing or None

        await self.until(complete, lambda: f"{missing} stand in none of {left}", patience=patience)
        if not any(map(told.is_delay, phrases)):
            left = told.but_delays(left, await self.payments(person))
        assert not left, f"SMS that nobody expected: {left}"

    # Payments.

    async def latest(self, person: Person) -> Payment | None:
        payments = await self.inspector.payments(person.msisdn, limit=1)
        return payments[0] if payments else None

    async def payments(self, person: Person) -> list[Payment]:
        return list(await self.inspector.payments(person.msisdn, limit=20))

    async def reaches(self, payer: Person, *states: str) -> Payment:
        """The payer's latest payment, once it is in one of the states."""
        seen: Payment | None = None

        async def reached() -> Payment | None:
            nonlocal seen
            seen = await self.latest(payer)
            return seen if seen and seen.state in states else None

        def excuse() -> str:
            what = (
                f"the payment is {seen.state if seen else 'not there'}, not {' or '.join(states)}"
            )
            if seen is None:
                return what
            steps = [f"{step.state} {step.at:%T}" for step in seen.steps]
            return f"{what}; {steps}, {[f'{it.source} {it.at:%T}' for it in seen.heard]}"

        return await self.until(reached, excuse)

    async def ends(self, payer: Person, state: str) -> Payment:
        """The payer's only payment, ended, and in this state."""
        payment = await self.reaches(payer, *ENDED)
        assert payment.state == state, [step.state for step in payment.steps]
        assert len(await self.payments(payer)) == 1, "more than one payment"
        return payment

    async def until(
        self,
        look: Callable[[], Awaitable[T | None]],
        excuse: str | Callable[[], str],
        *,
        patience: float = PATIENCE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> T:
        deadline = time.monotonic() + patience
        while (found := await look()) is None:
            if time.monotonic() > deadline:
                text = excuse if isinstance(excuse, str) else excuse()
                raise AssertionError(f"{text} (waited {patience:g} s)")
            await asyncio.sleep(poll_seconds)
        return found

    # Operators.

    async def arm(
        self,
        person: Person,
        on: str,
        fault: str,
        *,
        seconds: float | None = None,
        times: int = 1,
        sandbox: str | None = None,
    ) -> None:
        """Let the next calls about this person go wrong at their operator."""
        body: dict[str, Any] = {"on": on, "fault": fault, "times": times, "msisdn": person.digits}
        if seconds is not None:
            body["seconds"] = seconds
        name = sandbox or person.operator
        url = f"{self.places.sandbox(name)}/_sandbox/faults"
        (await self.client.post(url, json=body)).raise_for_status()

    async def is_armed(self, person: Person) -> bool:
        """Whether a fault of this person at their operator has not struck yet."""
        url = f"{self.places.operators[person.operator]}/_sandbox/faults"
        found = (await self.client.get(url)).raise_for_status().json()["faults"]
        return any(fault["msisdn"] == person.digits for fault in found)

    async def is_at_work_for(self, person: Person) -> bool:
        """Whether an order about this person is not over at their operator, callbacks included."""
        url = f"{self.places.operators[person.operator]}/_sandbox/work"
        found = (await self.client.get(url)).raise_for_status().json()["at_work_for"]
        return person.digits in found

    async def set_approval(self, approval: str) -> None:
        """Whether the operators ask the payer or approve by themselves, from now on."""
        await self.set_everywhere({"approval": approval})

    async def set_everywhere(self, settings: Mapping[str, object]) -> None:
        """Change settings of every operator's sandbox."""
        for url in self.places.operators.values():
            response = await self.client.put(f"{url}/_sandbox/settings", json=settings)
            response.raise_for_status()

    async def movements(self, person: Person) -> list[dict[str, Any]]:
        """What really moved on a wallet, as its operator wrote it down."""
        url = f"{self.places.operators[person.operator]}/_sandbox/ledger"
        found = (await self.client.get(url)).raise_for_status().json()["movements"]
        return [movement for movement in found if movement["msisdn"] == person.digits]

    async def balance_minor(self, person: Person) -> int:
        """A wallet's balance at its operator; the wallet is opened if it is new."""
        url = f"{self.places.operators[person.operator]}/_sandbox/wallets/{person.digits}"
        response = (await self.client.put(url, json={})).raise_for_status()
        return int(response.json()["balance_minor"])

    async def merchant_minor(self) -> dict[str, int]:
        """What each operator says it holds for us, all our accounts there together."""
        found: dict[str, int] = {}
        for name, url in self.places.operators.items():
            merchant = (await self.client.get(f"{url}/_sandbox/ledger")).json()["merchant"]
            found[name] = merchant["collection_minor"] + merchant["disbursement_minor"]
        return found

    def callback_url(self, payment: Payment, kind: str, *, attempt: int = -1) -> str:
        """Where an operator would report one attempt of a payment; the last one by default."""
        made = payment.attempts[attempt]
        code = CODES[made.operator]
        return callback_at(self.addresses.address(code, AttemptId(made.attempt_id)), kind)

    # The books.

    async def rows(self, sql: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(self.stack.database_url)
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    async def seals(self, connection: Any) -> KeyRing:
        """The keys of the installation, for tests that look at what it has stored."""
        return await read_ring(self.stack, connection)

    async def named(self, payment: Payment) -> str:
        """What the operator named the collection, once that is noted: a moment after it said so."""
        attempt_id = payment.attempts[0].attempt_id
        return await self.until(
            lambda: self.accepted_as(attempt_id), "that the order was taken was not noted"
        )

    async def accepted_as(self, attempt_id: str) -> str | None:
        """What the operator named an attempt when it accepted it."""
        connection = await asyncpg.connect(self.stack.database_url)
        try:
            body = await connection.fetchval(
                "select body from evidence where attempt = $1::uuid and source = $2",
                attempt_id, int(Source.ACCEPTED),
            )  # fmt: skip
            if body is None:
                return None
            ring = await self.seals(connection)
            return str(json.loads(ring.open(body, evidence_place(attempt_id))))
        finally:
            await connection.close()

    async def cases(self, payment: Payment) -> list[str]:
        """The kinds of cases that people must look at."""
        rows = await self.rows(
            "select kind from case_file where payment = $1::uuid order by opened_ms",
            payment.payment_id,
        )
        return [row["kind"] for row in rows]

    async def evidence(self, payment: Payment) -> Counter[tuple[str, int]]:
        """How many pieces of evidence are kept, by attempt and source."""
        rows = await self.rows(
            "select attempt, source from evidence where payment = $1::uuid", payment.payment_id
        )
        return Counter((row["attempt"].hex, row["source"]) for row in rows)

    async def assert_moved_once(self, payment: Payment, payer: Person, payee: Person) -> None:
        """The operators' ledgers, the wallets and our books tell one story, to the unit."""
        effects = effects_of(payment)
        unfinished = {k: v for k, v in effects.items() if v and k.startswith(TEMPORARY)}
        assert not unfinished, f"{payment.state} but not over: {unfinished}"
        total = payment.amount.minor + payment.fee.minor
        paid = payment.state == "PAID"
        expected = {
            "PAID": ["collection"],
            "REFUNDED": ["collection", "refund"],
        }.get(payment.state, [])
        taken = await self.movements(payer)
        kinds = [m["kind"].replace("disbursement", "refund") for m in taken]
        assert kinds == expected, taken
        assert all(movement["amount_minor"] == total for movement in taken), taken
        given = await self.movements(payee)
        assert [m["amount_minor"] for m in given] == [payment.receives.minor] * paid, given
        theirs = Counter({payer.operator: 0, payee.operator: 0})
        for movement, person in [(m, payer) for m in taken] + [(m, payee) for m in given]:
            sign = 1 if movement["kind"] == "collection" else -1
            theirs[person.operator] += sign * movement["amount_minor"]
        ours = {name: held_more(effects, name) for name in theirs}
        assert ours == dict(theirs), "our books and the operators' ledgers differ"

    async def assert_operators_agree(self) -> None:
        """What we believe to hold at each operator is what it says, to the unit.

        A payout counts when it is proven, not when it leaves: what another test left unknown may
        just be paid.
        """
        differ: dict[str, int] = {}

        async def agree() -> bool | None:
            books = {line.account: line.minor for line in (await self.inspector.books()).accounts}
            theirs = await self.merchant_minor()
            for name in self.places.operators:
                start = START_MINOR[name]
                grown = books[f"FLOAT {name}"] - start.ours
                differ[name] = theirs[name] - start.theirs - grown
            return not any(differ.values()) or None

        await self.until(agree, lambda: f"our books and what operators hold differ: {differ}")

    async def assert_books(self) -> None:
        """The books add up, by the server's own account and by ours."""
        assert (await self.inspector.books()).balanced
        for breach, sql in LAWS.items():
            assert (await self.rows(sql))[0][0] == 0, breach


def spoken(amount: Amount) -> str:
    """As screens and SMS say it: whole units without decimals."""
    return str(amount).removesuffix(".00")


def effects_of(payment: Payment) -> Counter[str]:
    """What all postings of a payment come to: account and currency to minor units credited."""
    effects: Counter[str] = Counter()
    for step in payment.steps:
        for posting in step.postings:
            effects[f"{posting.debit} {posting.currency}"] -= posting.minor
            effects[f"{posting.credit} {posting.currency}"] += posting.minor
    return effects


def held_more(effects: Counter[str], operator: str) -> int:
    """By how much our e-money at an operator grew; a float account grows by debits."""
    return -sum(v for k, v in effects.items() if k.startswith(f"FLOAT {operator} "))


def states_of(payment: Payment) -> list[str]:
    """The states that were committed, in order."""
    return [step.state for step in payment.steps]


@asynccontextmanager
async def open_city(stack: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    """A city for one event loop."""
    # Nobody on a loopback shows a certificate, and reading the world's takes longer than a payment.
    options: dict[str, Any] = {"trust_env": False, "verify": False}
    async with httpx.AsyncClient(timeout=CALL_SECONDS, limits=LIMITS, **options) as client:
        yield City(client, stack, typed, random)
