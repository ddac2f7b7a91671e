"""A chain in memory, and nodes of it that are away, behind, forgetful, or that lie.

What the chain has carried out is the truth, in each account's order, once; a batch it takes once.
Nodes tell of it late; they take what they then forget, answer nothing, and say for a while that a
transaction is done which stands on a fork and never was. It knows no formats of any chain.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import OutcomeUnknown, Rejected, Throttled, Unreachable
from engine.ports import (
    Approval,
    Found,
    Instruction,
    PoolStanding,
    Position,
    Prepared,
    Reason,
    Recorded,
    Refusal,
    Settlement,
    SettlementTerms,
    Slot,
    Standing,
)
from tests.simulation.model import START

if TYPE_CHECKING:
    from tests.simulation.world import World

POOL_MINOR = 10**11
NAME = "simulated chain"


@dataclass
class ChainWeather:
    """Odds per question or per transaction, between 0 and 1."""

    away: float = 0.03  # nobody answers
    lost: float = 0.08  # taken, and nobody heard of it
    dropped: float = 0.05  # not taken, and nobody heard of that either
    forgotten: float = 0.08  # acknowledged, and lost by the node
    behind: float = 0.15  # what is asked is answered as of a while ago
    forked: float = 0.1  # said to be done by a node on a fork, which comes back hours later
    halted_per_hour: float = 0.1  # nothing is carried out for hours
    paused_per_hour: float = 0.1  # the contract refuses everything for a while
    signer_away: float = 0.05
    slow: float = 0.2  # of transactions: decided near their end, or never

    def stir(self, chance: random.Random) -> None:
        """Make this world's own: some faults absent, some four times as likely."""
        for name in self.__dataclass_fields__:
            scale = chance.choice((0.0, 1.0, 1.0, 4.0))
            setattr(self, name, min(getattr(self, name) * scale, 0.6))

    def calm(self) -> None:
        """From now on every node says what is so."""
        for name in self.__dataclass_fields__:
            setattr(self, name, 0.0)


@dataclass
class Waiting:
    """What the chain has been handed and has not decided."""

    prepared: Prepared
    ready_at: float


@dataclass
class Truth:
    """What the chain has carried out, with when: a node that is behind knows what was before."""

    decided: dict[bytes, tuple[float, Found]] = field(default_factory=dict)
    order: dict[str, list[bytes]] = field(default_factory=dict)
    books: dict[tuple[str, bytes], tuple[float, Recorded]] = field(default_factory=dict)
    totals: dict[str, list[int]] = field(default_factory=dict)


