"""MTN's sandbox beyond request to pay and transfer, by hand and by the adapter."""

import argparse
import asyncio
import json
import stat
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from channels.commands.provision import run_provision
from engine.clock import Clock, Ids
from engine.errors import CappError, Rejected
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import Direction, Finding, Order, Outcome, Preapproval, Reason, Sender
from providers.mtn_momo import UGANDA, MtnMomo, MtnMomoSettings
from providers.mtn_momo.payouts import Payout
from providers.mtn_momo.provisioning import Provisioning
from simulator.operators import credentials
from simulator.operators.mtn_momo import MtnSandbox, MtnSettings, mtn_momo_app
from simulator.operators.world import World
from simulator.serving import serving
from tests.providers.sandbox_clients import PAYEE, Mailbox, MtnClient, mailbox, open_client
from tests.providers.test_mtn_momo_sandbox import collect

pytestmark = pytest.mark.long("each product by hand; test_mtn_products.py keeps the adapter")

IDS = Ids(Clock())
PAYER = Msisdn("+256772123456")
COLLECT, DISBURSE = Direction.COLLECT, Direction.DISBURSE


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as opened:
        yield opened


class Served(NamedTuple):
    """MTN's sandbox alone, at its address."""

    mtn: MtnSandbox
    mtn_url: str


@pytest.fixture
async def sandboxes() -> AsyncIterator[Served]:
    settings = MtnSettings(
        processing_seconds=0, callback_delay_seconds=0.01, ongoing_seconds=0.05,
        delayed_seconds=0.05, remittance_float_minor=100_000, default_balance_minor=1_000_000,
    )  # fmt: skip
    world = World(clock=lambda: datetime.now(UTC), random=Random(7))
    sandbox = MtnSandbox(world, settings, collection_minor=0, disbursement_minor=100_000)
    async with serving({"mtn": (mtn_momo_app(sandbox), 0)}) as urls:
        yield Served(sandbox, urls["mtn"])


@pytest.fixture
async def mtn(sandboxes: Served, box: Mailbox) -> AsyncIterator[MtnClient]:
    async with open_client(sandboxes.mtn_url) as client:
        momo = MtnClient(client, box.url)
        await momo.log_in()
        yield momo


@pytest.fixture
def adapter_of(sandboxes: Served) -> Callable[..., MtnMomo]:
    def build(**changes: Any) -> MtnMomo:
        settings = MtnMomoSettings(
            base_url=sandboxes.mtn_url,
            target_environment="mtnuganda",
            api_user=credentials.MTN_SANDBOX_API_USER,
            api_key=credentials.MTN_SANDBOX_API_KEY,
            collection_key=credentials.MTN_SANDBOX_COLLECTION_SUBSCRIPTION_KEY,
            disbursement_key=credentials.MTN_SANDBOX_DISBURSEMENT_SUBSCRIPTION_KEY,
            remittance_key=credentials.MTN_SANDBOX_REMITTANCE_SUBSCRIPTION_KEY,
            **changes,
        )
        return MtnMomo(UGANDA, settings, clock=Clock())

    return build


def order(direction: Direction, number: str = PAYER, **more: Any) -> Order:
    return Order(
        attempt_id=IDS.attempt(), direction=direction, amount=Money(1_500, "UGX"),
        msisdn=Msisdn(number), code="7KQ2M4XW9D",
        callback_url="http://127.0.0.1:1/cb/6f1c0f1e9b",
        sender=Sender("KE", Money(5_000, "KES"), Msisdn("+254712345678"), "sw"), **more,
    )  # fmt: skip


async def final(ask: Callable[[], Any]) -> Finding:
    async with asyncio.timeout(120):
        while (finding := await ask()).outcome is Outcome.PENDING:  # noqa: ASYNC110 - polling
            await asyncio.sleep(0.02)
    assert isinstance(finding, Finding)
    return finding


# Every way of paying out.


