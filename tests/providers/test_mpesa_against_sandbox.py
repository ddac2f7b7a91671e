"""The M-PESA adapter's C2B, reversal, B2B and B2C v1 against the sandbox: two readings meet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from engine.clock import Clock, Ids
from engine.errors import Rejected
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import (
    PAY_IN_NOTICE,
    PAY_IN_QUESTION,
    PAY_IN_RETURN,
    PAY_IN_STATUS,
    PAY_IN_TIMEOUT,
    Direction,
    Order,
    Outcome,
    PayInRefusal,
    callback_at,
)
from providers.mpesa import Mpesa
from providers.mpesa.business import RESULT_KIND, BusinessOrder, Purpose
from simulator.operators import credentials
from simulator.operators.mpesa import MpesaSettings as SandboxSettings
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.providers.company import Answer, Company
from tests.providers.sandbox_clients import PAYER, MpesaClient, open_client
from tests.providers.sandbox_settings import mpesa_settings
from tests.providers.test_mpesa_c2b_sandbox import pay_in

CLOCK = Clock()
IDS = Ids(CLOCK)
STEM = "/api/v1/webhooks/daraja"
WORD = "1.0a"
KINDS = (
    PAY_IN_NOTICE, PAY_IN_QUESTION, PAY_IN_STATUS, PAY_IN_RETURN, PAY_IN_TIMEOUT, RESULT_KIND,
    "stk-callback", "b2c-result", "b2c-v1-result", "reversal-result", "status-result", "timeout",
)  # fmt: skip
DEADLINE_SECONDS = 120.0


@pytest.fixture
async def sandboxes() -> AsyncIterator[Sandboxes]:
    quick = SandboxSettings(processing_seconds=0, callback_delay_seconds=0.01)
    async with Sandboxes.start(SandboxesSettings(mpesa=quick)) as started:
        yield started


@pytest.fixture
async def customer(sandboxes: Sandboxes) -> AsyncIterator[MpesaClient]:
    """Whoever pays in by hand: the sandbox's own call, by a client that knows no adapter."""
    async with open_client(sandboxes.mpesa_url) as client:
        hands = MpesaClient(client, "")
        await hands.log_in()
        yield hands


class Door:
    """Takes every callback, and gives what came of one kind."""

    def __init__(self, company: Company) -> None:
        self._company = company
        for kind in KINDS:
            company.on(f"{STEM}/{kind}/{WORD}", Answer())

    @property
    def url(self) -> str:
        return f"{self._company.url}{STEM}/{WORD}"

    def at(self, kind: str) -> str:
        return callback_at(self.url, kind)

    def answer(self, kind: str, body: bytes) -> None:
        self._company.on(f"{STEM}/{kind}/{WORD}", Answer(200, body=body))

    async def came(self, kind: str, count: int = 1) -> bytes:
        path = f"{STEM}/{kind}/{WORD}"
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(received := self._company.received(path)) < count:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
        return received[count - 1].body


@pytest.fixture
def door(company: Company) -> Door:
    return Door(company)


@asynccontextmanager
async def adapter_of(sandboxes: Sandboxes, **changes: Any) -> AsyncIterator[Mpesa]:
    adapter = Mpesa(mpesa_settings(sandboxes, **changes), clock=CLOCK)
    yield adapter
    await adapter.aclose()


def kenyan(direction: Direction, url: str, **more: Any) -> Order:
    return Order(
        attempt_id=IDS.attempt(), direction=direction, amount=Money(1_000, "KES"),
        msisdn=Msisdn(f"+{PAYER}"), code="7KQ2M4XW9D", callback_url=url, **more,
    )  # fmt: skip


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_pay_in_is_announced_proven_and_sent_back(
    sandboxes: Sandboxes, customer: MpesaClient, door: Door, version: str
) -> None:
    async with adapter_of(sandboxes, pay_in_version=version) as mpesa:
        await mpesa.register_pay_ins(
            question_url=door.at(PAY_IN_QUESTION), notice_url=door.at(PAY_IN_NOTICE)
        )
        await pay_in(customer, BillRefNumber="7KQ2M4XW9D")
        paid = mpesa.read_pay_in(await door.came(PAY_IN_NOTICE))
        assert (paid.amount, paid.reference) == (Money(1_000, "KES"), "7KQ2M4XW9D")
        assert mpesa.is_payer(paid.payer, Msisdn(f"+{PAYER}"))
        assert not mpesa.is_payer(paid.payer, Msisdn("+254712345679"))

        await mpesa.ask_pay_in(paid.receipt, door.url)
        proof = mpesa.read_pay_in_answer(PAY_IN_STATUS, await door.came(PAY_IN_STATUS)).finding
        assert (proof.outcome, proof.receipt) == (Outcome.SUCCEEDED, paid.receipt)
        assert (proof.amount, proof.msisdn) == (paid.amount, f"+{PAYER}")

        before = sandboxes.mpesa.wallets.open(PAYER).balance_minor
        for count, code in ((1, "0"), (2, "R000001")):
            await mpesa.return_pay_in(paid, door.url)
            told = mpesa.read_pay_in_answer(PAY_IN_RETURN, await door.came(PAY_IN_RETURN, count))
            assert (told.finding.outcome, told.finding.code) == (Outcome.SUCCEEDED, code)
        assert sandboxes.mpesa.wallets.open(PAYER).balance_minor - before == 1_000


