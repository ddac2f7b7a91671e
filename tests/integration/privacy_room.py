"""All rooms that write about people on one database, and a look into every column of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from channels.office import Office
from engine.clients.clients import ClientId
from engine.clients.quote_store import QuoteStore
from engine.clock import Ids
from engine.compliance.clearance import STAFF, Action, Clearance
from engine.compliance.history import HistoryStore, Named, Question
from engine.compliance.profiles import Profiles
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.decisions import Decision
from engine.decisions import Kind as DecisionKind
from engine.desk.proposals import Kind
from engine.inbox.store import InboxStore
from engine.messages.quiet import OptOuts
from engine.money import Money
from engine.msisdn import Msisdn
from engine.once import OF_CLIENTS, Once, Request, Taken
from engine.payments.approvals import Approvals
from engine.payments.evidence import Source
from engine.payments.portability_store import PortabilityStore
from engine.payments.statements.lines import Line, Side
from engine.payments.statements.store import File, StatementStore
from engine.ports import Accepted
from engine.privacy.resealing import Resealing
from engine.tables import metadata
from engine.traffic.log import TrafficLog
from engine.traffic.messages import Said, Way
from tests.integration.counter_room import AMINA, BRIAN, CounterRoom, furnish
from tests.integration.offices import office_of
from tests.integration.payins_room import Announcing, Till, till_of
from tests.integration.world import FAILED, SUCCEEDED, open_world
from tests.unit.payments.examples import MPESA

KEYS = {"CAPP_DATA_KEYS": "1:" + bytes(range(32)).hex()}
FRIEND, QUIET = Msisdn("+254712000077"), Msisdn("+254712000088")
CARL = Msisdn("+254733123456")
NUMBERS = (AMINA.msisdn, BRIAN.msisdn, FRIEND, QUIET, CARL)
PEOPLE = (*(number[-9:] for number in NUMBERS), "Wanjiru", "Nakato", "Otieno")
"""The last nine digits stand in E.164, in the national form and in digits alone."""
PIN = "4826"


@dataclass
class House:
    """All rooms that write about people, on one database with keys."""

    room: CounterRoom
    till: Till
    customers: Customers

    @property
    def pool(self) -> Any:
        return self.room.world.pool


SEALED = {
    "client_quote.quote", "client_request.answer",
    "clearance.names_sealed", "clearance.payee", "clearance.payer",
    "customer.msisdn", "customer.name", "evidence.body",
    "journal.facts", "money_request.payer", "money_request.requester_msisdn", "outbox.payload",
    "pay_in.payer", "pay_in.reference", "ported_number.msisdn", "proposal.body", "recipient.msisdn",
    "recipient.name", "sms_opt_out.msisdn", "statement_line.counterparty",
    "statement_line.reference", "traffic.answered", "traffic.asked",
}  # fmt: skip
CLIENT = ClientId("a" * 32)
ASKED = Request(CLIENT, "r1", b"h" * 32)
ANSWERED = f'{{"payee":"{CARL}"}}'.encode()
BOTH: tuple[Any, Any] = ("amina", "brian")
HELD = Clearance(Action.HOLD, Decision(DecisionKind.COMPLIANCE, "hold", "why", {}), None, ("why",))
NAMED = Named("payer", STAFF, "Amina Wanjiru")


@asynccontextmanager
async def open_house(database_url: str, **environment: Any) -> AsyncIterator[House]:
    async with open_world(database_url, **environment) as world:
        room = await furnish(world)
        keys = PinKeys({1: b"p" * 32})
        customers = Customers(world.pool, 1, keys, Ids(world.clock), world.clock)
        yield House(room, till_of(world, Announcing(MPESA)), customers)


async def live_a_while(house: House) -> None:
    """Everything that is ever written about people is written."""
    world, clock = house.room.world, house.room.world.clock
    ids = Ids(clock)
    amina = await house.customers.register(AMINA.msisdn, "KE", "en", PIN)
    await house.customers.register(BRIAN.msisdn, "UG", "sw", PIN)
    await house.customers.save_recipient(amina.customer_id, FRIEND, "Mum Nakato")
    await Profiles(house.pool, 1).describe(
        AMINA.msisdn, tier=1, name="Amina Wanjiru", born=date(1990, 5, 1)
    )
    await house.customers.ask_pin_reset(amina)
    await house.till.office.desk.propose(
        Kind.PIN_RESET, {"customer": amina.customer_id}, by=BOTH[0], note="called"
    )
    # Payments that arrive, fail and are returned; an operator that names things by numbers.
    world.mpesa.answers.append(Accepted(f"ws_CO_21112026_{AMINA.msisdn.digits}"))
    paid = await house.room.arrived()
    failed = await house.room.sent(2000)
    await world.dispatched()
    await world.tell(await world.live(failed), FAILED)
    returned = await house.room.sent(3000)
    await world.dispatched()
    await world.tell(await world.live(returned), SUCCEEDED)
    await world.dispatched()
    await world.tell(await world.live(returned), FAILED, Source.QUERY)
    await office_with_approvals(house).desk.propose(
        Kind.REPAY_RETURNED, {"payment": returned, "payee": str(CARL)}, by=BOTH[0], note="wrong"
    )
    await house.room.ask()
    await house.till.announce("for Amina 0712000001", payer=AMINA.msisdn)
    await OptOuts(house.pool, 1, clock).stop(QUIET)
    await PortabilityStore(house.pool, 1, clock, ids).put_down(
        CARL, "airtel_ke", by="amina", why="their word"
    )
    await InboxStore(house.pool, 1, clock, ids, lease_seconds=60).finish(
        "scripted", "m1", FRIEND, f"You have asked for {FRIEND}"
    )
    await HistoryStore(house.pool, 1).look(question(), near_minor=10**9, watched=True)
    await HistoryStore(house.pool, 1).keep(question(), HELD, [NAMED])
    await TrafficLog(house.pool, 1, clock, ids).keep(said(await attempt_of(house, paid)))
    await StatementStore(house.pool, 1).keep(
        File(
            "mpesa_ke", date(2026, 11, 21), "f" * 32, 1, 0, 0, None, None, "terminal:asha", "f" * 64
        ),
        [statement_line()],
        1,
    )
    await QuoteStore(house.pool, 1).keep(CLIENT, "q1", b"h" * 32, await world.quote())
    once = once_of(house)
    taken = await once.take(ASKED)
    assert isinstance(taken, Taken)
    await once.keep(ASKED, taken, 201, ANSWERED)
    await world.dispatched()


def once_of(house: House) -> Once:
    clock = house.room.world.clock
    return Once(house.pool, 1, clock, Ids(clock), OF_CLIENTS)


def office_with_approvals(house: House) -> Office:
    world = house.room.world
    approvals = Approvals(
        rulings=world.rulings, store=world.store, directory=world.directory,
        wallet_of=world.payments.selling.wallet_of,
    )  # fmt: skip
    return office_of(world, approvals.executors())


def question() -> Question:
    return Question(
        "0190a0000000700080000000000000aa", datetime(2026, 11, 21, tzinfo=UTC), AMINA.msisdn, CARL,
        Money(1, "KES"), Money(1, "KES"),
    )  # fmt: skip


def said(attempt_id: Any) -> Said:
    return Said(
        1, Way.WE_CALLED, "mpesa_ke", "collect", "ok", attempt_id,
        asked=f'{{"PartyA":"{AMINA.msisdn.digits}"}}', answered=f'"{CARL.digits}"',
    )  # fmt: skip


def statement_line() -> Line:
    return Line(
        operator="mpesa_ke", day=date(2026, 11, 21), receipt="RKX1",
        reference=f"ws_CO_21112026220415191{CARL.digits[3:]}", side=Side.IN,
        amount=Money(100, "KES"), fee_minor=0, counterparty=f"{CARL.digits} CARL OTIENO",
        completed_ms=1, balance_minor=None, raw_hash="a" * 32,
    )  # fmt: skip


async def attempt_of(house: House, payment_id: str) -> Any:
    row = await house.pool.fetchval("select id from attempt where payment = $1 limit 1", payment_id)
    return row.hex


UNWRITTEN = frozenset({
    "api_key", "audit_block", "audit_fence", "audit_late", "audit_position", "audit_sum",
    "balance_look", "balance_question", "breaker", "client", "decision", "fx_decision",
    "fx_observation", "fx_source", "hook_attempt", "hook_delivery", "hook_event", "hook_look",
    "hook_secret", "hook_subscription", "liquidity_mark", "liquidity_reservation",
    "operator_minute", "operator_probe", "operator_terms", "operator_volume",
    "screening_confirmation", "screening_list", "settlement_account", "settlement_approval",
    "settlement_batch", "settlement_corridor", "settlement_dispute", "settlement_errand",
    "settlement_look", "settlement_obligation", "settlement_position", "settlement_transaction",
    "sms_report", "spending", "staff_action", "staff_action_block", "staff_member",
    "staff_request", "staff_session",
})  # fmt: skip
"""Tables in which this life leaves no row, so that reading them proves nothing of them."""


async def unwritten(pool: Any) -> set[str]:
    """The tables without a row."""
    rows = [name for name in metadata.tables if await pool.fetch(f"select from {name} limit 1")]
    return metadata.tables.keys() - {*rows}


async def columns_with(pool: Any, words: Iterable[str]) -> set[str]:
    """Every column of every table in which one of the words stands, however it is stored."""
    columns = await pool.fetch(
        "select c.relname as in_table, a.attname as name, t.typname as kind from pg_class c"
        "  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        "  join pg_type t on t.oid = a.atttypid"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
        "   and not c.relispartition and (t.typcategory in ('S', 'A', 'U') or t.typname = 'bytea')"
    )
    assert len(columns) > 100, "the catalog is read"
    found = set()
    for column in columns:
        name = column["name"]
        text = f"encode({name}, 'escape')" if column["kind"] == "bytea" else f"{name}::text"
        holds = f"select true from {column['in_table']} where {text} ~* $1 limit 1"
        if await pool.fetchval(holds, "|".join(words)):
            found.add(f"{column['in_table']}.{name}")
    return found


async def sealed_until_killed(pool: Any, ring: Any, rows: int, **more: Any) -> None:
    """Somebody seals, and is killed where he would write the row after so many."""
    dying = _DiesInTheMiddle(pool, rows)
    sealing = asyncio.create_task(Resealing(dying, 1, ring, **more).seal(lambda _: None))
    reached = asyncio.create_task(dying.reached.wait())
    await asyncio.wait({sealing, reached}, return_when=asyncio.FIRST_COMPLETED)
    assert not sealing.done(), "it was stopped in the middle"
    sealing.cancel()
    await asyncio.gather(sealing, return_exceptions=True)


class _DiesInTheMiddle:
    def __init__(self, pool: Any, rows: int) -> None:
        self.fetch = pool.fetch
        self.reached = asyncio.Event()
        self._pool, self._rows = pool, rows

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """What writes a row."""
        if not self._rows:
            self.reached.set()
            await asyncio.Future()
        self._rows -= 1
        return await self._pool.fetchval(query, *arguments)
