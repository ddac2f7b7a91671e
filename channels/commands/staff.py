"""`capp staff`: who of us may do what over the API, their tokens and sessions, what they did.

Whoever may open this terminal may do all of it; the log says who that was by the system's word. A
token is printed once and stored nowhere.
"""

import argparse
import os
import pwd
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

from channels.privacy import open_sealed_pool
from channels.settings import BadSettings, Settings
from channels.times import stamp_of
from engine.clock import Clock, Ids, is_id
from engine.desk.proposals import Person, read_person
from engine.errors import StaffMistake
from engine.staff.actions import Action, Actions, Logged
from engine.staff.members import (
    SESSION_HOURS,
    SESSION_HOURS_MAX,
    Member,
    MemberId,
    SessionId,
    read_roles,
    write_roles,
)
from engine.staff.sessions import Sessions
from engine.staff.store import StaffStore
from engine.staff.tokens import TokenKeys
from providers.redaction import printable

Say = Callable[[str], None]

LOGIN: Final = Path("/proc/self/loginuid")
NOBODY_LOGGED_IN: Final = 2**32 - 1
"""Linux's word for a process that no login began (proc_pid_loginuid(5))."""


class StaffRoom(NamedTuple):
    """What the commands work with."""

    store: StaffStore
    actions: Actions
    sessions: Sessions | None  # None: no key for tokens is set
    clock: Clock
    ids: Ids
    who: str

    @property
    def now_ms(self) -> int:
        return int(self.clock.epoch() * 1000)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp staff`."""
    words = parser.add_subparsers(dest="word", required=True)
    for word, meaning in (
        ("add", "take somebody on"),
        ("grant", "give roles"),
        ("revoke", "take roles away, at once"),
    ):
        named = words.add_parser(word, help=meaning)
        named.add_argument("name")
        named.add_argument("--roles", required=True, help="support,finance,compliance,admin")
    words.add_parser("list", help="who may do what")
    token = words.add_parser("token", help="open a session and print its token, once")
    token.add_argument("name")
    token.add_argument("--hours", type=int, default=SESSION_HOURS, help=f"1 to {SESSION_HOURS_MAX}")
    words.add_parser("sessions", help="sessions that are open")
    end = words.add_parser("end", help="end a session, or all of somebody's")
    end.add_argument("of", help="a name, or a session's id")
    log = words.add_parser("log", help="what was read or done about something, and by whom")
    log.add_argument("subject", help="a payment's code or id, a proposal's id, an operator, a name")


async def run_staff(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Carry out one command. Raises StaffMistake, BadSettings, and what the pool raises."""
    clock = Clock()
    ids = Ids(clock)
    async with AsyncExitStack() as closing:
        pool = await open_sealed_pool(settings, size=2)
        closing.push_async_callback(pool.close)
        store = StaffStore(pool, settings.tenant)
        sessions = None
        if settings.staff_keys:
            keys = TokenKeys(settings.staff_keys, settings.tenant)
            sessions = Sessions(store=store, keys=keys, clock=clock, ids=ids)
        actions = Actions(pool, settings.tenant, clock, ids)
        room = StaffRoom(store, actions, sessions, clock, ids, f"terminal:{who_is_here()}")
        return await COMMANDS[options.word](room, options, say)


def who_is_here(login: Path = LOGIN) -> str:
    """Who logged in, by the system's word, which `sudo` and `su` do not change; else whose process
    this is. In a container there may be no name for the number.

    Never by LOGNAME or USER: whoever types here sets those, to a colleague's name as well.
    """
    number = _logged_in(login)
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _logged_in(login: Path) -> int:
    try:
        number = int(login.read_text())
    except (OSError, ValueError):  # not Linux, or one that keeps no such thing
        return os.getuid()
    return os.getuid() if number == NOBODY_LOGGED_IN else number


async def _add(room: StaffRoom, options: argparse.Namespace, say: Say) -> bool:
    name, roles = read_person(options.name), read_roles(options.roles)
    async with room.actions.doing(Action(room.who, "add_member", name), write_roles(roles)):
        if not await room.store.add(Member(MemberId(room.ids.hex()), name, roles), room.now_ms):
            raise StaffMistake(f"{name} is one of us already: grant or revoke roles")
    return _say_member(await room.store.member(name), say)


async def _grant(room: StaffRoom, options: argparse.Namespace, say: Say) -> bool:
    name, roles = read_person(options.name), read_roles(options.roles)
    async with room.actions.doing(Action(room.who, "grant_roles", name), write_roles(roles)):
        member = await room.store.grant(name, roles)
    return _say_member(member, say)


async def _revoke(room: StaffRoom, options: argparse.Namespace, say: Say) -> bool:
    name, roles = read_person(options.name), read_roles(options.roles)
    async with room.actions.doing(Action(room.who, "revoke_roles", name), write_roles(roles)):
        member = await room.store.revoke(name, roles)
    return _say_member(member, say)


def _say_member(member: Member, say: Say) -> bool:
    say(f"{member.name}: {write_roles(member.roles) or 'no role'}")
    return True


async def _list(room: StaffRoom, _: argparse.Namespace, say: Say) -> bool:
    for member in await room.store.members():
        _say_member(member, say)
    return True


async def _token(room: StaffRoom, options: argparse.Namespace, say: Say) -> bool:
    if room.sessions is None:
        raise BadSettings("CAPP_STAFF_KEYS: is missing")
    name = read_person(options.name)
    async with room.actions.doing(
        Action(room.who, "open_session", name), f"for {options.hours} hours"
    ):
        token = await room.sessions.open(name, hours=options.hours)
    say(token)
    return True


async def _sessions(room: StaffRoom, _: argparse.Namespace, say: Say) -> bool:
    for session in await room.store.open_sessions(room.now_ms):
        say(
            f"{session.id}  {session.member.name}  {write_roles(session.member.roles) or 'no role'}"
            f"  until {stamp_of(session.expires_ms)}"
        )
    return True


async def _end(room: StaffRoom, options: argparse.Namespace, say: Say) -> bool:
    name: Person | None = read_person(options.of)
    session_id = None
    if is_id(options.of):
        name, session_id = None, SessionId(options.of)
    row = await room.actions.begin(Action(room.who, "end_sessions", options.of))
    ended = await room.store.end_sessions(
        name=name, session_id=session_id, by=room.who, at_ms=room.now_ms
    )
    await room.actions.end(row, f"{ended} ended")
    say(f"{ended} ended")
    return ended > 0


async def _log(room: StaffRoom, options: argparse.Namespace, say: Say) -> bool:
    for logged in reversed(await room.actions.about(options.subject)):
        say(_line(logged))
    return True


def _line(logged: Logged) -> str:
    at = int(logged.id[:12], 16)  # ids are times
    outcome = logged.outcome or "under way, or nobody knows how it ended"
    line = f"{stamp_of(at)}  {logged.action.who}  {logged.action.what}: {outcome}"
    return printable(line, length_max=len(line))


COMMANDS: dict[str, Callable[[StaffRoom, argparse.Namespace, Say], Awaitable[bool]]] = {
    "add": _add,
    "grant": _grant,
    "revoke": _revoke,
    "list": _list,
    "token": _token,
    "sessions": _sessions,
    "end": _end,
    "log": _log,
}
