"""The devnet as clients see it: the SDK's own client unchanged, and the node's paths by hand."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from aptos_sdk.account import Account
from aptos_sdk.account_address import AccountAddress
from aptos_sdk.async_client import (
    AccountNotFound,
    ApiError,
    ClientConfig,
    FaucetClient,
    ResourceNotFound,
    RestClient,
)
from aptos_sdk.authenticator import Authenticator, FeePayerAuthenticator
from aptos_sdk.bcs import Serializer
from aptos_sdk.transaction_worker import TransactionWorker
from aptos_sdk.transactions import (
    FeePayerRawTransaction,
    SignedTransaction,
    TransactionArgument,
)

from simulator.devnet.devnet import Devnet
from simulator.devnet.node import NodeSettings
from tests.devnet import APT, COUNTER, MISTAKE, TinyExecutor, address, call, served, transfer, u64

COUNTER_ADDRESS = AccountAddress(COUNTER)
MODULE = f"0x{COUNTER.hex()}::counter"


@pytest.fixture
async def base() -> AsyncIterator[str]:
    devnet = Devnet(TinyExecutor(), settings=NodeSettings(block_milliseconds=5))
    async with served(devnet) as url:
        yield url


@pytest.fixture
async def rest(base: str) -> AsyncIterator[Any]:
    client = RestClient(f"{base}/v1", ClientConfig(expiration_ttl=60))
    yield client
    await client.close()  # type: ignore[no-untyped-call]


@pytest.fixture
async def http(base: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{base}/v1", verify=False, timeout=60) as client:
        yield client


@asynccontextmanager
async def unserved(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A node without sockets or blocks, for what needs neither."""
    transport = httpx.ASGITransport(Devnet(TinyExecutor(), settings=NodeSettings(**settings)).app())
    async with httpx.AsyncClient(transport=transport, base_url="http://devnet/v1") as client:
        yield client


@pytest.fixture
async def alice(base: str, rest: Any) -> Account:
    account = Account.generate()
    await FaucetClient(base, rest).fund_account(account.address(), APT)
    return account


async def final(rest: Any, transaction_hash: str) -> dict[str, Any]:
    """The transaction, without the second the SDK's own waiter sleeps."""
    response = await rest.client.get(
        f"{rest.base_url}/transactions/wait_by_hash/{transaction_hash}"
    )
    assert response.json()["type"] == "user_transaction", response.text
    shown: dict[str, Any] = response.json()
    return shown


async def run(rest: Any, account: Account, payload: Any) -> dict[str, Any]:
    signed = await rest.create_bcs_signed_transaction(account, payload)
    return await final(rest, await rest.submit_bcs_transaction(signed))


async def test_the_sdk_finds_its_way(base: str, rest: Any, alice: Account) -> None:
    assert await rest.chain_id() == 4
    assert abs(await rest.current_timestamp() - time.time()) < 60
    assert await FaucetClient(base, rest).healthy()
    assert await rest.account_balance(alice.address()) == APT
    assert await rest.account_sequence_number(alice.address()) == 0
    account = await rest.account(alice.address())
    assert account["authentication_key"] == str(alice.address())
    bob = Account.generate()
    await rest.wait_for_transaction(await rest.bcs_transfer(alice, bob.address(), 1_000))
    assert await rest.account_balance(bob.address()) == 1_000
    assert await rest.account_sequence_number(alice.address()) == 1
    assert await rest.account_transaction_sequence_number_status(alice.address(), 0)
    assert not await rest.account_transaction_sequence_number_status(alice.address(), 1)


async def test_the_sdk_reads_a_committed_transaction(rest: Any, alice: Account) -> None:
    shown = await run(rest, alice, call("add", u64(5)))
    assert shown["success"] is True
    assert shown["vm_status"] == "Executed successfully"
    assert shown["sender"] == str(alice.address())
    assert shown["payload"] == {
        "type": "entry_function_payload",
        "function": "0xcafe::counter::add",
        "type_arguments": [],
        "arguments": ["5"],
    }
    assert shown["events"][0] == {
        "guid": {"creation_number": "0", "account_address": "0x0"},
        "sequence_number": "0",
        "type": "0xcafe::counter::Added",
        "data": {"who": str(alice.address()), "amount": "5"},
    }
    assert shown["events"][-1]["type"] == "0x1::transaction_fee::FeeStatement"
    assert {
        "type": "write_resource",
        "address": str(alice.address()),
        "data": {"type": "0xcafe::counter::Counter", "data": {"total": "5"}},
    }.items() <= {k: v for k, v in shown["changes"][0].items() if k != "state_key_hash"}.items()
    assert shown["signature"]["type"] == "ed25519_signature"
    same = await rest.transaction_by_version(int(shown["version"]))
    assert same == shown == await rest.transaction_by_hash(shown["hash"])
    (listed,) = await rest.transactions_by_account(alice.address())
    assert listed == shown


