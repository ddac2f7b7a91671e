"""Businesses told of their payments: each step once, in order, signed, until they heard it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from engine.errors import NoSuchHook, StaffMistake
from engine.hooks import courier as couriers
from engine.hooks import hooks as rules
from engine.hooks.events import EventKind
from engine.hooks.hooks import Hooks
from engine.hooks.journal import AGAIN_MS, KEPT_MS, LATE_MS
from engine.hooks.queue import Claim, HookQueue
from engine.hooks.schedule import USUAL
from engine.hooks.secret import SecretKeys
from engine.hooks.store import _EVENTS_OF_CLIENT, HookStore
from engine.hooks.subscription import HookId, Wish
from engine.payments.facts import read_terms, write
from engine.ports import HookAnswer, HookMessage
from simulator.receiver import Refused, verify
from tests.integration.hooks_room import ANSWER_SECONDS, KEYS, LIFE, HookHall, open_hook_hall
from tests.integration.world import SUCCEEDED
from tests.leap import leap
from tests.unit.payments.examples import PAYEE, PAYER
from tests.until import until

pytestmark = pytest.mark.long("each way of not being heard; test_client_hooks.py shows who is")

DAY = 24 * 3600.0


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[HookHall]:
    async with open_hook_hall(shared_database_url) as opened:
        yield opened


# What is told.


async def test_a_business_hears_of_each_step_once_in_order_and_signed(hall: HookHall) -> None:
    id_ = await hall.subscribe()
    payment_id = await hall.paid()
    for _ in range(3):
        await hall.told(seconds=1)
    assert hall.kinds(payment_id) == LIFE
    assert hall.receiver.requests == 3
    assert hall.receiver.refused == []
    heard = hall.receiver.heard
    sequences = [h.event["data"]["sequence"] for h in heard]
    assert sequences == sorted(set(sequences))
    assert [d.state for d in await hall.deliveries(id_)] == ["delivered"] * 3
    assert {h.id for h in heard} == {d.event for d in await hall.deliveries(id_)}
    assert {h.id for h in heard} == {e.id for e in await hall.hooks.events()}


@pytest.mark.parametrize(
    ("answers", "kinds"),
    [
        ([False], [EventKind.CREATED, EventKind.FAILED]),
        (
            [True, False, True],
            [EventKind.CREATED, EventKind.COLLECTED, EventKind.REFUNDING, EventKind.REFUNDED],
        ),
    ],
)
async def test_what_fails_and_what_is_given_back_is_told(
    hall: HookHall, answers: list[bool], kinds: list[EventKind]
) -> None:
    await hall.subscribe()
    payment_id = await hall.begun()
    for succeeds in answers:
        await hall.step(payment_id, succeeds=succeeds)
    await hall.told()
    assert hall.kinds(payment_id) == kinds


async def test_only_what_was_asked_for_is_told_and_only_from_then_on(hall: HookHall) -> None:
    await hall.subscribe()  # so that earlier steps are read at all
    early = await hall.paid()
    hall.world.clock.pass_(1)
    id_ = await hall.subscribe(EventKind.PAID, EventKind.FAILED, path="/some")
    late = await hall.paid()
    await hall.told()
    assert [(d.payment_id, d.kind) for d in await hall.deliveries(id_)] == [(late, "payment.paid")]
    assert sorted(hall.kinds(early)) == sorted(hall.kinds(late)) == sorted(LIFE)


async def test_numbers_leave_masked_unless_the_subscription_sees_them_whole(
    hall: HookHall,
) -> None:
    await hall.subscribe(EventKind.PAID)
    await hall.subscribe(EventKind.PAID, whole_numbers=True, path="/whole")
    await hall.paid()
    await hall.told()
    masked, whole = sorted(hall.receiver.heard, key=lambda h: PAYER.encode() in h.body)
    assert PAYER.digits.encode() not in masked.body
    assert PAYEE.digits.encode() not in masked.body
    assert PAYER.encode() in whole.body
    assert PAYEE.encode() in whole.body


async def test_while_nobody_wants_to_know_nothing_is_read(hall: HookHall) -> None:
    await hall.paid()
    assert await hall.journal.read() is None
    assert await hall.hooks.events() == []


# Read exactly once.


async def test_two_readers_at_once_keep_each_step_once(hall: HookHall) -> None:
    await hall.subscribe()
    for _ in range(3):
        await hall.paid()
    other = hall.another_journal(hall.world.pool)
    kept = await asyncio.gather(*[reader.sweep() for reader in [hall.journal, other] * 3])
    assert sum(kept) == 9
    assert await hall.owner.fetchval("select count(*) from hook_delivery") == 9


async def test_a_row_that_becomes_visible_late_is_not_missed(hall: HookHall) -> None:
    """Its own time is long past when it appears: the usual reading has gone by."""
    await hall.subscribe()
    payment_id = await hall.paid()
    await hall.owner.execute(
        "create table held as select * from journal where payment = $1", payment_id
    )
    await hall.owner.execute("delete from journal where payment = $1", payment_id)
    await hall.told(seconds=LATE_MS / 1000 + 1)
    await hall.told(seconds=LATE_MS / 1000 + 1)
    await hall.owner.execute("insert into journal select * from held")
    await hall.told(seconds=1)
    assert hall.kinds() == []
    await hall.told(seconds=AGAIN_MS / 1000)
    assert hall.kinds(payment_id) == LIFE


async def test_a_step_that_a_newer_version_made_keeps_no_other_payment_untold(
    hall: HookHall, caplog: pytest.LogCaptureFixture
) -> None:
    """It ended each reading, and no business heard of anything any more."""
    await hall.subscribe()
    theirs = await hall.begun()
    await hall.step(theirs)
    newer = "update journal set state = 99 where payment = $1 and version = 1"
    await hall.owner.execute(newer, theirs)
    ours = await hall.paid()
    await hall.told(seconds=1)
    assert hall.kinds(ours) == LIFE
    assert hall.kinds(theirs) == []
    assert f"payment {theirs} was written by other code" in caplog.text


async def test_a_row_from_before_nobody_read_is_found_when_somebody_does_again(
    hall: HookHall,
) -> None:
    """It became visible after the last reading, and then no worker ran for hours."""
    await hall.subscribe()
    payment_id = await hall.paid()
    hall.world.clock.pass_(LATE_MS / 1000 + 60)
    now_ms = int(hall.world.clock.epoch() * 1000)
    await hall.owner.execute("insert into hook_look values (1, $1, $1)", now_ms)
    hall.world.clock.pass_(3 * 3600)
    await hall.told()
    assert hall.kinds(payment_id) == LIFE


async def test_a_late_step_is_told_with_the_next_one_of_its_payment_and_before_it(
    hall: HookHall,
) -> None:
    await hall.subscribe()
    payment_id = await hall.begun()
    await hall.owner.execute("create table held as select * from journal")
    await hall.owner.execute("delete from journal where payment = $1", payment_id)
    await hall.told(seconds=LATE_MS / 1000 + 1)
    await hall.told(seconds=LATE_MS / 1000 + 1)
    await hall.owner.execute(
        "insert into journal select * from held where payment = $1", payment_id
    )
    await hall.step(payment_id)
    await hall.told()
    assert hall.kinds(payment_id) == LIFE[:2]


async def test_a_reader_whose_clock_was_ahead_hides_nothing_from_the_others(
    hall: HookHall,
) -> None:
    await hall.subscribe()
    await hall.told()
    await hall.owner.execute(
        "update hook_look set looked_ms = looked_ms + 60000, again_ms = again_ms + 60000"
    )
    payment_id = await hall.paid()
    await hall.told()
    assert hall.kinds(payment_id) == LIFE


async def test_whoever_was_away_for_hours_reads_all_of_it(hall: HookHall) -> None:
    await hall.subscribe()
    paid = []
    for _ in range(3):
        paid.append(await hall.paid())
        hall.world.clock.pass_(3600)
    await hall.told()
    assert [hall.kinds(payment_id) for payment_id in paid] == [LIFE] * 3


async def test_what_is_old_is_forgotten_and_never_told_again(hall: HookHall) -> None:
    id_ = await hall.subscribe()
    payment_id = await hall.begun()
    await hall.told()
    await hall.hooks.pause(id_)
    await hall.rest(KEPT_MS / 1000 - 5)
    await hall.step(payment_id)
    await hall.journal.sweep()
    hall.world.clock.pass_(10)
    assert await hall.journal.forget() == 1
    assert await hall.journal.sweep() == 0
    kinds = [event.kind for event in await hall.hooks.events()]
    assert kinds == ["payment.refunding", "payment.collected"]
    assert await hall.owner.fetchval("select count(*) from hook_attempt") == 0


# Told until heard.


async def test_what_was_heard_but_not_answered_comes_again_under_the_same_id(
    hall: HookHall,
) -> None:
    id_ = await hall.subscribe(EventKind.PAID)
    await hall.paid()
    hall.receiver.faults.append("answer_lost")
    await hall.told()
    (delivery,) = await hall.deliveries(id_)
    assert (delivery.state, delivery.attempts, delivery.last_failure) == ("waiting", 1, "ReadError")
    await hall.told(seconds=5)
    first, second = hall.receiver.heard
    assert (first.id, first.body) == (second.id, second.body)
    assert (first.is_new, second.is_new) == (True, False)
    assert second.at_seconds > first.at_seconds  # signed anew: the first is soon too old
    tries = await hall.hooks.attempts(id_, first.id)
    assert [(t.number, t.status, t.failure) for t in tries] == [
        (1, None, "ReadError"),
        (2, 204, ""),
    ]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("error_500", (500, "")),
        ("redirect", (307, "")),
        ("throttle_429", (429, "")),
        ("reset", (None, "ReadError")),
        ("dripping", (None, "ReadTimeout")),
        ("slow", (None, "ReadTimeout")),
    ],
)
async def test_whatever_is_no_success_is_tried_again_and_its_why_is_kept(
    hall: HookHall, fault: str, told: tuple[int | None, str]
) -> None:
    id_ = await hall.subscribe(EventKind.PAID)
    await hall.paid()
    hall.receiver.elsewhere = hall.url + "/elsewhere"
    hall.receiver.faults.append(fault)  # type: ignore[arg-type]
    hall.receiver.slow_seconds = 2 * ANSWER_SECONDS
    telling = asyncio.create_task(hall.told())
    if told[1] == "ReadTimeout":
        await until(lambda: hall.receiver.requests)
        leap(ANSWER_SECONDS)
    await telling
    leap(ANSWER_SECONDS)  # until it is answered in vain
    (delivery,) = await hall.deliveries(id_)
    assert (delivery.last_status, delivery.last_failure) == told
    assert delivery.next_at is not None
    assert delivery.last_at is not None
    pause = (delivery.next_at - delivery.last_at).total_seconds()
    assert pause == (60 if fault == "throttle_429" else 5)
    assert hall.receiver.requests == 1  # nobody went to where it was redirected
    await hall.told(seconds=61)
    assert [d.state for d in await hall.deliveries(id_)] == ["delivered"]


async def test_a_large_answer_is_heard_as_the_success_it_begins_with(hall: HookHall) -> None:
    id_ = await hall.subscribe(EventKind.PAID)
    await hall.paid()
    hall.receiver.faults.append("large")
    await hall.told()
    assert [d.last_status for d in await hall.deliveries(id_)] == [200]


async def test_an_event_waits_for_the_earlier_one_of_its_payment_and_for_no_other(
    hall: HookHall,
) -> None:
    await hall.subscribe()
    slow = await hall.paid()
    await hall.journal.sweep()
    hall.receiver.faults.append("error_500")
    await hall.told()
    assert hall.kinds(slow) == []
    quick = await hall.paid()
    await hall.told()
    assert hall.kinds(quick) == LIFE
    assert hall.kinds(slow) == []
    await hall.told(seconds=5)
    assert hall.kinds(slow) == LIFE


async def test_an_event_that_is_never_taken_holds_up_its_payment_for_a_quarter_of_an_hour(
    hall: HookHall,
) -> None:
    id_ = await hall.subscribe()
    payment_id = await hall.paid()
    await hall.journal.sweep()
    first = (await hall.deliveries(id_))[0].event

    class Picky:
        """Takes all but one."""

        fault_in = staticmethod(hall.carrier.fault_in)
        aclose = staticmethod(hall.carrier.aclose)

        async def deliver(self, message: HookMessage) -> HookAnswer:
            if message.id == first:
                return HookAnswer(400)
            return await hall.carrier.deliver(message)

    hall.courier = hall.another_courier(port=Picky())
    for _ in range(14):
        await hall.told(seconds=60)
    assert hall.kinds(payment_id) == []
    for _ in range(3):
        await hall.told(seconds=60)
    assert hall.kinds(payment_id) == LIFE[1:]
    states = {d.kind: d.state for d in await hall.deliveries(id_)}
    assert states[EventKind.CREATED] == "waiting"


async def test_after_a_day_a_delivery_is_parked_and_a_resend_brings_it(hall: HookHall) -> None:
    id_ = await hall.subscribe(EventKind.PAID)
    await hall.paid()
    hall.receiver.always = "error_500"
    await hall.told()
    for _ in range(13):
        await hall.told(seconds=2 * 3600)
    (delivery,) = await hall.deliveries(id_)
    assert (delivery.state, delivery.next_at) == ("parked", None)
    assert delivery.attempts == 13
    hall.receiver.always = None
    await hall.told(seconds=3600)
    assert hall.kinds() == []
    resent = await hall.hooks.resend(id_, delivery.event)
    assert resent.state == "waiting"
    await hall.told()
    assert [h.id for h in hall.receiver.heard] == [delivery.event]


async def test_what_was_heard_may_be_sent_again_under_its_id(hall: HookHall) -> None:
    id_ = await hall.subscribe(EventKind.PAID)
    await hall.paid()
    await hall.told()
    (delivery,) = await hall.deliveries(id_)
    await hall.hooks.resend(id_, delivery.event)
    await hall.told(seconds=1)
    assert [h.id for h in hall.receiver.heard] == [delivery.event] * 2


async def test_one_of_many_that_were_heard_is_sent_again_and_shown(hall: HookHall) -> None:
    id_ = await hall.subscribe()
    await hall.paid()
    await hall.told()
    heard = await hall.deliveries(id_)
    assert len(heard) > 1
    for delivery in heard:
        again = await hall.hooks.resend(id_, delivery.event)
        assert (again.event, again.kind) == (delivery.event, delivery.kind)
    await hall.told(seconds=1)
    told = Counter(h.id for h in hall.receiver.heard)
    assert told == {delivery.event: 2 for delivery in heard}


async def test_all_that_was_parked_since_a_time_is_sent_again_at_once(hall: HookHall) -> None:
    id_ = await hall.subscribe(EventKind.PAID)
    since = hall.world.clock.now()
    for _ in range(3):
        await hall.paid()
    hall.receiver.always = "error_500"
    await hall.told()
    for _ in range(13):
        await hall.told(seconds=2 * 3600)
    hall.receiver.always = None
    assert await hall.hooks.resend_parked(id_, hall.world.clock.now()) == 0
    assert await hall.hooks.resend_parked(id_, since) == 3
    await hall.told()
    assert len(hall.receiver.events) == 3


# A target that is away.


async def test_a_target_that_fails_for_days_is_paused_and_staff_hear_of_it_once(
    hall: HookHall,
) -> None:
    id_ = await hall.subscribe()
    since = hall.world.clock.now()
    await hall.begun()
    hall.receiver.always = "error_500"
    await hall.told()
    for _ in range(5):
        await hall.hooks.resend_parked(id_, since)
        assert (await hall.hooks.subscription(id_)).state == "active"
        await hall.told(seconds=16 * 3600)
    paused = await hall.hooks.subscription(id_)
    assert (paused.state, paused.why) == ("paused", "failing")
    assert await hall.world.cases() == ["HOOK_PAUSED"]
    requests = hall.receiver.requests
    await hall.hooks.resend_parked(id_, since)
    await hall.told(seconds=3600)
    assert hall.receiver.requests == requests


async def test_one_success_ends_the_time_it_failed(hall: HookHall) -> None:
    id_ = await hall.subscribe(EventKind.CREATED)
    hall.receiver.always = "error_500"
    await hall.begun()
    await hall.told()
    assert (await hall.hooks.subscription(id_)).failing_since is not None
    hall.receiver.always = None
    await hall.told(seconds=60)
    assert (await hall.hooks.subscription(id_)).failing_since is None


async def test_a_target_that_says_it_is_gone_is_paused_at_once(hall: HookHall) -> None:
    id_ = await hall.subscribe(EventKind.CREATED)
    await hall.begun()
    hall.receiver.faults.append("gone_410")
    await hall.told()
    paused = await hall.hooks.subscription(id_)
    assert (paused.state, paused.why) == ("paused", "gone")
    assert await hall.world.cases() == ["HOOK_PAUSED"]


async def test_a_target_that_failed_for_days_has_its_whole_time_again_once_it_is_resumed(
    hall: HookHall,
) -> None:
    """Whoever mended it and fails once more is neither paused at once, nor is anything given up."""
    id_ = await hall.subscribe(EventKind.CREATED)
    for _ in range(2):
        await hall.begun()
    hall.receiver.always = "error_500"
    await hall.told()
    await hall.told(seconds=4 * DAY)
    assert (await hall.hooks.subscription(id_)).why == "failing"
    states = sorted(delivery.state for delivery in await hall.deliveries(id_))
    assert states == ["parked", "waiting"]
    resumed = await hall.hooks.resume(id_)
    assert (resumed.state, resumed.why, resumed.failing_since) == ("active", "", None)
    requests = hall.receiver.requests
    await hall.told()
    assert hall.receiver.requests == requests + 1
    assert (await hall.hooks.subscription(id_)).state == "active"
    assert sorted(delivery.state for delivery in await hall.deliveries(id_)) == states
    hall.receiver.always = None
    for _ in range(2):  # at once, although it was put off; and once
        await hall.hooks.pause(id_)
        await hall.hooks.resume(id_)
        await hall.told()
    assert len(hall.receiver.heard) == 1


async def test_what_happened_during_a_pause_is_told_after_it(hall: HookHall) -> None:
    id_ = await hall.subscribe()
    paused = await hall.hooks.pause(id_)
    assert (paused.state, paused.why) == ("paused", "asked")
    payment_id = await hall.paid()
    await hall.told()
    assert hall.receiver.requests == 0
    await hall.rest(3 * DAY)
    await hall.told()
    for _ in range(2):
        assert (await hall.hooks.resume(id_)).state == "active"
    await hall.told()
    assert hall.kinds(payment_id) == LIFE


async def test_a_removed_subscription_hears_nothing_more_and_its_secrets_are_gone(
    hall: HookHall,
) -> None:
    id_ = await hall.subscribe()
    await hall.subscribe(path="/other")
    await hall.paid()
    await hall.journal.sweep()
    for _ in range(2):
        await hall.hooks.remove(id_)
    await hall.told()
    with pytest.raises(NoSuchHook):
        await hall.hooks.subscription(id_)
    assert id_ not in {one.id for one in await hall.hooks.subscriptions()}
    assert hall.receiver.requests == 3  # the other's
    rows = await hall.owner.fetch("select subscription, state from hook_delivery")
    assert sorted((r["subscription"].hex == id_, r["state"]) for r in rows) == (
        [(False, 2)] * 3 + [(True, 4)] * 3
    )
    assert await hall.owner.fetchval("select count(*) from hook_secret") == 1
    await hall.paid()
    await hall.told()
    assert (
        await hall.owner.fetchval("select count(*) from hook_delivery where subscription = $1", id_)
        == 3
    )


async def test_whoever_removes_it_between_a_claim_and_its_try_is_told_nothing(
    hall: HookHall, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody is called: it is no error of ours."""
    id_ = await hall.subscribe()
    await hall.paid()
    await hall.journal.sweep()
    claim = HookQueue.claim

    async def removed_then(self: HookQueue, *given: Any) -> Claim | None:
        claimed = await claim(self, *given)
        await hall.hooks.remove(id_)
        return claimed

    monkeypatch.setattr(HookQueue, "claim", removed_then)
    await hall.told()
    assert hall.receiver.requests == 0
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@dataclass
class Carrier:
    """Slow for one address, and counts who is under way there."""

    hall: HookHall
    release: asyncio.Event
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    slow: int = 0
    slow_most: int = 0

    def fault_in(self, url: str) -> str:
        return self.hall.carrier.fault_in(url)

    async def deliver(self, message: HookMessage) -> HookAnswer:
        if not message.url.endswith("/slow"):
            return await self.hall.carrier.deliver(message)
        self.slow += 1
        self.slow_most = max(self.slow_most, self.slow)
        self.reached.set()
        await self.release.wait()
        self.slow -= 1
        return HookAnswer(500)

    async def aclose(self) -> None: ...


