"""What each network allows a session: screen budget, alphabet, patience, deadline. Data only."""

from pathlib import Path
from typing import Literal

import msgspec

from engine.menu.documents import read_document, shaped
from engine.septets import USSD_SEPTETS_MAX

DEADLINE_SECONDS_MIN, DEADLINE_SECONDS_MAX = 2.0, 9.0
"""A gateway gives up after 10 s, and our own way to it takes time as well. Below the minimum
nothing would be left for the rooms that are asked."""
SMS_SEPTETS_MAX = 612
"""Four messages: more than that nobody reads, and everybody pays."""


class BrokenNetworks(ValueError):
    """`networks.yaml` cannot be used; the message names each fault with its line."""


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `networks.yaml`. `encoding` is the widest alphabet the network carries."""

    name: str
    budget_septets: int = 160
    idle_seconds: int = 60
    session_seconds: int = 180
    deadline_seconds: float = 8.0
    encoding: Literal["gsm7", "ucs2"] = "ucs2"
    channel: Literal["ussd", "sms"] = "ussd"

    @property
    def asks_secrets(self) -> bool:
        """Whether a PIN may be typed here. An SMS stays readable on the phone and on its way."""
        return self.channel == "ussd"


class WrittenNetworks(msgspec.Struct, forbid_unknown_fields=True):
    """How `networks.yaml` is written."""

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
        faults: list[str] = []
        document = read_document(path, faults.append)
        file = document and shaped(document, document.values, WrittenNetworks, faults.append)
        if document and file:
            rows: list[tuple[tuple[str, ...], Network]] = [(("default",), file.default)]
            rows += [(("networks", code), network) for code, network in file.networks.items()]
            faults += [
                f"{document.at(*place)}: {network.name}: {fault} out of range"
                for place, network in rows
                if (fault := _fault(network))
            ]
        if faults or not file:
            raise BrokenNetworks("\n".join(faults))
        return cls(file.default, file.networks)

    def of(self, code: str) -> Network:
        return self._listed.get(code, self._default)

    @property
    def all(self) -> tuple[Network, ...]:
        """Every profile a screen may be shown by, the default first."""
        return (self._default, *self._listed.values())


def _fault(network: Network) -> str | None:
    most = SMS_SEPTETS_MAX if network.channel == "sms" else USSD_SEPTETS_MAX
    if not 40 <= network.budget_septets <= most:
        return "budget_septets"
    if not DEADLINE_SECONDS_MIN <= network.deadline_seconds <= DEADLINE_SECONDS_MAX:
        return "deadline_seconds"
    if network.idle_seconds < 1:
        return "idle_seconds"
    return None if network.session_seconds >= network.idle_seconds else "session_seconds"
