"""How fast one company may be called: a token bucket by the caller's clock. Pure.

It counts for one process: a limit shared by several is divided between them by whoever sets it.
"""


class Pace:
    """`per_second` calls on average, and as many as make one second in one go."""

    def __init__(self, per_second: float) -> None:
        """Raises ValueError for a pace at which nothing is ever called."""
        if per_second <= 0:
            raise ValueError("calls per second must be above zero")
        self._interval = 1 / per_second
        self._burst = max(1.0, per_second) * self._interval
        self._full_at = float("-inf")  # when the bucket would be full again

    def wait(self, now: float) -> float:
        """Seconds until a call may go; asking changes nothing."""
        return max(0.0, self._full_at + self._interval - self._burst - now)

    def take(self, now: float) -> float:
        """The same, and the place in the row is taken: whoever takes one uses it, or loses it."""
        wait = self.wait(now)
        self._full_at = max(self._full_at, now) + self._interval
        return wait