async def test_a_slow_target_holds_up_nobody_else_and_gets_few_at_once(hall: HookHall) -> None:
    await hall.subscribe(EventKind.CREATED, path="/slow")
    await hall.subscribe(EventKind.CREATED, path="/quick")
    for _ in range(8):
        await hall.begun()
    await hall.journal.sweep()
    carrier = Carrier(hall, asyncio.Event())
    courier = hall.another_courier(port=carrier)
    async with asyncio.timeout(120):
        while len(hall.receiver.events) < 8 or carrier.slow < couriers.AT_ONCE:
            await courier.sweep()
            await asyncio.sleep(0.01)
    for _ in range(3):
        assert await courier.sweep() == 0  # four are due there still; there is no room for them
    assert carrier.slow_most == couriers.AT_ONCE
    carrier.release.set()
    await courier.idle()
    carrier.release.clear()
    carrier.reached.clear()
    carrier.slow_most = 0
    hall.world.clock.pass_(6)
    begun = [await courier.sweep() for _ in range(3)]
    assert begun == [1, 0, 0]  # it fails: one try at a time finds out when it is back
    async with asyncio.timeout(120):
        await carrier.reached.wait()
    assert carrier.slow_most == 1
    carrier.release.set()
    await courier.stop()


# Secrets.


