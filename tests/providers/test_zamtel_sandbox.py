"""The Zamtel sandbox against its reference, and our adapter against the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from engine.clock import Clock, Ids
from engine.errors import OutcomeUnknown, Throttled
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import Direction, Outcome, Reason
from providers.zamtel import Zamtel
from providers.zamtel import ZamtelSettings as AdapterSettings
from simulator.operators import credentials
from simulator.operators.zamtel import ZamtelSettings
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.providers.sandbox_clients import Hands, open_client
from tests.providers.subjects import CALLBACK_URL, PATIENT, order

pytestmark = pytest.mark.long("each way of the sandbox; test_zamtel.py keeps the adapter")

PERSON = "260955000042"
CREDENTIALS = {
    "ThirdPartyID": credentials.ZAMTEL_SANDBOX_THIRD_PARTY_ID,
    "Password": credentials.ZAMTEL_SANDBOX_PASSWORD,
}
INITIATOR = {
    "identifier": credentials.ZAMTEL_SANDBOX_INITIATOR,
    "credential": credentials.ZAMTEL_SANDBOX_INITIATOR_PASSWORD,
}
FLOAT = 100_000
IDS = Ids(Clock())


class ZamtelClient(Hands):
    """Calls with the sandbox's credentials; every parameter can be replaced or left out (None)."""

    async def call(self, path: str, **changes: str | None) -> httpx.Response:
        parameters: dict[str, str | None] = {
            **CREDENTIALS,
            **(INITIATOR if path.endswith("B2CReq") else {}),
            "Amount": "10",
            "Msisdn": PERSON,
            "Shortcode": credentials.ZAMTEL_SANDBOX_SHORTCODE,
            "ConversationId": uuid4().hex,
            **changes,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return await self.client.get(path, params=given)

    async def collect(self, **changes: str | None) -> Any:
        return (await self.call("/ZampayRestProd/Req", **changes)).json()

    async def pay(self, **changes: str | None) -> Any:
        return (await self.call("/ZampayRestProd/B2CReq", **changes)).json()


@pytest.fixture
async def sandboxes() -> AsyncIterator[Sandboxes]:
    settings = SandboxesSettings(
        zamtel=ZamtelSettings(processing_seconds=0, hang_seconds=30), zamtel_float_minor=FLOAT
    )
    async with Sandboxes.start(settings) as started:
        yield started


@pytest.fixture
async def zamtel(sandboxes: Sandboxes) -> AsyncIterator[ZamtelClient]:
    async with open_client(sandboxes.zamtel_url) as client:
        yield ZamtelClient(client)


@pytest.fixture
async def adapter(sandboxes: Sandboxes) -> AsyncIterator[Zamtel]:
    opened = Zamtel(
        AdapterSettings(
            sandboxes.zamtel_url,
            third_party_id=credentials.ZAMTEL_SANDBOX_THIRD_PARTY_ID,
            password=credentials.ZAMTEL_SANDBOX_PASSWORD,
            shortcode=credentials.ZAMTEL_SANDBOX_SHORTCODE,
            initiator=credentials.ZAMTEL_SANDBOX_INITIATOR,
            initiator_password=credentials.ZAMTEL_SANDBOX_INITIATOR_PASSWORD,
            timeouts=PATIENT,
        )
    )
    yield opened
    await opened.aclose()


@pytest.mark.parametrize("base", ["/ZampayRest", "/ZampayRestProd"])
async def test_both_paths_serve_both_calls(zamtel: ZamtelClient, base: str) -> None:
    for path, balance in (("Req", 499_000), ("B2CReq", 500_000)):
        answer = (await zamtel.call(f"{base}/{path}", Stranger="tolerated")).json()
        assert (answer["status"], answer["message"]) == ("0", "Success")
        assert answer["TransactionId"].isdigit()
        assert await zamtel.balance_minor(PERSON) == balance
    kinds = [(m["kind"], m["amount_minor"]) for m in await zamtel.movements()]
    assert kinds == [("collection", 1_000), ("disbursement", 1_000)]


@pytest.mark.parametrize("changes", [{"Password": "x"}, {"ThirdPartyID": "x"}, {"Password": None}])
async def test_stranger_is_not_let_in(zamtel: ZamtelClient, changes: dict[str, Any]) -> None:
    for path in ("/ZampayRestProd/Req", "/ZampayRestProd/B2CReq"):
        assert (await zamtel.call(path, **changes)).status_code == 403
    assert await zamtel.movements() == []


async def test_payout_wants_its_initiator_by_names_of_any_case(zamtel: ZamtelClient) -> None:
    for changes in ({"credential": "x"}, {"identifier": None}):
        assert (await zamtel.pay(**changes))["status"] == "2001"
    assert await zamtel.movements() == []
    upper = {name.title(): value for name, value in INITIATOR.items()}
    answer = await zamtel.pay(identifier=None, credential=None, **upper)
    assert answer["status"] == "0"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Amount": "0"}, "-1"),
        ({"Amount": "10.505"}, "-1"),
        ({"Amount": "-1"}, "-1"),
        ({"Amount": "1e3"}, "-1"),
        ({"Amount": None}, "-1"),
        ({"Msisdn": "0955000042"}, "-1"),
        ({"Msisdn": "+260955000042"}, "-1"),
        ({"ConversationId": None}, "-1"),
        ({"Msisdn": "260977000042"}, "E8027"),
        ({"Shortcode": "999999"}, "E8027"),
    ],
)
async def test_senseless_parameters_move_nothing(
    zamtel: ZamtelClient, changes: dict[str, Any], status: str
) -> None:
    assert (await zamtel.collect(**changes))["status"] == status
    assert (await zamtel.pay(**changes))["status"] == status
    assert await zamtel.movements() == []


