"""Aptos as a rail: `engine.ports.SettlementPort` over one node, our contracts and our accounts.

It refuses to know payments, and keeps nothing that must survive: numbers, expiries and signed
bytes are its caller's to store.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import httpx

from engine.errors import OutcomeUnknown, Rejected, Unreadable
from engine.ports import (
    Approval,
    DisputeOpening,
    DisputeStanding,
    Found,
    Instruction,
    PoolStanding,
    Position,
    Prepared,
    Provision,
    Reason,
    Recorded,
    Refusal,
    SettlementTerms,
    SignerPort,
    Slot,
)
from providers.aptos import calls, sdk
from providers.aptos.accounts import Accounts, Roles
from providers.aptos.answers import NAME, bytes_of, whole
from providers.aptos.calls import Contracts
from providers.aptos.client import LIST_MAX, TIMEOUTS, Node
from providers.aptos.fees import OVERTAKEN, Budget, Fees
from providers.aptos.finding import Finder, Sought
from providers.aptos.reading import Books, CorridorBooks
from providers.aptos.sdk import Call, Draft
from providers.aptos.waiting import Waiter
from providers.http import Timeouts, Trace, no_trace

IN_FLIGHT_MAX: Final = 100  # of one account, in a node's mempool (reference, section 4)
_TRIAL_SECONDS: Final = 60
_TRIALS: Final = 5
_HAD_BEFORE: Final = frozenset({"SEQUENCE_NUMBER_TOO_OLD", "invalid_transaction_update"})


class AptosSettings(NamedTuple):
    """One installation's place on the chain. `node` ends in `/v1`; times in seconds."""

    node: str
    chain_id: int
    contracts: Contracts
    packages: Mapping[str, bytes]  # by the name of their module
    roles: Roles
    budget: Budget = Budget()
    expires_seconds: int = 60
    api_key: str = ""
    timeouts: Timeouts = TIMEOUTS
    connections: int = 200

    def __repr__(self) -> str:
        return f"AptosSettings(node={self.node!r}, chain_id={self.chain_id})"


