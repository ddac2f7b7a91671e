"""`capp tenants` and `--tenant`: a file becomes a tenant with books of its own."""

import argparse
import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from channels.commands.tenants import run_tenants
from channels.settings import BadSettings
from providers.environment import MissingSettings
from tests.integration.street_room import file_of, house_environment, write_files

pytestmark = pytest.mark.long("commands at each of their turns")

PROJECT = Path(__file__).parents[2]


def run(environment: dict[str, str], *words: str) -> tuple[bool, list[str]]:
    said: list[str] = []
    options = argparse.Namespace(what=words[0], name=words[-1])
    return run_tenants(environment, options, said.append), said


def rows(database_url: str, sql: str) -> list[tuple[int, int]]:
    async def ask() -> list[tuple[int, int]]:
        owner = await asyncpg.connect(database_url)
        try:
            return [tuple(row) for row in await owner.fetch(sql)]
        finally:
            await owner.close()

    return asyncio.run(ask())


def test_opening_makes_role_and_accounts_at_zero_and_may_be_repeated(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    write_files(tmp_path, duka=file_of("duka", 31), soko=file_of("soko", 32))
    environment = house_environment(database_url, redis_url, tmp_path)
    for _ in range(2):
        well, said = run(environment, "open", "duka")
        assert well and said[0].startswith("duka is tenant 31")
        found = rows(database_url, "select id >> 42, amount from balance")
        assert found == [(31, 0)] * 3  # the float at the operator; what is free, what is promised
    (role,) = rows(
        database_url, "select 1, count(*)::int from pg_roles where rolname='capp_tenant_31'"
    )
    assert role == (1, 1)
    well, said = run(environment, "list", "")
    assert well and [line.split()[:3] for line in said] == [
        ["duka", "31", "*384*31#"], ["soko", "32", "*384*32#"],
    ]  # fmt: skip


def test_check_tells_of_a_missing_role_and_of_a_broken_file(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    write_files(tmp_path, duka=file_of("duka", 33), soko=file_of("soko", 933), torn={})
    environment = house_environment(database_url, redis_url, tmp_path)
    run(environment, "open", "duka")
    well, said = run(environment, "check", "")
    assert not well
    assert said[0].startswith("duka ")
    assert said[1].startswith("FAULT soko: ") and "capp_tenant_933" in said[1]
    assert said[2].startswith("FAULT torn.env: CAPP_TENANT: is missing")


def test_check_tells_of_a_company_that_cannot_be_called_and_open_makes_nothing_by_half(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """Its web process would leave it out: what its file lacks is told before anybody starts it."""
    lacking = ("CAPP_MTN_UG_API_KEY", "CAPP_AFRICASTALKING_API_KEY")
    write_files(tmp_path, duka={**file_of("duka", 36), **dict.fromkeys(lacking, "")})
    environment = house_environment(database_url, redis_url, tmp_path)
    well, said = run(environment, "check", "")
    assert not well and said[0].startswith("FAULT duka: missing in the environment: ")
    assert all(name in said[0] for name in lacking)
    with pytest.raises(MissingSettings):
        run(environment, "open", "duka")
    assert rows(database_url, "select 1, count(*)::int from balance") == [(1, 0)]


def test_check_says_how_a_role_is_made(database_url: str, redis_url: str, tmp_path: Path) -> None:
    write_files(tmp_path, duka=file_of("duka", 937))
    environment = house_environment(database_url, redis_url, tmp_path)
    _, said = run(environment, "check", "")
    assert "capp_tenant_937" in said[0] and "`capp tenants open duka` makes it" in said[0]
    assert "capp migrate" not in said[0]


def test_nobody_unknown_is_opened(database_url: str, redis_url: str, tmp_path: Path) -> None:
    write_files(tmp_path, duka=file_of("duka", 33), torn={})
    environment = house_environment(database_url, redis_url, tmp_path)
    with pytest.raises(BadSettings, match="there is no 'soko'"):
        run(environment, "open", "soko")
    with pytest.raises(BadSettings, match="torn"):
        run(environment, "open", "torn")


def capp(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith("CAPP_")}
    return subprocess.run(
        [sys.executable, "-m", "channels.cli", *words], cwd=PROJECT, env={**kept, **environment},
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip


def test_a_command_must_say_whose_and_sees_that_ones_alone(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """A tenant may be called as a command is."""
    write_files(tmp_path, books=file_of("books", 34), soko=file_of("soko", 35))
    environment = house_environment(database_url, redis_url, tmp_path)
    assert run(environment, "open", "books")[0] and run(environment, "open", "soko")[0]
    lost = capp(environment, "staff", "list")
    assert (lost.returncode, "--tenant: is missing" in lost.stderr) == (2, True)
    added = capp(environment, "--tenant", "books", "staff", "add", "asha", "--roles", "support")
    assert added.returncode == 0, added.stderr
    assert "asha" not in capp(environment, "--tenant", "soko", "staff", "list").stdout
    assert rows(database_url, "select tenant, 1 from staff_member") == [(34, 1)]