async def test_both_secrets_sign_while_they_overlap_and_only_the_new_one_afterwards(
    hall: HookHall,
) -> None:
    id_ = await hall.subscribe(EventKind.CREATED)
    (old,) = hall.receiver.secrets
    operation = HookId(hall.ids.hex())
    rotated = await hall.hooks.rotate(id_, operation, overlap_hours=1)
    again = await hall.hooks.rotate(id_, operation, overlap_hours=5)
    assert (again.secret, again.old_until) == (rotated.secret, rotated.old_until)
    assert (again.overlap_hours, again.is_fresh) == (1, False)
    assert rotated.secret != old
    await hall.begun()
    await hall.told()
    heard = hall.receiver.heard[-1]
    now = hall.world.clock.epoch()
    for secret in (old, rotated.secret):
        assert verify(heard.headers, heard.body, [secret], now)[0] == heard.id
    hall.world.clock.pass_(3601)
    hall.receiver.secrets = [rotated.secret]
    await hall.begun()
    await hall.told()
    late = hall.receiver.heard[-1]
    assert late.is_new
    with pytest.raises(Refused):
        verify(late.headers, late.body, [old], hall.world.clock.epoch())
    with pytest.raises(Refused):  # and what was signed an hour ago is a replay
        verify(heard.headers, heard.body, [old], hall.world.clock.epoch())


