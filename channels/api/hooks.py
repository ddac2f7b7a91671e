"""Webhooks of clients: addresses they subscribe, what became of events, and sending them again.

A client is told of its own payments, with masked numbers, and finds no subscription but its own. A
secret stands in the answer of the request that made it and in its repeats; it is kept sealed only.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Any

import msgspec

from channels.api.endpoints import Again, AnyEndpoint, Call, Endpoint, Nothing
from channels.api.payments import Page
from channels.api.problems import Code, Refusal
from channels.api.wire import Id
from channels.times import iso_millis_of
from engine.clients.clients import KeyHolder, Scope
from engine.clock import ms_of
from engine.errors import NoSuchHook
from engine.hooks.events import EventKind
from engine.hooks.hooks import OVERLAP_HOURS, OVERLAP_HOURS_MAX, Hooks, Uncallable
from engine.hooks.subscription import Delivery, Event, HookId, Subscription, Wish

URL_LENGTH_MAX = 1024


class HookPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A subscription's id."""

    webhook: Id


class DeliveryPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A subscription's id, and that of an event it was told of."""

    webhook: Id
    event: Id


class HookAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to tell of what; without events of all kinds."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=URL_LENGTH_MAX)]
    events: Annotated[tuple[EventKind, ...], msgspec.Meta(max_length=len(EventKind))] = ()


class RotationAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many hours the old secret signs as well."""

    overlap_hours: Annotated[int, msgspec.Meta(ge=0, le=OVERLAP_HOURS_MAX)] = OVERLAP_HOURS


class HookMade(msgspec.Struct, frozen=True):
    """A fresh subscription and its secret, which is shown in no other answer."""

    id: str
    url: str
    events: list[EventKind]
    made_at: str
    secret: str


class HookShown(msgspec.Struct, frozen=True):
    """One as it stands. `state` is "active", "paused" or "removed"; `why` it is paused: "asked",
    "failing" or "gone".
    """

    id: str
    url: str
    events: list[EventKind]
    state: str
    why: str
    made_at: str
    failing_since: str | None


class HooksShown(msgspec.Struct, frozen=True):
    """All of a client's, the newest first."""

    webhooks: list[HookShown]


class RotatedShown(msgspec.Struct, frozen=True):
    """A new secret; until `old_until` messages are signed with the old one as well."""

    secret: str
    old_until: str


class EventShown(msgspec.Struct, frozen=True):
    """What happened to a payment; `id` is the `webhook-id` it is sent under."""

    id: str
    type: EventKind
    payment: str
    sequence: int
    at: str


class EventsShown(msgspec.Struct, frozen=True):
    """A page, the newest first; `next` is the cursor of the one behind it, null on the last.

    Events are gathered while somebody is subscribed, and kept for 30 days: what happened before you
    subscribed to anything may be missing. How a payment stands is in its status, always.
    """

    events: list[EventShown]
    next: str | None


class DeliveryShown(msgspec.Struct, frozen=True):
    """An event on its way. `state` is "waiting", "delivered", "parked" or "dropped".

    `last_status` is what was answered last, `last_failure` why there was no answer.
    """

    event: str
    type: EventKind
    payment: str
    sequence: int
    state: str
    attempts: int
    made_at: str
    next_at: str | None
    last_at: str | None
    last_status: int | None
    last_failure: str


class DeliveriesShown(msgspec.Struct, frozen=True):
    """A page, the newest first; `next` is the cursor of the one behind it, null on the last."""

    deliveries: list[DeliveryShown]
    next: str | None