class SimulatedChain:
    """A `SettlementPort`, and a `SignerPort` of the approvers' keys."""

    name = NAME
    accounts = ("submitter",)
    expires_seconds = 60
    in_flight_max = 5

    def __init__(
        self,
        world: "World",
        chance: random.Random,
        weather: ChainWeather,
        corridors: Sequence[str],
        threshold: int,
    ) -> None:
        self._world = world
        self._chance = chance
        self._weather = weather
        self._threshold = threshold
        self.truth = Truth(totals={name: [POOL_MINOR, POOL_MINOR] for name in corridors})
        self._waiting: dict[tuple[str, int], Waiting] = {}
        self._forks: dict[bytes, float] = {}
        self._halted_until = 0.0
        self._paused_until = 0.0
        self._ahead = chance.randint(-300, 300)
        self.on_done: Callable[[Settlement], None] = lambda done: None

    def begin(self) -> None:
        """It is halted, and paused, now and then."""
        for per_hour, strike in (
            (self._weather.halted_per_hour, self._halt),
            (self._weather.paused_per_hour, self._pause),
        ):
            for _ in range(int(per_hour * self._world.span / 3600) + (per_hour > 0)):
                self._world.loop.outside(self._chance.random() * self._world.span, strike)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self._weather.calm()
        self._forks.clear()
        self._halted_until = self._paused_until = 0.0

    def _halt(self) -> None:
        self._halted_until = self._now + self._chance.choice((60.0, 600.0, 9000.0))
        self._world.happened["chain halted"] += 1

    def _pause(self) -> None:
        self._paused_until = self._now + self._chance.choice((60.0, 600.0, 9000.0))
        self._world.happened["chain paused"] += 1

    # Pure.

    def terms_hash(self, terms: SettlementTerms) -> bytes:
        return hashlib.sha3_256(b"terms" + msgspec.json.encode(terms)).digest()

    def account_for(self, instruction: Instruction) -> str:
        return "submitter"

    def dispute_id(self, opening: object) -> bytes:
        raise NotImplementedError("no disputes here")

    # Keys of ours.

    async def public_key(self, name: str) -> bytes:
        return hashlib.sha256(name.encode()).digest()

    async def sign(self, name: str, message: bytes) -> bytes:
        await asyncio.sleep(self._chance.random() * 0.1)
        if self._chance.random() < self._weather.signer_away:
            self._world.happened["signer away"] += 1
            raise Unreachable("keys", "nobody answers")
        return _word(name, message)

    async def is_approved_by(self, terms: SettlementTerms, approval: Approval) -> bool:
        return approval.signature == _word(f"key {approval.index}", self.terms_hash(terms))

    # Asking.

    @property
    def _now(self) -> float:
        return self._world.loop.time()

    @property
    def seconds(self) -> int:
        """The chain's own clock, in epoch seconds."""
        return int(START + self._now) + self._ahead

    async def _answer(self) -> float:
        """Up to when the node that answers has come, in seconds of the loop."""
        await asyncio.sleep(self._chance.random() * 0.2)
        if self._chance.random() < self._weather.away:
            kind = self._chance.choice((Unreachable, OutcomeUnknown, Throttled))
            raise kind(NAME, "nobody answers")
        self._carry_out()
        if self._chance.random() < self._weather.behind:
            self._world.happened["node behind"] += 1
            return self._now - self._chance.choice((2.0, 30.0, 600.0))
        return self._now

    async def position(self) -> Position:
        seen = await self._answer()
        return Position(4, 1, int(START + seen) + self._ahead)

    async def next_sequence_number(self, account: str) -> int:
        seen = await self._answer()
        return len(self._seen_order(account, seen))

    def _seen_order(self, account: str, seen: float) -> list[bytes]:
        done = self.truth.order.get(account, [])
        return [hash_ for hash_ in done if self.truth.decided[hash_][0] <= seen]

    async def estimate(self, instruction: Instruction) -> int | Refusal:
        await self._answer()
        assert isinstance(instruction, Settlement)
        return self._refusal(instruction) or 1000

    async def find(self, prepared: Prepared) -> Found:
        seen = await self._answer()
        at, found = self.truth.decided.get(prepared.hash, (inf, Found(Standing.UNKNOWN)))
        if at <= seen:
            return found
        if self._now < self._forks.get(prepared.hash, 0.0):
            return Found(Standing.DONE, 1, 7)
        place = prepared.slot.account, prepared.slot.sequence_number
        waits = self._waiting.get(place)
        if waits is not None and waits.prepared == prepared and seen == self._now:
            if self._chance.random() < self._weather.forked:
                self._fork(prepared)
            return Found(Standing.WAITING)
        # By its own clock, which is that of as far as it has come.
        is_past = int(START + seen) + self._ahead >= prepared.slot.expires_at
        return Found(Standing.GONE if is_past else Standing.UNKNOWN)

    def _fork(self, prepared: Prepared) -> None:
        """Said to be done. In truth it is lost, or it is done later after all."""
        if self._chance.random() < 0.7:
            del self._waiting[prepared.slot.account, prepared.slot.sequence_number]
            self._world.happened["chain forked from"] += 1
        self._forks[prepared.hash] = self._now + self._chance.choice((10.0, 600.0, 20000.0))
        self._world.happened["chain forked"] += 1

    async def carried_out(self, account: str, *, first: int) -> Sequence[tuple[bytes, Found]]:
        seen = await self._answer()
        if self._chance.random() < self._weather.away:
            raise Rejected(NAME, "pruned", code="version_pruned", reason=Reason.OTHER)
        hashes = self._seen_order(account, seen)[first : first + 100]
        return [(hash_, self.truth.decided[hash_][1]) for hash_ in hashes]

    async def wait(self, prepared: Prepared, *, seconds: float) -> Found:
        await asyncio.sleep(self._chance.random() * seconds)
        return await self.find(prepared)

    async def recorded(self, corridor: str, batch_id: bytes) -> Recorded | None:
        seen = await self._answer()
        at, recorded = self.truth.books.get((corridor, batch_id), (inf, None))
        return recorded if at <= seen else None

    async def asset_decimals(self, corridor: str) -> int:
        await self._answer()
        return 6

    async def pools(self, corridor: str) -> tuple[PoolStanding, ...]:
        await self._answer()
        return tuple(PoolStanding(total, 0) for total in self.truth.totals[corridor])

    async def fee_reserve(self) -> int:
        return 10**9

    async def aclose(self) -> None:
        """Nothing is open."""

    # Sending.

    async def prepare(self, instruction: Instruction, slot: Slot, *, units_max: int) -> Prepared:
        await self.sign("submitter", b"")
        body = msgspec.json.encode([msgspec.json.encode(instruction).decode(), slot])
        return Prepared(slot, hashlib.sha3_256(body).digest(), body, units_max)

    async def prepare_nothing(self, slot: Slot) -> Prepared:
        await self.sign("submitter", b"")
        body = msgspec.json.encode(["", slot])
        return Prepared(slot, hashlib.sha3_256(body).digest(), body, 1)

    async def send(self, prepared: Prepared) -> None:
        drawn = self._chance.random()
        fate = ""
        for name in ("lost", "dropped", "forgotten", "away"):
            if (drawn := drawn - getattr(self._weather, name)) < 0:
                fate = name
                break
        if fate:
            self._world.happened[f"chain {fate}"] += 1
        if fate == "away":
            raise Unreachable(NAME, "no route")
        await self._world.loop.remote(
            self._chance.random() * 0.3, lambda: self._take(prepared, fate), 0.1
        )
        if fate in ("lost", "dropped"):
            raise OutcomeUnknown(NAME, "no answer")

    def _take(self, prepared: Prepared, fate: str) -> None:
        if fate in ("dropped", "forgotten"):
            return
        self._carry_out()
        account, number = prepared.slot.account, prepared.slot.sequence_number
        if prepared.hash in self.truth.decided:
            return
        if number < len(self.truth.order.get(account, [])):
            raise Rejected(NAME, "old", code="SEQUENCE_NUMBER_TOO_OLD", reason=Reason.OTHER)
        if prepared.slot.expires_at <= self.seconds:
            raise Rejected(NAME, "late", code="TRANSACTION_EXPIRED", reason=Reason.OTHER)
        known = self._waiting.get((account, number))
        if known is not None and known.prepared != prepared:
            raise Rejected(NAME, "other", code="invalid_update", reason=Reason.OTHER)
        if known is None:
            is_slow = self._chance.random() < self._weather.slow
            wait = self._chance.uniform(20.0, 80.0) if is_slow else self._chance.random() * 3
            self._waiting[account, number] = Waiting(prepared, self._now + wait)
            self._world.loop.outside(wait + 0.001, self._carry_out)

    # What the chain does.

    def _carry_out(self) -> None:
        """What stands next in its account's order, in time; what is past never happens."""
        if self._now < self._halted_until:
            return
        for place, waits in list(self._waiting.items()):
            if waits.prepared.slot.expires_at <= self.seconds:
                del self._waiting[place]
        for account in self.accounts:
            while True:
                number = len(self.truth.order.setdefault(account, []))
                waits_ = self._waiting.get((account, number))
                if waits_ is None or waits_.ready_at > self._now:
                    break
                del self._waiting[account, number]
                self._decide(account, waits_.prepared)

    def _decide(self, account: str, prepared: Prepared) -> None:
        done = _read(prepared)
        refusal = self._refusal(done) if done is not None else None
        if done is not None and refusal is None:
            self._settle(done)
        standing = Standing.REFUSED if refusal else Standing.DONE
        found = Found(standing, len(self.truth.decided), 7, refusal)
        self.truth.decided[prepared.hash] = self._now, found
        self.truth.order[account].append(prepared.hash)
        self._world.trace("chain", standing, prepared.slot.sequence_number, refusal)

    def _settle(self, done: Settlement) -> None:
        terms = done.terms
        for place, (debit, credit) in enumerate(zip(terms.debits, terms.credits, strict=True)):
            self.truth.totals[terms.corridor][place] += credit - debit
        self.truth.books[terms.corridor, terms.batch_id] = self._now, Recorded(
            self.terms_hash(terms), terms.merkle_root, terms.payment_count, terms.debits,
            terms.credits, self.seconds,
        )  # fmt: skip
        self._world.happened["chain settled"] += 1
        self.on_done(done)

    def _refusal(self, settlement: Settlement) -> Refusal | None:
        terms = settlement.terms
        if self._now < self._paused_until:
            return Refusal.PAUSED
        if (terms.corridor, terms.batch_id) in self.truth.books:
            return Refusal.DONE_BEFORE
        told = self.terms_hash(terms)
        good = {
            a.index for a in settlement.approvals if a.signature == _word(f"key {a.index}", told)
        }
        if terms.expires_at <= self.seconds or len(good) < self._threshold:
            return Refusal.APPROVALS
        totals = self.truth.totals[terms.corridor]
        if any(debit > total for debit, total in zip(terms.debits, totals, strict=True)):
            return Refusal.SHORT
        return None


def _word(key: str, message: bytes) -> bytes:
    return hashlib.sha512(key.encode() + message).digest()


def _read(prepared: Prepared) -> Settlement | None:
    told: list[Any] = msgspec.json.decode(prepared.body)
    return msgspec.json.decode(told[0], type=Settlement) if told[0] else None
