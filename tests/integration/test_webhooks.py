"""The doors for operators: every path, everything that may come by it, and what is kept of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
import msgspec
import pytest

from channels.addresses import ANY_ATTEMPT, PREFIX
from channels.sources import Sources, read_networks
from channels.webhooks import BODY_BYTES_MAX, _strange
from engine.clock import AttemptId, Clock, Ids
from engine.errors import Unreadable
from engine.payments.lifecycle import State
from engine.ports import (
    FORGED,
    Acknowledgement,
    Callback,
    Finding,
    OperatorPort,
    Outcome,
    callback_at,
)
from engine.traffic.log import TrafficLog
from engine.traffic.messages import Said
from tests.integration.webhook_room import addresses_of, callback_routes, knocking, reception_of
from tests.integration.world import FAILED, SUCCEEDED, ScriptedOperator, World, open_world
from tests.providers.airtel_subjects import AIRTEL, AIRTEL_SIGNED
from tests.providers.orange_subjects import ORANGE
from tests.providers.subjects import MPESA, MTN, ZAMTEL, Subject

pytestmark = pytest.mark.long("every path by itself; each payment of tests/e2e comes back by one")

PIN, NUMBER, NAME = "7391", "254712345678", "Jane Wanjiku"
NOWHERE = "http://127.0.0.1:1"
SUBJECTS: Sequence[Subject] = (MPESA, MTN, AIRTEL, AIRTEL_SIGNED, *ORANGE, ZAMTEL)

PATHS = {
    "mpesa": ("stk-callback", "timeout", "b2c-result", "status-result"),
    "mtn-momo": ("collection", "disbursement", "remittance"),
    "airtel-money": ("callback", "status"),
    "orange-money": ("callback", "status"),
    "zamtel": ("callback",),
}
"""As businesses know them. Pay-ins have doors of their own."""


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


@pytest.fixture
async def adapters() -> AsyncIterator[dict[int, OperatorPort]]:
    built = [subject.build(NOWHERE, Clock(), lambda _: None) for subject in SUBJECTS]
    yield {port.facts.code: port for port in built}
    for port in built:
        await port.aclose()


@pytest.fixture
async def attempt(world: World) -> AttemptId:
    """The collection of a payment that waits for M-PESA."""
    payment_id = await world.confirm()
    await world.dispatched()
    return await world.live(payment_id)


def every_path(adapters: Mapping[int, OperatorPort], attempt: AttemptId) -> dict[str, OperatorPort]:
    """Every path of every operator, each true to this attempt, and whose it is."""
    addresses = addresses_of(adapters)
    found: dict[str, OperatorPort] = {}
    for company, kinds in PATHS.items():
        for code, port in adapters.items():
            if company in port.facts.webhooks:
                token = addresses.address(code, attempt).rsplit("/", 1)[1]
                found |= {f"{PREFIX}/{company}/{kind}/{token}": port for kind in kinds}
    return found


async def kept(world: World, what: str = "outcome") -> list[Any]:
    rows = await world.pool.fetch(f"select {what} from traffic order by ctid")  # as stored
    return [row[0] if len(row) == 1 else tuple(row) for row in rows]


async def nothing_happened(world: World, attempt: AttemptId) -> bool:
    found = await world.store.attempt(attempt)
    assert found is not None
    told = await world.pool.fetchval("select count(*) from evidence where source in (2, 3)")
    return found.payment.state is State.COLLECTING and told == 0 and await world.cases() == []


class PlainOperator(ScriptedOperator):
    """One whose callback is a word in quotes."""

    def read_callback(self, kind: str, body: bytes) -> Callback:
        words: dict[bytes, Finding] = {
            b'"paid"': SUCCEEDED,
            b'"failed"': FAILED,
            b'"soon"': Finding(Outcome.PENDING, "soon"),
        }
        if body == b'"forged"':
            raise Unreadable(self.facts.name, kind, code=FORGED)
        if body not in words:
            raise Unreadable(self.facts.name, kind)
        return Callback(words[body], Acknowledgement(body=b"taken"), redacted=body.decode())


# What nobody documents, on every path.

NO_ANSWERS = {
    "empty": b"",
    "no JSON": b"<html>not JSON</html>",
    "a form": f"pin={PIN}&msisdn={NUMBER}&name={NAME}".encode(),
    "not UTF-8": b'{"a":"\xff\xfe"}',
    "a list": b"[1]",
    "another object": msgspec.json.encode({"pin": int(PIN), "to": NUMBER, "name": NAME}),
    "NaN": b'{"status":NaN,"Result":NaN,"Body":NaN,"transaction":NaN}',
    "cut off": b'{"Body":{"stkCallback":{"CheckoutRequestID":"ws_CO_1"',
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "doubled": b'{"status":"SUCCESSFUL","status":"FAILED","Body":{},"Body":{}}',
    "zero bytes": b"\x00" * 40,
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
async def test_what_nobody_documents_moves_nothing_and_is_kept_without_a_word_of_it(
    world: World, adapters: dict[int, OperatorPort], attempt: AttemptId, body: bytes
) -> None:
    documented = {
        path: port
        for path, port in every_path(adapters, attempt).items()
        # M-PESA documents no body for the first, nobody documents any for the second.
        if "/timeout/" not in path and "/zamtel/" not in path
    }
    async with knocking(callback_routes(world, reception_of(world, adapters))) as client:
        answers = {(await client.post(path, content=body)).status_code for path in documented}
    assert answers == {400}
    names = [port.facts.name for port in documented.values()]
    assert await kept(world, "outcome, status, operator") == [("unreadable", 400, n) for n in names]
    assert {found.hex for found in await kept(world, "attempt")} == {attempt}
    text = " ".join(await kept(world, "asked"))
    assert not [word for word in (PIN, NUMBER, NAME, "Jane", "html", "ws_CO") if word in text]
    assert await nothing_happened(world, attempt)


async def test_operator_that_never_calls_back_is_acknowledged_and_believed_nothing(
    world: World, adapters: dict[int, OperatorPort], attempt: AttemptId
) -> None:
    (path,) = [path for path in every_path(adapters, attempt) if "/zamtel/" in path]
    body = msgspec.json.encode({"status": "0", "Msisdn": NUMBER, "TransactionId": "26010100001"})
    async with knocking(callback_routes(world, reception_of(world, adapters))) as client:
        assert (await client.post(path, content=body)).status_code == 200
    shape = (
        '{"status":"[1 characters]","Msisdn":"[12 characters]","TransactionId":"[11 characters]"}'
    )
    assert await kept(world, "outcome, asked") == [("unexpected", shape)]
    assert await nothing_happened(world, attempt)


async def test_notice_of_a_queue_is_kept_whatever_it_holds(
    world: World, adapters: dict[int, OperatorPort], attempt: AttemptId
) -> None:
    paths = [path for path in every_path(adapters, attempt) if "/timeout/" in path]
    reception = reception_of(world, adapters)
    async with knocking(callback_routes(world, reception)) as client:
        for path in paths:
            assert (await client.post(path, content=b"never documented")).status_code == 200
    await reception.traffic.flush()
    assert await kept(world) == ["kept"]
    found = await world.store.attempt(attempt)
    assert found is not None
    assert found.payment.state is State.COLLECTING


async def test_larger_than_the_bound_is_refused_on_every_path_by_its_first_byte_too_many(
    world: World, adapters: dict[int, OperatorPort], attempt: AttemptId
) -> None:
    paths = every_path(adapters, attempt)

    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 1024):
            yield b"x" * 1024
        yield b"x"

    async with knocking(callback_routes(world, reception_of(world, adapters))) as client:
        for path in paths:
            for body in (b"x" * (BODY_BYTES_MAX + 1), in_pieces()):
                assert (await client.post(path, content=body)).status_code == 413
    rows = await kept(world, "outcome, status")
    assert rows == [("too large", 413)] * (2 * len(paths))
    shown = {msgspec.json.decode(said)["bytes"] for said in await kept(world, "asked")}
    assert shown == {BODY_BYTES_MAX + 1, 0}  # as announced, where anybody did
    assert await nothing_happened(world, attempt)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused_on_every_path_and_kept(
    world: World, adapters: dict[int, OperatorPort], attempt: AttemptId, method: str
) -> None:
    paths = every_path(adapters, attempt)
    async with knocking(callback_routes(world, reception_of(world, adapters))) as client:
        for path in paths:
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST, PUT")
    assert await kept(world) == ["wrong method"] * len(paths)
    assert await nothing_happened(world, attempt)


def forgeries(path: str) -> dict[str, str]:
    stem, company, kind, token = path.rsplit("/", 3)
    code, secret = token.split(".")
    flipped = ("0" if secret[-1] != "0" else "1") + secret[-2::-1]
    return {
        "a guess": f"{stem}/{company}/{kind}/{code}.{secret[:26]}{'0' * 20}",
        "one character": f"{stem}/{company}/{kind}/{code}.{secret[:-1]}{flipped[0]}",
        "another operator": f"{stem}/{company}/{kind}/{'2' if code != '2' else '1'}.{secret}",
        "another company": f"{stem}/{'zamtel' if company != 'zamtel' else 'mpesa'}/{kind}/{token}",
        "a company nobody knows": f"{stem}/acme/{kind}/{token}",
        "no token": f"{stem}/{company}/{kind}/",
        "no kind": f"{stem}/{company}/{token}",
        "a longer path": f"{path}/more",
        "nothing at all": stem,
    }


async def test_forged_address_is_not_found_on_any_path_and_is_kept_as_a_strangers(
    world: World, adapters: dict[int, OperatorPort], attempt: AttemptId
) -> None:
    paths = every_path(adapters, attempt)
    body = msgspec.json.encode({"pin": PIN, "msisdn": NUMBER})
    forged = {f"{path} {what}": url for path in paths for what, url in forgeries(path).items()}
    reception = reception_of(world, adapters, strange_per_minute=10_000)
    async with knocking(callback_routes(world, reception)) as client:
        for what, url in forged.items():
            if url == PREFIX:  # our own stem: no callback, and no route of ours
                continue
            assert (await client.post(url, content=body)).status_code == 404, what
    rows = await kept(world, "outcome, operator, operation, attempt, source, asked")
    shown = f'{{"bytes":{len(body)},"type":""}}'
    assert set(rows) == {("no such address", "", "", None, "203.0.113.7", shown)}
    assert len(rows) == sum(url != PREFIX for url in forged.values())
    assert await nothing_happened(world, attempt)


async def test_a_callback_to_an_operator_that_was_removed_moves_nothing_and_people_are_told(
    world: World,
    adapters: dict[int, OperatorPort],
    attempt: AttemptId,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its payments may be under way still; nobody here can read what it says of them."""
    paths = [path for path in every_path(adapters, attempt) if "/mpesa/" in path]
    served = {code: port for code, port in adapters.items() if "mpesa" not in port.facts.webhooks}
    body = msgspec.json.encode({"pin": PIN, "msisdn": NUMBER, "name": NAME})
    _strange._told.clear()  # another test may have had this minute's line
    async with knocking(callback_routes(world, reception_of(world, served))) as client:
        for path in paths:
            for method in ("POST", "GET"):
                answer = await client.request(method, path, content=body)
                assert (answer.status_code, answer.content) == (404, b"not found")
    rows = await kept(world, "outcome, status, operator, asked")
    shown = f'{{"bytes":{len(body)},"type":""}}'
    assert rows == [("no such address", 404, "", shown)] * (2 * len(paths))
    assert {found.hex for found in await kept(world, "attempt")} == {attempt}
    assert set(await kept(world, "at_ms")) == {int(world.clock.epoch() * 1000)}
    (told,) = [
        record.getMessage() for record in caplog.records if record.name == "channels.webhooks"
    ]
    assert (
        told == "a callback came for an operator that is not among CAPP_OPERATORS: nobody heard it"
    )
    token = paths[0].rsplit("/", 1)[1]
    assert not [word for word in (PIN, NUMBER, NAME, token) if word in caplog.text]
    assert await nothing_happened(world, attempt)


