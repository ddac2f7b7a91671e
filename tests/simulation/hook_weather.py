"""How businesses' endpoints answer: one set of odds a world, and none once it grows quiet."""

import random
from dataclasses import dataclass, fields


@dataclass
class HookWeather:
    """Odds are chances per message, between 0 and 1, unless the name says otherwise."""

    refused: float = 0.05  # 4xx, and nothing was done
    fails: float = 0.08  # 5xx, likewise; some say when to come again
    fails_after: float = 0.05  # 5xx although all was done
    silent: float = 0.04  # no answer, and nothing was done
    silent_after: float = 0.08  # no answer, and all was done
    slow: float = 0.1  # it answers, after many seconds
    gone: float = 0.004  # 410
    refuses_for_hours: float = 0.02  # this one message, whoever sends it
    down_per_hour: float = 0.15  # nothing gets through, for hours
    down_hours_max: float = 90.0
    away: float = 0.15  # of readings: nobody has read for a while

    def calm(self) -> None:
        """From now on every endpoint answers."""
        for odds in fields(self):
            if not odds.name.endswith("_max"):
                setattr(self, odds.name, 0.0)

    def stir(self, chance: random.Random) -> None:
        """Make this world's own weather."""
        for odds in fields(self):
            if not odds.name.endswith("_max"):
                scale = chance.choice((0.0, 1.0, 1.0, 4.0))
                setattr(self, odds.name, min(getattr(self, odds.name) * scale, 0.7))
        self.down_hours_max = chance.choice((0.1, 3.0, 90.0))
