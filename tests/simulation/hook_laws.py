"""What must hold of what businesses are told: every step, once it has happened, under one id.

Judged when a message leaves, by the model's rows of that moment, and once the world is quiet by
what each endpoint has acted on. What each state is told as stands here once more.
"""

import hmac
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from engine.clock import moment_of
from engine.ledger.entries import MANUAL_FROM
from engine.ledger.plans import NOTE, Plan
from engine.payments.facts import read_terms
from engine.payments.lifecycle import State
from engine.ports import HookMessage
from tests.simulation.hook_change_laws import signature
from tests.simulation.hook_rows import WAITING
from tests.simulation.model import JournalRow
from tests.simulation.receivers import Receiver, Receivers
from tests.simulation.telling import ORDER_MS, now_ms

if TYPE_CHECKING:
    from tests.simulation.world import World

S = State
TOLD_AS = {
    S.ON_HOLD: "payment.held",
    S.PAYOUT_QUEUED: "payment.delayed",
    S.PAID: "payment.paid",
    S.RETURNED: "payment.returned",
    S.COLLECT_FAILED: "payment.failed",
    S.EXPIRED: "payment.failed",
    S.CANCELLED: "payment.cancelled",
    S.REFUNDED: "payment.refunded",
}
NOTHING_CAME = {
    S.QUOTED, S.RESERVED, S.COLLECTING, S.COLLECT_UNKNOWN, S.COLLECT_FAILED, S.EXPIRED, S.CANCELLED,
}  # fmt: skip
IS_OWED_BACK = {S.REFUND_DUE, S.REFUNDING, S.REFUND_UNKNOWN}
SEEN_LATE_MS_MAX = 900_000
"""A row that becomes visible later than that after its own time may never be told."""


class Step(NamedTuple):
    """One thing to be told: the row of its payment, and as what."""

    payment: str
    row: JournalRow
    kind: str