@pytest.mark.parametrize(
    ("digits", "status"),
    [
        ("8003", "E8003"),
        ("2006", "2006"),
        ("8027", "E8027"),
        ("2001", "2001"),
        ("2005", "2005"),
        ("9001", "-1"),
        ("9999", "E9999"),
    ],
)
async def test_numbers_have_fates(zamtel: ZamtelClient, digits: str, status: str) -> None:
    for call in (zamtel.collect, zamtel.pay):
        assert (await call(Msisdn=f"26095500{digits}"))["status"] == status
    assert await zamtel.movements() == []


async def test_prompt_is_answered_while_the_call_waits(zamtel: ZamtelClient) -> None:
    await zamtel.settings(approval="ask", approval_window_seconds=300)
    for answer, status in (
        ({"pin": "1234"}, "0"),
        ({"pin": "9999"}, "E8003"),
        ({"decline": True}, "E8027"),
    ):
        waiting = asyncio.create_task(zamtel.collect())
        prompt = await zamtel.prompt(PERSON)
        assert not waiting.done()
        assert "ZMW 10.00" in prompt["text"]
        await zamtel.answer(PERSON, **answer)
        assert (await waiting)["status"] == status
    await zamtel.settings(approval_window_seconds=0.01)
    assert (await zamtel.collect())["status"] == "E8027"
    assert len(await zamtel.movements()) == 1


async def test_who_is_short_pays_nothing(zamtel: ZamtelClient) -> None:
    await zamtel.wallet(PERSON, balance_minor=999)
    assert (await zamtel.collect())["status"] == "2006"
    assert (await zamtel.pay(Amount="1000.01"))["status"] == "2006"
    await zamtel.wallet(PERSON, active=False)
    assert (await zamtel.collect(Amount="1"))["status"] == "E8027"
    assert await zamtel.movements() == []


async def test_repeat_is_done_again_or_refused_as_the_setting_says(zamtel: ZamtelClient) -> None:
    for _ in range(2):
        assert (await zamtel.collect(ConversationId="same"))["status"] == "0"
    assert len(await zamtel.movements()) == 2
    await zamtel.settings(repeats="refused")
    assert (await zamtel.collect(ConversationId="same"))["status"] == "E8027"
    assert len(await zamtel.movements()) == 2


@pytest.mark.parametrize(
    ("fault", "status", "moved"),
    [
        ("error_500_before", 500, 0),
        ("error_500_after", 500, 1),
        ("error_503", 503, 0),
        ("throttle_429", 429, 0),
        ("html_200", 200, 0),
        ("truncated_json", 200, 1),
    ],
)
async def test_faults_strike_before_or_after_the_money_moved(
    zamtel: ZamtelClient, fault: str, status: int, moved: int
) -> None:
    await zamtel.fault("collect", fault, msisdn=PERSON)
    response = await zamtel.call("/ZampayRestProd/Req")
    assert response.status_code == status
    assert len(await zamtel.movements()) == moved
    assert (await zamtel.collect())["status"] == "0"  # it struck once


