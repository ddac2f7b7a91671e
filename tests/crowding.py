"""How many programs want each processor of this machine: so much longer may whatever must start and
answer take.
"""

import os

MOST = 10.0


def crowding() -> float:
    """In the mean of the last minute; 1 where everybody has one, never more than `MOST`."""
    return min(max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0), MOST)
