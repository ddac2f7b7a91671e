"""A rail in memory that keeps the port's promises, and breaks down as a test tells it.

It has numbers, a place where transactions wait, a clock of its own, books of batches, disputes and
pools. Approvals are checked with real signatures. It knows nothing of any chain's formats.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.errors import OutcomeUnknown, Rejected, Unreachable
from engine.payments.settlement import merkle
from engine.ports import (
    Approval,
    DisputeAnswer,
    DisputeOpening,
    DisputeRefund,
    DisputeRuling,
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
    Settlement,
    SettlementTerms,
    Slot,
    Standing,
)

KINDS: dict[str, type[Instruction]] = {
    kind.__name__: kind
    for kind in (Settlement, DisputeOpening, DisputeAnswer, DisputeRuling, DisputeRefund)
}


class KeptKeys:
    """Real keys, made from their names; `signed` counts what each was used for.

    `lost`: those for which nobody answers while all others do. `refused`: there are none such.
    """

    def __init__(self) -> None:
        self.signed: Counter[str] = Counter()
        self.is_away = False
        self.lost: set[str] = set()
        self.refused: set[str] = set()

    def key(self, name: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())

    async def public_key(self, name: str) -> bytes:
        return self.key(name).public_key().public_bytes_raw()

    async def sign(self, name: str, message: bytes) -> bytes:
        if name in self.refused:
            raise Rejected("keys", f"no key {name}", code="key", reason=Reason.CONFIGURATION)
        if self.is_away or name in self.lost:
            raise Unreachable("keys", "nobody answers")
        self.signed[name] += 1
        return self.key(name).sign(message)

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass
class Pools:
    """A corridor: what its members have, and what of it disputes hold."""

    approvers: list[bytes]
    threshold: int
    totals: list[int] = field(default_factory=lambda: [10**12, 10**12])
    held: list[int] = field(default_factory=lambda: [0, 0])
    batches: dict[bytes, Recorded] = field(default_factory=dict)
    disputes: dict[bytes, DisputeStanding] = field(default_factory=dict)


@dataclass
class MemoryRail:
    """`faults`: what the next hand-ins meet, one word each.

    lost: taken, and nobody heard of it. dropped: not taken, and nobody heard of that either.
    forgotten: acknowledged, and then the node lost it. refused: taken, and rejected at the door
    as if it had been taken before. unreachable: nothing left.
    """

    corridors: dict[str, Pools]
    seconds: int = 1_000_000
    name: str = "memory"
    accounts: tuple[str, ...] = ("submitter",)
    expires_seconds: int = 60
    in_flight_max: int = 100
    refuses: Refusal | None = None  # as a paused contract does, whatever it is asked
    is_away: bool = False
    asked: int = 0
    unsigned: int = 0  # so often nobody signs
    numbers_behind: int = 0  # so many numbers less are seen as used than are
    is_forked: bool = False  # what is not decided is called done
    is_stale: bool = False  # records of batches and disputes are not seen yet
    decimals: int = 6  # of the asset
    forgets_order: bool = False  # only hashes are known
    elsewhere: set[int] = field(default_factory=set)  # places of members whose keys we have not
    decides: bool = True  # whether what waits is carried out
    faults: list[str] = field(default_factory=list)
    provided: dict[bytes, tuple[Provision, ...]] = field(default_factory=dict)
    waiting: dict[tuple[str, int], Prepared] = field(default_factory=dict)
    decided: dict[bytes, Found] = field(default_factory=dict)
    by_number: dict[tuple[str, int], bytes] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)

    # Pure.

    def terms_hash(self, terms: SettlementTerms) -> bytes:
        return hashlib.sha3_256(b"terms" + msgspec.json.encode(terms)).digest()

    def account_for(self, instruction: Instruction) -> str:
        match instruction:
            case Settlement() | DisputeRefund():
                return "submitter"
            case DisputeRuling():
                return "arbiter"
            case _ if instruction.member in self.elsewhere:
                raise Rejected(
                    self.name, "no account of ours", code="account", reason=Reason.CONFIGURATION
                )
            case _:
                return f"member {instruction.member}"

    def dispute_id(self, opening: DisputeOpening) -> bytes:
        told = opening.batch_id + opening.leaf_hash + bytes([opening.member])
        return hashlib.sha3_256(told).digest()

    # Asking.

    async def position(self) -> Position:
        self._answer()
        return Position(4, len(self.decided), self.seconds)

    async def next_sequence_number(self, account: str) -> int:
        self._answer()
        return max(self.numbers[account] - self.numbers_behind, 0)

    async def estimate(self, instruction: Instruction) -> int | Refusal:
        self._answer()
        return self._refusal(instruction) or 1000

    async def find(self, prepared: Prepared) -> Found:
        self._answer()
        self.carry_out()
        if prepared.hash in self.decided:
            return self.decided[prepared.hash]
        if self.is_forked:
            return Found(Standing.DONE, 1, 7)
        place = (prepared.slot.account, prepared.slot.sequence_number)
        if self.waiting.get(place) == prepared:
            return Found(Standing.WAITING)
        return Found(
            Standing.GONE if self.seconds >= prepared.slot.expires_at else Standing.UNKNOWN
        )

    async def carried_out(self, account: str, *, first: int) -> Sequence[tuple[bytes, Found]]:
        self._answer()
        if self.forgets_order:
            raise Rejected(self.name, "pruned", code="version_pruned", reason=Reason.OTHER)
        self.carry_out()
        numbers = range(first, min(self.numbers[account], first + 100))
        hashes = [self.by_number[account, number] for number in numbers]
        return [(hash_, self.decided[hash_]) for hash_ in hashes]

    async def wait(self, prepared: Prepared, *, seconds: float) -> Found:
        return await self.find(prepared)

    async def recorded(self, corridor: str, batch_id: bytes) -> Recorded | None:
        self._answer()
        return None if self.is_stale else self.corridors[corridor].batches.get(batch_id)

    async def asset_decimals(self, corridor: str) -> int:
        self._answer()
        return self.decimals

    async def dispute(self, corridor: str, dispute_id: bytes) -> DisputeStanding | None:
        self._answer()
        return None if self.is_stale else self.corridors[corridor].disputes.get(dispute_id)

    async def proves(
        self,
        corridor: str,
        batch_id: bytes,
        leaf_hash: bytes,
        leaf_index: int,
        proof: Sequence[bytes],
    ) -> bool:
        self._answer()
        batch = self.corridors[corridor].batches.get(batch_id)
        return batch is not None and merkle.verify(
            leaf_hash, leaf_index, batch.payment_count, proof, batch.merkle_root
        )

    async def pools(self, corridor: str) -> tuple[PoolStanding, ...]:
        self._answer()
        pools = self.corridors[corridor]
        return tuple(PoolStanding(*each) for each in zip(pools.totals, pools.held, strict=True))

    async def provisions(self, corridor: str, transaction_hash: bytes) -> tuple[Provision, ...]:
        self._answer()
        return self.provided.get(transaction_hash, ())

    async def fee_reserve(self) -> int:
        return 10**9

    async def aclose(self) -> None:
        """Nothing is open."""

    # Sending.

    async def prepare(self, instruction: Instruction, slot: Slot, *, units_max: int) -> Prepared:
        self._answer()
        if self.unsigned:
            self.unsigned -= 1
            raise Unreachable("keys", "nobody signs")
        kind = type(instruction).__name__
        body = msgspec.json.encode([kind, msgspec.json.encode(instruction).decode(), slot])
        return Prepared(slot, hashlib.sha3_256(body).digest(), body, units_max)

    async def prepare_nothing(self, slot: Slot) -> Prepared:
        body = msgspec.json.encode(["", "", slot])
        return Prepared(slot, hashlib.sha3_256(body).digest(), body, 1)

    async def send(self, prepared: Prepared) -> None:
        self._answer()
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "unreachable":
            raise Unreachable(self.name, "no route")
        self.sent.append(prepared.hash)
        if fault not in ("dropped", "forgotten"):
            self._take(prepared)
        if fault in ("lost", "dropped"):
            raise OutcomeUnknown(self.name, "no answer")
        if fault == "refused":
            raise Rejected(self.name, "old", code="SEQUENCE_NUMBER_TOO_OLD", reason=Reason.OTHER)

    def _take(self, prepared: Prepared) -> None:
        place = (prepared.slot.account, prepared.slot.sequence_number)
        if prepared.hash in self.decided:
            return
        if place[1] < self.numbers[place[0]]:
            raise Rejected(self.name, "old", code="SEQUENCE_NUMBER_TOO_OLD", reason=Reason.OTHER)
        if prepared.slot.expires_at <= self.seconds:
            raise Rejected(self.name, "late", code="TRANSACTION_EXPIRED", reason=Reason.OTHER)
        if self.waiting.get(place, prepared) != prepared:
            raise Rejected(self.name, "other", code="invalid_update", reason=Reason.OTHER)
        self.waiting[place] = prepared
        self.carry_out()

    # Deciding.

    def pass_(self, seconds: int) -> None:
        """The rail's clock goes on; what has expired can never happen any more."""
        self.carry_out()
        self.seconds += seconds
        self.waiting = {
            place: prepared
            for place, prepared in self.waiting.items()
            if prepared.slot.expires_at > self.seconds
        }

    def carry_out(self) -> None:
        """What stands next in its account's order happens."""
        while self.decides:
            ready = [place for place in self.waiting if place[1] == self.numbers[place[0]]]
            if not ready:
                return
            for place in ready:
                prepared = self.waiting.pop(place)
                self.numbers[place[0]] += 1
                assert place not in self.by_number, "a number was used twice"
                self.by_number[place] = prepared.hash
                kind, told, _ = msgspec.json.decode(prepared.body)
                refusal = None
                if kind:
                    instruction = msgspec.json.decode(told, type=KINDS[kind])
                    refusal = self._refusal(instruction)
                    if refusal is None:
                        self._do(instruction)
                standing = Standing.REFUSED if refusal else Standing.DONE
                self.decided[prepared.hash] = Found(standing, len(self.decided), 7, refusal)

    def _refusal(self, instruction: Instruction) -> Refusal | None:
        if self.refuses is not None:
            return self.refuses
        if isinstance(instruction, Settlement):
            return self._refusal_of_batch(instruction)
        if isinstance(instruction, DisputeOpening):
            known = self.dispute_id(instruction) in self.corridors[instruction.corridor].disputes
            return Refusal.DISPUTE if known else None
        dispute = self.corridors[instruction.corridor].disputes.get(instruction.dispute_id)
        allowed = {
            DisputeAnswer: {"open"}, DisputeRuling: {"contested", "open"}, DisputeRefund: {"ruled"},
        }[type(instruction)]  # fmt: skip
        return None if dispute is not None and dispute.status in allowed else Refusal.DISPUTE

    def _refusal_of_batch(self, settlement: Settlement) -> Refusal | None:
        terms, pools = settlement.terms, self.corridors[settlement.terms.corridor]
        if terms.batch_id in pools.batches:
            return Refusal.DONE_BEFORE
        if sum(terms.debits) != sum(terms.credits) or not terms.payment_count:
            return Refusal.TERMS
        if terms.expires_at <= self.seconds or not self._approved(settlement, pools):
            return Refusal.APPROVALS
        free = [total - held for total, held in zip(pools.totals, pools.held, strict=True)]
        if any(debit > left for debit, left in zip(terms.debits, free, strict=True)):
            return Refusal.SHORT
        return None

    async def is_approved_by(self, terms: SettlementTerms, approval: Approval) -> bool:
        self._answer()
        return self._is_approved_by(terms, approval)

    def _is_approved_by(self, terms: SettlementTerms, approval: Approval) -> bool:
        seed = self.corridors[terms.corridor].approvers[approval.index]
        key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
        try:
            key.verify(approval.signature, self.terms_hash(terms))
        except InvalidSignature:
            return False
        return True

    def _approved(self, settlement: Settlement, pools: Pools) -> bool:
        places = [approval.index for approval in settlement.approvals]
        if places != sorted(set(places)) or len(places) < pools.threshold:
            return False
        return all(self._is_approved_by(settlement.terms, one) for one in settlement.approvals)

    def _do(self, instruction: Instruction) -> None:
        if isinstance(instruction, Settlement):
            terms, pools = instruction.terms, self.corridors[instruction.terms.corridor]
            for place in range(len(pools.totals)):
                pools.totals[place] += terms.credits[place] - terms.debits[place]
            pools.batches[terms.batch_id] = Recorded(
                self.terms_hash(terms), terms.merkle_root, terms.payment_count, terms.debits,
                terms.credits, self.seconds,
            )  # fmt: skip
        else:
            self._do_in_dispute(instruction)

    def _do_in_dispute(
        self, instruction: DisputeOpening | DisputeAnswer | DisputeRuling | DisputeRefund
    ) -> None:
        pools = self.corridors[instruction.corridor]
        if isinstance(instruction, DisputeOpening):
            pools.held[instruction.against] += instruction.amount_minor
            found = self.dispute_id(instruction)
            pools.disputes[found] = DisputeStanding(
                found, "open", instruction.member, instruction.against, instruction.amount_minor,
                0, self.seconds,
            )  # fmt: skip
            return
        dispute = pools.disputes[instruction.dispute_id]
        change: dict[str, object] = {"status": "closed"}
        if isinstance(instruction, DisputeAnswer):
            change = {"status": "contested"}
            if instruction.accepts:
                change = {"status": "ruled", "refund_minor": dispute.amount_minor}
        elif isinstance(instruction, DisputeRuling):
            change = {"status": "ruled", "refund_minor": instruction.refund_minor}
        else:
            pools.held[dispute.against] -= dispute.amount_minor
            pools.totals[dispute.against] -= dispute.refund_minor
            pools.totals[dispute.member] += dispute.refund_minor
        pools.disputes[instruction.dispute_id] = msgspec.structs.replace(dispute, **change)

    def _answer(self) -> None:
        self.asked += 1
        if self.is_away:
            raise Unreachable(self.name, "away")
