"""`capp menus`: prove the menus, draw them, look at a screen, see what a change does to people."""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from redis.exceptions import RedisError

from channels.settings import BadSettings
from channels.tenants import MENUS as OWN_MENUS
from channels.tenants import environment_of, files_of, is_street
from engine.errors import CappError
from engine.menu.bundle import Bundle, laid_out, read_bundle, unpack_bundle
from engine.menu.check import Examined, examine
from engine.menu.difference import Side, compare
from engine.menu.drawing import draw, with_drawing
from engine.menu.networks import Network, Networks
from engine.menu.preview import preview
from engine.menu.schemas import schemas
from engine.session.editions import RedisShelf
from engine.session.pipeline import open_pipeline
from engine.texts import FALLBACK

Say = Callable[[str], None]

MENUS = Path(__file__).parents[2] / "menus"

_VERSION = re.compile(r"[0-9a-f]{16}")
_REVISION = re.compile(r"[A-Za-z0-9_][\w./~^@{}-]*")
"""Never an option: a revision that begins with a dash would be one."""


class NoSuchMenus(CappError):
    """What was to be looked at is not there, or cannot be read; the message says what."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own words."""
    tasks = parser.add_subparsers(dest="task", required=True)
    check = tasks.add_parser("check", help="prove that a folder may be served")
    check.add_argument("folder", nargs="?", type=Path, default=MENUS)
    check.add_argument("--warnings", action="store_true", help="also what only the slow miss")
    _add_own(check)
    graph = tasks.add_parser("graph", help="the journeys as a Mermaid diagram")
    graph.add_argument("journey", nargs="?")
    graph.add_argument("--folder", type=Path, default=MENUS)
    graph.add_argument("--update", metavar="README", type=Path, help="rewrite the block in a file")
    _add_own(graph)
    show = tasks.add_parser("preview", help="screens as the phone shows them")
    show.add_argument("screen", nargs="?", help="e.g. send_money.quote; all without it")
    show.add_argument("--language", default=FALLBACK)
    show.add_argument("--network", default="", metavar="CODE", help="as in networks.yaml")
    values = show.add_mutually_exclusive_group()
    values.add_argument("--widest", action="store_true", help="every variable at its widest")
    values.add_argument("--sample", action="store_true", help="values as they might be (default)")
    show.add_argument("--folder", type=Path, default=MENUS)
    _add_own(show)
    diff = tasks.add_parser("diff", help="what a change does to keys, links and live sessions")
    for side in ("old", "new"):
        diff.add_argument(side, help="a folder, an edition's version or a git revision")
    schema = tasks.add_parser("schema", help="write the JSON schemas for editors")
    schema.add_argument("folder", nargs="?", type=Path, default=MENUS / "schema")


def _add_own(task: argparse.ArgumentParser) -> None:
    task.add_argument(
        "--own", metavar="FOLDER", type=Path,
        help=f"a tenant's menus/ and texts/, laid over them; {OWN_MENUS} if not said",
    )  # fmt: skip


def run_menus(environment: Mapping[str, str], options: argparse.Namespace, say: Say) -> bool:
    """Run one task; whether all is well. Raises NoSuchMenus, OSError."""
    if "own" in options and options.own is None and options.folder == MENUS:
        options.own = _own_of(environment)
    try:
        if options.task == "check":
            return _check(environment, options, say)
        return _TASKS[options.task](options, say)
    except KeyError as error:  # Only the check bears with menus that name what is not there.
        raise NoSuchMenus(f"{error} is missing: see `capp menus check`") from error


def _check(environment: Mapping[str, str], options: argparse.Namespace, say: Say) -> bool:
    """The house's, and in a street what each tenant has of its own, its name before each line."""
    well = [_tell(examine_with(options.folder, options.own), options, say)]
    if options.own is None and options.folder == MENUS and is_street(environment):
        names = [file.stem for file in files_of(environment)]
        well += [_check_tenant(environment, name, options, say) for name in names]
    return all(well)


def _check_tenant(
    environment: Mapping[str, str], name: str, options: argparse.Namespace, say: Say
) -> bool:
    def tell(line: str) -> None:
        say(f"{name}: {line}")

    try:
        own = _own_of(environment_of(environment, name))
        return own is None or _tell(examine_with(MENUS, own), options, tell)
    except (BadSettings, OSError) as error:
        tell(str(error))
        return False


def _own_of(environment: Mapping[str, str]) -> Path | None:
    named = environment.get(OWN_MENUS, "").strip()
    return Path(named) if named else None


def examine_with(folder: Path, own: Path | None) -> Examined:
    """The proof of a folder, with a tenant's own laid over it. Raises OSError for one not there."""
    if own is None:
        return examine(folder)
    with laid_out(read_bundle(folder, own)) as laid:
        return examine(laid)


