"""What a fault of our own keeps is neither given up nor repeated blindly, and people hear of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from engine.clock import AttemptId, Ids, IntentId, PaymentId
from engine.desk.proposals import Kind, Person
from engine.errors import CommitUnknown, NotServed, OurFault, Unreadable
from engine.messages.letters import REPLY, write_answer
from engine.msisdn import Msisdn
from engine.outbox import ever_rarer
from engine.payments.lifecycle import State
from engine.payments.notices import MESSAGE, Message, write_message
from engine.payments.our_faults import AGAIN_SECONDS, MENDED_SECONDS, OUR_FAULT, Mended, OurFaults
from engine.payments.reconciliation import Reconciler
from engine.payments.schedule import Schedule
from engine.privacy.places import payload_place
from engine.privacy.seals import seals_of
from tests.integration.books import assert_books
from tests.integration.offices import office_of
from tests.integration.owner import Owner
from tests.integration.privacy_room import KEYS
from tests.integration.test_newer_rows import owe
from tests.integration.world import (
    FAILED,
    SUCCEEDED,
    EndedSweeps,
    ScriptedOperator,
    World,
    open_world,
)
from tests.unit.payments.examples import MPESA, MTN

HOUR = 3600
MONTH_MS = 30 * 24 * HOUR * 1000
AMINA, BRIAN = Person("amina"), Person("brian")
PIN_MAY_BE_CHOSEN = write_message(Message(Msisdn("+254712000001"), "en", "pin_reset"))


@asynccontextmanager
async def sealed(database_url: str) -> AsyncIterator[World]:
    """Whatever speaks of people or orders is sealed, so that a changed row opens no more."""
    by_way = {
        "mpesa_ke": msgspec.structs.replace(MPESA, orders_by="way", collect_repeat_is_safe=True),
        "mtn_ug": msgspec.structs.replace(MTN, orders_by="way"),
    }
    also = {name: ScriptedOperator(facts) for name, facts in by_way.items()}
    keys: Any = KEYS
    async with open_world(database_url, also=also, **keys) as world:
        world.mpesa, world.mtn = also["mpesa_ke"], also["mtn_ug"]
        yield world


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with sealed(database_url) as opened:
        yield opened


class Changed:
    """A column of one payment's rows that holds what nobody can open, until it is mended."""

    def __init__(self, world: World, table: str, column: str, which: str, id: str) -> None:
        self._owner = Owner(world.pool)
        self._where = f"{table} where {which} = $1 and {column} is not null"
        self._set = f"update {table} set {column} = $2 where {which} = $1 and {column} = $3"
        self._column, self._id = column, id
        self._pairs: list[tuple[str, str]] = []

    async def __aenter__(self) -> None:
        rows = await self._owner.fetch(f"select {self._column} from {self._where}", self._id)
        assert rows
        self._pairs = [(row[0], row[0][:-6] + "AAAAAA") for row in rows]
        await self._write(self._pairs)

    async def __aexit__(self, *_: object) -> None:
        await self._write([(after, before) for before, after in self._pairs])

    async def _write(self, pairs: list[tuple[str, str]]) -> None:
        async with self._owner.acquire() as connection, connection.transaction():
            await connection.execute("set local session_replication_role = replica")
            for before, after in pairs:
                await connection.execute(self._set, self._id, after, before)


def order_of(world: World, attempt: AttemptId) -> Changed:
    """The way by which it was ordered, without which its order cannot be made."""
    return Changed(world, "evidence", "body", "attempt", attempt)


def terms_of(world: World, payment_id: PaymentId) -> Changed:
    return Changed(world, "journal", "facts", "payment", payment_id)


def message_of(world: World, intent: str) -> Changed:
    """What it says, and to whom."""
    return Changed(world, "outbox", "payload", "id", intent)


async def owe_alone(world: World, kind: int, payload: str) -> str:
    """A message that belongs to no payment, sealed as its room does it."""
    intent = Ids(world.clock).intent()
    sealed = seals_of(world.pool).seal(payload, payload_place(intent))
    await world.pool.execute(
        "insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)"
        " values ($1, $1, 1, $2, $3, 0, 0)",
        intent, kind, sealed,
    )  # fmt: skip
    return intent


