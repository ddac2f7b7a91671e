"""The model of the simulation and the SQL of the commit give the same answers to the same plans.

Whatever is generated here is committed twice: to `tests/simulation/model.py`, which was written
from the contract, and by `engine.ledger.commit` to Postgres. Verdicts, named payments and every
table must be the same afterwards.
"""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from engine.clock import Ids
from engine.database import connect
from engine.ledger.chart import Account, Kind
from engine.ledger.commit import commit
from engine.ledger.entries import MANUAL_FROM
from engine.ledger.plans import (
    UNLIMITED,
    Evidence,
    Intent,
    Plan,
    Spend,
    Verdict,
    Verdicted,
    note,
)
from engine.payments.lifecycle import State, moves
from tests.integration.books import assert_books
from tests.integration.world import TestClock
from tests.simulation.model import Model, Spent

pytestmark = pytest.mark.long(
    "generated batches; tests/simulation/test_simulation.py has the real SQL in two worlds"
)

V = Verdict
FREE = Account(1, "UGX", Kind.FLOAT, 2).number  # not guarded
A = Account(1, "UGX", Kind.POOL_AVAIL).number
B = Account(1, "UGX", Kind.POOL_HELD).number
OTHER_BOOK = Account(1, "KES", Kind.CUSTOMER_FUNDS).number
MISSING = Account(1, "UGX", Kind.LOSS).number
ACCOUNTS = {FREE: False, A: True, B: True, OTHER_BOOK: True}
HASHES = ["0123456789abcdef" * 2, "f" * 32]
CUSTOMERS = ["c" * 32, "d" * 32]
BEGINNINGS = {after for before, after in moves() if before is State.NEW}
BATCHES = 50
WORDS = "payment, version, state, debits, credits, amounts, facts"


