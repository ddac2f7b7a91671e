"""What began before a restore of the database: what it came to may be lost with what that forgot.

Why nobody can know it from the books: `migrations/decisions/0005`. It knows no payment.
"""

from typing import Final

from engine.clock import epoch_of


class Restored:
    """When the database was last restored; `at` in epoch seconds, 0.0 for never."""

    def __init__(self, at: float) -> None:
        self.at = at

    def forgot(self, made: str) -> bool:
        """Whether what bears this id began before, and may have gone on unknown to these books."""
        return epoch_of(made) < self.at


NEVER: Final = Restored(0.0)
