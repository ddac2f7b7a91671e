"""People who ask each other for money, and what must hold of their requests.

They ask twice, and again without having heard; whoever is asked pays, declines, does both at once
on two phones, or nothing, until its time is over. A request moves nothing: what pays one is a
payment like any other.
"""

import asyncio
import random
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from engine.errors import CustomerMistake
from engine.fx.quotes import Quote
from engine.ledger.plans import Plan
from engine.money import Money
from engine.payments.lifecycle import State
from engine.payments.planning import GIVES_BACK
from engine.payments.request_store import RequestStore, Stored
from engine.payments.views import Asked, Confirmed, MoneyRequest, RequestState
from engine.ports import Sms
from engine.restored import NEVER
from tests.simulation.machine import OPEN_SECONDS
from tests.simulation.people import PEOPLE, Person
from tests.simulation.request_table import RequestTable
from tests.simulation.wire import Wire

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

HOUR = 3600.0
REQUESTS = 10
LOOKED_AT_EVERY = 1200.0
GOES_BACK = GIVES_BACK | {
    State.LATE_FUNDS, State.REFUND_DUE, State.REFUNDING, State.REFUND_UNKNOWN,
}  # fmt: skip
ANSWERS = {"request_declined": RequestState.DECLINED, "request_expired": RequestState.EXPIRED}


class ModelRequests(RequestStore):
    """The requests of the model, over a process's wire."""

    def __init__(self, table: RequestTable, wire: Wire) -> None:
        super().__init__(None, 1)
        self._table = table
        self._wire = wire

    async def ask(self, name: str, *given: Any, **named: Any) -> Any:
        """What the table's method of that name answers."""
        return await self._wire.ask(lambda: getattr(self._table, name)(*given, **named))


def whole(name: str) -> Any:
    """A method of a store that is made whole at the database (`ask`)."""

    async def call(self: Any, *given: Any, **named: Any) -> Any:
        return await self.ask(name, *given, **named)

    return call


REQUEST_CALLS = ("known", "put", "by_code", "to", "by", "over", "close", "settle")
for _name in REQUEST_CALLS:
    setattr(ModelRequests, _name, whole(_name))


