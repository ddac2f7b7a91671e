"""`capp api-keys`: which businesses may use the API, for what, and until when.

Whoever may open this terminal may do all of it; the log of staff's actions says who that was by the
system's word. A key is printed once and stored nowhere.
"""

import argparse
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

from channels.commands.staff import who_is_here
from channels.privacy import open_sealed_pool
from channels.settings import BadSettings, Settings
from channels.times import stamp_of
from engine.clients.clients import ApiKey, KeyId, Scope, read_scopes, write_scopes
from engine.clients.keys import KeyMacs
from engine.clients.proving import DAYS_MAX, OVERLAP_HOURS, Keys
from engine.clients.store import ClientStore
from engine.clock import Clock, Ids, SystemRandom, is_id
from engine.errors import StaffMistake
from engine.staff.actions import Action, Actions

Say = Callable[[str], None]


class KeyRoom(NamedTuple):
    """What the commands work with."""

    store: ClientStore
    keys: Keys
    actions: Actions
    clock: Clock
    who: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp api-keys`."""
    words = parser.add_subparsers(dest="word", required=True)
    create = words.add_parser("create", help="a key of a client; printed once")
    create.add_argument("client", help="a business, or one application of it")
    create.add_argument("--scopes", required=True, help=",".join(Scope))
    create.add_argument("--days", type=int, help=f"1 to {DAYS_MAX}; by default until revoked")
    words.add_parser("list", help="keys by client: what for, until when, last used")
    rotate = words.add_parser("rotate", help="a new key for the same, printed once")
    rotate.add_argument("key", help="the id of the old one")
    rotate.add_argument(
        "--overlap-hours", type=int, default=OVERLAP_HOURS, help="so long the old one is good yet"
    )
    revoke = words.add_parser("revoke", help="end a key, at once")
    revoke.add_argument("key", help="its id")


async def run_api_keys(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Carry out one command. Raises StaffMistake, BadSettings, and what the pool raises."""
    if not settings.client_keys:
        raise BadSettings("CAPP_CLIENT_KEYS: is missing")
    clock = Clock()
    ids = Ids(clock)
    async with AsyncExitStack() as closing:
        pool = await open_sealed_pool(settings, size=2)
        closing.push_async_callback(pool.close)
        store = ClientStore(pool, settings.tenant)
        keys = Keys(
            store=store, macs=KeyMacs(settings.client_keys, settings.tenant), clock=clock,
            ids=ids, random=SystemRandom(),
        )  # fmt: skip
        actions = Actions(pool, settings.tenant, clock, ids)
        room = KeyRoom(store, keys, actions, clock, f"terminal:{who_is_here()}")
        return await _COMMANDS[options.word](room, options, say)


async def _create(room: KeyRoom, options: argparse.Namespace, say: Say) -> bool:
    scopes = read_scopes(options.scopes)
    async with room.actions.doing(
        Action(room.who, "create_api_key", options.client), ",".join(write_scopes(scopes))
    ):
        _, text = await room.keys.create(options.client, scopes, days=options.days)
    say(text)
    return True


async def _list(room: KeyRoom, _: argparse.Namespace, say: Say) -> bool:
    now_ms = int(room.clock.epoch() * 1000)
    for key in await room.store.keys():
        say(_line(key, now_ms))
    return True


async def _rotate(room: KeyRoom, options: argparse.Namespace, say: Say) -> bool:
    key_id, hours = _read_id(options.key), options.overlap_hours
    async with room.actions.doing(
        Action(room.who, "rotate_api_key", key_id), f"good for {hours} hours yet"
    ):
        _, text = await room.keys.rotate(key_id, overlap_hours=hours)
    say(text)
    return True


async def _revoke(room: KeyRoom, options: argparse.Namespace, say: Say) -> bool:
    key_id = _read_id(options.key)
    async with room.actions.doing(Action(room.who, "revoke_api_key", key_id), "revoked"):
        if not await room.keys.revoke(key_id, by=room.who):
            raise StaffMistake("there is no such key, or it was revoked before")
    say("revoked")
    return True


def _read_id(text: str) -> KeyId:
    """The whole key is taken too, by its middle: whoever revokes one may hold nothing else."""
    word = text.removeprefix("capp_").partition("_")[0]
    if not is_id(word):
        raise StaffMistake("a key's id has 32 hexadecimal digits: see `capp api-keys list`")
    return KeyId(word)


def _line(key: ApiKey, now_ms: int) -> str:
    state = "good" if key.is_good(now_ms) else "revoked" if key.ended_ms else "expired"
    until = f" until {stamp_of(key.expires_ms)}" if key.expires_ms else ""
    successor = f"  rotated to {key.replaced_by}" if key.replaced_by else ""
    used = f"used {stamp_of(key.used_ms)}" if key.used_ms else "never used"
    scopes = ",".join(write_scopes(key.scopes))
    return f"{key.id}  {key.client.name}  {scopes}  {state}{until}  {used}{successor}"


_COMMANDS: dict[str, Callable[[KeyRoom, argparse.Namespace, Say], Awaitable[bool]]] = {
    "create": _create,
    "list": _list,
    "rotate": _rotate,
    "revoke": _revoke,
}
