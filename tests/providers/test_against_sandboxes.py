"""Our adapters against the sandboxes: two independent readings of the same references meet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from engine.clock import AttemptId, Clock, Ids
from engine.errors import Rejected
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import (
    Accepted,
    Callback,
    Direction,
    Finding,
    OperatorPort,
    Order,
    Outcome,
    Reason,
    Sms,
)
from providers.africastalking import AfricasTalkingSettings, AfricasTalkingSms
from providers.mpesa import Mpesa
from providers.mtn_momo import UGANDA, MtnMomo, MtnMomoSettings
from simulator.operators import credentials
from simulator.sandbox import Sandboxes
from tests.providers.company import Answer, Company
from tests.providers.sandbox_settings import mpesa_settings

CLOCK = Clock()
IDS = Ids(CLOCK)
COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND
DEADLINE_SECONDS = 120.0


@pytest.fixture
async def sandboxes() -> AsyncIterator[Sandboxes]:
    async with Sandboxes.start() as started:
        yield started


@pytest.fixture
async def mpesa(sandboxes: Sandboxes) -> AsyncIterator[Mpesa]:
    adapter = Mpesa(mpesa_settings(sandboxes), clock=CLOCK)
    yield adapter
    await adapter.aclose()


@pytest.fixture
async def mtn(sandboxes: Sandboxes) -> AsyncIterator[MtnMomo]:
    settings = MtnMomoSettings(
        base_url=sandboxes.mtn_url,
        target_environment="mtnuganda",
        api_user=credentials.MTN_SANDBOX_API_USER,
        api_key=credentials.MTN_SANDBOX_API_KEY,
        collection_key=credentials.MTN_SANDBOX_COLLECTION_SUBSCRIPTION_KEY,
        disbursement_key=credentials.MTN_SANDBOX_DISBURSEMENT_SUBSCRIPTION_KEY,
    )
    adapter = MtnMomo(UGANDA, settings, clock=CLOCK)
    yield adapter
    await adapter.aclose()


@pytest.fixture
def callbacks(company: Company) -> "Callbacks":
    return Callbacks(company)


KINDS = ("stk-callback", "b2c-result", "timeout", "status-result", "collection", "disbursement")


class Callbacks:
    """Our front door: takes every callback and hands its body to the adapter."""

    def __init__(self, company: Company) -> None:
        self._company = company
        for kind in KINDS:
            company.on(f"/cb/{kind}/6f1c0f1e9b", Answer())

    @property
    def url(self) -> str:
        return f"{self._company.url}/cb/6f1c0f1e9b"

    async def read(self, adapter: OperatorPort, kind: str) -> Callback:
        async with asyncio.timeout(DEADLINE_SECONDS):
            path = f"/cb/{kind}/6f1c0f1e9b"
            while not (received := self._company.received(path)):  # noqa: ASYNC110 - no event here
                await asyncio.sleep(0.01)
        return adapter.read_callback(kind, received[-1].body)


def make_order(direction: Direction, url: str, money: Money, number: str, **more: Any) -> Order:
    return Order(
        attempt_id=more.pop("attempt_id", IDS.attempt()),
        direction=direction,
        amount=money,
        msisdn=Msisdn(number),
        code="7KQ2M4XW9D",
        callback_url=url,
        **more,
    )


def kenyan(direction: Direction, url: str, **more: Any) -> Order:
    return make_order(direction, url, Money(15_000, "KES"), "+254712345678", **more)


def ugandan(direction: Direction, url: str, **more: Any) -> Order:
    return make_order(direction, url, Money(13_600, "UGX"), "+256772123456", **more)


async def finally_found(ask: Callable[[], Awaitable[Finding]]) -> Finding:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (finding := await ask()).outcome is Outcome.PENDING:  # noqa: ASYNC110 - polling
            await asyncio.sleep(0.05)
    return finding


async def test_mpesa_collection(mpesa: Mpesa, callbacks: Callbacks) -> None:
    order = kenyan(COLLECT, callbacks.url)
    accepted = await mpesa.collect(order)
    callback = await callbacks.read(mpesa, "stk-callback")
    told = callback.finding
    assert told.outcome is Outcome.SUCCEEDED
    assert (told.amount, told.msisdn) == (order.amount, order.msisdn)
    assert told.provider_reference == accepted.provider_reference
    assert told.receipt is not None
    assert told.receipt in callback.redacted
    assert "254712345678" not in callback.redacted
    asked = kenyan(COLLECT, callbacks.url, provider_reference=accepted.provider_reference)
    found = await finally_found(lambda: mpesa.query(asked))
    assert found.outcome is Outcome.SUCCEEDED
    assert found.provider_reference == accepted.provider_reference


@pytest.mark.parametrize("direction", [DISBURSE, REFUND])
async def test_mpesa_payout_and_its_status(
    mpesa: Mpesa, callbacks: Callbacks, direction: Direction
) -> None:
    order = kenyan(direction, callbacks.url)
    pay = mpesa.disburse if direction is DISBURSE else mpesa.refund
    accepted = await pay(order)
    told = (await callbacks.read(mpesa, "b2c-result")).finding
    assert told.outcome is Outcome.SUCCEEDED
    assert (told.amount, told.msisdn) == (order.amount, order.msisdn)
    assert told.provider_reference == accepted.provider_reference

    assert await pay(order) == Accepted()  # the same order again: refused as a duplicate

    assert (await mpesa.query(order)).outcome is Outcome.ASKED
    status = await callbacks.read(mpesa, "status-result")
    assert status.finding.outcome is Outcome.SUCCEEDED
    assert (status.finding.amount, status.finding.msisdn) == (order.amount, order.msisdn)
    assert status.finding.provider_reference is None  # whose id it lists nobody publishes
    assert status.finding.receipt == told.receipt


async def test_mpesa_payout_nobody_made_stays_pending(mpesa: Mpesa, callbacks: Callbacks) -> None:
    await mpesa.query(kenyan(DISBURSE, callbacks.url))
    assert (await callbacks.read(mpesa, "status-result")).finding.outcome is Outcome.PENDING


async def test_mpesa_payer_without_money(
    mpesa: Mpesa, callbacks: Callbacks, sandboxes: Sandboxes
) -> None:
    sandboxes.mpesa.wallets.open("254712345678").balance_minor = 0
    await mpesa.collect(kenyan(COLLECT, callbacks.url))
    told = (await callbacks.read(mpesa, "stk-callback")).finding
    assert (told.outcome, told.reason) == (Outcome.FAILED, Reason.INSUFFICIENT_FUNDS)


async def test_mtn_collection_and_its_refund(mtn: MtnMomo, callbacks: Callbacks) -> None:
    order = ugandan(COLLECT, callbacks.url)
    assert await mtn.collect(order) == Accepted()
    told = (await callbacks.read(mtn, "collection")).finding
    found = await finally_found(lambda: mtn.query(order))
    assert told == found
    assert told.outcome is Outcome.SUCCEEDED
    assert (told.amount, told.msisdn) == (order.amount, order.msisdn)

    assert await mtn.collect(order) == Accepted()  # 409

    refund = ugandan(REFUND, callbacks.url, collected_attempt_id=order.attempt_id)
    assert await mtn.refund(refund) == Accepted()
    given_back = await finally_found(lambda: mtn.query(refund))
    assert (given_back.outcome, given_back.amount) == (Outcome.SUCCEEDED, order.amount)


async def test_mtn_transfer(mtn: MtnMomo, callbacks: Callbacks) -> None:
    order = ugandan(DISBURSE, callbacks.url)
    assert await mtn.disburse(order) == Accepted()
    told = (await callbacks.read(mtn, "disbursement")).finding
    assert told == await finally_found(lambda: mtn.query(order))
    assert told.outcome is Outcome.SUCCEEDED
    assert (told.amount, told.msisdn) == (order.amount, order.msisdn)


async def test_mtn_reference_nobody_knows(mtn: MtnMomo, callbacks: Callbacks) -> None:
    for direction in Direction:
        found = await mtn.query(ugandan(direction, callbacks.url))
        assert found.outcome is Outcome.NOT_FOUND


async def test_mtn_callback_to_a_host_that_was_not_registered(
    mtn: MtnMomo, callbacks: Callbacks
) -> None:
    with pytest.raises(Rejected) as caught:
        await mtn.collect(ugandan(COLLECT, "http://elsewhere.example/cb/6f1c0f1e9b"))
    assert caught.value.code == "INVALID_CALLBACK_URL_HOST"


async def test_mtn_refund_of_a_collection_nobody_made(mtn: MtnMomo, callbacks: Callbacks) -> None:
    nothing = AttemptId(IDS.hex())
    with pytest.raises(Rejected):
        await mtn.refund(ugandan(REFUND, callbacks.url, collected_attempt_id=nothing))


async def test_expired_tokens_are_renewed(
    mpesa: Mpesa, mtn: MtnMomo, callbacks: Callbacks, sandboxes: Sandboxes
) -> None:
    for _ in range(2):
        await mpesa.disburse(kenyan(DISBURSE, callbacks.url))
        await mtn.disburse(ugandan(DISBURSE, callbacks.url))
        sandboxes.mpesa.tokens.revoke_all()
        sandboxes.mtn.tokens.clear()


async def test_sms_and_balance(sandboxes: Sandboxes) -> None:
    settings = AfricasTalkingSettings(
        base_url=sandboxes.gateway_url,
        username=credentials.GATEWAY_SANDBOX_USERNAME,
        api_key=credentials.GATEWAY_SANDBOX_API_KEY,
    )
    gateway = AfricasTalkingSms(settings)
    try:
        message = Sms(IDS.intent(), Msisdn("+254712345670"), "7KQ2M4XW9D Confirmed. + & ü €")
        accepted = await gateway.send(message)
        assert accepted.message_id
        assert (await gateway.fetch_balance()).minor > 0
    finally:
        await gateway.aclose()
