"""What every payment asks the database is planned a few times, and then never again.

Postgres plans a statement anew for its first five runs on a connection, and for ever if it then
believes that values it can see make a cheaper plan (`migrations/decisions/0003`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.numbering import read_directory
from engine.clients.clients import KeyId
from engine.clients.store import ClientStore
from engine.clock import AttemptId, Clock, Ids, PaymentId
from engine.compliance.history import HistoryStore, Question
from engine.database import open_pool
from engine.money import Money
from engine.msisdn import Msisdn
from engine.outbox import Outbox, SmsEnding
from engine.payments.client_store import ClientPayments
from engine.payments.past_store import PastStore
from engine.payments.payment import code_of
from engine.payments.portability_store import PortabilityStore
from engine.payments.store import PaymentStore
from engine.ports import SmsReport
from engine.traffic.log import TrafficLog
from engine.traffic.messages import Said, Way
from tests.integration.customers_room import customers
from tests.unit.payments.examples import PAYEE, PAYER

ASKED = 24
PLANNED_MOST = 5
_PLANS = """
select statement, custom_plans, generic_plans from pg_prepared_statements
 where custom_plans + generic_plans >= $1"""


Ask = Callable[[int], Awaitable[Any]]
"""Something that every payment asks; of several in one moment, each has its number."""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Any]:
    """One connection, so that all runs of a statement are counted together."""
    opened = await open_pool(database_url, size=1)
    yield opened
    await opened.close()


def all_that_is_asked(pool: Any) -> list[Ask]:
    clock = Clock()
    ids = Ids(clock)
    house, numbers = customers(pool, clock), PortabilityStore(pool, 1, clock, ids)
    history, outbox = HistoryStore(pool, 1), Outbox(pool, clock, lease_seconds=60)
    store = PaymentStore(pool, read_directory({}))
    past, since = PastStore(pool, 1, store, read_directory({})), datetime.now(UTC)
    own, keys, traffic = (
        ClientPayments(pool, 1, store), ClientStore(pool, 1), TrafficLog(pool, 1, clock, ids)
    )  # fmt: skip

    def question() -> Question:
        now = datetime.now(UTC)
        return Question(ids.hex(), now, PAYER, PAYEE, Money(100, "KES"), Money(2_800, "UGX"))

    def ending() -> SmsEnding:
        return SmsEnding(ids.hex(), PaymentId(ids.hex()), 1, "receipt", "sent")

    def report(number: int) -> SmsReport:
        return SmsReport(f"{ids.hex()} {number}", "Success", delivered=True)

    def said() -> Said:
        return Said(1, Way.WE_CALLED, "mpesa_ke", "collect", "ok", AttemptId(ids.hex()))

    return [
        lambda n: house.find(Msisdn(f"+2547120000{n:02d}")),
        lambda n: numbers.seen(Msisdn(f"+2567720000{n:02d}")),
        lambda _: history.look(question(), near_minor=10, watched=True),
        lambda _: outbox.claim(ids.hex()),
        lambda _: outbox.end_sms(ending()),
        lambda n: outbox.keep_report(1, report(n)),
        lambda _: store.payment(PaymentId(ids.hex())),
        lambda _: store.attempt(AttemptId(ids.hex())),
        lambda _: store.provider_references(AttemptId(ids.hex())),
        lambda _: past.confirmed_with_code(ids.customer(), code_of(ids.hex()), since),
        lambda n: own.by_key("shop", f"order-{n}"),
        lambda _: keys.key(KeyId(ids.hex())),
        lambda _: traffic.keep(said()),
    ]


async def test_what_every_payment_asks_is_not_planned_for_ever(pool: Any) -> None:
    asked = all_that_is_asked(pool)
    for ask in asked:
        for turn in range(ASKED):  # what comes in one moment travels together: one, or a few
            await asyncio.gather(*(ask(number) for number in range(1 + turn % 3)))
    plans = await pool.fetch(_PLANS, ASKED)
    assert len(plans) == len(asked)
    assert not [p["statement"] for p in plans if p["custom_plans"] > PLANNED_MOST]
