"""What is asked of a rail that squares operators' net positions, and of whoever keeps our keys.

Amounts are minor units of the settlement asset, hashes and keys raw bytes. Everybody asks about
one signed transaction by its hash: nothing here sends anything twice by itself.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec


class SettlementTerms(msgspec.Struct, frozen=True):
    """What is squared: one batch of payments in one corridor, as its operators approve it.

    `debits` and `credits` have one number for each member of the corridor, in its order; they
    balance, and no member has both.
    """

    corridor: str  # our own name of it, "mpesa_ke:mtn_ug"
    batch_id: bytes  # 16, ours; the rail carries out each one once
    merkle_root: bytes  # 32, over the payments of the batch
    payment_count: int
    debits: tuple[int, ...]
    credits: tuple[int, ...]
    expires_at: int  # epoch seconds by the rail's clock: approvals are worth nothing from then on


class Approval(msgspec.Struct, frozen=True):
    """One operator's word for exactly these terms. `index` is its place among the approvers."""

    index: int
    signature: bytes  # 64, over `SettlementPort.terms_hash`


class DisputeOpening(msgspec.Struct, frozen=True):
    """A member says that one payment of a settled batch should not have been in it."""

    corridor: str
    batch_id: bytes
    leaf_hash: bytes
    leaf_index: int
    proof: tuple[bytes, ...]
    member: int  # who says so, by place in the corridor
    against: int
    amount_minor: int


class DisputeAnswer(msgspec.Struct, frozen=True):
    """The other member agrees, or shows evidence (by hash) why not."""

    corridor: str
    dispute_id: bytes
    member: int
    accepts: bool
    evidence_hash: bytes  # 32


class DisputeRuling(msgspec.Struct, frozen=True):
    """The arbiter's word: how much goes back, from nothing to all that was asked."""

    corridor: str
    dispute_id: bytes
    refund_minor: int


class DisputeRefund(msgspec.Struct, frozen=True):
    """What was ruled is paid from one member's pool to the other's. Anybody may ask for it."""

    corridor: str
    dispute_id: bytes


class Settlement(msgspec.Struct, frozen=True):
    """Approved terms, to be carried out."""

    terms: SettlementTerms
    approvals: tuple[Approval, ...]


Instruction = Settlement | DisputeOpening | DisputeAnswer | DisputeRuling | DisputeRefund
"""What can be asked of the rail; each is one transaction."""


class Slot(msgspec.Struct, frozen=True):
    """A place in one account's order of transactions, ours alone. Kept before it is used."""

    account: str  # the account's name in our settings, never a key
    sequence_number: int
    expires_at: int  # epoch seconds by the rail's clock: never carried out after it


class Prepared(msgspec.Struct, frozen=True):
    """A signed transaction. Stored before the first byte of it leaves; sent as it is, always."""

    slot: Slot
    hash: bytes  # 32: under this the rail knows it
    body: bytes
    fee_max: int  # the most it can cost, in the rail's own smallest unit


class Standing(StrEnum):
    """What has become of a transaction, by its hash."""

    DONE = "done"  # final: it happened
    REFUSED = "refused"  # final: it took its place in the order and did nothing
    WAITING = "waiting"  # the rail has it and has not decided
    UNKNOWN = "unknown"  # not seen, and it may still happen
    GONE = "gone"  # not seen, and too late by a rail's clock that is not behind: it never will


class Found(msgspec.Struct, frozen=True):
    """What the rail says of a transaction. `refusal` is set when REFUSED."""

    standing: Standing
    version: int | None = None  # where in the rail's history, when final
    fee: int | None = None  # what it cost, in the rail's own smallest unit, when final
    refusal: "Refusal | None" = None


class Refusal(StrEnum):
    """Why the rail did not do it, as far as we act on that differently."""

    DONE_BEFORE = "done_before"  # a batch of this id is in its books: read it; before APPROVALS
    PAUSED = "paused"
    SHORT = "short"  # a member's pool holds less than it owes
    FROZEN = "frozen"  # the asset's issuer has frozen an account
    BARRED = "barred"  # a member stands on the rail's sanctions list
    APPROVALS = "approvals"  # too few, doubled, expired, or not for these terms
    TERMS = "terms"  # unbalanced, of wrong lengths, beyond a bound
    DISPUTE = "dispute"  # too late, not open, not theirs
    FEE = "fee"  # it would have cost more than we allowed
    OTHER = "other"


class Recorded(msgspec.Struct, frozen=True):
    """A batch as the rail's books have it."""

    terms_hash: bytes
    merkle_root: bytes
    payment_count: int
    debits: tuple[int, ...]
    credits: tuple[int, ...]
    settled_at: int  # epoch seconds


class DisputeStanding(msgspec.Struct, frozen=True):
    """A dispute as the rail's books have it."""

    dispute_id: bytes
    status: str  # open, contested, ruled, closed
    member: int
    against: int
    amount_minor: int
    refund_minor: int
    opened_at: int


class PoolStanding(msgspec.Struct, frozen=True):
    """What one member of a corridor has in it: `held_minor` of `total_minor` is promised."""

    total_minor: int
    held_minor: int


