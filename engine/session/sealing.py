"""Seals of what lies in Redis between two turns or messages: who can write there cannot write that.

A record says who calls, whom they pay and at what price, and the PIN that follows agrees to it. So
it is closed by a keyed MAC over the key it lies under: a changed record, or one that was moved to
another phone, session or tenant, is none. An older record of the same place is not told from the
newest by this.
"""

import hashlib
import hmac
import logging
from collections.abc import Callable, Sequence

MAC_BYTES = 16
_KIND = b"record"

_log = logging.getLogger(__name__)


def unheard(kind: str) -> None:
    """For whoever does not count."""


class Macs:
    """Keyed MACs (BLAKE2b) of one kind. The first key makes them, all are known."""

    def __init__(self, keys: Sequence[bytes], kind: bytes) -> None:
        """`kind`: a MAC of one never passes for one of another. Raises ValueError for a key of more
        than 64 bytes.
        """
        # Keyed once: a copy costs a third of mixing the key in again.
        self._keyed = [hashlib.blake2b(digest_size=MAC_BYTES, key=key, person=kind) for key in keys]

    def of(self, said: bytes) -> bytes:
        mac = self._keyed[0].copy()
        mac.update(said)
        return mac.digest()

    def match(self, said: bytes, told: bytes) -> bool:
        for keyed in self._keyed:
            mac = keyed.copy()
            mac.update(said)
            if hmac.compare_digest(mac.digest(), told):
                return True
        return False


class RecordSeal:
    """Closes and opens records. Every process of an installation has the same keys."""

    def __init__(self, keys: Sequence[bytes], refused: Callable[[str], None] = unheard) -> None:
        """The first of `keys` closes, all open: 16 to 64 bytes each, at least one.

        `refused` is told of each record that is none, by its kind: `session` or `sms`.
        """
        self._refused = refused
        self._macs = Macs(keys, _KIND)

    def __repr__(self) -> str:
        return "RecordSeal(...)"

    def close(self, place: str, record: bytes) -> bytes:
        """The record with its MAC behind; `place` is the key it will lie under. Always the same."""
        return record + self._macs.of(_said(place, record))

    def open(self, place: str, closed: bytes) -> bytes | None:
        """What was closed for this place; None for anything else, which the log then says."""
        record, told = closed[:-MAC_BYTES], closed[-MAC_BYTES:]
        if self._macs.match(_said(place, record), told):
            return record
        kind = place.split(":", 2)[1]
        _log.warning("a record of kind %s had a wrong seal and is taken for lost", kind)
        self._refused(kind)
        return None


def _said(place: str, record: bytes) -> bytes:
    """The length first, so that no end of a place passes for the beginning of a record."""
    told = place.encode("utf-8", "surrogatepass")
    return b"%d:%b%b" % (len(told), told, record)