@pytest.mark.parametrize("kind", ["transfer", "deposit", "remittance", "cashtransfer"])
async def test_every_product_pays_from_its_own_account(
    mtn: MtnClient, sandboxes: Served, kind: str, box: Mailbox
) -> None:
    reference_id = str(uuid4())
    made = await mtn.create(kind, reference_id=reference_id)
    assert (made.status_code, made.content) == (202, b"")
    body = await mtn.final(kind, reference_id)
    assert (body["status"], body["payee"]["partyId"]) == ("SUCCESSFUL", PAYEE)
    product = mtn.PATHS[kind].partition("/")[0]
    left = {"collection": 0, "disbursement": 100_000, "remittance": 100_000, product: 98_500}
    assert sandboxes.mtn.ledger.balances_minor == left
    told = (await mtn.ask(f"/{product}/v1_0/account/balance")).json()
    assert told == {"availableBalance": "98500", "currency": "UGX"}
    assert json.loads((await box.wait())[0].body) == body
    again = await mtn.create(kind, reference_id=reference_id)
    assert (again.status_code, again.json()["code"]) == (409, "RESOURCE_ALREADY_EXIST")
    assert sandboxes.mtn.ledger.balances_minor == left


async def test_remittance_has_keys_and_tokens_of_its_own(mtn: MtnClient) -> None:
    stolen: dict[str, str | None] = {"Authorization": f"Bearer {mtn.tokens['disbursement']}"}
    assert (await mtn.create("cashtransfer", headers=stolen)).status_code == 401
    key: dict[str, str | None] = {"Ocp-Apim-Subscription-Key": mtn.KEYS["disbursement"]}
    assert (await mtn.create("cashtransfer", headers=key)).status_code == 401


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"orginatingCountry": "KE", "originalAmount": "5000", "originalCurrency": "KES"}, 202),
        ({"payerFirstName": "A", "payerSurName": "B", "payerGender": "F"}, 202),
        ({"originalAmount": "5000"}, 400),
        ({"originalCurrency": "KES"}, 400),
        ({"originalAmount": "-1", "originalCurrency": "KES"}, 400),
        ({"payerMsisdn": 254712345678}, 400),
    ],
)
async def test_fields_of_a_cash_transfer_are_texts_that_make_sense(
    mtn: MtnClient, fields: dict[str, Any], status: int
) -> None:
    assert (await mtn.create("cashtransfer", **fields)).status_code == status


async def test_withdrawal_takes_from_the_wallet_with_its_holders_leave(
    mtn: MtnClient, sandboxes: Served
) -> None:
    for approval, status in (("approve", "SUCCESSFUL"), ("decline", "FAILED")):
        await mtn.settings(approval=approval)
        reference_id = str(uuid4())
        await mtn.create("requesttowithdraw", reference_id=reference_id)
        body = await mtn.final("requesttowithdraw", reference_id)
        assert (body["status"], body["payer"]["partyId"]) == (status, PAYEE)
    assert sandboxes.mtn.ledger.balances_minor["collection"] == 1_500


# Published numbers.

CASH = [
    ("46733123450", "INTERNAL_PROCESSING_ERROR"), ("46733123451", "APPROVAL_REJECTED"),
    ("46733123452", "EXPIRED"), ("46733123453", "EXPIRED"), ("46733123454", None),
    ("46733123455", "PAYER_NOT_FOUND"), ("46733123456", "PAYEE_NOT_ALLOWED_TO_RECEIVE"),
    ("46733123463", "COULD_NOT_PERFORM_TRANSACTION"), ("46733123464", None),
]  # fmt: skip
REFUSED = [
    ("46733123457", 500, "NOT_ALLOWED"),
    ("46733123458", 500, "NOT_ALLOWED_TARGET_ENVIRONMENT"),
    ("46733123459", 500, "INVALID_CALLBACK_URL_HOST"),
    ("46733123460", 500, "INVALID_CURRENCY"),
    ("46733123461", 500, "INTERNAL_PROCESSING_ERROR"),
    ("46733123462", 503, "SERVICE_UNAVAILABLE"),
]