class Askers:
    """Everybody who asks for money in one world."""

    def __init__(self, world: "World", chance: random.Random, table: RequestTable) -> None:
        self._world = world
        self._chance = chance
        self._busy = 0
        self._priced: set[str] = set()  # a payer was shown the price of it
        self._tried: dict[str, list[str]] = {}  # by code: the payments that were to pay it
        self._codes: dict[str, str] = {}  # by payment
        self._ended: dict[str, RequestState] = {}  # by request id, as it was closed
        self._paid: set[str] = set()  # payments that ever arrived
        self._told: dict[str, tuple[str, str]] = {}  # by intent: request and template
        world.model.watchers.append(self._on_plan)
        table.on_message = self._on_message
        table.on_closed = self._on_closed

    def begin(self) -> None:
        """So many ask within that time; now and then somebody closes what is over."""
        for number in range(REQUESTS):
            self._busy += 1
            self._world.loop.outside(self._chance.random() * self._world.span, self._spawn, number)
        self._world.loop.outside(LOOKED_AT_EVERY, self._expire_later)

    @property
    def is_busy(self) -> bool:
        """Whether anybody still asks or answers, or a request is neither paid nor closed."""
        requests = self._world.model.requests.values()
        return self._busy > 0 or any(row.closed_as is None for row in requests)

    # What people do.

    def _spawn(self, number: int) -> None:
        self._world.loop.spawn(self._live(number))

    async def _live(self, number: int) -> None:
        try:
            requester, payer = self._two()
            amount = self._amount(requester)
            restored = self._world.restored
            codes = await self._ask(requester, payer, amount, f"ask-{number}")
            if restored is self._world.restored:
                if len(codes) > 1:
                    self._world.laws.broken("one key, two requests", codes=sorted(codes))
                for code in codes:
                    if all(r.made.code != code for r in self._world.model.requests.values()):
                        self._world.laws.broken("told asked what is not stored", code=code)
            for _ in range(self._chance.choice((0, 1, 1, 2, 3))):
                await asyncio.sleep(self._chance.uniform(0.0, OPEN_SECONDS / 2))
                await self._answer(payer)
        finally:
            self._busy -= 1

    def _two(self) -> tuple[Person, Person]:
        people = PEOPLE
        requester = self._chance.choice(people)
        others = [p for p in people if p.customer.country != requester.customer.country]
        return requester, self._chance.choice(others[:3])

    def _amount(self, requester: Person) -> Money:
        if requester.customer.country == "KE":
            return Money(self._chance.choice((500, 2_000)) * 100, "KES")
        return Money(self._chance.choice((15_000, 60_000)), "UGX")

    async def _ask(self, requester: Person, payer: Person, amount: Money, key: str) -> set[str]:
        async def ask(machine: "Machine") -> Asked:
            return await machine.requests.ask(
                requester.customer, requester.network, payer.customer.msisdn, amount, key=key
            )

        presses = [self._world.served(ask, self._chance) for _ in range(self._times(0.2))]
        asked = await asyncio.gather(*presses)
        return {each.code for each in asked if each is not None}

    async def _answer(self, payer: Person) -> None:
        """Whoever is asked looks, and does something about the newest."""

        async def look(machine: "Machine") -> list[MoneyRequest]:
            return await machine.requests.requests_to(payer.customer.msisdn)

        found = await self._world.served(look, self._chance)
        if not found:
            return
        code = found[0].code
        does = self._chance.choice(("pays", "pays", "pays", "declines", "both", "nothing"))
        todo: list[Coroutine[Any, Any, None]] = []
        if does in ("pays", "both"):
            todo += [self._pay(payer, code) for _ in range(self._times(0.3))]
        if does in ("declines", "both"):
            todo += [self._decline(payer, code) for _ in range(self._times(0.2))]
        await asyncio.gather(*todo)

    async def _pay(self, payer: Person, code: str) -> None:
        async def quote(machine: "Machine") -> Quote:
            return await machine.requests.quote_request(payer.customer, payer.network, code)

        world, restored = self._world, self._world.restored
        quoted = await world.served(quote, self._chance)
        if quoted is None:
            return
        self._priced.add(code)
        await asyncio.sleep(self._chance.uniform(0.0, 40.0))

        async def confirm(machine: "Machine") -> Confirmed:
            return await machine.payments.confirming.confirm(
                payer=payer.customer, quote=quoted, key="mine"
            )

        confirmed = await world.served(confirm, self._chance)
        world.trace("pays the request", code, confirmed and confirmed.payment_id)
        if confirmed is not None and restored is world.restored:
            world.acknowledge(f"request {code}", [confirmed.payment_id])

    async def _decline(self, payer: Person, code: str) -> None:
        async def decline(machine: "Machine") -> bool:
            try:
                await machine.requests.decline(payer.customer, code)
            except CustomerMistake:
                return False
            return True

        world, restored = self._world, self._world.restored
        said = await world.served(decline, self._chance)
        world.trace("declines the request", code, said)
        if said and restored is world.restored:
            row = next(r for r in world.model.requests.values() if r.made.code == code)
            if row.closed_as is not RequestState.DECLINED:
                world.laws.broken("told declined what is not", code=code)

    def _expire_later(self) -> None:
        self._world.loop.spawn(self._expire())
        self._world.loop.outside(LOOKED_AT_EVERY, self._expire_later)

    async def _expire(self) -> None:
        """As the worker does it."""

        async def expire(machine: "Machine") -> int:
            return await machine.requests.expire(machine.clock.now())

        await self._world.served(expire, self._chance, tries=1)

    def _times(self, odds: float) -> int:
        return 2 if self._chance.random() < odds else 1

    # What must hold.

    def _on_plan(self, plan: Plan) -> None:
        """A request is paid by one payment at a time, and by none once it is closed."""
        if plan.version == 0 and plan.key is not None and plan.key.startswith("request:"):
            code = plan.key.split(":")[1]
            self._codes[plan.payment] = code
            self._tried.setdefault(code, []).append(plan.payment)
        if plan.payment in self._codes:
            if plan.state == State.PAID:
                self._paid.add(plan.payment)
            self._check(self._codes[plan.payment])

    def _on_closed(self, request: Stored, closed_as: RequestState) -> None:
        self._world.happened[f"request {closed_as}"] += 1
        is_paid = bool(self._paid.intersection(self._tried.get(request.code, ())))
        if closed_as is RequestState.PAID and not is_paid:
            self._world.laws.broken("called paid what is not", code=request.code)
        before = self._ended.get(request.id)
        if before not in (None, closed_as) and self._world.restored is NEVER:
            self._world.laws.broken("closed twice", code=request.code, before=before)
        self._ended[request.id] = closed_as
        self._check(request.code)

    def _check(self, code: str) -> None:
        model = self._world.model
        alive = [
            id_ for id_ in self._tried.get(code, ())
            if id_ in model.payments and State(model.payments[id_].state) not in GOES_BACK
        ]  # fmt: skip
        if len(alive) > 1:
            self._world.laws.broken("a request is paid twice", code=code, payments=alive)
        row = next((r for r in model.requests.values() if r.made.code == code), None)
        if row is None and code in self._priced and self._world.restored is not NEVER:
            self._world.happened["paid what a restore forgot"] += len(alive)
        elif row is None and alive:
            self._world.laws.broken("paid what nobody asked for", code=code, payment=alive[0])
        if row is not None and alive and row.closed_as in ANSWERS.values():
            self._world.laws.broken("paid and closed", code=code, payment=alive[0])

    def _on_message(self, intent: str, request_id: str, template: str) -> None:
        self._told[intent] = request_id, template
        self._world.laws.expect(intent, request_id, template)

    def on_sms(self, message: Sms) -> None:
        """What whoever asked is told is how it ended."""
        request_id, template = self._told.get(message.intent_id, ("", ""))
        if template in ANSWERS and self._ended.get(request_id) is not ANSWERS[template]:
            self._world.laws.broken("told otherwise than it ended", request=request_id)

    def check_end(self) -> None:
        """Every request has ended, as its payments did."""
        model = self._world.model
        for row in model.requests.values():
            tried = [model.payments[id_] for id_ in self._tried.get(row.made.code, ())
                     if id_ in model.payments]  # fmt: skip
            is_paid = any(payment.state == State.PAID for payment in tried)
            if row.closed_as is None:
                self._world.laws.broken("a request never ends", code=row.made.code)
            elif is_paid and row.closed_as is not RequestState.PAID:
                self._world.laws.broken("paid and not called so", code=row.made.code)
            elif row.closed_as is RequestState.PAID and not any(
                id_ in self._paid for id_ in self._tried.get(row.made.code, ())
            ):
                self._world.laws.broken("called paid what never was", code=row.made.code)
