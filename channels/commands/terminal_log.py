"""Writes down what is done at a terminal, before it is done: what cannot be written is not done.

Who that is comes from the system, and from `--as` where a command has it. The log keeps no number.
"""

import argparse
import re
from collections.abc import Awaitable, Callable

from channels.commands.staff import who_is_here
from channels.commands.terminal import Told
from channels.settings import Settings
from engine.clock import Clock, Ids
from engine.database import open_pool
from engine.desk.proposals import read_person
from engine.errors import StaffMistake
from engine.msisdn import Msisdn
from engine.staff.actions import Action, Actions

BEGUN, DONE, NOT_WELL, REFUSED = "begun", "ok", "not well", "refused"
_NUMBER = re.compile(r"\+[0-9]{6,15}")


async def write_down(
    settings: Settings,
    told: Told,
    words: str,
    options: argparse.Namespace,
    work: Callable[[], Awaitable[bool]],
) -> bool:
    """Do the work, with a row before it and its outcome after it.

    Raises what the work raises, and before it is begun what the database raises. As for all of the
    log, a row without an outcome says that the effect may be there.
    """
    clock = Clock()
    pool = await open_pool(settings.database_url, size=1)
    try:
        actions = Actions(pool, settings.tenant, clock, Ids(clock))
        what, subject = " ".join([words, *_marks(told, options)]), _subject(told, options)
        if about := _field(told, options):
            what, subject = f"{what} {subject}", about
        end = await _begin(actions, Action(_who(options), what, subject), told)
        try:
            is_well = await work()
        except StaffMistake:
            await end(REFUSED)
            raise
        await end(DONE if is_well else NOT_WELL)
        return is_well
    finally:
        await pool.close()


async def _begin(actions: Actions, action: Action, told: Told) -> Callable[[str], Awaitable[None]]:
    if told.is_long:
        await actions.write(action, BEGUN)
        return lambda outcome: actions.write(action, outcome)
    row = await actions.begin(action)
    return lambda outcome: actions.end(row, outcome)


def _marks(told: Told, options: argparse.Namespace) -> list[str]:
    """As they are typed: `--dry-run`, `--tier 2`. A tier of 0 was given too."""
    given = {name: getattr(options, name) for name in told.marks}
    return [
        f"--{name.replace('_', '-')}" + (f" {value}" if name in told.values else "")
        for name, value in given.items()
        if value is not None and value is not False
    ]


def _who(options: argparse.Namespace) -> str:
    here, named = f"terminal:{who_is_here()}", getattr(options, "person", None)
    return f"{here} as {read_person(named)}" if named else here


def _subject(told: Told, options: argparse.Namespace) -> str:
    found = str(getattr(options, told.subject) or "") if told.subject else ""
    return Msisdn(found).masked if _NUMBER.fullmatch(found) else found


def _field(told: Told, options: argparse.Namespace) -> str:
    """`payment=7K2M9QX4TB` among the words: whoever asks about that payment finds the row."""
    words = getattr(options, "fields", ()) if told.field else ()
    given: dict[str, str] = dict(word.partition("=")[::2] for word in words)
    return given.get(told.field, "")
