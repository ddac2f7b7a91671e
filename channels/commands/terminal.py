"""What is written down of the commands that are typed at a terminal: a line of this table for each.

What shows or changes something about people or money leaves its row in the log of staff's actions.
It imports nothing of ours, for every command reads it; who writes is `terminal_log.py`.
"""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Told(NamedTuple):
    """A row: what was done, and about what. `subject` names the argument that says so.

    `is_long`: it may outlast the time in which an outcome can be written, so its end is a row too.
    `marks` are arguments that make it another deed; that one was given is told, never its value,
    unless it is one of `values`, which hold nothing of anybody: a tier, not a name.
    `field`: of words like FIELD=VALUE the one whose value it is about, where it is given; the
    subject is then a part of what was done.
    """

    subject: str = ""
    is_long: bool = False
    marks: tuple[str, ...] = ()
    field: str = ""
    values: tuple[str, ...] = ()


class TellsItself(NamedTuple):
    """It writes rows of its own, under the names that the API gives the same deeds."""


class Silent(NamedTuple):
    """It shows and changes nothing about people or money; `why` says what instead."""

    why: str


Line = Told | TellsItself | Silent

TOLD, ITSELF = Told(), TellsItself()
_SERVES = Silent("a process: what is asked of it is written down where it is asked")
_MENUS = Silent("files of menus; no database is opened")
_KEYS = Silent("keys of development, in files")

LINES: Mapping[str, Line] = {
    "serve": _SERVES,
    "worker": _SERVES,
    "migrate": Silent("tables, before there may be a log"),
    "seed": TOLD,
    "books": Told("account", marks=("entry",)),
    "audit": Told("verify", is_long=True),
    "rates": Told("confirm"),
    "decisions": Told("payment"),
    "lists load": Told("kind", is_long=True),
    "lists show": Silent("which public lists are in force"),
    "lists check": TOLD,
    "customer": Told("who", marks=("tier", "name", "born", "sim"), values=("tier",)),
    "data keys": Silent("which keys there are, none of them, and nobody's data"),
    "data retain": Told(is_long=True, marks=("dry_run",)),
    "data rewrap": TOLD,
    "data seal": Told(is_long=True),
    "data rotate": Told(is_long=True),
    "payins register": Told("operator"),
    "payins list": TOLD,
    "ported": Told("msisdn", marks=("operator", "forget")),
    "report": Told("kind"),
    "staff add": ITSELF,
    "staff grant": ITSELF,
    "staff revoke": ITSELF,
    "staff list": TOLD,
    "staff token": ITSELF,
    "staff sessions": TOLD,
    "staff end": ITSELF,
    "staff log": Told("subject"),
    "api-keys create": ITSELF,
    "api-keys list": TOLD,
    "api-keys rotate": ITSELF,
    "api-keys revoke": ITSELF,
    "statements take": Told("operator"),
    "statements fees": Told("operator", marks=("person",)),
    "statements report": TOLD,
    "statements look": TOLD,
    "hooks add": ITSELF,
    "hooks list": TOLD,
    "hooks pause": ITSELF,
    "hooks resume": ITSELF,
    "hooks remove": ITSELF,
    "hooks deliveries": Told("id"),
    "hooks resend": ITSELF,
    "hooks rotate": ITSELF,
    "hooks reseal": ITSELF,
    "menus check": _MENUS,
    "menus graph": _MENUS,
    "menus preview": _MENUS,
    "menus diff": Silent("files of menus, and how many sessions a change would meet"),
    "menus schema": _MENUS,
    "sessions": Silent("how many sessions ended at which screen, nobody's by name"),
    "messages": TOLD,
    "traffic": Told("payment", marks=("whole",)),
    "provision": Silent("credentials of a sandbox, into a file"),
    "keys create": _KEYS,
    "keys show": _KEYS,
    "settlement": TOLD,
    "settlement show": TOLD,
    "settlement batches": Told("corridor"),
    "settlement batch": Told("batch"),
    "settlement close": Told("corridor"),
    "settlement approve": Told("batch"),
    "settlement take-up": Told("batch"),
    "settlement provided": Told("operator"),
    "settlement dispute open": Told("payment"),
    "settlement dispute answer": Told("dispute"),
    "settlement dispute rule": Told("dispute"),
    "settlement dispute refund": Told("dispute"),
    "receipt": Told("payment"),
    "verify": Silent("a receipt that its holder has, against the chain alone"),
    "addresses": Silent("addresses to register with operators"),
    "tenants list": Silent("names of tenants, from files"),
    "tenants check": Silent("roles of the database"),
    "tenants open": Silent("a role, and accounts at zero, before there may be a log"),
    "doctor": Silent("settings and connections"),
    "pools": TOLD,
    "liquidity set": Told("account"),
    "rebalance": Told(marks=("person",)),
    "propose": Told("kind", field="payment"),
    "proposals": TOLD,
    "approve": Told("id"),
    "reject": Told("id"),
    "seen": Told("id"),
    "cases": Told("kind"),
    "take": Told("key"),
    "close": Told("key"),
}
"""Every command with its words. A test walks all that can be typed, so that none is forgotten."""


def words_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """The command with its words, as they were typed: `staff list`."""
    words = []
    while (choice := _choice(parser)) is not None:
        word = getattr(options, choice.dest)
        if word is None:
            break  # one that may be typed alone
        words.append(word)
        parser = choice.choices[word]
    return " ".join(words)


def all_words(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Everything that can be typed: each command with each of its words."""
    choice = _choice(parser)
    if choice is None:
        yield ""
        return
    if not choice.required:
        yield ""
    for word, below in choice.choices.items():
        for rest in all_words(below):
            yield f"{word} {rest}".strip()


def _choice(parser: argparse.ArgumentParser) -> Any:
    """What argparse's `add_subparsers` gave, if anything."""
    return next((each for each in parser._actions if isinstance(each, _Words)), None)


_Words = argparse._SubParsersAction