class Pair:
    """The model and Postgres, side by side."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.model = Model()
        self.at_ms = 0
        self.day = 100

    async def open(self) -> None:
        for account, guarded in ACCOUNTS.items():
            self.model.open(account, guarded=guarded)
        await self.connection.executemany(
            "insert into balance (id, guarded) values ($1, $2)", list(ACCOUNTS.items())
        )

    async def commit(self, plans: list[Plan], *, careful: bool = False) -> list[Verdict]:
        """Commit to both and compare what they answer."""
        self.at_ms += 1
        expected = self.model.commit(plans, self.at_ms, careful=careful)
        found = await commit(self.connection, plans, self.at_ms, careful=careful)
        assert [shown(v) for v in found] == [shown(v) for v in expected], story(
            plans, found, expected
        )
        return [answer.verdict for answer in found]

    async def assert_equal(self) -> None:
        """Every table holds the same rows."""
        model, fetch = self.model, self.connection.fetch
        assert {r["id"]: r["amount"] for r in await fetch("select id, amount from balance")} == (
            model.balances
        )
        assert {
            r["id"].hex: (
                r["tenant"], r["state"], r["version"], r["due"], _hex(r["live"]), r["way"],
                r["terms"], _hex(r["customer"]),
            )
            for r in await fetch("select * from payment")
        } == {
            id_: (p.tenant, p.state, p.version, p.due, p.live, p.way, p.terms, p.customer)
            for id_, p in model.payments.items()
        }  # fmt: skip
        assert {
            (r["tenant"], r["key"]): (r["payment"].hex, r["hash"].hex)
            for r in await fetch("select * from payment_key")
        } == model.keys
        assert {
            (r["payment"].hex, r["version"], r["tenant"], r["state"], r["at_ms"], r["facts"],
             tuple(zip(r["debits"], r["credits"], r["amounts"], strict=True)))
            for r in await fetch("select * from journal")
        } == {
            (payment, row.version, model.payments[payment].tenant, row.state, row.at_ms, row.facts,
             row.transfers)
            for payment, path in model.journal.items() for row in path
        }  # fmt: skip
        assert {
            r["id"].hex: (r["payment"].hex, r["tenant"], r["direction"], r["operator"])
            for r in await fetch("select * from attempt")
        } == model.attempts
        assert {
            r["id"].hex: (
                r["payment"].hex, r["tenant"], r["kind"], r["payload"], r["not_before"],
                r["lease_until"],
            )
            for r in await fetch("select * from outbox")
        } == {
            id_: (
                row.payment, model.payments[row.payment].tenant, row.kind, row.payload,
                row.not_before, row.lease_until,
            )
            for id_, row in model.outbox.items()
        }  # fmt: skip
        assert {
            (r["attempt"].hex, r["hash"].hex): (
                r["payment"].hex, r["tenant"], r["source"], r["body"], r["at_ms"],
            )
            for r in await fetch("select * from evidence")
        } == {key: tuple(row) for key, row in model.evidence.items()}  # fmt: skip
        found = {
            (r["tenant"], r["customer"].hex, r["currency"]): Spent(
                r["day"], r["day_minor"], r["month"], r["month_minor"]
            )
            for r in await fetch("select * from spending")
        }
        for who in found.keys() | model.spending.keys():
            # A row that was only locked holds nothing.
            assert found.get(who, Spent()) == model.spending.get(who, Spent()), who


def _hex(value: Any) -> str | None:
    return value.hex if value is not None else None


def shown(answer: Verdicted) -> tuple[Verdict, str | None]:
    """A verdict, and the payment it names where naming one is promised."""
    names = answer.verdict in (V.DUPLICATE, V.CONFLICT)
    return answer.verdict, answer.known if names else None


def story(plans: list[Plan], found: list[Verdicted], expected: list[Verdicted]) -> str:
    """What was committed, what Postgres said, and what the model expected."""
    lines = []
    for plan, said, wanted in zip(plans, found, expected, strict=True):
        mark = "  " if shown(said) == shown(wanted) else "->"
        fields = {k: v for k, v in plan._asdict().items() if v != Plan._field_defaults.get(k)}
        lines.append(f"{mark} {said.verdict.name}, expected {wanted.verdict.name}: {fields}")
    return "\n".join(lines)


class Author:
    """Makes up batches from a seed, some of them mean."""

    def __init__(self, seed: int, pair: Pair) -> None:
        self.chance = random.Random(seed)
        self.pair = pair
        self.model = pair.model
        self.ids = Ids(TestClock(), self.chance.randbytes)
        self.keys: list[str] = []

    def batch(self) -> list[Plan]:
        kinds: list[Callable[[], Plan]] = [
            self.create, self.create, self.create, self.repeat, self.repeat,
            self.move, self.move, self.move, self.late_move, self.late_move,
            self.note, self.moving_note, self.unbalanced,
        ]  # fmt: skip
        if self.chance.random() < 0.3:
            kinds.append(self.poison)
        return [self.chance.choice(kinds)() for _ in range(self.chance.randint(1, 10))]

    def create(self, **changes: Any) -> Plan:
        payment, chance = self.ids.payment(), self.chance
        tenant = changes.pop("tenant", None) or chance.choice((1, 1, 1, 2))
        self.keys.append(changes.get("key") or payment)
        fields: dict[str, Any] = {
            "key": payment, "hash": HASHES[0], "due": chance.choice((0, 60)),
            "facts": "[1]", "customer": chance.choice([None, *CUSTOMERS]),
            "transfers": self.transfers() if tenant == 1 else (), "intents": self.intents(),
            "evidence": self.evidence(), "way": chance.randint(0, 2),
        }  # fmt: skip
        if chance.random() < 0.5:
            fields |= {"begins": self.ids.attempt(), "direction": 1, "operator": 2}
        if chance.random() < 0.6:
            fields["spend"] = self.spends()
        state = chance.choice((*[State.COLLECTING] * 4, MANUAL_FROM))
        return Plan(payment, 0, tenant, state, **{**fields, **changes})

    def repeat(self) -> Plan:
        """A key that was used before, or a moment ago, for the same request or another."""
        if not self.keys:
            return self.create()
        key = self.chance.choice(self.keys[-6:])
        return self.create(key=key, hash=self.chance.choice(HASHES))

    def move(self, **changes: Any) -> Plan:
        """The next step of a payment that is stored; sometimes of one that moved in this batch."""
        if not self.model.payments:
            return self.create()
        payment = self.chance.choice(list(self.model.payments)[-8:])
        row = self.model.payments[payment]
        fields: dict[str, Any] = {
            "due": self.chance.choice((0, 90)),
            "transfers": self.transfers() if row.tenant == 1 else (),
            "facts": self.chance.choice((None, "{}")), "way": self.chance.randint(0, 2),
            "evidence": self.evidence(), "intents": self.intents(),
            "done": tuple(i for i, o in self.model.outbox.items() if o.payment == payment)[:1],
        }  # fmt: skip
        if row.live is not None and self.chance.random() < 0.5:
            fields["ends"] = row.live
        if (row.live is None or "ends" in fields) and self.chance.random() < 0.5:
            fields |= {"begins": self.ids.attempt(), "direction": 2, "operator": 2}
        if self.chance.random() < 0.3:
            fields["spend"] = self.spends()
        afters = [after for before, after in sorted(moves()) if before == row.state]
        state = self.chance.choice(afters or [MANUAL_FROM])
        if self.chance.random() < 0.2:
            state = self.chance.choice((self.chance.randint(1, 20), MANUAL_FROM))
        return Plan(payment, row.version, row.tenant, state, **{**fields, **changes})

    def late_move(self) -> Plan:
        """Of another version or tenant, of a payment nobody knows, of a wrong attempt."""
        plan = self.move()
        if plan.version == 0:
            return plan
        return self.chance.choice(
            (
                plan._replace(version=plan.version + self.chance.choice((-1, 1)) or 7),
                plan._replace(tenant=3 - plan.tenant, transfers=()),
                plan._replace(payment=self.ids.payment(), ends=None),
                plan._replace(ends=self.ids.attempt()),
            )
        )

    def note(self) -> Plan:
        if not self.model.payments:
            return self.create()
        payment = self.chance.choice(list(self.model.payments))
        tenant = self.model.payments[payment].tenant
        theirs = sorted(
            id_ for id_, row in self.model.outbox.items()
            if self.model.payments[row.payment].tenant == tenant
        )  # fmt: skip
        done = tuple(self.chance.sample(theirs, min(1, len(theirs))))
        return note(payment, tenant, evidence=self.evidence(), done=done)

    def moving_note(self) -> Plan:
        return self.note()._replace(
            **self.chance.choice(
                (
                    {"transfers": ((A, B, 1),)},
                    {"begins": self.ids.attempt(), "direction": 1},
                    {"spend": (self.spend(),)},
                )
            )
        )

    def unbalanced(self) -> Plan:
        wrong = self.chance.choice([(A, B, 0), (A, B, -5), (A, OTHER_BOOK, 5)])
        return self.create(transfers=((FREE, A, 3), wrong))

    def poison(self) -> Plan:
        known = list(self.model.payments)
        attempts = list(self.model.attempts)
        plan = self.create(spend=())  # one that is refused for its limit poisons nobody
        return self.chance.choice(
            (
                plan._replace(transfers=((A, MISSING, 1),)),
                plan._replace(payment=known[0]) if known else plan,
                plan._replace(state=10**6),
                plan._replace(state=self.chance.choice([s for s in State if s not in BEGINNINGS])),
                plan._replace(facts=b"no text"),  # type: ignore[arg-type]
                plan._replace(begins=attempts[0]) if attempts else plan,
                plan._replace(transfers=((FREE, A, 2**63 - 1),) * 2),
            )
        )

    def transfers(self) -> tuple[tuple[int, int, int], ...]:
        """Small ones that mostly fit, large ones that often do not."""
        pairs = ((A, B), (A, B), (B, A), (FREE, A), (B, FREE))
        return tuple(
            (*self.chance.choice(pairs), self.chance.choice((1, 7, 40, 90)))
            for _ in range(self.chance.randint(0, 2))
        )

    def intents(self) -> tuple[Intent, ...]:
        return tuple(
            Intent(
                self.ids.intent(),
                10,
                self.chance.choice((None, "text")),
                not_before=self.chance.choice((0, 30)),
                lease_until=60,
            )
            for _ in range(self.chance.choice((0, 0, 1, 2)))
        )

    def evidence(self) -> tuple[Evidence, ...]:
        if not self.model.attempts or self.chance.random() < 0.7:
            return ()
        attempt = self.chance.choice(list(self.model.attempts)[-4:])
        hash_ = self.chance.choice(HASHES)
        return (Evidence(attempt, hash_, 2, f"said {hash_}"),)

    def spends(self) -> tuple[Spend, ...]:
        return tuple(self.spend() for _ in range(self.chance.choice((1, 1, 1, 2))))

    def spend(self) -> Spend:
        """Yesterday, today or tomorrow by the clock of whoever counts it; some back, some late."""
        who, minor = self.chance.choice(CUSTOMERS), self.chance.choice((-20, -50, 1, 20, 60, 60))
        day = self.pair.day + self.chance.choice((-1, 0, 0, 0, 0, 1))
        limits = self.chance.choice(((150, 400), (150, 400), (110, 300)))
        spend = Spend(who, 800, day, 202611 if day < 102 else 202612, minor, *limits)
        if minor > 0 and self.chance.random() < 0.2:  # money that came late
            return spend._replace(day_minor_max=UNLIMITED, month_minor_max=UNLIMITED)
        return spend


@pytest.fixture
async def pair(database_url: str) -> AsyncIterator[Pair]:
    connection = await connect(database_url)
    both = Pair(connection)
    await both.open()
    yield both
    await assert_books(connection)
    await connection.close()


@pytest.mark.parametrize("seed", range(8))
async def test_generated_batches_get_the_same_verdicts_and_leave_the_same_tables(
    pair: Pair, seed: int
) -> None:
    author = Author(seed, pair)
    assert await pair.commit([author.create(transfers=((FREE, A, 200),))]) == [V.APPLIED]
    seen: set[Verdict] = set()
    for n in range(BATCHES):
        pair.day = 100 + n // 15
        seen |= set(await pair.commit(author.batch(), careful=author.chance.random() < 0.3))
        if n % 5 == 4:
            await pair.assert_equal()
    assert seen >= set(V) - {V.CONFLICT, V.POISON}


async def endowed(pair: Pair) -> Author:
    """A hundred in A."""
    author = Author(0, pair)
    await pair.commit([author.create(transfers=((FREE, A, 100),), begins=None, spend=())])
    return author


async def test_a_stored_key_that_comes_twice_in_a_batch_is_compared_with_what_is_stored(
    pair: Pair,
) -> None:
    author = await endowed(pair)
    await pair.commit([author.create(key="k", transfers=(), spend=())])
    other, same = (author.create(key="k", hash=h, transfers=()) for h in reversed(HASHES))
    assert await pair.commit([other, same]) == [V.CONFLICT, V.DUPLICATE]


@pytest.mark.parametrize("refused_by", ["another live attempt", "a limit"])
async def test_a_refused_plan_takes_no_money_from_those_after_it(
    pair: Pair, refused_by: str
) -> None:
    author = await endowed(pair)
    if refused_by == "a limit":
        over = Spend(CUSTOMERS[0], 800, 100, 202611, 60, 50, 400)
        refused, verdict = author.create(transfers=((A, B, 60),), spend=(over,)), V.OVER_LIMIT
    else:
        made = author.create(transfers=(), begins=author.ids.attempt(), direction=1, spend=())
        await pair.commit([made])
        refused = Plan(
            made.payment, 1, 1, 2, ends=author.ids.attempt(), transfers=((A, B, 60),), facts="{}"
        )
        verdict = V.STALE
    fits = author.create(transfers=((A, B, 60),), spend=())
    assert await pair.commit([refused, fits], careful=True) == [verdict, V.APPLIED]
