"""A lane over a chain in memory that loses, drops, refuses and forgets: no hole, nothing twice."""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from engine.errors import OutcomeUnknown, Rejected, Throttled, Unreachable
from engine.ports import Found, Position, Prepared, Reason, Slot, Standing
from providers.aptos.answers import Transaction
from providers.aptos.sdk import shown
from providers.aptos.submitting import Carried, Lane

EXPIRES_SECONDS = 20
PATIENCE_SECONDS = 40
NOTHING = "nothing"
FAULTS = ("lost_before", "lost_after", "full", "dropped", "too_old", "duplicate")


class MemoryChain:
    """One account: numbers in order, a hundred in its mempool, an expiry by its own clock."""

    name = "memory"
    expires_seconds = EXPIRES_SECONDS
    in_flight_max = 100

    def __init__(self, seed: int = 0, *, fault_share: float = 0.0) -> None:
        self._random = random.Random(seed)
        self._fault_share = fault_share
        self.seconds = 1_000_000.0
        self.number = 5  # of the account, when the lane opens
        self.history: list[tuple[Prepared, int]] = []
        self.pool: dict[int, Prepared] = {}
        self.pool_most = 0
        self.handed_in = 0
        self.script: list[str] = []  # faults of the next hand-ins, before those by chance
        self.prepare_fails = 0
        self.asked = Counter[str]()

    # What the account does.

    def prepare(self, word: str) -> Callable[[Slot], Awaitable[Prepared]]:
        async def prepare(slot: Slot) -> Prepared:
            if self.prepare_fails:
                self.prepare_fails -= 1
                raise Unreachable("keys", "no signer")
            await asyncio.sleep(0)
            return _prepared(word, slot)

        return prepare

    async def prepare_nothing(self, slot: Slot) -> Prepared:
        return _prepared(NOTHING, slot)

    # What the chain does.

    async def position(self) -> Position:
        return Position(4, len(self.history), int(self.seconds))

    async def next_sequence_number(self, account: str) -> int:
        return self.number

    async def send(self, prepared: Prepared) -> None:
        self.handed_in += 1
        await asyncio.sleep(0)
        fault = self.script.pop(0) if self.script else self._by_chance()
        if fault == "lost_before":
            raise Unreachable("memory", "no connection")
        if fault == "full":
            raise Throttled("memory", "full", retry_after_seconds=1)
        if fault == "too_old":
            raise Rejected("memory", "no", code="SEQUENCE_NUMBER_TOO_OLD", reason=Reason.OTHER)
        if fault != "dropped":
            self._take(prepared)
        if fault == "duplicate":
            self._take(prepared)
        if fault == "lost_after":
            raise OutcomeUnknown("memory", "no answer")

    async def find(self, prepared: Prepared) -> Found:
        self.asked["find"] += 1
        self._block()
        for version, (taken, _) in enumerate(self.history):
            if taken.hash == prepared.hash:
                return Found(Standing.DONE, version, 1)
        if prepared.hash in {waiting.hash for waiting in self.pool.values()}:
            return Found(Standing.WAITING)
        late = self.seconds > prepared.slot.expires_at
        return Found(Standing.GONE if late else Standing.UNKNOWN)

    async def committed(self, account: str, *, first: int) -> tuple[list[Transaction], Position]:
        self.asked["committed"] += 1
        self._block()
        return [
            Transaction(
                "user_transaction",
                shown(prepared.hash),
                sequence_number=str(prepared.slot.sequence_number),
                success=True,
                version=str(version),
            )
            for version, (prepared, _) in enumerate(self.history)
            if prepared.slot.sequence_number >= first
        ][:100], await self.position()

    def settled(self, transaction: Transaction) -> Found:
        return Found(Standing.DONE, int(transaction.version), 1)

    def usurp(self) -> None:
        """Somebody else uses the account, against the law."""
        slot = Slot("submitter_1", self.number, int(self.seconds) + 60)
        self.pool[self.number] = _prepared("usurper", slot)
        self._block()

    def _by_chance(self) -> str:
        if self._random.random() < self._fault_share:
            return self._random.choice(FAULTS)
        return ""

    def _take(self, prepared: Prepared) -> None:
        number = prepared.slot.sequence_number
        if number < self.number:
            raise Rejected("memory", "no", code="SEQUENCE_NUMBER_TOO_OLD", reason=Reason.OTHER)
        if self.seconds > prepared.slot.expires_at:
            raise Rejected("memory", "no", code="TRANSACTION_EXPIRED", reason=Reason.OTHER)
        if number >= self.number + 100:
            raise Throttled("memory", "too many", retry_after_seconds=1)
        self.pool[number] = prepared
        self.pool_most = max(self.pool_most, len(self.pool))

    def _block(self) -> None:
        self.seconds += 0.5
        for number, waiting in list(self.pool.items()):
            if self.seconds > waiting.slot.expires_at:
                del self.pool[number]
        while (prepared := self.pool.pop(self.number, None)) is not None:
            self.history.append((prepared, self.number))
            self.number += 1

    @property
    def words(self) -> list[str]:
        return [_word(prepared) for prepared, _ in self.history]


def _prepared(word: str, slot: Slot) -> Prepared:
    body = f"{word}|{slot.sequence_number}|{slot.expires_at}".encode()
    return Prepared(slot, hashlib.sha3_256(body).digest(), body, 1)


def _word(prepared: Prepared) -> str:
    return prepared.body.decode().split("|")[0]


async def hurried(seconds: float) -> None:
    await asyncio.sleep(seconds / 2_000)


