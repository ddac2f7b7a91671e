"""`capp data`: the keys that people's data is sealed with, and bringing stored rows under them."""

import argparse
import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from channels.privacy import give_keys
from channels.settings import Settings
from channels.times import minute_of
from engine.clock import Clock
from engine.database import Pool, open_pool
from engine.errors import StaffMistake
from engine.payments.old_terms import OLD_TERMS
from engine.privacy.key_store import DATA, KeyStore
from engine.privacy.resealing import Resealing, Walked
from engine.privacy.retention import KEPT, Retention
from engine.privacy.ring import NOTICE_SECONDS, REFRESH_SECONDS, KeyRing

Say = Callable[[str], None]


class Safe(NamedTuple):
    """What the words of this command work with."""

    pool: Pool
    tenant: int
    ring: KeyRing


def _seconds(text: str) -> float:
    """So many that somebody waits for them."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return float(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own words."""
    words = parser.add_subparsers(dest="word", required=True)
    words.add_parser("keys", help="which keys there are, and what wraps them")
    retain = words.add_parser("retain", help="forget what is kept long enough, as the worker does")
    retain.add_argument("--dry-run", action="store_true", help="only say how much that is")
    words.add_parser("rewrap", help="wrap all data keys by the newest key of CAPP_DATA_KEYS")
    seal = words.add_parser("seal", help="bring all rows under the key in force, while serving")
    rotate = words.add_parser("rotate", help="a new data key; wait until all have it; seal")
    rotate.add_argument(
        "--notice-seconds", type=_seconds, default=NOTICE_SECONDS,
        help=f"before it is written with; processes look every {REFRESH_SECONDS:g}",
    )  # fmt: skip
    for each in (seal, rotate):
        each.add_argument("--pause-ms", type=int, default=20, help="left to others between batches")


async def run_data(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Carry out one word. Every one may be repeated, and stopped at any moment.

    Raises StaffMistake where no keys are set, and what unwrapping raises.
    """
    pool = await open_pool(settings.database_url, size=2)
    try:
        if options.word == "retain":
            return await _retain(settings, pool, options, say)
        ring = await give_keys(settings, pool)
        if ring is None:
            raise StaffMistake("CAPP_DATA_KEYS is not set: nothing is sealed here")
        return await _WORDS[options.word](Safe(pool, settings.tenant, ring), options, say)
    finally:
        await pool.close()


async def _keys(safe: Safe, _: argparse.Namespace, say: Say) -> bool:
    for key in await KeyStore(safe.pool, safe.tenant).all():
        now = "in force" if (key.purpose, key.version) == (DATA, safe.ring.version) else ""
        if key.retired_ms is not None:
            now = f"retired {minute_of(key.retired_ms)}: the journal's old rows are under it"
        say(
            f"{key.purpose:<5} {key.version}  made {minute_of(key.made_ms)}"
            f"  wrapped by key {key.wrapped.by}  {now}".rstrip()
        )
    return True


async def _rewrap(safe: Safe, _: argparse.Namespace, say: Say) -> bool:
    say(f"{await safe.ring.rewrap()} keys are wrapped anew")
    return True


async def _seal(safe: Safe, options: argparse.Namespace, say: Say) -> bool:
    resealing = Resealing(
        safe.pool, safe.tenant, safe.ring, pause_seconds=options.pause_ms / 1000, also=[OLD_TERMS]
    )

    def tell(walked: Walked) -> None:
        if walked.sealed or walked.missed:
            say(f"{walked.table}: {walked.sealed} of {walked.read} rows sealed")

    if not await resealing.seal(tell):
        say("rows keep changing under other keys: is a process without the new key running?")
        return False
    for version in await resealing.retire(int(Clock().epoch() * 1000)):
        say(f"data key {version} is retired")
    say(f"all that can be is sealed under data key {safe.ring.version}")
    return True


async def _rotate(safe: Safe, options: argparse.Namespace, say: Say) -> bool:
    version = await safe.ring.rotate(options.notice_seconds)
    say(f"data key {version} is made; all processes have it in {options.notice_seconds:g} s")
    while safe.ring.version != version:
        await asyncio.sleep(min(options.notice_seconds, 1) or 0.01)
        await safe.ring.refresh()
    # Until then a process that looked just before may still write with the old one.
    await asyncio.sleep(min(options.notice_seconds, REFRESH_SECONDS))
    return await _seal(safe, options, say)


async def _retain(settings: Settings, pool: Pool, options: argparse.Namespace, say: Say) -> bool:
    retention = Retention(pool, settings.tenant, Clock(), settings.kept_days)
    for kept in KEPT:
        found = await retention.due(kept)
        say(f"{kept.kind:<10} kept {retention.days_of(kept)} days: {found} rows are older")
        rest = 0 if options.dry_run else found
        while rest > 0:
            rest -= await retention.forget(kept) or rest
    return True


_WORDS: dict[str, Callable[[Safe, argparse.Namespace, Say], Awaitable[bool]]] = {
    "keys": _keys,
    "rewrap": _rewrap,
    "seal": _seal,
    "rotate": _rotate,
}