@pytest.mark.parametrize("kind", ["deposit", "requesttowithdraw"])
async def test_published_numbers_of_cash_in_and_out(mtn: MtnClient, kind: str) -> None:
    party = "payee" if kind == "deposit" else "payer"

    async def ends(number: str) -> str | None:
        reference_id = str(uuid4())
        fields: dict[str, Any] = {party: {"partyIdType": "MSISDN", "partyId": number}}
        assert (await mtn.create(kind, reference_id=reference_id, **fields)).status_code == 202
        reason: str | None = (await mtn.final(kind, reference_id)).get("reason")
        return reason

    assert await asyncio.gather(*[ends(number) for number, _ in CASH]) == [r for _, r in CASH]
    for number, status, code in REFUSED:
        fields: dict[str, Any] = {party: {"partyIdType": "MSISDN", "partyId": number}}
        refused = await mtn.create(kind, **fields)
        assert (refused.status_code, refused.json()["code"]) == (status, code)


async def test_published_refunds_end_by_what_they_are_said_to_give_back(mtn: MtnClient) -> None:
    ends = {
        "2": "INTERNAL_PROCESSING_ERROR", "3": "APPROVAL_REJECTED", "4": "EXPIRED", "5": "EXPIRED",
        "6": None, "13": "COULD_NOT_PERFORM_TRANSACTION",
    }  # fmt: skip
    for original, reason in ends.items():
        reference_id = str(uuid4())
        made = await mtn.create("refund", reference_id=reference_id, referenceIdToRefund=original)
        assert made.status_code == 202
        assert (await mtn.final("refund", reference_id)).get("reason") == reason
    refused = {
        "1": "RESOURCE_NOT_FOUND", "7": "NOT_ALLOWED", "8": "NOT_ALLOWED_TARGET_ENVIRONMENT",
        "9": "INVALID_CALLBACK_URL_HOST", "10": "INVALID_CURRENCY",
        "11": "INTERNAL_PROCESSING_ERROR", "12": "SERVICE_UNAVAILABLE",
    }  # fmt: skip
    for original, code in refused.items():
        assert (await mtn.create("refund", referenceIdToRefund=original)).json()["code"] == code


