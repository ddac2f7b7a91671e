"""The one place where settings become objects. Everything else receives what it needs."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from channels.addresses import CallbackAddresses, address_faults
from channels.compliance import LISTS_REFRESH_SECONDS, build_compliance, build_screener, policy_of
from channels.core import Deciders, Known, Outside, build_core
from channels.messages import build_ports
from channels.numbering import read_directory, read_networks
from channels.office import Office, build_office
from channels.one_database import OneDatabase, tell_people, with_restore
from channels.payins import PayInRoom, build_pay_ins
from channels.privacy import give_keys, plan_sealer
from channels.settings import BadSettings, Settings
from channels.sims import build_sims
from channels.traffic import Overheard, tell_log
from channels.watching.clocks import ClockWatch, seconds_ahead
from channels.watching.watch import Watch, open_watch
from engine.clock import Clock, Ids, SystemRandom
from engine.compliance.compliance import Compliance
from engine.compliance.screening import Screener
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.database import POOL_SIZE, Pool, have_months
from engine.decision_log import DecisionLog
from engine.dispatch import Dispatcher
from engine.fx.rates import RateBook
from engine.ledger.committer import Committer
from engine.menu.bundle import laid_out, read_bundle, version_of
from engine.menu.check import load_texts
from engine.msisdn import Msisdn, country_of
from engine.outages import AWAY
from engine.outbox import Outbox
from engine.payments.approvals import Approvals
from engine.payments.attested import Attested
from engine.payments.clearing import Clearing
from engine.payments.counter import Counter
from engine.payments.debts import Debts
from engine.payments.decided import Decided
from engine.payments.gate import Gate
from engine.payments.health_store import HealthStore
from engine.payments.holders import Holders
from engine.payments.paid_before import PaidOut
from engine.payments.past_store import PastStore
from engine.payments.pools import Pools
from engine.payments.portability_store import PortabilityStore
from engine.payments.reconciliation import Reconciler
from engine.payments.request_store import RequestStore
from engine.payments.requests import RequestRules, Requests
from engine.payments.reservation_store import ReservationStore
from engine.payments.reservations import ReservationRules, Reservations
from engine.payments.router import Router, keep_current
from engine.payments.routing import Directory
from engine.payments.rulings import Rulings
from engine.payments.service import Payments
from engine.payments.store import PaymentStore
from engine.payments.told_names import ToldNames
from engine.payments.unseen import Unseen
from engine.payments.wallets import LookUp, Wallets
from engine.payments.watch import Health
from engine.ports import OperatorPort, SmsPort
from engine.privacy.ring import KeyRing
from engine.revision import must_be_migrated
from engine.session.editions import BROKEN
from engine.tasks import for_life
from engine.texts import Texts
from engine.traffic.conversation import Conversations
from engine.traffic.log import TrafficLog
from engine.which_database import Restores
from providers.portability import build_portability
from providers.registry import build_operators

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent
MENUS = ROOT / "menus"
RATES_REFRESH_SECONDS = 5.0
TRAFFIC_SECONDS = 1.0
LAST_WORDS_SECONDS = 5.0


class Words(NamedTuple):
    """What we say, and the version of the menus that it was read of."""

    texts: Texts
    version: str


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
    counter: Counter
    requests: Requests
    rulings: Rulings
    dispatcher: Dispatcher
    reconciler: Reconciler
    customers: Customers
    words: Words
    office: Office
    health: Health
    pools: Pools
    decisions: DecisionLog
    screener: Screener
    compliance: Compliance
    operators: dict[str, OperatorPort]
    sms: dict[str, SmsPort]
    addresses: CallbackAddresses
    traffic: TrafficLog
    conversations: Conversations
    pay_ins: PayInRoom
    watch: Watch
    reservations: Reservations
    holders: Holders
    told_names: ToldNames

    @property
    def texts(self) -> Texts:
        return self.words.texts


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[Engine]:
    """Connect and start; on leaving, let calls under way finish and close everything.

    Raises what connecting raises, NotServed before `capp migrate`, and BadSettings' kin when the
    environment lacks something.
    """
    words = read_words(settings)  # what is broken is found before anything is opened
    async with AsyncExitStack() as closing:
        clock = Clock()
        overheard, watch = Overheard(clock), open_watch(settings)
        outside = _look_outside(settings, clock, watch, overheard)
        ports: list[OperatorPort | SmsPort] = [*outside.operators.values(), *outside.sms.values()]
        for port in ports:
            closing.push_async_callback(port.aclose)
        if outside.sims is not None:
            closing.push_async_callback(outside.sims.aclose)
        if outside.look_up is not None:
            closing.push_async_callback(outside.look_up.aclose)
        if refused := address_faults(settings, outside.operators.values()):
            raise BadSettings(f"CAPP_PUBLIC_URL: {'; '.join(refused)}")
        database = OneDatabase(settings)
        pool = Pool(database.connect, size=POOL_SIZE)
        closing.push_async_callback(pool.close)
        async with pool.acquire() as connection:
            await must_be_migrated(connection)
            restores = Restores(settings.tenant, clock, promoted_has_all=settings.promoted_has_all)
            noticed = await restores.notice(connection)
            settings = with_restore(settings, noticed)
        ring = await give_keys(settings, pool)
        async with pool.acquire() as connection:
            await have_months(connection, clock.now())
        committer = Committer(database.connect, clock, seal=plan_sealer(pool))
        await committer.start()
        closing.push_async_callback(committer.stop)
        engine = _assemble(settings, outside, watch, words, pool=pool, committer=committer)
        overheard.traffic = engine.traffic
        await tell_people(engine.office.cases, settings.tenant, noticed)
        closing.push_async_callback(engine.holders.aclose)  # payouts under way may ask yet
        closing.push_async_callback(engine.told_names.aclose)
        closing.push_async_callback(_say_last_words, engine)  # after the calls under way
        closing.push_async_callback(engine.dispatcher.stop)
        closing.push_async_callback(engine.reconciler.stop)
        for task in await _keep_informed(engine, ring):
            closing.callback(task.cancel)
        closing.callback(committer.end_soon)
        yield engine


def _look_outside(settings: Settings, clock: Clock, watch: Watch, overheard: Overheard) -> Outside:
    """The companies of the settings, the wall clock and the system's chance."""
    operators = build_operators(
        settings.environment, clock=clock, trace=watch.over(overheard), names=settings.operators
    )
    ported = build_portability(settings.environment, read_networks(), watch.over(tell_log))
    return Outside(
        operators=operators,
        sims=build_sims(settings, operators, clock, watch.over(tell_log)),
        sms=build_ports(settings, watch.over(tell_log)),
        clock=clock,
        ids=Ids(clock),
        draw=random.SystemRandom().random,
        look_up=LookUp(ported, seconds=settings.portability_ms / 1000) if ported else None,
    )


