"""Whoever has another Postgres or Redis at hand has it started in place of those of the wheels."""

from pathlib import Path

import pytest

from simulator import embedded


def command_of(server: embedded.Server) -> str:
    return (
        Path(f"/proc/{server.pid}/cmdline").read_text().split("\0")[0].split(" ")[0]
    )  # Redis adds its port


def test_the_postgres_whose_programs_are_named_is_started(
    servers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = embedded.program("postgres").parent
    named = servers_folder / "named"
    named.symlink_to(usual)
    monkeypatch.setenv("POSTGRES_BIN", str(named))
    assert embedded.program("pg_dump") == named / "pg_dump"
    server = embedded.start_postgres(servers_folder / "of-another")
    try:
        assert command_of(server) == str(named / "postgres")
    finally:
        server.stop()


def test_the_redis_that_is_named_is_started_and_ended_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_SERVER", raising=False)  # it may be a script of somebody's
    named = tmp_path / "another-server"
    named.symlink_to(embedded.redis_program())
    monkeypatch.setenv("REDIS_SERVER", str(named))
    left = embedded.start_redis(tmp_path / "redis")
    try:
        assert command_of(left) == str(named)
        embedded.start_redis(tmp_path / "redis").stop()
        assert left.process.wait(60) is not None
    finally:
        left.stop()