class HookLaws:
    """Watches one world."""

    def __init__(self, world: "World", receivers: Receivers) -> None:
        self._world = world
        self._receivers = receivers
        self._clocks_differ = world.weather.clock_jump_per_hour > 0
        self._off_ms = int(world.weather.clock_off_seconds_max * 1000) * self._clocks_differ
        self._is_restored = False
        self._bodies: dict[tuple[str, str], bytes] = {}  # by subscription and id
        self._ids: dict[tuple[str, int], str] = {}  # by payment and sequence
        self._told: dict[tuple[str, ...], tuple[str, bytes]] = {}  # by subscription and step
        self._seen_ms: dict[tuple[str, int], int] = {}  # when a row became visible
        world.model.watchers.append(self._on_plan)

    def restored(self) -> None:
        """What was kept of events is lost, perhaps: from now on a step may have another id."""
        self._ids.clear()
        self._is_restored = True

    def _on_plan(self, plan: Plan) -> None:
        if plan.version != NOTE and plan.state < MANUAL_FROM:
            self._seen_ms[plan.payment, plan.version + 1] = now_ms(self._world)

    # When a message leaves.

    def on_message(self, receiver: Receiver, message: HookMessage) -> None:
        """It is signed, true, its business's own, and said as it was said before."""
        told = msgspec.json.decode(message.body)
        about = told["data"]
        payment, sequence = about["payment_id"], about["sequence"]
        names = {"payment": payment, "event": message.id, "to": receiver.id[-1]}
        if self._world.options.subscriptions:
            self._world.hook_changes.on_message(receiver.id, message)
        elif receiver.secret and not is_signed(message, receiver.secret):
            self._broken("no receiver can tell that it is ours", **names)
        before = self._bodies.setdefault((receiver.id, message.id), message.body)
        if before != message.body:
            self._broken("one id, two bodies", **names)
        if self._ids.setdefault((payment, sequence), message.id) != message.id:
            self._broken("one step, two ids", **names)
        self._check_true(told, names)
        self._check_same_step(receiver, message, told)
        if payment in self._world.model.journal:
            self._check_own(receiver, message, payment, names)
            self._check_order(receiver, payment, sequence, names)

    def _check_true(self, told: dict[str, Any], names: dict[str, str]) -> None:
        about = told["data"]
        version = about["sequence"] // 8
        steps = [s for s in self.steps(about["payment_id"]) if s.row.version == version]
        kinds = [step.kind for step in steps if step.kind == told["type"]]
        if not kinds:
            self._broken("told what is not so", kind=told["type"], **names)
            return
        row = steps[0].row
        if (about["state"], told["timestamp"]) != (State(row.state).name, _written(row.at_ms)):
            self._broken("told of another step", kind=told["type"], **names)

    def _check_same_step(
        self, receiver: Receiver, message: HookMessage, told: dict[str, Any]
    ) -> None:
        """Under whatever id, also one that a restore made new, a step is said in the same bytes."""
        about = told["data"]
        step = (
            receiver.id, about["payment_id"], str(about["sequence"]), told["timestamp"],
            told["type"],
        )  # fmt: skip
        id_, body = self._told.setdefault(step, (message.id, message.body))
        if body != message.body:
            self._broken("one step, two bodies", payment=about["payment_id"], event=message.id)
        if id_ != message.id:
            self._world.happened["hook told anew under another id"] += 1

    def _check_own(
        self, receiver: Receiver, message: HookMessage, payment: str, names: dict[str, str]
    ) -> None:
        terms = read_terms(str(self._world.model.journal[payment][0].facts))
        if receiver.client not in (None, terms.client):
            self._broken("told of a payment of somebody else", **names)
        numbers = str(terms.quote.payer), str(terms.quote.payee)
        if not receiver.whole_numbers and any(n.encode() in message.body for n in numbers):
            self._broken("a whole number is told", **names)

    def _check_order(
        self, receiver: Receiver, payment: str, sequence: int, names: dict[str, str]
    ) -> None:
        """What came before is kept, and was heard, or has been tried for a quarter of an hour."""
        rows = self._world.model.hooks
        for step in self._of(receiver.id, payment):
            if step.row.version * 8 > sequence:
                break
            of_step = range(step.row.version * 8, min(step.row.version * 8 + 8, sequence))
            events = [rows.steps[payment, n] for n in of_step if (payment, n) in rows.steps]
            if not events and step.row.version < sequence // 8:
                self._broken("a later step is told, and an earlier one is not kept", **names)
            for event in events:
                delivery = rows.deliveries[receiver.id][event]
                is_new = delivery.begun_ms + ORDER_MS > now_ms(self._world)
                is_unheard = delivery.state == WAITING and event not in receiver.acted
                if is_new and is_unheard and not self._clocks_differ:
                    self._broken("told before what came first", **names)

    # What is to be told.

    def steps(self, payment: str) -> Iterator[Step]:
        """Of a payment, in order: what there is to tell."""
        before = None
        for row in self._world.model.journal.get(payment, []):
            if row.state >= MANUAL_FROM:
                return
            after = State(row.state)
            if before is None:
                yield Step(payment, row, "payment.created")
            if before in (None, *NOTHING_CAME) and after not in NOTHING_CAME:
                yield Step(payment, row, "payment.collected")
            if after is not before and after in TOLD_AS:
                yield Step(payment, row, TOLD_AS[after])
            if after in IS_OWED_BACK and before not in IS_OWED_BACK:
                yield Step(payment, row, "payment.refunding")
            before = after

    def _of(self, subscription: str, payment: str) -> Iterator[Step]:
        """What one subscription is promised of it: its own, from when it was made."""
        to = self._world.model.hooks.subscriptions[subscription]
        if to.state == "removed":
            return
        path = self._world.model.journal[payment]
        if path[0].state >= MANUAL_FROM:
            return
        if to.client is None or read_terms(str(path[0].facts)).client == to.client:
            for step in self.steps(payment):
                of_step = {(payment, step.row.version * 8 + n) for n in range(8)}
                if step.row.at_ms >= to.made_ms and to.kept_before.isdisjoint(of_step):
                    yield step

    def _promised(self, subscription: str, payment: str) -> list[Step]:
        """The same without the last ones whose time differs too much from when they were seen."""
        steps = list(self._of(subscription, payment))
        while steps and self._is_seen_late(steps[-1].row, payment):
            steps.pop()
        return steps

    def _is_seen_late(self, row: JournalRow, payment: str) -> bool:
        seen_ms = self._seen_ms[payment, row.version]
        return seen_ms + self._off_ms - row.at_ms > SEEN_LATE_MS_MAX

    def untold_of(self, payment: str) -> list[Step]:
        """Promised to anybody, and not kept yet."""
        if payment not in self._world.model.journal:
            return []
        rows = self._world.model.hooks
        return [
            step
            for id_ in rows.subscriptions
            for step in self._promised(id_, payment)
            if not any((payment, step.row.version * 8 + n) in rows.steps for n in range(8))
        ]

    def untold(self) -> list[Step]:
        """The same of all payments."""
        return [step for id_ in self._world.model.journal for step in self.untold_of(id_)]

    # Once the world is quiet.

    def check_end(self) -> None:
        """Each has acted on every step that it was promised, and on the truth last of all."""
        for id_ in self._world.model.hooks.subscriptions:
            receiver = self._receivers.all[id_]  # type: ignore[index]
            if self._world.model.hooks.subscriptions[id_].state == "removed":
                continue
            acted = set(map(_heard, receiver.acted.values()))
            for payment in self._world.model.journal:
                for step in self._promised(id_, payment):
                    row = step.row
                    if (payment, row.version, step.kind, _written(row.at_ms)) not in acted:
                        self._broken(
                            "a step nobody told", payment=payment, to=receiver.id[-1],
                            kind=step.kind, version=row.version,
                        )  # fmt: skip
                self._check_last(receiver, payment, acted)

    def _check_last(
        self, receiver: Receiver, payment: str, acted: set[tuple[str, int, str, str]]
    ) -> None:
        """Whoever goes by `sequence` knows in the end how the payment stands."""
        steps = self._promised(receiver.id, payment)
        if not steps or steps != list(self._of(receiver.id, payment)):
            return
        last = max((version for of, version, *_ in acted if of == payment), default=0)
        if last > steps[-1].row.version and self._is_restored:  # of a path that was forgotten
            self._world.happened["hook told of what a restore forgot"] += 1
        elif last != steps[-1].row.version:
            self._broken("what came last is not how it stands", payment=payment, version=last)

    def _broken(self, law: str, **details: object) -> None:
        self._world.laws.broken(law, **details)


def _heard(body: bytes) -> tuple[str, int, str, str]:
    told = msgspec.json.decode(body)
    about = told["data"]
    return about["payment_id"], about["sequence"] // 8, told["type"], told["timestamp"]


def _written(at_ms: int) -> str:
    return f"{moment_of(at_ms):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def is_signed(message: HookMessage, secret: str) -> bool:
    """By one of its signatures."""
    ours = signature(message, secret)
    return any(hmac.compare_digest(ours, one) for one in message.signature.split(" "))
