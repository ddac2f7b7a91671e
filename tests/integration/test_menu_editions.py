"""`capp menus diff` against an edition that the processes share in Redis."""

import asyncio
import shutil
from pathlib import Path

import pytest

from channels import cli
from engine.menu.bundle import pack_bundle, read_bundle, version_of
from engine.session.editions import RedisShelf
from engine.session.pipeline import open_pipeline
from tests.unit.menu.cases import SOUND


async def put(url: str, folder: Path) -> str:
    bundle = read_bundle(folder)
    pipeline = open_pipeline(url, timeout_seconds=30)
    try:
        await RedisShelf(pipeline).put(version_of(bundle), pack_bundle(bundle))
    finally:
        await pipeline.aclose()
    return version_of(bundle)


def test_a_folder_is_compared_with_an_edition_that_is_served(
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    version = asyncio.run(put(redis_url, SOUND))
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert cli.main(["menus", "diff", version, str(SOUND)]) == 0
    assert capsys.readouterr().out == "no difference\n"
    folder = shutil.copytree(SOUND, tmp_path / "menus")
    links = folder / "deep_links.yaml"
    links.write_text(links.read_text().replace('  "1": send.to\n', ""))
    assert cli.main(["menus", "diff", version, str(folder)]) == 0
    assert capsys.readouterr().out == "links: 1 is no longer in the list\n"


def test_an_edition_nobody_keeps_any_more_is_said_so(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert cli.main(["menus", "diff", "00000000", str(SOUND)]) == 1
    assert "00000000: neither a folder, an edition nor a revision" in capsys.readouterr().err
