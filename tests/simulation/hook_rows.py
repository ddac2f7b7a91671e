"""The tables of webhooks in the model: subscriptions, events and deliveries. Rows only."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from engine.hooks.store import KeptSecret

WAITING, DELIVERED, PARKED, DROPPED = 1, 2, 3, 4


@dataclass
class HookRow:
    """A subscription. `client` None: staff's, which hears of every payment.

    `kept_before`: what was kept before it was there, by payment and sequence: of that it hears
    nothing, whatever the clocks say.
    """

    client: str | None
    url: str
    whole_numbers: bool
    made_ms: int
    kept_before: frozenset[tuple[str, int]] = frozenset()
    state: str = "active"
    why: str = ""
    failing_since_ms: int | None = None


class EventRow(NamedTuple):
    """A step of a payment that somebody is told of. `terms`: the version that holds its terms."""

    payment: str
    sequence: int
    client: str | None
    kind: str
    state: int
    terms: int
    at_ms: int


@dataclass
class DeliveryRow:
    """An event on its way to a subscription."""

    payment: str
    sequence: int
    begun_ms: int
    due_ms: int | None
    state: int = WAITING
    attempts: int = 0


@dataclass
class HookRows:
    """Of one tenant; deliveries by subscription, then by event. `look`: looked, and looked far."""

    subscriptions: dict[str, HookRow] = field(default_factory=dict)
    secrets: dict[str, list[KeptSecret]] = field(default_factory=dict)
    events: dict[str, EventRow] = field(default_factory=dict)
    steps: dict[tuple[str, int], str] = field(default_factory=dict)  # by payment and sequence
    deliveries: dict[str, dict[str, DeliveryRow]] = field(default_factory=dict)
    look: tuple[int, int] | None = None

    def copy(self) -> "HookRows":
        """The rows as they stand; none of them is shared."""
        return HookRows(
            {id_: replace(row) for id_, row in self.subscriptions.items()},
            {id_: list(kept) for id_, kept in self.secrets.items()},
            dict(self.events),
            dict(self.steps),
            {
                id_: {event: replace(row) for event, row in rows.items()}
                for id_, rows in self.deliveries.items()
            },
            self.look,
        )

    def waiting(self, subscription: str) -> list[DeliveryRow]:
        """What is still to be told to one."""
        rows = self.deliveries.get(subscription, {}).values()
        return [row for row in rows if row.state == WAITING]
