"""What a turn is to a session: new input, a repeat, or overtaken on its way. Pure."""

from itertools import pairwise

from engine.customers.pins import has_pin_shape
from engine.ports import Turn
from engine.session.session import TEXT, Seal, Session

REPEAT_SECONDS = 10
"""A gateway that has no session ids repeats a dial within this, or it is another dial."""
SEQUENCE_DIGITS_MAX = 18
"""No counter is longer, and Python makes no number of some thousand digits."""


class Refused(Exception):
    """A turn that is answered with a sentence and leaves the session as it is."""

    def __init__(self, key: str, session: Session | None = None) -> None:
        super().__init__(key)
        self.key = key
        self.session = session


def new_input(session: Session, turn: Turn, seal: Seal) -> str | None:
    """What this turn adds to the session; None when it adds nothing and is to be repeated.

    With cumulative text the new input is what remains behind the text already answered: never
    the last piece of a split, because the customer may type `*`. A gateway that sends the last
    input only and no sequence gives no means to tell a repeat from the same key again.

    Raises Refused.
    """
    if not turn.cumulative:
        return _last_input(session, turn, seal)
    text, known = turn.text, session.text_length
    if len(text) < known:  # Older than what was answered last: overtaken on its way.
        return None
    if not seal.matches(session, TEXT, text[:known], session.text_mac):
        raise Refused("session.over", session)
    rest = text[known:]
    if not rest:
        return None
    if session.ended or session.dropped or (known and rest[0] != "*"):
        raise Refused("session.over", session)
    return rest.removeprefix("*")


def is_another_dial(session: Session, turn: Turn, now: float) -> bool:
    """Whether a dial comes under the id of a session that is over, as a gateway reuses one.

    Right after our own last screen it is rather that session's dial, late: one that is over may
    still be asked for its last reply again. Where turns are told apart a dial is always itself.
    """
    dials = not turn.text if turn.cumulative else turn.opens and not turn.sequence
    if not dials:
        return False
    return session.dropped or (session.ended and now - session.at > REPEAT_SECONDS)


def is_repeated_dial(session: Session | None, now: float) -> bool:
    """Whether a dial under an id that comes again is the last one delivered twice."""
    if session is None or session.step != 1:
        return False
    return now - session.at <= REPEAT_SECONDS


def dialled_inputs(turn: Turn) -> list[str]:
    """Nothing was answered yet, so here every star does separate two inputs."""
    return turn.text.split("*") if turn.text and (turn.cumulative or turn.opens) else []


def chose_a_pin(dialled: list[str]) -> bool:
    """Whether it is the text of a lost session in which a PIN was typed twice alike.

    Behind a link it stands where the link's next input would: read as an amount it would be shown.
    """
    return any(first == again and has_pin_shape(first) for first, again in pairwise(dialled))


def _last_input(session: Session, turn: Turn, seal: Seal) -> str | None:
    if turn.sequence and _is_not_after(turn.sequence, session):
        return None
    if turn.opens and session.step == 1:
        return None
    if (
        session.ended
        and not turn.opens
        and seal.matches(session, TEXT, turn.text, session.text_mac)
    ):
        return None
    if turn.opens or session.ended or session.dropped:
        raise Refused("session.over", session)
    return turn.text


def _is_not_after(sequence: str, session: Session) -> bool:
    """The same turn again, or one that was overtaken on its way, where turns are told apart."""
    last = session.sequence
    countable = max(len(sequence), len(last)) <= SEQUENCE_DIGITS_MAX
    if countable and sequence.isdecimal() and last.isdecimal():
        return int(sequence) <= int(last)
    return sequence == last or session.had(sequence)
