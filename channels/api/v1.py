"""The endpoints of `/api/v1` for clients, one line each, and how they are put together."""

from starlette.routing import Route

from channels.api.checks import Checks, CheckShown
from channels.api.client_callers import ClientCallers
from channels.api.endpoints import AnyEndpoint, Endpoint, Nothing
from channels.api.hooks import ClientHooks, hook_table
from channels.api.markets import (
    Markets,
    OperatorsShown,
    PoolPath,
    PoolShown,
    RatePath,
    RateShown,
)
from channels.api.pace import (
    MINUTE,
    pace_of_clients,
    pace_of_payers,
    pace_of_reservations,
)
from channels.api.pages import pages
from channels.api.payment_shown import PaymentMade, PaymentsShown, PaymentStatus
from channels.api.payments import (
    Listing,
    PaymentAsked,
    PaymentPath,
    Payments,
    RefundAsked,
    RefundShown,
    UserPath,
)
from channels.api.problems import Code
from channels.api.quotes import PriceAsked, QuotePath, Quotes, QuoteShown
from channels.api.reservations import (
    ClientReservations,
    ReservationAsked,
    ReservationPath,
    ReservationShown,
)
from channels.api.serving import Serving
from channels.hook_room import build_hooks, build_port
from channels.sources import Sources
from channels.web.limits import Limit, Limits
from channels.wiring import Engine
from engine.clients.clients import KeyHolder, Scope
from engine.clients.keys import KeyMacs
from engine.clients.proving import Keys
from engine.clients.quote_store import QuoteStore
from engine.clients.store import ClientStore
from engine.clock import SystemRandom
from engine.hooks.body import EventTold
from engine.once import OF_CLIENTS, Once
from engine.payments.client_store import ClientPayments

PREFIX = "/api/v1"

_PRICING = frozenset({Code.NOT_POSSIBLE, Code.NOT_NOW, Code.NOT_A_CUSTOMER})


def _scope(scope: Scope) -> frozenset[Scope]:
    return frozenset({scope})


def table_of(
    quotes: Quotes,
    payments: Payments,
    markets: Markets,
    checks: Checks,
    reservations: ClientReservations,
) -> tuple[AnyEndpoint, ...]:
    """Everything clients may ask for."""
    reads, writes = _scope(Scope.PAYMENTS_READ), _scope(Scope.PAYMENTS_WRITE)
    return (
        Endpoint(
            "POST", "/quotes", "make_quote", "A price that is promised for some minutes",
            _scope(Scope.QUOTES_READ), Nothing, Nothing, PriceAsked, QuoteShown, quotes.make,
            status=201, keeps_key=True, refuses=_PRICING | {Code.NOT_FOUND},
        ),
        Endpoint(
            "GET", "/quotes/{quote}", "show_quote", "A price that was promised",
            _scope(Scope.QUOTES_READ), QuotePath, Nothing, Nothing, QuoteShown, quotes.look,
        ),
        Endpoint(
            "POST", "/payments/send", "send_payment", "Take a payment on; its payer approves it",
            writes, Nothing, Nothing, PaymentAsked, PaymentMade, payments.send,
            status=201, keeps_key=True, refuses=_PRICING | {Code.NOT_FOUND, Code.QUOTE_TAKEN},
        ),
        Endpoint(
            "POST", "/payments/check", "check_payment", "Would this payment succeed now", reads,
            Nothing, Nothing, PriceAsked, CheckShown, checks.check,
        ),
        Endpoint(
            "GET", "/payments/{payment}/status", "show_payment", "How a payment stands", reads,
            PaymentPath, Nothing, Nothing, PaymentStatus, payments.status, subject="payment",
        ),
        Endpoint(
            "POST", "/payments/{payment}/cancel", "cancel_payment",
            "Withdraw a payment before its payer is asked", writes,
            PaymentPath, Nothing, Nothing, PaymentStatus, payments.cancel, subject="payment",
            refuses=frozenset({Code.NOT_LEGAL}),
        ),
        Endpoint(
            "POST", "/payments/{payment}/refund", "refund_payment",
            "Ask for a payment to be given back; a second person decides", writes,
            PaymentPath, Nothing, RefundAsked, RefundShown, payments.refund, subject="payment",
            status=201, refuses=frozenset({Code.NOT_LEGAL, Code.ALREADY_PROPOSED}),
        ),
        Endpoint(
            "GET", "/payments", "list_payments", "Your payments, the newest first", reads,
            Nothing, Listing, Nothing, PaymentsShown, payments.listed,
        ),
        Endpoint(
            "GET", "/users/{user}/payments", "list_payments_of_user",
            "Your payments of one payer, the newest first", reads,
            UserPath, Listing, Nothing, PaymentsShown, payments.of_user,
        ),
        Endpoint(
            "GET", "/liquidity/pools/{currency}", "show_pool", "What payouts are taken from",
            _scope(Scope.POOLS_READ), PoolPath, Nothing, Nothing, PoolShown, markets.pool,
        ),
        Endpoint(
            "POST", "/liquidity/reserve", "reserve_liquidity",
            "Set liquidity aside for your payments to come", _scope(Scope.POOLS_WRITE),
            Nothing, Nothing, ReservationAsked, ReservationShown, reservations.reserve,
            status=201, refuses=frozenset({Code.NOT_NOW}),
        ),
        Endpoint(
            "GET", "/liquidity/reservations/{reservation}", "show_reservation",
            "How a reservation stands", _scope(Scope.POOLS_READ),
            ReservationPath, Nothing, Nothing, ReservationShown, reservations.look,
            subject="reservation",
        ),
        Endpoint(
            "POST", "/liquidity/reservations/{reservation}/release", "release_liquidity",
            "Give back what is left of a reservation", _scope(Scope.POOLS_WRITE),
            ReservationPath, Nothing, Nothing, ReservationShown, reservations.release,
            subject="reservation",
        ),
        Endpoint(
            "GET", "/exchange-rates/{base}/{quote}", "show_rate", "The market rate of a pair",
            _scope(Scope.RATES_READ), RatePath, Nothing, Nothing, RateShown, markets.rate,
            refuses=frozenset({Code.NOT_NOW}),
        ),
        Endpoint(
            "GET", "/operators", "list_operators", "Operators, and how they do now",
            _scope(Scope.OPERATORS_READ), Nothing, Nothing, Nothing, OperatorsShown,
            markets.operators,
        ),
    )  # fmt: skip


