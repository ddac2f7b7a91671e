"""The one place where settings become objects. Everything else receives what it needs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from channels.addresses import CallbackAddresses
from channels.settings import Settings
from engine.clock import Clock, Ids
from engine.customers.customers import Customer
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.database import connect, ensure_months, open_pool
from engine.dispatch import Dispatcher, Patience
from engine.fx.quotes import Quote
from engine.fx.rates import RateBook
from engine.ledger.books import Books
from engine.ledger.commit import Committer
from engine.msisdn import Msisdn, Prefixes
from engine.outbox import Outbox
from engine.payments.payment import Payment
from engine.payments.planning import Timing
from engine.payments.policy import Clearance
from engine.payments.reconciliation import Reconciler
from engine.payments.routing import Directory
from engine.payments.rulings import Rulings
from engine.payments.schedule import Schedule
from engine.payments.service import Payments
from engine.payments.store import PaymentStore
from engine.ports import OperatorPort, SmsPort
from engine.session.actions import Actions
from engine.session.check import load_menu
from engine.session.networks import Networks
from engine.session.pipeline import open_pipeline
from engine.session.session import Seal
from engine.session.store import SessionStore
from engine.session.turn import TurnTaker
from engine.texts import FALLBACK, Texts
from providers.http import Exchange
from providers.registry import build_operators, build_sms

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent
MENUS = ROOT / "menus"
NUMBERING = ROOT / "engine" / "prefixes.yaml"
RATES_REFRESH_SECONDS = 5.0


@dataclass(frozen=True)
class Engine:
    """The running engine of one process."""

    settings: Settings
    clock: Clock
    ids: Ids
    pool: Any
    committer: Committer
    directory: Directory
    rates: RateBook
    store: PaymentStore
    outbox: Outbox
    payments: Payments
    rulings: Rulings
    dispatcher: Dispatcher
    reconciler: Reconciler
    customers: Customers
    texts: Texts
    books: Books
    operators: dict[str, OperatorPort]
    sms: SmsPort
    addresses: CallbackAddresses


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[Engine]:
    """Connect and start; on leaving, let calls under way finish and close everything.

    Raises what connecting raises, and BadSettings' kin when the environment lacks something.
    """
    clock = Clock()
    ids = Ids(clock)
    async with AsyncExitStack() as closing:
        operators = build_operators(
            settings.environment, clock=clock, trace=_trace, names=settings.operators
        )
        for port in operators.values():
            closing.push_async_callback(port.aclose)
        sms = build_sms(settings.environment, trace=_trace)
        closing.push_async_callback(sms.aclose)
        pool = await open_pool(settings.database_url)
        closing.push_async_callback(pool.close)
        async with pool.acquire() as connection:
            await ensure_months(connection, clock.now())
        committer = Committer(partial(connect, settings.database_url), clock)
        await committer.start()
        closing.push_async_callback(committer.stop)
        engine = _assemble(settings, clock, ids, pool, committer, operators, sms)
        closing.push_async_callback(engine.dispatcher.stop)
        await engine.rates.refresh(pool)
        refreshing = asyncio.create_task(engine.rates.keep_fresh(pool, RATES_REFRESH_SECONDS))
        closing.callback(refreshing.cancel)
        yield engine


def _assemble(
    settings: Settings,
    clock: Clock,
    ids: Ids,
    pool: Any,
    committer: Committer,
    operators: dict[str, OperatorPort],
    sms: SmsPort,
) -> Engine:
    directory = read_directory(operators)
    texts = Texts.load(MENUS / "texts")
    store = PaymentStore(pool, directory)
    outbox = Outbox(pool, clock, lease_seconds=settings.lease_seconds)
    addresses = CallbackAddresses(settings.public_url, settings.callback_keys)
    rates = RateBook(settings.tenant, clock, stale_after_seconds=settings.rate_stale_seconds)
    customers = Customers(
        pool,
        settings.tenant,
        PinKeys(settings.pin_keys),
        ids,
        clock,
        cool_down_seconds=settings.pin_cool_down_seconds,
    )
    dispatcher = Dispatcher(
        operators=operators,
        sms=sms,
        outbox=outbox,
        store=store,
        texts=texts,
        clock=clock,
        callback_url=addresses.address,
        patience=Patience(),
    )

    async def language_of(msisdn: Msisdn) -> str:
        known = await customers.find(msisdn)
        return known.language if known is not None else FALLBACK

    policy = Unguarded()
    payments = Payments(
        tenant=settings.tenant,
        committer=committer,
        store=store,
        rates=rates,
        directory=directory,
        language_of=language_of,
        clock=clock,
        ids=ids,
        timing=Timing(
            quote=settings.quote_seconds,
            collect_delay=settings.collect_delay_seconds,
            lease=settings.lease_seconds,
            first_look=settings.first_look_seconds,
        ),
        policy=policy,
        hear=dispatcher.hear,
    )
    dispatcher.payments = payments
    rulings = Rulings(
        stepper=payments.stepper,
        sequel=payments.sequel,
        store=store,
        policy=policy,
        claim=outbox.claim,
    )
    looks = tuple(look for look in Schedule().looks if look > settings.first_look_seconds)
    reconciler = Reconciler(
        store=store,
        outbox=outbox,
        payments=payments,
        ask=dispatcher.ask,
        clock=clock,
        schedule=Schedule(looks=(settings.first_look_seconds, *looks)),
        lease_seconds=settings.lease_seconds,
    )
    names = {code: facts.name for code, facts in directory.by_code.items()}
    books = Books(pool, settings.tenant, names)
    return Engine(
        settings, clock, ids, pool, committer, directory, rates, store, outbox, payments,
        rulings, dispatcher, reconciler, customers, texts, books, operators, sms, addresses,
    )  # fmt: skip


class Unguarded:
    """Until limits, screening and breakers are wired in: everything may happen."""

    async def clear(self, payer: Customer, quote: Quote) -> Clearance:
        return Clearance()

    async def clear_again(self, payment: Payment) -> None:
        return None

    def may_pay(self, operator: str) -> bool:
        return True

    async def take_turn(self, operator: str, minor: int) -> bool:
        return True


def read_directory(operators: dict[str, OperatorPort]) -> Directory:
    """The operators we can call and the numbering plan. Raises ValueError on a broken plan."""
    numbering = yaml.safe_load(NUMBERING.read_text())
    return Directory(
        {name: port.facts for name, port in operators.items()},
        Prefixes(numbering["ranges"]),
        numbering["networks"],
    )


@asynccontextmanager
async def open_turns(engine: Engine) -> AsyncIterator[TurnTaker]:
    """The session half: menus proved, Redis at hand. Raises BrokenMenu, BrokenTexts."""
    settings = engine.settings
    networks = Networks.load(MENUS / "networks.yaml")
    seal = Seal(settings.session_key)
    redis = open_pipeline(settings.redis_url)
    turns = TurnTaker(
        menu=load_menu(MENUS, engine.texts, networks),
        texts=engine.texts,
        networks=networks,
        store=SessionStore(redis),
        actions=Actions(customers=engine.customers, payments=engine.payments, seal=seal),
        seal=seal,
        ids=engine.ids,
        shortcodes=settings.shortcodes,
    )
    try:
        yield turns
    finally:
        await turns.aclose()
        await redis.aclose()


def _trace(exchange: Exchange) -> None:
    log.debug("%s", exchange)