def _tell(found: Examined, options: argparse.Namespace, say: Say) -> bool:
    for fault in found.faults:
        say(fault)
    if options.warnings:
        for warning in found.warnings:
            say(f"warning: {warning}")
    if found.faults or not (found.menu and found.texts and found.networks):
        say(f"{len(found.faults)} faults: not served")
        return False
    say(
        f"{len(found.menu.screens)} screens in {len(found.texts.languages)} languages on "
        f"{len(found.networks.all)} networks, {len(found.links)} links: sound, "
        f"{len(found.warnings)} warnings"
    )
    return True


def _graph(options: argparse.Namespace, say: Say) -> bool:
    side = _side(examine_with(options.folder, options.own), str(options.folder))
    journeys = {screen.journey for screen in side.menu.screens.values()}
    if options.journey is not None and options.journey not in journeys:
        raise NoSuchMenus(f"no journey {options.journey}: {', '.join(sorted(journeys))}")
    drawing = draw(side.menu, side.texts, options.journey)
    if options.update is None:
        say(drawing.rstrip("\n"))
        return True
    try:
        content = with_drawing(options.update.read_text(encoding="utf-8"), drawing)
    except ValueError as error:
        raise NoSuchMenus(f"{options.update}: {error}") from error
    options.update.write_text(content, encoding="utf-8")
    return True


def _preview(options: argparse.Namespace, say: Say) -> bool:
    found = examine_with(options.folder, options.own)
    side = _side(found, str(options.folder))
    network = _network(found.networks, options.network)
    if options.language not in side.texts.languages:
        raise NoSuchMenus(f"no language {options.language}: {', '.join(side.texts.languages)}")
    names = [options.screen] if options.screen else [*side.menu.screens]
    for name in names:
        if name not in side.menu.screens:
            raise NoSuchMenus(f"no screen {name}")
        screen = side.menu.screens[name]
        for line in preview(side.texts, screen, options.language, network, widest=options.widest):
            say(line)
    return True


def _network(networks: Networks | None, code: str) -> Network:
    if networks is None:
        raise NoSuchMenus("networks.yaml cannot be read")
    return networks.of(code)


def _diff(options: argparse.Namespace, say: Say) -> bool:
    with _menus(options.old) as old, _menus(options.new) as new:
        found = compare(_side(examine(old), options.old), _side(examine(new), options.new))
    for name, lines in zip(found._fields, found, strict=True):
        for line in lines:
            say(f"{name.replace('_', ' ')}: {line}")
    if found.is_nothing:
        say("no difference")
    return not found.links_broken


def _schema(options: argparse.Namespace, say: Say) -> bool:
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, content in schemas().items():
        (options.folder / name).write_bytes(content)
        say(f"{options.folder / name}")
    return True


def _side(found: Examined, what: str) -> Side:
    """Menus that can be read, proved or not. Raises NoSuchMenus."""
    if found.menu is None or found.texts is None:
        raise NoSuchMenus("\n".join([f"{what}: this release cannot read it", *found.faults]))
    return Side(found.menu, found.texts, found.links)


@contextmanager
def _menus(what: str) -> Iterator[Path]:
    """A folder, an edition on the Redis shelf or a git revision, laid out as a folder."""
    if Path(what).is_dir():
        yield Path(what)
        return
    bundle = _on_shelf(what) if _VERSION.fullmatch(what) else None
    with laid_out(bundle or bundle_at(what, MENUS)) as folder:
        yield folder


def _on_shelf(version: str) -> Bundle | None:
    """The edition every process can fetch. None without Redis, or where it is not kept any more."""
    url = os.environ.get("REDIS_URL", "")

    async def fetch() -> bytes | None:
        pipeline = open_pipeline(url)
        try:
            return await RedisShelf(pipeline).get(version)
        finally:
            await pipeline.aclose()

    try:
        packed = asyncio.run(fetch()) if url else None
    except RedisError as error:
        raise NoSuchMenus(f"{version}: Redis: {type(error).__name__}") from error
    return None if packed is None else unpack_bundle(packed)


def bundle_at(revision: str, menus: Path) -> Bundle:
    """The files of a folder as they were committed. Raises NoSuchMenus."""
    nothing = NoSuchMenus(f"{revision}: neither a folder, an edition nor a revision")
    if _REVISION.fullmatch(revision) is None:
        raise nothing

    def git(*arguments: str) -> bytes:
        command = [shutil.which("git") or "git", *arguments]
        try:
            return subprocess.run(
                command, cwd=menus, check=True, capture_output=True, timeout=30
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise nothing from error

    listing = git("ls-tree", "-r", "--name-only", revision, "--", ".").decode()
    paths = [path for path in listing.splitlines() if path.endswith(".yaml")]
    if not paths:
        raise NoSuchMenus(f"{revision}: has no {menus.name}")
    return {path: git("show", f"{revision}:./{path}") for path in paths}


_TASKS: dict[str, Callable[[argparse.Namespace, Say], bool]] = {
    "graph": _graph,
    "preview": _preview,
    "diff": _diff,
    "schema": _schema,
}
