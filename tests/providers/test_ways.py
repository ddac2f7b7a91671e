"""Three adapters whose settings say how money is ordered: an attempt keeps the way it began by."""

from typing import Any

import msgspec
import pytest

from engine.errors import OutcomeUnknown, Rejected
from engine.ports import Accepted, Direction, OperatorPort, Order, Outcome, WayPort
from providers.airtel_money import RefundBy
from providers.mpesa import Mpesa
from providers.mtn_momo.payouts import Payout
from tests.providers import airtel_subjects, mtn_subjects
from tests.providers.airtel_subjects import DISBURSE_PATHS, PAID_OUT, kenyan_order
from tests.providers.company import Answer, Company
from tests.providers.conftest import HandClock
from tests.providers.subjects import (
    ATTEMPT,
    KENYAN_TOKEN_PATH,
    MPESA,
    PAYOUT_PATH,
    REFERENCE,
    STATUS_PATH,
    TAKEN,
    order,
)
from tests.providers.test_mpesa_pay_ins import RECEIPT, settings_with
from tests.providers.test_mtn_products import NOT_THERE, PATHS

COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND
V1_PATH = "/mpesa/b2c/v1/paymentrequest"
REVERSAL_PATH = "/mpesa/reversal/v1/request"
UNREADABLE = ("", "v9", "v9 payout 600000", "transfer", "4 disbursement aa", "1 2 3 4")


def mpesa_of(company: Company, clock: HandClock, **changes: Any) -> Mpesa:
    company.on(KENYAN_TOKEN_PATH, MPESA.token)
    return Mpesa(settings_with(company.url, **changes), clock=clock)


def way_of(adapter: OperatorPort) -> str:
    assert isinstance(adapter, WayPort) and adapter.facts.orders_by
    return adapter.facts.orders_by


async def mpesa_way(company: Company, clock: HandClock, **changes: Any) -> str:
    adapter = mpesa_of(company, clock, **changes)
    await adapter.aclose()
    return way_of(adapter)


def kenyan(direction: Direction, by: str) -> Order:
    return msgspec.structs.replace(kenyan_order(direction), by=by)


# M-PESA.


async def test_a_payout_of_v1_is_never_sent_by_v3(company: Company, clock: HandClock) -> None:
    by = await mpesa_way(company, clock, payout_version="v1")
    company.on(V1_PATH, TAKEN)
    mpesa = mpesa_of(company, clock)
    paid = msgspec.structs.replace(order(DISBURSE), by=by)
    assert not mpesa.may_repeat(DISBURSE, by) and not mpesa.may_repeat(REFUND, by)
    assert mpesa.may_repeat(DISBURSE, way_of(mpesa))
    lost = await mpesa.query(paid)  # v3 would ask by an id that v1 never told
    assert (lost.outcome, lost.code) == (Outcome.PENDING, "no_conversation_id")
    assert await mpesa.disburse(paid) == Accepted(ATTEMPT)  # one that never left
    assert company.received(PAYOUT_PATH) == []
    (sent,) = company.received(V1_PATH)
    assert "OriginatorConversationID" not in sent.json
    assert "/b2c-v1-result/" in sent.json["ResultURL"]
    await mpesa.aclose()


async def test_a_payout_of_v3_is_repeated_by_v3_under_v1(
    company: Company, clock: HandClock
) -> None:
    by = await mpesa_way(company, clock)
    company.on(PAYOUT_PATH, TAKEN)
    company.on(STATUS_PATH, TAKEN)
    mpesa = mpesa_of(company, clock, payout_version="v1")
    paid = msgspec.structs.replace(order(DISBURSE), by=by)
    assert mpesa.may_repeat(DISBURSE, by) and not mpesa.may_repeat(DISBURSE, way_of(mpesa))
    await mpesa.disburse(paid)
    assert (await mpesa.query(paid)).outcome is Outcome.ASKED
    assert company.received(PAYOUT_PATH)[0].json["OriginatorConversationID"] == ATTEMPT
    assert company.received(STATUS_PATH)[0].json["OriginalConversationID"] == ATTEMPT
    assert company.received(V1_PATH) == []
    await mpesa.aclose()


@pytest.mark.parametrize("before", ["payout", "reversal"])
async def test_a_refund_goes_back_as_it_began(
    company: Company, clock: HandClock, before: str
) -> None:
    after = {"payout": "reversal", "reversal": "payout"}[before]
    by = await mpesa_way(company, clock, refund_by=before)
    for path in (PAYOUT_PATH, REVERSAL_PATH):
        company.on(path, TAKEN)
    mpesa = mpesa_of(company, clock, refund_by=after)
    await mpesa.refund(msgspec.structs.replace(order(REFUND), by=by, collected_receipt=RECEIPT))
    assert len(company.received(PAYOUT_PATH)) == (before == "payout")
    assert len(company.received(REVERSAL_PATH)) == (before == "reversal")
    await mpesa.aclose()


async def test_no_payout_is_sent_again_from_another_shortcode(
    company: Company, clock: HandClock
) -> None:
    by = await mpesa_way(company, clock)
    company.on(PAYOUT_PATH, TAKEN)
    company.on(STATUS_PATH, TAKEN)
    mpesa = mpesa_of(company, clock, b2c_shortcode="600999")
    paid = msgspec.structs.replace(order(DISBURSE), by=by)
    assert not mpesa.may_repeat(DISBURSE, by)
    with pytest.raises(Rejected) as caught:
        await mpesa.disburse(paid)
    assert caught.value.code == "shortcode"
    assert company.received(PAYOUT_PATH) == []
    assert (await mpesa.query(paid)).outcome is Outcome.ASKED
    assert company.received(STATUS_PATH)[0].json["PartyA"] in by
    await mpesa.aclose()