# Callbacks that are understood.


async def door_of(world: World, attempt: AttemptId) -> tuple[PlainOperator, str]:
    operator = PlainOperator(world.mpesa.facts)
    return operator, callback_at(addresses_of({1: operator}).address(1, attempt), "callback")


async def test_callback_that_moves_a_payment_is_kept_once_as_evidence(
    world: World, attempt: AttemptId
) -> None:
    operator, path = await door_of(world, attempt)
    reception = reception_of(world, {1: operator})
    async with knocking(callback_routes(world, reception)) as client:
        assert (await client.post(path, content=b'"paid"')).text == "taken"
        await reception.traffic.flush()
        assert await kept(world) == []
        told = "select body from evidence where attempt = $1 and source = 2"
        assert await world.pool.fetchval(told, attempt) == '"paid"'


async def test_the_same_again_late_and_contradicting_are_kept_beside_the_evidence(
    world: World, attempt: AttemptId
) -> None:
    operator, path = await door_of(world, attempt)
    reception = reception_of(world, {1: operator})
    async with knocking(callback_routes(world, reception)) as client:
        for body in (b'"soon"', b'"paid"', b'"paid"', b'"paid"', b'"failed"', b'"soon"'):
            assert (await client.post(path, content=body)).status_code == 200
            await world.dispatched()
            world.clock.pass_(1)
    await reception.traffic.flush()
    rows = await world.pool.fetch(
        "select t.outcome, e.body, t.asked from traffic t join evidence e"
        " on e.attempt = t.attempt and e.hash = t.evidence order by t.at_ms"
    )
    assert [(r["outcome"], r["body"]) for r in rows] == [
        ("kept", '"soon"'),
        ("kept", '"paid"'),
        ("kept", '"paid"'),
        ("conflict", '"failed"'),
        ("kept", '"soon"'),
    ]
    assert {r["asked"] for r in rows} == {""}  # their words are kept once
    found = await world.store.attempt(attempt)
    assert found is not None
    assert found.payment.state is State.PAYING
    assert await world.cases() == ["CONFLICT"]


