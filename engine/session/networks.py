"""What each mobile network allows a session: screen budget, patience, deadline. Data only."""

from pathlib import Path

import msgspec
import yaml

from engine.septets import USSD_SEPTETS_MAX

DEADLINE_SECONDS_MIN, DEADLINE_SECONDS_MAX = 2.0, 9.0
"""A gateway gives up after 10 s, and our own way to it takes time as well. Below the minimum
nothing would be left for the rooms that are asked."""


class BrokenNetworks(ValueError):
    """`networks.yaml` cannot be used; the message says where."""


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `networks.yaml`."""

    name: str
    budget_septets: int = 160
    idle_seconds: int = 60
    deadline_seconds: float = 8.0


class _File(msgspec.Struct, forbid_unknown_fields=True):
    default: Network
    networks: dict[str, Network]


class Networks:
    """Networks by the code a gateway gives. A code nobody listed gets the default."""

    def __init__(self, default: Network, listed: dict[str, Network]) -> None:
        self._default = default
        self._listed = listed

    @classmethod
    def load(cls, path: Path) -> "Networks":
        """Raises BrokenNetworks."""
        try:
            file = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), _File)
        except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
            raise BrokenNetworks(f"{path.name}: {error}") from error
        for network in (file.default, *file.networks.values()):
            if not 40 <= network.budget_septets <= USSD_SEPTETS_MAX:
                raise BrokenNetworks(f"{path.name}: {network.name}: budget_septets out of range")
            if not DEADLINE_SECONDS_MIN <= network.deadline_seconds <= DEADLINE_SECONDS_MAX:
                raise BrokenNetworks(f"{path.name}: {network.name}: deadline_seconds out of range")
            if network.idle_seconds < 1:
                raise BrokenNetworks(f"{path.name}: {network.name}: idle_seconds out of range")
        return cls(file.default, file.networks)

    def of(self, code: str) -> Network:
        return self._listed.get(code, self._default)

    @property
    def budget_septets_min(self) -> int:
        """What every screen must fit, whoever carries it."""
        everyone = (self._default, *self._listed.values())
        return min(network.budget_septets for network in everyone)