class ClientHooks:
    """The handlers."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    async def subscribe(
        self, call: Call[KeyHolder, Nothing, Nothing, HookAsked]
    ) -> HookMade | Again[HookMade]:
        """Once per key; its repeat is told the same.

        Raises StaffMistake for one too many, and Refusal MALFORMED, KEY_REUSED or, where what that
        key made was removed, NOT_FOUND.
        """
        asked, own = call.body, self._own(call)
        wish = Wish(asked.url, tuple(dict.fromkeys(asked.events)))
        try:
            made = await own.subscribe(_operation(call, "subscribe"), wish)
        except NoSuchHook:
            raise Refusal(Code.NOT_FOUND, "what that key made was removed") from None
        except Uncallable as error:
            raise Refusal(Code.MALFORMED, str(error)) from None
        subscription = made.subscription
        if (subscription.url, subscription.events) != (wish.url, wish.events):
            raise Refusal(Code.KEY_REUSED)
        shown = HookMade(
            subscription.id, subscription.url, list(subscription.events),
            _iso(subscription.made_at), made.secret,
        )  # fmt: skip
        return shown if made.is_fresh else Again(shown)

    async def listed(self, call: Call[KeyHolder, Nothing, Nothing, Nothing]) -> HooksShown:
        return HooksShown([_show(one) for one in await self._own(call).subscriptions()])

    async def look(self, call: Call[KeyHolder, HookPath, Nothing, Nothing]) -> HookShown:
        return _show(await self._own(call).subscription(HookId(call.path.webhook)))

    async def pause(self, call: Call[KeyHolder, HookPath, Nothing, Nothing]) -> HookShown:
        """What happens from now on waits."""
        return _show(await self._own(call).pause(HookId(call.path.webhook)))

    async def resume(self, call: Call[KeyHolder, HookPath, Nothing, Nothing]) -> HookShown:
        """What waited goes out."""
        return _show(await self._own(call).resume(HookId(call.path.webhook)))

    async def remove(self, call: Call[KeyHolder, HookPath, Nothing, Nothing]) -> HookShown:
        """For good. Raises NoSuchHook."""
        own, id_ = self._own(call), HookId(call.path.webhook)
        found = await own.subscription(id_)
        await own.remove(id_)
        return _show(msgspec.structs.replace(found, state="removed", why=""))

    async def rotate(
        self, call: Call[KeyHolder, HookPath, Nothing, RotationAsked]
    ) -> RotatedShown | Again[RotatedShown]:
        """Once per key; its repeat is told the same. Raises NoSuchHook, and Refusal KEY_REUSED."""
        rotated = await self._own(call).rotate(
            HookId(call.path.webhook), _operation(call, f"rotate {call.path.webhook}"),
            call.body.overlap_hours,
        )  # fmt: skip
        if rotated.overlap_hours != call.body.overlap_hours:
            raise Refusal(Code.KEY_REUSED)
        shown = RotatedShown(rotated.secret, _iso(rotated.old_until))
        return shown if rotated.is_fresh else Again(shown)

    async def deliveries(self, call: Call[KeyHolder, HookPath, Page, Nothing]) -> DeliveriesShown:
        """Raises NoSuchHook."""
        page = call.query
        found = await self._own(call).deliveries(
            HookId(call.path.webhook), before=page.cursor, most=page.most + 1
        )
        shown = [_show_delivery(delivery) for delivery in found[: page.most]]
        return DeliveriesShown(shown, shown[-1].event if len(found) > page.most else None)

    async def resend(self, call: Call[KeyHolder, DeliveryPath, Nothing, Nothing]) -> DeliveryShown:
        """Raises NoSuchHook."""
        id_ = HookId(call.path.webhook)
        return _show_delivery(await self._own(call).resend(id_, call.path.event))

    async def events(self, call: Call[KeyHolder, Nothing, Page, Nothing]) -> EventsShown:
        page = call.query
        found = await self._own(call).events(before=page.cursor, most=page.most + 1)
        shown = [_show_event(event) for event in found[: page.most]]
        return EventsShown(shown, shown[-1].id if len(found) > page.most else None)

    def _own(self, call: Call[KeyHolder, Any, Any, Any]) -> Hooks:
        return self._hooks.of_client(call.caller.client_id)


def hook_table(hooks: ClientHooks) -> tuple[AnyEndpoint, ...]:
    """Everything clients may ask for about webhooks."""
    reads, writes = frozenset({Scope.WEBHOOKS_READ}), frozenset({Scope.WEBHOOKS_WRITE})
    return (
        Endpoint(
            "POST", "/webhooks", "subscribe", "Be told of your payments at an address", writes,
            Nothing, Nothing, HookAsked, HookMade, hooks.subscribe, status=201, keeps_key=True,
            refuses=frozenset({Code.NOT_FOUND, Code.NOT_LEGAL}),
        ),
        Endpoint(
            "GET", "/webhooks", "list_webhooks", "Addresses you are told at", reads,
            Nothing, Nothing, Nothing, HooksShown, hooks.listed,
        ),
        Endpoint(
            "GET", "/webhooks/{webhook}", "show_webhook", "How one stands", reads,
            HookPath, Nothing, Nothing, HookShown, hooks.look,
        ),
        Endpoint(
            "POST", "/webhooks/{webhook}/pause", "pause_webhook",
            "Be told nothing for now; what happens waits", writes,
            HookPath, Nothing, Nothing, HookShown, hooks.pause, subject="webhook",
        ),
        Endpoint(
            "POST", "/webhooks/{webhook}/resume", "resume_webhook",
            "Be told again, what waited first", writes,
            HookPath, Nothing, Nothing, HookShown, hooks.resume, subject="webhook",
        ),
        Endpoint(
            "POST", "/webhooks/{webhook}/remove", "remove_webhook", "End it for good", writes,
            HookPath, Nothing, Nothing, HookShown, hooks.remove, subject="webhook",
        ),
        Endpoint(
            "POST", "/webhooks/{webhook}/rotate", "rotate_webhook",
            "A new secret; the old one signs as well for a time", writes,
            HookPath, Nothing, RotationAsked, RotatedShown, hooks.rotate, subject="webhook",
            keeps_key=True, refuses=frozenset({Code.NOT_LEGAL}),
        ),
        Endpoint(
            "GET", "/webhooks/{webhook}/deliveries", "list_deliveries",
            "What became of events, the newest first", reads,
            HookPath, Page, Nothing, DeliveriesShown, hooks.deliveries,
        ),
        Endpoint(
            "POST", "/webhooks/{webhook}/deliveries/{event}/resend", "resend_event",
            "Send an event again under its id", writes,
            DeliveryPath, Nothing, Nothing, DeliveryShown, hooks.resend, subject="webhook",
        ),
        Endpoint(
            "GET", "/events", "list_events", "What happened to your payments, the newest first",
            reads, Nothing, Page, Nothing, EventsShown, hooks.events,
        ),
    )  # fmt: skip


def _operation(call: Call[KeyHolder, Any, Any, Any], what: str) -> HookId:
    """The same id for the same key of the same client: what it makes is made once."""
    told = f"{what} {call.caller.client_id} {call.key}".encode()
    return HookId(hashlib.sha256(told).hexdigest()[:32])


def _show(subscription: Subscription) -> HookShown:
    failing = subscription.failing_since
    return HookShown(
        subscription.id, subscription.url, list(subscription.events), subscription.state,
        subscription.why, _iso(subscription.made_at), _iso(failing) if failing else None,
    )  # fmt: skip


def _show_event(event: Event) -> EventShown:
    return EventShown(event.id, event.kind, event.payment_id, event.sequence, _iso(event.at))


def _show_delivery(delivery: Delivery) -> DeliveryShown:
    next_at, last_at = delivery.next_at, delivery.last_at
    return DeliveryShown(
        delivery.event, delivery.kind, delivery.payment_id, delivery.sequence, delivery.state,
        delivery.attempts, _iso(delivery.made_at),
        _iso(next_at) if next_at else None, _iso(last_at) if last_at else None,
        delivery.last_status, delivery.last_failure,
    )  # fmt: skip


def _iso(at: datetime) -> str:
    return iso_millis_of(ms_of(at))
