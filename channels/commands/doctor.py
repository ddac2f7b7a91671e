"""`capp doctor`: is everything there that serving needs? Each check speaks for itself."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg
from redis.exceptions import RedisError

from channels.addresses import address_faults
from channels.commands.database_checks import check_database, check_pins, check_restore
from channels.commands.menus import examine_with
from channels.commands.registrations import registrations
from channels.commands.settlement_checks import settlement_checks
from channels.commands.unserved import check_under_way
from channels.compliance import build_screener, policy_of
from channels.numbering import read_directory, read_networks
from channels.privacy import open_sealed_pool
from channels.production import findings_of
from channels.reconciliation import read_polling, read_statement_terms
from channels.settings import Settings, read_settings
from channels.sims import build_sims
from channels.tenants import FOLDER, NAME
from channels.watching.hook_figures import HookRead, read_hooks
from channels.wiring import MENUS
from engine.clock import Clock
from engine.database import connect
from engine.errors import CappError
from engine.menu.screens import BrokenMenu
from engine.ports import PayInPort
from engine.privacy.key_store import DATA, KeyStore
from engine.row_security import TELLS_NOTHING, look_at
from engine.session.pipeline import open_pipeline
from providers.accounts import SMS_ACCOUNTS
from providers.http import no_trace
from providers.portability import build_portability
from providers.registry import build_operators, build_rate_sources, build_ussd

Check = Callable[[Settings], Awaitable[str]]

ANSWER_SECONDS_MAX = 10.0
"""As long as it may take to be told anything by Redis, and of lists: nobody is dialling."""
UNREAD_SECONDS = 60
"""Events are looked for every second: when nobody did for so long, that is told."""


FAULTS = (
    CappError,
    ValueError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    RedisError,
)


_BEFORE = {FOLDER, NAME, "CAPP_LOG_FORM"}  # read before there are settings


class Asked(dict[str, str]):
    """An environment that knows which of its variables were asked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(environment)
        self._asked: set[str] = set()

    def was(self, name: str) -> bool:
        return name in self._asked

    def __getitem__(self, name: str) -> str:
        self._asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._asked.add(name)
        return super().get(name, default)


async def run_doctor(settings: Settings, _: argparse.Namespace, say: Callable[[str], None]) -> bool:
    """`capp doctor`."""
    return await examine(settings, say)


async def examine(settings: Settings, say: Callable[[str], None]) -> bool:
    """Run every check, also after one that failed; whether all is well.

    At last what no check has read is told: a variable that was misspelt is none at all.
    """
    asked = Asked(settings.environment)
    settings = replace(read_settings(asked), environment=asked)
    well, faulty = _tell_findings(settings, say), False
    for name, check in checks_of(settings).items():
        try:
            say(f"ok    {name}: {await check(settings)}")
        except FAULTS as error:
            well, faulty = False, True
            say(f"FAULT {name}: {error or type(error).__name__}")
    if unread := _unread(asked, _companies(settings) if faulty else ()):
        say(f"look  variables: nobody reads {', '.join(unread)}: misspelt, or of what is not used")
    return well


def _unread(asked: Asked, unsure: tuple[str, ...]) -> list[str]:
    """Our variables that nobody asked for; of the `unsure` companies none is named."""
    ours = {name for name in asked if name.startswith("CAPP_")} - _BEFORE
    return sorted(n for n in ours if not asked.was(n) and not n.startswith(unsure))


def _companies(settings: Settings) -> tuple[str, ...]:
    """How the variables begin of those we call: one that lacks something reads no more of them."""
    names = (*settings.operators, *settings.sms_gateways, *settings.rates.sources)
    return tuple(f"CAPP_{name.upper()}_" for name in names)


def _tell_findings(settings: Settings, say: Callable[[str], None]) -> bool:
    """What production mode refuses, one line each. In development they are told and no fault."""
    found = findings_of(settings)
    word = "FAULT" if settings.is_production else "later"
    for finding in found:
        say(f"{word} production: {finding}")
    if not settings.is_production:
        say(f"ok    mode: development; production (CAPP_MODE) would refuse {len(found)} settings")
    elif not found:
        say("ok    mode: production")
    return not (found and settings.is_production)


async def _menus(settings: Settings) -> str:
    examined = examine_with(MENUS, settings.own_menus)
    if examined.menu is None or examined.texts is None or examined.faults:
        raise BrokenMenu([*examined.faults])
    screens, languages = len(examined.menu.screens), len(examined.texts.languages)
    warnings = len(examined.warnings)
    own = f", with words of its own from {settings.own_menus}" if settings.own_menus else ""
    return (
        f"{screens} screens in {languages} languages{own}; {warnings} warnings (`capp menus check`)"
    )


