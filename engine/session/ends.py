"""Sessions that a gateway says are over: counted by where they were left, and gone on in by nobody.

What a session had got to stays for the next dial.
"""

import logging

from engine.clock import Clock
from engine.outages import nameable
from engine.ports import EndReason, SessionEnd
from engine.session.drops import NO_SCREEN, Drops
from engine.session.session import TTL_GRACE_SECONDS, head_of, pack, unpack
from engine.session.store import Pointer, Records, StoreDown

_log = logging.getLogger(__name__)


class SessionEnds:
    """A notice that comes late or twice counts once more and changes nothing else."""

    def __init__(self, store: Records, drops: Drops, clock: Clock) -> None:
        self._store = store
        self._drops = drops
        self._clock = clock

    async def note(self, end: SessionEnd) -> None:
        """Raises nothing but a cancellation."""
        try:
            screen, reason = await self._close(end)
            await self._drops.count(self._clock.now().date(), end.network, screen, reason)
        except StoreDown as error:
            _log.warning("an end was not counted: %s", nameable(error.__cause__ or error))

    async def _close(self, end: SessionEnd) -> tuple[str, EndReason]:
        """Which screen a session ended on, and why. Raises StoreDown."""
        if end.msisdn is None or not end.session_id:
            return NO_SCREEN, end.reason
        record = await self._store.load(end.msisdn, end.session_id)
        session = None if record is None else unpack(record)
        if record is None or session is None:
            return NO_SCREEN, end.reason
        if session.ended:  # by our own last screen, whatever the gateway calls it
            return session.screen, EndReason.COMPLETED
        if not session.dropped:
            session.dropped = True
            session.step += 1
            await self._store.save(
                end.msisdn,
                end.session_id,
                expected=head_of(record),
                record=pack(session),
                ttl_seconds=max(TTL_GRACE_SECONDS, session.useful_seconds),
                pointer=Pointer.PROLONG,
            )
        return session.screen, end.reason