@pytest.mark.parametrize(
    ("mail", "status", "body"),
    [
        ("somebody@email.com", 200, {"result": True}),
        ("notactive@email.com", 200, {"result": False}),
        ("notfound@email.com", 404, "RESOURCE_NOT_FOUND"),
        ("notallowed@email.com", 500, "NOT_ALLOWED"),
        ("serviceunavailable@email.com", 503, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_published_mail_addresses_are_active_as_published(
    mtn: MtnClient, mail: str, status: int, body: Any
) -> None:
    answer = await mtn.ask(f"/collection/v1_0/accountholder/email/{mail}/active")
    told = answer.json()
    assert (answer.status_code, told if status == 200 else told["code"]) == (status, body)


# Delivery notification.


async def test_payer_is_told_of_a_delivery_once_the_payment_succeeded(
    mtn: MtnClient, sandboxes: Served
) -> None:
    def notify(reference_id: str, **body: Any) -> Any:
        path = f"/collection/v1_0/requesttopay/{reference_id}/deliverynotification"
        return mtn.client.post(path, json=body, headers=mtn.headers("collection"))

    paid = await collect(mtn)
    assert (await notify(paid, notificationMessage="Shipped")).status_code == 200
    assert sandboxes.mtn.transactions["requesttopay", paid].notifications == ["Shipped"]
    assert (await notify(paid, notificationMessage="x" * 161)).status_code == 400
    assert (await notify(paid)).status_code == 400
    assert (await notify(str(uuid4()), notificationMessage="x")).status_code == 404
    await mtn.settings(approval="decline")
    failed = str(uuid4())
    await mtn.create("requesttopay", reference_id=failed)
    await mtn.final("requesttopay", failed)
    assert (await notify(failed, notificationMessage="x")).status_code == 500
    assert sandboxes.mtn.transactions["requesttopay", paid].notifications == ["Shipped"]


# The adapter.


async def test_a_refund_sent_twice_gives_back_once(
    adapter_of: Callable[..., MtnMomo], sandboxes: Served
) -> None:
    adapter, paid = adapter_of(), order(COLLECT)
    assert adapter.facts.refund_repeat_is_safe
    await adapter.collect(paid)
    await final(lambda: adapter.query(paid))
    refund = order(Direction.REFUND, collected_attempt_id=paid.attempt_id)
    for _ in range(3):
        await adapter.refund(refund)
    assert (await final(lambda: adapter.query(refund))).outcome is Outcome.SUCCEEDED
    assert [each.kind for each in sandboxes.mtn.ledger.movements] == ["collection", "refund"]
    await adapter.aclose()


@pytest.mark.parametrize("payout", list(Payout))
async def test_the_adapter_pays_by_every_product_once(
    adapter_of: Callable[..., MtnMomo], sandboxes: Served, payout: Payout
) -> None:
    adapter = adapter_of(payout=payout, sender_fields=("payerMsisdn", "payerLanguageCode"))
    paid = order(DISBURSE)
    await adapter.disburse(paid)
    await adapter.disburse(paid)  # 409
    found = await final(lambda: adapter.query(paid))
    assert (found.outcome, found.amount, found.msisdn) == (Outcome.SUCCEEDED, paid.amount, PAYER)
    product = "remittance" if payout.is_remittance else "disbursement"
    assert await adapter.ask_balance(product, "") == Money(98_500, "UGX")
    assert len(sandboxes.mtn.ledger.movements) == 1
    await adapter.aclose()


async def test_a_payout_is_not_made_twice_by_two_products(
    adapter_of: Callable[..., MtnMomo], sandboxes: Served
) -> None:
    yesterday = adapter_of()
    paid = order(DISBURSE)
    await yesterday.disburse(paid)
    await yesterday.aclose()
    today = adapter_of(payout=Payout.CASH_TRANSFER, payouts_before=(Payout.TRANSFER,))
    await today.disburse(paid)
    assert (await final(lambda: today.query(paid))).outcome is Outcome.SUCCEEDED
    await today.disburse(order(DISBURSE))
    async with asyncio.timeout(120):
        while len(sandboxes.mtn.ledger.movements) < 2:  # noqa: ASYNC110 - the other order
            await asyncio.sleep(0.01)
    assert sandboxes.mtn.ledger.balances_minor == {
        "collection": 0, "disbursement": 98_500, "remittance": 98_500,
    }  # fmt: skip
    await today.aclose()
    # Its own reference is all that protects a product: without the word of before it pays again.
    careless = adapter_of(payout=Payout.DEPOSIT)
    await careless.disburse(paid)
    await careless.disburse(paid)  # 409
    assert (await final(lambda: careless.query(paid))).outcome is Outcome.SUCCEEDED
    assert len(sandboxes.mtn.ledger.movements) == 3
    await careless.aclose()


async def test_the_adapter_tells_a_working_wallet_from_others(
    adapter_of: Callable[..., MtnMomo], mtn: MtnClient
) -> None:
    adapter = adapter_of()
    await mtn.settings(auto_wallets=False)
    await mtn.wallet("256772000001", active=False)
    await mtn.wallet("256772000002")
    numbers = ("+256772000001", "+256772000002", "+256772000003", "+46733123450")
    told = [await adapter.is_active(Msisdn(number)) for number in numbers]
    assert told == [False, True, None, None]
    await adapter.aclose()


async def test_the_adapter_brings_a_word_to_who_has_paid(
    adapter_of: Callable[..., MtnMomo], sandboxes: Served
) -> None:
    adapter, paid = adapter_of(), order(COLLECT)
    with pytest.raises(Rejected):
        await adapter.notify_delivered(paid.attempt_id, "too early")
    await adapter.collect(paid)
    await final(lambda: adapter.query(paid))
    await adapter.notify_delivered(paid.attempt_id, "7KQ2M4XW9D Confirmed. UGX 1,500 sent.")
    (transaction,) = sandboxes.mtn.transactions.values()
    assert transaction.notifications == ["7KQ2M4XW9D Confirmed. UGX 1,500 sent."]
    await adapter.aclose()


# Agreeing beforehand.


def asked(number: str = PAYER, seconds: int = 3600) -> Preapproval:
    return Preapproval(IDS.hex(), Msisdn(number), "Allow CAPP to collect", seconds)


async def test_who_has_agreed_is_collected_from_without_a_prompt(
    adapter_of: Callable[..., MtnMomo], mtn: MtnClient, sandboxes: Served
) -> None:
    adapter, agreement = adapter_of(only_preapproved=True), asked()
    with pytest.raises(Rejected, match="not agreed"):
        await adapter.collect(order(COLLECT))
    await adapter.ask_preapproval(agreement)
    await adapter.ask_preapproval(agreement)  # 409
    assert (await final(lambda: adapter.preapproval_stands(agreement))).outcome is (
        Outcome.SUCCEEDED
    )
    await mtn.settings(approval="ask", approval_window_seconds=0.05)
    paid = order(COLLECT)
    await adapter.collect(paid)
    assert (await final(lambda: adapter.query(paid))).outcome is Outcome.SUCCEEDED
    await adapter.cancel_preapproval(agreement)
    await adapter.cancel_preapproval(agreement)
    assert (await adapter.preapproval_stands(agreement)).outcome is Outcome.NOT_FOUND
    assert not await adapter.is_preapproved(PAYER)
    with pytest.raises(Rejected, match="not agreed"):
        await adapter.collect(order(COLLECT))
    asking = adapter_of()
    prompted = order(COLLECT)
    await asking.collect(prompted)  # nobody looks at the phone
    ended = await final(lambda: asking.query(prompted))
    assert (ended.outcome, ended.reason) == (Outcome.FAILED, Reason.NOT_REACHED)
    assert len(sandboxes.mtn.ledger.movements) == 1
    for each in (adapter, asking):
        await each.aclose()


async def test_an_agreement_is_the_payers_own_and_runs_out(
    adapter_of: Callable[..., MtnMomo], mtn: MtnClient, sandboxes: Served
) -> None:
    adapter, agreement = adapter_of(), asked()
    await mtn.settings(approval="decline")
    await adapter.ask_preapproval(agreement)
    ended = await final(lambda: adapter.preapproval_stands(agreement))
    assert (ended.outcome, ended.reason) == (Outcome.FAILED, Reason.DECLINED)
    assert not await adapter.is_preapproved(PAYER)
    await mtn.settings(approval="approve")
    second = asked(seconds=60)
    await adapter.ask_preapproval(second)
    await final(lambda: adapter.preapproval_stands(second))
    assert await adapter.is_preapproved(PAYER)
    (good,) = sandboxes.mtn.approved(PAYER.digits)
    good.expires_at -= timedelta(seconds=61)
    assert not await adapter.is_preapproved(PAYER)
    await adapter.aclose()


PREAPPROVALS = [
    ("46733123450", Outcome.FAILED), ("46733123451", Outcome.FAILED),
    ("46733123452", Outcome.FAILED), ("46733123453", Outcome.FAILED),
    ("46733123454", Outcome.SUCCEEDED), ("46733123469", Outcome.SUCCEEDED),
]  # fmt: skip


@pytest.mark.parametrize(("number", "outcome"), PREAPPROVALS)
async def test_published_number_agrees_as_published(
    adapter_of: Callable[..., MtnMomo], number: str, outcome: Outcome
) -> None:
    adapter, agreement = adapter_of(), asked(f"+{number}")
    await adapter.ask_preapproval(agreement)
    assert (await final(lambda: adapter.preapproval_stands(agreement))).outcome is outcome
    agrees = outcome is Outcome.SUCCEEDED and number != "46733123469"
    assert await adapter.is_preapproved(agreement.msisdn) is agrees
    await adapter.aclose()


@pytest.mark.parametrize("number", [str(46733123455 + n) for n in range(7)])
async def test_published_number_is_not_asked_as_published(
    adapter_of: Callable[..., MtnMomo], sandboxes: Served, number: str
) -> None:
    adapter = adapter_of()
    with pytest.raises(CappError):
        await adapter.ask_preapproval(asked(f"+{number}"))
    assert sandboxes.mtn.preapprovals == {}
    await adapter.aclose()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"validityTime": 0}, 400),
        ({"validityTime": "3600"}, 400),
        ({"payer": {"partyIdType": "MSISDN", "partyId": "0772"}}, 400),
        ({"payerCurrency": "EUR"}, 500),
    ],
)
async def test_a_senseless_agreement_is_not_asked_for(
    mtn: MtnClient, fields: dict[str, Any], status: int
) -> None:
    usual: dict[str, Any] = {"payerCurrency": "UGX", "validityTime": 3600}
    assert (await mtn.create("preapproval", **{**usual, **fields})).status_code == status
    assert (await mtn.create("preapproval", **usual)).status_code == 202


