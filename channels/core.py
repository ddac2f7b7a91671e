"""The payments half, put together once: for the processes, and for tests that play the outside.

It refuses to know who decides about a payment, and what is outside: both are given.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from channels.addresses import CallbackAddresses, companies_of
from channels.messages import build_messages
from channels.reconciliation import read_polling
from channels.settings import Settings
from engine.clock import Clock, Ids
from engine.dispatch import Dispatcher
from engine.fx.rates import RateBook
from engine.ledger.committer import Committer
from engine.msisdn import Msisdn
from engine.outbox import Outbox
from engine.payments.health import Record, unheard
from engine.payments.patience import Patience
from engine.payments.planning import Timing
from engine.payments.policy import Policy
from engine.payments.reconciliation import Reconciler
from engine.payments.router import Router
from engine.payments.routing import Directory
from engine.payments.rulings import Rulings
from engine.payments.service import Payments
from engine.payments.sims import Sims
from engine.payments.stepping import Hear
from engine.payments.store import PaymentStore
from engine.payments.wallets import LookUp, Wallets
from engine.ports import OperatorPort, SmsPort
from engine.restored import Restored
from engine.texts import Texts


class Outside(NamedTuple):
    """What a process did not make itself: companies, time and chance."""

    operators: dict[str, OperatorPort]
    sms: dict[str, SmsPort]  # the preferred one first
    clock: Clock
    ids: Ids
    draw: Callable[[], float]  # a number from 0 up to 1
    look_up: LookUp | None = None  # who looks up whose a ported number is
    sims: Sims | None = None  # who asks when payers' SIMs were changed


class Known(NamedTuple):
    """What a process has read before it takes payments on."""

    directory: Directory
    texts: Texts
    rates: RateBook


class Deciders(NamedTuple):
    """Who decides about payments, and who is told how operators fared."""

    policy: Policy
    language_of: Callable[[Msisdn], Awaitable[str]]
    router: Router | None = None  # without one there is only the payee's own operator
    record: Record = unheard
    wallets: Wallets | None = None  # without it there is only a number's prefix


def at_once(hear: Hear) -> Hear:
    """What is committed goes to the dispatcher as it is."""
    return hear


@dataclass(frozen=True)
class Core:
    """What takes payments on and brings them to their end."""

    store: PaymentStore
    outbox: Outbox
    addresses: CallbackAddresses
    dispatcher: Dispatcher
    payments: Payments
    rulings: Rulings
    reconciler: Reconciler


def build_core(
    settings: Settings,
    outside: Outside,
    known: Known,
    deciders: Deciders,
    *,
    pool: Any,
    committer: Committer,
    overhear: Callable[[Hear], Hear] = at_once,
) -> Core:
    """Nothing is opened or read here. `overhear` may stand between a step and its dispatching."""
    clock = outside.clock
    restored = Restored(settings.restored_at)
    store = PaymentStore(pool, known.directory, restored)
    outbox = Outbox(pool, clock, lease_seconds=settings.lease_seconds, restored=restored)
    addresses = CallbackAddresses(
        settings.public_url, settings.callback_keys, companies_of(known.directory.by_code.values())
    )
    timing = Timing(
        quote=settings.quote_seconds,
        collect_delay=settings.collect_delay_seconds,
        lease=settings.lease_seconds,
        first_look=settings.first_look_seconds,
        first_payout_look=settings.first_payout_look_seconds,
    )
    dispatcher = Dispatcher(
        operators=outside.operators,
        messages=build_messages(
            settings, outside.sms, pool=pool, outbox=outbox, texts=known.texts, clock=clock,
            draw=outside.draw,
        ),
        outbox=outbox,
        store=store,
        clock=clock,
        callback_url=addresses.address,
        patience=Patience(),
        record=deciders.record,
    )  # fmt: skip
    payments = Payments(
        tenant=settings.tenant,
        committer=committer,
        store=store,
        rates=known.rates,
        directory=known.directory,
        language_of=deciders.language_of,
        clock=clock,
        ids=outside.ids,
        timing=timing,
        policy=deciders.policy,
        hear=overhear(dispatcher.hear),
        router=deciders.router,
        wallets=deciders.wallets,
        record=deciders.record,
        restored=restored,
    )
    dispatcher.payments = payments
    rulings = Rulings(
        stepper=payments.stepper,
        sequel=payments.sequel,
        store=store,
        policy=deciders.policy,
        withhold=outbox.withhold,
        clock=clock,
        restored=restored,
    )
    reconciler = Reconciler(
        store=store,
        outbox=outbox,
        payments=payments,
        ask=dispatcher.ask,
        clock=clock,
        schedule=read_polling(settings),
        draw=outside.draw,
        lease_seconds=settings.lease_seconds,
        also=rulings.looks_after(timing.reminder),
        record=deciders.record,
        restored=restored,
    )
    return Core(store, outbox, addresses, dispatcher, payments, rulings, reconciler)
