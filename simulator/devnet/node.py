"""The node: takes transactions, makes blocks of them, answers what has become of them.

It knows no HTTP. Everything happens on one thread, so that a block is seen whole or not at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec

from simulator.devnet import multisig, natives
from simulator.devnet.accounts import Account, Accounts
from simulator.devnet.addresses import ZERO, sha3
from simulator.devnet.bcs import Malformed
from simulator.devnet.clock import MICROSECONDS, LedgerClock
from simulator.devnet.committing import Branch, carry_out
from simulator.devnet.executor import Call, Environment, Executor, Failed, Refusal, Viewed
from simulator.devnet.gas import Charge, GasSchedule
from simulator.devnet.journal import Journal, KeptBlock, kept_block
from simulator.devnet.ledger import Block, Committed, Ledger
from simulator.devnet.mempool import Mempool, PoolLimits, Waiting
from simulator.devnet.natives import NativeView, view_native
from simulator.devnet.performing import Performed, Performer
from simulator.devnet.refusals import Invalid, Refused, invalid_input
from simulator.devnet.signatures import Gated
from simulator.devnet.transactions import SignedTransaction, decode_signed
from simulator.devnet.validation import Rules, check_form, check_prologue, check_signatures

VIEWS: dict[str, NativeView] = {**natives.VIEWS, **multisig.VIEWS}
_VIEW_HASH = sha3(b"a view")
_LOG = logging.getLogger(__name__)


class NodeSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a node can be told while it runs. Times in milliseconds or as named, gas in units."""

    chain_id: Annotated[int, msgspec.Meta(ge=1, le=255)] = 4
    block_milliseconds: Annotated[int, msgspec.Meta(ge=1)] = 100
    idle_block_milliseconds: Annotated[int, msgspec.Meta(ge=1)] = 250
    block_transactions_max: Annotated[int, msgspec.Meta(ge=1)] = 500
    block_work_milliseconds: Annotated[int, msgspec.Meta(ge=1)] = 60
    long_poll_seconds: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    stateless_accounts: bool = False
    in_flight_max: Annotated[int, msgspec.Meta(ge=1)] = 100
    pool_max: Annotated[int, msgspec.Meta(ge=1)] = 20_000
    unit_price_min: Annotated[int, msgspec.Meta(ge=1)] = 100
    blocks_by_hand: bool = False  # nothing is committed until somebody asks for a block