async def _operators(settings: Settings) -> str:
    built = build_operators(settings.environment, clock=Clock(), names=settings.operators)
    names = sorted(read_directory(built).by_name)
    registered = [one.operator for one in registrations(settings, built)]
    announcing = sorted(name for name, port in built.items() if isinstance(port, PayInPort))
    refused = address_faults(settings, built.values())
    for port in built.values():
        await port.aclose()
    if refused:
        raise ValueError(f"CAPP_PUBLIC_URL: {'; '.join(refused)}")
    told = ", ".join(names)
    if registered:  # whether they were, nobody can see from here
        told += f"; addresses to register (`capp addresses`) with {', '.join(registered)}"
    if announcing:
        told += f"; pay-ins are announced once `capp payins register` told {', '.join(announcing)}"
    return told


async def _ussd(settings: Settings) -> str:
    built = build_ussd(settings.ussd_gateways, shortcodes=settings.shortcodes)
    return ", ".join(f"{gateway.name} (posts {gateway.media_type})" for gateway in built)


async def _tenants(settings: Settings) -> str:
    """Whether the connections of web and worker are really held to one tenant's rows."""
    if not settings.row_security:
        raise ValueError(
            "CAPP_DATABASE_ROLE=none: NOTHING in the database keeps tenants apart, a mistake in our"
            " code is enough to show or change the rows of another"
        )
    connection = await connect(settings.database_url)
    try:
        standing = await look_at(connection)
    finally:
        await connection.close()
    if standing.unprotected:
        raise ValueError(f"{standing.role} reaches all rows of {', '.join(standing.unprotected)}")
    if standing.tenant != settings.tenant or not standing.tables:
        raise ValueError(f"{standing.role} does not serve tenant {settings.tenant}")
    told = f"{standing.role} reaches its own rows of {standing.tables} tables"
    if standing.login_reaches_more and settings.is_production:
        raise ValueError(
            f"DATABASE_URL names {standing.login}, who reaches more than one tenant's rows: give a"
            " login for serving (`migrations/README.md`)"
        )
    if not standing.finds_by_index:
        told += f"; lists of payments are slow until a superuser has run: {TELLS_NOTHING}"
    if standing.login_reaches_more:
        told += (
            f"; its login {standing.login} reaches more, which holds mistakes but no intruder"
            " (`migrations/README.md`: a login for serving)"
        )
    return told


async def _staff(settings: Settings) -> str:
    if not settings.staff_keys:
        return "no CAPP_STAFF_KEYS, so staff have no API"
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        members, able = await connection.fetchrow(
            "select count(*), count(*) filter (where roles <> '{}') from staff_member"
            " where tenant = $1",
            settings.tenant,
        )
    finally:
        await connection.close()
    versions = ", ".join(map(str, sorted(settings.staff_keys)))
    return f"{able} of {members} members have a role; keys of tokens: {versions}"


async def _clients(settings: Settings) -> str:
    if not settings.client_keys:
        return "no CAPP_CLIENT_KEYS, so businesses have no API"
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        rows = await connection.fetch(
            "select mac_key, count(*) as n from api_key where tenant = $1 and ended_ms is null"
            " and (expires_ms is null or expires_ms > extract(epoch from now()) * 1000) group by 1",
            settings.tenant,
        )
    finally:
        await connection.close()
    if lost := [row["mac_key"] for row in rows if row["mac_key"] not in settings.client_keys]:
        raise ValueError(f"CAPP_CLIENT_KEYS lacks {min(lost)}: good keys of clients need it")
    return f"{sum(row['n'] for row in rows)} good keys of clients"


async def _hooks(settings: Settings) -> str:
    """Every secret must be under a key that is here, or its subscription hears nothing more."""
    if not settings.hooks.keys:
        return "no CAPP_WEBHOOK_KEYS, so no business is told of its payments"
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        sealed = await connection.fetch(
            "select distinct key_version from hook_secret where tenant = $1", settings.tenant
        )
        read = await read_hooks(connection, settings.tenant, Clock().epoch())
    finally:
        await connection.close()
    if lost := sorted({row["key_version"] for row in sealed} - set(settings.hooks.keys)):
        raise ValueError(f"CAPP_WEBHOOK_KEYS lacks {lost[0]}: secrets of subscriptions need it")
    return _told_of_hooks(read)


def _told_of_hooks(read: HookRead) -> str:
    if not read.subscriptions:
        return "nobody has subscribed"
    told = [f"{read.many} subscriptions"]
    told += [f"{int(n)} {' '.join(labels)}" for labels, n in read.subscriptions if labels[1]]
    told += [f"{int(n)} events wait for {state} ones" for (state,), n in read.waiting if n]
    if read.oldest_seconds:
        told.append(f"the oldest for {int(read.oldest_seconds)} s")
    if read.unread_seconds > UNREAD_SECONDS:
        told.append(f"no worker has looked for events for {int(read.unread_seconds)} s")
    return "; ".join(told)


