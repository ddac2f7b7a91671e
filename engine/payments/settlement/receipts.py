"""The proof that one payment was in a settled batch, which anybody can check against the rail.

A receipt names no person and no number. To check one needs nothing of ours but what it says.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple, Protocol

import msgspec

from engine.errors import OurFault
from engine.payments.settlement import leaves, merkle
from engine.payments.settlement.batch import Batch, tree_of
from engine.payments.settlement.batch_store import BatchStore
from engine.payments.settlement.leaves import Leaf
from engine.payments.settlement.obligation_store import ObligationStore
from engine.payments.settlement.state import BatchState
from engine.ports import Recorded

# Small letters alone: the same bytes in other letters would be another file for the same receipt.
_Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Whole = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
PROOF_LENGTH_MAX = 64
TREES_MAX = 8
"""So many trees are kept in memory; one of ten thousand leaves takes two megabytes."""


class SaltedLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the payment's leaf says, and the salt with which it is hashed (hex)."""

    fields: Leaf
    salt: _Hash


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is needed to check one payment. Bytes are hex; `chain` is the rail's own affair."""

    chain: dict[str, str | int]
    corridor: str
    batch_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
    leaf: SaltedLeaf
    index: _Whole
    count: _Whole
    proof: Annotated[tuple[_Hash, ...], msgspec.Meta(max_length=PROOF_LENGTH_MAX)]


class Verdict(msgspec.Struct, frozen=True):
    """Whether a receipt holds, and if not, every reason."""

    holds: bool
    reasons: tuple[str, ...]
    settled_at: int | None = None  # epoch seconds, by the rail's books


class Books(Protocol):
    """What a rail is asked about a receipt: a part of `SettlementPort`."""

    async def recorded(self, corridor: str, batch_id: bytes) -> Recorded | None: ...

    async def proves(
        self,
        corridor: str,
        batch_id: bytes,
        leaf_hash: bytes,
        leaf_index: int,
        proof: Sequence[bytes],
    ) -> bool: ...


class SettledLeaf(NamedTuple):
    """One leaf of a settled batch, with the tree it stands in."""

    batch: Batch
    leaf: Leaf
    salt: bytes
    place: int
    tree: merkle.Tree

    @property
    def hash(self) -> bytes:
        return leaves.hash_of(self.leaf, self.salt)

    @property
    def proof(self) -> tuple[bytes, ...]:
        return self.tree.proof(self.place)


class Receipts:
    """Reads only. The same for the same payment, whenever it is asked, once it is settled."""

    def __init__(
        self, obligations: ObligationStore, batches: BatchStore, *, salt_key: bytes
    ) -> None:
        self._obligations = obligations
        self._batches = batches
        self._salt_key = salt_key
        self._trees: OrderedDict[str, merkle.Tree] = OrderedDict()

    async def of(self, payment: str, chain: Mapping[str, str | int]) -> Receipt | None:
        """The receipt of a payment (32 hex digits); None while none of it is settled.

        `chain` tells where on which rail it is; it is copied as it is.
        """
        found = await self.leaf_of(payment)
        if found is None:
            return None
        return Receipt(
            dict(chain), found.batch.corridor, found.batch.id,
            SaltedLeaf(found.leaf, found.salt.hex()), found.place, found.batch.payment_count,
            tuple(beside.hex() for beside in found.proof),
        )  # fmt: skip

    async def leaf_of(self, payment: str) -> SettledLeaf | None:
        """The newest settled obligation of a payment; None while there is none."""
        for owed, batch_id, place in await self._obligations.of_payment(payment):
            batch = await self._batches.get(batch_id) if batch_id is not None else None
            if batch is None or place is None or batch.state is not BatchState.SETTLED:
                continue
            salt = leaves.salt_of(self._salt_key, owed.leaf)
            return SettledLeaf(batch, owed.leaf, salt, place, await self._tree(batch))
        return None

    async def _tree(self, batch: Batch) -> merkle.Tree:
        """What was settled never changes, so its tree is hashed once. Raises OurFault for another
        root than was settled: such a proof would prove nothing.
        """
        tree = self._trees.pop(batch.id, None)
        if tree is None:
            told = [each.leaf for each in await self._obligations.of_batch(batch.id)]
            tree = await asyncio.to_thread(tree_of, told, self._salt_key)
            if tree.root != batch.merkle_root:
                raise OurFault(f"the payments of batch {batch.id} do not lead to its root")
        self._trees[batch.id] = tree
        while len(self._trees) > TREES_MAX:
            self._trees.popitem(last=False)
        return tree


def read_receipt(text: bytes) -> Receipt:
    """Raises ValueError (msgspec's own) for what is no receipt."""
    return msgspec.json.decode(text, type=Receipt)


def write_receipt(receipt: Receipt) -> bytes:
    """The inverse of `read_receipt`, as people can read it."""
    return msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n"


async def verify(receipt: Receipt, rail: Books) -> Verdict:
    """Check a receipt against the rail's books alone: by our own reckoning, and by the rail's.

    Raises what the rail raises when it does not answer: then nothing was found out.
    """
    try:
        batch_id = bytes.fromhex(receipt.batch_id)
        proof = tuple(bytes.fromhex(beside) for beside in receipt.proof)
        hash_ = leaves.hash_of(receipt.leaf.fields, bytes.fromhex(receipt.leaf.salt))
    except ValueError as error:
        return Verdict(holds=False, reasons=(f"it cannot be read: {error}",))
    recorded = await rail.recorded(receipt.corridor, batch_id)
    if recorded is None:
        return Verdict(holds=False, reasons=("the rail has no such batch",))
    reasons = []
    if receipt.count != recorded.payment_count:
        reasons.append("the batch has another number of payments")
    if not merkle.verify(hash_, receipt.index, recorded.payment_count, proof, recorded.merkle_root):
        reasons.append("its payment does not lead to the batch's root")
    if not await rail.proves(receipt.corridor, batch_id, hash_, receipt.index, proof):
        reasons.append("the rail does not find the payment in the batch")
    return Verdict(not reasons, tuple(reasons), recorded.settled_at)