@dataclass(frozen=True, slots=True)
class Sight:
    """The chain as one who asks sees it: up to a version, with the state of then."""

    version: int
    height: int
    timestamp: int  # microseconds
    accounts: Accounts
    executor: Executor
    chain_id: int
    branch: Branch | None = None  # of a node that has left the chain

    def by_hash(self, ledger: Ledger, hash: bytes) -> Committed | None:
        """The transaction as it is told of: nothing that came after all that is seen."""
        if self.branch is not None and (found := self.branch.by_hash(hash)) is not None:
            return found
        committed = ledger.by_hash(hash)
        return committed if committed is not None and self._sees(committed) else None

    def of_sender(
        self, ledger: Ledger, sender: bytes, *, start: int | None, limit: int
    ) -> list[Committed]:
        """A sender's numbered transactions as they are told of, in their order."""
        found = ledger.of_sender(sender, start=start, limit=limit)
        seen = [committed for committed in found if self._sees(committed)]
        if self.branch is not None:
            seen += self.branch.of_sender(sender, start=start)
        return seen[:limit] if start is not None else seen[-limit:]

    def _sees(self, committed: Committed) -> bool:
        return committed.version <= (self.version if self.branch is None else self.branch.since)


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a transaction would do if it were the next one."""

    signed: SignedTransaction
    hash: bytes
    sight: Sight
    refusal: Refusal | None
    performed: Performed | None  # None when it would not get so far
    charge: Charge


class Node:
    """One chain in one process."""

    def __init__(
        self,
        executor: Executor,
        clock: LedgerClock,
        settings: NodeSettings | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.settings = settings or NodeSettings()
        self.clock = clock
        self.ledger = Ledger()
        self.accounts = Accounts()
        self.executor = executor
        self.pool = Mempool(
            PoolLimits(in_flight_max=self.settings.in_flight_max, all_max=self.settings.pool_max)
        )
        self._journal = journal
        self._branch: Branch | None = None
        self._block_made = asyncio.Event()

    @property
    def gas(self) -> GasSchedule:
        """The prices that hold."""
        return GasSchedule(unit_price_min=self.settings.unit_price_min)

    @property
    def rules(self) -> Rules:
        """What is asked of a transaction."""
        settings = self.settings
        return Rules(settings.chain_id, self.gas, settings.stateless_accounts)

    def endow(self, octas: Mapping[bytes, int]) -> None:
        """Accounts that have APT from the beginning. Before the first block only."""
        assert self.ledger.height == 0, "later APT comes from somebody"
        self.accounts.keep(
            {address: Account(address, balance_octas=some) for address, some in octas.items()}
        )

    def sight(self) -> Sight:
        """The chain as it is now; it changes with the next block."""
        ledger = self.ledger
        return Sight(
            ledger.version,
            ledger.height,
            ledger.timestamp,
            self.accounts,
            self.executor,
            self.settings.chain_id,
        )

    def frozen_sight(self) -> Sight:
        """The chain as it is now, for ever."""
        return replace(self.sight(), accounts=self.accounts.copy(), executor=self.executor.fork())

    def branched_sight(self) -> Sight:
        """What a node sees that has left the chain; the chain itself while none has."""
        branch, sight = self._branch, self.sight()
        if branch is None:
            return sight
        return replace(sight, accounts=branch.accounts, executor=branch.executor, branch=branch)

    def submit_to_branch(self, body: bytes) -> Waiting:
        """As `submit`, to a node that has left the chain, from now on if none has before.

        It carries it out at once, and no other ever hears of it.
        """
        signed = decode(body)
        self.check(signed)
        if self._branch is None:
            since = self.ledger.version
            self._branch = Branch(self.accounts.copy(), self.executor.fork(), since)
        environment = self._environment(self.branched_sight(), signed.hash)
        self._branch.add(signed, self.rules, environment)
        return Waiting(signed, signed.hash, self.ledger.timestamp)

    def leave_branch(self) -> None:
        """That node is back with the others, and knows nothing of its branch any more."""
        self._branch = None

    def submit(self, body: bytes) -> Waiting:
        """Take a transaction into the pool. Raises `Refused` when it can never be run.

        Safe to repeat while it waits; once it is committed its number is too old.
        """
        return self.admit(decode(body))

    def check(self, signed: SignedTransaction) -> None:
        """All that is looked at before a transaction is taken. Raises `Refused`."""
        check_form(signed, self.rules)
        check_signatures(signed)
        check_prologue(signed, self.accounts, self.ledger.timestamp, self.rules, exact=False)

    def admit(self, signed: SignedTransaction) -> Waiting:
        """The same for one that was read already."""
        self.check(signed)
        return self.pool.add(Waiting(signed, signed.hash, self.ledger.timestamp))

    def simulate(
        self, body: bytes, *, unit_price: int | None = None, find_units: bool = False
    ) -> Simulated:
        """Run a transaction and forget it. Raises `Refused` when it is rightly signed.

        `unit_price`: priced so instead; `find_units`: with all the gas the payer can pay.
        """
        signed = decode(body)
        if signed.authenticator.verifies(signed.raw_bytes):
            raise invalid_input("Simulated transactions must not have a valid signature")
        signed = self._repriced(signed, unit_price, find_units)
        sight = self.sight()
        try:
            check_form(signed, self.rules)
            check_prologue(signed, self.accounts, sight.timestamp, self.rules, exact=True)
            performer = Performer(self.accounts, self.executor, self.gas)
            environment = self._environment(sight, signed.hash)
            performed = performer.perform(signed, environment, free=True)
        except Invalid as invalid:
            charge = Charge(0, 0, 0, 0, 0, signed.raw.gas_unit_price)
            return Simulated(signed, signed.hash, sight, Failed(invalid.name), None, charge)
        return Simulated(signed, signed.hash, sight, performed.refusal, performed, performed.charge)

    def view(self, call: Call, sight: Sight) -> Viewed:
        """What a view answers to one who sees this much."""
        seconds = sight.timestamp // MICROSECONDS
        viewed = view_native(VIEWS, call, sight.accounts, seconds)
        if viewed is not None:
            return viewed
        return sight.executor.view(call, self._environment(sight, _VIEW_HASH))

    def make_block(self) -> Block:
        """Put what is ready into the next block, as much as fits into its time."""
        self.pool.drop_old(self.clock.now())
        timestamp = self.clock.stamp()
        block = self.ledger.open_block(timestamp)
        bodies: list[bytes] = []
        try:
            self._fill(block, bodies)
        finally:
            # What is in the block stays there, also when the one after it could not be run.
            self.accounts.forget_nonces(timestamp // MICROSECONDS)
            if bodies and self._journal is not None:
                first = block.first_version
                self._journal.keep(kept_block(block.height, first, timestamp, bodies))
            self._wake()
        return block

    def restore(self, kept: Iterable[KeptBlock]) -> None:
        """Run the blocks of a kept chain again, before anything else is asked."""
        for line in kept:
            block = self.ledger.open_block(
                line.timestamp, height=line.height, first=line.first_version
            )
            for body in line.bodies:
                assert self._commit(decode_signed(body), block), "it was valid when it was kept"
            self.clock.resume_after(line.timestamp)
        if self.ledger.height:
            self._step_over_what_was_empty()

    async def run(self) -> None:
        """Make blocks until cancelled: soon when something waits, else now and then."""
        idle_since = time.monotonic()
        while True:
            await asyncio.sleep(self.settings.block_milliseconds / 1000)
            idle = time.monotonic() - idle_since
            due = len(self.pool) or idle * 1000 >= self.settings.idle_block_milliseconds
            if self.settings.blocks_by_hand or not due:
                continue
            try:
                self.make_block()
            except Exception:  # noqa: BLE001 - the chain must go on; what was being run is lost
                _LOG.exception("a block could not be finished")
            idle_since = time.monotonic()

    def _step_over_what_was_empty(self) -> None:
        """Whoever saw the last empty blocks, which are not kept, must not find us behind them."""
        passed = max(0, self.clock.now() - self.ledger.timestamp)
        most = passed // (self.settings.block_milliseconds * 1000)
        self.ledger.open_block(
            self.clock.stamp(),
            height=self.ledger.height + 1 + most,
            first=self.ledger.version + 1 + most,
        )

    async def wait_for(self, hash: bytes, seconds: float) -> Committed | None:
        """The transaction once it is committed; None when it is not by then."""
        return await self._until(lambda: self.ledger.by_hash(hash), seconds)

    async def _until(
        self, found: Callable[[], Committed | None], seconds: float
    ) -> Committed | None:
        try:
            async with asyncio.timeout(seconds):
                while (committed := found()) is None:
                    await self._block_made.wait()
        except TimeoutError:
            return None
        return committed

    def _wake(self) -> None:
        """Whoever waits for a block looks again; who comes later waits for the next."""
        self._block_made.set()
        self._block_made = asyncio.Event()

    def _fill(self, block: Block, bodies: list[bytes]) -> None:
        """Run what is ready, until there is no more, or no room or time for it."""
        ends = time.monotonic() + self.settings.block_work_milliseconds / 1000
        while len(bodies) < self.settings.block_transactions_max and time.monotonic() < ends:
            waiting = self.pool.next_ready(self.accounts)
            if waiting is None:
                return
            self.pool.remove(waiting)
            if self._commit(waiting.signed, block):
                bodies.append(waiting.signed.body)

    def _commit(self, signed: SignedTransaction, block: Block) -> bool:
        """Whether it is in the block now; it is not when it has become invalid meanwhile."""
        transaction_hash = signed.hash
        environment = Environment(
            chain_id=self.settings.chain_id,
            height=block.height,
            timestamp_microseconds=block.timestamp,
            transaction_hash=transaction_hash,
            gas_units_max=signed.raw.max_gas_amount,
        )
        try:
            performed = carry_out(signed, self.accounts, self.executor, self.rules, environment)
        except Invalid:
            return False
        self.ledger.add(
            Committed(
                self.ledger.version + 1,
                block.height,
                block.timestamp,
                signed,
                transaction_hash,
                performed.refusal,
                performed.charge,
                performed.events,
                performed.changes,
                self.ledger.next_root(transaction_hash),
            )
        )
        return True

    def _environment(self, sight: Sight, hash: bytes) -> Environment:
        return Environment(sight.chain_id, sight.height, sight.timestamp, hash, self.gas.units_max)

    def _repriced(
        self, signed: SignedTransaction, unit_price: int | None, find_units: bool
    ) -> SignedTransaction:
        raw = signed.raw
        if unit_price is not None:
            raw = replace(raw, gas_unit_price=unit_price)
        if find_units:
            most = self.gas.units_max
            if signed.payer != ZERO:
                octas = self.accounts.balance_octas(signed.payer)
                most = min(most, octas // max(1, raw.gas_unit_price))
            raw = replace(raw, max_gas_amount=most)
        return replace(signed, raw=raw)


def decode(body: bytes) -> SignedTransaction:
    """A transaction as it was handed in. Raises `Refused`."""
    try:
        return decode_signed(body)
    except Malformed as error:
        message = f"Failed to deserialize input into SignedTransaction: {error}"
        raise invalid_input(message) from error
    except Gated as error:
        raise Invalid("FEATURE_UNDER_GATING") from error


__all__ = ["Node", "NodeSettings", "Refused", "Sight", "Simulated", "decode"]
