"""Liquidity that clients set aside: exact under concurrency, drawn on by payments, given back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg
import httpx
import pytest

from channels.api import pace
from channels.office import build_office
from channels.watching.figures import Figures
from engine.errors import NoWayNow, OurFault, StaffMistake
from engine.ledger.books import Books
from engine.ledger.chart import Account, Kind
from engine.ledger.corrections import adjustment, read_row, reversal
from engine.ledger.entries import Manual
from engine.money import Money
from engine.payments.lifecycle import State
from engine.payments.reservation_store import NotReserved, Reservation, ReservationStore
from engine.payments.reservations import OPEN_MOST, ReservationRules, Reservations, Undrawable
from tests.integration.client_room import PRICE, ClientRoom, open_client_room
from tests.integration.doom import Died, Doom, Doomed
from tests.integration.offices import agrees
from tests.integration.owner import Owner
from tests.integration.world import FAILED

HOUR = 3600
SHARE: dict[str, Any] = {"CAPP_RESERVATION_PERCENT": "100"}
SHOP = "0" * 31 + "1"


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[ClientRoom]:
    async with open_client_room(seeded_url, **SHARE) as opened:
        yield opened


async def minor_in(room: ClientRoom, kind: Kind) -> int:
    """What all accounts of a kind hold, in shillings."""
    lines = await Books(room.world.pool, 1, {}).trial_balance()
    return sum(
        line.minor for line in lines if line.currency == "UGX" and line.name.startswith(kind.name)
    )


async def pool_of(room: ClientRoom) -> tuple[int, int, int]:
    """Free, reserved, held."""
    kinds = (Kind.POOL_AVAIL, Kind.POOL_RESERVED, Kind.POOL_HELD)
    free, reserved, held = [await minor_in(room, kind) for kind in kinds]
    return free, reserved, held


async def nothing_is_wrong(room: ClientRoom) -> None:
    """The books add up, and the auditor finds nothing."""
    world = room.world
    assert await Books(world.pool, 1, {}).is_balanced()
    report = await room.engine.office.auditor.audit_all()
    assert report.findings == ()


async def reserve(room: ClientRoom, minor: int, **options: Any) -> httpx.Response:
    minutes = options.pop("minutes", 60)
    body = {"amount": {"minor": minor, "currency": "UGX"}, "minutes": minutes}
    return await room.post("/liquidity/reserve", body, **options)


async def reserved(room: ClientRoom, minor: int, **options: Any) -> str:
    answer = await reserve(room, minor, **options)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def left_in(room: ClientRoom, reservation_id: str) -> tuple[str, int]:
    answer = await room.get(f"/liquidity/reservations/{reservation_id}")
    return answer.json()["state"], answer.json()["left"]["minor"]


def said(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["code"], body.get("reason", "")


async def price_minor(room: ClientRoom) -> int:
    """What one payment of `PRICE` holds."""
    before = await minor_in(room, Kind.POOL_HELD)
    await room.send()
    return await minor_in(room, Kind.POOL_HELD) - before


def rooms_of(
    room: ClientRoom, pool: Any = None, committer: Any = None, percent_max: int = 100
) -> Reservations:
    """As another process has them."""
    return Reservations(
        tenant=1, store=ReservationStore(pool or room.world.pool, 1),
        committer=committer or room.world.committer, clock=room.world.clock,
        rules=ReservationRules(minutes_max=1440, percent_max=percent_max),
    )  # fmt: skip


async def test_what_is_reserved_leaves_the_free_pool_and_comes_back(room: ClientRoom) -> None:
    free, none, held = await pool_of(room)
    id_ = await reserved(room, 10_000)
    assert (none, await pool_of(room)) == (0, (free - 10_000, 10_000, held))
    assert await left_in(room, id_) == ("open", 10_000)
    pool = (await room.get("/liquidity/pools/UGX")).json()
    assert pool["available"]["minor"] == free - 10_000
    await nothing_is_wrong(room)
    answer = await room.post(f"/liquidity/reservations/{id_}/release")
    assert (answer.status_code, answer.json()["state"]) == (200, "released")
    assert (await pool_of(room), await left_in(room, id_)) == ((free, 0, held), ("released", 0))
    again = await room.post(f"/liquidity/reservations/{id_}/release")
    assert again.json() == answer.json()
    assert await pool_of(room) == (free, 0, held)
    await nothing_is_wrong(room)


async def test_the_same_request_reserves_once_and_is_answered_byte_for_byte(
    room: ClientRoom,
) -> None:
    first = await reserve(room, 10_000, key="reserve-0001")
    again = await reserve(room, 10_000, key="reserve-0001")
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    assert said(await reserve(room, 20_000, key="reserve-0001")) == (422, "key_reused", "")
    assert await minor_in(room, Kind.POOL_RESERVED) == 10_000


async def test_an_idempotency_key_is_the_clients_own_whatever_api_key_it_comes_under(
    room: ClientRoom,
) -> None:
    mine = await reserve(room, 10_000, key="reserve-0001")
    theirs = await reserve(room, 10_000, key="reserve-0001", who="other")
    assert (theirs.status_code, "idempotency-replayed" in theirs.headers) == (201, False)
    assert theirs.json()["id"] != mine.json()["id"]
    _, room.texts["shop"] = await room.keys.rotate(room.id_of("shop"))
    again = await reserve(room, 10_000, key="reserve-0001")
    assert (again.content, again.headers["idempotency-replayed"]) == (mine.content, "true")
    assert await minor_in(room, Kind.POOL_RESERVED) == 20_000


async def test_a_payment_draws_its_hold_and_leaves_the_rest(room: ClientRoom) -> None:
    needed = await price_minor(room)
    id_ = await reserved(room, 2 * needed + 5)
    free, _, held = await pool_of(room)
    sent = await room.post("/payments/send", PRICE | {"reservation": id_}, key="order-0001")
    assert sent.status_code == 201, sent.text
    assert await pool_of(room) == (free, needed + 5, held + needed)
    again = await room.post("/payments/send", PRICE | {"reservation": id_}, key="order-0001")
    assert (again.content, await left_in(room, id_)) == (sent.content, ("open", needed + 5))
    other = await room.post("/payments/send", PRICE, key="order-0001")
    assert said(other)[:2] == (422, "key_reused")
    await room.engine.dispatcher.idle()
    await nothing_is_wrong(room)
    await room.tell(sent.json()["id"])
    await room.tell(sent.json()["id"])
    assert await room.state(sent.json()["id"]) is State.PAID
    assert await pool_of(room) == (free, needed + 5, held)
    await nothing_is_wrong(room)


async def test_a_quote_draws_on_a_reservation_too(room: ClientRoom) -> None:
    needed = await price_minor(room)
    id_ = await reserved(room, needed)
    quote = (await room.post("/quotes", PRICE)).json()["id"]
    answer = await room.post("/payments/send", {"quote": quote, "reservation": id_})
    assert answer.status_code == 201, answer.text
    assert await left_in(room, id_) == ("open", 0)


async def test_a_reservation_serves_its_client_when_the_pool_is_empty(room: ClientRoom) -> None:
    needed = await price_minor(room)
    free, _, _ = await pool_of(room)
    id_ = await reserved(room, free)
    await room.engine.pools.refresh()
    assert said(await room.post("/payments/send", PRICE))[:2] == (409, "not_now")
    answer = await room.post("/payments/send", PRICE | {"reservation": id_})
    assert answer.status_code == 201, answer.text
    assert await left_in(room, id_) == ("open", free - needed)


async def test_nobody_is_told_that_a_reservation_is_small_for_another_reason(
    room: ClientRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool that went empty after a price was promised fills again; a refusal has its own word."""
    quoted = {"quote": (await room.post("/quotes", PRICE)).json()["id"]}
    free, _, _ = await pool_of(room)
    id_ = await reserved(room, free)
    answer = await room.post("/payments/send", quoted, key="send-0001")
    assert said(answer) == (409, "not_now", "float")

    async def refuse(*_: object, **__: object) -> None:
        raise NoWayNow("no_way.refused")

    with monkeypatch.context() as refusing:
        refusing.setattr(room.engine.payments.confirming._policy, "clear", refuse)
        answer = await room.post("/payments/send", PRICE | {"reservation": id_})
    assert said(answer) == (409, "not_now", "refused")
    await room.post(f"/liquidity/reservations/{id_}/release")
    assert (await room.post("/payments/send", quoted, key="send-0001")).status_code == 201


