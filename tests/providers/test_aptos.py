"""The adapter against a node that answers by script: every shape, every refusal, every fault."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from engine.errors import (
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Throttled,
    Unreachable,
    Unreadable,
)
from engine.ports import (
    Approval,
    DisputeAnswer,
    DisputeOpening,
    DisputeRefund,
    DisputeRuling,
    DisputeStanding,
    Found,
    PoolStanding,
    Position,
    Prepared,
    Provision,
    Reason,
    Recorded,
    Refusal,
    SettlementPort,
    Standing,
)
from providers.aptos import Aptos, read_settings, sdk
from providers.http import Exchange
from tests.providers.aptos_subjects import (
    CORRIDOR,
    CORRIDORS,
    HEADERS,
    LEDGER_SECONDS,
    NamedKeys,
    headers,
    keys,
    settings_file,
    settlement,
    slot,
    terms,
)
from tests.providers.company import (
    CUT_SHORT,
    EMPTY_200,
    EMPTY_500,
    HTML_500,
    HTML_OK,
    NOT_HTTP,
    RESETS,
    SILENCE,
    Answer,
    Company,
    Reaction,
    closed_port,
)
from tests.providers.subjects import PATIENT

ROOT, SUBMIT, SIMULATE = "/v1", "/v1/transactions", "/v1/transactions/simulate"
VIEW, PRICE = "/v1/view", "/v1/estimate_gas_price"
HTML_429 = Answer(429, body=b"<html>Slow down</html>", content_type="text/html")
TRUNCATED = Answer(200, body=b'[{"success": tr', headers=HEADERS)
PRICES = Answer(
    message={
        "deprioritized_gas_estimate": 100,
        "gas_estimate": 150,
        "prioritized_gas_estimate": 200,
    },
    headers=HEADERS,
)
INFO = {
    "chain_id": 4,
    "epoch": "1",
    "ledger_version": "1000",
    "oldest_ledger_version": "0",
    "ledger_timestamp": f"{LEDGER_SECONDS}000000",
    "node_role": "full_node",
    "oldest_block_height": "0",
    "block_height": "500",
    "git_hash": "x",
}


class Hand:
    """A steady clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def seconds(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def signer() -> NamedKeys:
    return keys()


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def rail(
    company: Company, signer: NamedKeys, hand: Hand, traced: list[Exchange]
) -> AsyncIterator[Aptos]:
    settings = read_settings(settings_file(company.url), CORRIDORS)._replace(timeouts=PATIENT)
    built = Aptos(settings, signer, trace=traced.append, seconds=hand.seconds, sleep=hand.sleep)
    company.on(ROOT, Answer(message=INFO, headers=HEADERS))
    company.on(PRICE, PRICES)
    company.on(account_path(signer), numbered(7))
    yield built
    await built.aclose()


def account_path(signer: NamedKeys, name: str = "submitter_1") -> str:
    return f"/v1/accounts/{sdk.shown(signer.address(name))}"


def numbered(number: int, **told: int) -> Answer:
    body = {"sequence_number": str(number), "authentication_key": "0x00"}
    return Answer(message=body, headers=headers(**told))


def refused(
    status: int, error_code: str, number: int | None = None, *, with_headers: bool = True
) -> Answer:
    message = f"Invalid transaction: Type: Validation Code: {error_code.upper()}"
    body = {"message": message, "error_code": error_code, "vm_error_code": number}
    return Answer(status, message=body, headers=HEADERS if with_headers else ())


def absent(**told: int) -> Answer:
    body = {"message": "not found", "error_code": "transaction_not_found", "vm_error_code": None}
    return Answer(404, message=body, headers=headers(**told))


def committed(prepared: Prepared, **changed: Any) -> dict[str, Any]:
    return {
        "type": "user_transaction",
        "version": "4321",
        "hash": sdk.shown(prepared.hash),
        "sender": "0x1",
        "sequence_number": str(prepared.slot.sequence_number),
        "success": True,
        "vm_status": "Executed successfully",
        "gas_used": "90",
        "gas_unit_price": "150",
        "events": [
            {
                "guid": {"creation_number": "0", "account_address": "0x0"},
                "sequence_number": "0",
                "type": "0x1::transaction_fee::FeeStatement",
                "data": {"total_charge_gas_units": "90", "storage_fee_refund_octas": "500"},
            }
        ],
        "changes": [],
        "timestamp": f"{LEDGER_SECONDS}000000",
        "payload": {"type": "entry_function_payload", "arguments": ["0x00"] * 5},
        **changed,
    }


def by_hash(prepared: Prepared) -> str:
    return f"/v1/transactions/by_hash/{sdk.shown(prepared.hash)}"


def answered(message: Any, **told: int) -> Answer:
    return Answer(message=message, headers=headers(**told))


def is_rail(rail: SettlementPort) -> SettlementPort:
    return rail  # for the type checker: the adapter has all that the port asks


# What it is.


def test_it_is_a_rail_with_its_submitters(rail: Aptos) -> None:
    assert is_rail(rail).accounts == ("submitter_1", "submitter_2")
    assert (rail.name, rail.expires_seconds, rail.in_flight_max) == ("aptos", 60, 100)


async def test_every_account_sends_what_is_its_own(rail: Aptos) -> None:
    opening = DisputeOpening(CORRIDOR, bytes(16), bytes(32), 0, (), 0, 1, 5)
    answer = DisputeAnswer(CORRIDOR, bytes(32), 0, accepts=True, evidence_hash=bytes(32))
    sent_by = {
        name: rail.account_for(settlement(corridor=name)) for name in CORRIDORS
    }  # by their places in the file
    assert list(sent_by.values()) == ["submitter_1", "submitter_2", "submitter_1"]
    assert rail.account_for(opening) == rail.account_for(answer) == "member_mpesa_ke"
    assert rail.account_for(DisputeRuling(CORRIDOR, bytes(32), 1)) == "arbiter"
    assert rail.account_for(DisputeRefund(CORRIDOR, bytes(32))) == "submitter_1"
    for other in (
        msgspec.structs.replace(opening, member=1),  # signs elsewhere
        msgspec.structs.replace(opening, member=2),
        DisputeRefund("somewhere:else", bytes(32)),
    ):
        with pytest.raises(Rejected) as raised:
            rail.account_for(other)
        assert raised.value.reason == Reason.CONFIGURATION


# Where the node stands.


async def test_a_node_says_where_it_stands(rail: Aptos) -> None:
    assert await rail.position() == Position(4, 1000, LEDGER_SECONDS)


async def test_a_node_of_another_chain_is_refused(company: Company, rail: Aptos) -> None:
    company.on(ROOT, Answer(message={**INFO, "chain_id": 2}, headers=headers(chain_id=2)))
    with pytest.raises(Rejected) as raised:
        await rail.position()
    assert (raised.value.reason, raised.value.code) == (Reason.CONFIGURATION, "chain_id")


# Preparing.


async def test_what_is_prepared_is_signed_by_its_account_and_its_sponsor(
    rail: Aptos, signer: NamedKeys, company: Company
) -> None:
    prepared = await rail.prepare(settlement(), slot(), units_max=1_000)
    assert prepared.hash == sdk.hash_of(prepared.body)
    assert prepared.fee_max == 1_000 * 150
    assert sorted(signer.signed) == ["sponsor", "submitter_1"]
    # Nothing of it has left: only the price was asked for.
    assert {request.path for request in company.requests} == {PRICE}


async def test_the_same_slot_gives_the_same_bytes(rail: Aptos) -> None:
    first = await rail.prepare(settlement(), slot(), units_max=1_000)
    assert await rail.prepare(settlement(), slot(), units_max=1_000) == first
    for other in (
        await rail.prepare(settlement(), slot(sequence_number=8), units_max=1_000),
        await rail.prepare(settlement(), slot(expires_at=LEDGER_SECONDS + 61), units_max=1_000),
        await rail.prepare(settlement(batch_id=bytes(16)), slot(), units_max=1_000),
        await rail.prepare_nothing(slot()),
    ):
        assert other.hash != first.hash


async def test_no_transaction_may_take_more_than_the_budget(rail: Aptos) -> None:
    prepared = await rail.prepare(settlement(), slot(), units_max=10_000_000)
    assert prepared.fee_max == 200_000 * 150
    assert (await rail.prepare_nothing(slot())).fee_max == 20_000 * 150


async def test_a_price_above_the_budget_is_not_paid(company: Company, rail: Aptos) -> None:
    company.on(PRICE, answered({"gas_estimate": 1_500, "deprioritized_gas_estimate": 1_001}))
    assert await rail.estimate(settlement()) is Refusal.FEE
    with pytest.raises(Rejected) as raised:
        await rail.prepare(settlement(), slot(), units_max=1_000)
    assert raised.value.reason == Reason.CONFIGURATION


async def test_a_price_that_is_high_only_for_the_hurried_is_capped(
    company: Company, rail: Aptos
) -> None:
    company.on(PRICE, answered({"gas_estimate": 1_500, "deprioritized_gas_estimate": 900}))
    assert (await rail.prepare(settlement(), slot(), units_max=10)).fee_max == 10 * 1_000


async def test_a_price_is_asked_for_again_after_half_a_minute_and_an_old_one_is_better_than_none(
    company: Company, rail: Aptos, hand: Hand
) -> None:
    await rail.prepare_nothing(slot())
    await rail.prepare_nothing(slot())
    assert len(company.received(PRICE)) == 1
    hand.now += 31
    company.on(PRICE, EMPTY_500)
    prepared = await rail.prepare_nothing(slot())
    assert (len(company.received(PRICE)), prepared.fee_max) == (2, 20_000 * 150)


async def test_without_any_price_nothing_is_signed(
    company: Company, rail: Aptos, signer: NamedKeys
) -> None:
    company.on(PRICE, EMPTY_500)
    with pytest.raises(OutcomeUnknown):
        await rail.prepare(settlement(), slot(), units_max=1_000)
    assert signer.signed == []


async def test_an_account_without_a_key_prepares_nothing(rail: Aptos) -> None:
    with pytest.raises(Rejected):
        await rail.prepare(settlement(), slot(account="submitter_9"), units_max=1_000)


# Estimating.


async def test_a_trial_allows_half_more_than_it_took(company: Company, rail: Aptos) -> None:
    company.on(
        SIMULATE,
        answered([{"success": True, "vm_status": "Executed successfully", "gas_used": "901"}]),
    )
    assert await rail.estimate(settlement()) == 1_352
    [request] = company.received(SIMULATE)
    assert request.headers["content-type"] == "application/x.aptos.signed_transaction+bcs"
    assert bytes(64) in request.body


@pytest.mark.parametrize(
    ("simulated", "told"),
    [
        ({"success": True, "gas_used": "150000"}, 200_000),
        ({"success": True, "gas_used": "200000"}, 200_000),
        ({"success": True, "gas_used": "200001"}, Refusal.FEE),
        ({"success": False, "vm_status": "Out of gas"}, Refusal.FEE),
        (
            {"success": False, "vm_status": "Move abort in 0xca04::settlement: 0x80002"},
            Refusal.DONE_BEFORE,
        ),
        (
            {"success": False, "vm_status": "Move abort in 0x1::fungible_asset: 0x50003"},
            Refusal.FROZEN,
        ),
        ({"success": False, "vm_status": "INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE"}, Refusal.FEE),
        ({"success": False, "vm_status": "who knows"}, Refusal.OTHER),
    ],
)
async def test_a_trial_says_what_the_rail_would_do(
    company: Company, rail: Aptos, simulated: dict[str, Any], told: object
) -> None:
    company.on(SIMULATE, answered([{"vm_status": "", "gas_used": "10", **simulated}]))
    assert await rail.estimate(settlement()) == told
    assert company.received(SUBMIT) == []


@pytest.mark.parametrize(
    "reaction",
    [
        answered([]),
        answered({}),
        answered([{"success": True, "vm_status": "", "gas_used": "many"}]),
        TRUNCATED,
        HTML_OK,
    ],
)
async def test_a_trial_of_another_shape_is_unreadable(
    company: Company, rail: Aptos, reaction: Reaction
) -> None:
    company.on(SIMULATE, reaction)
    with pytest.raises(Unreadable):
        await rail.estimate(settlement())


@pytest.mark.parametrize(
    "word", ["SEQUENCE_NUMBER_TOO_OLD", "SEQUENCE_NUMBER_TOO_NEW", "TRANSACTION_EXPIRED"]
)
async def test_a_trial_that_was_overtaken_is_no_refusal(
    company: Company, rail: Aptos, word: str
) -> None:
    """Another transaction of the account was committed between the question and the trial."""
    company.on(SIMULATE, answered([{"success": False, "vm_status": word, "gas_used": "0"}]))
    with pytest.raises(OutcomeUnknown) as raised:
        await rail.estimate(settlement())
    assert raised.value.code == word


async def test_a_trial_that_was_overtaken_is_made_again_with_the_number_of_that_moment(
    company: Company, rail: Aptos, signer: NamedKeys
) -> None:
    tried = [{"success": True, "vm_status": "Executed successfully", "gas_used": "901"}]
    overtaken = [{"success": False, "vm_status": "SEQUENCE_NUMBER_TOO_OLD", "gas_used": "0"}]
    company.on(SIMULATE, answered(overtaken), answered(overtaken), answered(tried))
    assert await rail.estimate(settlement()) == 1_352
    assert len(company.received(SIMULATE)) == 3
    assert len(company.received(account_path(signer))) == 3, "the number anew each time"


# Handing in.


@pytest.fixture
async def prepared(rail: Aptos) -> Prepared:
    return await rail.prepare(settlement(), slot(), units_max=1_000)


async def test_bytes_are_handed_in_as_they_are_and_any_number_of_times(
    company: Company, rail: Aptos, prepared: Prepared
) -> None:
    company.on(SUBMIT, Answer(202, message={"hash": "0x1"}, headers=HEADERS))
    for _ in range(3):
        await rail.send(prepared)
    assert [request.body for request in company.received(SUBMIT)] == [prepared.body] * 3


REFUSALS = [
    (1, "INVALID_SIGNATURE", Reason.CONFIGURATION),
    (2, "INVALID_AUTH_KEY", Reason.CONFIGURATION),
    (3, "SEQUENCE_NUMBER_TOO_OLD", Reason.OTHER),
    (5, "INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE", Reason.CONFIGURATION),
    (6, "TRANSACTION_EXPIRED", Reason.OTHER),
    (7, "SENDING_ACCOUNT_DOES_NOT_EXIST", Reason.CONFIGURATION),
    (10, "EXCEEDED_MAX_TRANSACTION_SIZE", Reason.OTHER),
    (15, "GAS_UNIT_PRICE_BELOW_MIN_BOUND", Reason.CONFIGURATION),
    (23, "BAD_CHAIN_ID", Reason.CONFIGURATION),
    (36, "GAS_PAYER_ACCOUNT_MISSING", Reason.CONFIGURATION),
]


@pytest.mark.parametrize(("number", "name", "reason"), REFUSALS)
async def test_a_refusal_at_the_door_is_told_in_the_chains_own_word(
    company: Company, rail: Aptos, prepared: Prepared, number: int, name: str, reason: Reason
) -> None:
    company.on(SUBMIT, refused(400, "vm_error", number))
    company.on(by_hash(prepared), absent())
    with pytest.raises(Rejected) as raised:
        await rail.send(prepared)
    assert (raised.value.code, raised.value.reason) == (name, reason)


@pytest.mark.parametrize(
    ("reaction", "code", "reason"),
    [
        (refused(400, "sequence_number_too_old"), "SEQUENCE_NUMBER_TOO_OLD", Reason.OTHER),
        (refused(400, "invalid_transaction_update"), "invalid_transaction_update", Reason.OTHER),
        (refused(400, "vm_error", 999), "vm_error", Reason.OTHER),
        (refused(400, "invalid_input", with_headers=False), "invalid_input", Reason.OTHER),
        (refused(403, "api_disabled"), "api_disabled", Reason.CONFIGURATION),
        (Answer(401, body=b"<html>key?</html>"), "401", Reason.CONFIGURATION),
        (Answer(413, body=b"too large"), "413", Reason.CONFIGURATION),
    ],
)
async def test_other_refusals_are_told_apart(
    company: Company,
    rail: Aptos,
    prepared: Prepared,
    reaction: Reaction,
    code: str,
    reason: Reason,
) -> None:
    company.on(SUBMIT, reaction)
    company.on(by_hash(prepared), absent())
    with pytest.raises(Rejected) as raised:
        await rail.send(prepared)
    assert (raised.value.code, raised.value.reason) == (code, reason)


async def test_a_number_used_up_by_these_very_bytes_is_no_refusal(
    company: Company, rail: Aptos, prepared: Prepared
) -> None:
    company.on(SUBMIT, refused(400, "sequence_number_too_old", 3))
    company.on(by_hash(prepared), answered(committed(prepared)))
    await rail.send(prepared)


@pytest.mark.parametrize(
    ("reaction", "error"),
    [
        (HTML_429, Throttled),
        (refused(429, "rate_limited"), Throttled),
        (refused(503, "node_not_bootstrapped"), Throttled),
        (refused(507, "mempool_is_full"), Throttled),
        (EMPTY_500, OutcomeUnknown),
        (HTML_500, OutcomeUnknown),
        (Answer(504), OutcomeUnknown),
        (Answer(400, body=b"<html>Bad gateway request</html>"), OutcomeUnknown),
        (EMPTY_200, OutcomeUnknown),
        (Answer(202, headers=headers(chain_id=2)), OutcomeUnknown),
        (SILENCE, OutcomeUnknown),
        (RESETS, OutcomeUnknown),
        (CUT_SHORT, OutcomeUnknown),
        (NOT_HTTP, OutcomeUnknown),
    ],
)
async def test_everything_else_may_be_handed_in_again_and_says_nothing(
    company: Company,
    rail: Aptos,
    prepared: Prepared,
    reaction: Reaction,
    error: type[ProviderError],
) -> None:
    company.on(SUBMIT, reaction)
    with pytest.raises(error) as raised:
        await rail.send(prepared)
    assert type(raised.value) is error
    assert len(company.received(SUBMIT)) == 1  # a lost answer is not repaired in here


async def test_a_node_that_is_not_there_is_unreachable(signer: NamedKeys) -> None:
    given = settings_file(f"http://127.0.0.1:{closed_port()}")
    rail = Aptos(read_settings(given, CORRIDORS), signer)
    with pytest.raises(Unreachable):
        await rail.send(Prepared(slot(), bytes(32), b"x", 1))
    await rail.aclose()


async def test_the_node_says_how_long_to_wait(
    company: Company, rail: Aptos, prepared: Prepared
) -> None:
    company.on(SUBMIT, Answer(429, headers=(("Retry-After", "7"),)))
    with pytest.raises(Throttled) as raised:
        await rail.send(prepared)
    assert raised.value.retry_after_seconds == 7


# Finding.


async def test_a_committed_transaction_is_final(
    company: Company, rail: Aptos, prepared: Prepared
) -> None:
    company.on(by_hash(prepared), answered(committed(prepared)))
    assert await rail.find(prepared) == Found(Standing.DONE, 4321, 90 * 150 - 500)
    company.on(
        by_hash(prepared),
        answered(
            committed(
                prepared,
                success=False,
                vm_status="Move abort in 0xca04::approvals: E_BAD_APPROVAL(0x40009): x",
                events=[],
            )
        ),
    )
    found = await rail.find(prepared)
    assert found == Found(Standing.REFUSED, 4321, 90 * 150, Refusal.APPROVALS)


async def test_a_pending_transaction_is_waited_for(
    company: Company, rail: Aptos, prepared: Prepared
) -> None:
    pending = {"type": "pending_transaction", "hash": sdk.shown(prepared.hash)}
    company.on(by_hash(prepared), answered(pending, seconds=LEDGER_SECONDS + 100))
    # Even past its expiry: the node still has it, so it is not for us to say.
    assert (await rail.find(prepared)).standing is Standing.WAITING


LATE = LEDGER_SECONDS + 61


@pytest.mark.parametrize("seconds", [LEDGER_SECONDS - 5, LEDGER_SECONDS, LATE - 1])
async def test_unknown_before_its_expiry_is_unknown(
    company: Company, rail: Aptos, signer: NamedKeys, prepared: Prepared, seconds: int
) -> None:
    company.on(by_hash(prepared), absent(seconds=seconds))
    company.on(account_path(signer), numbered(7, seconds=seconds))
    assert (await rail.find(prepared)).standing is Standing.UNKNOWN


async def test_gone_is_what_is_too_late_for_a_place_nobody_took(
    company: Company, rail: Aptos, signer: NamedKeys, prepared: Prepared
) -> None:
    company.on(by_hash(prepared), absent(seconds=LATE))
    company.on(account_path(signer), numbered(7, seconds=LATE))
    assert await rail.find(prepared) == Found(Standing.GONE)


def taken(company: Company, signer: NamedKeys, *transactions: dict[str, Any]) -> None:
    company.on(account_path(signer), numbered(8, seconds=LATE))
    company.on(f"{account_path(signer)}/transactions", answered(list(transactions), seconds=LATE))


async def test_gone_is_also_what_lost_its_place_to_other_bytes(
    company: Company, rail: Aptos, signer: NamedKeys, prepared: Prepared
) -> None:
    company.on(by_hash(prepared), absent(seconds=LATE))
    taken(company, signer, committed(prepared, hash="0x" + "ab" * 32))
    assert await rail.find(prepared) == Found(Standing.GONE)


async def test_what_the_node_has_forgotten_by_hash_is_found_by_its_number(
    company: Company, rail: Aptos, signer: NamedKeys, prepared: Prepared
) -> None:
    company.on(by_hash(prepared), absent(seconds=LATE))
    taken(company, signer, committed(prepared))
    assert (await rail.find(prepared)).standing is Standing.DONE


async def test_a_pruned_node_cannot_say_that_it_is_gone(
    company: Company, rail: Aptos, signer: NamedKeys, prepared: Prepared
) -> None:
    company.on(by_hash(prepared), absent(seconds=LATE))
    taken(company, signer)
    assert (await rail.find(prepared)).standing is Standing.UNKNOWN
    taken(company, signer, committed(prepared, sequence_number="8", hash="0x1"))
    assert (await rail.find(prepared)).standing is Standing.UNKNOWN


@pytest.mark.parametrize(
    "told", [{"version": 999, "seconds": LATE}, {"version": 1001, "seconds": LATE}]
)
async def test_a_node_that_is_behind_cannot_say_that_it_is_gone(
    company: Company, rail: Aptos, signer: NamedKeys, prepared: Prepared, told: dict[str, int]
) -> None:
    ahead = {**INFO, "ledger_version": "1002", "ledger_timestamp": f"{LATE + 60}000000"}
    company.on(ROOT, Answer(message=ahead, headers=headers(version=1002, seconds=LATE + 60)))
    await rail.position()
    company.on(by_hash(prepared), absent(**told))
    company.on(account_path(signer), numbered(7, **told))
    assert (await rail.find(prepared)).standing is Standing.UNKNOWN


async def test_a_node_that_falls_behind_between_two_answers_cannot_say_it_either(
    company: Company, rail: Aptos, signer: NamedKeys, prepared: Prepared
) -> None:
    company.on(by_hash(prepared), absent(seconds=LATE))
    company.on(account_path(signer), numbered(7, seconds=LATE - 30))
    assert (await rail.find(prepared)).standing is Standing.UNKNOWN


@pytest.mark.parametrize(
    ("reaction", "error"),
    [
        (HTML_429, Throttled),
        (refused(503, "health_check_failed"), Throttled),
        (EMPTY_500, OutcomeUnknown),
        (SILENCE, OutcomeUnknown),
        (CUT_SHORT, OutcomeUnknown),
        (TRUNCATED, Unreadable),
        (HTML_OK, OutcomeUnknown),
        # A 404 of a door before the node, or one that does not say how old the node is.
        (Answer(404, body=b"<html>Not Found</html>"), OutcomeUnknown),
        (Answer(404, message={"error_code": "transaction_not_found"}), OutcomeUnknown),
        (Answer(404, message={"error_code": "other"}, headers=HEADERS), OutcomeUnknown),
        (Answer(404, message={"a": 1}, headers=headers(chain_id=2)), Unreadable),
        (answered({"type": "user_transaction", "hash": 1, "success": True}), Unreadable),
    ],
)
async def test_what_says_nothing_of_a_transaction_is_raised(
    company: Company,
    rail: Aptos,
    prepared: Prepared,
    reaction: Reaction,
    error: type[ProviderError],
) -> None:
    company.on(by_hash(prepared), reaction)
    with pytest.raises(error) as raised:
        await rail.find(prepared)
    assert type(raised.value) is error


async def test_another_transaction_than_was_asked_for_says_nothing(
    company: Company, rail: Aptos, prepared: Prepared
) -> None:
    company.on(by_hash(prepared), answered(committed(prepared, hash="0x" + "ab" * 32)))
    with pytest.raises(Unreadable):
        await rail.find(prepared)
    company.on(by_hash(prepared), answered(committed(prepared, version="")))
    with pytest.raises(Unreadable):
        await rail.find(prepared)


# Waiting.


def wait_path(prepared: Prepared) -> str:
    return f"/v1/transactions/wait_by_hash/{sdk.shown(prepared.hash)}"


async def test_waiting_ends_when_it_is_decided(
    company: Company, rail: Aptos, prepared: Prepared, hand: Hand
) -> None:
    pending = {"type": "pending_transaction", "hash": sdk.shown(prepared.hash)}
    company.on(
        wait_path(prepared),
        absent(),
        HTML_429,
        answered(pending),
        EMPTY_500,
        answered(committed(prepared)),
    )
    assert (await rail.wait(prepared, seconds=30)).standing is Standing.DONE
    assert len(company.received(wait_path(prepared))) == 5
    assert 0 < hand.now - 1000 < 5


async def test_waiting_ends_with_what_is_known_when_the_time_is_over(
    company: Company, rail: Aptos, prepared: Prepared, hand: Hand
) -> None:
    company.on(wait_path(prepared), absent())
    assert (await rail.wait(prepared, seconds=10)).standing is Standing.UNKNOWN
    # At first ten questions a second, at last one: not a question every tenth for ten seconds.
    assert 10 < len(company.received(wait_path(prepared))) < 30
    assert hand.now - 1000 == pytest.approx(10, abs=0.1)


async def test_waiting_for_a_node_that_never_answers_raises_what_it_was(
    company: Company, rail: Aptos, prepared: Prepared
) -> None:
    company.on(wait_path(prepared), EMPTY_500)
    with pytest.raises(OutcomeUnknown):
        await rail.wait(prepared, seconds=2)


# The books.


async def test_the_next_number_is_the_accounts_own(rail: Aptos) -> None:
    assert await rail.next_sequence_number("submitter_1") == 7


async def test_an_account_that_the_chain_does_not_have_is_our_configuration(
    company: Company, rail: Aptos, signer: NamedKeys
) -> None:
    company.on(account_path(signer), refused(404, "account_not_found"))
    with pytest.raises(Rejected) as raised:
        await rail.next_sequence_number("submitter_1")
    assert raised.value.reason == Reason.CONFIGURATION


async def test_a_number_of_a_node_that_is_behind_is_asked_for_again(
    company: Company, rail: Aptos, signer: NamedKeys
) -> None:
    await rail.position()
    company.on(account_path(signer), numbered(5, version=999), numbered(7, version=1001))
    assert await rail.next_sequence_number("submitter_1") == 7
    company.on(account_path(signer), numbered(5, version=999))
    with pytest.raises(OutcomeUnknown):
        await rail.next_sequence_number("submitter_1")


async def test_a_batch_is_read_as_it_was_recorded(company: Company, rail: Aptos) -> None:
    row = [
        "0x" + "11" * 32,
        "0x" + "22" * 32,
        "3",
        ["1500000", "0"],
        ["0", "1500000"],
        str(LEDGER_SECONDS),
    ]
    company.on(VIEW, answered([True]), answered(row))
    assert await rail.recorded(CORRIDOR, bytes(16)) == Recorded(
        b"\x11" * 32, b"\x22" * 32, 3, (1_500_000, 0), (0, 1_500_000), LEDGER_SECONDS
    )
    request = company.received(VIEW)[0]
    assert request.headers["content-type"] == "application/x.aptos.view_function+bcs"
    company.on(VIEW, answered([False]))
    assert await rail.recorded(CORRIDOR, bytes(16)) is None
    for never in (253_402_300_800, 2**64 - 1):  # no calendar has it
        company.on(VIEW, answered([True]), answered([*row[:5], str(never)]))
        with pytest.raises(Unreadable):
            await rail.recorded(CORRIDOR, bytes(16))


async def test_no_batch_is_only_believed_of_a_node_that_is_not_behind(
    company: Company, rail: Aptos
) -> None:
    await rail.position()
    company.on(VIEW, answered([False], version=999))
    with pytest.raises(OutcomeUnknown):
        await rail.recorded(CORRIDOR, bytes(16))


NO_DISPUTE = {
    "message": "Move abort in 0xca04::settlement: E_NO_DISPUTE(0x60015): There is none.",
    "error_code": "invalid_input",
    "vm_error_code": 4016,
}


async def test_a_dispute_is_read_as_it_stands(company: Company, rail: Aptos) -> None:
    row = [2, "0", "1", "500", "0", "77", "0x" + "00" * 16, "0x" + "00" * 32]
    company.on(VIEW, answered(row))
    assert await rail.dispute(CORRIDOR, b"d" * 32) == DisputeStanding(
        b"d" * 32, "contested", 0, 1, 500, 0, 77
    )
    company.on(VIEW, Answer(400, message=NO_DISPUTE))  # errors of views have no headers
    assert await rail.dispute(CORRIDOR, b"d" * 32) is None
    company.on(VIEW, answered([9, *row[1:]]))
    with pytest.raises(Unreadable):
        await rail.dispute(CORRIDOR, b"d" * 32)


async def test_no_dispute_is_not_believed_of_a_node_that_is_behind(
    company: Company, rail: Aptos
) -> None:
    ahead = {**INFO, "ledger_version": "1002"}
    company.on(
        ROOT,
        Answer(message=ahead, headers=headers(version=1002)),
        Answer(message=INFO, headers=HEADERS),
    )
    await rail.position()
    company.on(VIEW, Answer(400, message=NO_DISPUTE))
    with pytest.raises(OutcomeUnknown):
        await rail.dispute(CORRIDOR, b"d" * 32)


async def test_what_the_contract_refuses_to_look_at_is_proven_by_no_node_that_is_behind(
    company: Company, rail: Aptos
) -> None:
    message = {**NO_DISPUTE, "message": "Move abort in 0xca04::settlement: E_HASH_LENGTH(0x10004)"}
    company.on(VIEW, Answer(400, message=message))
    asked = (CORRIDOR, bytes(16), bytes(32), 0, [bytes(32)])
    assert await rail.proves(*asked) is False
    other = {**NO_DISPUTE, "message": "Move abort in 0x1::table: 0x1"}
    company.on(VIEW, Answer(400, message=other))
    with pytest.raises(OutcomeUnknown):
        await rail.proves(*asked)
    company.on(VIEW, Answer(400, message=message))
    ahead = {**INFO, "ledger_version": "1002"}
    company.on(
        ROOT,
        Answer(message=ahead, headers=headers(version=1002)),
        Answer(message=INFO, headers=HEADERS),
    )
    await rail.position()
    with pytest.raises(OutcomeUnknown):
        await rail.proves(*asked)


async def test_another_refusal_of_a_view_is_no_answer(company: Company, rail: Aptos) -> None:
    for message in (
        {"message": "Move abort in 0x1::table: 0x1", "error_code": "invalid_input"},
        {"message": "Failed to deserialize", "error_code": "invalid_input"},
    ):
        company.on(VIEW, Answer(400, message=message))
        with pytest.raises(OutcomeUnknown):
            await rail.dispute(CORRIDOR, b"d" * 32)


async def test_a_corridor_that_is_not_on_the_chain_has_no_books(
    company: Company, rail: Aptos
) -> None:
    message = {"message": "Move abort in 0x1::object: 0x60002", "error_code": "invalid_input"}
    company.on(VIEW, Answer(400, message=message))
    for ask in (rail.recorded(CORRIDOR, bytes(16)), rail.pools(CORRIDOR)):
        with pytest.raises(Unreadable):
            await ask


async def test_of_a_corridor_that_the_file_does_not_place_nothing_is_asked(
    company: Company, rail: Aptos, prepared: Prepared
) -> None:
    name = "somewhere:else"
    before = len(company.requests)
    for ask in (
        rail.recorded(name, bytes(16)),
        rail.dispute(name, bytes(32)),
        rail.proves(name, bytes(16), bytes(32), 0, []),
        rail.pools(name),
        rail.provisions(name, prepared.hash),
        rail.prepare(settlement(corridor=name), slot(), units_max=1_000),
        rail.is_approved_by(terms(corridor=name), Approval(0, bytes(64))),
    ):
        with pytest.raises(Rejected) as raised:
            await ask
        assert raised.value.reason == Reason.CONFIGURATION
    assert len(company.requests) == before
    with pytest.raises(Rejected):
        rail.terms_hash(terms(corridor=name))


async def test_no_book_is_read_from_a_node_that_is_behind(
    company: Company, rail: Aptos, prepared: Prepared
) -> None:
    company.on(VIEW, answered(["0xa"]), answered(["0xb"]))
    company.on(by_hash(prepared), answered(committed(prepared)))
    assert await rail.provisions(CORRIDOR, prepared.hash) == ()
    await rail.position()
    behind = answered(committed(prepared, events=[event("Provided", "0xa", 5)]), version=999)
    company.on(by_hash(prepared), behind)
    company.on(VIEW, answered(["1"], version=999))
    company.on(account_path(keys()), numbered(7, version=999))
    for ask in (
        rail.provisions(CORRIDOR, prepared.hash),
        rail.pools(CORRIDOR),
        rail.dispute(CORRIDOR, bytes(32)),
        rail.proves(CORRIDOR, bytes(16), bytes(32), 0, []),
        rail.next_sequence_number("submitter_1"),
    ):
        with pytest.raises(OutcomeUnknown) as raised:
            await ask
        assert raised.value.code == "stale"


async def test_an_approval_is_that_of_the_key_that_stands_on_the_chain(
    company: Company, rail: Aptos, signer: NamedKeys
) -> None:
    told = terms()
    approvers = ["0x" + (await signer.public_key(name)).hex() for name in ("sponsor", "arbiter")]
    company.on(VIEW, answered([["0x12", *approvers]]))
    good = await signer.sign("arbiter", rail.terms_hash(told))
    other = await signer.sign("arbiter", bytes(32))
    said = {
        (index, name): await rail.is_approved_by(told, Approval(index, signature))
        for index in (0, 1, 2, 3, -1)
        for name, signature in (("good", good), ("other", other), ("short", good[:63]))
    }
    assert [one for one, is_approved in said.items() if is_approved] == [(2, "good")]


async def test_the_chain_itself_says_whether_a_payment_was_in_a_batch(
    company: Company, rail: Aptos
) -> None:
    company.on(VIEW, answered([True]), answered([False]))
    asked = (CORRIDOR, bytes(16), bytes(32), 0, [bytes(32)])
    assert await rail.proves(*asked) is True
    assert await rail.proves(*asked) is False


class Chain(httpx.AsyncBaseTransport):
    """A node that answers views by their names, and counts what it is asked."""

    def __init__(self, values: dict[str, list[Any]]) -> None:
        self.values = values
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        [view] = [name for name in self.values if _names(body, name)]
        self.asked.append(view)
        values = self.values[view]
        value = values.pop(0) if len(values) > 1 else values[0]
        return httpx.Response(200, headers=dict(HEADERS), json=[value])


def _names(body: bytes, view: str) -> bool:
    return bytes([len(view)]) + view.encode() in body


async def test_pools_are_read_until_they_stand_still(signer: NamedKeys) -> None:
    # Totals of both pools; in the first reading a settlement falls between them.
    chain = Chain({"pool_of": ["0xa", "0xb"], "total": ["5", "7", "3", "7"], "reserved": ["1"]})
    settings = read_settings(settings_file("http://127.0.0.1:1"), CORRIDORS)
    rail = Aptos(settings, signer, transport=chain)
    chain.values["total"] = ["5", "7", "3", "7", "3", "7"]
    assert await rail.pools(CORRIDOR) == (PoolStanding(3, 1), PoolStanding(7, 1))
    assert chain.asked.count("pool_of") == 2
    chain.values["total"] = [str(n) for n in range(100)]
    with pytest.raises(OutcomeUnknown):
        await rail.pools(CORRIDOR)
    assert chain.asked.count("pool_of") == 2
    await rail.aclose()


def event(name: str, pool: str, amount: int, package: str = "0xca03") -> dict[str, Any]:
    return {
        "type": f"{package}::liquidity::{name}",
        "data": {"pool": pool, "amount": str(amount), "shares": "1"},
    }


SETTLED = {"type": "0xca04::settlement::Settled", "data": {}}
LOST = {
    "type": "0xca03::liquidity::LossTaken",
    "data": {"pool": "0xb", "total_before": "1000", "total_after": "700"},
}


@pytest.mark.parametrize(
    ("events", "provisions"),
    [
        ([event("Provided", "0xa", 500)], (Provision(0, 500),)),
        ([event("PutIn", "0xb", 500)], (Provision(1, 500),)),  # an operator that replenishes
        (
            [event("Withdrawn", "0xb", 20), event("EmergencyExited", "0xa", 5)],
            (Provision(1, -20), Provision(0, -5)),
        ),
        ([event("PutIn", "0xb", 500), SETTLED], ()),
        # What an issuer took is written down by whichever transaction comes next.
        ([LOST], (Provision(1, -300),)),
        ([LOST, event("PutIn", "0xb", 500)], (Provision(1, -300), Provision(1, 500))),
        ([LOST, event("PutIn", "0xa", 500), SETTLED], (Provision(1, -300),)),
        ([event("Provided", "0xc", 500)], ()),
        ([event("Provided", "0xa", 500, package="0xbad")], ()),
        ([event("FeesAdded", "0xa", 500)], ()),
        ([], ()),
    ],
)
async def test_what_was_provided_is_read_from_the_transaction(
    company: Company,
    rail: Aptos,
    prepared: Prepared,
    events: list[dict[str, Any]],
    provisions: tuple[Provision, ...],
) -> None:
    company.on(VIEW, answered(["0xa"]), answered(["0xb"]))
    company.on(by_hash(prepared), answered(committed(prepared, events=events)))
    assert await rail.provisions(CORRIDOR, prepared.hash) == provisions


async def test_nothing_was_provided_by_what_is_not_final_or_failed(
    company: Company, rail: Aptos, prepared: Prepared
) -> None:
    company.on(VIEW, answered(["0xa"]), answered(["0xb"]))
    events = [event("Provided", "0xa", 500)]
    for reaction in (
        absent(),
        answered(committed(prepared, events=events, success=False)),
        answered({"type": "pending_transaction", "hash": sdk.shown(prepared.hash)}),
    ):
        company.on(by_hash(prepared), reaction)
        assert await rail.provisions(CORRIDOR, prepared.hash) == ()


async def test_the_sponsors_balance_is_what_is_left_for_fees(company: Company, rail: Aptos) -> None:
    company.on(VIEW, answered(["123456789"]), answered(["much"]))
    assert await rail.fee_reserve() == 123_456_789
    with pytest.raises(Unreadable):
        await rail.fee_reserve()


# Secrets.


async def test_no_trace_and_no_error_shows_a_key_or_a_body(
    company: Company, rail: Aptos, prepared: Prepared, traced: list[Exchange], signer: NamedKeys
) -> None:
    company.on(SUBMIT, Answer(202, message=committed(prepared), headers=HEADERS), EMPTY_500)
    await rail.send(prepared)
    with pytest.raises(OutcomeUnknown) as raised:
        await rail.send(prepared)
    shown = "".join(map(repr, traced)) + str(raised.value) + repr(rail)
    assert "submit" in shown
    for name in ("sponsor", "submitter_1"):
        assert signer._key(name).private_bytes_raw().hex() not in shown
    assert prepared.body[:40].hex() not in shown
    assert "arguments" not in shown or "0x00" not in shown


def test_the_terms_hash_is_the_same_for_all_who_are_told_the_same(rail: Aptos) -> None:
    assert rail.terms_hash(terms()) == rail.terms_hash(terms())
    assert len(rail.terms_hash(terms())) == 32
