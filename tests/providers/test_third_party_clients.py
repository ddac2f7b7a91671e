"""Independent clients against our sandboxes, unchanged but for the address they call.

Their authors read the operators' pages, not ours. Which were tried, and which cannot be installed,
is in `simulator/README.md`.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from mpesa_connect.app import App
from mpesa_connect.authorization import Authorization
from mpesa_connect.stk_push import STKPush

from simulator.operators import credentials
from simulator.sandbox import Sandboxes
from tests.until import until

SHORTCODE = int(credentials.MPESA_SANDBOX_SHORTCODE)
PASSKEY = credentials.MPESA_SANDBOX_PASSKEY


@pytest.fixture
async def sandboxes() -> AsyncIterator[Sandboxes]:
    async with Sandboxes.start() as started:
        yield started


def _app(sandboxes: Sandboxes, secret: str = credentials.MPESA_SANDBOX_CONSUMER_SECRET) -> App:
    class Here(App):
        base_url = sandboxes.mpesa_url

    return Here.create_sandbox(
        consumer_key=credentials.MPESA_SANDBOX_CONSUMER_KEY, consumer_secret=secret
    )


async def test_mpesa_connect_collects_by_a_push_and_asks_how_it_went(sandboxes: Sandboxes) -> None:
    app = _app(sandboxes)
    granted = await asyncio.to_thread(Authorization(app).generate_token)
    pushes = STKPush(app, access_token=granted.access_token)
    pushed = await asyncio.to_thread(
        pushes.process_request,
        business_short_code=SHORTCODE,
        pass_key=PASSKEY,
        amount=10,
        phone_number=254712345678,
        call_back_url="https://127.0.0.1:1/callback",
        account_reference="INV-1",
        transaction_desc="one",
    )
    assert pushed.response.status_code == 200
    assert pushed.response_code == "0"
    await until(lambda: sandboxes.mpesa.ledger.movements)
    asked = await asyncio.to_thread(
        pushes.query,
        business_short_code=SHORTCODE,
        pass_key=PASSKEY,
        checkout_request_id=pushed.checkout_request_id,
    )
    assert (asked.response.status_code, str(asked.result_code)) == (200, "0")
    (movement,) = sandboxes.mpesa.ledger.movements
    assert (movement.msisdn, movement.amount_minor) == ("254712345678", 10_00)


async def test_mpesa_connect_is_told_when_its_secret_is_wrong(sandboxes: Sandboxes) -> None:
    app = _app(sandboxes, secret="wrong")
    refused = await asyncio.to_thread(Authorization(app).generate_token)
    assert refused.response.status_code in (400, 401)
    assert not hasattr(refused, "access_token")
