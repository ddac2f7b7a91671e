"""What the contracts' books say: batches, disputes, proofs, pools. Questions only, no account.

Everything here may be asked by anybody: a receipt is checked with no more than a node's address.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from engine.errors import OutcomeUnknown, Unreadable
from engine.ports import DisputeStanding, PoolStanding, Provision, Recorded
from providers.aptos import calls, sdk
from providers.aptos.answers import NAME, Aborted, Event, bytes_of, whole
from providers.aptos.calls import LIQUIDITY, SETTLEMENT, Contracts
from providers.aptos.client import Node
from providers.aptos.refusals import NO_DISPUTE

_STATUSES: Final = {1: "open", 2: "contested", 3: "ruled", 4: "closed"}
# `PutIn` is what an operator does when it replenishes its pool, and what settlements do too.
_SIGN_OF_MOVE: Final = {"Provided": 1, "PutIn": 1, "Withdrawn": -1, "EmergencyExited": -1}
_LOSS: Final = "LossTaken"
_POOL_TRIES: Final = 3
_SECONDS_END: Final = 253_402_300_800  # the year 10000, which nobody can write or keep


class CorridorBooks(NamedTuple):
    """A corridor on the chain: members' accounts and approvers' keys in order."""

    members: tuple[bytes, ...]
    approvers: tuple[bytes, ...]
    threshold: int


class Books:
    """Raises what `Node.view` raises, and Unreadable for values that the contracts do not give."""

    def __init__(self, node: Node, contracts: Contracts) -> None:
        self._node = node
        self._contracts = contracts
        self._pools: dict[str, tuple[bytes, ...]] = {}

    async def recorded(self, corridor: str, batch_id: bytes) -> Recorded | None:
        """See `engine.ports.SettlementPort`; Rejected for a corridor that nobody placed."""
        named = sdk.octets(batch_id)
        (settled,) = await self._values("is_settled", corridor, named, count=1)
        if settled is not True:
            return None
        row = await self._values("batch", corridor, named, count=6)
        return Recorded(
            terms_hash=_octets(row[0]),
            merkle_root=_octets(row[1]),
            payment_count=_number(row[2]),
            debits=_numbers(row[3]),
            credits=_numbers(row[4]),
            settled_at=_second(row[5]),
        )

    async def corridor(self, corridor: str) -> CorridorBooks:
        """Whose it is by the chain, which decides whatever any file of ours says."""
        (members,) = await self._values("members", corridor, count=1)
        (threshold,) = await self._values("threshold", corridor, count=1)
        if not isinstance(members, list):
            raise Unreadable(NAME, "a list that is none")
        return CorridorBooks(
            tuple(map(_address, members)), await self.approvers(corridor), _number(threshold)
        )

    async def approvers(self, corridor: str) -> tuple[bytes, ...]:
        """Public keys of those whose word counts in a corridor, by place."""
        (keys,) = await self._values("approvers", corridor, count=1)
        if not isinstance(keys, list):
            raise Unreadable(NAME, "a list that is none")
        return tuple(map(_octets, keys))

    async def decimals(self, corridor: str) -> int:
        """Of the asset that a corridor moves. Its issuer may change them, so ask each time."""
        (asset,) = await self._values("asset", corridor, count=1)
        return _number(_all(await self._ask(calls.decimals_of(_address(asset))), count=1)[0])

    async def dispute(self, corridor: str, dispute_id: bytes) -> DisputeStanding | None:
        """See `engine.ports.SettlementPort`."""
        try:
            row = await self._values("dispute", corridor, sdk.octets(dispute_id), count=8)
        except Aborted as aborted:
            if not self._says(aborted, NO_DISPUTE):
                raise OutcomeUnknown(NAME, "no answer to rely on", code=aborted.code) from aborted
            await self._stand_up_to_date()
            return None
        status = _STATUSES.get(_number(row[0]))
        if status is None:
            raise Unreadable(NAME, "a dispute in no state of ours")
        return DisputeStanding(
            dispute_id=dispute_id,
            status=status,
            member=_number(row[1]),
            against=_number(row[2]),
            amount_minor=_number(row[3]),
            refund_minor=_number(row[4]),
            opened_at=_number(row[5]),
        )

    async def proves(
        self,
        corridor: str,
        batch_id: bytes,
        leaf_hash: bytes,
        leaf_index: int,
        proof: Sequence[bytes],
    ) -> bool:
        """False also when the contract refuses to look, because there is no such batch, say."""
        arguments = calls.proof_arguments(batch_id, leaf_hash, leaf_index, proof)
        try:
            (proven,) = await self._values("verify_payment", corridor, *arguments, count=1)
        except Aborted as aborted:
            if aborted.status.package != self._contracts.settlement:
                raise OutcomeUnknown(NAME, "no answer to rely on", code=aborted.code) from aborted
            await self._stand_up_to_date()
            return False
        return proven is True

    async def pools(self, corridor: str) -> tuple[PoolStanding, ...]:
        """All at one time: read until they are the same twice, else OutcomeUnknown."""
        before = await self._read_pools(corridor)
        for _ in range(_POOL_TRIES):
            now = await self._read_pools(corridor)
            if now == before:
                return now
            before = now
        raise OutcomeUnknown(NAME, "the pools move while they are read", code="moving")

    async def provisions(self, corridor: str, transaction_hash: bytes) -> tuple[Provision, ...]:
        """See `engine.ports.SettlementPort`: one for every event of providing or taking out.

        What an issuer took from a pool is written down by whatever moves the pool next, so of a
        settlement or dispute that is all that is read.
        """
        member_of = {pool: n for n, pool in enumerate(await self._pools_of(corridor))}
        found = await self._node.up_to_date(lambda: self._node.transaction(transaction_hash))
        if found is None or not found.is_final or not found.success:
            return ()
        settles = any(self._is_of(event, self._contracts.settlement) for event in found.events)
        read = (
            self._loss(event) or (None if settles else self._move(event)) for event in found.events
        )
        moves = filter(None, read)
        return tuple(
            Provision(member_of[move.pool], move.amount_minor)
            for move in moves
            if move.pool in member_of
        )

    def _is_of(self, event: Event, package: bytes) -> bool:
        return bytes_of(event.type.partition("::")[0]) == package

    def _move(self, event: Event) -> "_Move | None":
        sign = _SIGN_OF_MOVE.get(self._name(event))
        if sign is None:
            return None
        told = _fields(event)
        return _Move(_address(told.get("pool")), sign * _number(told.get("amount")))

    def _loss(self, event: Event) -> "_Move | None":
        if self._name(event) != _LOSS:
            return None
        told = _fields(event)
        before, after = _number(told.get("total_before")), _number(told.get("total_after"))
        return _Move(_address(told.get("pool")), after - before)

    def _name(self, event: Event) -> str:
        """Of an event of the liquidity package; empty for any other."""
        package, _, name = event.type.partition(f"::{LIQUIDITY}::")
        return name if bytes_of(package) == self._contracts.liquidity else ""

    async def _read_pools(self, corridor: str) -> tuple[PoolStanding, ...]:
        return tuple(
            [
                PoolStanding(
                    total_minor=await self._of_pool("total", pool),
                    held_minor=await self._of_pool("reserved", pool),
                )
                for pool in await self._pools_of(corridor)
            ]
        )

    async def _pools_of(self, corridor: str) -> tuple[bytes, ...]:
        """Which pool is whose never changes, so it is asked once."""
        if corridor not in self._pools:
            members = self._contracts.corridor(corridor).members
            self._pools[corridor] = tuple(
                [
                    _address((await self._values("pool_of", corridor, sdk.u64(n), count=1))[0])
                    for n in range(len(members))
                ]
            )
        return self._pools[corridor]

    async def _of_pool(self, view: str, pool: bytes) -> int:
        return _number(_all(await self._ask(self._contracts.pool_question(view, pool)), count=1)[0])

    async def _values(self, view: str, corridor: str, *arguments: bytes, count: int) -> list[Any]:
        question = self._contracts.question(view, corridor, *arguments)
        return _all(await self._node.view(question), count=count)

    async def _ask(self, question: sdk.Call) -> list[Any]:
        try:
            return await self._node.view(question)
        except Aborted as aborted:
            raise OutcomeUnknown(NAME, "no answer to rely on", code=aborted.code) from aborted

    def _says(self, aborted: Aborted, reason: int) -> bool:
        status = aborted.status
        return (status.package, status.module, status.reason) == (
            self._contracts.settlement, SETTLEMENT, reason,
        )  # fmt: skip

    async def _stand_up_to_date(self) -> None:
        """A refused view does not say how old the node's state is; the node itself does.

        Raises OutcomeUnknown for a node that is behind what was told before.
        """
        if self._node.is_behind(await self._node.position()):
            raise OutcomeUnknown(NAME, "the node is behind what it told before", code="stale")


class _Move(NamedTuple):
    pool: bytes
    amount_minor: int


# Values, as a node writes them in JSON (reference, section 2).


def _fields(event: Event) -> dict[str, Any]:
    if not isinstance(event.data, dict):
        raise Unreadable(NAME, "an event without its fields")
    return event.data


def _all(values: list[Any], *, count: int) -> list[Any]:
    if len(values) != count:
        raise Unreadable(NAME, "other values than the view gives")
    return values


def _number(value: Any) -> int:
    number = whole(value)
    if number is None:
        raise Unreadable(NAME, "a number that is none")
    return number


def _second(value: Any) -> int:
    second = _number(value)
    if second >= _SECONDS_END:
        raise Unreadable(NAME, "a time that is none")
    return second


def _numbers(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise Unreadable(NAME, "a list that is none")
    return tuple(map(_number, value))


def _octets(value: Any) -> bytes:
    try:
        if not isinstance(value, str) or not value.startswith("0x"):
            raise ValueError("no bytes")
        return bytes.fromhex(value[2:])
    except ValueError as error:
        raise Unreadable(NAME, "bytes that are none") from error


def _address(value: Any) -> bytes:
    if isinstance(value, Mapping):
        value = value.get("inner")  # an `Object<T>`
    found = bytes_of(value) if isinstance(value, str) else None
    if found is None:
        raise Unreadable(NAME, "an address that is none")
    return found