# Provisioning.


def options(path: Path, **changes: str) -> argparse.Namespace:
    given = {"operator": "mtn_ug", "write": path, "user": "", "callback_host": ""}
    return argparse.Namespace(**{**given, **changes})


async def provisioned(
    sandboxes: Served, path: Path, said: list[str], **changes: str
) -> dict[str, str]:
    variables = {
        "CAPP_MTN_UG_BASE_URL": sandboxes.mtn_url,
        "CAPP_MTN_UG_COLLECTION_KEY": credentials.MTN_SANDBOX_COLLECTION_SUBSCRIPTION_KEY,
        "CAPP_PUBLIC_URL": "https://pay.example.org/capp",
    }
    command = options(path, **changes)

    def write() -> str:
        assert run_provision(variables, command, said.append)
        return path.read_text()

    lines = (await asyncio.to_thread(write)).splitlines()
    return dict(line.split("=") for line in lines)


async def test_credentials_are_made_written_for_their_owner_alone_and_log_in(
    sandboxes: Served, mtn: MtnClient, tmp_path: Path
) -> None:
    said: list[str] = []
    first = await provisioned(sandboxes, tmp_path / "one", said)
    user, key = first["CAPP_MTN_UG_API_USER"], first["CAPP_MTN_UG_API_KEY"]
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    assert "pay.example.org" in said[0]
    assert key not in " ".join(said)
    second = await provisioned(sandboxes, tmp_path / "two", said, user=user)
    assert second["CAPP_MTN_UG_API_USER"] == user  # the same user, and the key before is void
    assert second["CAPP_MTN_UG_API_KEY"] != key
    headers = {"Ocp-Apim-Subscription-Key": mtn.KEYS["collection"]}
    statuses = [
        (
            await mtn.client.post("/collection/token/", auth=(user, each), headers=headers)
        ).status_code
        for each in (key, second["CAPP_MTN_UG_API_KEY"])
    ]
    assert statuses == [401, 200]


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"user": "not-a-uuid"}, Rejected), ({"callback_host": "https://x/y"}, None)],
)
async def test_what_cannot_be_made_leaves_no_file(
    sandboxes: Served, tmp_path: Path, changes: dict[str, str], error: type[Exception] | None
) -> None:
    path = tmp_path / "keys"
    with pytest.raises(error or AssertionError):
        await provisioned(sandboxes, path, [], **changes)
    assert not path.exists()


