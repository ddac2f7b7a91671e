"""Deliveries carried out: claimed, written, signed, sent, and how it went written down.

Many at once, few for each target, and one for a target that does not answer: a slow one holds up
nobody else.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from engine.clock import Clock
from engine.correlation import speaking_of
from engine.errors import OutcomeUnknown, Unreachable
from engine.hooks.body import write_body
from engine.hooks.queue import Claim, HookQueue, Try
from engine.hooks.schedule import USUAL, HookTry, next_try_ms
from engine.hooks.secret import SecretKeys
from engine.hooks.signing import sign
from engine.hooks.store import HookStore
from engine.hooks.subscription import HookId
from engine.ports import HookAnswer, HookMessage, HookPort
from engine.tasks import Tasks

log = logging.getLogger(__name__)

AT_ONCE: Final = 4
"""Deliveries to one target under way at the same time, of one process."""
AT_ONCE_IN_ALL: Final = 200
TRY_SECONDS_MAX: Final = 30.0
"""Half a lease: whatever a carrier does, nobody else begins the same meanwhile."""
GONE: Final = 410


class Courier:
    """Sends for one tenant. Any number of them may run beside each other."""

    def __init__(
        self,
        *,
        queue: HookQueue,
        store: HookStore,
        keys: SecretKeys,
        port: HookPort,
        clock: Clock,
        draw: Callable[[], float],
        note: Callable[[HookTry], None],
    ) -> None:
        """`draw` gives a number from 0 up to 1: tries of several processes spread by it.

        `note` hears what came of each try.
        """
        self._queue = queue
        self._store = store
        self._keys = keys
        self._port = port
        self._clock = clock
        self._draw = draw
        self._note = note
        self._tasks = Tasks(failed="a delivery failed; it comes again when its lease has ended")
        self._under_way: Counter[HookId] = Counter()

    async def sweep(self) -> int:
        """Set off whatever is due and has room; how many runs. Never waits for a target."""
        begun = 0
        for waiting in await self._queue.waiting(self._now_ms(), AT_ONCE):
            most = 1 if waiting.failing else AT_ONCE
            room = min(most - self._under_way[waiting.subscription], waiting.due)
            for _ in range(room):
                if self._under_way.total() >= AT_ONCE_IN_ALL or self._tasks.is_stopping:
                    return begun
                self._under_way[waiting.subscription] += 1
                self._tasks.start(self._run(waiting.subscription))
                begun += 1
        return begun

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self._tasks.idle()

    async def stop(self) -> None:
        """Let tries under way finish; begin none."""
        await self._tasks.stop()

    async def _run(self, id: HookId) -> None:
        """One delivery after the other, until nothing is due or one fails."""
        try:
            while not self._tasks.is_stopping:
                claim = await self._queue.claim(id, self._now_ms(), USUAL)
                if claim is None or not await self._carry(claim):
                    return
        finally:
            self._under_way[id] -= 1
            if not self._under_way[id]:
                del self._under_way[id]

    async def _carry(self, claim: Claim) -> bool:
        """One try, and its end written down; whether it was heard. Nothing leaves for whoever was
        removed since it was claimed: what waited is dropped already.
        """
        with speaking_of(payment=claim.happened.payment_id, event=claim.happened.event):
            message = await self._write(claim)
            if message is None:
                log.info("subscription %s is gone: nothing is sent", claim.subscription)
                return False
            started = asyncio.get_running_loop().time()
            answer, failure = await self._try(message)
            elapsed_ms = int((asyncio.get_running_loop().time() - started) * 1000)
            status = answer.status if answer else None
            tried = Try(self._now_ms(), elapsed_ms, status, failure)
            if answer is not None and 200 <= answer.status < 300:
                await self._queue.delivered(claim, tried)
                self._note(HookTry.DELIVERED)
                return True
            await self._put_off(claim, tried, answer)
            return False

    async def _try(self, message: HookMessage) -> tuple[HookAnswer | None, str]:
        """The answer, or why there is none."""
        try:
            async with asyncio.timeout(TRY_SECONDS_MAX):
                return await self._port.deliver(message), ""
        except (Unreachable, OutcomeUnknown) as error:
            return None, error.code or type(error).__name__
        except TimeoutError:
            return None, "TimeoutError"

    async def _write(self, claim: Claim) -> HookMessage | None:
        """Signed anew for every try: a receiver refuses what was signed long ago. None where
        nothing signs: its subscription is removed.
        """
        now_ms = self._now_ms()
        happened = claim.happened
        body = write_body(happened, whole_numbers=claim.whole_numbers)
        kept = await self._store.secrets(claim.subscription, now_ms)
        if not kept:
            return None
        secrets = [self._keys.open(secret.sealed, secret.place) for secret in kept]
        at_seconds = now_ms // 1000
        return HookMessage(
            claim.url, happened.event, at_seconds,
            sign(secrets, happened.event, at_seconds, body), body,
        )  # fmt: skip

    async def _put_off(self, claim: Claim, tried: Try, answer: HookAnswer | None) -> None:
        asked = answer.retry_after_seconds if answer else None
        next_ms = next_try_ms(
            USUAL, begun_ms=claim.begun_ms, now_ms=tried.at_ms, drawn=self._draw(),
            asked_seconds=asked or 0.0,
        )  # fmt: skip
        log.warning(
            "%s for subscription %s: %s, %s", claim.happened.kind, claim.subscription,
            tried.failure or tried.status,
            "parked" if next_ms is None else f"again in {(next_ms - tried.at_ms) // 1000} s",
        )  # fmt: skip
        why = await self._queue.failed(claim, tried, next_ms, USUAL, is_gone=tried.status == GONE)
        self._note(HookTry.PARKED if next_ms is None else HookTry.AGAIN)
        if why:
            log.error("subscription %s is paused: %s", claim.subscription, why)

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)
