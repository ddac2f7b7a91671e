"""A business takes a payment over the REST API: the payer's own phone approves, no PIN is sent."""

import os
import subprocess
import sys

import httpx

from simulator.stack import PROJECT, read_secrets
from tests.e2e.city import City


def key_of(city: City, name: str, scopes: str) -> str:
    """As whoever looks after the installation makes one, at the terminal."""
    environment = {
        **os.environ, **read_secrets(city.stack.kept / "demo.env"),
        "DATABASE_URL": city.stack.database_url, "REDIS_URL": city.stack.redis_url,
        "CAPP_PUBLIC_URL": city.places.server,
    }  # fmt: skip
    made = subprocess.run(
        [sys.executable, "-m", "channels.cli", "api-keys", "create", name, "--scopes", scopes],
        cwd=PROJECT, env=environment, capture_output=True, text=True, check=True, timeout=180,
    )  # fmt: skip
    return made.stdout.strip()


async def test_a_business_sends_and_the_payee_is_paid(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.register(payer)
    key = key_of(city, "shop", "quotes:read,payments:read,payments:write")
    api = f"{city.places.server}/api/v1"
    headers = {"authorization": f"Bearer {key}"}

    async def post(path: str, body: object, name: str) -> httpx.Response:
        return await city.client.post(
            f"{api}{path}", json=body, headers={**headers, "idempotency-key": name}
        )

    price = {
        "payer": payer.msisdn, "payee": payee.msisdn,
        "amount": {"minor": 50_000, "currency": "KES"},
    }  # fmt: skip
    check = (await post("/payments/check", price, "check-e2e-1")).json()
    assert (check["would_succeed"], check["reason"]) == (True, "")
    quote = (await post("/quotes", price, "quote-e2e-1")).json()
    sent = await post("/payments/send", {"quote": quote["id"]}, "order-e2e-1")
    assert sent.status_code == 201, sent.text
    payment = await city.ends(payer, "PAID")
    again = await post("/payments/send", {"quote": quote["id"]}, "order-e2e-1")
    assert (again.content, again.headers["idempotency-replayed"]) == (sent.content, "true")
    path = f"{api}/payments/{sent.json()['id']}/status"
    status = (await city.client.get(path, headers=headers)).json()
    assert (status["outcome"], status["code"]) == ("paid", payment.code)
    await city.assert_moved_once(payment, payer, payee)
    await city.told(payer, payment.code)
    described = await city.client.get(f"{city.places.server}/openapi.json")
    assert described.json()["openapi"] == "3.1.0"
