"""When a silent attempt is asked about again, and when a person must look. Pure."""

import msgspec

# Seconds since the attempt began: soon at first, because most answers are lost callbacks, then
# ever more rarely; after a day the operator's statement decides, so once a day is enough.
LOOKS = (30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600)
DAY = 24 * 3600


class Schedule(msgspec.Struct, frozen=True):
    """The polling schedule of one operator; all in seconds since the attempt began."""

    looks: tuple[int, ...] = LOOKS
    unclear_after: int = 120  # silent for so long, the state says "unknown"
    escalate_after: int = DAY  # then a case is opened

    def next_look(self, age: float) -> float:
        """Seconds from now until the next question about an attempt of that age."""
        for look in self.looks:
            if look > age:
                return look - age
        return DAY