async def test_who_has_set_liquidity_aside_is_quoted_and_checked_by_that(room: ClientRoom) -> None:
    needed = await price_minor(room)
    free, _, _ = await pool_of(room)
    small = await reserved(room, needed - 1)
    id_ = await reserved(room, free - (needed - 1))
    await room.engine.pools.refresh()
    assert said(await room.post("/quotes", PRICE))[:2] == (409, "not_now")
    check = (await room.post("/payments/check", PRICE)).json()
    assert (check["would_succeed"], check["reason"], check["has_liquidity"]) == (
        False, "float", False,
    )  # fmt: skip
    drawing = PRICE | {"reservation": id_}
    check = (await room.post("/payments/check", drawing)).json()
    assert (check["would_succeed"], check["reason"], check["has_liquidity"]) == (True, "", True)
    quote = await room.post("/quotes", drawing, key="quote-0001")
    assert quote.status_code == 201, quote.text
    again = await room.post("/quotes", drawing, key="quote-0001")
    assert (again.content, again.headers["idempotency-replayed"]) == (quote.content, "true")
    assert said(await room.post("/quotes", PRICE, key="quote-0001"))[:2] == (422, "key_reused")
    sent = {"quote": quote.json()["id"], "reservation": id_}
    assert (await room.post("/payments/send", sent)).status_code == 201
    assert await left_in(room, id_) == ("open", free - (needed - 1) - needed)
    check = (await room.post("/payments/check", PRICE | {"reservation": small})).json()
    assert (check["would_succeed"], check["reason"], check["has_liquidity"]) == (
        False, "reservation_small", False,
    )  # fmt: skip
    await nothing_is_wrong(room)


