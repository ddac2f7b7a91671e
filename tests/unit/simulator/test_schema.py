"""Kept demo data goes on being used exactly as long as its migrations stand."""

from pathlib import Path

import pytest

from simulator import schema


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "migrations" / "sql").mkdir(parents=True)
    (tmp_path / "migrations" / "sql" / "0001.sql").write_text("create table a ();")
    monkeypatch.setattr(schema, "MIGRATIONS", tmp_path / "migrations")
    (tmp_path / "data").mkdir()
    return tmp_path


def keep(folder: Path) -> Path:
    kept = folder / "data" / "postgres"
    kept.mkdir(exist_ok=True)
    return kept


def test_the_first_start_has_nothing_to_forget(folder: Path) -> None:
    assert not schema.forget_other(folder / "data", "postgres")


def test_data_of_the_same_or_of_fewer_migrations_is_kept(folder: Path) -> None:
    schema.forget_other(folder / "data", "postgres")
    kept = keep(folder)
    assert not schema.forget_other(folder / "data", "postgres")
    (folder / "migrations" / "sql" / "0002.sql").write_text("create table b ();")
    assert not schema.forget_other(folder / "data", "postgres")
    assert kept.exists()


def test_data_of_a_migration_that_changed_is_dropped_once(folder: Path) -> None:
    schema.forget_other(folder / "data", "postgres")
    kept = keep(folder)
    (folder / "migrations" / "sql" / "0001.sql").write_text("create table a (id int);")
    assert schema.forget_other(folder / "data", "postgres")
    assert not kept.exists()
    keep(folder)
    assert not schema.forget_other(folder / "data", "postgres")


def test_data_that_nothing_is_known_of_is_dropped(folder: Path) -> None:
    kept = keep(folder)
    assert schema.forget_other(folder / "data", "postgres")
    assert not kept.exists()
