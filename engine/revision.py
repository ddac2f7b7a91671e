"""Whether the database's schema is the one this program was written for. It changes nothing.

Told from the names in `migrations/versions`, without Alembic, which takes half a second.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg

from engine.errors import NotServed

MIGRATIONS = Path(__file__).parent.parent / "migrations"
_STANDS_AT = "select version_num from alembic_version"
_LINKS = re.compile(r'^(down_)?revision = "([^"]+)"$', re.MULTILINE)


async def must_be_migrated(connection: Any) -> str:
    """The revision that the schema is at. Raises NotServed for none, and for one of before.

    One that this program does not know is newer: who rolls out runs `capp migrate` first, and
    processes of before may start once more meanwhile.
    """
    try:
        found: str | None = await connection.fetchval(_STANDS_AT)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        found = None  # nothing was made here, or not for this role
    if found is None:
        raise NotServed(
            "the database has no tables of ours: is DATABASE_URL the one that was meant? For a new"
            " one run `capp migrate`"
        )
    before, newest = _known()
    if found in before:
        raise NotServed(
            f"the schema is at {found}, this program wants {newest}: run `capp migrate`"
        )
    return found


def is_known(revision: str) -> bool:
    """Whether this program has that revision; else it is a newer one's."""
    before, newest = _known()
    return revision == newest or revision in before


@cache
def _known() -> tuple[frozenset[str], str]:
    """The revisions that another one follows, and the one that none does."""
    files = (MIGRATIONS / "versions").glob("*.py")
    links = [link for file in files for link in _LINKS.findall(file.read_text("utf-8"))]
    followed = frozenset(name for is_down, name in links if is_down)
    (newest,) = {name for is_down, name in links if not is_down} - followed
    return followed, newest