async def became_of(world: World, intent: str) -> Any:
    return await world.pool.fetchval("select status from sms_message where id = $1", intent)


def mended(world: World) -> Mended:
    return Mended(world.pool, 1, world.store, world.clock)


async def cases(world: World) -> list[tuple[str, str | None]]:
    """What is told, and how it was closed; when, people see at it."""
    rows = await world.pool.fetch(
        "select detail, note, opened_ms, closed_ms from case_file where kind = $1"
        " order by opened_ms, hash",
        OUR_FAULT,
    )
    now_ms = int(world.clock.epoch() * 1000)
    for row in rows:
        assert now_ms - MONTH_MS < row["opened_ms"] <= (row["closed_ms"] or now_ms) <= now_ms
    return [(row["detail"], row["note"]) for row in rows]


async def goes_by(world: World, seconds: float, *, steps: int = 1) -> None:
    """Time in which the worker sweeps as it always does."""
    for _ in range(steps):
        world.clock.pass_(seconds / steps)
        await world.dispatcher.sweep()
        await world.dispatched()
        await world.reconciler.sweep()
        await world.dispatched()


async def claims(world: World, intent: str) -> int:
    return int(await world.pool.fetchval("select claims from outbox where id = $1", intent))


async def never_left(world: World, intent: str) -> bool:
    row = await world.pool.fetchrow("select sent_at from outbox where id = $1", intent)
    return row is not None and row["sent_at"] is None


async def owing(world: World, payment_id: PaymentId) -> AttemptId:
    """Its money came, and nobody has begun to pay it out."""
    await world.dispatched()
    world.dispatching = False
    await world.tell(await world.live(payment_id), SUCCEEDED)
    world.dispatching = True
    return await world.live(payment_id)


async def giving_back(world: World, payment_id: PaymentId) -> AttemptId:
    """Its payout failed, and nobody has begun to give it back."""
    await owing(world, payment_id)
    await goes_by(world, 61)
    world.dispatching = False
    await world.tell(await world.live(payment_id), FAILED)
    world.dispatching = True
    return await world.live(payment_id)


async def test_a_payout_that_cannot_be_made_counts_as_never_sent_and_people_hear_at_once(
    world: World,
) -> None:
    """It was lost to everybody: no payout, no refund, no case."""
    payment_id = await world.confirm()
    attempt = await owing(world, payment_id)
    async with order_of(world, attempt):
        await goes_by(world, 61)
        assert await never_left(world, attempt)
        ((detail, note),) = await cases(world)
        assert detail.startswith("the order to disburse cannot be made, by a fault of our own: ")
        assert note is None and "evidence" in detail
        await goes_by(world, 91)
        assert await world.state(payment_id) is State.PAYOUT_QUEUED  # its time was over
        assert world.mtn.orders == []
    assert await mended(world).sweep(10) == 0  # in the queue: nobody knows yet
    await goes_by(world, 30)
    assert [order.attempt_id for order in world.mtn.orders] == [await world.live(payment_id)]
    assert await mended(world).sweep(10) == 1
    assert await cases(world) == [(detail, "it goes on")]
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.PAID
    await assert_books(world.pool)


async def test_fresh_from_its_commit_it_is_the_same(world: World) -> None:
    payment_id = await world.confirm()
    attempt = await owing(world, payment_id)
    async with order_of(world, attempt):
        world.dispatcher.hear(*world.heard[-1])
        await world.dispatched()
        assert await never_left(world, attempt)
        assert len(await cases(world)) == 1
    await goes_by(world, 31)  # not hammered, and not late for its time either
    assert [order.attempt_id for order in world.mtn.orders] == [attempt]


async def test_a_collection_that_cannot_be_made_expires_and_calls_nobody(world: World) -> None:
    world.dispatching = False
    payment_id = await world.confirm()
    attempt = await world.live(payment_id)
    async with order_of(world, attempt):
        await goes_by(world, 61)
        assert await never_left(world, attempt)
        await goes_by(world, 90)
        assert await world.state(payment_id) is State.EXPIRED
    assert (world.mpesa.orders, await cases(world)) == ([], [])
    await assert_books(world.pool)