async def _keep_informed(engine: Engine, ring: KeyRing | None) -> list[asyncio.Task[None]]:
    """Read once what decisions rest on, then keep it fresh in the background. The sanctions lists
    are read by who compares a name first: most commands compare none."""
    pool = engine.pool
    await engine.rates.refresh(pool)
    await engine.health.tend()
    await engine.pools.refresh()
    clocks = ClockWatch(pool, engine.clock, engine.watch.metrics.clock_ahead)
    await clocks.look()
    keys = [ring.keep_fresh(AWAY)] if ring is not None else []
    return [
        for_life(work)
        for work in (
            *keys,
            clocks.keep_looking(),
            engine.rates.keep_fresh(pool, RATES_REFRESH_SECONDS),
            engine.screener.keep_fresh(LISTS_REFRESH_SECONDS),
            keep_current(engine.health, engine.pools, engine.decisions),
            engine.traffic.keep_flushing(partial(asyncio.sleep, TRAFFIC_SECONDS), AWAY),
        )
    ]


async def _say_last_words(engine: Engine) -> None:
    """Store what was counted and decided since the last second; losing it loses no money."""
    words = asyncio.create_task(_flush(engine))
    if not (await asyncio.wait({words}, timeout=LAST_WORDS_SECONDS))[0]:
        words.cancel()
        log.warning("the last second of statistics is lost: no answer in time")


async def _flush(engine: Engine) -> None:
    try:
        await engine.health.flush()
        await engine.decisions.flush()
        await engine.traffic.flush(closing=True)
    except AWAY as error:
        log.warning("the last second of statistics is lost: %s", error)


