"""The session half put together: editions of the menus, Redis, and the rooms the verbs ask."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from channels.settings import Settings
from channels.web.dials import Dials
from channels.wiring import MENUS, Engine, own_words_refused
from engine.menu.bundle import read_bundle
from engine.ports import NamePort
from engine.session.actions import build_verbs
from engine.session.drops import Drops
from engine.session.editions import BROKEN, Binder, Editions, RedisShelf
from engine.session.names import OperatorNames
from engine.session.pipeline import open_pipeline
from engine.session.press import Verb
from engine.session.rooms import Words
from engine.session.sealing import RecordSeal
from engine.session.session import Seal
from engine.session.steps import LateWork
from engine.session.store import SessionStore
from engine.session.turn import TurnTaker
from engine.tasks import for_life

WATCH_SECONDS = 2.0
"""How soon a changed file in `menus/` is served, or refused with its faults in the log."""


@asynccontextmanager
async def open_turns(engine: Engine, dials: Dials) -> AsyncIterator[TurnTaker]:
    """Menus proved, Redis at hand.

    Raises BrokenMenu, BrokenTexts, BrokenNetworks; BadSettings where a tenant's own are broken.
    """
    seal = Seal(*engine.settings.session_keys)
    closing = RecordSeal(engine.settings.session_keys, engine.watch.metrics.strange_record)
    redis = open_pipeline(engine.settings.redis_url)
    late = LateWork()
    names = names_of(engine)

    def bind_verbs(words: Words) -> Mapping[str, Verb]:
        return build_verbs(
            customers=engine.customers,
            payments=engine.counter,
            names=names,
            seal=seal,
            words=words,
        )

    editions = _editions(
        engine.settings,
        Binder(bind_verbs, late, read={engine.words.version: engine.words.texts}),
        RedisShelf(redis),
    )
    turns = TurnTaker(
        editions=editions,
        late=late,
        store=SessionStore(redis, engine.settings.tenant, closing),
        drops=Drops(redis, engine.settings.tenant),
        seal=seal,
        ids=engine.ids,
        clock=engine.clock,
        shortcodes=engine.settings.shortcodes,
        may_begin=dials.may_begin,
    )
    own = engine.settings.own_menus
    watch = for_life(editions.watch(MENUS, WATCH_SECONDS, own))
    try:
        yield turns
    finally:
        watch.cancel()
        await turns.aclose()
        await names.aclose()
        await redis.aclose()


def _editions(settings: Settings, binder: Binder, shelf: RedisShelf) -> Editions:
    """Of the house's menus, with the tenant's own laid over them."""
    try:
        return Editions(read_bundle(MENUS, settings.own_menus), binder, shelf)
    except BROKEN as error:
        if settings.own_menus is None:
            raise
        raise own_words_refused(error) from error


def names_of(engine: Engine) -> OperatorNames:
    """Every operator that can tell whose wallet a number is; to be closed before the engine."""
    ports = {name: port for name, port in engine.operators.items() if isinstance(port, NamePort)}
    return OperatorNames(ports)
