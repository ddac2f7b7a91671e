"""What is somebody else's, beside a caller who asks for it: other clients', and other tenants'.

What belongs to another tenant is made by the application as everything is, and then given to that
tenant row by row: so it is whole, and stands in the same tables and indexes.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
from sqlalchemy import Uuid
from starlette.routing import BaseRoute

from channels.api.mmo import staff_routes
from channels.hook_room import open_hooks
from engine.clients.clients import Scope
from engine.msisdn import Msisdn
from engine.payments.payment import code_of
from engine.tables import metadata
from tests.integration.client_room import PRICE, ClientRoom
from tests.integration.every_endpoint import Door, doors_of
from tests.integration.owner import Owner
from tests.integration.staff_room import COUNTED_HERE, StaffRoom
from tests.integration.test_staff_api import held

HOOKS = {"CAPP_WEBHOOK_KEYS": "1:" + bytes(range(32)).hex()}
PLENTY = {
    f"CAPP_API_{name}_PER_MINUTE": "100000000"
    for name in ("CLIENT_ADDRESS", "CLIENT_KEY", "CLIENT_TENANT")
}
ELSEWHERE = 2
NOBODYS = "01a1ff2c0f0070008000000000000007"
Words = dict[str, str]


async def give_away(pool: Any, ids: Iterable[str]) -> dict[str, int]:
    """Every row of ours that bears one of these ids is the other tenant's; how many, by id."""
    found = dict.fromkeys(ids, 0)
    async with Owner(pool).acquire() as connection, connection.transaction():
        # The journal is never changed, says a trigger; here it was made elsewhere all along.
        await connection.execute("set local session_replication_role = replica")
        for table in metadata.sorted_tables:
            columns = [c.name for c in table.columns if isinstance(c.type, Uuid)]
            if "tenant" not in table.columns:
                continue
            # Whose an account is stands in its number.
            own = ", account = account + (1::bigint << 42)" if "reservation" in table.name else ""
            for column in columns:
                rows = await connection.fetch(
                    f"update {table.name} set tenant = $2{own} where {column} = any($1::uuid[])"
                    f" and tenant = 1 returning {column} as id",
                    list(found), ELSEWHERE,
                )  # fmt: skip
                for row in rows:
                    found[row["id"].hex] += 1
    return found


@dataclass
class Statements:
    """What is asked of Postgres over a pool, in its order. Arguments are not kept."""

    told: list[str] = field(default_factory=list)

    async def listen(self, pool: Any) -> None:
        """From now on; connections that rest are opened anew."""
        open_connection = pool._open

        async def opened() -> Any:
            connection = await open_connection()
            connection.add_query_logger(self._hear)
            return connection

        pool._open = opened
        while pool._resting:
            await pool._resting.pop().close()

    def _hear(self, query: Any) -> None:
        self.told.append(query.query)

    async def taken(self) -> list[str]:
        """What was asked since this was asked before."""
        await asyncio.sleep(0)  # a connection tells of a statement behind its answer
        told, self.told = self.told, []
        return told


async def of_clients(room: ClientRoom) -> dict[str, Words]:
    """One of everything that has an id, of nobody, another client, and another tenant.

    The client `shop` has none of it.
    """
    await room.key_of("third", Scope)
    theirs = await _made(room, "other", PRICE["payer"])
    payer = Msisdn("+254712000077")
    await room.engine.customers.register(payer, "KE", "en", "4826")
    elsewhere = await _made(room, "third", payer)
    moved = await give_away(room.world.pool, elsewhere.values())
    assert all(moved.values()), f"not everything was moved: {moved}"
    return {
        "nobody's": dict.fromkeys(theirs, NOBODYS),
        "another client's": theirs,
        "another tenant's": elsewhere,
    }