@pytest.mark.parametrize("refusal", [None, *PayInRefusal])
async def test_our_answer_to_a_validation_decides(
    sandboxes: Sandboxes, customer: MpesaClient, door: Door, refusal: PayInRefusal | None
) -> None:
    sandboxes.mpesa.settings = msgspec.structs.replace(sandboxes.mpesa.settings, validation=True)
    async with adapter_of(sandboxes, pay_in_unanswered="Completed") as mpesa:
        door.answer(PAY_IN_QUESTION, mpesa.answer_pay_in(refusal).body)
        await mpesa.register_pay_ins(
            question_url=door.at(PAY_IN_QUESTION), notice_url=door.at(PAY_IN_NOTICE)
        )
        await pay_in(customer)
        asked = mpesa.read_pay_in(await door.came(PAY_IN_QUESTION))
        assert asked.amount == Money(1_000, "KES")
        if refusal is None:
            assert mpesa.read_pay_in(await door.came(PAY_IN_NOTICE)) == asked
        else:
            await asyncio.sleep(0.1)
        assert len(sandboxes.mpesa.ledger.movements) == (refusal is None)


async def test_a_second_registration_in_production_says_what_to_do(
    sandboxes: Sandboxes, door: Door
) -> None:
    changed = msgspec.structs.replace(sandboxes.mpesa.settings, registers_once=True)
    sandboxes.mpesa.settings = changed
    async with adapter_of(sandboxes) as mpesa:
        urls = {"question_url": door.at(PAY_IN_QUESTION), "notice_url": door.at(PAY_IN_NOTICE)}
        await mpesa.register_pay_ins(**urls)
        with pytest.raises(Rejected, match="portal"):
            await mpesa.register_pay_ins(**urls)


async def test_a_collection_is_given_back_by_its_receipt(sandboxes: Sandboxes, door: Door) -> None:
    async with adapter_of(sandboxes, refund_by="reversal") as mpesa:
        collected = kenyan(Direction.COLLECT, door.url)
        await mpesa.collect(collected)
        receipt = mpesa.read_callback("stk-callback", await door.came("stk-callback")).finding
        refund = kenyan(Direction.REFUND, door.url, collected_receipt=receipt.receipt)
        accepted = await mpesa.refund(refund)
        told = mpesa.read_callback("reversal-result", await door.came("reversal-result")).finding
        assert (told.outcome, told.amount) == (Outcome.SUCCEEDED, refund.amount)
        assert told.msisdn == f"+{PAYER}"
        again = await mpesa.refund(refund)  # a repeat gives nothing back twice
        assert again.provider_reference != accepted.provider_reference
        repeated = await door.came("reversal-result", 2)
        assert mpesa.read_callback("reversal-result", repeated).finding.outcome is Outcome.SUCCEEDED
        kinds = [m.kind for m in sandboxes.mpesa.ledger.movements]
        assert kinds == ["collection", "refund"]


async def test_b2b_loads_the_account_that_payouts_leave(sandboxes: Sandboxes, door: Door) -> None:
    async with adapter_of(sandboxes) as mpesa:
        await mpesa.collect(kenyan(Direction.COLLECT, door.url))
        await door.came("stk-callback")
        order = BusinessOrder(
            Purpose.LOAD_PAYOUTS, Money(1_000, "KES"), credentials.MPESA_SANDBOX_SHORTCODE,
            credentials.MPESA_SANDBOX_B2C_SHORTCODE, "load-1", door.url,
        )  # fmt: skip
        await mpesa.move_between_businesses(order)
        done = mpesa.read_business_result(await door.came(RESULT_KIND)).finding
        assert (done.outcome, done.amount) == (Outcome.SUCCEEDED, Money(1_000, "KES"))
        await mpesa.move_between_businesses(order)
        short = mpesa.read_business_result(await door.came(RESULT_KIND, 2)).finding
        assert short.outcome is Outcome.FAILED
        assert sandboxes.mpesa.ledger.balances_minor["collection"] == 0


async def test_v1_pays_and_is_asked_about_by_the_gateways_id(
    sandboxes: Sandboxes, door: Door
) -> None:
    async with adapter_of(sandboxes, payout_version="v1") as mpesa:
        order = kenyan(Direction.DISBURSE, door.url)
        accepted = await mpesa.disburse(order)
        paid = mpesa.read_callback("b2c-v1-result", await door.came("b2c-v1-result")).finding
        assert paid.outcome is Outcome.SUCCEEDED
        asked = msgspec.structs.replace(order, provider_reference=accepted.provider_reference)
        assert (await mpesa.query(asked)).outcome is Outcome.ASKED
        told = mpesa.read_callback("status-result", await door.came("status-result")).finding
        assert (told.outcome, told.amount) == (Outcome.SUCCEEDED, order.amount)
