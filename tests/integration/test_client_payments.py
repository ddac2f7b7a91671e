"""What clients do over the API: prices, payments, what becomes of them; and that twice is once."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from channels.api import serving
from channels.api.asking import hash_as_sent
from channels.api.v1 import PREFIX
from channels.times import iso_millis_of
from channels.web.limits import Limits
from engine.clients.clients import Scope
from engine.clock import AttemptId
from engine.desk.proposals import Kind, Person
from engine.errors import NoWayNow, OutcomeUnknown
from engine.gather import BUSY_SECONDS
from engine.ledger.chart import Account
from engine.ledger.chart import Kind as AccountKind
from engine.msisdn import Msisdn
from engine.payments.client_store import ClientPayments
from engine.payments.evidence import Source
from engine.payments.facts import Ruling
from engine.payments.health import Told
from engine.payments.lifecycle import State
from engine.payments.store import PaymentStore
from engine.ports import Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.client_room import PRICE, ClientRoom, client_room_of, open_client_room
from tests.integration.locks import somebody_waits
from tests.integration.owner import Owner
from tests.integration.staff_room import RedisAway
from tests.integration.world import FAILED, SUCCEEDED, open_world
from tests.leap import leap
from tests.unit.payments.examples import MPESA, PAYEE, PAYER
from tests.until import until


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[ClientRoom]:
    async with open_client_room(seeded_url) as opened:
        yield opened


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


# The whole way.


async def test_a_payment_from_a_quote_comes_to_its_end_and_the_books_balance(
    room: ClientRoom,
) -> None:
    quote = (await room.post("/quotes", PRICE)).json()
    assert quote["total"]["minor"] == quote["amount"]["minor"] + quote["fee"]["minor"]
    sent = await room.post("/payments/send", {"quote": quote["id"]})
    made = sent.json()
    assert sent.status_code == 201
    assert {name: made[name] for name in ("quote", "receives", "fee", "rate")} == {
        "quote": quote["id"], "receives": quote["receives"], "fee": quote["fee"],
        "rate": quote["rate"],
    }  # fmt: skip
    await room.engine.dispatcher.idle()
    (order,) = room.world.mpesa.orders  # the payer is asked by their operator, and by nobody else
    assert (order.msisdn, order.amount.minor) == (PAYER, quote["total"]["minor"])
    path = f"/payments/{made['id']}/status"
    assert (await room.get(path)).json()["outcome"] == "under_way"
    await room.tell(made["id"])
    await room.tell(made["id"])
    status = (await room.get(path)).json()
    assert (status["state"], status["outcome"]) == ("paid", "paid")
    assert (status["payer"], status["payee"], status["user"]) == (
        PAYER, PAYEE, room.payer.customer_id,
    )  # fmt: skip
    (payout,) = room.world.mtn.orders
    assert (payout.msisdn, payout.amount.minor) == (PAYEE, quote["receives"]["minor"])
    await assert_books(room.world.pool)


async def test_a_payment_that_its_payer_declines_takes_nothing(room: ClientRoom) -> None:
    payment_id = await room.send()
    await room.tell(payment_id, FAILED)
    status = (await room.get(f"/payments/{payment_id}/status")).json()
    assert (status["state"], status["outcome"]) == ("collect_failed", "not_taken")
    assert (status["reason"], status["reason_text"]) == ("declined", "reason.declined")
    await assert_books(room.world.pool)


async def test_a_price_says_what_comes_back_if_it_cannot_be_paid_out_and_that_comes_back(
    room: ClientRoom,
) -> None:
    quote, status = await room.given_back()
    assert quote["refund"] == quote["total"]  # the fee as well
    assert (status["outcome"], status["given_back"]) == ("refunded", quote["refund"])


async def test_a_status_says_when_it_came_to_that_and_what_its_payer_has_back(
    room: ClientRoom,
) -> None:
    """With it each wage is reconciled: what was taken, what arrived, what came back, and when."""
    paid, refunded = await room.send(), await room.send()
    await room.tell(paid)
    room.world.clock.pass_(60)
    await room.tell(paid)
    ended_ms = int(room.world.clock.epoch() * 1000)
    for finding in (SUCCEEDED, FAILED, SUCCEEDED):  # collected, not paid out, returned
        await room.tell(refunded, finding)
    room.world.clock.pass_(3600)
    first = (await room.get(f"/payments/{paid}/status")).json()
    second = (await room.get(f"/payments/{refunded}/status")).json()
    assert (first["outcome"], first["given_back"]) == ("paid", None)
    assert first["changed_at"] == iso_millis_of(ended_ms) > first["made_at"]
    assert (second["outcome"], second["given_back"]) == ("refunded", second["total"])
    assert (first["reason"], first["reason_text"]) == (None, None)
    assert second["reason"] == FAILED.reason
    listed = (await room.get("/payments")).json()["payments"]
    assert listed == [second, first]
    assert (await room.get(f"/users/{first['user']}/payments")).json()["payments"] == listed


async def test_unknown_is_under_way_and_no_failure(room: ClientRoom) -> None:
    room.world.mpesa.answers.append(OutcomeUnknown("mpesa_ke", "silence"))
    payment_id = await room.send()
    status = (await room.get(f"/payments/{payment_id}/status")).json()
    assert (status["state"], status["outcome"]) == ("collect_unknown", "under_way")


# Who may be asked for money.


async def test_nobody_is_asked_who_is_no_customer(room: ClientRoom) -> None:
    stranger = PRICE | {"payer": "+254712999999"}
    for path in ("/quotes", "/payments/send"):
        assert code(await room.post(path, stranger)) == (422, "not_a_customer")
    check = (await room.post("/payments/check", stranger)).json()
    assert (check["would_succeed"], check["reason"]) == (False, "not_a_customer")
    assert room.world.mpesa.orders == []


async def test_nobody_is_charged_for_a_client_whose_operator_asks_them_nothing(
    database_url: str,
) -> None:
    silent = msgspec.structs.replace(MPESA, prompts_payer=False)
    async with (
        open_world(database_url, payer=silent) as world,
        client_room_of(world, database_url, {}) as room,
    ):
        for path in ("/quotes", "/payments/send"):
            answer = await room.post(path, PRICE)
            assert (code(answer), reason(answer)) == ((422, "not_possible"), (422, "dial_instead"))
        check = (await room.post("/payments/check", PRICE)).json()
        assert (check["would_succeed"], check["reason"]) == (False, "dial_instead")
        # A price of before, when they were still asked, is confirmed by nobody but who dials.
        quote = await room.world.quote()
        with pytest.raises(NoWayNow) as caught:
            await room.world.payments.confirming.confirm(payer=room.payer, quote=quote, key="k")
        assert caught.value.text_key == "session.dial_instead"
        await room.engine.dispatcher.idle()
        assert room.world.mpesa.orders == []
        confirming = room.world.payments.confirming
        done = await confirming.confirm(payer=room.payer, quote=quote, key="k", by_pin=True)
        assert (done.prompted, done.by_link) == (False, False)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"payee": str(PAYER)}, "own_number"),
    ({"amount": {"minor": 100_050, "currency": "KES"}}, "amount_whole"),
    ({"amount": {"minor": 5_000, "currency": "KES"}}, "amount_min"),
    ({"amount": {"minor": 10**9, "currency": "KES"}}, "limit_payment"),
    ({"payee": "+256414000000"}, "not_mobile"),
    ({"payee": "+99999999999"}, "number"),
    ({"payer": "+2540712000001"}, "number"),  # of two spellings one is E.164
]


async def test_what_cannot_be_paid_says_which_rule_it_was(room: ClientRoom) -> None:
    for change, why in MISTAKES:
        for path in ("/quotes", "/payments/send"):
            answer = await room.post(path, PRICE | change)
            assert reason(answer) == (422, why)
            assert answer.json()["code"] == "not_possible"
        check = (await room.post("/payments/check", PRICE | change)).json()
        assert (check["would_succeed"], check["reason"]) == (False, why)
    assert await room.made() == len(MISTAKES)  # the checks' answers, and nothing else


async def test_what_no_waiting_mends_is_never_asked_for_again(room: ClientRoom) -> None:
    """It was `not_now`: a program that does as it is told sent it again for ever."""
    wrong = PRICE | {"amount": {"minor": 100_000, "currency": "UGX"}}
    at_home = PRICE | {"payee": "+254712000009"}  # nobody opened that corridor
    for price in (wrong, at_home):
        for path in ("/quotes", "/payments/send"):
            answer = await room.post(path, price)
            assert (code(answer), reason(answer)) == ((422, "not_possible"), (422, "corridor"))
            assert "corridor" in answer.json()["detail"]
        assert (await room.post("/payments/check", price)).json()["reason"] == "corridor"


async def test_a_refusal_says_which_of_two_it_is_about(room: ClientRoom) -> None:
    nowhere = "+99999999999"
    for field in ("payer", "payee"):
        answer = await room.post("/quotes", PRICE | {field: nowhere})
        assert (reason(answer), answer.json()["detail"]) == ((422, "number"), f"`{field}`")
    unknown = {"quote": "0" * 32, "reservation": "1" * 32}
    assert "`quote`" in (await room.post("/payments/send", unknown)).json()["detail"]
    drawing = PRICE | {"reservation": "1" * 32}
    assert "`reservation`" in (await room.post("/payments/send", drawing)).json()["detail"]


async def test_what_cannot_be_done_now_is_no_mistake_and_takes_no_key(room: ClientRoom) -> None:
    room.world.clock.pass_(8 * 24 * 3600)
    stale = await room.post("/payments/send", PRICE, key="same-key-1")
    assert (code(stale), reason(stale)) == ((409, "not_now"), (409, "busy"))
    assert code(await room.get("/exchange-rates/KES/UGX")) == (409, "not_now")
    room.world.clock.start_over()
    assert (await room.post("/payments/send", PRICE, key="same-key-1")).status_code == 201


async def test_the_limits_of_the_payer_hold_for_clients_too(room: ClientRoom) -> None:
    """What is dialled and what clients ask for count together, whoever asks."""
    said = None
    for n in range(40):
        body = PRICE | {"amount": {"minor": 1_000_000, "currency": "KES"}}
        answer = await room.post("/payments/send", body, who=("shop", "other")[n % 2])
        if answer.status_code != 201:
            said = reason(answer)
            break
    assert said == (422, "limit_day")
    check = (await room.post("/payments/check", body)).json()
    assert (check["reason"], check["is_within_limits"]) == ("limit_day", False)


async def test_a_check_and_a_payment_agree_about_the_last_unit_of_a_limit(
    room: ClientRoom,
) -> None:
    most = (await room.engine.counter.limits_of(room.payer, "KES")).payment
    for minor, told in ((most.minor, ""), (most.minor + 100, "limit_payment")):
        body = PRICE | {"amount": {"minor": minor, "currency": "KES"}}
        assert (await room.post("/payments/check", body)).json()["reason"] == told
        sent = await room.post("/payments/send", body)
        assert (sent.json().get("reason", ""), sent.status_code == 201) == (told, not told)


# Quotes.


async def test_a_quote_is_its_clients_own_and_taken_once(room: ClientRoom) -> None:
    quote_id = (await room.post("/quotes", PRICE)).json()["id"]
    taken = {"quote": quote_id}
    assert code(await room.get(f"/quotes/{quote_id}", who="other")) == (404, "not_found")
    assert code(await room.post("/payments/send", taken, who="other")) == (404, "not_found")
    answers = await asyncio.gather(
        *[room.post("/payments/send", taken, key=f"taker-{n:04d}") for n in range(6)]
    )
    assert sorted(a.status_code for a in answers) == [201] + [409] * 5
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"quote_taken"}
    assert (await room.get(f"/quotes/{quote_id}")).json()["id"] == quote_id
    paid = "select count(*) from payment where customer is not null"
    assert await room.world.pool.fetchval(paid) == 1


async def test_a_quote_that_is_over_takes_no_money(room: ClientRoom) -> None:
    quote_id = (await room.post("/quotes", PRICE)).json()["id"]
    room.world.clock.pass_(121)
    answer = await room.post("/payments/send", {"quote": quote_id})
    assert reason(answer) == (422, "quote_expired")
    assert room.world.mpesa.orders == []


async def test_a_quote_under_the_same_key_is_the_same_also_when_the_rate_moved(
    room: ClientRoom,
) -> None:
    first = await room.post("/quotes", PRICE, key="quote-0001")
    await Owner(room.world.pool).execute("update fx_rate set mid = mid * 2")
    await room.engine.rates.refresh(room.world.pool)
    again = await room.post("/quotes", PRICE, key="quote-0001")
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    other = PRICE | {"amount": {"minor": 200_000, "currency": "KES"}}
    assert code(await room.post("/quotes", other, key="quote-0001")) == (422, "key_reused")
    many = await asyncio.gather(*[room.post("/quotes", PRICE, key="quote-0002") for _ in range(8)])
    assert len({a.content for a in many}) == 1
    assert {a.status_code for a in many} == {201}


async def test_the_key_of_a_quote_is_its_clients_own(room: ClientRoom) -> None:
    """The same key and the same words are another client's other quote."""
    first = await room.post("/quotes", PRICE, key="quote-0001")
    theirs = await room.post("/quotes", PRICE, key="quote-0001", who="other")
    assert (first.status_code, theirs.status_code) == (201, 201)
    assert "idempotency-replayed" not in theirs.headers
    assert theirs.json()["id"] != first.json()["id"]
    again = await room.post("/quotes", PRICE, key="quote-0001")
    assert again.content == first.content


