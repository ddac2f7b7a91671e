"""The tenants of one installation: a file each, `<name>.env`, over the process's own environment.

Beside it may stand a folder `<name>`: what the tenant's customers read otherwise than the house's.

It refuses to know what a setting means. It knows which are the process's and no tenant's, which a
tenant never has from anybody else, and what two tenants must not have both.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from channels.secrecy import drawn_parts, is_a_houses_own, with_files
from channels.settings import BadSettings, Settings, read_settings

FOLDER: Final = "CAPP_TENANTS_FOLDER"
NAME: Final = "CAPP_TENANT_NAME"
MENUS: Final = "CAPP_MENUS_FOLDER"
PLACE: Final = "/t/"
"""Below it and its name a tenant is found, whatever the host is called."""
FILE_BYTES_MAX: Final = 64 * 1024

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_SERVERS: Final = frozenset({"DATABASE_URL", "REDIS_URL", "DATABASE_URL_FILE", "REDIS_URL_FILE"})
_OF_THE_PROCESS: Final = re.compile(
    r"CAPP_(?:MODE|LOG_FORM|SENTRY_DSN(?:_FILE)?|ENVIRONMENT|TLS_[A-Z_]+|HTTP_[A-Z_]+"
    r"|TENANTS_FOLDER|TENANT_NAME|TRACES)"
)
"""One process has one of each, whomever it serves."""
_OWN: Final = frozenset({"CAPP_TENANT", "CAPP_SHORTCODES", "CAPP_WORKER_METRICS_PORT", MENUS})
"""Beside secrets: what a tenant says itself, or has not."""
_WATCHERS: Final = "CAPP_METRICS_TOKEN"
"""Whoever watches the installation may have one for all of its tenants."""


class Tenant(NamedTuple):
    """One tenant as its file says. `hosts`: names that are its alone."""

    name: str
    hosts: frozenset[str]
    settings: Settings


class Tenants(NamedTuple):
    """Those that can be served, by name, and what is wrong with the files of the others."""

    sound: tuple[Tenant, ...]
    faults: Mapping[str, str]


def is_street(environment: Mapping[str, str]) -> bool:
    """Whether the process serves the tenants of a folder."""
    return bool(environment.get(FOLDER, "").strip())


def read_tenants(environment: Mapping[str, str]) -> Tenants:
    """Those to be served. In production one fault is too many, and elsewhere it leaves one out.

    Raises BadSettings, which names every fault of every file at once, then, and where nobody is
    left. No value is repeated.
    """
    tenants = look_at_files(environment)
    is_production = environment.get("CAPP_MODE", "").strip() == "production"
    if tenants.faults and (is_production or not tenants.sound):
        told = (f"{name}: {what}" for name, what in tenants.faults.items())
        raise BadSettings(" | ".join(told))
    return tenants


def look_at_files(environment: Mapping[str, str]) -> Tenants:
    """Every tenant of the folder, those with a fault apart. Of two alike the first is sound.

    Raises BadSettings only for a folder without files.
    """
    sound: list[Tenant] = []
    faults: dict[str, str] = {}
    taken: dict[object, str] = {}
    for file in files_of(environment):
        try:
            tenant = _read_tenant(environment, file)
            _refuse_twins(tenant, taken)
        except BadSettings as error:
            faults[file.name] = str(error)
            continue
        sound.append(tenant)
    return Tenants(tuple(sound), faults)


def files_of(environment: Mapping[str, str]) -> list[Path]:
    """By name. Raises BadSettings for a folder without any."""
    files = sorted(Path(environment[FOLDER].strip()).glob("*.env"))
    if not files:
        raise BadSettings(f"{FOLDER}: holds no <name>.env")
    return files


def environment_of(environment: Mapping[str, str], name: str) -> dict[str, str]:
    """What a process that serves this tenant alone would be started with, files of secrets read.

    Raises BadSettings for an unknown name, and for what is wrong with its file.
    """
    files = {file.stem: file for file in files_of(environment)}
    if name not in files:
        raise BadSettings(f"--tenant: there is no {name!r}; there are {', '.join(files)}")
    return _environment_of(environment, files[name])


def _environment_of(environment: Mapping[str, str], file: Path) -> dict[str, str]:
    name = file.stem
    if not _NAME.fullmatch(name):
        raise BadSettings("a tenant's name is up to 31 small letters, digits and -, a letter first")
    own = _read_file(file)
    if strange := sorted(n for n in own if not _is_a_tenants(n)):
        raise BadSettings(f"{', '.join(strange)}: not a tenant's to set, but the process's")
    for variable in _overlaid(own):
        if variable in own and f"{variable}_FILE" in own:
            raise BadSettings(f"{variable}_FILE: {variable} is set as well")
    kept = {n: v for n, v in environment.items() if _is_inherited(n) and n not in _overlaid(own)}
    address = environment.get("CAPP_PUBLIC_URL", "").strip().rstrip("/")
    public = {"CAPP_PUBLIC_URL": f"{address}{PLACE}{name}"} if address else {}
    beside = file.with_suffix("")
    menus = {MENUS: str(beside)} if beside.is_dir() else {}
    return with_files({**kept, **public, **menus, **own, NAME: name})


def _read_tenant(environment: Mapping[str, str], file: Path) -> Tenant:
    given = _environment_of(environment, file)
    faults = []
    if not given.get("CAPP_TENANT", "").strip():
        faults.append("CAPP_TENANT: is missing")
    if given.get("CAPP_MODE", "").strip() == "production" and file.stat().st_mode & 0o077:
        faults.append("the file can be read by others: chmod 600")
    settings: Settings | None = None
    try:
        settings = read_settings(given)
    except BadSettings as error:
        faults.append(str(error))
    if settings is None or faults:
        raise BadSettings("; ".join(faults))
    hosts = settings.edges.hosts if "CAPP_HOSTS" in _read_file(file) else frozenset[str]()
    tenant = Tenant(file.stem, hosts, settings)
    _refuse_lost(tenant)
    return tenant


def _refuse_lost(tenant: Tenant) -> None:
    """What is called back must come to the tenant that gave the address."""
    address = urlsplit(tenant.settings.public_url)
    is_by_host = not address.path and (address.hostname or "") in tenant.hosts
    if not is_by_host and address.path != PLACE + tenant.name:
        raise BadSettings(
            f"CAPP_PUBLIC_URL: leads elsewhere; end it with {PLACE}{tenant.name}, or have it be"
            " a host that CAPP_HOSTS names"
        )


def _refuse_twins(tenant: Tenant, taken: dict[object, str]) -> None:
    """`taken`: whose each thing is; what this tenant has is added when all of it is its own."""
    has = {thing: variable for variable, thing in _only_one_has(tenant)}
    twins = {f"{has[thing]}: is also {taken[thing]}'s" for thing in has if thing in taken}
    if twins:
        raise BadSettings("; ".join(sorted(twins)))
    taken.update(dict.fromkeys(has, tenant.name))


def _only_one_has(tenant: Tenant) -> Iterator[tuple[str, object]]:
    """Variables, and what no second tenant may have, whatever it calls it."""
    settings = tenant.settings
    yield "CAPP_TENANT", ("tenant", settings.tenant)
    for host in tenant.hosts:
        yield "CAPP_HOSTS", ("host", host)
    if port := settings.watching.worker_metrics_port:
        yield "CAPP_WORKER_METRICS_PORT", ("port", port)
    for name, part in drawn_parts(settings.environment):
        if name != _WATCHERS:
            yield name, ("secret", part)


def _is_a_tenants(variable: str) -> bool:
    if variable in _SERVERS:
        return True
    return variable.startswith("CAPP_") and not _OF_THE_PROCESS.fullmatch(variable)


def _is_inherited(variable: str) -> bool:
    if variable in _OWN or variable in (FOLDER, NAME):
        return False
    return variable.removesuffix("_FILE") == _WATCHERS or not is_a_houses_own(variable)


def _overlaid(own: Mapping[str, str]) -> frozenset[str]:
    """A secret in a file takes the place of the same one in the environment, and the other way."""
    bare = {name.removesuffix("_FILE") for name in own}
    return frozenset(bare | {f"{name}_FILE" for name in bare})


def _read_file(file: Path) -> dict[str, str]:
    """Lines of NAME=VALUE; empty ones and those that begin with # say nothing.

    A value is what stands there, without the blanks around it: quotes are part of it. Raises
    BadSettings, which names lines by their numbers.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(FILE_BYTES_MAX + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings("the file cannot be read") from error
    if len(text) > FILE_BYTES_MAX:
        raise BadSettings("the file is too large")
    found: dict[str, str] = {}
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _VARIABLE.fullmatch(name):
            faults.append(f"line {number}: wants NAME=VALUE")
        elif name in found:
            faults.append(f"line {number}: {name} stands there twice")
        found[name] = value
    if faults:
        raise BadSettings("; ".join(faults))
    return found
