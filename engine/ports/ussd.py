"""What a USSD gateway brings, and what it is answered."""

from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from engine.msisdn import Msisdn
from engine.ports.answers import Acknowledgement


class Turn(msgspec.Struct, frozen=True):
    """One key press as any USSD gateway may tell it.

    `text` holds what the caller typed, the PIN included: neither it nor a whole number is in the
    `repr`.
    """

    session_id: str
    msisdn: Msisdn
    network: str  # mobile country and network code ("63902"); "" when the gateway's word says none
    shortcode: str  # "*384*96#"; "" on later turns of a gateway that tells it at the dial only
    text: str  # all that was typed so far (cumulative), or the last input only
    cumulative: bool
    opens: bool = False
    """Last-input gateways say so, and `text` is then what was dialled behind the shortcode, with
    stars between ("1*500"). Cumulative ones leave it False."""
    sequence: str = ""
    """Tells a repeat (the same) from the same key again (another) where the last input alone
    cannot; "" when the gateway has nothing of the kind."""
    id_recurs: bool = False
    """The gateway has no session ids: this one is the caller's and comes again at the next dial,
    so a turn that opens begins anew whatever was there before."""
    echo: tuple[str, ...] = ()
    """What the gateway wants back in its answer; the adapter's affair alone."""

    def __repr__(self) -> str:
        return f"Turn({self.session_id!r}, {self.msisdn.masked}, {len(self.text)} characters)"


class Reply(msgspec.Struct, frozen=True):
    """One screen. `ends` closes the session."""

    text: str
    ends: bool


class EndReason(StrEnum):
    """Why a session is over, as far as a gateway tells."""

    COMPLETED = "completed"  # with our last screen
    CANCELLED = "cancelled"  # the caller let go
    TIMED_OUT = "timed_out"  # nobody typed in time
    FAILED = "failed"  # the gateway could not use our answer, or got none in time
    UNFINISHED = "unfinished"  # before our last screen, nobody says by whom
    UNKNOWN = "unknown"  # it is over, no more is said, or by a word no list knows


_DROPS = frozenset(
    {EndReason.CANCELLED, EndReason.TIMED_OUT, EndReason.FAILED, EndReason.UNFINISHED}
)


class SessionEnd(msgspec.Struct, frozen=True):
    """What a gateway tells after a session: for statistics, never for money. May come twice.

    Gateways may tell it late, of a session that ended by our own last screen too, or never.
    """

    session_id: str
    status: str  # the gateway's own word, fit to be logged
    reason: EndReason
    msisdn: Msisdn | None = None  # None when the gateway does not say whose session it was
    network: str = ""  # as in `Turn`
    hops: int | None = None  # turns, by the gateway's count
    duration_ms: int | None = None
    acknowledgement: Acknowledgement = Acknowledgement(content_type="text/plain")

    @property
    def dropped(self) -> bool:
        """Whether the gateway says that the caller did not get to our last screen."""
        return self.reason in _DROPS

    def __repr__(self) -> str:
        whose = self.msisdn.masked if self.msisdn else None
        return f"SessionEnd({self.session_id!r}, {whose}, {self.status!r}, {self.reason.value})"


class UssdPort(Protocol):
    """A USSD gateway's dialect: bytes in, a neutral turn out, and back. It keeps nothing."""

    name: str
    media_type: str  # of what it posts, without parameters, in lower case

    def read(self, body: bytes) -> Turn | SessionEnd:
        """What was posted to the address of turns; some gateways tell ends there too.

        Raises `Unreadable`, naming the field, when one is missing, doubled or senseless.
        """
        ...

    def write_reply(self, turn: Turn, reply: Reply, /) -> Acknowledgement:
        """The answer to a turn; the same for the same turn and reply."""
        ...


@runtime_checkable
class EndNotices(Protocol):
    """A gateway that tells of ends at an address of their own. Not every one: ask `isinstance`."""

    def read_end(self, body: bytes) -> SessionEnd:
        """Raises `Unreadable`."""
        ...