async def test_ten_secrets_may_sign_at_once_for_a_week_each_and_no_more(hall: HookHall) -> None:
    """Each makes a header longer that receivers bound."""
    id_ = await hall.subscribe(EventKind.CREATED)
    for hours in [7 * 24] * 9:
        hall.world.clock.pass_(1)
        rotated = await hall.hooks.rotate(id_, HookId(hall.ids.hex()), hours)
        assert rotated.overlap_hours == hours
    signing = await HookStore(hall.world.pool, 1).secrets(id_, int(hall.world.clock.epoch() * 1000))
    assert len(signing) == 10
    with pytest.raises(StaffMistake, match="10 secrets sign at once"):
        await hall.hooks.rotate(id_, HookId(hall.ids.hex()), 1)
    with pytest.raises(StaffMistake, match="0 to 168 hours"):
        await hall.hooks.rotate(id_, HookId(hall.ids.hex()), 7 * 24 + 1)
    assert (await hall.hooks.rotate(id_, HookId(hall.ids.hex()), 0)).is_fresh


async def test_a_later_rotation_lets_no_older_secret_sign_for_longer(hall: HookHall) -> None:
    """Whoever rotates because a secret leaked ends it after the overlap that was said then."""
    id_ = await hall.subscribe(EventKind.CREATED)
    store = HookStore(hall.world.pool, 1)

    async def signing() -> int:
        return len(await store.secrets(id_, int(hall.world.clock.epoch() * 1000)))

    hall.world.clock.pass_(1)
    await hall.hooks.rotate(id_, HookId(hall.ids.hex()), 1)
    hall.world.clock.pass_(1)
    await hall.hooks.rotate(id_, HookId(hall.ids.hex()), 7 * 24)
    assert await signing() == 3
    hall.world.clock.pass_(3600)
    assert await signing() == 2
    await hall.hooks.rotate(id_, HookId(hall.ids.hex()), 0)
    assert await signing() == 1
    assert await hall.owner.fetchval("select count(*) from hook_secret") == 3  # not the ended one


