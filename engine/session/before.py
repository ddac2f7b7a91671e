"""The session that a phone had before this one, and what of it the next dial is told."""

from engine.clock import Clock
from engine.msisdn import Msisdn
from engine.session.editions import Edition
from engine.session.session import KEPT_SECONDS, Session, unpack, unread
from engine.session.store import Records

LATE_SECONDS_MAX = 60
"""So long after a payment that was late a dial is told to wait for its SMS."""


class SessionBefore:
    """Reads only. `kept` is always a session that `of` gave."""

    def __init__(self, store: Records, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def of(self, msisdn: Msisdn) -> Session | None:
        """The phone's last session, when it left something the caller should be told of.

        Raises StoreDown.
        """
        record = await self._store.last(msisdn)
        if record is None:
            return None
        kept = unpack(record)
        if kept is None:  # perhaps of a payment: the books know
            return unread(msisdn, int(self._clock.epoch()) - KEPT_SECONDS)
        return None if self._age(kept) > kept.useful_seconds else kept

    def may_be_resumed(self, kept: Session) -> bool:
        """Whether its screen is kept so long."""
        return self._age(kept) <= kept.keep_seconds

    def is_unsettled(self, edition: Edition, kept: Session, session: Session) -> bool:
        """Whether a payment that was late may yet be taken on: the books do not know of it so far.

        Whoever is shown the menu as if nothing was pays a second time.
        """
        if kept.quote is None or kept.customer_id != session.customer_id:
            return False
        if session.summary is not None or not self.was_late_just_now(kept):
            return False
        screen = edition.menu.screens.get(kept.screen)
        return screen is not None and (screen.sensitive or screen.kind == "confirm")

    def was_late_just_now(self, kept: Session) -> bool:
        """Whether its last turn was answered before its work had ended, a moment ago."""
        return kept.was_late and self._age(kept) <= LATE_SECONDS_MAX

    def _age(self, session: Session) -> float:
        """Seconds since its last turn."""
        return self._clock.epoch() - session.at
