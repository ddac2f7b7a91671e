"""Editions of `menus/`: a session stays with the one it began with, new ones take the newest.

A changed folder is read, proved and put beside the old edition; a broken change is refused and the
old one goes on. Editions lie in Redis too, so that any process can finish a session of any other.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from redis.exceptions import RedisError

from engine.menu.bundle import (
    Bundle,
    laid_out,
    pack_bundle,
    read_bundle,
    unpack_bundle,
    version_of,
)
from engine.menu.check import adopt_texts, load_menu, load_texts
from engine.menu.networks import BrokenNetworks, Networks
from engine.menu.screens import BrokenMenu, Menu
from engine.outages import nameable
from engine.session.press import Verb
from engine.session.render import Renderer
from engine.session.rooms import Words
from engine.session.session import Session
from engine.session.steps import LateWork, Steps
from engine.session.store import Pipeline
from engine.texts import BrokenTexts, Texts

KEPT_SECONDS = 86_400
"""Longer than any session; every process puts its edition there again well before."""
REPUBLISH_SECONDS = 3_600
UNKNOWN_SECONDS = 30
"""How long nobody asks again for an edition that could not be found."""
EDITIONS_MAX = 8

BROKEN = (BrokenMenu, BrokenTexts, BrokenNetworks, OSError, ValueError)

BuildVerbs = Callable[[Words], Mapping[str, Verb]]

_log = logging.getLogger(__name__)


class Edition(NamedTuple):
    """One version of everything in `menus/`, proved and ready to serve."""

    version: str
    menu: Menu
    texts: Texts
    networks: Networks
    steps: Steps
    renderer: Renderer

    def asks_consent(self, session: Session) -> bool:
        """Whether the session stands where something is shown and agreed to."""
        return self.menu.screens[session.screen].kind == "confirm"


class Binder:
    """Makes an edition of a bundle: reads it, proves it, and binds its verbs to the rooms."""

    def __init__(
        self,
        build_verbs: BuildVerbs,
        late: LateWork,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        read: Mapping[str, Texts] = MappingProxyType({}),
    ) -> None:
        """`read`: texts that somebody has read and proved already, by the version they are of."""
        self._build_verbs = build_verbs
        self._late = late
        self._monotonic = monotonic
        self._read = read

    def bind(self, bundle: Bundle) -> Edition:
        """Takes tenths of a second: not for the event loop. Raises one of BROKEN."""
        version = version_of(bundle)
        with laid_out(bundle) as folder:
            texts = self._read.get(version) or load_texts(folder)
            networks = Networks.load(folder / "networks.yaml")
            menu = load_menu(folder, texts, networks)
        return self._bound(version, menu, texts, networks)

    def adopt(self, bundle: Bundle, ours: Bundle) -> Edition:
        """An edition of another process. One of another release is proved in the words of `ours`.

        Its screens and ways stay as they are; where a verb, a list or a fact of it is none of ours
        it cannot be served. As slow as `bind`, and twice as slow as that. Raises one of BROKEN.
        """
        try:
            return self.bind(bundle)
        except (BrokenMenu, BrokenTexts) as broken:
            _log.info("an edition of another release: %s", broken)
        with laid_out(bundle) as folder, laid_out(ours) as home:
            texts = adopt_texts(folder, home)
            networks = Networks.load(folder / "networks.yaml")
            menu = load_menu(folder, texts, networks, is_adopted=True)
        return self._bound(version_of(bundle), menu, texts, networks)

    def _bound(self, version: str, menu: Menu, texts: Texts, networks: Networks) -> Edition:
        steps = Steps(menu, texts, self._build_verbs(texts), self._late, self._monotonic)
        return Edition(version, menu, texts, networks, steps, Renderer(menu, texts))


class Shelf(Protocol):
    """Where editions lie for other processes."""

    async def put(self, version: str, packed: bytes) -> None: ...

    async def get(self, version: str) -> bytes | None: ...


class RedisShelf:
    """A shelf in Redis. Both methods raise a RedisError; both may be repeated."""

    def __init__(self, redis: Pipeline) -> None:
        self._redis = redis

    async def put(self, version: str, packed: bytes) -> None:
        await self._redis.execute("SET", f"capp:menus:{version}", packed, "EX", KEPT_SECONDS)

    async def get(self, version: str) -> bytes | None:
        found: bytes | None = await self._redis.execute("GET", f"capp:menus:{version}")
        return found


class Editions:
    """The newest edition, and those that live sessions still hold on to."""

    def __init__(
        self,
        bundle: Bundle,
        binder: Binder,
        shelf: Shelf,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises one of BROKEN when the first bundle is: nothing is served then."""
        self._binder = binder
        self._shelf = shelf
        self._monotonic = monotonic
        self._bundle = bundle
        self.current = binder.bind(bundle)
        self._known: dict[str, Edition] = {self.current.version: self.current}
        self._unknown_until: dict[str, float] = {}

    async def find(self, version: str) -> Edition | None:
        """The edition a session began with; None when no process has it any more."""
        if (known := self._known.get(version)) is not None:
            return known
        if self._unknown_until.get(version, 0.0) > self._monotonic():
            return None
        found = await self._fetch(version)
        if found is None:
            self._unknown_until[version] = self._monotonic() + UNKNOWN_SECONDS
            return None
        self._keep(found)
        return found

    async def watch(self, folder: Path, seconds: float, own: Path | None = None) -> None:
        """Look at the folders every so many seconds, for ever; serve what changed if it is sound.

        `own` is the tenant's.
        """
        refused, published = "", -REPUBLISH_SECONDS * 1.0
        while True:
            if self._monotonic() - published >= REPUBLISH_SECONDS and await self.publish():
                published = self._monotonic()
            await asyncio.sleep(seconds)
            refused = await self.take_up(folder, refused, own)

    async def take_up(self, folder: Path, refused: str = "", own: Path | None = None) -> str:
        """Serve what the folders hold now, if it changed and is sound.

        `refused` is what was refused before and is not to be told again, as this returned it: a
        version, or why nothing could be read; "" when nothing is refused. `own` is the tenant's.
        """
        try:
            bundle = await asyncio.to_thread(read_bundle, folder, own)
            version = version_of(bundle)
            if version in (self.current.version, refused):
                return refused if version == refused else ""
            edition = await asyncio.to_thread(self._binder.bind, bundle)
        except BROKEN as error:
            told = str(error) if isinstance(error, OSError) else version_of(bundle)
            if told != refused:
                _log.error("a change in the menus is refused, the old ones go on:\n%s", error)
            return told
        self._bundle, self.current = bundle, edition
        self._keep(edition)
        _log.info("menus %s are served from now on", edition.version)
        await self.publish()
        return ""

    async def publish(self) -> bool:
        """Put the newest edition where other processes find it; False when that failed."""
        try:
            await self._shelf.put(self.current.version, pack_bundle(self._bundle))
        except RedisError as error:
            _log.warning("menus are not shared: %s", nameable(error))
            return False
        return True

    async def _fetch(self, version: str) -> Edition | None:
        try:
            packed = await self._shelf.get(version)
            if packed is None:
                return None
            bundle = unpack_bundle(packed)
            if version_of(bundle) != version:
                raise ValueError("the edition is not what it is called")
            return await asyncio.to_thread(self._binder.adopt, bundle, self._bundle)
        except RedisError:
            return None
        except BROKEN as error:  # another release's menu may use verbs this one has not
            _log.warning("edition %s cannot be served here: %s", version, error)
            return None

    def _keep(self, edition: Edition) -> None:
        self._known[edition.version] = edition
        while len(self._known) > EDITIONS_MAX:
            oldest = next(v for v in self._known if v != self.current.version)
            del self._known[oldest]