async def test_quotes_and_answers_are_forgotten_after_a_week(room: ClientRoom) -> None:
    async def others_ask() -> None:
        now_ms = int(room.world.clock.epoch() * 1000)
        rates = "update fx_rate set at_ms = $1, accepted_ms = $1"
        await Owner(room.world.pool).execute(rates, now_ms)
        await room.engine.rates.refresh(room.world.pool)
        assert (await room.post("/quotes", PRICE)).status_code == 201
        assert (await room.post("/payments/check", PRICE)).status_code == 200

    first = await room.post("/quotes", PRICE, key="quote-0001")
    check = await room.post("/payments/check", PRICE, key="check-0001")
    quote_id = first.json()["id"]
    room.world.clock.pass_(7 * 24 * 3600 - 60)
    await others_ask()
    assert (await room.get(f"/quotes/{quote_id}")).json() == first.json()
    for path, answer, key in (
        ("/quotes", first, "quote-0001"),
        ("/payments/check", check, "check-0001"),
    ):
        again = await room.post(path, PRICE, key=key)
        assert (again.content, again.headers["idempotency-replayed"]) == (answer.content, "true")
    room.world.clock.pass_(60 + 121)
    await others_ask()
    assert code(await room.get(f"/quotes/{quote_id}")) == (404, "not_found")
    keys = "select key from client_quote union select key from client_request"
    assert {row["key"] for row in await room.world.pool.fetch(keys)}.isdisjoint(
        {"quote-0001", "check-0001"}
    )


