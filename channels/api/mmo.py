"""The endpoints of `/api/v1/admin/mmo`, one line each, and how they are put together."""

from starlette.routing import Route

from channels.api.endpoints import EVERYBODY, AnyEndpoint, Endpoint, Nothing
from channels.api.operators import (
    Operators,
    OperatorsHealth,
    Providers,
    Stats,
    TestCall,
    TestCalled,
    Window,
)
from channels.api.pace import MINUTE, pace_of_staff
from channels.api.proposals import ProposalPath, Proposals, ProposalShown, ProposalsShown
from channels.api.serving import Serving
from channels.api.staff_callers import StaffCallers
from channels.api.staff_sessions import (
    SessionEnded,
    SessionPath,
    SessionsShown,
    StaffSessions,
)
from channels.api.transaction_shown import Transaction
from channels.api.transactions import (
    RetriedShown,
    Sight,
    TransactionPath,
    Transactions,
    Why,
)
from channels.probing import build_probes
from channels.sources import Sources
from channels.web.limits import Limit, Limits
from channels.wiring import Engine
from engine.once import OF_STAFF, Once
from engine.payments.health_store import HealthStore
from engine.staff.actions import Actions
from engine.staff.figures import Figures
from engine.staff.members import Role
from engine.staff.reading import Reader
from engine.staff.retrying import Retrying
from engine.staff.sessions import Sessions
from engine.staff.store import StaffStore
from engine.staff.tokens import TokenKeys

PREFIX = "/api/v1/admin/mmo"

LOOKS = frozenset({Role.SUPPORT, Role.FINANCE, Role.COMPLIANCE})
RETRIES = frozenset({Role.SUPPORT, Role.FINANCE})
PROBES = frozenset({Role.SUPPORT, Role.ADMIN})
ADMINISTERS = frozenset({Role.ADMIN})
DECIDES = frozenset({Role.FINANCE})


def table_of(
    operators: Operators,
    transactions: Transactions,
    proposals: Proposals,
    sessions: StaffSessions,
) -> tuple[AnyEndpoint, ...]:
    """Everything staff may ask for here."""
    return (
        Endpoint(
            "GET", "/providers", "list_providers", "What each operator can do", EVERYBODY,
            Nothing, Nothing, Nothing, Providers, operators.providers,
        ),
        Endpoint(
            "GET", "/health", "show_health", "Breakers, chances and last test calls", EVERYBODY,
            Nothing, Nothing, Nothing, OperatorsHealth, operators.health,
        ),
        Endpoint(
            "GET", "/stats", "show_stats", "Attempts by outcome, exposure and float", EVERYBODY,
            Nothing, Window, Nothing, Stats, operators.stats,
        ),
        Endpoint(
            "POST", "/test-call", "test_call", "A harmless call to one operator", PROBES,
            Nothing, Nothing, TestCall, TestCalled, operators.test_call, subject="operator",
        ),
        Endpoint(
            "GET", "/transactions/{transaction}", "show_transaction", "All about one payment",
            LOOKS, TransactionPath, Sight, Nothing, Transaction, transactions.look,
            subject="transaction",
        ),
        Endpoint(
            "POST", "/transactions/{transaction}/retry", "retry_transaction",
            "Ask again, or order again what is legal", RETRIES,
            TransactionPath, Nothing, Nothing, RetriedShown, transactions.retry,
            subject="transaction",
        ),
        Endpoint(
            "POST", "/transactions/{transaction}/reverse", "propose_reversal",
            "Propose to give a payment back", DECIDES,
            TransactionPath, Nothing, Why, ProposalShown, transactions.reverse,
            subject="transaction", status=201,
        ),
        Endpoint(
            "GET", "/proposals", "list_proposals", "What waits for a second person", DECIDES,
            Nothing, Nothing, Nothing, ProposalsShown, proposals.waiting,
        ),
        Endpoint(
            "POST", "/proposals/{proposal}/approve", "approve_proposal", "Agree, and carry it out",
            DECIDES, ProposalPath, Nothing, Nothing, ProposalShown, proposals.approve,
            subject="proposal",
        ),
        Endpoint(
            "POST", "/proposals/{proposal}/reject", "reject_proposal", "Refuse", DECIDES,
            ProposalPath, Nothing, Nothing, ProposalShown, proposals.reject, subject="proposal",
        ),
        Endpoint(
            "GET", "/sessions", "list_sessions", "Sessions of staff that are open", ADMINISTERS,
            Nothing, Nothing, Nothing, SessionsShown, sessions.listed,
        ),
        Endpoint(
            "POST", "/sessions/{session}/end", "end_session",
            "End a session: one's own, or as an admin any", EVERYBODY,
            SessionPath, Nothing, Nothing, SessionEnded, sessions.end, subject="session",
        ),
    )  # fmt: skip


def staff_routes(engine: Engine, limits: Limits) -> list[Route]:
    """The endpoints of a running engine; none where no key for tokens is set."""
    settings = engine.settings
    if not settings.staff_keys:
        return []
    tenant, pool, clock, ids = settings.tenant, engine.pool, engine.clock, engine.ids
    actions = Actions(pool, tenant, clock, ids)
    store = StaffStore(pool, tenant)
    sessions = Sessions(
        store=store, keys=TokenKeys(settings.staff_keys, tenant), clock=clock,
        ids=ids,
    )  # fmt: skip
    serving = Serving(
        callers=StaffCallers(
            sessions=sessions, actions=actions,
            member=Limit("member", settings.api_paces.member_per_minute, MINUTE),
        ),
        once=Once(pool, tenant, clock, ids, OF_STAFF),
        ids=ids,
        pace=pace_of_staff(limits, settings.api_paces),
        address_of=Sources({}, settings.webhooks.trusted_proxies).of,
        answer_seconds=settings.edges.answer_seconds_max,
    )  # fmt: skip
    table = table_of(
        _operators(engine), _transactions(engine, actions), _proposals(engine),
        StaffSessions(store=store, clock=clock),
    )  # fmt: skip
    return serving.routes(PREFIX, table)


def _operators(engine: Engine) -> Operators:
    tenant, pool, clock = engine.settings.tenant, engine.pool, engine.clock
    return Operators(
        ports=engine.operators,
        health=engine.health,
        health_store=HealthStore(pool, tenant),
        figures=Figures(pool, tenant, engine.directory.by_name, clock),
        probes=build_probes(engine),
    )


def _transactions(engine: Engine, actions: Actions) -> Transactions:
    reader = Reader(engine.pool, engine.settings.tenant, engine.store)
    retrying = Retrying(
        reader=reader,
        payments=engine.payments,
        rulings=engine.rulings,
        ask=engine.dispatcher.ask,
        directory=engine.directory,
        clock=engine.clock,
    )
    return Transactions(
        reader=reader,
        retrying=retrying,
        desk=engine.office.desk,
        proposals=engine.office.proposals,
        conversations=engine.conversations,
        directory=engine.directory,
        actions=actions,
    )


def _proposals(engine: Engine) -> Proposals:
    return Proposals(desk=engine.office.desk, store=engine.office.proposals)