async def test_twenty_of_the_same_at_once_are_one_step_and_nineteen_kept(
    world: World, attempt: AttemptId
) -> None:
    operator, path = await door_of(world, attempt)
    reception = reception_of(world, {1: operator})
    async with knocking(callback_routes(world, reception)) as client:
        answers = await asyncio.gather(*[client.post(path, content=b'"paid"') for _ in range(20)])
    assert {answer.status_code for answer in answers} == {200}
    await reception.traffic.flush()
    assert await kept(world) == ["kept"] * 19


async def test_the_right_words_under_another_content_type_are_taken(
    world: World, attempt: AttemptId
) -> None:
    operator, path = await door_of(world, attempt)
    async with knocking(callback_routes(world, reception_of(world, {1: operator}))) as client:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        assert (await client.put(path, content=b'"paid"', headers=headers)).status_code == 200
    found = await world.store.attempt(attempt)
    assert found is not None
    assert found.payment.state is State.PAYING


async def test_forged_signature_is_kept_as_forged(world: World, attempt: AttemptId) -> None:
    operator, path = await door_of(world, attempt)
    async with knocking(callback_routes(world, reception_of(world, {1: operator}))) as client:
        assert (await client.post(path, content=b'"forged"')).status_code == 400
    (row,) = await kept(world, "outcome, attempt, asked")
    assert (row[0], row[1].hex) == ("forged", attempt)
    assert await kept(world, "at_ms") == [int(world.clock.epoch() * 1000)]
    assert "forged" not in row[2]
    assert '"digest"' in row[2]