async def test_the_sdk_sees_an_abort(rest: Any, alice: Account) -> None:
    shown = await run(rest, alice, call("add", u64(0)))
    assert shown["success"] is False
    assert shown["vm_status"] == (
        "Move abort in 0xcafe::counter: E_ZERO(0x10001): The amount is zero."
    )
    with pytest.raises(AssertionError):
        await rest.wait_for_transaction(shown["hash"])


async def test_the_sdk_is_told_why_a_number_is_stale(rest: Any, alice: Account) -> None:
    await run(rest, alice, call("add", u64(1)))
    signed = await rest.create_bcs_signed_transaction(alice, call("add", u64(1)), 0)
    with pytest.raises(ApiError) as caught:
        await rest.submit_bcs_transaction(signed)
    assert caught.value.status_code == 400
    assert json.loads(str(caught.value)) == {
        "message": "Invalid transaction: Type: Validation Code: SEQUENCE_NUMBER_TOO_OLD",
        "error_code": "vm_error",
        "vm_error_code": 3,
    }


async def test_the_sdk_lets_somebody_else_pay(rest: Any, alice: Account) -> None:
    bob = Account.generate()
    raw = await rest.create_bcs_transaction(bob, call("add", u64(1)))
    wrapped = FeePayerRawTransaction(raw, [], alice.address())
    authenticator = Authenticator(
        FeePayerAuthenticator(
            bob.sign_transaction(wrapped),
            [],
            (alice.address(), alice.sign_transaction(wrapped)),
        )
    )
    sent = await rest.submit_bcs_transaction(SignedTransaction(raw, authenticator))
    shown = await final(rest, sent)
    assert shown["success"] is True
    assert shown["signature"]["fee_payer_address"] == str(alice.address())
    assert await rest.account_balance(bob.address()) == 0
    cost = int(shown["gas_used"]) * int(shown["gas_unit_price"])
    assert await rest.account_balance(alice.address()) == APT - cost


