"""Subscriptions, deliveries and events as businesses and staff see them. Values, no I/O."""

from datetime import datetime
from typing import Literal, NewType

import msgspec

from engine.hooks.events import EventKind

HookId = NewType("HookId", str)
"""32 hex digits, a UUID version 7."""

SubscriptionState = Literal["active", "paused", "removed"]
Why = Literal["", "asked", "failing", "gone"]
"""Why it is paused: somebody asked; it failed for days; the target said that it is gone (410)."""
DeliveryState = Literal["waiting", "delivered", "parked", "dropped"]


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody wants to be told, and where. No events named: all of them."""

    url: str
    events: tuple[EventKind, ...] = ()
    whole_numbers: bool = False


class Subscription(msgspec.Struct, frozen=True):
    """One as it stands."""

    id: HookId
    url: str
    events: tuple[EventKind, ...]
    whole_numbers: bool
    state: SubscriptionState
    why: Why
    made_at: datetime
    failing_since: datetime | None


class Subscribed(msgspec.Struct, frozen=True):
    """A subscription and its secret, which is in no `repr` and is shown in this answer only.

    `is_fresh` is False when it was made before, under the same id.
    """

    subscription: Subscription
    secret: str
    is_fresh: bool

    def __repr__(self) -> str:
        return f"Subscribed({self.subscription.id!r})"


class Rotated(msgspec.Struct, frozen=True):
    """A new secret; until `old_until` messages are signed with the old one as well.

    `overlap_hours` and `is_fresh` tell what it was made with, and whether that was before.
    """

    secret: str
    old_until: datetime
    overlap_hours: int
    is_fresh: bool

    def __repr__(self) -> str:
        return f"Rotated(old_until={self.old_until.isoformat()})"


class Event(msgspec.Struct, frozen=True):
    """What happened to a payment. `id` is the `webhook-id` it is sent under."""

    id: str
    kind: EventKind
    payment_id: str
    sequence: int
    at: datetime


class Delivery(msgspec.Struct, frozen=True):
    """An event on its way to a subscription. `last_failure`: "" when there was an answer."""

    event: str
    kind: EventKind
    payment_id: str
    sequence: int
    state: DeliveryState
    attempts: int
    made_at: datetime
    next_at: datetime | None
    last_at: datetime | None
    last_status: int | None
    last_failure: str


class Attempt(msgspec.Struct, frozen=True):
    """One try: when, how long it took, and what was answered, or why nothing was."""

    number: int
    at: datetime
    elapsed_ms: int
    status: int | None
    failure: str