async def test_a_file_that_is_there_is_never_written_over(
    sandboxes: Served, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        await provisioned(sandboxes, path, [])
    assert path.read_text() == "mine"
    assert len(sandboxes.mtn.users) == 1


@pytest.mark.parametrize("key", ["wrong-subscription-key", "another"])
async def test_refused_key_is_said_without_being_shown(sandboxes: Served, key: str) -> None:
    provisioning = Provisioning("mtn_ug", sandboxes.mtn_url, subscription_key=key)
    with pytest.raises(Rejected, match="subscription key was refused") as caught:
        await provisioning.make(str(uuid4()), callback_host="pay.example.org")
    assert key not in str(caught.value)
    await provisioning.aclose()


async def test_users_of_another_host_are_not_taken_for_ours(sandboxes: Served) -> None:
    key = credentials.MTN_SANDBOX_COLLECTION_SUBSCRIPTION_KEY
    provisioning = Provisioning("mtn_ug", sandboxes.mtn_url, subscription_key=key)
    user = str(uuid4())
    made = await provisioning.make(user, callback_host="one.example.org")
    assert made.api_key not in repr(made)
    with pytest.raises(Rejected, match=r"go to one\.example\.org"):
        await provisioning.make(user, callback_host="two.example.org")
    await provisioning.aclose()


async def test_where_nobody_is_provisioned_it_is_said() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(404, text="no"))
    provisioning = Provisioning(
        "mtn_ug", "http://proxy.example", subscription_key="k" * 32, transport=transport
    )
    with pytest.raises(Rejected, match="Partner Portal"):
        await provisioning.make(str(uuid4()), callback_host="pay.example.org")
    await provisioning.aclose()