# Twice is once.


async def test_the_same_key_is_answered_byte_for_byte_whatever_became_of_the_payment(
    room: ClientRoom,
) -> None:
    first = await room.post("/payments/send", PRICE, key="order-0001")
    assert "idempotency-replayed" not in first.headers
    await room.engine.dispatcher.idle()
    payment_id = first.json()["id"]
    await room.tell(payment_id)
    await room.tell(payment_id)
    room.world.clock.pass_(30 * 24 * 3600)  # rates are stale, and any week is over
    again = await room.post("/payments/send", PRICE, key="order-0001")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(room.world.mpesa.orders) == 1


async def test_another_body_under_a_key_is_a_conflict_and_moves_nothing(
    room: ClientRoom,
) -> None:
    await room.post("/payments/send", PRICE, key="order-0001")
    other = PRICE | {"amount": {"minor": 200_000, "currency": "KES"}}
    assert code(await room.post("/payments/send", other, key="order-0001")) == (422, "key_reused")
    # Keys are a client's own.
    assert (await room.post("/payments/send", PRICE, key="order-0001", who="other")).is_success
    paid = "select count(*) from payment where customer is not null"
    assert await room.world.pool.fetchval(paid) == 2


async def test_the_same_written_otherwise_is_the_same_request(room: ClientRoom) -> None:
    """Whoever died in between writes it anew: names in another order, blanks, nothing for {}."""
    turned = dict(reversed(PRICE.items()))
    payment_id = await room.send(key="order-0001")
    for path, body, other in (
        ("/payments/send", PRICE, turned),
        ("/quotes", PRICE, turned),
        ("/payments/check", PRICE, turned),
        (f"/payments/{payment_id}/cancel", None, {}),
    ):
        key = f"order{path.replace('/', '-')}"
        first = await room.post(path, body, key=key)
        again = await room.post(path, other, key=key)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["idempotency-replayed"] == "true"
    headers = {
        **room.headers("shop"), "idempotency-key": "order-0001",
        "content-type": "application/json",
    }  # fmt: skip
    spaced = msgspec.json.format(msgspec.json.encode(PRICE)).replace(b"payer", b"p\\u0061yer")
    again = await room.client.post(f"{PREFIX}/payments/send", content=spaced, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    made = "select count(*) from payment where customer is not null"
    assert await room.world.pool.fetchval(made) == 2  # of each key one
    await room.engine.dispatcher.idle()


async def test_a_payment_that_was_taken_on_by_earlier_code_is_heard_of_again(
    room: ClientRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the bytes were hashed: whoever repeats over our restart must not be told to pay anew."""
    with monkeypatch.context() as earlier:
        earlier.setattr(serving, "hash_of", hash_as_sent)
        first = await room.post("/payments/send", PRICE, key="order-0001")
    again = await room.post("/payments/send", PRICE, key="order-0001")
    assert (again.status_code, again.content) == (201, first.content)
    other = PRICE | {"amount": {"minor": 200_000, "currency": "KES"}}
    assert code(await room.post("/payments/send", other, key="order-0001")) == (422, "key_reused")


async def test_many_at_once_under_one_key_are_one_payment_and_one_answer(
    room: ClientRoom,
) -> None:
    answers = await asyncio.gather(
        *[room.post("/payments/send", PRICE, key="at-once-1") for _ in range(12)]
    )
    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert sum("idempotency-replayed" not in a.headers for a in answers) == 1
    await room.engine.dispatcher.idle()
    assert len(room.world.mpesa.orders) == 1


async def test_a_payment_waits_for_three_answers_before_its_commit(
    room: ClientRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API key; who pays whom with what the key stands for; what went before. Each together."""
    await room.send()  # whose key is known from now on
    waiting: list[asyncio.Future[None]] = []
    fetch, waits = room.engine.pool.fetch, 0

    async def held_back(statement: str, *arguments: Any) -> Any:
        if statement.startswith("update outbox"):  # the payer is asked: that is after the commit
            return await fetch(statement, *arguments)
        waiting.append(asyncio.get_running_loop().create_future())
        await waiting[-1]
        return await fetch(statement, *arguments)

    monkeypatch.setattr(room.engine.pool, "fetch", held_back)
    leap(BUSY_SECONDS)  # what was asked a moment ago would wait for others to ask with it
    sending = asyncio.create_task(room.post("/payments/send", PRICE))
    while not sending.done():
        for _ in range(50):  # whoever can ask now has asked then
            await asyncio.sleep(0)
        waits += bool(waiting)
        while waiting:
            waiting.pop().set_result(None)
    assert sending.result().status_code == 201
    assert waits == 3
    monkeypatch.undo()
    await room.engine.dispatcher.idle()


async def test_two_requests_at_once_under_one_key_are_one_payment_and_one_conflict(
    room: ClientRoom,
) -> None:
    other = PRICE | {"amount": {"minor": 200_000, "currency": "KES"}}
    answers = await asyncio.gather(
        *[room.post("/payments/send", body, key="at-once-2") for body in (PRICE, other)]
    )
    assert sorted(a.status_code for a in answers) == [201, 422]
    assert {a.json()["code"] for a in answers if a.status_code == 422} == {"key_reused"}


async def test_the_client_and_the_key_are_stored_in_the_commit_that_takes_the_payment_on(
    room: ClientRoom,
) -> None:
    """Nothing is written before or after it: a process that dies leaves all of it or none."""
    payment_id = await room.send(key="order-0001")
    client_id = (await room.store.key(room.id_of("shop"))).client.id  # type: ignore[union-attr]
    row = await room.world.pool.fetchrow(
        "select k.key, k.xmin = j.xmin as same, j.facts from payment_key k"
        " join journal j on j.payment = k.payment and j.version = 1 where k.payment = $1",
        payment_id,
    )
    assert row["key"] == f"client:{client_id}:order-0001"
    assert row["same"]
    assert msgspec.json.decode(row["facts"])[-1] == client_id
    assert await room.world.pool.fetchval("select count(*) from client_request") == 0


# What is a client's own.


async def test_a_payment_is_found_by_its_own_client_alone(room: ClientRoom) -> None:
    payment_id = await room.send()
    dialled = await room.world.confirm()
    for path, body in (
        ("/payments/{}/status", None), ("/payments/{}/cancel", {}),
        ("/payments/{}/refund", {"why": "because"}),
    ):  # fmt: skip
        for who, which in (("other", payment_id), ("shop", dialled), ("shop", "0" * 32)):
            place = path.format(which)
            answer = await (
                room.get(place, who) if body is None else room.post(place, body or None, who=who)
            )
            assert code(answer) == (404, "not_found")
    assert await room.state(payment_id) is State.COLLECTING


async def test_a_number_that_our_people_corrected_is_not_the_clients_to_see(
    room: ClientRoom,
) -> None:
    payment_id, other = await room.send(key="order-0001"), Msisdn("+256772000099")
    await room.tell(payment_id)
    paid_out = AttemptId((await room.payment(payment_id)).live or "")
    await room.tell(payment_id)
    undone = Finding(Outcome.REVERSED, "undone")
    await room.engine.payments.apply_finding(paid_out, undone, Source.QUERY, '"x"')
    assert await room.state(payment_id) is State.RETURNED
    assert await room.engine.rulings.repay(payment_id, Ruling("x"), payee=other)
    users = f"/users/{room.payer.customer_id}/payments"
    for path in (f"/payments/{payment_id}/status", "/payments", users):
        shown = await room.get(path)
        assert shown.text.count(other.masked) == 1
        assert other not in shown.text
    again = await room.post("/payments/send", PRICE, key="order-0001")
    assert again.json()["payee"] == PAYEE  # what it gave itself, byte for byte


async def test_a_list_has_each_payment_once_the_newest_first_and_ends(room: ClientRoom) -> None:
    made = [await room.send() for _ in range(5)]
    theirs = await room.send(who="other")
    await room.world.confirm()
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await room.get(f"/payments?most=2{cursor}")).json()
        seen += [payment["id"] for payment in page["payments"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == made[::-1]
    others = (await room.get("/payments", who="other")).json()["payments"]
    assert [payment["id"] for payment in others] == [theirs]


async def test_a_list_is_of_the_time_between_two_moments_and_names_the_clients_own_keys(
    room: ClientRoom,
) -> None:
    """A month's payments are reconciled by what the client itself calls them."""
    made: list[str] = []
    for n in range(5):
        made.append(await room.send(key=f"wage-2026-{n}"))
        room.world.clock.pass_(3600)
    status = [(await room.get(f"/payments/{id_}/status")).json() for id_ in made]
    assert [s["key"] for s in status] == [f"wage-2026-{n}" for n in range(5)]
    since, to = (status[n]["made_at"].replace("+", "%2B") for n in (1, 4))
    for path in ("/payments", f"/users/{room.payer.customer_id}/payments"):
        first = (await room.get(f"{path}?most=2&from={since}&to={to}")).json()
        assert first == {"payments": [status[3], status[2]], "next": made[2]}
        rest = (await room.get(f"{path}?most=2&from={since}&to={to}&cursor={made[2]}")).json()
        assert rest == {"payments": [status[1]], "next": None}
    for wrong in ("from=2026-11-21", "from=0001-01-01T00:00:00Z", "to=yesterday"):
        assert code(await room.get(f"/payments?{wrong}")) == (400, "malformed")


async def test_the_payments_of_a_user_are_those_that_the_client_asked_for(
    room: ClientRoom,
) -> None:
    mine, theirs = await room.send(), await room.send(who="other")
    path = f"/users/{room.payer.customer_id}/payments"
    for who, expected in (("shop", mine), ("other", theirs)):
        shown = (await room.get(path, who)).json()
        assert [payment["id"] for payment in shown["payments"]] == [expected]
    nobody = (await room.get(f"/users/{'0' * 32}/payments")).json()
    assert nobody == {"payments": [], "next": None}


async def test_lists_are_read_by_their_index(room: ClientRoom) -> None:
    own = ClientPayments(room.world.pool, 1, PaymentStore(room.world.pool, room.engine.directory))
    assert await own.listed("0" * 32, most=1) == []
    plan = await room.world.pool.fetch(
        "explain select payment from journal i where i.version = 1"
        " and split_part(i.facts, '\"', -2) = 'x' and i.facts not like '%\"\"]'"
        " order by payment desc limit 5"
    )
    told = "\n".join(row[0] for row in plan)
    used = re.findall(r"Index (?:Only )?Scan (?:Backward )?using (\S+) on journal_\S+ i_", told)
    assert used and not re.search(r"Seq Scan on journal_\S+ i_", told)
    for name in used:
        kept = await room.world.pool.fetchval("select pg_get_indexdef($1::text::regclass)", name)
        assert "split_part(facts, '\"'::text, '-2'::integer), payment" in kept


# What can be done about a payment.


PUT_OFF_SECONDS = "600"
"""As no busy machine takes over what is tried meanwhile."""


async def put_off(room: ClientRoom) -> None:
    """The time by which prompts are put off, which is the machine's own; it goes by at once."""
    under_way = room.engine.dispatcher._tasks._tasks
    await until(lambda: {task.get_name() for task in under_way} <= {"waiting"})
    leap(float(PUT_OFF_SECONDS))
    await room.engine.dispatcher.idle()


async def test_a_payment_is_withdrawn_until_its_payer_is_asked(database_url: str) -> None:
    async with open_client_room(database_url, CAPP_COLLECT_DELAY_SECONDS=PUT_OFF_SECONDS) as room:
        payment_id = (await room.post("/payments/send", PRICE)).json()["id"]
        first = await room.post(f"/payments/{payment_id}/cancel", key="cancel-01")
        assert (first.status_code, first.json()["state"]) == (200, "cancelled")
        again = await room.post(f"/payments/{payment_id}/cancel", key="cancel-01")
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        twice = await room.post(f"/payments/{payment_id}/cancel")
        assert twice.json() == first.json()
        await put_off(room)
        assert room.world.mpesa.orders == []
        await assert_books(room.world.pool)


async def test_nobody_is_asked_by_a_client_without_end(database_url: str) -> None:
    """Ordered and withdrawn each is an SMS to the payer, and gives back what it counted."""
    now = [0.0]
    limits = Limits(RedisAway(), key=b"k" * 16, monotonic=lambda: now[0])
    most = {
        "CAPP_API_CLIENT_PAYER_PER_10_MINUTES": "3",
        "CAPP_COLLECT_DELAY_SECONDS": PUT_OFF_SECONDS,
    }
    async with open_client_room(database_url, limits=limits, **most) as room:
        for number in range(3):
            sent = await room.post("/payments/send", PRICE, key=f"order-{number:04d}")
            await room.post(f"/payments/{sent.json()['id']}/cancel")
        late = await room.post("/payments/send", PRICE, key="order-0003")
        assert (code(late), reason(late)) == ((409, "not_now"), (409, "payer_asked"))
        assert 0 < int(late.headers["retry-after"]) <= 600
        neighbour = Msisdn("+254712000077")
        await room.engine.customers.register(neighbour, "KE", "en", "4826")
        theirs = await room.post("/payments/send", PRICE | {"payer": str(neighbour)})
        assert theirs.status_code == 201
        await put_off(room)
        assert sum("Cancelled" in sms.text for sms in room.world.sms.sent) == 3
        again = await room.post("/payments/send", PRICE, key="order-0000")
        assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
        assert (await room.post("/payments/send", PRICE, who="other")).status_code == 201
        now[0] = 600.0
        assert (await room.post("/payments/send", PRICE, key="order-0003")).status_code == 201
        await put_off(room)
        await assert_books(room.world.pool)


async def test_a_payment_whose_payer_was_asked_is_not_withdrawn(room: ClientRoom) -> None:
    payment_id = await room.send()
    answer = await room.post(f"/payments/{payment_id}/cancel")
    assert (code(answer), reason(answer)) == ((409, "not_legal"), (409, "sent"))
    assert await room.state(payment_id) is State.COLLECTING


async def queued(room: ClientRoom) -> str:
    """A payment that was collected and waits for its payee's operator."""
    payment_id = await room.send()
    may_disburse = room.engine.health.may_disburse
    room.engine.health.may_disburse = lambda _: False  # type: ignore[method-assign, assignment]
    await room.tell(payment_id)
    room.engine.health.may_disburse = may_disburse  # type: ignore[method-assign]
    assert await room.state(payment_id) is State.PAYOUT_QUEUED
    return payment_id


async def test_a_refund_waits_for_one_of_our_people(room: ClientRoom) -> None:
    payment_id = await queued(room)
    path, why = f"/payments/{payment_id}/refund", {"why": "the order was withdrawn"}
    first = await room.post(path, why, key="refund-01")
    assert (first.status_code, first.json()["state"]) == (201, "proposed")
    again = await room.post(path, why, key="refund-01")
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    assert code(await room.post(path, why)) == (409, "already_proposed")
    assert await room.state(payment_id) is State.PAYOUT_QUEUED  # nothing moved yet
    desk = room.engine.office.desk
    (proposal,) = (await room.engine.office.proposals.listed(only_open=True, most=5)).proposals
    assert (proposal.kind, proposal.made_by) == (Kind.REFUND_QUEUED, "client:shop")
    await desk.approve(proposal.id, by=Person("fay"))
    await room.engine.dispatcher.idle()
    assert await room.state(payment_id) is State.REFUNDING
    await room.tell(payment_id)
    status = (await room.get(f"/payments/{payment_id}/status")).json()
    assert status["outcome"] == "refunded"
    await assert_books(room.world.pool)


async def test_of_refunds_asked_for_at_once_one_is_proposed_and_the_others_hear(
    room: ClientRoom,
) -> None:
    """With two proposals open, two of our people could agree on each."""
    room.texts["second"] = (await room.keys.create("shop", [Scope.PAYMENTS_WRITE]))[1]
    path, why = f"/payments/{await queued(room)}/refund", {"why": "the order was withdrawn"}
    async with room.world.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local role none")
        await connection.execute("lock table proposal in share mode")  # all read, and none writes
        posts = [
            asyncio.create_task(room.post(path, why, who=who)) for who in ("shop", "second", "shop")
        ]
        await somebody_waits(connection, at_least=len(posts))
    answers = await asyncio.gather(*posts)
    (made,) = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    others = [answer for answer in answers if answer.status_code != 201]
    assert [code(other) for other in others] == [(409, "already_proposed")] * 2
    assert not any(made in other.text for other in others)  # whose it is, is our people's affair
    assert await room.world.pool.fetchval("select count(*) from proposal") == 1


@pytest.mark.parametrize(
    "why", ["late\0", "late)\n5f3a9c01  CLOSE_CASE", "late\x1b[2K", "a\u202eb"]
)
async def test_a_reason_that_a_terminal_would_obey_is_malformed(room: ClientRoom, why: str) -> None:
    path = f"/payments/{await queued(room)}/refund"
    assert code(await room.post(path, {"why": why}, key="refund-01")) == (400, "malformed")
    told = {"why": "annulé à la demande du client ✓"}
    assert (await room.post(path, told, key="refund-01")).status_code == 201  # no key was taken


async def test_a_refund_that_is_not_legal_says_why(room: ClientRoom) -> None:
    payment_id = await room.send()
    answer = await room.post(f"/payments/{payment_id}/refund", {"why": "please"})
    assert code(answer) == (409, "not_legal")
    assert "the payer is being asked" in answer.json()["detail"]
    await room.tell(payment_id)
    await room.tell(payment_id)
    answer = await room.post(f"/payments/{payment_id}/refund", {"why": "please"})
    assert "the payee has the money" in answer.json()["detail"]


async def test_a_request_whose_process_died_is_taken_up_again_with_the_same_proposal(
    room: ClientRoom,
) -> None:
    path, why = f"/payments/{await queued(room)}/refund", {"why": "the order was withdrawn"}
    first = await room.post(path, why, key="refund-01")
    await room.world.pool.execute("update client_request set status = null, answer = null")
    soon = await room.post(path, why, key="refund-01")
    assert code(soon) == (409, "under_way")
    assert int(soon.headers["retry-after"]) > 0
    room.world.clock.pass_(61)
    later = await room.post(path, why, key="refund-01")
    assert (later.status_code, later.content) == (201, first.content)
    assert await room.world.pool.fetchval("select count(*) from proposal") == 1


# The market.


async def test_a_pool_tells_what_is_free_and_what_is_promised(room: ClientRoom) -> None:
    before = (await room.get("/liquidity/pools/UGX")).json()
    payment_id = await room.send()
    after = (await room.get("/liquidity/pools/UGX")).json()
    receives = (await room.get(f"/payments/{payment_id}/status")).json()["receives"]["minor"]
    assert before["held"]["minor"] == 0
    assert after["held"]["minor"] == receives
    assert before["available"]["minor"] - after["available"]["minor"] == receives


async def test_rates_and_operators_are_told_as_they_are_now(room: ClientRoom) -> None:
    rate = (await room.get("/exchange-rates/KES/UGX")).json()
    assert (rate["base"], rate["quote"], rate["mid"]) == ("KES", "UGX", "28.45")
    assert rate["at"].endswith("Z") or rate["at"].endswith("+00:00")
    same = (await room.get("/exchange-rates/KES/KES")).json()
    assert (same["mid"], same["at"]) == ("1", None)
    operators = {o["name"]: o for o in (await room.get("/operators")).json()["operators"]}
    assert sorted(operators) == ["mpesa_ke", "mtn_ug", "other_ug"]
    assert operators["mpesa_ke"]["collects"] == {
        "condition": "well", "amount_minor_min": 100, "amount_minor_max": 25_000_000,
    }  # fmt: skip


async def test_each_direction_of_an_operator_is_told_apart_with_how_it_does(
    room: ClientRoom,
) -> None:
    known = room.engine.directory.by_name
    known["mtn_ug"] = msgspec.structs.replace(known["mtn_ug"], collect_minor_max=0)
    known["other_ug"] = msgspec.structs.replace(known["other_ug"], disburse_minor_max=0)
    for _ in range(6):
        room.engine.health.record("mpesa_ke", Direction.DISBURSE, Told.UNCLEAR, 5_000)
    await room.engine.health.tend()
    told = (await room.get("/operators")).json()["operators"]
    assert [one["name"] for one in told] == ["mpesa_ke", "mtn_ug", "other_ug"]
    kenya, uganda, other = told
    assert kenya["disburses"] == {
        "condition": "down", "amount_minor_min": 1_000, "amount_minor_max": 25_000_000,
    }  # fmt: skip
    assert kenya["collects"]["condition"] == "well"
    assert (uganda["collects"], uganda["disburses"]["amount_minor_max"]) == (None, 5_000_000)
    assert (other["collects"]["amount_minor_min"], other["disburses"]) == (500, None)


async def test_a_check_says_what_stands_in_the_way_and_keeps_nothing(room: ClientRoom) -> None:
    good = (await room.post("/payments/check", PRICE)).json()
    assert good["would_succeed"] and good["reason"] == ""
    assert good["success_ppm"] > 0
    assert (good["payer"]["operator"], good["payees"][0]["operator"]) == ("mpesa_ke", "mtn_ug")
    assert (
        await room.world.pool.fetchval("select count(*) from payment where customer is not null")
        == 0
    )
    pool = Account(1, "UGX", AccountKind.POOL_AVAIL).number
    await Owner(room.world.pool).execute("update balance set amount = 0 where id = $1", pool)
    await room.engine.pools.refresh()
    poor = (await room.post("/payments/check", PRICE)).json()
    assert (poor["would_succeed"], poor["reason"], poor["has_liquidity"]) == (False, "float", False)


@pytest.mark.parametrize(
    ("is_active", "told", "would_succeed"),
    [(True, "found", True), (False, "closed", False), (None, "none", False)],
)
async def test_a_check_asks_the_payees_operator_for_the_wallet(
    room: ClientRoom, is_active: bool | None, told: str, would_succeed: bool
) -> None:
    asked: list[Msisdn] = []

    async def answer(msisdn: Msisdn) -> bool | None:
        asked.append(msisdn)
        return is_active

    nobody = (await room.post("/payments/check", PRICE)).json()
    assert (nobody["payee_wallet"], nobody["would_succeed"]) == ("unknown", True)
    room.world.mtn.is_active = answer  # type: ignore[attr-defined]
    check = (await room.post("/payments/check", PRICE)).json()
    assert (check["payee_wallet"], check["would_succeed"]) == (told, would_succeed)
    assert check["reason"] == ("" if would_succeed else "payee_wallet")
    stranger = (await room.post("/payments/check", PRICE | {"payer": "+254712000009"})).json()
    assert stranger["payee_wallet"] is None  # where something stands in the way nobody is asked
    assert asked == [PAYEE]


async def test_what_is_to_be_asked_of_the_payers_operator_is_stored_with_the_payment(
    room: ClientRoom,
) -> None:
    """Whatever becomes of the process that took it on: another's sweep asks."""
    room.world.mpesa.may_answer = asyncio.Event()
    payment_id = (await room.post("/payments/send", PRICE)).json()["id"]
    waiting = "select count(*) from outbox where payment = $1"
    assert await room.world.pool.fetchval(waiting, payment_id) == 1
    room.world.mpesa.may_answer.set()
    await room.engine.dispatcher.idle()
    assert len(room.world.mpesa.orders) == 1


async def test_a_description_and_pages_are_there_for_everybody(room: ClientRoom) -> None:
    described = await room.client.get("/openapi.json")
    assert described.json()["openapi"] == "3.1.0"
    assert set(described.json()["paths"]) >= {"/payments/send", "/quotes"}
    page = await room.client.get("/docs")
    for place in ("/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js"):
        assert f'="{place[1:]}"' in page.text, "found beside the page, wherever that stands"
        assert (await room.client.get(place)).status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    start = (await room.client.get("/docs/start.js")).text
    assert "//" not in page.text + start  # no foreign host