class Aptos:
    """See `engine.ports.SettlementPort`."""

    name = NAME
    in_flight_max = IN_FLIGHT_MAX

    def __init__(
        self,
        settings: AptosSettings,
        signer: SignerPort,
        *,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
        seconds: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`seconds` and `sleep` only pace questions. Raises ValueError for a node that is none."""
        self.node = Node(
            settings.node,
            chain_id=settings.chain_id,
            api_key=settings.api_key,
            timeouts=settings.timeouts,
            connections=settings.connections,
            trace=trace,
            transport=transport,
            sleep=sleep,
        )
        self.accounts = tuple(account.key for account in settings.roles.submitters)
        self.expires_seconds = settings.expires_seconds
        self.fee_reserve_min = settings.budget.fee_reserve_min
        self.finder = Finder(self.node, dict(settings.packages))
        self._settings = settings
        self._contracts = settings.contracts
        self._accounts = Accounts(settings.roles, settings.contracts, signer)
        self._fees = Fees(self.node, settings.budget, seconds=seconds)
        self._waiter = Waiter(self.finder, seconds=seconds, sleep=sleep)
        self._books = Books(self.node, settings.contracts)

    def __repr__(self) -> str:
        return f"Aptos({self._settings!r})"

    # Pure.

    def terms_hash(self, terms: SettlementTerms) -> bytes:
        """As the contract's `terms_hash`. Raises Rejected for a corridor it does not know."""
        return self._contracts.terms_hash(terms, self._settings.chain_id)

    async def is_approved_by(self, terms: SettlementTerms, approval: Approval) -> bool:
        """By the keys that stand in the corridor on the chain now, not by any setting of ours."""
        keys = await self._books.approvers(terms.corridor)
        if not 0 <= approval.index < len(keys):
            return False
        return sdk.is_signed(keys[approval.index], self.terms_hash(terms), approval.signature)

    def dispute_id(self, opening: DisputeOpening) -> bytes:
        return self._contracts.dispute_id(opening)

    def account_for(self, instruction: Instruction) -> str:
        """Raises Rejected when no account of ours may send it."""
        return self._accounts.name_for(instruction)

    # Sending.

    async def position(self) -> Position:
        return await self.node.position()

    async def next_sequence_number(self, account: str) -> int:
        """Also raises Rejected when the chain has no such account."""
        return (await self._next(account))[0]

    async def _next(self, account: str) -> tuple[int, Position]:
        owner = await self._accounts.owner(account)

        async def ask() -> tuple[tuple[int | None, Position], Position]:
            told = await self.node.sequence_number(owner.address)
            return told, told[1]

        number, position = await self.node.up_to_date(ask)
        if number is None:
            raise Rejected(
                NAME, f"the chain has no account {account}", code="account_not_found",
                reason=Reason.CONFIGURATION,
            )  # fmt: skip
        return number, position

    async def estimate(self, instruction: Instruction) -> "int | Refusal":
        """Three questions, and nothing sent: the price, the account's number, a trial.

        While others of the account are carried out, the number may be used before the trial comes:
        then both are asked again, a few times, and OutcomeUnknown is raised after that.
        """
        price = await self._fees.price()
        if isinstance(price, Refusal):
            return price
        for _ in range(_TRIALS - 1):
            try:
                return await self._try_out(instruction, price)
            except OutcomeUnknown as error:
                if error.code not in OVERTAKEN:
                    raise
        return await self._try_out(instruction, price)

    async def _try_out(self, instruction: Instruction, price: int) -> "int | Refusal":
        account = self.account_for(instruction)
        number, position = await self._next(account)
        draft = await self._draft(
            self._contracts.call_for(instruction),
            Slot(account, number, position.seconds + _TRIAL_SECONDS),
            units_max=self._settings.budget.units_max,
            price=price,
        )
        simulated = await self.node.simulate(await self._accounts.unsigned(account, draft))
        return self._fees.units(simulated, dict(self._settings.packages))

    async def prepare(self, instruction: Instruction, slot: Slot, *, units_max: int) -> Prepared:
        """Raises Rejected when a unit costs more than the budget allows by now."""
        return await self._sign(self._contracts.call_for(instruction), slot, units_max)

    async def prepare_nothing(self, slot: Slot) -> Prepared:
        owner = await self._accounts.owner(slot.account)
        return await self._sign(
            calls.nothing(owner.address), slot, self._settings.budget.nothing_units
        )

    async def send(self, prepared: Prepared) -> None:
        """A number that is used up may be used up by these very bytes: then the rail has them."""
        try:
            await self.node.submit(prepared.body)
        except Rejected as refused:
            if refused.code not in _HAD_BEFORE or not await self._has(prepared):
                raise

    async def _has(self, prepared: Prepared) -> bool:
        return (await self.node.transaction(prepared.hash)).transaction is not None

    async def find(self, prepared: Prepared) -> Found:
        return await self.finder.find(await self._sought(prepared))

    async def carried_out(self, account: str, *, first: int) -> Sequence[tuple[bytes, Found]]:
        owner = await self._accounts.owner(account)
        listed, _ = await self.node.committed(owner.address, first=first, count=LIST_MAX)
        hashes = [bytes_of(each.hash) for each in listed]
        return [
            (hash_, self.finder.settled(each))
            for hash_, each in zip(hashes, listed, strict=True)
            if hash_ is not None
        ]

    async def wait(self, prepared: Prepared, *, seconds: float) -> Found:
        return await self._waiter.wait(await self._sought(prepared), patience_seconds=seconds)

    # The books of the chain.

    async def recorded(self, corridor: str, batch_id: bytes) -> Recorded | None:
        return await self._books.recorded(corridor, batch_id)

    async def corridor(self, name: str) -> CorridorBooks:
        """Whose it is by the chain."""
        return await self._books.corridor(name)

    async def asset_decimals(self, corridor: str) -> int:
        return await self._books.decimals(corridor)

    async def member(self, operator: str) -> bytes | None:
        """An operator's own account, where we keep its key."""
        account = self._settings.roles.members.get(operator)
        return None if account is None else (await self._accounts.owner(account.key)).address

    async def dispute(self, corridor: str, dispute_id: bytes) -> DisputeStanding | None:
        return await self._books.dispute(corridor, dispute_id)

    async def proves(
        self,
        corridor: str,
        batch_id: bytes,
        leaf_hash: bytes,
        leaf_index: int,
        proof: Sequence[bytes],
    ) -> bool:
        return await self._books.proves(corridor, batch_id, leaf_hash, leaf_index, proof)

    async def pools(self, corridor: str) -> tuple[PoolStanding, ...]:
        return await self._books.pools(corridor)

    async def provisions(self, corridor: str, transaction_hash: bytes) -> tuple[Provision, ...]:
        return await self._books.provisions(corridor, transaction_hash)

    async def fee_reserve(self) -> int:
        """Octas on the sponsor's account."""
        sponsor = await self._accounts.sponsor()
        values: list[Any] = await self.node.view(calls.fee_balance(sponsor.address))
        balance = whole(values[0]) if len(values) == 1 else None
        if balance is None:
            raise Unreadable(NAME, "a balance that is none")
        return balance

    async def aclose(self) -> None:
        await self.node.aclose()

    # Signing.

    async def _sign(self, call: Call, slot: Slot, units_max: int) -> Prepared:
        price = await self._fees.price()
        if isinstance(price, Refusal):
            raise Rejected(
                NAME, "a unit costs more than our budget allows", code="unit_price_max",
                reason=Reason.CONFIGURATION,
            )  # fmt: skip
        units = min(units_max, self._settings.budget.units_max)
        draft = await self._draft(call, slot, units_max=units, price=price)
        body = await self._accounts.sign(slot.account, draft)
        return Prepared(slot, sdk.hash_of(body), body, fee_max=units * price)

    async def _draft(self, call: Call, slot: Slot, *, units_max: int, price: int) -> Draft:
        sender = await self._accounts.owner(slot.account)
        payer = await self._accounts.sponsor()
        return Draft(
            sender=sender.address,
            sequence_number=slot.sequence_number,
            call=call,
            units_max=units_max,
            unit_price=price,
            expires_at=slot.expires_at,
            chain_id=self._settings.chain_id,
            payer=payer.address,
        )

    async def _sought(self, prepared: Prepared) -> Sought:
        slot = prepared.slot
        owner = await self._accounts.owner(slot.account)
        return Sought(prepared.hash, owner.address, slot.sequence_number, slot.expires_at)