@asynccontextmanager
async def lane_of(chain: MemoryChain) -> AsyncIterator[Lane]:
    """A lane that fails rather than wait for ever. The chain's clock alone moves; ours stands."""
    lane = Lane(chain, "submitter_1", sleep=hurried, seconds=lambda: 0.0)
    async with asyncio.timeout(PATIENCE_SECONDS), lane:
        yield lane


async def carry_all(chain: MemoryChain, count: int) -> tuple[list[Carried], Lane]:
    async with lane_of(chain) as lane:
        carried = await asyncio.gather(
            *[lane.carry(chain.prepare(f"word {n}")) for n in range(count)]
        )
    return list(carried), lane


def assert_no_hole_and_nothing_twice(chain: MemoryChain, count: int) -> None:
    numbers = [number for _, number in chain.history]
    assert numbers == list(range(5, 5 + len(numbers)))
    words = Counter(word for word in chain.words if word != NOTHING)
    assert words == Counter(f"word {n}" for n in range(count))


async def test_a_thousand_are_carried_in_order_a_hundred_at_a_time() -> None:
    chain = MemoryChain()
    carried, lane = await carry_all(chain, 1_000)
    assert_no_hole_and_nothing_twice(chain, 1_000)
    assert [each.prepared.slot.sequence_number for each in carried] == list(range(5, 1_005))
    assert all(each.found.standing is Standing.DONE for each in carried)
    assert (chain.handed_in, lane.resent, lane.holes_filled) == (1_000, 0, 0)
    # The hundred were really under way at once, and asked for together.
    assert chain.pool_most == 100
    assert chain.asked["committed"] < 100
    assert chain.asked["find"] == 0


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_goes_wrong_there_is_no_hole_and_nothing_happens_twice(seed: int) -> None:
    chain = MemoryChain(seed, fault_share=0.4)
    # Its clock goes on by every question, and there are hundreds: what lives for forty of them may
    # be signed anew for ever.
    chain.expires_seconds = 120
    carried, lane = await carry_all(chain, 120)
    assert_no_hole_and_nothing_twice(chain, 120)
    assert {each.found.standing for each in carried} == {Standing.DONE}
    assert lane.resent > 0


async def test_lost_answers_are_mended_with_the_same_bytes() -> None:
    chain = MemoryChain()
    chain.script = ["lost_after", "lost_before", "full", "lost_after"]
    carried, lane = await carry_all(chain, 4)
    assert_no_hole_and_nothing_twice(chain, 4)
    assert lane.holes_filled == 0
    # As first signed: the lane opened when the chain's clock was at a million.
    assert {each.prepared.slot.expires_at for each in carried} == {1_000_000 + EXPIRES_SECONDS}


async def test_what_was_taken_in_and_forgotten_is_signed_anew_only_when_it_is_gone() -> None:
    chain = MemoryChain()
    chain.script = ["dropped"]
    carried, lane = await carry_all(chain, 20)
    assert_no_hole_and_nothing_twice(chain, 20)
    assert lane.holes_filled >= 1
    first = carried[0].prepared.slot
    assert first.sequence_number == 5
    assert first.expires_at > 1_000_000 + EXPIRES_SECONDS


async def test_a_place_that_could_not_be_signed_for_is_filled_with_nothing() -> None:
    chain = MemoryChain()
    chain.prepare_fails = 1
    async with lane_of(chain) as lane:
        results = await asyncio.gather(
            *[lane.carry(chain.prepare(f"word {n}")) for n in range(3)], return_exceptions=True
        )
    failed = [result for result in results if isinstance(result, Unreachable)]
    assert len(failed) == 1
    assert sorted(chain.words) == [NOTHING, "word 1", "word 2"]
    assert chain.number == 8


async def test_a_caller_that_gives_up_leaves_no_hole() -> None:
    chain = MemoryChain()
    async with lane_of(chain) as lane:
        impatient = asyncio.create_task(lane.carry(chain.prepare("word 0")))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        await lane.carry(chain.prepare("word 1"))
    assert impatient.cancelled()
    assert_no_hole_and_nothing_twice(chain, 2)


async def test_a_place_that_a_stranger_took_is_replaced_by_another() -> None:
    chain = MemoryChain()
    async with lane_of(chain) as lane:
        chain.usurp()
        carried = await lane.carry(chain.prepare("word 0"))
    assert chain.words == ["usurper", "word 0"]
    assert carried.prepared.slot.sequence_number == 6


async def test_nothing_is_sent_beyond_the_window_while_nothing_is_decided() -> None:
    chain = MemoryChain()
    async with lane_of(chain) as lane:
        chain.script = ["dropped"] * 1_000
        waiting = [asyncio.create_task(lane.carry(chain.prepare(f"word {n}"))) for n in range(150)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert chain.handed_in == 100
        chain.script = []
        await asyncio.gather(*waiting)
    assert_no_hole_and_nothing_twice(chain, 150)


async def test_leaving_a_lane_lets_nobody_wait_for_ever() -> None:
    chain = MemoryChain()
    chain.script = ["full"] * 10_000
    async with lane_of(chain) as lane:
        waiting = asyncio.create_task(lane.carry(chain.prepare("word 0")))
        await hurried(1)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_bug_lets_nobody_wait_for_ever() -> None:
    class Broken(MemoryChain):
        def settled(self, transaction: Transaction) -> Found:
            raise ZeroDivisionError

    chain = Broken()
    async with lane_of(chain) as lane:
        with pytest.raises(ZeroDivisionError):
            await lane.carry(chain.prepare("word 0"))