async def test_the_sdk_simulates(rest: Any, alice: Account) -> None:
    raw = await rest.create_bcs_transaction(alice, call("add", u64(3)))
    (simulated,) = await rest.simulate_transaction(raw, alice, estimate_gas_usage=True)
    assert simulated["success"] is True
    assert simulated["max_gas_amount"] == str(APT // 100)
    signed = await rest.create_bcs_signed_transaction(alice, call("add", u64(3)))
    with pytest.raises(ApiError, match="must not have a valid signature"):
        await rest.simulate_bcs_transaction(signed)
    shown = await run(rest, alice, call("add", u64(3)))
    assert shown["gas_used"] == simulated["gas_used"]
    (refused,) = await rest.simulate_transaction(raw, alice)
    assert (refused["success"], refused["vm_status"]) == (False, "SEQUENCE_NUMBER_TOO_OLD")


async def test_the_sdk_views_in_both_languages(rest: Any, alice: Account) -> None:
    await run(rest, alice, call("add", u64(9)))
    view = f"{MODULE}::total"
    assert json.loads(await rest.view(view, [], [str(alice.address())])) == ["9"]
    in_bcs = await rest.view_bcs_payload(MODULE, "total", [], [address(alice.address())])
    assert in_bcs == ["9"]
    echoed = await rest.view(f"{MODULE}::echo", [], ["0x0102", {"vec": ["7"]}, "hé"])
    assert json.loads(echoed) == ["020102|010700000000000000|0368c3a9"]


async def test_the_sdk_reads_resources_and_modules(rest: Any, alice: Account) -> None:
    await run(rest, alice, call("add", u64(2)))
    read = await rest.account_resource(alice.address(), "0xcafe::counter::Counter")
    assert read == {"type": "0xcafe::counter::Counter", "data": {"total": "2"}}
    kinds = {each["type"] for each in await rest.account_resources(alice.address())}
    assert kinds == {"0xcafe::counter::Counter", "0x1::account::Account"}
    with pytest.raises(ResourceNotFound):
        await rest.account_resource(alice.address(), "0x1::no::Thing<u64, vector<u8>>")
    with pytest.raises(AccountNotFound):
        await rest.account_resources(AccountAddress.from_str("0x" + "ab" * 32))
    module = await rest.account_module(COUNTER_ADDRESS, "counter")
    assert module["bytecode"] == "0xa1"
    assert {f["name"] for f in module["abi"]["exposed_functions"]} >= {"add", "total"}
    own = await rest.account_module(AccountAddress.from_str("0x1"), "aptos_account")
    assert own["abi"]["exposed_functions"][0]["params"] == ["&signer", "address", "u64"]
    assert len(await rest.account_modules(AccountAddress.from_str("0x1"))) > 3
    handle = "0x" + COUNTER.hex()
    assert await rest.get_table_item(handle, "u64", "u64", "one") == "7"
    with pytest.raises(ApiError, match="table_item_not_found"):
        await rest.get_table_item(handle, "u64", "u64", "two")


async def test_the_sdk_reads_blocks_and_history(rest: Any, alice: Account) -> None:
    shown = await run(rest, alice, call("add", u64(2)))
    version = int(shown["version"])
    block = await rest.blocks_by_version(version, with_transactions=True)
    assert [each["version"] for each in block["transactions"]][-1] == str(version)
    assert block["block_timestamp"] == shown["timestamp"]
    assert block["transactions"][0]["type"] == "block_metadata_transaction"
    same = await rest.blocks_by_height(int(block["block_height"]))
    assert same == {**block, "transactions": None}
    (listed,) = await rest.transactions(limit=1, start=version)
    assert listed == shown
    assert await rest.event_by_creation_number(alice.address(), 0) == []
    with pytest.raises(ApiError, match="block_not_found"):
        await rest.blocks_by_height(10**9)


@pytest.mark.long("three hundred transactions")
async def test_the_sdks_worker_pushes_three_hundred_through_the_window(
    rest: Any, alice: Account
) -> None:
    count = 300
    numbers: list[int] = []

    async def next_call(account: Account, number: int) -> Any:
        if len(numbers) == count:
            await asyncio.Event().wait()
        numbers.append(number)
        return await rest.create_bcs_signed_transaction(account, call("add", u64(1)), number)

    worker: Any = TransactionWorker(alice, rest, next_call)
    worker.start()
    try:
        async with asyncio.timeout(120):
            for _ in range(count):
                _, sent, error = await worker.next_processed_transaction()
                assert error is None
            await final(rest, sent)
    finally:
        worker.stop()
    assert numbers == list(range(count))
    total = await rest.view_bcs_payload(MODULE, "total", [], [address(alice.address())])
    assert total == [str(count)]


async def test_every_answer_says_where_the_chain_is(http: httpx.AsyncClient) -> None:
    for path in ("", "/accounts/0xabc", "/transactions/by_hash/0x" + "00" * 32):
        headers = (await http.get(path)).headers
        assert headers["X-Aptos-Chain-Id"] == "4"
        assert int(headers["X-Aptos-Ledger-Version"]) >= int(headers["X-Aptos-Block-Height"]) > 0
        assert abs(int(headers["X-Aptos-Ledger-TimestampUsec"]) / 1e6 - time.time()) < 60
        for name in ("Ledger-Oldest-Version", "Oldest-Block-Height"):
            assert headers[f"X-Aptos-{name}"] == "0"


NOWHERE = "0x" + "00" * 31 + "ff"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/accounts/{NOWHERE}", 404, "account_not_found"),
        ("/accounts/0xzz", 400, "invalid_input"),
        (f"/accounts/{NOWHERE}/resource/0x1::a::B", 404, "resource_not_found"),
        (f"/accounts/{NOWHERE}/resource/{quote('vector<')}", 400, "invalid_input"),
        (f"/accounts/{NOWHERE}/module/none", 404, "module_not_found"),
        ("/transactions/by_hash/0x" + "11" * 32, 404, "transaction_not_found"),
        ("/transactions/wait_by_hash/0x" + "11" * 31, 400, "invalid_input"),
        ("/transactions/by_version/99999999", 404, "version_not_found"),
        ("/transactions?start=99999999", 404, "version_not_found"),
        ("/transactions?limit=0", 400, "invalid_input"),
        ("/blocks/by_version/99999999", 404, "block_not_found"),
        ("/accounts/0x1?ledger_version=99999999", 404, "version_not_found"),
        ("/accounts/0x1?ledger_version=0", 410, "version_pruned"),
        ("/accounts/0x1?ledger_version=no", 400, "invalid_input"),
    ],
)
async def test_what_is_not_there_is_said_with_its_code(path: str, status: int, code: str) -> None:
    async with unserved(long_poll_seconds=0) as client:
        response = await client.get(path)
    body = response.json()
    assert (response.status_code, body["error_code"]) == (status, code)
    assert set(body) == {"message", "error_code", "vm_error_code"}


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "code"),
    [
        ("/transactions", {"content-type": "application/json"}, b"{}", 415, "web_framework_error"),
        ("/view", {}, b"no json", 400, "invalid_input"),
        ("/view", {}, b'{"function":"0xcafe::counter"}', 400, "invalid_input"),
        ("/view", {}, b'{"function":"0xcafe::counter::none"}', 400, "invalid_input"),
        ("/view", {}, b'{"function":"0xcafe::counter::total"}', 400, "invalid_input"),
        (
            "/view",
            {},
            b'{"function":"0xcafe::counter::total","arguments":[7]}',
            400,
            "invalid_input",
        ),
        ("/view", {"accept": "application/x-bcs"}, b"{}", 400, "bcs_not_supported"),
        (
            "/view",
            {"content-type": "application/x.aptos.view_function+bcs"},
            b"\x00",
            400,
            "invalid_input",
        ),
    ],
)
async def test_requests_of_no_use_are_refused(
    path: str, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    async with unserved() as client:
        response = await client.post(path, content=body, headers=headers)
    assert (response.status_code, response.json()["error_code"]) == (status, code)


async def test_a_view_that_aborts_says_so(rest: Any) -> None:
    with pytest.raises(ApiError) as caught:
        await rest.view_bcs_payload(MODULE, "fail", [], [])
    body = json.loads(str(caught.value))
    assert (body["error_code"], body["vm_error_code"]) == ("invalid_input", 4016)
    assert "0xcafe::counter: E_ZERO(0x10001)" in body["message"]


async def test_the_rest_of_the_doors(http: httpx.AsyncClient, rest: Any) -> None:
    assert (await http.get("/estimate_gas_price")).json() == {
        "deprioritized_gas_estimate": 100,
        "gas_estimate": 100,
        "prioritized_gas_estimate": 150,
    }
    assert (await http.get("/-/healthy")).json() == {"message": "aptos-node:ok"}
    assert "/view" in (await http.get("/spec.json")).json()["paths"]
    assert await rest.account_sequence_number(AccountAddress.from_str(NOWHERE)) == 0
    first = (await http.get("/transactions?start=0&limit=1")).json()
    assert first[0]["type"] == "genesis_transaction"


async def test_a_batch_tells_which_were_refused(
    rest: Any, http: httpx.AsyncClient, alice: Account
) -> None:
    async def body(number: int, payload: Any) -> bytes:
        signed = await rest.create_bcs_signed_transaction(alice, payload, number)
        written: bytes = signed.bytes()
        return written

    good = [await body(number, call("add", u64(1))) for number in range(2)]
    bad = bytearray(good[0])
    bad[-1] ^= 1
    headers = {"content-type": "application/x.aptos.signed_transaction+bcs"}
    batch = b"\x03" + good[0] + bytes(bad) + good[1]
    answer = await http.post("/transactions/batch", content=batch, headers=headers)
    assert answer.status_code == 206
    (failure,) = answer.json()["transaction_failures"]
    assert failure["transaction_index"] == 1
    assert failure["error"]["vm_error_code"] == 1
    many = b"\x0b" + good[0] * 11
    refused = await http.post("/transactions/batch", content=many, headers=headers)
    assert refused.status_code == 400


async def test_newer_networks_know_every_address() -> None:
    async with unserved(stateless_accounts=True) as client:
        answer = await client.get(f"/accounts/{NOWHERE}")
    assert answer.json() == {"sequence_number": "0", "authentication_key": NOWHERE}


async def test_owners_of_a_multisig_account_agree_and_it_happens(
    rest: Any, alice: Account, base: str
) -> None:
    bob, carol = Account.generate(), Account.generate()
    for account in (bob, carol):
        await FaucetClient(base, rest).fund_account(account.address(), APT)
    module = "0x1::multisig_account"
    (common,) = await rest.view_bcs_payload(
        module, "get_next_multisig_account_address", [], [address(alice.address())]
    )
    at = AccountAddress.from_str(common)
    owners = [bob.address(), carol.address()]
    created = await run(rest, alice, call(f"{module}::create_with_owners", *members(owners, 2)))
    assert created["success"], created["vm_status"]
    await FaucetClient(base, rest).fund_account(at, APT)
    inner = transfer(carol.address(), 700)
    stored = b"\x00" + encoded(inner)[1:]
    proposed = await run(rest, bob, call(f"{module}::create_transaction", address(at), raw(stored)))
    assert proposed["success"], proposed["vm_status"]
    early = await rest.create_bcs_signed_transaction(carol, Executing(at))
    before = await rest.account_balance(carol.address())
    # The one who executes is the second of the two who are needed.
    shown = await final(rest, await rest.submit_bcs_transaction(early))
    assert shown["success"], shown["vm_status"]
    assert shown["payload"]["type"] == "multisig_payload"
    kinds = [event["type"] for event in shown["events"]]
    assert f"{module}::TransactionExecutionSucceeded" in kinds
    cost = int(shown["gas_used"]) * 100
    assert await rest.account_balance(carol.address()) == before + 700 - cost
    again = await rest.create_bcs_signed_transaction(carol, Executing(at))
    with pytest.raises(ApiError, match="MULTISIG_TRANSACTION_NOT_FOUND"):
        await rest.submit_bcs_transaction(again)
    stranger = await rest.create_bcs_signed_transaction(await funded(base, rest), Executing(at))
    with pytest.raises(ApiError, match="NOT_MULTISIG_OWNER"):
        await rest.submit_bcs_transaction(stranger)
    nowhere = await rest.create_bcs_signed_transaction(bob, Executing(bob.address()))
    with pytest.raises(ApiError, match="ACCOUNT_NOT_MULTISIG"):
        await rest.submit_bcs_transaction(nowhere)
    await run(rest, bob, call(f"{module}::create_transaction", address(at), raw(stored)))
    alone = await rest.create_bcs_signed_transaction(bob, Executing(at))
    with pytest.raises(ApiError, match="INSUFFICIENT_APPROVALS"):
        await rest.submit_bcs_transaction(alone)


class Executing:
    """A multisig payload without a call, which the SDK cannot write."""

    def __init__(self, account: AccountAddress, call: bytes | None = None) -> None:
        self._account = account
        self._call = call

    def serialize(self, serializer: Any) -> None:
        given = b"\x00" if self._call is None else b"\x01" + self._call
        serializer.fixed_bytes(b"\x03" + self._account.address + given)


async def test_a_multisig_payload_must_be_what_was_agreed(base: str, rest: Any) -> None:
    alice = await funded(base, rest)
    module = "0x1::multisig_account"
    (common,) = await rest.view_bcs_payload(
        module, "get_next_multisig_account_address", [], [address(alice.address())]
    )
    at = AccountAddress.from_str(common)
    await run(rest, alice, call(f"{module}::create_with_owners", *members([], 1)))
    stored = b"\x00" + encoded(transfer(alice.address(), 1))[1:]
    other = b"\x00" + encoded(transfer(alice.address(), 2))[1:]
    await run(rest, alice, call(f"{module}::create_transaction", address(at), raw(stored)))
    mismatch = await rest.create_bcs_signed_transaction(alice, Executing(at, other))
    with pytest.raises(ApiError, match='"vm_error_code":40'):
        await rest.submit_bcs_transaction(mismatch)
    # The account has nothing to send: the inner call fails, and is done with all the same.
    shown = await run(rest, alice, Executing(at, stored))
    assert shown["success"]
    assert f"{module}::TransactionExecutionFailed" in [e["type"] for e in shown["events"]]
    (resolved,) = await rest.view_bcs_payload(
        module, "last_resolved_sequence_number", [], [address(at)]
    )
    assert resolved == "1"


def encoded(payload: Any) -> bytes:
    serializer: Any = Serializer()  # type: ignore[no-untyped-call]
    payload.serialize(serializer)
    written: bytes = serializer.output()
    return written


def raw(value: bytes) -> Any:
    return TransactionArgument(value, Serializer.to_bytes)


def members(owners: list[AccountAddress], threshold: int) -> list[Any]:
    vector = Serializer.sequence_serializer
    return [
        TransactionArgument(owners, vector(Serializer.struct)),
        u64(threshold),
        TransactionArgument([], vector(Serializer.str)),
        TransactionArgument([], vector(Serializer.to_bytes)),
    ]


async def funded(base: str, rest: Any) -> Account:
    account = Account.generate()
    await FaucetClient(base, rest).fund_account(account.address(), APT)
    return account


async def test_the_chain_goes_on_after_a_mistake_of_the_executor(
    rest: Any, alice: Account, caplog: pytest.LogCaptureFixture
) -> None:
    broken = await rest.create_bcs_signed_transaction(alice, call("add", u64(MISTAKE)))
    sent = await rest.submit_bcs_transaction(broken)
    gone = await rest.client.get(f"{rest.base_url}/transactions/wait_by_hash/{sent}")
    assert gone.status_code == 404
    assert "a block could not be finished" in caplog.text
    assert (await run(rest, alice, call("add", u64(1))))["success"] is True
