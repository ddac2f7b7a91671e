"""Businesses that ask customers for money over the API, and are told by webhook what became of it.

They do as `channels/api/README.md` and `engine/hooks/README.md` tell them: a key for each payment,
the same request again until there is an answer; nothing done twice for one event.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import httpx

from simulator.receiver import Receiver, ReceiverFault, receiver_app
from simulator.serving import serving
from tests.chaos.draws import Country, Order
from tests.chaos.laws import Placed, Told
from tests.chaos.people import PAUSE_SECONDS, People
from tests.e2e.city import City, Person

SCOPES = "payments:read,payments:write,webhooks:read,webhooks:write"
CURRENCIES: dict[Country, tuple[str, int]] = {"KE": ("KES", 100), "UG": ("UGX", 1)}
AGAIN = frozenset({"under_way", "not_now", "too_many", "outcome_unknown", "away"})
"""Refusals after which the same request is sent again."""
ANSWERED_SECONDS_MAX = 240.0
TRY_SECONDS_MAX = 15.0
DEAF_ODDS = 0.1
DEAFNESS: tuple[ReceiverFault, ...] = ("error_500", "reset", "answer_lost")


class Business:
    """One with a key and an address of its own, and all that it asked and heard."""

    def __init__(self, name: str, people: People, client: httpx.AsyncClient) -> None:
        self.name = name
        self.receiver = Receiver()
        self.placed: list[Placed] = []
        self._people = people
        self._client = client
        self._keys = 0

    @property
    def told(self) -> Iterable[Told]:
        """In the order in which they were first heard."""
        for heard in self.receiver.heard:
            data = heard.event["data"]
            if heard.is_new:
                yield Told(self.name, heard.id, data["code"], heard.event["type"], data["sequence"])

    async def subscribe(self, url: str) -> None:
        """Be told of everything at this address."""
        made = await self._post("/webhooks", {"url": url}, f"{self.name}-hears")
        self.receiver.secrets.append(made.raise_for_status().json()["secret"])
        # As if they had done so an hour ago: of what a clock behind dates before it none is told.
        await self._people.city.rows(
            "update hook_subscription set made_ms = made_ms - 3600000 where url = $1", url
        )

    async def take(self, random: Random, pin: str, order: Order) -> None:
        """One payment, after the payer has registered by phone. Raises Interrupted."""
        people = self._people
        payer, payee = people.pair(random, order, pin)
        async with people.dialogue(payer):
            pass  # whoever is at the menu is a customer
        await people.arm(payer, payee, order)
        if random.random() < DEAF_ODDS:
            self.receiver.faults.append(random.choice(DEAFNESS))
        self.placed.append(await self._send(payer, payee, order))

    async def _send(self, payer: Person, payee: Person, order: Order) -> Placed:
        self._keys += 1
        currency, minor = CURRENCIES[order.payer]
        asked = {
            "payer": payer.msisdn, "payee": payee.msisdn,
            "amount": {"minor": order.amount * minor, "currency": currency},
        }  # fmt: skip
        key = f"{self.name}-order-{self._keys}"
        answers = [await self._until_answered(asked, key) for _ in range(1 + order.repeats)]
        refused = [answer["code"] for answer in answers if "status" in answer]
        codes = tuple(answer["code"] for answer in answers if "status" not in answer)
        return Placed(payer.digits, payee.digits, codes, self.name, " ".join(refused))

    async def _until_answered(self, asked: object, key: str) -> dict[str, Any]:
        """The payment, or the problem that sending the same again will not change."""
        deadline = time.monotonic() + ANSWERED_SECONDS_MAX
        answer: dict[str, Any] = {"status": 0, "code": "never answered"}
        while time.monotonic() < deadline:
            try:
                response = await self._post("/payments/send", asked, key)
                answer = response.json()
            except httpx.HTTPError:
                answer = {"status": 0, "code": "never answered"}
            else:
                if answer["code"] not in AGAIN:
                    return answer
            await asyncio.sleep(PAUSE_SECONDS)
        return answer

    async def _post(self, path: str, body: object, key: str) -> httpx.Response:
        return await self._client.post(path, json=body, headers={"idempotency-key": key})


@asynccontextmanager
async def open_businesses(
    city: City, people: People, names: Iterable[str]
) -> AsyncIterator[list[Business]]:
    """Each with a key made at the terminal, and an address that hears until the block ends."""
    async with _doors(city, names) as clients:
        opened = [Business(name, people, client) for name, client in clients.items()]
        apps = {one.name: (receiver_app(one.receiver), 0) for one in opened}
        async with serving(apps) as urls:
            for one in opened:
                await one.subscribe(f"{urls[one.name]}/told")
            yield opened


@asynccontextmanager
async def _doors(city: City, names: Iterable[str]) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    clients: dict[str, httpx.AsyncClient] = {}
    try:
        for name in names:
            made = await asyncio.to_thread(
                city.stack.command, "api-keys", "create", name, "--scopes", SCOPES
            )
            assert made.returncode == 0, made.stderr
            clients[name] = httpx.AsyncClient(
                base_url=f"{city.places.server}/api/v1", trust_env=False, timeout=TRY_SECONDS_MAX,
                headers={"authorization": f"Bearer {made.stdout.strip()}"},
            )  # fmt: skip
        yield clients
    finally:
        for client in clients.values():
            await client.aclose()