class Provision(msgspec.Struct, frozen=True):
    """What somebody put into a member's pool, or took out of it when below zero."""

    member: int
    amount_minor: int


class Position(msgspec.Struct, frozen=True):
    """Where the rail's history stands, as one node tells it."""

    chain_id: int
    version: int
    seconds: int  # the rail's clock


class SettlementPort(Protocol):
    """A rail. Everything that asks changes nothing and may be repeated.

    Every method raises `Throttled`, `Unreachable` or `OutcomeUnknown` when nobody told anything,
    and `Unreadable` for an answer that is not what the rail documents.
    """

    name: str
    accounts: tuple[str, ...]
    """The accounts that may send settlements. Only one process at a time may use one."""
    expires_seconds: int
    """How far ahead of `Position.seconds` a `Slot` should expire."""
    in_flight_max: int
    """How many numbers of one account may be undecided at once; the rail takes no more."""

    def terms_hash(self, terms: SettlementTerms) -> bytes:
        """What an approver signs: 32 bytes over the terms, the corridor and the chain. Pure."""
        ...

    async def is_approved_by(self, terms: SettlementTerms, approval: Approval) -> bool:
        """Whether the approver at that place of the corridor has signed exactly these terms."""
        ...

    def account_for(self, instruction: Instruction) -> str:
        """Which account must send it: always the same one for a corridor and a role. Pure."""
        ...

    async def position(self) -> Position:
        """Raises `Rejected` (configuration) when the node is of another chain than we are told."""
        ...

    async def next_sequence_number(self, account: str) -> int:
        """The first number that the rail has not used."""
        ...

    async def estimate(self, instruction: Instruction) -> "int | Refusal":
        """What to allow for it, in units of work; it was tried on a copy of the rail's state.

        A `Refusal` when the rail would refuse it now; nothing was sent.
        """
        ...

    async def prepare(self, instruction: Instruction, slot: Slot, *, units_max: int) -> Prepared:
        """Sign it. Nothing leaves but what the signer of our keys must see."""
        ...

    async def prepare_nothing(self, slot: Slot) -> Prepared:
        """Sign what does nothing, to fill a place in the order that would stay empty."""
        ...

    async def send(self, prepared: Prepared) -> None:
        """Hand it in. The same bytes may be handed in any number of times: they count once.

        Returns when the rail has it, also when it had it before. Raises `Rejected` with the
        rail's word when it refused the bytes at the door: that says nothing about an earlier
        hand-in of the same bytes.
        """
        ...

    async def find(self, prepared: Prepared) -> Found:
        """What became of it. GONE only by a node whose clock is past its expiry."""
        ...

    async def carried_out(self, account: str, *, first: int) -> Sequence[tuple[bytes, Found]]:
        """Hashes and ends of what an account had carried out or refused, in its order.

        From sequence number `first` on, a hundred at most; DONE and REFUSED, nothing else. May
        raise `Rejected` for a history that the rail no longer keeps: `find` does not.
        """
        ...

    async def wait(self, prepared: Prepared, *, seconds: float) -> Found:
        """As `find`, but the rail is given up to `seconds` to decide."""
        ...

    async def recorded(self, corridor: str, batch_id: bytes) -> Recorded | None:
        """The batch in the rail's books; None when there is none."""
        ...

    async def asset_decimals(self, corridor: str) -> int:
        """How many decimals the asset of the corridor has on the rail, at this moment."""
        ...

    async def dispute(self, corridor: str, dispute_id: bytes) -> DisputeStanding | None: ...

    def dispute_id(self, opening: DisputeOpening) -> bytes:
        """The id under which the rail will know it. Pure."""
        ...

    async def proves(
        self,
        corridor: str,
        batch_id: bytes,
        leaf_hash: bytes,
        leaf_index: int,
        proof: Sequence[bytes],
    ) -> bool:
        """Whether the rail itself finds the payment in the batch."""
        ...  # fmt: skip

    async def pools(self, corridor: str) -> tuple[PoolStanding, ...]:
        """What each member has in it, in the corridor's order."""
        ...

    async def provisions(self, corridor: str, transaction_hash: bytes) -> tuple[Provision, ...]:
        """What that final transaction put into the corridor's pools, or took out of them.

        What settlements and disputes moved is not among it; what the asset's issuer took is. Empty
        when it is not final or did nothing.
        """
        ...

    async def fee_reserve(self) -> int:
        """What is left to pay the rail's fees with, in its own smallest unit."""
        ...

    async def aclose(self) -> None: ...


class SignerPort(Protocol):
    """Whoever keeps our private keys, by name: a file for development, a vault or HSM else.

    Signing the same bytes again gives the same signature (Ed25519, RFC 8032).
    """

    async def public_key(self, name: str) -> bytes:
        """32 bytes. Raises `Rejected` when there is no such key."""
        ...

    async def sign(self, name: str, message: bytes) -> bytes:
        """64 bytes. Raises `Rejected`, `Throttled`, `Unreachable` or `OutcomeUnknown`."""
        ...

    async def aclose(self) -> None: ...
