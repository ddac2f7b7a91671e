"""`capp lists`: put a sanctions list in force, show what is, ask what a name resembles."""

import argparse
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from channels.commands.customers import read_birth, said
from channels.compliance import build_lists, build_screener, policy_of
from channels.settings import Settings
from channels.times import minute_of
from engine.clock import Clock
from engine.compliance.lists.listed import ListFile, Source
from engine.compliance.lists.ofac import read_sdn
from engine.compliance.lists.strict_xml import Readable
from engine.compliance.lists.un import read_un
from engine.compliance.profiles import read_name
from engine.database import open_pool

READERS: dict[Source, Callable[[Readable], ListFile]] = {
    Source.OFAC_SDN: read_sdn,
    Source.UN: read_un,
}

Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own words."""
    tasks = parser.add_subparsers(dest="task", required=True)
    load = tasks.add_parser("load", help="read a file and put it in force")
    load.add_argument("file", type=Path)
    load.add_argument("--kind", choices=[source.value for source in Source], required=True)
    load.add_argument(
        "--accept-smaller", action="store_true", help="somebody looked: it has shrunk rightly"
    )
    load.add_argument(
        "--accept-older", action="store_true", help="somebody looked: we go back to this file"
    )
    tasks.add_parser("show", help="the versions in force")
    check = tasks.add_parser("check", help="which entries a name resembles")
    check.add_argument("name", type=said(read_name))
    check.add_argument("--born", type=said(read_birth), metavar="YYYY-MM-DD")


async def run_lists(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Carry out one task. Raises OSError, Unreadable or ValidationError, with nothing changed."""
    match options.task:
        case "load":
            await load_list(
                settings, options.file, Source(options.kind), say,
                accept_smaller=options.accept_smaller, accept_older=options.accept_older,
            )  # fmt: skip
            return True
        case "show":
            return await _show(settings, say)
        case _:
            return await _check(settings, options, say)


async def load_list(
    settings: Settings,
    path: Path,
    source: Source,
    say: Say,
    *,
    accept_smaller: bool = False,
    accept_older: bool = False,
) -> None:
    """Read a file and put it in force for all processes; the same file again changes nothing.

    Raises OSError, or Unreadable when it is no whole file of that kind, has suddenly shrunk or is
    older than what is in force.
    """
    with path.open("rb") as stream:
        file = READERS[source](stream)
    async with _pool(settings) as pool:
        lists = build_lists(settings, policy_of(settings), pool)
        now_ms = int(Clock().epoch() * 1000)
        loaded = await lists.load(
            file, now_ms, accept_smaller=accept_smaller, accept_older=accept_older
        )
    version = loaded.version
    what = "is in force" if loaded.fresh else "was in force already"
    say(f"{source} version {version.version} {what}: {version.entry_count} entries")


async def _show(settings: Settings, say: Say) -> bool:
    async with _pool(settings) as pool:
        screener = build_screener(settings, policy_of(settings), pool, Clock())
        await screener.refresh()
        lists = build_lists(settings, policy_of(settings), pool)
        newest, confirmed = await lists.newest(), await lists.confirmed()
    for source, version in sorted(newest.items()):
        say(
            f"{source}  version {version.version}  published {version.published}"
            f"  loaded {minute_of(version.loaded_ms)} UTC  last confirmed"
            f" {minute_of(confirmed.get(source, version.loaded_ms))} UTC"
            f"  {version.entry_count} entries"
        )
    for alarm in screener.alarms():
        say(f"ALARM {alarm}")
    return not screener.alarms()


async def _check(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    async with _pool(settings) as pool:
        screener = build_screener(settings, policy_of(settings), pool, Clock())
        await screener.refresh()
    if not screener.versions:
        say("nobody was compared: no list is loaded (`capp lists load`)")
        return False
    matches = screener.screen(options.name, options.born)
    for match in matches:
        listed = screener.listed(match.source, match.entry_id)
        name = listed.names[match.name_number].text if listed is not None else ""
        say(f"{match.score:>3}  {match.source}:{match.entry_id}  {name}  birth {match.birth}")
    if not matches:
        say("resembles nobody")
    for alarm in screener.alarms():
        say(f"ALARM {alarm}")
    return True


@asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[Any]:
    pool = await open_pool(settings.database_url, size=2)
    try:
        yield pool
    finally:
        await pool.close()