async def test_nothing_is_claimed_for_one_that_was_paused_meanwhile(
    hall: HookHall,
) -> None:
    """Whoever carries one delivery after the other stops there."""
    id_ = await hall.subscribe(EventKind.CREATED)
    await hall.begun()
    await hall.journal.sweep()
    queue = HookQueue(hall.world.pool, 1)
    await hall.hooks.pause(id_)
    assert await queue.claim(id_, int(hall.world.clock.epoch() * 1000), USUAL) is None
    await hall.hooks.resume(id_)
    assert await queue.claim(id_, int(hall.world.clock.epoch() * 1000), USUAL) is not None


async def test_secrets_lie_sealed_and_are_put_under_a_new_key_while_messages_go(
    hall: HookHall,
) -> None:
    id_ = await hall.subscribe(EventKind.CREATED)
    sealed = await hall.owner.fetchval("select sealed from hook_secret")
    (secret,) = hall.receiver.secrets
    opened = hall.keys.open(
        (await HookStore(hall.world.pool, 1).secrets(id_, 0))[0].sealed,
        (await HookStore(hall.world.pool, 1).secrets(id_, 0))[0].place,
    )
    assert opened not in sealed
    assert secret.encode() not in sealed
    both = SecretKeys({**KEYS, 2: bytes(range(1, 33))}, bytes)
    assert await hall.another_hooks(both).seal_anew() == 1
    assert await hall.another_hooks(both).seal_anew() == 0
    only_new = SecretKeys({2: bytes(range(1, 33))}, bytes)
    hall.courier = hall.another_courier(keys=only_new)
    await hall.begun()
    await hall.told()
    assert len(hall.receiver.events) == 1