async def test_a_refund_that_cannot_be_made_is_tried_ever_more_rarely_and_is_one_case(
    world: World,
) -> None:
    payment_id = await world.confirm()
    attempt = await giving_back(world, payment_id)
    before = len(world.mpesa.orders)
    async with order_of(world, attempt):
        await goes_by(world, 6 * HOUR, steps=180)
        assert len(await cases(world)) == 1
        assert await never_left(world, attempt)
        assert await claims(world, attempt) < 25  # of 180 sweeps
    await goes_by(world, HOUR, steps=6)
    assert [order.attempt_id for order in world.mpesa.orders[before:]] == [attempt]
    assert await mended(world).sweep(10) == 1
    await world.tell(attempt, SUCCEEDED)
    assert await world.state(payment_id) is State.REFUNDED


async def test_what_may_have_left_is_not_given_up_nor_called_unclear_nor_sent_blindly(
    world: World,
) -> None:
    """Its way says whether a repeat is safe, and cannot be read."""
    payment_id = await world.confirm()
    attempt = await owing(world, payment_id)
    await world.pool.execute("update outbox set sent_at = 1 where id = $1", attempt)
    async with order_of(world, attempt):
        await goes_by(world, MENDED_SECONDS - 1, steps=9)
        assert await cases(world) == []
        await goes_by(world, HOUR, steps=60)
        ((detail, _),) = await cases(world)
        assert detail.startswith("an order of it, or a message, waits, by a fault of our own: ")
        assert (await world.state(payment_id), world.mtn.orders) == (State.PAYING, [])
        assert not await never_left(world, attempt)
        assert await mended(world).sweep(10) == 0
    await goes_by(world, 61)
    assert [order.attempt_id for order in world.mtn.orders] == [attempt]
    assert await mended(world).sweep(10) == 1


async def test_a_repeat_that_cannot_be_made_leaves_the_call_before_it_alone(world: World) -> None:
    payment_id = await world.confirm()
    attempt = await giving_back(world, payment_id)
    sent = len(world.mpesa.orders)
    await world.pool.execute("update outbox set sent_at = 1 where id = $1", attempt)
    newer = '{"type":"newer"}'
    facts = await Owner(world.pool).fetchval(
        "select facts from journal where payment = $1 and version = 2", payment_id
    )
    change = "update journal set facts = $2 where payment = $1 and version = 2"
    await Owner(world.pool).execute(change, payment_id, newer)  # by which it was collected
    await goes_by(world, HOUR, steps=60)
    assert await world.state(payment_id) is State.REFUNDING
    assert (len(await cases(world)), len(world.mpesa.orders)) == (1, sent)
    assert not await never_left(world, attempt)
    await Owner(world.pool).execute(change, payment_id, facts)
    await goes_by(world, 61)
    assert [order.attempt_id for order in world.mpesa.orders[sent:]] == [attempt]