@pytest.mark.parametrize("settings", [{}, {"payout_version": "v1"}])
async def test_a_result_of_v1_contradicts_nothing_whatever_is_set_when_it_comes(
    company: Company, clock: HandClock, settings: dict[str, str]
) -> None:
    mpesa = mpesa_of(company, clock, **settings)
    body = b'{"Result": {"ResultCode": 0, "ConversationID": "AG_1", "TransactionID": "T1"}}'
    finding = mpesa.read_callback("b2c-v1-result", body).finding
    assert (finding.outcome, finding.provider_reference) == (Outcome.SUCCEEDED, None)
    await mpesa.aclose()


# Airtel.


async def test_airtels_refund_is_never_repeated_as_a_payout(
    company: Company, clock: HandClock
) -> None:
    async with airtel_subjects.opened(company, clock, refund_by=RefundBy.REFUND) as before:
        by = way_of(before)
    async with airtel_subjects.opened(company, clock) as airtel:
        assert not airtel.may_repeat(REFUND, by)
        assert airtel.may_repeat(DISBURSE, by) and airtel.may_repeat(REFUND, way_of(airtel))
        with pytest.raises(OutcomeUnknown):  # among payouts it would be "not found"
            await airtel.query(kenyan(REFUND, by))
    assert company.received(airtel_subjects.DISBURSE_ENQUIRY_PATH) == []


@pytest.mark.parametrize(
    ("before", "after", "is_safe"),
    [
        ({}, {"disbursement_version": 2}, True),
        ({}, {"disbursement_version": 2, "repeats_payouts": False}, False),
        ({"disbursement_version": 3, "repeats_payouts": False}, {}, False),
        ({"disbursement_version": 3}, {"disbursement_version": 3}, True),
        ({"refund_by": RefundBy.DISBURSEMENT}, {"refund_by": RefundBy.REFUND}, True),
        ({"client_id": "another"}, {}, False),
    ],
)
async def test_airtel_pays_out_by_the_version_it_began_by(
    company: Company,
    clock: HandClock,
    before: dict[str, Any],
    after: dict[str, Any],
    is_safe: bool,
) -> None:
    async with airtel_subjects.opened(company, clock, **before) as earlier:
        by = way_of(earlier)
    version = before.get("disbursement_version", 1)
    company.on(DISBURSE_PATHS[version], PAID_OUT)
    async with airtel_subjects.opened(company, clock, **after) as airtel:
        assert airtel.may_repeat(DISBURSE, by) is airtel.may_repeat(REFUND, by) is is_safe
        assert not airtel.may_repeat(COLLECT, by)
        if "client_id" in before:
            with pytest.raises(Rejected) as caught:
                await airtel.disburse(kenyan(DISBURSE, by))
            assert caught.value.code == "application"
            return
        await airtel.refund(kenyan(REFUND, by))
    assert len(company.received(DISBURSE_PATHS[version])) == 1


# MTN.


async def test_mtn_pays_and_asks_by_the_product_it_began_by(
    company: Company, clock: HandClock
) -> None:
    async with mtn_subjects.opened(company, clock) as before:
        by = way_of(before)
    company.on(PATHS[Payout.TRANSFER], Answer(202))
    company.on(f"{PATHS[Payout.TRANSFER]}/{REFERENCE}", NOT_THERE)
    paid = mtn_subjects.cash_order(by=by)
    async with mtn_subjects.opened(company, clock, payout=Payout.CASH_TRANSFER) as mtn:
        assert mtn.may_repeat(DISBURSE, by)
        assert await mtn.disburse(paid) == Accepted()
        assert (await mtn.query(paid)).outcome is Outcome.NOT_FOUND
    assert company.received(PATHS[Payout.CASH_TRANSFER]) == []


async def test_mtn_sends_nothing_again_where_key_or_user_are_others(
    company: Company, clock: HandClock
) -> None:
    async with mtn_subjects.opened(company, clock, payout=Payout.REMITTANCE) as before:
        by = way_of(before)
    paid = mtn_subjects.cash_order(by=by)
    async with mtn_subjects.opened(company, clock, remittance_key="") as mtn:
        assert not mtn.may_repeat(DISBURSE, by) and mtn.may_repeat(REFUND, by)
        with pytest.raises(Rejected):
            await mtn.disburse(paid)
        with pytest.raises(OutcomeUnknown):
            await mtn.query(paid)
    async with mtn_subjects.opened(company, clock, api_user="another") as mtn:
        for direction in Direction:  # a prompt of another user is a second prompt
            assert not mtn.may_repeat(direction, by)
        for order_ in (mtn.disburse, mtn.refund, mtn.collect):
            with pytest.raises(Rejected) as caught:
                await order_(msgspec.structs.replace(paid, collected_attempt_id=paid.attempt_id))
            assert caught.value.code == "user"


# All of them.


async def test_a_way_that_is_not_known_sends_nothing(company: Company, clock: HandClock) -> None:
    mpesa = mpesa_of(company, clock)
    async with (
        airtel_subjects.opened(company, clock) as airtel,
        mtn_subjects.opened(company, clock) as mtn,
    ):
        for adapter in (mpesa, airtel, mtn):
            for by in UNREADABLE:
                assert not adapter.may_repeat(DISBURSE, by)
    with pytest.raises(Rejected):
        await mpesa.disburse(msgspec.structs.replace(order(DISBURSE), by="v9 payout 600000"))
    await mpesa.aclose()


async def test_no_way_tells_a_credential(company: Company, clock: HandClock) -> None:
    async with airtel_subjects.opened(company, clock, client_id="airtel-client-x15") as airtel:
        assert "client" not in way_of(airtel)
    async with mtn_subjects.opened(company, clock, api_user="user-x16") as mtn:
        assert "user" not in way_of(mtn)
