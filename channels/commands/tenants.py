"""`capp tenants`: those of the folder, what is wrong with their files, and opening one.

It moves no money: a tenant begins with accounts at zero, and `capp seed` pays in.
"""

import argparse
import asyncio
from collections.abc import Callable, Iterable, Mapping

import asyncpg

from channels.commands.menus import MENUS, examine_with
from channels.environment import BadSettings, Reader
from channels.messages import build_ports
from channels.settings import Settings
from channels.tenants import FOLDER, Tenant, environment_of, is_street, look_at_files
from engine.clock import Clock
from engine.database import connect
from engine.errors import CappError, NotServed
from engine.ledger.books import open_accounts
from engine.ledger.chart import Account, Kind
from engine.ports import OperatorPort, RateSource, SmsPort
from engine.row_security import look_at, open_tenant
from providers.environment import MissingSettings, SenselessSettings
from providers.http import no_trace
from providers.registry import build_operators, build_rate_sources

Say = Callable[[str], None]

POOL_KINDS = (Kind.POOL_AVAIL, Kind.POOL_HELD)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp tenants`."""
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("list", help="names, numbers and addresses, without asking anything")
    what.add_parser(
        "check", help="files, words, companies' variables and the database's roles; faults of all"
    )
    opening = what.add_parser("open", help="the role and the accounts of one; safe to repeat")
    opening.add_argument("name")


def run_tenants(environment: Mapping[str, str], options: argparse.Namespace, say: Say) -> bool:
    """Whether all is well. Raises BadSettings without a folder, and what connecting raises."""
    if not is_street(environment):
        raise BadSettings(f"{FOLDER}: is missing")
    if options.what == "open":
        return asyncio.run(_open(environment, options.name, say))
    tenants = look_at_files(environment)
    well = not tenants.faults
    for tenant in tenants.sound:
        fault = asyncio.run(_fault_of(tenant)) if options.what == "check" else ""
        well = well and not fault
        say(f"FAULT {tenant.name}: {fault}" if fault else _line(tenant))
    for name, what in tenants.faults.items():
        say(f"FAULT {name}: {what}")
    return well


def _line(tenant: Tenant) -> str:
    settings = tenant.settings
    dialled = ",".join(sorted(settings.shortcodes))
    return f"{tenant.name:20}{settings.tenant:>8}  {dialled:20}  {settings.public_url}"


async def _fault_of(tenant: Tenant) -> str:
    """Why its words, its companies' variables or its connections would not serve it, or nothing.

    No company is called.
    """
    settings = tenant.settings
    if settings.own_menus and (faults := examine_with(MENUS, settings.own_menus).faults):
        return f"{faults[0]} ({len(faults)} faults: `capp menus check`)"
    if lacking := await _lacking(settings):
        return lacking
    try:
        connection = await connect(settings.database_url)
    except NotServed as error:
        return f"{error.__cause__}: `capp tenants open {tenant.name}` makes it, or says who must"
    except (OSError, TimeoutError, asyncpg.PostgresError, CappError) as error:
        return str(error) or type(error).__name__
    try:
        standing = await look_at(connection)
    finally:
        await connection.close()
    if settings.row_security and standing.tenant != settings.tenant:
        return f"{standing.role} does not serve tenant {settings.tenant}"
    return ""


async def _lacking(settings: Settings) -> str:
    """What the adapters of its companies cannot be built without; all of it, or nothing."""
    kinds: tuple[Callable[[], Iterable[OperatorPort | RateSource | SmsPort]], ...] = (
        lambda: _operators(settings).values(),
        lambda: build_rate_sources(settings.environment, names=settings.rates.sources),
        lambda: build_ports(settings, no_trace).values(),
    )
    faults: list[str] = []
    for build in kinds:
        try:
            built = [*build()]
        except (MissingSettings, SenselessSettings) as error:
            faults.append(str(error))
            continue
        for port in built:
            await port.aclose()
    return "; ".join(faults)


def _operators(settings: Settings) -> dict[str, OperatorPort]:
    return build_operators(settings.environment, clock=Clock(), names=settings.operators)


async def _open(environment: Mapping[str, str], name: str, say: Say) -> bool:
    """The role as the tables' owner makes it, then the accounts as the tenant itself opens them."""
    settings = _settings_of(environment, name)
    accounts = _accounts(settings)  # before the role: who lacks a variable is not opened by half
    reader = Reader(environment)
    address = reader.database()
    if reader.faults:
        raise BadSettings("; ".join(reader.faults))
    owner = await asyncpg.connect(address)
    try:
        wanted = await open_tenant(owner, settings.tenant)
    finally:
        await owner.close()
    if wanted:
        say("a user who may make roles has to run, and then this is run again:")
        for line in wanted:
            say(f"  {line}")
        return False
    connection = await connect(settings.database_url)
    try:
        await open_accounts(connection, accounts)
    finally:
        await connection.close()
    say(f"{name} is tenant {settings.tenant}: its role is there, {len(accounts)} accounts are open")
    say(
        f"next: capp --tenant {name} seed FILE (rates, corridors, float), then start web and worker"
    )
    return True


def _settings_of(environment: Mapping[str, str], name: str) -> Settings:
    found = {t.name: t.settings for t in look_at_files(environment).sound}
    if name not in found:
        environment_of(environment, name)  # says what is wrong with it, or that there is none
        raise BadSettings(f"{name}: see `capp tenants check`")
    return found[name]


def _accounts(settings: Settings) -> list[Account]:
    """The float at each operator, and the pool of each currency."""
    facts = [port.facts for port in _operators(settings).values()]
    floats = [Account(settings.tenant, f.currency, Kind.FLOAT, f.code) for f in facts]
    currencies = sorted({f.currency for f in facts})
    return floats + [
        Account(settings.tenant, currency, kind) for currency in currencies for kind in POOL_KINDS
    ]
