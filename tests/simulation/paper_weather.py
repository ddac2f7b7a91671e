"""How statements go wrong: one set of odds a world, of a stream of its own.

Beside `weather.py`, so that the worlds without statements keep their draws.
"""

import random
from dataclasses import dataclass, fields


@dataclass
class PaperWeather:
    """Odds are chances per line, or per file or day where the name begins with that."""

    unnamed: float = 0.15  # goes by a name that nobody here knows, or by none
    listed_next_day: float = 0.06
    listed_both_days: float = 0.04
    left_out_at_first: float = 0.06
    line_doubled: float = 0.05
    wrong_amount: float = 0.02  # until the day's last file
    wrong_number: float = 0.02
    stranger_pays: float = 0.3  # a day
    file_early: float = 0.15  # before the day is over
    file_late: float = 0.2  # by up to three days
    file_twice: float = 0.1
    slow_news: float = (
        0.35  # a world: answers are lost, callbacks come late, nobody looks at portals
    )

    def stir(self, chance: random.Random) -> None:
        """Make this world's own: some faults absent, some many times as likely."""
        for odds in fields(self):
            scale = chance.choice((0.0, 0.3, 1.0, 1.0, 3.0, 5.0))
            setattr(self, odds.name, min(getattr(self, odds.name) * scale, 0.9))