async def _made(room: ClientRoom, who: str, payer: Any) -> Words:
    wanted = {**PRICE, "payer": str(payer)}
    quote = await room.post("/quotes", wanted, who=who)
    payment = await room.post("/payments/send", wanted, who=who)
    await room.engine.dispatcher.idle()
    aside = {"amount": {"minor": 100, "currency": "UGX"}}
    reservation = await room.post("/liquidity/reserve", aside, who=who)
    webhook = await room.post("/webhooks", {"url": "https://shop.example/hook"}, who=who)
    for answer in (quote, payment, reservation, webhook):
        assert answer.status_code == 201, answer.text
    later = await room.post("/payments/send", wanted, who=who)  # which the webhook is told of
    async with open_hooks(room.engine) as hooks:
        assert hooks is not None
        await hooks.journal.sweep()
    deliveries = await room.get(f"/webhooks/{webhook.json()['id']}/deliveries", who=who)
    return {
        "quote": quote.json()["id"], "payment": later.json()["id"],
        "user": payment.json()["user"], "reservation": reservation.json()["id"],
        "webhook": webhook.json()["id"], "event": deliveries.json()["deliveries"][0]["event"],
    }  # fmt: skip


async def of_staff(room: StaffRoom) -> dict[str, Words]:
    """The same of what staff ask about, by its code, its id, its attempt's: one each, twice."""
    payment_id, code = await held(room)
    asked = await room.post("fay", f"/transactions/{code}/reverse", {"why": "on a list"})
    attempt = await room.world.pool.fetchval(
        "select id from attempt where payment = $1", payment_id
    )
    session = await room.world.pool.fetchval(  # of somebody else: ids of one moment have no order
        "select s.id from staff_session s join staff_member m on m.id = s.member"
        " where m.name <> 'fay' limit 1"
    )
    theirs = {
        "transaction": payment_id, "proposal": asked.json()["id"], "session": session.hex,
        "attempt": attempt.hex,
    }  # fmt: skip
    moved = await give_away(room.world.pool, theirs.values())
    assert all(moved.values()), f"not everything was moved: {moved}"
    return {
        "nobody's": {**dict.fromkeys(theirs, NOBODYS), "code": code_of(NOBODYS)},
        "another tenant's": {**theirs, "code": code},
    }


class Look(NamedTuple):
    """One way to ask an endpoint about an id: in its path, or in its body."""

    name: str
    door: Door
    words: Mapping[str, str]  # what a word of its path is called in `Words`
    body: str = ""  # the field of the body

    def path(self, ids: Words) -> str:
        return self.door.at(**{word: ids[kind] for word, kind in self.words.items()})

    def content(self, ids: Words) -> bytes:
        if not self.body:
            return self.door.content
        told = {self.body: ids[self.body]}
        return json.dumps(told if self.body == "quote" else PRICE | told).encode()


def looks_of_clients(routes: Iterable[BaseRoute]) -> list[Look]:
    """Every endpoint for clients that takes an id."""
    doors = doors_of(routes)
    looks = [Look(d.endpoint.what, d, {word: word for word in d.ids}) for d in doors if d.ids]
    (send,) = (d for d in doors if d.endpoint.what == "send_payment")
    return [*looks, *(Look(f"send_payment by {b}", send, {}, b) for b in ("quote", "reservation"))]


def looks_of_staff(room: StaffRoom) -> list[Look]:
    """Every endpoint for staff that takes one, and each kind of id that names a transaction."""
    looks = []
    for door in doors_of(staff_routes(room.engine, COUNTED_HERE)):
        for word in door.ids:
            kinds = ("transaction", "code", "attempt") if word == "transaction" else (word,)
            looks += [Look(f"{door.endpoint.what} by {k}", door, {word: k}) for k in kinds]
    return looks


class Asker:
    """Somebody who asks about ids, a new idempotency key each time."""

    def __init__(self, client: httpx.AsyncClient, headers: Mapping[str, str]) -> None:
        self._client = client
        self._headers = headers
        self._asked = 0

    async def ask(self, look: Look, ids: Words) -> httpx.Response:
        self._asked += 1
        headers = {**self._headers, "idempotency-key": f"about-ids-{self._asked:06d}"}
        content = look.content(ids)
        if content:
            headers["content-type"] = "application/json"
        return await self._client.request(
            look.door.endpoint.method, look.path(ids), headers=headers, content=content
        )


def told(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """All of an answer but the id that it alone has."""
    headers = {
        n: v for n, v in answer.headers.items() if n not in ("x-correlation-id", "ratelimit")
    }
    body = answer.json()
    if isinstance(body, dict):
        body.pop("correlation_id", None)
    return answer.status_code, headers, body