def client_routes(engine: Engine, limits: Limits) -> list[Route]:
    """The endpoints of a running engine and their pages; none where no key for keys is set."""
    settings = engine.settings
    if not settings.client_keys:
        return []
    serving = serving_of_clients(engine, limits)
    hooks = _hook_table(engine)
    table = (*_table(engine, limits), *hooks)
    messages = (EventTold,) if hooks else ()
    return [*pages(PREFIX, table, messages), *serving.routes(PREFIX, table)]


def serving_of_clients(engine: Engine, limits: Limits) -> Serving[KeyHolder]:
    """The one way of every request of a client."""
    settings = engine.settings
    tenant, paces = settings.tenant, settings.api_paces
    keys = Keys(
        store=ClientStore(engine.pool, tenant), macs=KeyMacs(settings.client_keys, tenant),
        clock=engine.clock, ids=engine.ids, random=SystemRandom(),
    )  # fmt: skip
    callers = ClientCallers(
        keys=keys,
        tenant=tenant,
        per_key=Limit("key", paces.client_key_per_minute, MINUTE),
        per_tenant=Limit("tenant", paces.client_tenant_per_minute, MINUTE),
    )
    return Serving(
        callers=callers,
        once=Once(engine.pool, tenant, engine.clock, engine.ids, OF_CLIENTS),
        ids=engine.ids,
        pace=pace_of_clients(limits, paces),
        address_of=Sources({}, settings.webhooks.trusted_proxies).of,
        answer_seconds=settings.edges.answer_seconds_max,
    )


def _hook_table(engine: Engine) -> tuple[AnyEndpoint, ...]:
    """None where no key for the secrets of webhooks is set."""
    # It is asked what may be called and calls nobody, so it opens nothing that is to be closed.
    port = build_port(engine.settings)
    hooks = build_hooks(engine.settings, engine.pool, engine.clock, port)
    return hook_table(ClientHooks(hooks)) if hooks is not None else ()


def _table(engine: Engine, limits: Limits) -> tuple[AnyEndpoint, ...]:
    tenant, find = engine.settings.tenant, engine.customers.find
    selling, store = engine.payments.selling, QuoteStore(engine.pool, tenant)
    return table_of(
        Quotes(selling=selling, find=find, store=store, reservations=engine.reservations),
        Payments(
            selling=selling, confirming=engine.payments.confirming, rulings=engine.rulings,
            find=find, quotes=store, own=ClientPayments(engine.pool, tenant, engine.store),
            reservations=engine.reservations,
            pace=pace_of_payers(limits, engine.settings.api_paces.client_payer_per_10_minutes),
            desk=engine.office.desk,
        ),
        Markets(
            pools=engine.pools, rates=engine.rates, health=engine.health,
            operators=lambda: engine.directory.by_name,
        ),
        Checks(
            selling=selling, find=find, limits_of=engine.counter.limits_of,
            wallet_found=engine.holders.of, reservations=engine.reservations,
        ),
        ClientReservations(
            engine.reservations, engine.settings.reservations.percent_max,
            pace_of_reservations(limits),
        ),
    )  # fmt: skip