async def test_the_same_request_makes_one_subscription_with_one_secret(hall: HookHall) -> None:
    operation, wish = HookId(hall.ids.hex()), Wish(hall.url)
    first, second = [await hall.hooks.subscribe(operation, wish) for _ in range(2)]
    assert (first.subscription, first.secret) == (second.subscription, second.secret)
    assert (first.is_fresh, second.is_fresh) == (True, False)
    assert first.secret not in repr(first)
    assert len(await hall.hooks.subscriptions()) == 1


async def test_an_address_nobody_may_call_and_one_subscription_too_many_are_refused(
    hall: HookHall,
) -> None:
    with pytest.raises(StaffMistake, match="https"):
        await hall.hooks.subscribe(HookId(hall.ids.hex()), Wish("http://shop.example/"))
    wishes = [
        hall.hooks.subscribe(HookId(hall.ids.hex()), Wish(hall.url))
        for _ in range(rules.SUBSCRIPTIONS_MOST + 3)
    ]
    made = await asyncio.gather(*wishes, return_exceptions=True)
    assert sum(isinstance(m, StaffMistake) for m in made) == 3
    assert len(await hall.hooks.subscriptions()) == rules.SUBSCRIPTIONS_MOST


async def test_what_others_subscribed_to_keeps_nobody_from_subscribing(hall: HookHall) -> None:
    ours, theirs = (hall.hooks.of_client(hall.ids.hex()) for _ in range(2))
    for full, free in ((ours, [theirs, hall.hooks]), (hall.hooks, [theirs])):
        for _ in range(rules.SUBSCRIPTIONS_MOST - (full is hall.hooks)):
            await full.subscribe(HookId(hall.ids.hex()), Wish(hall.url))
        with pytest.raises(StaffMistake, match="remove one first"):
            await full.subscribe(HookId(hall.ids.hex()), Wish(hall.url))
        for one in free:
            assert (await one.subscribe(HookId(hall.ids.hex()), Wish(hall.url))).is_fresh


