"""What became of signed bytes: by their hash first, by their number where the hash is not known.

The rules of the reference's section 7, with one more: a node may have forgotten old history, so
"never happened" is also read from the account's own order.
"""

from typing import Final, NamedTuple

from engine.errors import Unreadable
from engine.ports import Found, Position, Standing
from providers.aptos.answers import NAME, Asked, Transaction, bytes_of, whole
from providers.aptos.client import Node
from providers.aptos.refusals import read_status, refusal_of

_FEE_STATEMENT: Final = "0x1::transaction_fee::FeeStatement"

UNKNOWN: Final = Found(Standing.UNKNOWN)
GONE: Final = Found(Standing.GONE)
WAITING: Final = Found(Standing.WAITING)


class Sought(NamedTuple):
    """A signed transaction as it can be asked for. `expires_at` in epoch seconds of the chain."""

    hash: bytes
    sender: bytes
    sequence_number: int
    expires_at: int


class Finder:
    """Asks one node; every question may be repeated."""

    def __init__(self, node: Node, ours: dict[str, bytes]) -> None:
        """`ours`: addresses of our packages by module, to tell their aborts from others'."""
        self._node = node
        self._ours = ours

    async def find(self, sought: Sought) -> Found:
        """Raises what the node's answer is worth, when it is worth nothing."""
        return await self._judge(sought, await self._node.transaction(sought.hash))

    async def find_waiting(self, sought: Sought) -> Found:
        """The same after at most a second or so in which the node waits for it."""
        return await self._judge(sought, await self._node.transaction(sought.hash, waits=True))

    def settled(self, transaction: Transaction) -> Found:
        """What a committed transaction says: it happened, or it was refused. Both are final."""
        version = whole(transaction.version)
        if version is None:
            raise Unreadable(NAME, "a final transaction without a version")
        fee = _fee_of(transaction)
        if transaction.success:
            return Found(Standing.DONE, version, fee)
        refusal = refusal_of(read_status(transaction.vm_status), self._ours)
        return Found(Standing.REFUSED, version, fee, refusal)

    async def _judge(self, sought: Sought, asked: Asked) -> Found:
        transaction = asked.transaction
        if transaction is not None:
            return self.settled(transaction) if transaction.is_final else WAITING
        if not self._is_too_late(sought, asked.position):
            return UNKNOWN
        return await self._without_hash(sought)

    def _is_too_late(self, sought: Sought, position: Position) -> bool:
        # The node's clock, never ours; and strictly past it (section 6). One that is behind
        # what was told before may be another node, whose clock says nothing of the first.
        return position.seconds > sought.expires_at and not self._node.is_behind(position)

    async def _without_hash(self, sought: Sought) -> Found:
        """Past its expiry and not known by its hash: the account's order has the last word."""
        number, position = await self._node.sequence_number(sought.sender)
        if not self._is_too_late(sought, position):
            return UNKNOWN
        if number is None or number <= sought.sequence_number:
            return GONE  # its place was never taken, and it is too late to take it
        taken, position = await self._node.committed(
            sought.sender, first=sought.sequence_number, count=1
        )
        if not taken or whole(taken[0].sequence_number) != sought.sequence_number:
            return UNKNOWN  # pruned: this node cannot know any more who took the place
        if bytes_of(taken[0].hash) == sought.hash:
            return self.settled(taken[0])
        return GONE  # somebody else's bytes have its place


def _fee_of(transaction: Transaction) -> int | None:
    """Octas: units times their price, less what came back for storage that was given up."""
    used, price = whole(transaction.gas_used), whole(transaction.gas_unit_price)
    if used is None or price is None:
        return None
    refunds = [
        event.data.get("storage_fee_refund_octas")
        for event in transaction.events
        if event.type == _FEE_STATEMENT and isinstance(event.data, dict)
    ]
    return used * price - sum(whole(refund) or 0 for refund in refunds)
