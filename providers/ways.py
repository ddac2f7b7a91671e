"""What adapters share about the way an attempt began by (`decisions/0011`)."""

from engine.errors import Rejected
from engine.ports import Reason


def unknown_way(name: str) -> Rejected:
    """Of an attempt whose word other code wrote: nothing is sent by a way that is guessed."""
    return Rejected(
        name,
        "it began in a way that this program does not know",
        code="way",
        reason=Reason.CONFIGURATION,
    )
