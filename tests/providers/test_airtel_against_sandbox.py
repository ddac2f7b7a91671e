"""Our adapter against the Airtel Money sandbox: two readings of the same reference meet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from engine.clock import Clock, Ids
from engine.errors import OutcomeUnknown, Rejected, Throttled
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import Accepted, Direction, Finding, Order, Outcome, Reason
from providers.airtel_money import MARKETS, AirtelMoney, AirtelMoneySettings, RefundBy
from providers.airtel_money.sealing import Padding
from providers.airtel_money.settings import CallbackHash
from simulator.faults import Fault
from simulator.operators import credentials
from simulator.operators.airtel_money import AirtelSandbox, AirtelSettings, airtel_money_app
from simulator.operators.airtel_money.sandbox import Code
from simulator.operators.airtel_money.sealing import KeyPair
from simulator.operators.world import World
from simulator.sandbox import Sandboxes, serving
from tests.providers.sandbox_clients import mailbox
from tests.providers.subjects import PATIENT

CLOCK = Clock()
IDS = Ids(CLOCK)
COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND
DEADLINE_SECONDS = 120.0
# Making a key takes longer than most tests here.
FIRST_KEY, SECOND_KEY = KeyPair(bits=1024), KeyPair(bits=2048)
SIGNED: dict[str, Any] = {"collection_version": 2, "disbursement_version": 2}
# A number of each country as Airtel there has them (reference msisdn, section 3).
NUMBERS = {
    "KE": "+254733000001", "UG": "+256752000001", "TZ": "+255682000001", "RW": "+250722000001",
    "ZM": "+260977000001", "MW": "+265991000001", "NG": "+2348020000001", "GA": "+24104000001",
    "CG": "+242055000001", "TD": "+23562000001", "NE": "+22796000001", "CD": "+243972000001",
    "SC": "+2482710001", "MG": "+261331000001",
}  # fmt: skip


@asynccontextmanager
async def opened(
    country: str = "KE", *, sandbox: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[tuple[AirtelMoney, AirtelSandbox]]:
    given = {"processing_seconds": 0.0, "callback_delay_seconds": 0.0, **(sandbox or {})}
    state = AirtelSandbox(
        World(),
        AirtelSettings(country=country, **given),
        collection_minor=0,
        disbursement_minor=1_000_000,
    )
    state.signing_key = FIRST_KEY
    state.pin_key = SECOND_KEY if state.settings.separate_pin_key else FIRST_KEY
    async with serving({"airtel": (airtel_money_app(state), 0)}) as urls:
        settings: dict[str, Any] = {
            "base_url": urls["airtel"],
            "client_id": credentials.AIRTEL_SANDBOX_CLIENT_ID,
            "client_secret": credentials.AIRTEL_SANDBOX_CLIENT_SECRET,
            "pin": credentials.AIRTEL_SANDBOX_PIN,
        }
        adapter = AirtelMoney(
            MARKETS[country], AirtelMoneySettings(**{**settings, **changes}), clock=CLOCK
        )
        try:
            yield adapter, state
        finally:
            await adapter.aclose()


@pytest.fixture
async def pair() -> AsyncIterator[tuple[AirtelMoney, AirtelSandbox]]:
    async with opened() as made:
        yield made


def order(direction: Direction, country: str = "KE", **changes: Any) -> Order:
    facts = MARKETS[country].facts
    given: dict[str, Any] = {
        "attempt_id": IDS.attempt(),
        "direction": direction,
        "amount": Money(100 * facts.unit_minor, facts.currency),
        "msisdn": Msisdn(NUMBERS[country]),
        "code": "7KQ2M4XW9D",
        "callback_url": "https://pay.example.org/cb/6f1c0f1e9b",
    }
    return Order(**{**given, **changes})


async def settled(ask: Callable[[], Awaitable[Finding]]) -> Finding:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (finding := await ask()).outcome is Outcome.PENDING:  # noqa: ASYNC110 - polling
            await asyncio.sleep(0.01)
    return finding


@pytest.mark.parametrize("country", MARKETS)
async def test_every_country_collects_pays_out_and_gives_back(country: str) -> None:
    changes: dict[str, Any] = SIGNED if MARKETS[country].signs else {}
    async with opened(country, sandbox={"signing_required": bool(changes)}, **changes) as made:
        airtel, sandbox = made
        push = order(COLLECT, country)
        assert await airtel.collect(push) == Accepted()
        found = await settled(lambda: airtel.query(push))
        assert found.outcome is Outcome.SUCCEEDED
        for direction, pay in ((DISBURSE, airtel.disburse), (REFUND, airtel.refund)):
            payout = order(direction, country, collected_attempt_id=push.attempt_id)
            accepted = await pay(payout)
            assert accepted.finding == await airtel.query(payout)
            assert accepted.finding is not None
            assert accepted.finding.outcome is Outcome.SUCCEEDED
        digits = Msisdn(NUMBERS[country]).digits
        moved = sandbox.ledger.movements
        assert [each.msisdn for each in moved] == [digits] * 3
        assert {each.amount_minor for each in moved} == {push.amount.minor}
        assert [each.kind for each in moved] == ["collection", "disbursement", "disbursement"]
        assert (moved[0].reference, moved[0].receipt) == (push.attempt_id, found.receipt)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("padding", list(Padding))
async def test_every_version_and_padding_is_understood(version: int, padding: Padding) -> None:
    sandbox = {
        "pin_padding": padding.value,
        "separate_pin_key": True,
        "signing_required": True,
        "pin_field": "pinstring",
    }
    changes: dict[str, Any] = {
        "disbursement_version": version,
        "enquiry_version": version,
        "pin_padding": padding,
    }
    async with opened(sandbox=sandbox, pin_field="pinstring", **changes) as (airtel, _):
        payout = order(DISBURSE)
        await airtel.disburse(payout)
        assert (await airtel.query(payout)).outcome is Outcome.SUCCEEDED


LOST = ["hang_after", "error_500_after", "truncated_json", "reset_after"]
NEVER_DONE = ["hang_before", "error_500_before", "error_503", "html_200"]


@pytest.mark.parametrize("fault", [*LOST, *NEVER_DONE])
@pytest.mark.parametrize("direction", [COLLECT, DISBURSE])
async def test_lost_answer_is_unknown_until_it_is_asked_for(
    direction: Direction, fault: Any
) -> None:
    on: Any = "collect" if direction is COLLECT else "disburse"
    # Long enough for a busy machine to answer, and for nobody to wait for silence.
    async with opened(timeouts=PATIENT) as (airtel, sandbox):
        call = airtel.collect if direction is COLLECT else airtel.disburse
        await call(order(direction))  # tokens and keys are there from now on
        sandbox.faults.arm(Fault(on=on, fault=fault))
        wanted = order(direction)
        with pytest.raises(OutcomeUnknown):
            await call(wanted)
        found = await settled(lambda: airtel.query(wanted))
        done = fault in LOST
        assert found.outcome is (Outcome.SUCCEEDED if done else Outcome.NOT_FOUND)
        await call(wanted)  # refused as a duplicate, or the first to arrive
        await settled(lambda: airtel.query(wanted))
        moved = [each.reference for each in sandbox.ledger.movements]
        assert moved.count(wanted.attempt_id) == 1


@pytest.mark.parametrize("direction", [COLLECT, DISBURSE])
async def test_throttled_request_was_not_done(
    pair: tuple[AirtelMoney, AirtelSandbox], direction: Direction
) -> None:
    airtel, sandbox = pair
    on: Any = "collect" if direction is COLLECT else "disburse"
    sandbox.faults.arm(Fault(on=on, fault="throttle_429"))
    wanted = order(direction)
    with pytest.raises(Throttled):
        await (airtel.collect if direction is COLLECT else airtel.disburse)(wanted)
    assert (await airtel.query(wanted)).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("insufficient_funds", Reason.INSUFFICIENT_FUNDS),
        ("wrong_pin", Reason.WRONG_PIN),
        ("decline", Reason.DECLINED),
    ],
)
async def test_payers_no_has_its_reason(
    pair: tuple[AirtelMoney, AirtelSandbox], fault: Any, reason: Reason
) -> None:
    airtel, sandbox = pair
    sandbox.faults.arm(Fault(on="collect", fault=fault))
    push = order(COLLECT)
    await airtel.collect(push)
    found = await settled(lambda: airtel.query(push))
    assert (found.outcome, found.reason, found.receipt) == (Outcome.FAILED, reason, None)
    assert sandbox.ledger.movements == []


@pytest.mark.parametrize("failures", ["status", "error"])
async def test_payout_that_is_refused_fails_by_its_code(failures: str) -> None:
    async with opened(sandbox={"payout_failures": failures}) as (airtel, sandbox):
        sandbox.ledger.balances_minor["disbursement"] = 0
        payout = order(DISBURSE)
        if failures == "error":
            with pytest.raises(Rejected) as caught:
                await airtel.disburse(payout)
            assert caught.value.reason is Reason.CONFIGURATION
        else:
            assert (await airtel.disburse(payout)).finding == Finding(
                Outcome.FAILED, "DP00900001007", reason=Reason.CONFIGURATION
            )
        assert (await airtel.query(payout)).code == "DP00900001007"


async def test_payout_that_takes_its_time_is_asked_about() -> None:
    async with opened(sandbox={"payouts": "later", "processing_seconds": 0.05}) as (airtel, _):
        payout = order(DISBURSE)
        assert await airtel.disburse(payout) == Accepted()
        assert (await airtel.query(payout)).outcome is Outcome.PENDING
        assert (await settled(lambda: airtel.query(payout))).outcome is Outcome.SUCCEEDED


async def test_number_nobody_has_is_not_registered() -> None:
    async with opened(sandbox={"auto_wallets": False}) as (airtel, _):
        for call, direction in ((airtel.collect, COLLECT), (airtel.disburse, DISBURSE)):
            with pytest.raises(Rejected) as caught:
                await call(order(direction))
            assert caught.value.reason is Reason.NOT_REGISTERED
        assert await airtel.name_of(Msisdn(NUMBERS["KE"])) is None


@pytest.mark.parametrize("code", ["DP00900001011", "DP00900001014", "ROUTER117", "ESB000001"])
async def test_undecided_code_is_asked_about(
    pair: tuple[AirtelMoney, AirtelSandbox], code: str
) -> None:
    airtel, sandbox = pair
    sandbox.codes.append(Code(on="disburse", code=code))
    payout = order(DISBURSE)
    with pytest.raises(OutcomeUnknown):
        await airtel.disburse(payout)
    assert (await airtel.query(payout)).outcome is Outcome.NOT_FOUND


async def test_unlisted_status_is_pending(pair: tuple[AirtelMoney, AirtelSandbox]) -> None:
    airtel, sandbox = pair
    payout = order(DISBURSE)
    await airtel.disburse(payout)
    sandbox.faults.arm(Fault(on="query", fault="unknown_status"))
    assert await airtel.query(payout) == Finding(Outcome.PENDING, "TX")


@pytest.mark.parametrize("over", list(CallbackHash))
@pytest.mark.parametrize("status", ["TS", "TF"])
async def test_callback_is_believed_whichever_way_it_is_signed(
    over: CallbackHash, status: str
) -> None:
    sent = "transaction" if over is CallbackHash.EITHER else over.value
    async with mailbox() as box:
        portal = {
            "callback_url": f"{box.url}/airtel",
            "callback_key": "portal-key",
            "callback_hash": sent,
        }
        async with opened(sandbox=portal, callback_key="portal-key", callback_hash=over) as made:
            airtel, sandbox = made
            if status == "TF":
                sandbox.faults.arm(Fault(on="collect", fault="decline"))
            push = order(COLLECT)
            await airtel.collect(push)
            (letter,) = await box.wait()
            attempt_id, read = airtel.read_fixed_callback(letter.body, letter.headers)
            found = await airtel.query(push)
            assert attempt_id == push.attempt_id
            assert (read.finding.outcome, read.finding.receipt) == (found.outcome, found.receipt)
            assert read.finding.code == status


async def test_dead_tokens_and_rotated_keys_are_renewed_under_many_payouts(
    pair: tuple[AirtelMoney, AirtelSandbox],
) -> None:
    airtel, sandbox = pair
    for _ in range(2):
        payouts = [order(DISBURSE) for _ in range(10)]
        endings = await asyncio.gather(*map(airtel.disburse, payouts))
        assert all(each.finding is not None for each in endings)
        sandbox.tokens.clear()
        sandbox.rotate_keys()
    assert len(sandbox.ledger.movements) == 20
    assert len(sandbox.tokens) == 0


async def test_signed_request_is_renewed_too() -> None:
    async with opened(sandbox={"signing_required": True}, **SIGNED) as (airtel, sandbox):
        await airtel.collect(order(COLLECT))
        sandbox.rotate_keys()
        await airtel.collect(order(COLLECT))
        sandbox.rotate_keys()
        await airtel.disburse(order(DISBURSE))
        assert len(sandbox.transactions) == 3


async def test_wrong_pin_is_our_configuration() -> None:
    async with opened(pin="0000") as (airtel, sandbox):
        with pytest.raises(Rejected) as caught:
            await airtel.disburse(order(DISBURSE))
        assert (caught.value.code, caught.value.reason) == ("ROUTER115", Reason.CONFIGURATION)
        assert sandbox.transactions == {}


@pytest.mark.parametrize("signed", [{}, SIGNED])
async def test_airtels_own_refund_gives_the_collection_back(signed: dict[str, Any]) -> None:
    sandbox = {"signing_required": bool(signed)}
    async with opened(sandbox=sandbox, refund_by=RefundBy.REFUND, **signed) as (airtel, state):
        push = order(COLLECT)
        back = order(REFUND, collected_attempt_id=push.attempt_id)
        with pytest.raises(Rejected):
            await airtel.refund(back)
        await airtel.collect(push)
        await settled(lambda: airtel.query(push))
        accepted = await airtel.refund(back)
        assert accepted.finding is not None and accepted.finding.code == "refunded"
        last = state.ledger.movements[-1]
        assert (last.kind, last.receipt) == ("refund", accepted.finding.receipt)
        with pytest.raises(Rejected):
            await airtel.refund(back)
        assert len(state.ledger.movements) == 2


@pytest.mark.parametrize("version", [1, 2])
async def test_balances_are_those_of_its_books(version: int) -> None:
    async with opened(balance_version=version) as (airtel, sandbox):
        sandbox.ledger.balances_minor.update({"collection": 123_456_05, "disbursement": 700})
        told = [await airtel.ask_balance(account, "") for account in airtel.balance_accounts]
        by_version = {1: [123_463_05], 2: [123_456_05, 700]}
        assert [money.minor for money in told] == by_version[version]


async def test_name_is_the_wallets(pair: tuple[AirtelMoney, AirtelSandbox]) -> None:
    airtel, sandbox = pair
    sandbox.wallets.open("254733000001").name = "Amina Otieno"
    assert await airtel.name_of(Msisdn(NUMBERS["KE"])) == "Amina Otieno"


async def test_it_starts_with_the_others() -> None:
    async with Sandboxes.start() as sandboxes:
        assert sandboxes.airtel_url.startswith("http://127.0.0.1:")
        assert sandboxes.airtel.ledger.balances_minor["disbursement"] == 100_000_000_00
