"""`capp hooks`: who is told of payments, what became of it, and telling it again.

A secret is printed once, by `add` and `rotate`. What is changed here is written into staff's log.
"""

import argparse
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import NamedTuple

from channels.commands.staff import who_is_here
from channels.hook_room import build_hooks, build_port
from channels.privacy import open_sealed_pool
from channels.settings import BadSettings, Settings
from channels.times import read_moment, stamp_of
from engine.clock import Clock, Ids, is_id, ms_of
from engine.errors import StaffMistake
from engine.hooks.events import EventKind
from engine.hooks.hooks import OVERLAP_HOURS, Hooks
from engine.hooks.subscription import Delivery, HookId, Subscription, Wish
from engine.staff.actions import Action, Actions

Say = Callable[[str], None]


class HookRoom(NamedTuple):
    """What the commands work with."""

    hooks: Hooks
    actions: Actions
    ids: Ids
    who: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp hooks`."""
    words = parser.add_subparsers(dest="word", required=True)
    add = words.add_parser("add", help="subscribe an address; prints its secret, once")
    add.add_argument("url")
    kinds = ", ".join(kind.value for kind in EventKind)
    add.add_argument("--events", default="", help=f"with commas between; none: all of {kinds}")
    add.add_argument("--whole-numbers", action="store_true", help="tell whole phone numbers")
    words.add_parser("list", help="subscriptions and how they stand")
    for word, meaning in (
        ("pause", "tell nothing for now; what happens waits"),
        ("resume", "tell again, what waited first"),
        ("remove", "for good"),
    ):
        words.add_parser(word, help=meaning).add_argument("id")
    deliveries = words.add_parser("deliveries", help="what became of events, the newest first")
    deliveries.add_argument("id")
    deliveries.add_argument("--event", default="", help="every try of this one")
    deliveries.add_argument("--before", default="", help="older than this event")
    resend = words.add_parser("resend", help="send again under the same id")
    resend.add_argument("id")
    resend.add_argument("event", nargs="?", default="")
    resend.add_argument("--parked-since", help="all that was given up, from then on (ISO time)")
    rotate = words.add_parser("rotate", help="a new secret; the old one signs as well for a time")
    rotate.add_argument("id")
    rotate.add_argument("--overlap-hours", type=int, default=OVERLAP_HOURS)
    words.add_parser("reseal", help="put all secrets under the newest of CAPP_WEBHOOK_KEYS")


async def run_hooks(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Carry out one command. Raises StaffMistake, BadSettings, and what the pool raises."""
    clock = Clock()
    ids = Ids(clock)
    async with AsyncExitStack() as closing:
        port = build_port(settings)
        closing.push_async_callback(port.aclose)
        pool = await open_sealed_pool(settings, size=2)
        closing.push_async_callback(pool.close)
        hooks = build_hooks(settings, pool, clock, port)
        if hooks is None:
            raise BadSettings("CAPP_WEBHOOK_KEYS: is missing")
        actions = Actions(pool, settings.tenant, clock, ids)
        room = HookRoom(hooks, actions, ids, f"terminal:{who_is_here()}")
        return await COMMANDS[options.word](room, options, say)


async def _add(room: HookRoom, options: argparse.Namespace, say: Say) -> bool:
    wish = Wish(options.url, _read_events(options.events), options.whole_numbers)
    hook_id = HookId(room.ids.hex())
    async with room.actions.doing(Action(room.who, "add_hook", hook_id)):
        subscribed = await room.hooks.subscribe(hook_id, wish)
    say(_line(subscribed.subscription))
    say(subscribed.secret)
    return True


def _read_events(text: str) -> tuple[EventKind, ...]:
    try:
        return tuple(EventKind(word.strip()) for word in text.split(",") if word.strip())
    except ValueError as error:
        raise StaffMistake(f"events: {error}") from None


async def _list(room: HookRoom, _: argparse.Namespace, say: Say) -> bool:
    for subscription in await room.hooks.subscriptions():
        say(_line(subscription))
    return True


async def _pause(room: HookRoom, options: argparse.Namespace, say: Say) -> bool:
    hook_id = _read_id(options.id)
    async with room.actions.doing(Action(room.who, "pause_hook", hook_id)):
        say(_line(await room.hooks.pause(hook_id)))
    return True


async def _resume(room: HookRoom, options: argparse.Namespace, say: Say) -> bool:
    hook_id = _read_id(options.id)
    async with room.actions.doing(Action(room.who, "resume_hook", hook_id)):
        say(_line(await room.hooks.resume(hook_id)))
    return True


async def _remove(room: HookRoom, options: argparse.Namespace, say: Say) -> bool:
    hook_id = _read_id(options.id)
    async with room.actions.doing(Action(room.who, "remove_hook", hook_id)):
        await room.hooks.subscription(hook_id)
        await room.hooks.remove(hook_id)
    say(f"{hook_id} is removed")
    return True


async def _deliveries(room: HookRoom, options: argparse.Namespace, say: Say) -> bool:
    hook_id = _read_id(options.id)
    if options.event:
        for tried in await room.hooks.attempts(hook_id, _read_id(options.event)):
            answer = tried.status if tried.status is not None else tried.failure
            say(f"{tried.number}. {_time(tried.at)}  {answer}  {tried.elapsed_ms} ms")
        return True
    before = _read_id(options.before) if options.before else ""
    for delivery in await room.hooks.deliveries(hook_id, before=before):
        say(_delivery_line(delivery))
    return True


async def _resend(room: HookRoom, options: argparse.Namespace, say: Say) -> bool:
    hook_id = _read_id(options.id)
    if bool(options.event) == bool(options.parked_since):
        raise StaffMistake("name one event, or --parked-since")
    async with room.actions.doing(Action(room.who, "resend_hook", hook_id)):
        if options.event:
            say(_delivery_line(await room.hooks.resend(hook_id, _read_id(options.event))))
        else:
            since = _read_time(options.parked_since)
            say(f"{await room.hooks.resend_parked(hook_id, since)} are sent again")
    return True


async def _rotate(room: HookRoom, options: argparse.Namespace, say: Say) -> bool:
    hook_id = _read_id(options.id)
    async with room.actions.doing(Action(room.who, "rotate_hook", hook_id)):
        rotated = await room.hooks.rotate(hook_id, HookId(room.ids.hex()), options.overlap_hours)
    say(f"signed with the old one as well until {_time(rotated.old_until)}")
    say(rotated.secret)
    return True


async def _reseal(room: HookRoom, _: argparse.Namespace, say: Say) -> bool:
    async with room.actions.doing(Action(room.who, "reseal_hooks", "all")):
        say(f"{await room.hooks.seal_anew()} secrets are under the newest key now")
    return True


def _read_id(text: str) -> HookId:
    if not is_id(text):
        raise StaffMistake(f"{text!r} is no id; `capp hooks list` and `deliveries` show them")
    return HookId(text)


def _read_time(text: str) -> datetime:
    try:
        return read_moment(text)
    except ValueError:
        raise StaffMistake(f"{text!r} is no time like 2026-11-21T17:00:00Z") from None


def _line(subscription: Subscription) -> str:
    kinds = ",".join(subscription.events) or "all events"
    words = [subscription.id, subscription.url, kinds]
    words += ["whole numbers"] if subscription.whole_numbers else []
    words += [" ".join([subscription.state, subscription.why]).strip()]
    if subscription.failing_since is not None:
        words.append(f"fails since {_time(subscription.failing_since)}")
    return "  ".join(words)


def _delivery_line(delivery: Delivery) -> str:
    words = [delivery.event, delivery.kind, delivery.payment_id, delivery.state]
    words.append(f"{delivery.attempts} tried")
    if delivery.last_at is not None:
        answer = delivery.last_failure or delivery.last_status
        words.append(f"last {_time(delivery.last_at)} {answer}")
    if delivery.next_at is not None:
        words.append(f"next {_time(delivery.next_at)}")
    return "  ".join(words)


def _time(at: datetime) -> str:
    return stamp_of(ms_of(at))


COMMANDS: dict[str, Callable[[HookRoom, argparse.Namespace, Say], Awaitable[bool]]] = {
    "add": _add,
    "list": _list,
    "pause": _pause,
    "resume": _resume,
    "remove": _remove,
    "deliveries": _deliveries,
    "resend": _resend,
    "rotate": _rotate,
    "reseal": _reseal,
}
