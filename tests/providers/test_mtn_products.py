"""MTN MoMo beyond request to pay and transfer: every way of paying out, and agreeing beforehand."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from engine.clock import Clock
from engine.errors import OutcomeUnknown, Rejected, Throttled
from engine.money import Money
from engine.ports import (
    Accepted,
    CallbackTrust,
    DeliveryNoticePort,
    Direction,
    Finding,
    HolderPort,
    Outcome,
    Preapproval,
    PreapprovalPort,
    Reason,
)
from providers.environment import MissingSettings
from providers.mtn_momo import MtnMomo, reference_id
from providers.mtn_momo.payouts import Payout
from providers.registry import build_operators
from tests.providers.company import Answer, Company
from tests.providers.conftest import HandClock
from tests.providers.mtn_subjects import (
    AGREED,
    CASH_PATH,
    PREAPPROVALS_PATH,
    SENDER,
    abroad_settings,
    cash_order,
    opened,
)
from tests.providers.subjects import (
    ATTEMPT,
    CODE,
    REFERENCE,
    TRANSFER_PAID,
    UGANDAN,
    ugandan_order,
)
from tests.providers.test_mtn_momo import COLLECT, problem, status_body

NOT_THERE = problem(404, "RESOURCE_NOT_FOUND")
PATHS = {
    Payout.TRANSFER: "/disbursement/v1_0/transfer",
    Payout.DEPOSIT: "/disbursement/v1_0/deposit",
    Payout.REMITTANCE: "/remittance/v1_0/transfer",
    Payout.CASH_TRANSFER: CASH_PATH,
}
KEYS = {"disbursement": "disbursement-key-x8", "remittance": "remittance-key-x27"}


@pytest.mark.parametrize("payout", list(Payout))
async def test_every_way_of_paying_out_goes_by_its_own_product(
    company: Company, clock: HandClock, payout: Payout
) -> None:
    path = PATHS[payout]
    product = path.split("/")[1]
    company.on(path, Answer(202))
    company.on(f"{path}/{REFERENCE}", TRANSFER_PAID)
    async with opened(company, clock, payout=payout) as mtn:
        assert await mtn.disburse(cash_order()) == Accepted()
        assert (await mtn.query(cash_order())).outcome is Outcome.SUCCEEDED
    for request in (company.received(path)[0], company.received(f"{path}/{REFERENCE}")[0]):
        assert request.headers["ocp-apim-subscription-key"] == KEYS[product]
    made = company.received(path)[0]
    assert made.headers["x-callback-url"].split("/")[-2] == product
    assert made.json["payee"] == {"partyIdType": "MSISDN", "partyId": "256772123456"}
    assert made.json["amount"] == "13600"


async def test_cash_transfer_says_where_the_money_comes_from(
    company: Company, clock: HandClock
) -> None:
    company.on(CASH_PATH, Answer(202))
    async with opened(company, clock, payout=Payout.CASH_TRANSFER) as mtn:
        await mtn.disburse(cash_order())
    note = f"Payment {CODE}"
    assert company.received(CASH_PATH)[0].json == {
        "amount": "13600",
        "currency": "UGX",
        "externalId": CODE,
        "payee": {"partyIdType": "MSISDN", "partyId": "256772123456"},
        "payerMessage": note,
        "payeeNote": note,
        "orginatingCountry": "KE",
        "originalAmount": "500.50",
        "originalCurrency": "KES",
    }


async def test_of_its_sender_only_what_a_market_demands_is_told(
    company: Company, clock: HandClock
) -> None:
    company.on(CASH_PATH, Answer(202))
    demanded = ("payerMsisdn", "payerLanguageCode")
    async with opened(company, clock, payout=Payout.CASH_TRANSFER, sender_fields=demanded) as mtn:
        await mtn.disburse(cash_order())
    told = company.received(CASH_PATH)[0].json
    assert (told["payerMsisdn"], told["payerLanguageCode"]) == (SENDER.msisdn.digits, "sw")


async def test_cash_transfer_from_nobody_is_never_sent(company: Company, clock: HandClock) -> None:
    async with opened(company, clock, payout=Payout.CASH_TRANSFER) as mtn:
        with pytest.raises(Rejected) as caught:
            await mtn.disburse(cash_order(sender=None))
    assert (caught.value.code, caught.value.reason) == ("no_sender", Reason.CONFIGURATION)
    assert company.requests == []


# A change of the way of paying out, with payouts under way.


async def test_what_was_taken_by_the_way_before_is_not_paid_again(
    company: Company, clock: HandClock
) -> None:
    company.on(f"{PATHS[Payout.TRANSFER]}/{REFERENCE}", TRANSFER_PAID)
    company.on(CASH_PATH, Answer(202))
    company.on(f"{CASH_PATH}/{REFERENCE}", NOT_THERE)
    async with opened(
        company, clock, payout=Payout.CASH_TRANSFER, payouts_before=(Payout.TRANSFER,)
    ) as mtn:
        assert await mtn.disburse(cash_order()) == Accepted()
        assert company.received(CASH_PATH) == []
        assert (await mtn.query(cash_order())).outcome is Outcome.SUCCEEDED


async def test_what_no_way_before_has_taken_goes_by_the_present_one(
    company: Company, clock: HandClock
) -> None:
    for path in (PATHS[Payout.TRANSFER], PATHS[Payout.DEPOSIT]):
        company.on(f"{path}/{REFERENCE}", NOT_THERE)
    company.on(CASH_PATH, Answer(202))
    company.on(f"{CASH_PATH}/{REFERENCE}", NOT_THERE)
    before = (Payout.TRANSFER, Payout.DEPOSIT, Payout.CASH_TRANSFER)
    async with opened(company, clock, payout=Payout.CASH_TRANSFER, payouts_before=before) as mtn:
        assert await mtn.disburse(cash_order()) == Accepted()
        assert len(company.received(CASH_PATH)) == 1
        assert (await mtn.query(cash_order())).outcome is Outcome.NOT_FOUND


async def test_when_the_way_before_does_not_tell_nothing_new_is_sent(
    company: Company, clock: HandClock
) -> None:
    company.on(f"{PATHS[Payout.TRANSFER]}/{REFERENCE}", Answer(500))
    async with opened(
        company, clock, payout=Payout.DEPOSIT, payouts_before=(Payout.TRANSFER,)
    ) as mtn:
        for call in (mtn.disburse, mtn.query):
            with pytest.raises(OutcomeUnknown):
                await call(cash_order())
    assert company.received(PATHS[Payout.DEPOSIT]) == []


# What we lack is known at the start.


def built(**variables: str) -> MtnMomo:
    needed = ("API_USER", "API_KEY", "COLLECTION_KEY", "DISBURSEMENT_KEY")
    environment = {
        "CAPP_MTN_UG_BASE_URL": "http://127.0.0.1:1",
        **{f"CAPP_MTN_UG_{name}": "x" for name in needed},
        **{f"CAPP_MTN_UG_{name}": value for name, value in variables.items()},
    }
    adapter = build_operators(environment, clock=Clock(), names=["mtn_ug"])["mtn_ug"]
    assert isinstance(adapter, MtnMomo)
    return adapter


@pytest.mark.parametrize(
    "variables",
    [{"PAYOUT_PRODUCT": "cashtransfer"}, {"PAYOUT_BEFORE": "remittance"}],
)
def test_remittance_without_its_key_does_not_start(variables: dict[str, str]) -> None:
    with pytest.raises(MissingSettings, match="CAPP_MTN_UG_REMITTANCE_KEY"):
        built(**variables)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PAYOUT_PRODUCT": "cheque"}, "transfer, deposit, remittance, cashtransfer"),
        (
            {"SENDER_FIELDS": "payerMsisdn, payerFirstName payerIdentificationNumber"},
            "SENDER_FIELDS: nobody tells us .*payerFirstName, payerIdentificationNumber",
        ),
        ({"SENDER_FIELDS": "payerShoeSize"}, "no such fields"),
    ],
)
def test_what_nobody_could_fill_in_does_not_start(variables: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        built(**variables)


def test_settings_reach_the_adapter_and_no_repr_shows_the_key() -> None:
    adapter = built(
        PAYOUT_PRODUCT="CashTransfer", PAYOUT_BEFORE="transfer, deposit", NOTIFIES="1",
        REMITTANCE_KEY="remittance-key-x27", SENDER_FIELDS="payerMsisdn",
    )  # fmt: skip
    assert adapter.notifies
    assert adapter.balance_accounts == ("collection", "disbursement", "remittance")
    assert built().balance_accounts == ("collection", "disbursement")
    assert not built().notifies
    settings = abroad_settings("http://127.0.0.1:1")
    assert "remittance-key" not in repr(settings)
    assert settings.payouts == (Payout.CASH_TRANSFER,)


async def test_remittance_has_a_balance_of_its_own(company: Company, clock: HandClock) -> None:
    told = {"availableBalance": "7000", "currency": "UGX"}
    company.on("/remittance/v1_0/account/balance", Answer(message=told))
    async with opened(company, clock) as mtn:
        assert await mtn.ask_balance("remittance", "") == Money(7_000, "UGX")
    (request,) = company.received("/remittance/v1_0/account/balance")
    assert request.headers["ocp-apim-subscription-key"] == KEYS["remittance"]


async def test_without_callbacks_no_address_is_given_away(
    company: Company, clock: HandClock
) -> None:
    assert built().facts.callback is CallbackTrust.UNSIGNED
    assert built(CALLBACKS="0").facts.callback is CallbackTrust.NONE
    for path in ("/collection/v1_0/requesttopay", "/disbursement/v1_0/transfer"):
        company.on(path, Answer(202))
    async with opened(company, clock, calls_back=False) as mtn:
        assert await mtn.collect(ugandan_order(Direction.COLLECT)) == Accepted()
        assert await mtn.disburse(ugandan_order(Direction.DISBURSE)) == Accepted()
    for path in ("/collection/v1_0/requesttopay", "/disbursement/v1_0/transfer"):
        (made,) = company.received(path)
        assert "x-callback-url" not in made.headers
        assert made.headers["x-reference-id"] == REFERENCE


# Account holders.


ACTIVE_PATH = "/disbursement/v1_0/accountholder/msisdn/256772123456/active"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(message={"result": True}), True),
        (Answer(message={"result": "true"}), True),
        (Answer(message={"result": False}), False),
        (Answer(message={"result": "False"}), False),
        (NOT_THERE, None),
    ],
)
async def test_a_wallet_that_works_is_told_from_one_that_does_not_and_from_none(
    company: Company, clock: HandClock, answer: Answer, told: bool | None
) -> None:
    company.on(ACTIVE_PATH, answer)
    async with opened(company, clock) as mtn:
        assert isinstance(mtn, HolderPort)
        assert await mtn.is_active(UGANDAN) is told


@pytest.mark.parametrize(
    "answer", [Answer(404), Answer(message={"result": "perhaps"}), problem(500, "NOT_ALLOWED")]
)
async def test_nobody_is_active_by_an_answer_that_tells_nothing(
    company: Company, clock: HandClock, answer: Answer
) -> None:
    company.on(ACTIVE_PATH, answer)
    async with opened(company, clock) as mtn:
        with pytest.raises(OutcomeUnknown):
            await mtn.is_active(UGANDAN)


# Delivery notification.


async def test_delivery_notice_holds_only_what_the_firewall_lets_pass(
    company: Company, clock: HandClock
) -> None:
    path = f"/collection/v1_0/requesttopay/{REFERENCE}/deliverynotification"
    company.on(path, Answer(200))
    async with opened(company, clock, notifies=True) as mtn:
        assert isinstance(mtn, DeliveryNoticePort)
        await mtn.notify_delivered(ATTEMPT, "Paid & done (UGX 13,600) #1. " + "x" * 200)
    (request,) = company.received(path)
    assert request.method == "POST"
    assert "x-reference-id" not in request.headers
    message = request.json["notificationMessage"]
    assert message.startswith("Paid   done  UGX 13,600   1. xxx")
    assert len(message) == 160


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (NOT_THERE, Rejected),
        (Answer(429), Throttled),
        (Answer(200, body=b"<title>Request Rejected</title>", content_type="text/html"), Rejected),
        (Answer(500), OutcomeUnknown),
    ],
)
async def test_a_notice_that_was_not_taken_says_so(
    company: Company, clock: HandClock, answer: Answer, error: type[Exception]
) -> None:
    company.on(f"/collection/v1_0/requesttopay/{REFERENCE}/deliverynotification", answer)
    async with opened(company, clock) as mtn:
        with pytest.raises(error):
            await mtn.notify_delivered(ATTEMPT, "done")


# Agreeing beforehand.


ASKED = Preapproval("a" * 32, UGANDAN, "Allow (us) to collect", 86_400)
ASK_PATH = "/collection/v2_0/preapproval"
ASKED_PATH = f"{ASK_PATH}/{reference_id(ASKED.id)}"  # type: ignore[arg-type]
CANCEL_PATH = ASKED_PATH.replace("v2_0", "v1_0")


@pytest.mark.parametrize("answer", [Answer(202), problem(409, "RESOURCE_ALREADY_EXIST")])
async def test_a_payer_is_asked_to_agree_once(
    company: Company, clock: HandClock, answer: Answer
) -> None:
    company.on(ASK_PATH, answer)
    async with opened(company, clock) as mtn:
        assert isinstance(mtn, PreapprovalPort)
        await mtn.ask_preapproval(ASKED)
    (request,) = company.received(ASK_PATH)
    assert "x-callback-url" not in request.headers
    assert request.headers["x-reference-id"] == ASKED_PATH.rpartition("/")[2]
    assert request.json == {
        "payer": {"partyIdType": "MSISDN", "partyId": "256772123456"},
        "payerCurrency": "UGX",
        "payerMessage": "Allow  us  to collect",
        "validityTime": 86_400,
    }


STANDS: Sequence[tuple[Answer, Finding]] = [
    (
        Answer(message={"status": "SUCCESSFUL"}),
        Finding(Outcome.SUCCEEDED, "SUCCESSFUL"),
    ),
    (Answer(message={"status": "PENDING"}), Finding(Outcome.PENDING, "PENDING")),
    (Answer(message={"status": "PARKED"}), Finding(Outcome.PENDING, "PARKED")),
    (
        Answer(message={"status": "FAILED", "reason": {"code": "APPROVAL_REJECTED"}}),
        Finding(Outcome.FAILED, "APPROVAL_REJECTED", reason=Reason.DECLINED),
    ),
    (NOT_THERE, Finding(Outcome.NOT_FOUND, "RESOURCE_NOT_FOUND")),
]


@pytest.mark.parametrize(("answer", "finding"), STANDS)
async def test_only_success_means_that_the_payer_has_agreed(
    company: Company, clock: HandClock, answer: Answer, finding: Finding
) -> None:
    company.on(ASKED_PATH, answer)
    async with opened(company, clock) as mtn:
        assert await mtn.preapproval_stands(ASKED) == finding


@pytest.mark.parametrize("answer", [Answer(200), Answer(202), Answer(204), NOT_THERE])
async def test_what_was_agreed_is_taken_back(
    company: Company, clock: HandClock, answer: Answer
) -> None:
    company.on(CANCEL_PATH, answer)
    async with opened(company, clock) as mtn:
        await mtn.cancel_preapproval(ASKED)
    assert [request.method for request in company.received(CANCEL_PATH)] == ["DELETE"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(500, "NOT_ALLOWED"), Rejected),
        (Answer(500), OutcomeUnknown),
        (problem(202, "NOT_ALLOWED"), OutcomeUnknown),
        (Answer(202, body=b"<html>Oops</html>", content_type="text/html"), OutcomeUnknown),
    ],
)
async def test_what_was_not_taken_back_still_stands(
    company: Company, clock: HandClock, answer: Answer, error: type[Exception]
) -> None:
    company.on(CANCEL_PATH, answer)
    async with opened(company, clock) as mtn:
        with pytest.raises(error):
            await mtn.cancel_preapproval(ASKED)


LISTS: Sequence[tuple[Answer, bool]] = [
    (AGREED, True),
    (Answer(message={"preApprovalDetails": [{"preApprovalId": "1"}]}), True),
    (Answer(body=b"[]"), False),
    (Answer(body=b'[{"status": "FAILED"}, "odd"]'), False),
    (NOT_THERE, False),
]


@pytest.mark.parametrize(("answer", "agreed"), LISTS)
async def test_without_a_prompt_only_those_are_collected_from_who_have_agreed(
    company: Company, clock: HandClock, answer: Answer, agreed: bool
) -> None:
    company.on(PREAPPROVALS_PATH, answer)
    company.on("/collection/v1_0/requesttopay", Answer(202))
    async with opened(company, clock, only_preapproved=True) as mtn:
        assert not mtn.facts.prompts_payer  # so only our own PIN asks the payer
        assert await mtn.is_preapproved(UGANDAN) is agreed
        if agreed:
            assert await mtn.collect(ugandan_order(COLLECT)) == Accepted()
        else:
            with pytest.raises(Rejected) as caught:
                await mtn.collect(ugandan_order(COLLECT))
            assert (caught.value.code, caught.value.reason) == ("not_preapproved", Reason.DECLINED)
    assert len(company.received("/collection/v1_0/requesttopay")) == int(agreed)


@pytest.mark.parametrize("answer", [Answer(500), Answer(200), Answer(404), Answer(429)])
async def test_when_nobody_tells_whether_they_agreed_nothing_is_asked_of_them(
    company: Company, clock: HandClock, answer: Answer
) -> None:
    company.on(PREAPPROVALS_PATH, answer)
    async with opened(company, clock, only_preapproved=True) as mtn:
        with pytest.raises(Throttled):  # it was not done, and may be sent again
            await mtn.collect(ugandan_order(COLLECT))
    assert company.received("/collection/v1_0/requesttopay") == []


async def test_unless_it_is_wanted_nobody_is_looked_up_before_a_collection(
    company: Company, clock: HandClock
) -> None:
    company.on("/collection/v1_0/requesttopay", Answer(202))
    async with opened(company, clock) as mtn:
        assert mtn.facts.prompts_payer
        await mtn.collect(ugandan_order(COLLECT))
    assert company.received(PREAPPROVALS_PATH) == []


@pytest.mark.parametrize("kind", ["collection", "disbursement", "remittance"])
@pytest.mark.parametrize("status", ["SUCCESSFUL", "FAILED"])
async def test_every_product_calls_back_in_the_same_words(
    company: Company, clock: HandClock, kind: str, status: str
) -> None:
    body: dict[str, Any] = status_body(status, party="payee", reason="PAYEE_NOT_FOUND")
    async with opened(company, clock) as mtn:
        told = mtn.read_callback(kind, json.dumps(body).encode()).finding
    assert told.outcome is (Outcome.SUCCEEDED if status == "SUCCESSFUL" else Outcome.FAILED)
    assert told.reason is (None if status == "SUCCESSFUL" else Reason.NOT_REGISTERED)