async def test_another_tenant_finds_hears_and_changes_nothing(hall: HookHall) -> None:
    id_ = await hall.subscribe()
    await hall.paid()
    await hall.journal.sweep()
    event = (await hall.deliveries(id_))[0].event
    stranger = Hooks(
        store=HookStore(hall.owner, 2), keys=hall.keys, fault_in=hall.carrier.fault_in,
        clock=hall.world.clock,
    )  # fmt: skip
    assert await stranger.subscriptions() == []
    assert await stranger.events() == []
    for wanted in (
        stranger.subscription(id_), stranger.pause(id_), stranger.resume(id_),
        stranger.deliveries(id_), stranger.attempts(id_, event), stranger.resend(id_, event),
        stranger.rotate(id_, HookId(hall.ids.hex())),
    ):  # fmt: skip
        with pytest.raises(NoSuchHook):
            await wanted
    await stranger.remove(id_)
    assert (await hall.hooks.subscription(id_)).state == "active"
    await hall.told()
    assert hall.kinds() == LIFE


# Pages.


async def test_deliveries_and_events_are_read_page_by_page_without_a_gap(hall: HookHall) -> None:
    id_ = await hall.subscribe()
    for _ in range(3):
        await hall.paid()
    await hall.journal.sweep()
    seen: list[str] = []
    while page := await hall.hooks.deliveries(id_, before=seen[-1] if seen else "", most=4):
        seen += [delivery.event for delivery in page]
    assert len(seen) == len(set(seen)) == 9
    assert seen == sorted(seen, reverse=True)
    events = await hall.hooks.events(before=seen[3], most=2)
    assert [event.id for event in events] == seen[4:6]
    assert await hall.world.state(events[0].payment_id)  # type: ignore[arg-type]


async def test_a_step_known_before_the_payment_ends_is_told_as_it_stood(hall: HookHall) -> None:
    """Read late, the first event still says the state behind its own step."""
    await hall.subscribe()
    payment_id = await hall.begun()
    attempt = await hall.world.live(payment_id)
    await hall.world.tell(attempt, SUCCEEDED)
    await hall.world.dispatched()
    await hall.told()
    states = [event["data"]["state"] for event in hall.receiver.events]
    assert states == ["COLLECTING", "PAYING"]


