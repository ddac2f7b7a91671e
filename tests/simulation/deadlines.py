"""When rows fall due, soonest first, however often they are put off. Knows no row but by its id."""

from collections.abc import Callable
from heapq import heappop, heappush


class Deadlines:
    """Times by id. What was put off since, or is gone, is passed over when its old time comes."""

    def __init__(self, current: Callable[[str], int | None]) -> None:
        """`current` says when a row is due as it stands; None for one that is gone."""
        self._current = current
        self._times: list[tuple[int, str]] = []

    def put(self, id_: str, when: int) -> None:
        """A row's time was written down, in epoch seconds."""
        heappush(self._times, (when, id_))

    def first(self) -> int | None:
        """The soonest time there is."""
        times = self._times
        while times:
            when, id_ = times[0]
            if self._current(id_) == when:
                return when
            heappop(times)
        return None

    def take(self, until: int, most: int) -> list[str]:
        """Ids of the first that are due by then, and their times forgotten; each once."""
        times, found = self._times, dict[str, None]()
        while times and times[0][0] <= until and len(found) < most:
            when, id_ = heappop(times)
            if self._current(id_) == when:
                found[id_] = None
        return list(found)