async def test_callback_of_an_attempt_that_was_lost_is_kept_with_its_words(
    world: World, attempt: AttemptId
) -> None:
    operator, path = await door_of(world, AttemptId("0193488c2d7a7c3e9f0112233445566a"))
    async with knocking(callback_routes(world, reception_of(world, {1: operator}))) as client:
        assert (await client.post(path, content=b'"paid"')).status_code == 404
    (row,) = await kept(world, "outcome, attempt, asked")
    assert (row[0], row[1].hex, row[2]) == (
        "unknown attempt", "0193488c2d7a7c3e9f0112233445566a", '"paid"',
    )  # fmt: skip
    assert await nothing_happened(world, attempt)


async def test_nobody_is_answered_before_what_they_said_is_stored(
    world: World, attempt: AttemptId
) -> None:
    stored, may_store = asyncio.Event(), asyncio.Event()

    class Slow(TrafficLog):
        async def keep(self, said: Said) -> None:
            stored.set()
            await may_store.wait()
            await super().keep(said)

    operator, path = await door_of(world, attempt)
    slow = Slow(world.pool, 1, world.clock, Ids(world.clock))
    reception = reception_of(world, {1: operator}, traffic=slow)
    async with knocking(callback_routes(world, reception)) as client:
        answer = asyncio.create_task(client.post(path, content=b"unheard of"))
        async with asyncio.timeout(120):
            await stored.wait()
        await asyncio.sleep(0.05)
        assert not answer.done()
        may_store.set()
        assert (await answer).status_code == 400
    assert await kept(world) == ["unreadable"]