# Clients.


async def test_a_client_hears_of_its_own_payments_alone_and_staff_of_all(hall: HookHall) -> None:
    ours, theirs = hall.ids.hex(), hall.ids.hex()
    everybodys = await hall.subscribe(EventKind.CREATED)
    wish = Wish(hall.url + "/ours", (EventKind.CREATED,))
    subscribed = await hall.hooks.of_client(ours).subscribe(HookId(hall.ids.hex()), wish)
    hall.receiver.secrets.append(subscribed.secret)
    asked = {client: await begun_for(hall, client) for client in (ours, theirs, "")}
    await hall.told()
    own = subscribed.subscription.id
    assert [d.payment_id for d in await hall.deliveries(own)] == [asked[ours]]
    assert {d.payment_id for d in await hall.deliveries(everybodys)} == set(asked.values())
    assert [e.payment_id for e in await hall.hooks.of_client(ours).events()] == [asked[ours]]
    assert len(await hall.hooks.events()) == 3


async def test_a_client_finds_and_changes_no_subscription_but_its_own(hall: HookHall) -> None:
    ours, theirs = (hall.hooks.of_client(hall.ids.hex()) for _ in range(2))
    own = (await ours.subscribe(HookId(hall.ids.hex()), Wish(hall.url))).subscription
    staffs = await hall.subscribe()
    await hall.begun()
    await hall.journal.sweep()
    event = (await hall.deliveries(staffs))[0].event
    assert await ours.subscriptions() == [own]
    assert await theirs.subscriptions() == []
    for stranger, id_ in ((theirs, own.id), (ours, staffs), (theirs, staffs)):
        for wanted in (
            stranger.subscription(id_), stranger.pause(id_), stranger.resume(id_),
            stranger.deliveries(id_), stranger.attempts(id_, event), stranger.resend(id_, event),
            stranger.rotate(id_, HookId(hall.ids.hex())),
            stranger.resend_parked(id_, hall.world.clock.now()),
        ):  # fmt: skip
            with pytest.raises(NoSuchHook):
                await wanted
        await stranger.remove(id_)
    assert {s.state for s in await hall.hooks.subscriptions()} == {"active"}
    for id_ in (own.id, staffs):
        await hall.hooks.pause(id_)
        with pytest.raises(NoSuchHook):
            await theirs.resume(id_)
    assert {s.state for s in await hall.hooks.subscriptions()} == {"paused"}
    assert await hall.owner.fetchval("select count(*) from hook_secret") == 2
    assert {s.id for s in await hall.hooks.subscriptions()} == {own.id, staffs}


async def begun_for(hall: HookHall, client: str) -> str:
    """A payment that a client asked for over the API, or that its payer dialled."""
    payment_id = await hall.begun()
    row = await hall.owner.fetchrow(
        "select facts from journal where payment = $1 and version = 1", payment_id
    )
    terms = msgspec.structs.replace(read_terms(row["facts"]), client=client)
    await hall.owner.execute(
        "update journal set facts = $2 where payment = $1 and version = 1", payment_id, write(terms)
    )
    return payment_id


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_a_clients_events_are_found_by_their_index_among_everybodys(
    hall: HookHall, mode: str
) -> None:
    ours, last = "1" * 32, "f" * 32
    await hall.owner.execute(
        "insert into hook_event (id, tenant, payment, sequence, client, kind, state, terms, at_ms)"
        " select lpad(to_hex(n), 32, '0')::uuid, 1, gen_random_uuid(), 1,"
        " case when n <= 3 then $1::uuid when n % 2 = 0 then gen_random_uuid() end,"
        " 'payment.created', 1, 1, n from generate_series(1, 3000) n",
        ours,
    )
    await hall.owner.execute("analyze hook_event")
    own = hall.hooks.of_client(ours)
    newest = await own.events(most=2)
    assert [int(e.id, 16) for e in newest] == [3, 2]
    assert [int(e.id, 16) for e in await own.events(before=newest[-1].id)] == [1]
    assert len(await hall.hooks.events(most=100)) == 100, "staff see everybody's"
    async with hall.world.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"set local plan_cache_mode = {mode}")
        await connection.execute(f"prepare own(int, uuid, bigint, uuid) as {_EVENTS_OF_CLIENT}")
        plan = await connection.fetch(f"explain execute own(1, '{last}', 20, '{ours}')")
        await connection.execute("deallocate own")
    assert "hook_event_of_client" in "\n".join(row[0] for row in plan)
