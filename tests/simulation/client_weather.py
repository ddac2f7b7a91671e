"""What befalls businesses and the processes that answer them: one set of odds a world."""

import random
from dataclasses import dataclass


@dataclass
class ClientWeather:
    """Odds are chances per occasion, between 0 and 1, unless the name says otherwise."""

    stuck_per_hour: float = 2.0  # some processes store nothing, while everybody can read
    stuck_seconds_max: float = 60.0
    hurried: float = 0.5  # a client waits less long than an answer may take
    sets_aside: float = 0.5  # an order draws on liquidity that its client set aside for it
    quoted: float = 0.6  # an order names a price
    lingers: float = 0.5  # it is sent about when that is over
    stale: float = 0.1  # of ten minutes: nobody says what a currency is worth
    moves_most: float = 0.1  # how far a rate is from its mean, as a part of that

    def stir(self, chance: random.Random) -> None:
        """Make this world's own weather."""
        self.stuck_per_hour *= chance.choice((0.0, 1.0, 5.0, 20.0))
        self.hurried = chance.choice((0.0, 0.5, 1.0))
        self.stale = chance.choice((0.0, 0.1, 0.4))
