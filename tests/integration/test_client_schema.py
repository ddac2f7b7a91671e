"""The whole description against the API itself: no 500, no answer that it does not tell of.

Cases are drawn by Schemathesis from `/openapi.json`, the same in every run: good ones, and ones
that are wrong in each place of a request.
"""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from channels.hook_room import open_hooks
from tests.integration.client_room import PRICE, ClientRoom, open_client_room

pytestmark = pytest.mark.long(
    "six hundred requests are drawn; test_client_doors.py tries each door"
)

EXAMPLES = 12
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance,
]  # fmt: skip
OPERATIONS = {
    "POST /quotes", "GET /quotes/{quote}", "POST /payments/send", "POST /payments/check",
    "GET /payments/{payment}/status", "POST /payments/{payment}/cancel",
    "POST /payments/{payment}/refund", "GET /payments", "GET /users/{user}/payments",
    "GET /liquidity/pools/{currency}", "POST /liquidity/reserve",
    "GET /liquidity/reservations/{reservation}",
    "POST /liquidity/reservations/{reservation}/release",
    "GET /exchange-rates/{base}/{quote}", "GET /operators",
    "POST /webhooks", "GET /webhooks", "GET /webhooks/{webhook}", "POST /webhooks/{webhook}/pause",
    "POST /webhooks/{webhook}/resume", "POST /webhooks/{webhook}/remove",
    "POST /webhooks/{webhook}/rotate", "GET /webhooks/{webhook}/deliveries",
    "POST /webhooks/{webhook}/deliveries/{event}/resend", "GET /events",
}  # fmt: skip


SOME = {"amount": {"minor": 100, "currency": "UGX"}, "minutes": 60}
HOMES = itertools.count()
URL = "https://shop.example/hook"
# The payer of the one payment there is has been asked, and nothing was taken yet.
NOT_AS_IT_STANDS = {"POST /payments/{payment}/cancel", "POST /payments/{payment}/refund"}


@dataclass
class Served:
    """The API on a socket, in a thread of its own, and a key for all of it."""

    url: str
    key: str
    payment: str
    quote: str
    user: str
    webhooks: dict[str, str]  # one for each operation, because one of them ends it
    event: str
    reservation: str


@pytest.fixture(scope="module")
def served(shared_database_url: str) -> Iterator[Served]:
    ready, over = threading.Event(), threading.Event()
    told: list[Served] = []

    async def serve() -> None:
        paces: dict[str, Any] = {
            f"CAPP_API_CLIENT_{name}_PER_MINUTE": "1000000" for name in ("ADDRESS", "KEY", "TENANT")
        }
        keys: dict[str, Any] = {"CAPP_WEBHOOK_KEYS": f"1:{bytes(range(32)).hex()}"}
        async with open_client_room(shared_database_url, **paces, **keys) as room:
            config = uvicorn.Config(room.app, port=0, log_config=None, lifespan="off")
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            webhooks = {name: await subscribed(room) for name in OPERATIONS if "{webhook}" in name}
            payment = await room.send()
            async with open_hooks(room.engine) as hooks:
                assert hooks is not None
                await hooks.journal.sweep()
            event = (await room.get("/events")).json()["events"][0]["id"]
            reservation = (await room.post("/liquidity/reserve", SOME)).json()["id"]
            quote = (await room.post("/quotes", PRICE)).json()["id"]
            told.append(
                Served(
                    f"http://127.0.0.1:{port}", room.texts["shop"], payment, quote,
                    room.payer.customer_id, webhooks, event, reservation,
                )
            )  # fmt: skip
            ready.set()
            await asyncio.to_thread(over.wait)
            server.should_exit = True
            await serving

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(120), "the server does not answer"
        yield told[0]
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def schema(served: Served) -> Any:
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


def test_the_schema_that_is_tried_is_the_whole_of_it(schema: Any) -> None:
    found = {
        f"{result.ok().method.upper()} {result.ok().path}" for result in schema.get_all_operations()
    }
    assert found == OPERATIONS


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_no_request_leads_to_a_500_or_to_an_answer_nobody_described(
    served: Served, schema: Any, name: str, mode: GenerationMode
) -> None:
    method, path = name.split(" ")
    operation = schema[path][method]
    headers = {"authorization": f"Bearer {served.key}"}
    statuses: set[int] = set()

    number = itertools.count()

    @seed(20261121)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and next(number) % 2:
            bring_home(case, name, served)
        answer = case.call(headers=headers)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    run()
    assert statuses and max(statuses) < 500
    if mode is GenerationMode.NEGATIVE:
        assert statuses - {200, 201}, "nothing was refused"
    else:
        assert statuses & {200, 201} or name in NOT_AS_IT_STANDS, "nothing was done"


async def subscribed(room: ClientRoom) -> str:
    """A subscription that nothing is sent to."""
    answer = await room.post("/webhooks", {"url": URL})
    return str(answer.json()["id"])


def bring_home(case: Any, name: str, served: Served) -> None:
    """The same request about what there is: a customer, a payment of theirs, an open pool."""
    ours = {"payment": served.payment, "user": served.user, "currency": "UGX", "base": "KES"}
    ours |= {"webhook": served.webhooks.get(name, ""), "event": served.event}
    ours["reservation"] = served.reservation
    ours["quote"] = "UGX" if "exchange-rates" in name else served.quote
    case.path_parameters = {word: ours[word] for word in case.path_parameters or {}}
    if isinstance(case.body, dict) and "payer" in case.body:
        case.body = {**case.body, **PRICE}
    if name == "POST /liquidity/reserve":
        case.body = SOME
    elif isinstance(case.body, dict) and case.body.get("reservation"):
        case.body = {**case.body, "reservation": served.reservation}
    # Every run draws the same keys, for each operation.
    if ("webhook" in name or "liquidity" in name) and case.headers:
        case.headers = {**case.headers, "Idempotency-Key": f"home-{next(HOMES):06d}"}
    if isinstance(case.body, dict) and "url" in case.body:
        case.body = {**case.body, "url": URL}
