"""MTN MoMo across a border as the contract suite takes it, and settings for its other ways."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec

from engine.clock import Clock
from engine.money import Money
from engine.ports import Direction, Order, Sender
from providers.http import Trace
from providers.mtn_momo import UGANDA, MtnMomo, MtnMomoSettings
from providers.mtn_momo.payouts import Payout
from tests.providers.company import Answer, Company
from tests.providers.subjects import (
    KENYAN,
    MTN,
    REFERENCE,
    TOKEN,
    TRANSFER_PAID,
    Operation,
    Subject,
    mtn_settings,
    ugandan_order,
)

COLLECT, DISBURSE = Direction.COLLECT, Direction.DISBURSE
SENDER = Sender("KE", Money(50_050, "KES"), KENYAN, "sw")
CASH_PATH = "/remittance/v2_0/cashtransfer"
PREAPPROVALS_PATH = "/collection/v1_0/preapprovals/msisdn/256772123456"
AGREED = Answer(body=b'[{"preApprovalId": "1", "status": "SUCCESSFUL"}]')
TOKEN_PATHS = ("/collection/token/", "/disbursement/token/", "/remittance/token/")


def settings_of(url: str, **changes: Any) -> MtnMomoSettings:
    return replace(mtn_settings(url), **{"remittance_key": "remittance-key-x27", **changes})


def abroad_settings(url: str) -> MtnMomoSettings:
    return settings_of(url, payout=Payout.CASH_TRANSFER, only_preapproved=True)


def cash_order(**changes: Any) -> Order:
    order = ugandan_order(DISBURSE)
    return msgspec.structs.replace(order, **{"sender": SENDER, **changes})


def _build(url: str, clock: Clock, trace: Trace) -> MtnMomo:
    return MtnMomo(UGANDA, abroad_settings(url), clock=clock, trace=trace)


@asynccontextmanager
async def opened(company: Company, clock: Clock, **changes: Any) -> AsyncIterator[MtnMomo]:
    """One adapter with these settings, whose tokens the company gives out."""
    for path in TOKEN_PATHS:
        company.on(path, MTN.token)
    adapter = MtnMomo(UGANDA, settings_of(company.url, **changes), clock=clock)
    try:
        yield adapter
    finally:
        await adapter.aclose()


MTN_ABROAD = Subject(
    "mtn_ug",
    abroad_settings,
    _build,
    (
        Operation("disburse", CASH_PATH, lambda a: a.disburse(cash_order()), Answer(202)),
        Operation(
            "query disburse",
            f"{CASH_PATH}/{REFERENCE}",
            lambda a: a.query(cash_order()),
            TRANSFER_PAID,
            is_query=True,
        ),
        Operation(
            "collect",
            "/collection/v1_0/requesttopay",
            lambda a: a.collect(ugandan_order(COLLECT)),
            Answer(202),
        ),
    ),
    token_paths=TOKEN_PATHS,
    token=MTN.token,
    token_refused=Answer(401, message={"message": f"expired: {TOKEN}"}),
    key_refused=MTN.key_refused,
    preparing={"preapprovals/msisdn": (PREAPPROVALS_PATH, AGREED)},
    refuses_by=MTN.refuses_by,
)