async def test_what_cannot_be_stored_is_not_acknowledged(world: World, attempt: AttemptId) -> None:
    class Away:
        async def execute(self, *_: Any) -> str:
            raise ConnectionRefusedError

    operator, path = await door_of(world, attempt)
    away = TrafficLog(Away(), 1, world.clock, Ids(world.clock))
    reception = reception_of(world, {1: operator}, traffic=away)
    async with knocking(callback_routes(world, reception)) as client:
        with pytest.raises(ConnectionRefusedError):  # which the server answers with 500
            await client.post(path, content=b"unheard of")


async def test_our_own_fault_is_answered_as_one_and_still_kept(
    world: World, attempt: AttemptId
) -> None:
    class Broken(PlainOperator):
        def read_callback(self, kind: str, body: bytes) -> Callback:
            raise ZeroDivisionError

    path = (await door_of(world, attempt))[1]
    reception = reception_of(world, {1: Broken(world.mpesa.facts)})
    async with knocking(callback_routes(world, reception)) as client:
        with pytest.raises(ZeroDivisionError):  # which the server answers with 500
            await client.post(path, content=b'{"pin":7391}')
    await reception.traffic.flush()
    rows = await kept(world, "outcome, status, asked")
    assert rows == [("failed", 500, '{"pin":"[number]"}')]


# Where it came from.

LISTED, PROXY = "196.201.214.200", "10.0.0.1"
SOURCES = Sources({"mpesa_ke": read_networks(["196.201.214.0/24"])}, read_networks(["10.0.0.0/8"]))


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        (LISTED, None, 200),
        ("203.0.113.66", None, 403),
        ("203.0.113.66", LISTED, 403),  # its own word
        (PROXY, LISTED, 200),
        (PROXY, f"{LISTED}, 203.0.113.66", 403),
        (PROXY, None, 403),
    ],
)
async def test_only_listed_sources_are_heard(
    world: World, attempt: AttemptId, peer: str, forwarded: str | None, status: int
) -> None:
    operator, path = await door_of(world, attempt)
    reception = reception_of(world, {1: operator}, sources=SOURCES)
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    async with knocking(callback_routes(world, reception), peer=peer) as client:
        answer = await client.post(path, content=b'"paid"', headers=headers)
    assert answer.status_code == status
    found = await world.store.attempt(attempt)
    assert found is not None
    assert found.payment.state is (State.PAYING if status == 200 else State.COLLECTING)
    if status == 403:
        source = "203.0.113.66" if forwarded or peer != PROXY else ""
        ((outcome, where, known, asked),) = await kept(world, "outcome, source, attempt, asked")
        assert (outcome, where, known.hex) == ("refused source", source, attempt)
        assert "paid" not in asked


