"""How long one exchange with a provider may take. It knows nothing of how it is carried."""

from typing import Final, NamedTuple


class Timeouts(NamedTuple):
    """Bounds of one exchange. `read_seconds` covers the whole answer."""

    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    pool_seconds: float = 5.0


DEFAULT_TIMEOUTS: Final = Timeouts()