async def _data_keys(settings: Settings) -> str:
    """Every stored key is unwrapped: one that is lost is learned here, not by a customer."""
    if not settings.data_keys:
        return "no CAPP_DATA_KEYS: people's numbers are stored as they are"
    pool = await open_sealed_pool(settings, size=1)
    try:
        kept = await KeyStore(pool, settings.tenant).all()
    finally:
        await pool.close()
    data = ", ".join(str(key.version) for key in kept if key.purpose == DATA)
    return f"people's data is sealed; data keys: {data}"


async def _rates(settings: Settings) -> str:
    """Nobody is asked: some count each question."""
    built = build_rate_sources(settings.environment, names=settings.rates.sources)
    for source in built:
        await source.aclose()
    return ", ".join([*(source.name for source in built), "the table of `capp seed`"])


async def _reconciliation(settings: Settings) -> str:
    read_polling(settings)
    read_statement_terms(settings)
    return "how operators are asked and what statements must be is said"


async def _redis(settings: Settings) -> str:
    pipeline = open_pipeline(settings.redis_url, timeout_seconds=ANSWER_SECONDS_MAX)
    try:
        await pipeline.execute("SET", "capp:doctor", "1", "EX", "5")
    finally:
        await pipeline.aclose()
    return "answers, and keeps what it is given"


async def _lists(settings: Settings) -> str:
    """Sanctions lists: a fault where they are required, told where they are not."""
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        pool = await open_sealed_pool(settings, size=1)
    try:
        screener = build_screener(settings, policy_of(settings), pool, Clock())
        alarms = "; ".join(await screener.stored_alarms())
    finally:
        await pool.close()
    if alarms and settings.screening_required:
        raise ValueError(f"{alarms}: `capp lists load`")
    return alarms or "in force, and not old"


async def _sms(settings: Settings, gateway: str) -> str:
    if (ask := SMS_ACCOUNTS.get(gateway)) is None:
        raise ValueError(f"no such SMS gateway: {gateway!r}; known: {', '.join(SMS_ACCOUNTS)}")
    return await ask(settings.environment)


async def _sources(settings: Settings) -> str:
    """Never a fault: where no list is known, the unguessable addresses are what there is."""
    listed = {name: len(found) for name, found in settings.webhooks.sources.items() if found}
    told = [f"{name} may call from {count} networks" for name, count in listed.items()]
    if open_ := [name for name in settings.operators if name not in listed]:
        told.append(f"from anywhere: {', '.join(open_)} (CAPP_<OPERATOR>_CALLBACK_SOURCES)")
    proxies = len(settings.webhooks.trusted_proxies)
    told.append(
        f"{proxies} networks of proxies are believed" if proxies else "no proxy is believed"
    )
    return "; ".join(told)


async def _portability(settings: Settings) -> str:
    """Nobody is asked: a question needs somebody's number."""
    built = build_portability(settings.environment, read_networks())
    if built is None:
        return "no look-up (CAPP_PORTABILITY_URL): by dials, by staff, by prefix"
    await built.aclose()
    return f"looked up, {settings.portability_ms} ms at most"


async def _sims(settings: Settings) -> str:
    """Nobody is asked: a question needs somebody's number, and has its price."""
    if not policy_of(settings).sim.hold_hours:
        return "nobody asks (hold_hours: 0)"
    try:
        built = build_operators(settings.environment, clock=Clock(), names=settings.operators)
    except ValueError:
        built = {}  # the line about operators says why
    sims = build_sims(settings, built, Clock(), no_trace)
    if sims is not None:
        await sims.aclose()
    for port in built.values():
        await port.aclose()
    if sims is None:
        return "nobody tells (CAPP_MPESA_KE_SIM_SWAP, CAPP_SIM_SWAP_URL)"
    return f"asked of {', '.join(sims.operators)}, {settings.sim_swap_ms} ms at most"


CHECKS: dict[str, Check] = {
    "menus": _menus,
    "operators": _operators,
    "callback sources": _sources,
    "ported numbers": _portability,
    "changed SIMs": _sims,
    "USSD gateways": _ussd,
    "rates": _rates,
    "reconciliation": _reconciliation,
    "database": check_database,
    "restore": check_restore,
    "payments under way": check_under_way,
    "tenants": _tenants,
    "PINs": check_pins,
    "staff": _staff,
    "clients": _clients,
    "webhooks": _hooks,
    "people's data": _data_keys,
    "sanctions lists": _lists,
    "redis": _redis,
}
"""What every installation needs; `checks_of` adds the SMS gateways it names, and settlement."""


def checks_of(settings: Settings) -> dict[str, Check]:
    """All checks of one installation, by the names they are told under."""
    gateways = {f"SMS gateway {g}": partial(_sms, gateway=g) for g in settings.sms_gateways}
    return {**CHECKS, **gateways, **settlement_checks(settings)}
