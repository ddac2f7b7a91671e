"""A street as it is served: two tenants of one database and one Redis, over real HTTP."""

import asyncio
import hashlib
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from channels.settings import Settings
from channels.street import Street
from channels.tenants import FOLDER, Tenants, read_tenants
from channels.web.server import Connection
from engine.clients.clients import Scope
from engine.clients.keys import KeyMacs
from engine.clients.proving import Keys
from engine.clients.store import ClientStore
from engine.clock import Clock, Ids, SystemRandom
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.database import open_pool
from engine.desk.proposals import Person
from engine.msisdn import Msisdn
from engine.row_security import open_tenant
from engine.staff.members import Member, MemberId, Role
from engine.staff.sessions import Sessions
from engine.staff.store import StaffStore
from engine.staff.tokens import TokenKeys

NUMBERS = {"duka": 21, "soko": 22}
PHONE = Msisdn("+254712000001")
LANGUAGES = {"duka": "en", "soko": "fr"}
NOWHERE = "http://127.0.0.1:1"
HANGS_SECONDS = 600.0
"""Two houses open in seconds; where thirty programs had two cores it took five minutes."""


def drawn(*words: str) -> str:
    """A key as good as a random one, the same in every run."""
    return hashlib.sha256(" ".join(words).encode()).hexdigest()


def house_environment(database_url: str, redis_url: str, folder: Path) -> dict[str, str]:
    """What the process is started with; no secret of a tenant is in it."""
    return {
        FOLDER: str(folder),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "CAPP_PUBLIC_URL": "http://127.0.0.1",
        "CAPP_OPERATORS": "mtn_ug",
        "CAPP_MTN_UG_BASE_URL": NOWHERE,
        "CAPP_AFRICASTALKING_BASE_URL": NOWHERE,
        "CAPP_METRICS_TOKEN": drawn("metrics"),
        **{f"CAPP_API_{name}": "1000000" for name in (
            "ADDRESS_PER_MINUTE", "MEMBER_PER_MINUTE", "UNPROVEN_PER_5_MINUTES",
            "CLIENT_ADDRESS_PER_MINUTE", "CLIENT_KEY_PER_MINUTE", "CLIENT_TENANT_PER_MINUTE",
            "CLIENT_PAYER_PER_10_MINUTES")},
    }  # fmt: skip


def file_of(name: str, number: int) -> dict[str, str]:
    """What one tenant's file says."""
    return {
        "CAPP_TENANT": str(number),
        "CAPP_SHORTCODES": f"*384*{number}#",
        "CAPP_PIN_KEYS": f"1:{drawn(name, 'pin')}",
        "CAPP_CALLBACK_KEYS": drawn(name, "callback"),
        "CAPP_SESSION_KEY": drawn(name, "session"),
        "CAPP_GATEWAY_TOKEN": drawn(name, "gateway"),
        "CAPP_STAFF_KEYS": f"1:{drawn(name, 'staff')}",
        "CAPP_CLIENT_KEYS": f"1:{drawn(name, 'client')}",
        "CAPP_WEBHOOK_KEYS": f"1:{drawn(name, 'webhook')}",
        "CAPP_INSPECT_TOKEN": drawn(name, "inspect"),
        "CAPP_MTN_UG_API_USER": "00000000-0000-4000-8000-000000000000",
        **{f"CAPP_MTN_UG_{key}": drawn(name, key)[:32] for key in (
            "API_KEY", "COLLECTION_KEY", "DISBURSEMENT_KEY")},
        **{f"CAPP_AFRICASTALKING_{key}": name for key in ("USERNAME", "API_KEY", "SENDER")},
    }  # fmt: skip


def write_files(folder: Path, **files: Mapping[str, str]) -> Path:
    """`<name>.env` each."""
    for name, variables in files.items():
        lines = [f"{variable}={value}" for variable, value in variables.items()]
        (folder / f"{name}.env").write_text("# ours\n\n" + "\n".join(lines) + "\n")
        (folder / f"{name}.env").chmod(0o600)
    return folder


async def open_roles(database_url: str, *numbers: int) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for number in numbers:
            assert await open_tenant(connection, number) == []
    finally:
        await connection.close()


