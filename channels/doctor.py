"""`capp doctor`: is everything there that serving needs? Each check speaks for itself."""

from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg
from redis.exceptions import RedisError

from channels.settings import Settings
from channels.wiring import MENUS, read_directory
from engine.clock import Clock
from engine.errors import CappError
from engine.menu.check import examine as examine_menus
from engine.menu.screens import BrokenMenu
from engine.session.pipeline import open_pipeline
from providers.accounts import SMS_ACCOUNTS
from providers.registry import build_operators, build_ussd

Check = Callable[[Settings], Awaitable[str]]


FAULTS = (
    CappError,
    ValueError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    RedisError,
)


async def examine(settings: Settings, say: Callable[[str], None]) -> bool:
    """Run every check, also after one that failed; whether all is well."""
    well = True
    for name, check in checks_of(settings).items():
        try:
            say(f"ok    {name}: {await check(settings)}")
        except FAULTS as error:
            well = False
            say(f"FAULT {name}: {error or type(error).__name__}")
    return well


async def _menus(_: Settings) -> str:
    examined = examine_menus(MENUS)
    if examined.menu is None or examined.texts is None or examined.faults:
        raise BrokenMenu([*examined.faults])
    screens, languages = len(examined.menu.screens), len(examined.texts.languages)
    warnings = len(examined.warnings)
    return f"{screens} screens in {languages} languages; {warnings} warnings (`capp menus check`)"


async def _operators(settings: Settings) -> str:
    built = build_operators(settings.environment, clock=Clock(), names=settings.operators)
    names = sorted(read_directory(built).by_name)
    for port in built.values():
        await port.aclose()
    return ", ".join(names)


async def _ussd(settings: Settings) -> str:
    built = build_ussd(settings.ussd_gateways, shortcodes=settings.shortcodes)
    return ", ".join(f"{gateway.name} (posts {gateway.media_type})" for gateway in built)


async def _database(settings: Settings) -> str:
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        revision = await connection.fetchval("select version_num from alembic_version")
        if await connection.fetchval("show synchronous_commit") == "off":
            raise ValueError("synchronous_commit is off: acknowledged payments could be lost")
        version = await connection.fetchval("show server_version")
    finally:
        await connection.close()
    return f"Postgres {version}, schema {revision}"


async def _redis(settings: Settings) -> str:
    pipeline = open_pipeline(settings.redis_url)
    try:
        await pipeline.execute("PING")
    finally:
        await pipeline.aclose()
    return "answers"


async def _sms(settings: Settings, gateway: str) -> str:
    if (ask := SMS_ACCOUNTS.get(gateway)) is None:
        raise ValueError(f"no such SMS gateway: {gateway!r}; known: {', '.join(SMS_ACCOUNTS)}")
    return await ask(settings.environment)


CHECKS: dict[str, Check] = {
    "menus": _menus,
    "operators": _operators,
    "USSD gateways": _ussd,
    "database": _database,
    "redis": _redis,
}
"""What every installation needs; `checks_of` adds the SMS gateways it names."""


def checks_of(settings: Settings) -> dict[str, Check]:
    """All checks of one installation, by the names they are told under."""
    gateways = {f"SMS gateway {g}": partial(_sms, gateway=g) for g in settings.sms_gateways}
    return {**CHECKS, **gateways}