async def test_outcomes_can_be_armed(zamtel: ZamtelClient) -> None:
    for on, fault, status in (
        ("collect", "insufficient_funds", "2006"),
        ("collect", "wrong_pin", "E8003"),
        ("collect", "decline", "E8027"),
        ("disburse", "insufficient_funds", "2006"),
        ("disburse", "recipient_rejected", "2005"),
    ):
        await zamtel.fault(on, fault)
        call = zamtel.collect if on == "collect" else zamtel.pay
        assert (await call())["status"] == status
    assert await zamtel.movements() == []
    await zamtel.fault("collect", "unknown_status")
    assert (await zamtel.collect())["status"] == "E9999"
    assert len(await zamtel.movements()) == 1


@pytest.mark.parametrize(
    ("on", "fault"),
    [("callback", "no_callback"), ("token", "expired_token"), ("query", "hang_before")],
)
async def test_fault_that_could_never_strike_is_refused(
    zamtel: ZamtelClient, on: str, fault: str
) -> None:
    response = await zamtel.client.post("/_sandbox/faults", json={"on": on, "fault": fault})
    assert response.status_code == 400
    assert "at Zamtel" in response.text


# Our adapter against it.


def zambian(direction: Direction, number: str = PERSON, minor: int = 1_050) -> Any:
    return order(
        direction,
        money=Money(minor, "ZMW"),
        msisdn=Msisdn(f"+{number}"),
        callback_url=CALLBACK_URL,
        attempt_id=IDS.attempt(),
    )


async def test_adapter_collects_pays_and_gives_back(adapter: Zamtel, zamtel: ZamtelClient) -> None:
    collected = zambian(Direction.COLLECT)
    calls = (
        (adapter.collect, collected),
        (adapter.disburse, zambian(Direction.DISBURSE)),
        (adapter.refund, zambian(Direction.REFUND, minor=500)),
    )
    for call, wanted in calls:
        accepted = await call(wanted)
        assert accepted.finding is not None
        assert accepted.finding.outcome is Outcome.SUCCEEDED
        moved = (await zamtel.movements())[-1]
        assert moved["receipt"] == accepted.finding.receipt
        assert (moved["reference"],) == adapter.references_of(wanted.attempt_id)
        assert (moved["amount_minor"], moved["msisdn"]) == (wanted.amount.minor, PERSON)
    assert await zamtel.balance_minor(PERSON) == 500_000 + 500


@pytest.mark.parametrize(
    ("digits", "direction", "reason"),
    [
        ("8003", Direction.COLLECT, Reason.WRONG_PIN),
        ("2006", Direction.COLLECT, Reason.INSUFFICIENT_FUNDS),
        ("8027", Direction.COLLECT, Reason.OTHER),
        ("2001", Direction.DISBURSE, Reason.CONFIGURATION),
        ("2005", Direction.DISBURSE, Reason.LIMIT),
    ],
)
async def test_adapter_hears_why_it_failed(
    adapter: Zamtel, digits: str, direction: Direction, reason: Reason
) -> None:
    call = adapter.collect if direction is Direction.COLLECT else adapter.disburse
    accepted = await call(zambian(direction, f"26095500{digits}"))
    assert accepted.finding is not None
    assert (accepted.finding.outcome, accepted.finding.reason) == (Outcome.FAILED, reason)


@pytest.mark.parametrize(
    ("digits", "moved"), [("9100", 0), ("9101", 1), ("9102", 1), ("9001", 0), ("9999", 0)]
)
async def test_lost_answer_is_unknown_whether_money_moved_or_not(
    adapter: Zamtel, zamtel: ZamtelClient, digits: str, moved: int
) -> None:
    with pytest.raises(OutcomeUnknown):
        await adapter.collect(zambian(Direction.COLLECT, f"26095500{digits}"))
    assert len(await zamtel.movements()) == moved


async def test_adapter_under_faults_never_calls_twice(
    adapter: Zamtel, zamtel: ZamtelClient
) -> None:
    for fault in ("hang_after", "reset_after", "error_500_after", "truncated_json"):
        before = len(await zamtel.movements())
        await zamtel.fault("disburse", fault)
        with pytest.raises(OutcomeUnknown):
            await adapter.disburse(zambian(Direction.DISBURSE))
        assert len(await zamtel.movements()) == before + 1
    await zamtel.fault("disburse", "throttle_429")
    with pytest.raises(Throttled):
        await adapter.disburse(zambian(Direction.DISBURSE))
    assert await zamtel.balance_minor(PERSON) == 500_000 + 4 * 1_050
