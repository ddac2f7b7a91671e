"""The machine's driver on real bytecode: its answers to good calls, to aborts and to nonsense."""

from collections.abc import Iterator

import pytest

from simulator.toolchain import compiler, state
from simulator.toolchain.encoding import address, blob, u64
from simulator.toolchain.state import Overlay, State
from simulator.toolchain.vm import (
    Aborted,
    Call,
    Environment,
    Executed,
    Failed,
    Machine,
    MachineBroken,
    OutOfGas,
    Refused,
    Viewed,
)
from tests.move.presence import opened_or_skipped

FRAMEWORK, ASSETS = address("0x1"), address("0xca05")
ISSUER, HOLDER = address("0x1550"), address("0x401d")
METADATA = b"\7" + state.struct_tag(FRAMEWORK, "fungible_asset", "Metadata")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    opened = opened_or_skipped(Machine)
    yield opened
    opened.close()


class Chain:
    """A state with the test asset, and calls on it that never share a transaction."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.state: State = {}
        self.calls = 0
        state.load(self.state, [compiler.build("framework_double"), compiler.build("test_asset")])
        state.set_clock(self.state, 7_000_001)
        state.set_chain_id(self.state, 4)

    def environment(self) -> Environment:
        self.calls += 1
        return Environment(transaction_hash=self.calls.to_bytes(32))

    def issue(
        self, function: str, *arguments: bytes, sender: bytes = ISSUER, gas_max: int = 1_000_000
    ) -> Executed | Refused:
        call = Call(ASSETS, "test_asset", function, arguments, senders=(sender,))
        return self.machine.execute(self.state, call, self.environment(), gas_max=gas_max)

    def view(self, module: str, function: str, *arguments: bytes) -> Viewed | Refused:
        types = (METADATA,) if module == "primary_fungible_store" else ()
        call = Call(FRAMEWORK, module, function, arguments, types)
        return self.machine.view(self.state, call, self.environment())

    def asset(self) -> bytes:
        call = Call(ASSETS, "test_asset", "address_of", (ISSUER, blob(b"USDC")))
        seen = self.machine.view(self.state, call, self.environment())
        assert isinstance(seen, Viewed)
        return address(seen.answer)


@pytest.fixture
def chain(machine: Machine) -> Chain:
    made = Chain(machine)
    assert isinstance(made.issue("create", blob(b"USDC"), b"\6"), Executed)
    return made


def test_a_call_that_goes_well_writes_and_tells(chain: Chain) -> None:
    done = chain.issue("mint", chain.asset(), HOLDER, u64(70))
    assert isinstance(done, Executed)
    assert [(event.type, event.data["amount"]) for event in done.events] == [
        ("0x1::fungible_asset::Deposit", "70")
    ]
    balance = chain.view("primary_fungible_store", "balance", HOLDER, chain.asset())
    assert isinstance(balance, Viewed)
    assert balance.answer == "70"
    assert balance.gas > 0


def test_an_abort_names_module_and_code_and_writes_nothing(chain: Chain) -> None:
    before = dict(chain.state)
    refused = chain.issue("mint", chain.asset(), HOLDER, u64(70), sender=HOLDER)
    assert isinstance(refused, Aborted)
    assert (refused.address, refused.module, refused.code) == (ASSETS, "test_asset", 0x50001)
    assert chain.state == before


def test_an_abort_below_names_the_module_below(chain: Chain) -> None:
    refused = chain.issue("create", blob(b"USDC"), b"\6")
    assert isinstance(refused, Aborted)
    assert (refused.address, refused.module, refused.code) == (FRAMEWORK, "object", 0x80001)


@pytest.mark.parametrize(
    ("function", "arguments", "status"),
    [
        ("no_such_function", (), "FUNCTION_RESOLUTION_FAILURE"),
        ("create", (blob(b"X"),), "NUMBER_OF_ARGUMENTS_MISMATCH"),
        ("create", (blob(b"X"), b"\6\6"), "FAILED_TO_DESERIALIZE_ARGUMENT"),
        ("address_of", (ISSUER, blob(b"X")), "INVALID_MAIN_FUNCTION_SIGNATURE"),
    ],
)
def test_nonsense_fails_by_name(
    chain: Chain, function: str, arguments: tuple[bytes, ...], status: str
) -> None:
    failed = chain.issue(function, *arguments)
    assert isinstance(failed, Failed)
    assert failed.status == status
    assert "Backtrace" not in failed.message


def test_a_failure_under_way_tells_where(chain: Chain) -> None:
    chain.issue("mint", chain.asset(), HOLDER, u64(2**64 - 1))
    failed = chain.issue("mint", chain.asset(), HOLDER, u64(1))
    assert isinstance(failed, Failed)
    assert failed.status == "ARITHMETIC_ERROR"
    assert failed.place is not None
    assert failed.place.module == "fungible_asset"


def test_a_call_gets_no_more_gas_than_it_is_given(chain: Chain) -> None:
    asset = chain.asset()
    refused = chain.issue("mint", asset, HOLDER, u64(1), gas_max=100)
    assert isinstance(refused, OutOfGas)
    assert refused.gas <= 100


def test_clock_and_chain_id_are_what_was_set(chain: Chain) -> None:
    clock, chain_id = chain.view("timestamp", "now_microseconds"), chain.view("chain_id", "get")
    assert isinstance(clock, Viewed)
    assert isinstance(chain_id, Viewed)
    assert (clock.answer, chain_id.answer) == ("7000001", 4)


def test_an_overlay_keeps_the_state_below_as_it_was(chain: Chain) -> None:
    below, asset = dict(chain.state), chain.asset()
    overlay = Overlay(chain.state)
    call = Call(ASSETS, "test_asset", "mint", (asset, HOLDER, u64(5)), senders=(ISSUER,))
    assert isinstance(chain.machine.execute(overlay, call, chain.environment()), Executed)
    assert chain.state == below
    overlay.apply_to(chain.state)
    balance = chain.view("primary_fungible_store", "balance", HOLDER, asset)
    assert isinstance(balance, Viewed)
    assert balance.answer == "5"


def test_resources_are_decoded_and_tags_are_read_both_ways(chain: Chain) -> None:
    machine, asset = chain.machine, chain.asset()
    tag = machine.struct_tag("0x1::fungible_asset::Metadata")
    assert machine.struct_text(tag) == "0x1::fungible_asset::Metadata"
    fields = machine.decode_resource(chain.state, tag, chain.state[state.resource_key(asset, tag)])
    assert (fields["symbol"], fields["decimals"]) == ("USDC", 6)
    kept = [found for key in chain.state if (found := state.read_resource_key(key))]
    assert (asset, tag) in kept


def test_an_interface_names_entries_views_and_types(chain: Chain) -> None:
    interface = chain.machine.abi(chain.state[state.code_key(ASSETS, "test_asset")])
    functions = {function["name"]: function for function in interface["exposed_functions"]}
    assert functions["mint"]["is_entry"]
    assert functions["address_of"]["is_view"]
    assert functions["freeze_store"]["params"][1] == (
        "0x1::object::Object<0x1::fungible_asset::FungibleStore>"
    )


def test_what_cannot_be_decoded_is_refused(chain: Chain) -> None:
    tag = chain.machine.struct_tag("0x1::fungible_asset::Metadata")
    with pytest.raises(MachineBroken):
        chain.machine.struct_tag("no type")
    with pytest.raises(MachineBroken):
        chain.machine.decode_resource(chain.state, tag, b"\xff")
    with pytest.raises(MachineBroken):
        chain.machine.abi(b"no bytecode")


def test_what_goes_wrong_in_the_state_is_raised_here(chain: Chain) -> None:
    class Unreadable(dict[bytes, bytes]):
        def get(self, *_: object) -> bytes:
            raise OSError("the disk is gone")

    call = Call(ASSETS, "test_asset", "address_of", (ISSUER, blob(b"USDC")))
    with pytest.raises(OSError, match="the disk is gone"):
        chain.machine.view(Unreadable(), call, chain.environment())
    assert isinstance(chain.machine.view(chain.state, call, chain.environment()), Viewed)