async def test_flood_of_strangers_is_bounded_and_the_rest_is_counted(
    world: World, attempt: AttemptId, caplog: pytest.LogCaptureFixture
) -> None:
    operator, path = await door_of(world, attempt)
    reception = reception_of(world, {1: operator}, strange_per_minute=5)
    async with knocking(callback_routes(world, reception)) as client:
        for n in range(50):
            assert (await client.post(f"{path}{n}", content=b"x")).status_code == 404
        assert len(await kept(world)) == 5
        await reception.traffic.flush()
        assert len(await kept(world)) == 5  # the minute is not over
        world.clock.pass_(60)
        await reception.traffic.flush()
        assert await kept(world, "outcome, times") == [
            *[("no such address", 1)] * 5, ("no such address", 45),
        ]  # fmt: skip
        assert "45 more callbacks came" in caplog.text
        # In a flood the operator itself is still heard, and a new minute has its own allowance.
        assert (await client.post(path, content=b'"paid"')).status_code == 200
        assert (await client.post(f"{path}x", content=b"x")).status_code == 404
    assert len(await kept(world)) == 7


async def test_who_knocks_too_often_where_there_is_no_door_takes_nobody_elses_room(
    world: World, adapters: dict[int, OperatorPort], attempt: AttemptId
) -> None:
    """The flood comes through a proxy that operators call through as well."""
    reception = reception_of(
        world, adapters, sources=Sources({}, read_networks(["10.0.0.1"])), strange_per_minute=20,
        strangers_per_minute=4,
    )  # fmt: skip
    path = next(iter(every_path(adapters, attempt)))
    async with knocking(callback_routes(world, reception), peer="10.0.0.1") as client:

        async def knock(who: str, where: str) -> httpx.Response:
            return await client.post(where, content=b"{}", headers={"x-forwarded-for": who})

        flood = [await knock("198.51.100.7", f"{PREFIX}/no/such/{n}.{'0' * 46}") for n in range(12)]
        assert [answer.status_code for answer in flood] == [404] * 4 + [429] * 8
        assert all(int(answer.headers["retry-after"]) > 0 for answer in flood[4:])
        # Another's mistake is still kept, and who knows an address is heard whatever else came.
        assert (await knock("198.51.100.8", f"{PREFIX}/no/such/x")).status_code == 404
        assert (await knock("198.51.100.7", path)).status_code not in (404, 429)
    await reception.traffic.flush(closing=True)
    rows = await kept(world, "outcome, status, times")
    assert rows.count(("no such address", 404, 1)) == 5
    assert sum(times for outcome, _, times in rows if outcome == "no such address") == 13


async def test_the_one_address_for_all_attempts_names_none(
    world: World, adapters: dict[int, OperatorPort], attempt: AttemptId
) -> None:
    paths = every_path(adapters, ANY_ATTEMPT)
    documented = [path for path in paths if "/zamtel/" not in path]
    async with knocking(callback_routes(world, reception_of(world, adapters))) as client:
        for path in documented:
            assert (await client.post(path, content=b"{}")).status_code == 400
    assert set(await kept(world, "attempt")) == {None}
    assert await nothing_happened(world, attempt)


async def test_slow_drip_of_a_true_callback_is_taken_when_it_is_whole(
    world: World, attempt: AttemptId
) -> None:
    operator, path = await door_of(world, attempt)

    async def dripping() -> AsyncIterator[bytes]:
        for byte in b'"paid"':
            await asyncio.sleep(0.01)
            yield bytes([byte])

    async with knocking(callback_routes(world, reception_of(world, {1: operator}))) as client:
        answer: httpx.Response = await client.post(path, content=dripping())
    assert answer.status_code == 200