async def test_a_reservation_of_exactly_what_a_payment_needs_is_enough(room: ClientRoom) -> None:
    drawing = PRICE | {"reservation": await reserved(room, await price_minor(room))}
    check = (await room.post("/payments/check", drawing)).json()
    assert (check["would_succeed"], check["reason"]) == (True, "")
    assert (await room.post("/payments/send", drawing)).status_code == 201


async def test_who_may_not_draw_is_not_quoted_either(room: ClientRoom) -> None:
    shillings, released = await reserved(room, 100_000), await reserved(room, 1_000)
    await room.post(f"/liquidity/reservations/{released}/release")
    cents = await room.post(
        "/liquidity/reserve", {"amount": {"minor": 100, "currency": "KES"}, "minutes": 5}
    )
    made = await room.made()
    for id_, who, told in (
        (shillings, "other", (404, "not_found", "")),
        ("f" * 32, "shop", (404, "not_found", "")),
        (released, "shop", (422, "not_possible", "reservation_over")),
        (cents.json()["id"], "shop", (422, "not_possible", "reservation_currency")),
    ):
        asked = PRICE | {"reservation": id_}
        assert said(await room.post("/quotes", asked, who=who)) == told
        check = await room.post("/payments/check", asked, who=who)
        assert check.json()["reason"] == (told[2] or told[1])
        assert not check.json()["would_succeed"]
    counted = await room.world.pool.fetchval("select count(*) from client_quote")
    assert (counted, await room.made() - made) == (0, 4)  # the answers of four checks


