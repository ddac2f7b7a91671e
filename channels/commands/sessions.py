"""`capp sessions`: where sessions ended, by network and screen, as the gateways told it."""

import argparse
from collections import Counter
from collections.abc import Callable
from datetime import date

from channels.settings import Settings
from channels.times import typed_day
from channels.wiring import MENUS
from engine.clock import Clock
from engine.menu.networks import Networks
from engine.ports import EndReason
from engine.session.drops import Drops, Ended
from engine.session.pipeline import open_pipeline
from engine.session.store import StoreDown

_REASONS = tuple(EndReason)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp sessions`."""
    parser.add_argument("--day", type=typed_day, help="2026-11-21 (UTC); default today")


async def show_sessions(
    settings: Settings, options: argparse.Namespace, say: Callable[[str], None]
) -> bool:
    """Say the ends of a day by network, screen and reason. False when Redis does not answer."""
    day = options.day or Clock().now().date()
    redis = open_pipeline(settings.redis_url)
    try:
        ended = await Drops(redis, settings.tenant).of_day(day)
    except StoreDown as error:
        say(f"Redis does not answer: {error.__cause__}")
        return False
    finally:
        await redis.aclose()
    for line in lines_of(day, ended, Networks.load(MENUS / "networks.yaml")):
        say(line)
    return True


def lines_of(day: date, ended: list[Ended], networks: Networks) -> list[str]:
    """The table, widest trouble first: one row for each network and screen."""
    if not ended:
        return [f"{day}: no gateway told of an end"]
    rows: dict[tuple[str, str], Counter[EndReason]] = {}
    for one in ended:
        rows.setdefault((one.network, one.screen), Counter())[one.reason] += one.times
    used = [reason for reason in _REASONS if any(row[reason] for row in rows.values())]
    head = f"{day!s:16}{'screen':28}" + "".join(f"{reason.value:>12}" for reason in used)
    table = [head]
    for (code, screen), row in sorted(rows.items(), key=lambda item: (-item[1].total(), item[0])):
        name = networks.of(code).name if code else "not told"
        table.append(f"{name[:15]:16}{screen:28}" + "".join(f"{row[r]:>12}" for r in used))
    return table