@dataclass
class StreetRoom:
    """The running street, its tenants' settings, and who may do what with each."""

    client: httpx.Client
    settings: dict[str, Settings]
    staff: dict[str, dict[str, str]]  # tokens, by tenant and role
    keys: dict[str, str]  # of a client with every scope, by tenant
    street: Street

    def routes(self, name: str) -> list[BaseRoute]:
        """Everything that this tenant's application answers, as it was put together."""
        guards = self.street._houses[name]._site.app
        assert isinstance(guards._app, Starlette)
        return list(guards._app.router.routes)

    def dial(
        self, name: str, *, session: str, text: str = "", token_of: str = ""
    ) -> httpx.Response:
        """One turn by Africa's Talking at one tenant's address."""
        token = self.settings[token_of or name].token_of("africastalking")
        form = {
            "sessionId": session, "phoneNumber": str(PHONE), "networkCode": "63902",
            "serviceCode": self.settings[name].shortcode, "text": text,
        }  # fmt: skip
        return self.client.post(f"/t/{name}/ussd/africastalking/{token}", data=form)


@contextmanager
def serving(build: Callable[[], ASGIApp]) -> Iterator[str]:
    """The address of a server that runs it, once every house is ready."""
    config = uvicorn.Config(build(), port=0, http=Connection, log_config=None, loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield _url(server, thread)
    finally:
        server.should_exit = True
        # Who never came to its start never looks at that: waiting would hide why.
        thread.join(HANGS_SECONDS if server.started else 0)


def _url(server: uvicorn.Server, thread: threading.Thread) -> str:
    deadline = time.monotonic() + HANGS_SECONDS
    while thread.is_alive() and time.monotonic() < deadline:
        if server.started:
            return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        time.sleep(0.02)
    stands = sys._current_frames().get(thread.ident or 0)
    where = "".join(traceback.format_stack(stands)) if stands else "its thread has ended"
    raise TimeoutError(f"the server does not answer: {where}")


@contextmanager
def open_street(tenants: Tenants) -> Iterator[httpx.Client]:
    with _running(Street(tenants.sound, is_strict=False)) as client:
        yield client


@contextmanager
def _running(street: Street) -> Iterator[httpx.Client]:
    with (
        serving(lambda: street) as url,
        httpx.Client(base_url=url, trust_env=False, verify=False, timeout=60) as client,
    ):
        yield client


@contextmanager
def open_street_room(
    database_url: str,
    redis_url: str,
    folder: Path,
    *,
    numbers: Mapping[str, int] = NUMBERS,
    also: Mapping[str, str] | None = None,
    prepare: Callable[[Settings], Coroutine[Any, Any, None]] | None = None,
) -> Iterator[StreetRoom]:
    """`also` stands in each file too; `prepare` is done for each before the street opens."""
    asyncio.run(open_roles(database_url, *numbers.values()))
    write_files(
        folder, **{name: {**file_of(name, n), **(also or {})} for name, n in numbers.items()}
    )
    tenants = read_tenants(house_environment(database_url, redis_url, folder))
    settings = {tenant.name: tenant.settings for tenant in tenants.sound}
    taken_on = asyncio.run(_take_on(settings))
    if prepare is not None:
        for own in settings.values():
            asyncio.run(prepare(own))
    street = Street(tenants.sound, is_strict=False)
    with _running(street) as client:
        yield StreetRoom(client, settings, *taken_on, street)


async def _take_on(
    settings: Mapping[str, Settings],
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """The same phone as a customer of both, and of each its own staff and client."""
    staff, keys = {}, {}
    for name, own in settings.items():
        pool = await open_pool(own.database_url, size=1)
        staff[name] = await _staff(pool, own)
        keys[name] = await _client(pool, own)
        await _customer(pool, own, LANGUAGES[name])
        await pool.close()
    return staff, keys


async def _staff(pool: Any, own: Settings) -> dict[str, str]:
    clock = Clock()
    ids, store = Ids(clock), StaffStore(pool, own.tenant)
    tokens = TokenKeys(own.staff_keys, own.tenant)
    sessions = Sessions(store=store, keys=tokens, clock=clock, ids=ids)
    opened = {}
    for role in Role:
        member = Member(MemberId(ids.hex()), Person(role.value), frozenset({role}))
        await store.add(member, int(clock.epoch()) * 1000)
        opened[role.value] = await sessions.open(role.value)
    return opened


async def _client(pool: Any, own: Settings) -> str:
    clock = Clock()
    keys = Keys(
        store=ClientStore(pool, own.tenant), macs=KeyMacs(own.client_keys, own.tenant),
        clock=clock, ids=Ids(clock), random=SystemRandom(),
    )  # fmt: skip
    return (await keys.create("shop", Scope))[1]


async def _customer(pool: Any, own: Settings, language: str) -> None:
    clock = Clock()
    customers = Customers(
        pool, own.tenant, PinKeys(own.pin_keys), Ids(clock), clock,
        cool_down_seconds=1, languages=("en", "fr"),
    )  # fmt: skip
    await customers.register(PHONE, "KE", language, "4826")
