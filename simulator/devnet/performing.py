"""Running one transaction: the node's own functions, the executor's, or a multisig account's.

What comes out is a plan with its price; keeping it is a second step, so that a simulation is the
same without that step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from simulator.devnet import multisig, natives
from simulator.devnet.accounts import Accounts, Draft
from simulator.devnet.addresses import APT, FRAMEWORK, primary_store_address, show_address
from simulator.devnet.executor import (
    Aborted,
    Call,
    Change,
    Environment,
    Event,
    Executed,
    Executor,
    OutOfGas,
    Refusal,
)
from simulator.devnet.gas import Charge, GasSchedule
from simulator.devnet.natives import Act, Native, Stop, find_native, read_arguments
from simulator.devnet.transactions import EntryFunction, SignedTransaction

ENTRIES: dict[str, Native] = {**natives.ENTRIES, **multisig.ENTRIES}
_FEE_STATEMENT = "0x1::transaction_fee::FeeStatement"


@dataclass(slots=True)
class Performed:
    """What a transaction would do, and cost. Nothing holds until `Performer.keep`."""

    refusal: Refusal | None
    charge: Charge
    events: Sequence[Event]
    changes: Sequence[Change]
    draft: Draft
    executed: Executed | None
    afterwards: Sequence[Callable[[], object]]


@dataclass(slots=True)
class _Run:
    """A call that was run, before anybody has spoken of its price."""

    refusal: Refusal | None
    execution_units: int
    events: list[Event] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    slots_created: int = 0
    slots_deleted: int = 0
    executed: Executed | None = None
    afterwards: Sequence[Callable[[], object]] = ()


class Performer:
    """Runs transactions on accounts and an executor's state."""

    def __init__(self, accounts: Accounts, executor: Executor, gas: GasSchedule) -> None:
        self._accounts = accounts
        self._executor = executor
        self._gas = gas

    def perform(
        self, signed: SignedTransaction, environment: Environment, *, free: bool = False
    ) -> Performed:
        """Run a transaction that has passed its prologue. `free`: nobody pays (a simulation)."""
        draft = self._accounts.draft()
        if signed.payer != signed.raw.sender:
            draft.open(signed.raw.sender)
        run = self._run(signed, environment, draft)
        charge = self._bill(signed, run, draft)
        if run.refusal is None and charge.units > signed.raw.max_gas_amount:
            run = _Run(OutOfGas(), run.execution_units)
        elif run.refusal is None and not free and draft.balance_octas(signed.payer) < charge.octas:
            run = _Run(_NOT_ENOUGH_FOR_GAS, run.execution_units)
        if run.refusal is not None:
            draft = self._accounts.draft()
            charge = _bill_of_refused(run.refusal, charge.without_storage(), signed)
        return Performed(
            refusal=run.refusal,
            charge=charge,
            events=[*run.events, Event(_FEE_STATEMENT, charge.statement())],
            changes=[*run.changes, *_account_changes(draft)],
            draft=draft,
            executed=run.executed,
            afterwards=run.afterwards,
        )

    def keep(self, signed: SignedTransaction, performed: Performed) -> None:
        """What it did holds, the payer has paid, the number or nonce is used up."""
        if performed.refusal is None:
            performed.draft.keep()
            if performed.executed is not None:
                self._executor.apply(performed.executed)
            for step in performed.afterwards:
                step()
        raw = signed.raw
        after = self._accounts.draft()
        sender = after.open(raw.sender)
        if raw.payload.nonce is None:
            after.put(raw.sender, replace(sender, sequence_number=raw.sequence_number + 1))
        after.add_octas(signed.payer, -performed.charge.octas)
        after.keep()

    def _run(self, signed: SignedTransaction, environment: Environment, draft: Draft) -> _Run:
        payload = signed.raw.payload
        if payload.multisig is not None:
            return self._run_agreed(signed, environment, draft)
        assert isinstance(payload.call, EntryFunction), "checked before"
        return self._call(_call_of(payload.call, signed.signers), environment, draft)

    def _run_agreed(
        self, signed: SignedTransaction, environment: Environment, draft: Draft
    ) -> _Run:
        """An inner call that fails is done with too: the transaction itself has worked."""
        raw = signed.raw
        address = raw.payload.multisig
        assert address is not None, "the caller has looked"
        agreed = multisig.agreed_call(draft, raw.sender, raw.payload)
        call = _call_of(agreed, (address,))
        inner = self._call(call, environment, draft)
        act = Act(call, (), draft, environment, self._executor)
        succeeded = inner.refusal is None
        multisig.resolve(act, address, succeeded=succeeded, executor=raw.sender)
        if not succeeded:
            return _Run(None, inner.execution_units, events=act.events)
        inner.events += act.events
        return inner

    def _call(self, call: Call, environment: Environment, draft: Draft) -> _Run:
        native = find_native(ENTRIES, call)
        if native is not None:
            return self._call_native(native, call, environment, draft)
        executed = self._executor.execute(call, environment)
        if executed.refusal is not None:
            return _Run(executed.refusal, executed.gas_units)
        return _Run(
            None,
            executed.gas_units,
            list(executed.events),
            list(executed.changes),
            executed.slots_created,
            executed.slots_deleted,
            executed,
        )

    def _call_native(
        self, native: Native, call: Call, environment: Environment, draft: Draft
    ) -> _Run:
        trial = draft.fork()
        try:
            values = read_arguments(call, native.parameters)
            act = Act(call, values, trial, environment, self._executor)
            native.run(act)
        except Stop as stop:
            return _Run(stop.refusal, natives.EXECUTION_UNITS)
        draft.take(trial)
        return _Run(None, natives.EXECUTION_UNITS, act.events, afterwards=act.afterwards)

    def _bill(self, signed: SignedTransaction, run: _Run, draft: Draft) -> Charge:
        return self._gas.charge(
            size_bytes=len(signed.body),
            execution_units=run.execution_units,
            slots_created=run.slots_created + draft.created,
            slots_deleted=run.slots_deleted,
            unit_price=signed.raw.gas_unit_price,
        )


_NOT_ENOUGH_FOR_GAS = Aborted(
    FRAMEWORK,
    "fungible_asset",
    0x10004,
    "EINSUFFICIENT_BALANCE",
    "Insufficient balance to withdraw or transfer.",
)


def _bill_of_refused(refusal: Refusal, charge: Charge, signed: SignedTransaction) -> Charge:
    """Who asked for too much has spent all that was allowed."""
    most = signed.raw.max_gas_amount
    if isinstance(refusal, OutOfGas) or charge.units > most:
        return charge.cut_to(most)
    return charge


def _call_of(entry: EntryFunction, senders: tuple[bytes, ...]) -> Call:
    return Call(
        senders, entry.address, entry.module, entry.function, entry.type_arguments, entry.arguments
    )


def _account_changes(draft: Draft) -> list[Change]:
    """The resources of accounts that were touched, as they are then."""
    changes = []
    for address in draft:
        account = draft.find(address)
        assert account is not None, "a draft only makes accounts"
        for at, kind, data in account_resources(address, account.balance_octas):
            changes.append(Change(at, kind, data))
    return changes


def account_resources(
    address: bytes, balance_octas: int
) -> list[tuple[bytes, str, dict[str, object]]]:
    """The APT of an account as a store: its address, type and data."""
    return [
        (
            primary_store_address(address, APT),
            "0x1::fungible_asset::FungibleStore",
            {
                "balance": str(balance_octas),
                "frozen": False,
                "metadata": {"inner": show_address(APT)},
            },
        )
    ]