async def test_a_payment_that_came_to_nothing_gives_its_hold_to_the_pool(room: ClientRoom) -> None:
    needed = await price_minor(room)
    id_ = await reserved(room, needed)
    free, _, held = await pool_of(room)
    sent = await room.post("/payments/send", PRICE | {"reservation": id_})
    await room.engine.dispatcher.idle()
    await room.tell(sent.json()["id"], FAILED)
    assert await room.state(sent.json()["id"]) is State.COLLECT_FAILED
    assert await pool_of(room) == (free + needed, 0, held)
    await nothing_is_wrong(room)


async def test_a_reservation_is_never_overdrawn(room: ClientRoom) -> None:
    """Many at once: exactly as many as it covers, and nothing of the rest moves."""
    needed = await price_minor(room)
    id_ = await reserved(room, 3 * needed + needed // 2)
    free, _, held = await pool_of(room)
    answers = await asyncio.gather(
        *[room.post("/payments/send", PRICE | {"reservation": id_}) for _ in range(8)]
    )
    refused = [said(answer) for answer in answers if answer.status_code != 201]
    assert refused == [(422, "not_possible", "reservation_small")] * 5
    assert await pool_of(room) == (free, needed // 2, held + 3 * needed)
    await nothing_is_wrong(room)


async def test_who_may_not_draw_is_told_why_and_nothing_moves(room: ClientRoom) -> None:
    needed = await price_minor(room)
    shillings = await reserved(room, needed)
    released = await reserved(room, needed)
    await room.post(f"/liquidity/reservations/{released}/release")
    cents = await room.post(
        "/liquidity/reserve", {"amount": {"minor": 100, "currency": "KES"}, "minutes": 5}
    )
    before, taken_on = await pool_of(room), await room.made()

    async def drawn(id_: str, who: str = "shop") -> tuple[int, str, str]:
        return said(await room.post("/payments/send", PRICE | {"reservation": id_}, who=who))

    assert await drawn(shillings, who="other") == (404, "not_found", "")
    assert await drawn("f" * 32) == (404, "not_found", "")
    assert await drawn(released) == (422, "not_possible", "reservation_over")
    assert await drawn(cents.json()["id"]) == (422, "not_possible", "reservation_currency")
    room.world.clock.pass_(HOUR + 1)
    assert await drawn(shillings) == (422, "not_possible", "reservation_over")  # not swept yet
    assert (await pool_of(room), await room.made()) == (before, taken_on)


async def test_another_clients_reservation_is_not_found(room: ClientRoom) -> None:
    id_ = await reserved(room, 1_000)
    for id_asked in (id_, "f" * 32):
        shown = await room.get(f"/liquidity/reservations/{id_asked}", who="other")
        over = await room.post(f"/liquidity/reservations/{id_asked}/release", who="other")
        assert (said(shown), said(over)) == ((404, "not_found", ""),) * 2
    assert await left_in(room, id_) == ("open", 1_000)


async def test_what_is_not_drawn_comes_back_when_time_is_over(room: ClientRoom) -> None:
    needed = await price_minor(room)
    free, _, held = await pool_of(room)
    id_ = await reserved(room, 2 * needed, minutes=10)
    sent = await room.post("/payments/send", PRICE | {"reservation": id_})
    assert sent.status_code == 201, sent.text
    await room.engine.dispatcher.idle()
    sweep = room.engine.reservations.sweep
    room.world.clock.pass_(9 * 60)
    assert await sweep(10) == 0
    room.world.clock.pass_(61)
    assert sorted(await asyncio.gather(sweep(10), sweep(10)))[-1] == 1
    assert await left_in(room, id_) == ("expired", 0)
    assert await pool_of(room) == (free - needed, 0, held + needed)
    assert await sweep(10) == 0
    released = await room.post(f"/liquidity/reservations/{id_}/release")
    assert released.json()["state"] == "expired"
    await nothing_is_wrong(room)


async def test_a_reservation_that_cannot_be_ended_keeps_up_no_other(
    room: ClientRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes first with every sweep; what the others hold is wanted by everybody."""
    bad = await reserved(room, 1_000, minutes=5)
    good = await reserved(room, 1_000, minutes=6)
    room.world.clock.pass_(6 * 60)
    house = rooms_of(room)
    give_back = house._give_back

    async def give_back_but(reservation: Reservation, state: Manual) -> None:
        if reservation.id == bad:
            raise OurFault("a reservation cannot be ended: FROZEN")
        await give_back(reservation, state)

    monkeypatch.setattr(house, "_give_back", give_back_but)
    assert await house.sweep(10) == 1
    assert await left_in(room, good) == ("expired", 0)
    assert await left_in(room, bad) == ("open", 1_000)


async def test_no_reservation_stands_longer_than_the_house_lets_it(database_url: str) -> None:
    async with open_client_room(database_url, CAPP_RESERVATION_MINUTES="5") as room:
        id_ = await reserved(room, 1_000, minutes=600)
        room.world.clock.pass_(5 * 60)
        assert await room.engine.reservations.sweep(10) == 1
        assert await left_in(room, id_) == ("expired", 0)


async def test_a_client_has_its_share_of_a_pool_and_no_more(database_url: str) -> None:
    async with open_client_room(database_url, CAPP_RESERVATION_PERCENT="10") as room:
        free, _, _ = await pool_of(room)
        tenth = free // 10
        answers = await asyncio.gather(*[reserve(room, tenth // 4) for _ in range(8)])
        assert sorted(a.status_code for a in answers) == [201] * 4 + [409] * 4
        late = await reserve(room, tenth // 4, key="late-0001")
        assert said(late) == (409, "not_now", "reservation_share")
        assert "more than 10 % of what the pool" in late.json()["detail"]
        assert (await reserve(room, tenth // 4, who="other")).status_code == 201
        ours = next(a for a in answers if a.status_code == 201).json()["id"]
        await room.post(f"/liquidity/reservations/{ours}/release")
        # What could not be done took no key.
        assert (await reserve(room, tenth // 4, key="late-0001")).status_code == 201


async def test_a_client_has_so_many_open_and_no_more(room: ClientRoom) -> None:
    """All are added up for each one more: with thousands nobody else would be heard."""
    shop = await room.world.pool.fetchval("select id from client where name = 'shop'")
    house = rooms_of(room)
    found = await asyncio.gather(
        *[
            house.reserve(
                reservation_id=room.engine.ids.hex(), client=shop.hex, amount=Money(1, "UGX"),
                minutes=60,
            )
            for _ in range(OPEN_MOST + 3)
        ]
    )  # fmt: skip
    taken = [each for each in found if isinstance(each, Reservation)]
    assert (len(taken), found.count(NotReserved.MANY)) == (OPEN_MOST, 3)
    late = await reserve(room, 1, key="late-0001")
    assert said(late) == (409, "not_now", "reservations_open")
    assert f"you have {OPEN_MOST} open ones" in late.json()["detail"]
    assert (await reserve(room, 1, who="other")).status_code == 201
    await room.post(f"/liquidity/reservations/{taken[0].id}/release")
    assert (await reserve(room, 1, key="late-0001")).status_code == 201


async def test_no_client_uses_up_the_numbers_of_all(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number is never used again, also of what was released at once."""
    monkeypatch.setattr(pace, "RESERVATIONS_MOST", 3)
    async with open_client_room(database_url, **SHARE) as room:
        for _ in range(3):
            id_ = await reserved(room, 1)
            await room.post(f"/liquidity/reservations/{id_}/release")
        late = await reserve(room, 1)
        assert said(late) == (409, "not_now", "reservations_day")
        assert 0 < int(late.headers["retry-after"]) <= 24 * HOUR
        assert (await reserve(room, 1, who="other")).status_code == 201
        numbers = await room.world.pool.fetchval("select count(*) from liquidity_reservation")
        assert numbers == 4


async def test_who_waits_to_reserve_leaves_the_others_their_connections(
    room: ClientRoom, database_url: str
) -> None:
    """Turns are taken for each pool; eight who wait for theirs would be all that a process has."""
    other = await asyncpg.connect(database_url)
    first = Account(1, "UGX", Kind.POOL_RESERVED).number
    await other.execute("select pg_advisory_lock($1)", first)
    waiting = [asyncio.create_task(reserve(room, 1)) for _ in range(20)]
    await asyncio.sleep(1)
    assert not any(task.done() for task in waiting)
    async with asyncio.timeout(120):
        assert (await room.post("/payments/send", PRICE, who="other")).status_code == 201
    await other.close()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {201}
    await room.engine.dispatcher.idle()


@pytest.mark.long("a thousand at once; quick: a reservation is never overdrawn")
async def test_a_thousand_at_once_reserve_exactly_what_the_pool_covers(room: ClientRoom) -> None:
    """Every client may have all of it, so only the books say no."""
    free, _, _ = await pool_of(room)
    each = free // 300
    house = rooms_of(room, percent_max=1_000_000)
    ids = [room.engine.ids.hex() for _ in range(1_000)]
    found = await asyncio.gather(
        *[
            house.reserve(
                reservation_id=id_, client=f"{n % 20:032x}", amount=Money(each, "UGX"), minutes=9
            )
            for n, id_ in enumerate(ids)
        ]
    )
    taken = [f for f in found if isinstance(f, Reservation)]
    assert len(taken) == free // each
    assert len({f.account for f in taken}) == len(taken)
    assert {f for f in found if not isinstance(f, Reservation)} == {NotReserved.POOL}
    assert await minor_in(room, Kind.POOL_AVAIL) == free - each * len(taken)
    open_ = "select count(*) from liquidity_reservation where ended_ms is null"
    assert await room.world.pool.fetchval(open_) == len(taken)
    await nothing_is_wrong(room)


async def test_released_while_payments_draw_nothing_is_lost(room: ClientRoom) -> None:
    needed = await price_minor(room)
    free, _, held = await pool_of(room)
    for _ in range(4):
        id_ = await reserved(room, 4 * needed)
        answers = await asyncio.gather(
            *[room.post("/payments/send", PRICE | {"reservation": id_}) for _ in range(3)],
            room.post(f"/liquidity/reservations/{id_}/release"),
            room.post("/payments/send", PRICE | {"reservation": id_}),
        )
        drawn = sum(answer.status_code == 201 for answer in answers)
        assert await left_in(room, id_) == ("released", 0)
        assert await pool_of(room) == (free - drawn * needed, 0, held + drawn * needed)
        free, _, held = await pool_of(room)
    await nothing_is_wrong(room)


class DoomedCommitter:
    """Dies before a plan is handed over, or when its answer would be heard."""

    def __init__(self, room: ClientRoom, doom: Doom) -> None:
        self._committer, self._doom = room.world.committer, doom

    async def submit_until_known(self, plan: Any, **how: Any) -> Any:
        self._doom.step()
        answer = await self._committer.submit_until_known(plan, **how)
        self._doom.step()
        return answer


@pytest.mark.long("a death at every step")
@pytest.mark.parametrize("percent", [100, 1_000_000])
async def test_whichever_step_a_process_dies_before_money_is_reserved_once_or_not_at_all(
    room: ClientRoom, percent: int
) -> None:
    """Also where the pool refuses: reserve, release and expire all go on where they were."""
    free, _, held = await pool_of(room)
    minor = 5_000 if percent == 100 else free + 1
    died = 0
    for at in range(1, 60):
        doom, id_ = Doom(at), room.engine.ids.hex()
        pool, committer = Doomed(room.world.pool, doom), DoomedCommitter(room, doom)
        dying = rooms_of(room, pool, committer, percent)

        async def live(house: Reservations, id_: str = id_) -> Any:
            found = await house.reserve(
                reservation_id=id_, client=SHOP, amount=Money(minor, "UGX"), minutes=10
            )
            return found if isinstance(found, NotReserved) else await house.release(SHOP, id_)

        with suppress(Died):
            await live(dying)
        died += doom.has_come
        if at % 2:  # asked again
            found = await live(rooms_of(room, percent_max=percent))
            if percent == 100:
                assert isinstance(found, Reservation)
                assert found.state is Manual.RESERVATION_RELEASED
            else:
                assert found is NotReserved.POOL
        else:  # or never heard of again
            room.world.clock.pass_(601)
            await rooms_of(room).sweep(100)
        assert await pool_of(room) == (free, 0, held), at
        assert not await ReservationStore(room.world.pool, 1).over(2**62, 10), at
        if not doom.has_come:
            break
    else:
        pytest.fail("it never came to its end")
    assert died > 5
    await nothing_is_wrong(room)


@pytest.mark.parametrize("is_swept", [True, False])
async def test_a_reservation_nobody_booked_in_time_is_never_booked(
    room: ClientRoom, is_swept: bool
) -> None:
    id_ = room.engine.ids.hex()
    now = int(room.world.clock.epoch() * 1000)
    asked = Reservation(id_, SHOP, 0, Money(7, "UGX"), now, now + 60_000, None, Money(7, "UGX"))
    store = ReservationStore(room.world.pool, 1)
    assert await store.ask(asked, percent_max=100, open_most=OPEN_MOST) is None
    room.world.clock.pass_(60)
    if is_swept:
        assert await room.engine.reservations.sweep(10) == 1
    house = rooms_of(room)
    found = await house.reserve(reservation_id=id_, client=SHOP, amount=Money(7, "UGX"), minutes=60)
    assert found is NotReserved.POOL
    assert await house.find(SHOP, id_) is None
    assert await house.to_draw_on(SHOP, id_, "UGX") is Undrawable.NOT_THEIRS
    assert await minor_in(room, Kind.POOL_RESERVED) == 0


async def test_people_see_what_is_reserved_and_correct_nothing_of_it(room: ClientRoom) -> None:
    id_ = await reserved(room, 10_000)
    office = build_office(
        tenant=1, pool=room.world.pool, committer=room.world.committer,
        operators=room.engine.directory.by_name, clock=room.world.clock, ids=room.engine.ids,
        ahead=agrees,
    )  # fmt: skip
    (shillings,) = [p for p in await office.liquidity.status() if p.currency == "UGX"]
    assert shillings.reserved_minor == 10_000
    assert "POOL_RESERVED 1" in {line.name for line in await office.books.trial_balance()}
    row = await read_row(room.world.pool, 1, id_, 1)
    with pytest.raises(StaffMistake, match="released or expires"):
        reversal(row)
    account = Account(1, "UGX", Kind.POOL_RESERVED, 1)
    with pytest.raises(StaffMistake, match="released or expires"):
        adjustment(account, Account(1, "UGX", Kind.POOL_AVAIL), 1, about="")
    await room.post(f"/liquidity/reservations/{id_}/release")
    assert "POOL_RESERVED 1" not in {line.name for line in await office.books.trial_balance()}


async def test_metrics_tell_all_that_is_reserved_in_one_figure(room: ClientRoom) -> None:
    await reserved(room, 1_000)
    await reserved(room, 2_000, who="other")
    figures = Figures(room.world.pool, 1, {}, room.world.clock)
    await figures.refresh()
    (family,) = [f for f in figures.collect() if f.name == "capp_account_minor"]
    told = [s.value for s in family.samples if s.labels["kind"] == "POOL_RESERVED"]
    assert told == [3_000]


async def test_the_database_bears_no_reservation_on_anothers_account(room: ClientRoom) -> None:
    await reserved(room, 1_000)
    owner = Owner(room.world.pool)
    with pytest.raises(Exception, match="account_is_its_own"):
        await owner.execute("update liquidity_reservation set account = account + (1 << 24)")
    with pytest.raises(Exception, match="never_below_zero"):
        account = Account(1, "UGX", Kind.POOL_RESERVED, 1).number
        await owner.execute("update balance set amount = -1 where id = $1", account)
