"""What must hold of what businesses ask for: an order is paid once, at the price that was shown,
and what they set aside is drawn on by them alone and comes back.

Judged by what they were told on one side and the model's rows on the other.
"""

from typing import TYPE_CHECKING

from engine.ledger.chart import Kind, read_account
from engine.ledger.entries import Manual
from engine.ledger.plans import Plan
from engine.ledger.postings import held_minor
from engine.payments.facts import read_terms
from engine.payments.lifecycle import State
from engine.ports import Direction, Order
from tests.simulation.askers import GOES_BACK
from tests.simulation.clients import ClientOrder, Clients, SetAside
from tests.simulation.operators import SimulatedOperator

if TYPE_CHECKING:
    from tests.simulation.world import World

OVER = (Manual.RESERVATION_RELEASED, Manual.RESERVATION_EXPIRED)


class ClientLaws:
    """Watches one world."""

    def __init__(self, world: "World", clients: Clients) -> None:
        self._world = world
        self._clients = clients
        self._orders: dict[str, ClientOrder] = {}  # by payment
        self._left: dict[int, int] = {}  # by account of a reservation, in minor units
        world.model.watchers.append(self._on_plan)
        world.laws.order_watchers.append(self._on_order)

    def restored(self) -> None:
        """What lies there now is where it goes on from."""
        balances = self._world.model.balances
        self._left = {account: minor for account, minor in balances.items() if _is_aside(account)}

    # After every commit.

    def _on_plan(self, plan: Plan) -> None:
        if plan.version == 0 and plan.key is not None and plan.key.startswith("client:"):
            self._check_taken_on(plan, plan.key)
        if plan.payment in self._orders:
            self._check_once(self._orders[plan.payment])
        self._follow(plan)

    def _check_taken_on(self, plan: Plan, key: str) -> None:
        _, client, named = key.split(":")
        order = next((o for o in self._clients.orders if named in o.keys), None)
        if order is None or order.client != client:
            self._broken("taken on for a client who did not ask", payment=plan.payment, key=named)
            return
        self._orders[plan.payment] = order
        self._world.happened["client taken on"] += 1
        if named in order.refused:
            self._broken(
                "refused for good, and then taken on", payment=plan.payment, key=named,
                why=order.refused[named],
            )  # fmt: skip
        if order.draws_on is not None and not any(_is_aside(t[0]) for t in plan.transfers):
            self._broken("taken from the pool instead of what was set aside", payment=plan.payment)
        quote = read_terms(str(plan.facts)).quote
        shown = self._clients.prices.get(quote.quote_id)
        if shown is not None and (quote.total_minor, quote.receives.minor) != (
            shown.total.minor, shown.receives.minor,
        ):  # fmt: skip
            self._broken("another price than was shown", payment=plan.payment, quote=shown.id)

    def _check_once(self, order: ClientOrder) -> None:
        """Of one order at most one payment goes on or has arrived."""
        model = self._world.model
        alive = [
            id_ for id_, known in self._orders.items()
            if known is order and id_ in model.payments
            and State(model.payments[id_].state) not in GOES_BACK
        ]  # fmt: skip
        if len(alive) > 1:
            self._broken("an order is paid twice", order=order.number, payments=alive)

    def _follow(self, plan: Plan) -> None:
        """What is moved into reservations and out of them, and by whom."""
        for debit, credit, minor in plan.transfers:
            if _is_aside(credit):
                self._check_reserved(plan, credit, minor)
                self._left[credit] = self._left.get(credit, 0) + minor
            if _is_aside(debit):
                self._left[debit] = self._left.get(debit, 0) - minor
                if plan.state not in OVER:
                    self._check_drawn(plan, debit, minor)
                elif self._left[debit]:
                    self._broken("ended with something left", reservation=plan.payment)

    def _check_reserved(self, plan: Plan, account: int, minor: int) -> None:
        aside = self._aside(plan.payment)
        row = self._world.model.reservations.get(plan.payment)
        if plan.state != Manual.LIQUIDITY_RESERVED or aside is None or row is None:
            self._broken("set aside for nobody", reservation=plan.payment)
        elif (aside.minor, row.account) != (minor, account) or aside.is_refused:
            self._broken("set aside otherwise than asked for", reservation=plan.payment)

    def _check_drawn(self, plan: Plan, account: int, minor: int) -> None:
        """By the first step of a payment of its client that named it, for what it holds."""
        self._world.happened["drawn"] += 1
        order = self._orders.get(plan.payment)
        rows = self._world.model.reservations
        named = None if order is None or order.draws_on is None else rows.get(order.draws_on.id)
        if plan.version or named is None or named.account != account:
            self._broken("drawn on by somebody else", payment=plan.payment)
        elif minor != held_minor(read_terms(str(plan.facts)).quote):
            self._broken("another amount is drawn than held", payment=plan.payment)

    # After every order.

    def _on_order(self, operator: SimulatedOperator, order: Order) -> None:
        """What moves is what was shown."""
        row = self._world.laws.rows.get(order.attempt_id)
        made = self._orders.get(row.payment) if row is not None else None
        if row is None or made is None or row.payment not in self._world.model.payments:
            return
        terms = read_terms(str(self._world.model.journal[row.payment][0].facts))
        shown = self._clients.prices.get(terms.quote.quote_id)
        if shown is None or row.direction == Direction.REFUND:
            return
        says = shown.total if row.direction == Direction.COLLECT else shown.receives
        if (order.amount.minor, order.amount.currency) != (says.minor, says.currency):
            self._broken(
                "moved otherwise than shown", payment=row.payment, attempt=order.attempt_id
            )

    # Once the world is quiet.

    def check_end(self) -> None:
        """What was set aside has ended, and nothing is left in it."""
        model = self._world.model
        for id_, row in model.reservations.items():
            booked = model.payments.get(id_)
            if booked is None or not row.is_ended:
                self._broken("a reservation never ends", reservation=id_)
            elif model.balances[row.account] or self._left.get(row.account, 0):
                self._broken("left in a reservation that is over", reservation=id_)
        for aside in self._clients.set_aside:
            booked = model.payments.get(aside.id)
            if aside.is_told and (booked is None or booked.state not in OVER):
                self._broken("told set aside what is not", reservation=aside.id)

    def _aside(self, reservation: str) -> SetAside | None:
        return next((a for a in self._clients.set_aside if a.id == reservation), None)

    def _broken(self, law: str, **details: object) -> None:
        self._world.laws.broken(law, **details)


def _is_aside(account: int) -> bool:
    return read_account(account).kind is Kind.POOL_RESERVED
