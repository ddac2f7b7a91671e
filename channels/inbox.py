"""The inbox put together: what it remembers, whom it asks, and the journeys behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from channels.turns import names_of
from channels.wiring import Engine
from engine.inbox.answers import Answers
from engine.inbox.guard import Guard
from engine.inbox.inbox import Inbox
from engine.inbox.memory import Memory
from engine.inbox.rooms import Journeys
from engine.inbox.store import InboxStore
from engine.messages.quiet import OptOuts
from engine.session.pipeline import open_pipeline
from engine.session.sealing import RecordSeal


@asynccontextmanager
async def open_inbox(engine: Engine, journeys: Journeys) -> AsyncIterator[Inbox]:
    """Everything incoming of one web process, until the block ends."""
    settings = engine.settings
    redis = open_pipeline(settings.redis_url)
    store = InboxStore(
        engine.pool,
        settings.tenant,
        engine.clock,
        engine.ids,
        lease_seconds=settings.lease_seconds,
    )
    names = names_of(engine)
    seal = RecordSeal(settings.session_keys, engine.watch.metrics.strange_record)
    answers = Answers(
        texts=engine.texts,
        customers=engine.customers,
        payments=engine.counter,
        journeys=journeys,
        opt_outs=OptOuts(engine.pool, settings.tenant, engine.clock),
        memory=Memory(redis, settings.tenant, seal),
        names=names,
        clock=engine.clock,
        shortcode=settings.shortcode,
    )
    try:
        yield Inbox(
            guard=Guard(redis, settings.tenant, settings.session_keys[0]),
            store=store,
            answers=answers,
            ids=engine.ids,
            send=engine.dispatcher.hear_message,
        )
    finally:
        await names.aclose()
        await redis.aclose()