async def test_a_payment_that_nobody_can_read_is_a_case_and_goes_on_when_it_can_be(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    payment_id, other = await world.confirm(), await world.confirm()
    await world.dispatched()
    async with terms_of(world, payment_id):
        await goes_by(world, MENDED_SECONDS - 1, steps=20)
        assert await cases(world) == []
        await goes_by(world, 6 * HOUR, steps=72)
        ((detail, note),) = await cases(world)
        assert detail.startswith("nobody can look after it, by a fault of our own: payment")
        assert note is None
        assert await mended(world).sweep(10) == 0
        looks = [record for record in caplog.records if "was not looked after" in record.message]
        assert len(looks) < 20  # of 92 sweeps
    assert await mended(world).sweep(10) == 1
    assert await cases(world) == [(detail, "it goes on")]
    asked = len(world.mpesa.questions)
    await goes_by(world, HOUR)
    assert (await world.live(payment_id)) in [q.attempt_id for q in world.mpesa.questions[asked:]]
    assert other != payment_id and await world.state(other) is State.COLLECT_UNKNOWN


async def test_its_order_waits_and_counts_as_it_did_before(world: World) -> None:
    world.dispatching = False
    fresh, left = await world.confirm(), await world.confirm()
    attempts = [await world.live(fresh), await world.live(left)]
    await world.pool.execute("update outbox set sent_at = 1 where id = $1", attempts[1])
    await Owner(world.pool).execute("update payment set due = null")
    async with terms_of(world, fresh), terms_of(world, left):
        await goes_by(world, 3 * HOUR, steps=180)
        assert [await never_left(world, one) for one in attempts] == [True, False]
        assert max([await claims(world, one) for one in attempts]) < 15
        assert len(await cases(world)) == 2
    assert await mended(world).sweep(10) == 0  # they can be read, and their orders wait


async def test_a_receipt_of_what_nobody_can_read_is_told_and_said_when_it_can_be(
    world: World,
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    intent = await owe(world, payment_id, 10, "delayed:payer:")
    async with terms_of(world, payment_id):
        await Owner(world.pool).execute("update payment set due = null")
        await goes_by(world, HOUR, steps=60)
        assert len(await cases(world)) == 1
        assert await never_left(world, intent)
    await goes_by(world, HOUR)
    said = await world.pool.fetchval("select status from sms_message where id = $1", intent)
    assert said == "sent"


async def test_a_message_of_no_payment_that_nobody_can_open_is_told_until_it_is_sent(
    world: World,
) -> None:
    """Only the log knew: somebody waited to be asked for money, or to choose a PIN."""
    intent = await owe_alone(world, MESSAGE, PIN_MAY_BE_CHOSEN)
    async with message_of(world, intent):
        await goes_by(world, MENDED_SECONDS - 1, steps=10)
        assert await cases(world) == []  # its key may be on its way
        await goes_by(world, 6 * HOUR, steps=180)
        ((detail, note),) = await cases(world)
        assert detail.startswith("a message waits, by a fault of our own: ")
        assert note is None and intent in detail
        assert await never_left(world, intent)
        assert await claims(world, intent) < 30
        assert await mended(world).sweep(10) == 0
    await goes_by(world, HOUR + 60)
    assert await became_of(world, intent) == "sent"
    assert await mended(world).sweep(10) == 1
    assert await cases(world) == [(detail, "it waits no more")]


async def test_a_message_that_two_people_have_closed_is_not_told_again(world: World) -> None:
    """They told the customer another way; there is nothing to mend any more."""
    intent = await owe_alone(world, MESSAGE, PIN_MAY_BE_CHOSEN)
    desk = office_of(world, {}).desk
    async with message_of(world, intent):
        await goes_by(world, HOUR, steps=30)
        case = f"{intent}:{OUR_FAULT}:{intent}"
        asked = await desk.propose(Kind.CLOSE_CASE, {"case": case}, by=AMINA, note="told by phone")
        await desk.approve(asked.id, by=BRIAN)
        await goes_by(world, 3 * AGAIN_SECONDS, steps=72)
        assert [note for _, note in await cases(world)] == ["told by phone"]
    await goes_by(world, HOUR + 60)
    assert await became_of(world, intent) == "refused:too_late"


async def test_an_answer_that_nobody_can_open_is_no_case(world: World) -> None:
    """Who got none asks again."""
    intent = await owe_alone(world, REPLY, write_answer(Msisdn("+254712000001"), "Left: KES 500"))
    async with message_of(world, intent):
        await goes_by(world, HOUR, steps=30)
    assert await cases(world) == []


async def test_a_notice_that_a_newer_version_wrote_is_no_fault_of_ours(world: World) -> None:
    """It is that version's to say, and the payment goes on without it."""
    payment_id = await world.confirm()
    await world.dispatched()
    await owe(world, payment_id, 10, "something_new:payer:")
    await goes_by(world, HOUR, steps=30)
    assert await cases(world) == []


async def test_an_end_in_words_that_nobody_here_reads_is_told(world: World) -> None:
    """An order's own row says how its call ended, and this version does not know what that says."""
    payment_id = await world.confirm()
    attempt = await owing(world, payment_id)
    outbox = world.dispatcher._outbox
    assert await outbox.end(attempt, await outbox.claim(attempt), '{"newer":1}')
    await goes_by(world, HOUR, steps=60)
    ((detail, _),) = await cases(world)
    assert detail.endswith("by a fault of our own: ValidationError, see the log")
    assert (await world.state(payment_id), world.mtn.orders) == (State.PAYING, [])


async def test_who_cannot_be_read_keeps_no_case_behind_it_open(world: World) -> None:
    waiting = [await world.confirm() for _ in range(3)]
    await world.dispatched()
    faults = OurFaults(world.store, world.clock)
    for payment_id in waiting:
        await faults.tell(payment_id, "it waits", OurFault("no key"), after_seconds=0)
    bad = min(waiting)
    async with terms_of(world, bad):
        closer = mended(world)
        assert [await closer.sweep(1) for _ in range(5)] == [0, 1, 1, 0, 0]
    assert sum([await closer.sweep(2) for _ in range(2)]) == 1


async def test_what_else_waits_keeps_no_case_open_and_stays_itself(world: World) -> None:
    """Its people are asked something else too, an SMS of it waits, and so does another payment."""
    payment_id, other = await world.confirm(), await world.confirm()
    await world.dispatched()
    await owe(world, payment_id, 10, "delayed:payer:")
    attempt = await world.live(other)
    await world.tell(attempt, FAILED)
    await world.store.put_question(await world.payment(other), attempt, 0, 0)
    now_ms = int(world.clock.epoch() * 1000)
    await world.store.cases.open_one(payment_id, 1, "ON_HOLD", "a name on a list", now_ms)
    faults = OurFaults(world.store, world.clock)
    await faults.tell(payment_id, "it waits", OurFault("no key"), after_seconds=0)
    assert await mended(world).sweep(10) == 1
    left = await world.pool.fetch("select kind from case_file where closed_ms is null")
    assert [row["kind"] for row in left] == ["ON_HOLD"]


async def test_a_message_that_left_takes_no_case_of_another_along(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    both = [await owe_alone(world, MESSAGE, PIN_MAY_BE_CHOSEN) for _ in range(2)]
    faults = OurFaults(world.store, world.clock)
    world.clock.pass_(MENDED_SECONDS)
    for intent in both * 2:
        await faults.tell_of_message(IntentId(intent), OurFault("no key"))
    alarms = [record for record in caplog.records if record.message.startswith("case ")]
    assert [record.args[1] for record in alarms if isinstance(record.args, tuple)] == both
    await world.pool.execute("delete from outbox where id = $1", both[0])
    assert [await mended(world).sweep(10) for _ in range(2)] == [1, 0]
    (left,) = await world.pool.fetch("select hash from case_file where closed_ms is null")
    assert left["hash"].hex == both[1]


async def test_nothing_is_told_while_the_database_is_away_nor_before_somebody_could_mend_it(
    world: World,
) -> None:
    payment_id = await world.confirm()
    faults = OurFaults(world.store, world.clock)
    lost = CommitUnknown("no reply")
    lost.__cause__ = ConnectionResetError()
    for error in (NotServed("no role"), lost, ConnectionResetError()):
        await faults.tell(payment_id, "it waits", error, after_seconds=0)
    await faults.tell(payment_id, "it waits", OurFault("no key"))
    await faults.tell(PaymentId("0" * 32), "it waits", OurFault("no key"), after_seconds=0)
    assert await cases(world) == []
    world.clock.pass_(MENDED_SECONDS)
    await faults.tell(payment_id, "it waits", OurFault("no key"))
    assert await cases(world) == [("it waits, by a fault of our own: no key", None)]


async def test_what_others_raise_is_told_by_its_name_alone(world: World) -> None:
    """It may hold what it was given: a number, or a key."""
    payment_id = await world.confirm()
    faults = OurFaults(world.store, world.clock)
    await faults.tell(payment_id, "it waits", ValueError("+254712000001"), after_seconds=0)
    assert await cases(world) == [
        ("it waits, by a fault of our own: ValueError, see the log", None)
    ]


async def test_what_two_people_have_closed_is_quiet_for_a_day(world: World) -> None:
    payment_id = await world.confirm()
    desk = office_of(world, {}).desk
    faults, fault = OurFaults(world.store, world.clock), OurFault("the row was changed")
    await faults.tell(payment_id, "it waits", fault, after_seconds=0)
    hash_ = await world.pool.fetchval("select hash from case_file")
    case = f"{payment_id}:{OUR_FAULT}:{hash_.hex}"
    asked = await desk.propose(Kind.CLOSE_CASE, {"case": case}, by=AMINA, note="paid by hand")
    await desk.approve(asked.id, by=BRIAN)
    world.clock.pass_(AGAIN_SECONDS - 1)
    await faults.tell(payment_id, "it waits", fault, after_seconds=0)
    assert len(await cases(world)) == 1
    world.clock.pass_(1)
    await faults.tell(payment_id, "it waits", fault, after_seconds=0)
    assert [note for _, note in await cases(world)] == ["paid by hand", None]


@pytest.mark.parametrize("fault", [ValueError("no key to sign it with"), OSError("no such file")])
async def test_a_question_that_our_own_fault_keeps_is_one_without_an_answer(
    world: World, fault: Exception
) -> None:
    """It was asked with every lease, for ever, and the day of the promise never came."""
    payment_id = await world.confirm()
    await world.dispatched()
    told: list[Any] = []
    world.mpesa.findings = [fault] * 50
    sweeps = EndedSweeps(
        Reconciler(
            store=world.store, outbox=world.dispatcher._outbox, payments=world.payments,
            ask=world.dispatcher.ask, clock=world.clock,
            schedule=Schedule(escalate_after=2 * HOUR, jitter=0),
            record=lambda *words, **more: told.append(words),
        )
    )  # fmt: skip
    for _ in range(300):
        world.clock.pass_(30)
        await sweeps.sweep()
    assert await world.state(payment_id) is State.COLLECT_UNKNOWN
    assert len(world.mpesa.questions) < 12
    (case,) = await world.pool.fetch("select kind, detail from case_file")
    assert case["kind"] == "UNRESOLVED"
    assert case["detail"].endswith(
        "asked now: nothing came of it, by a fault of our own:"
        f" mpesa_ke could not be asked ({type(fault).__name__})"
    )
    assert told == []  # it is not the operator that was silent


async def test_an_answer_that_is_none_of_its_words_is_no_answer_either(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.mpesa.findings = [Unreadable("mpesa_ke", "what is this")] * 50
    await goes_by(world, 25 * HOUR, steps=50)
    assert await world.state(payment_id) is State.COLLECT_UNKNOWN
    assert await world.cases() == ["UNRESOLVED"]


async def test_late_news_of_what_cannot_be_read_waits_and_is_told(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    await world.tell(attempt, FAILED)
    await world.store.put_question(await world.payment(payment_id), attempt, 0, 0)
    async with terms_of(world, payment_id):
        await goes_by(world, 3 * HOUR, steps=180)
        ((detail, _),) = await cases(world)
        assert detail.startswith("late news of it waits, by a fault of our own: ")
        assert world.mpesa.questions == []
        question = await world.pool.fetchval("select id from outbox where kind = 11")
        assert await claims(world, question.hex) < 15
    assert await mended(world).sweep(10) == 0  # it has not been asked about
    await goes_by(world, HOUR)
    assert {asked.attempt_id for asked in world.mpesa.questions} == {attempt}


async def test_a_refusal_that_cannot_be_booked_is_told_and_booked_when_it_can_be(
    world: World,
) -> None:
    """What ended on the intent's row is carried out by whoever finds it: also days later."""
    payment_id = await world.confirm()
    attempt = await owing(world, payment_id)
    outbox = world.dispatcher._outbox
    ended = '{"code":"no","reason":"other"}'
    assert await outbox.end(attempt, await outbox.claim(attempt), ended)
    async with terms_of(world, payment_id):
        await goes_by(world, HOUR, steps=60)
        assert len(await cases(world)) == 1
    await goes_by(world, HOUR)
    assert await world.state(payment_id) is State.REFUNDING
    assert world.mtn.orders == []
    assert await mended(world).sweep(10) == 1


@pytest.mark.parametrize(
    ("waited", "pause"), [(0, 10), (19, 10), (30, 15), (600, 300), (7200, 3600), (10**6, 3600)]
)
def test_what_we_cannot_mend_is_left_alone_ever_longer(waited: float, pause: float) -> None:
    made = f"{1_700_000_000_000:012x}" + "0" * 20
    assert ever_rarer(made, 1_700_000_000 + waited, 10) == pause