def _assemble(
    settings: Settings,
    outside: Outside,
    watch: Watch,
    words: Words,
    *,
    pool: Any,
    committer: Committer,
) -> Engine:
    clock, ids, texts = outside.clock, outside.ids, words.texts
    directory = read_directory(outside.operators)
    rates = RateBook(settings.tenant, clock, stale_after_seconds=settings.rate_stale_seconds)
    customers = Customers(
        pool,
        settings.tenant,
        PinKeys(settings.pin_keys),
        ids,
        clock,
        cool_down_seconds=settings.pin_cool_down_seconds,
        languages=texts.languages,
    )
    decisions = DecisionLog(pool, settings.tenant, ids)
    health = Health(
        store=HealthStore(pool, settings.tenant), operators=directory.by_name, clock=clock, ids=ids
    )
    pools = Pools(pool, settings.tenant, directory.by_name)
    router = Router(
        corridor=rates.corridor,
        health=health,
        pools=pools,
        random=SystemRandom(),
        keep=decisions.note,
    )
    house = policy_of(settings)
    screener = build_screener(settings, house, pool, clock)

    async def language_of(msisdn: Msisdn) -> str:
        known = await customers.find(msisdn)
        return known.language if known else texts.default_of(country_of(msisdn) or "")

    compliance = build_compliance(settings, house, screener, pool, decisions.note)
    holders = Holders(outside.operators)
    told_names = ToldNames(holders)
    clearing = Clearing(compliance, clock, names=told_names, sims=outside.sims)
    policy = Gate(clearing, health)
    wallets = Wallets(
        directory,
        PortabilityStore(pool, settings.tenant, clock, ids),
        outside.look_up,
    )
    core = build_core(
        settings,
        outside,
        Known(directory, texts, rates),
        Deciders(policy, language_of, router, health.record, wallets),
        pool=pool,
        committer=committer,
        overhear=watch.overhear,
    )
    requests = Requests(
        store=RequestStore(pool, settings.tenant),
        selling=core.payments.selling,
        directory=directory,
        language_of=language_of,
        clock=clock,
        ids=ids,
        rules=RequestRules(open_seconds=settings.request_seconds),
    )
    counter = Counter(
        tenant=settings.tenant,
        selling=core.payments.selling,
        confirming=core.payments.confirming,
        rulings=core.rulings,
        requests=requests,
        past=PastStore(pool, settings.tenant, core.store, directory),
        store=core.store,
        limits_now=clearing.limits_now,
        clock=clock,
    )
    approvals = Approvals(
        rulings=core.rulings, store=core.store, directory=directory,
        wallet_of=core.payments.selling.wallet_of,
        look=Unseen(policy, Decided(pool, settings.tenant, decisions), decisions).look,
    )  # fmt: skip
    attested = Attested(payments=core.payments, store=core.store, outbox=core.outbox)
    debts = Debts(rulings=core.rulings, store=core.store, directory=directory)
    paid_out = PaidOut(
        rulings=core.rulings, store=core.store, directory=directory,
        wallet_of=core.payments.selling.wallet_of,
    )  # fmt: skip
    pay_ins = build_pay_ins(
        tenant=settings.tenant, pool=pool, committer=committer, payments=core.payments,
        store=core.store, operators=outside.operators, addresses=core.addresses, clock=clock,
        ids=ids,
    )  # fmt: skip
    office = build_office(
        tenant=settings.tenant, pool=pool, committer=committer, operators=directory.by_name,
        clock=clock, ids=ids, ahead=partial(seconds_ahead, pool, clock),
        executors={
            **approvals.executors(), **attested.executors(), **debts.executors(),
            **paid_out.executors(), **pay_ins.returns.executors(),
        },
    )  # fmt: skip
    return Engine(
        settings, clock, ids, pool, committer, directory, rates, core.store, core.outbox,
        core.payments, counter, requests, core.rulings, core.dispatcher, core.reconciler, customers,
        words, office, health, pools, decisions, screener, compliance, outside.operators,
        outside.sms, core.addresses,
        TrafficLog(
            pool, settings.tenant, clock, ids,
            strange_per_minute=settings.webhooks.strange_per_minute,
        ),
        Conversations(pool, settings.tenant, {c: f.name for c, f in directory.by_code.items()}),
        pay_ins,
        watch,
        Reservations(
            tenant=settings.tenant, store=ReservationStore(pool, settings.tenant),
            committer=committer, clock=clock,
            rules=ReservationRules(
                settings.reservations.minutes_max, settings.reservations.percent_max
            ),
        ),
        holders, told_names,
    )  # fmt: skip


def read_words(settings: Settings) -> Words:
    """The house's, with the tenant's own laid over them.

    Raises one of BROKEN, and BadSettings where it is the tenant's that are broken, or gone.
    """
    try:
        bundle = read_bundle(MENUS, settings.own_menus)
        with laid_out(bundle) as folder:
            return Words(load_texts(folder), version_of(bundle))
    except BROKEN as error:
        if settings.own_menus is None:
            raise
        raise own_words_refused(error) from error


def own_words_refused(error: Exception) -> BadSettings:
    """Why a tenant with words of its own cannot be served."""
    return BadSettings(f"CAPP_MENUS_FOLDER: its menus or texts cannot be served:\n{error}")
