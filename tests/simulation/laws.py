"""What must hold after every step of a simulated world, and what must hold once it is quiet.

Judged from two sides that know nothing of each other: the model's books, and the operators' own
ledgers. The first breach is kept; nothing is ever mended here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from engine.clock import AttemptId
from engine.desk.proposals import State as Stands
from engine.fx.quotes import Quote
from engine.ledger.chart import GUARDED, Kind, read_account
from engine.ledger.entries import MANUAL_FROM
from engine.ledger.plans import NOTE, Plan
from engine.ledger.postings import held_minor, refund_minor
from engine.payments.facts import Ending, Facts, Ruling, read_step, read_terms
from engine.payments.lifecycle import LIVE_DIRECTION, TERMINAL, State
from engine.payments.notices import SMS, read_notice
from engine.ports import Direction, Order, Sms
from tests.simulation.model import AttemptRow, JournalRow, Model
from tests.simulation.operators import Job, Move, SimulatedOperator

S, K, D = State, Kind, Direction

HELD = {
    S.RESERVED, S.COLLECTING, S.COLLECT_UNKNOWN, S.COLLECTED, S.PAYOUT_QUEUED, S.ON_HOLD,
    S.PAYOUT_FAILED,
}  # fmt: skip
PAYING = {S.PAYING, S.PAYOUT_UNKNOWN}
HOLDS_FUNDS = {
    S.COLLECTED, S.PAYOUT_QUEUED, S.ON_HOLD, S.PAYOUT_FAILED, S.LATE_FUNDS, *PAYING,
}  # fmt: skip
REFUNDING = {S.REFUNDING, S.REFUND_UNKNOWN}
FREE = {K.POOL_AVAIL, K.POOL_RESERVED}
"""Whence a payment's hold is taken: what has left there lies elsewhere."""
# What may be said when the state was reached, by the template of the message.
NEEDS_STATE = {
    "collect_failed": S.COLLECT_FAILED,
    "expired": S.EXPIRED,
    "cancelled": S.CANCELLED,
    "receipt_payer": S.PAID,
    "receipt_payee": S.PAID,
    "refunded": S.REFUNDED,
    "returned": S.RETURNED,
    "taken_back": S.RETURNED,
}
# Cases that say that an end may be untrue.
_EXCUSES = {"CONFLICT", "PAID_TWICE", "FOREIGN_REFERENCE"}
MONEY_STAYED = {S.COLLECT_FAILED, S.EXPIRED, S.CANCELLED}
IsPaidIn = Callable[[Ending, str, str, Quote], bool]
"""Of an ending, its payment, its operator and its price: whether the money came by itself."""


class Laws:
    """Watches one world. `breach` is the first law that was broken, and how."""

    def __init__(
        self,
        model: Model,
        operators: Mapping[str, SimulatedOperator],
        *,
        on_breach: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_breach` is called at the first."""
        self._on_breach = on_breach
        self._model = model
        self._operators = {port.facts.code: port for port in operators.values()}
        self._sums: dict[str, Counter[int]] = {}
        self._terms: dict[str, Facts] = {}
        self._notices: dict[str, tuple[str, str]] = {}
        self._attempts: dict[str, list[AttemptId]] = {}
        self.rows: dict[str, AttemptRow] = {}  # also those that a restore forgot, or made by hand
        self._ruled: set[tuple[str, str]] = set()
        self.agreed: dict[str, set[str]] = {}  # by proposal: who asked for it, and who agreed
        self.lost: set[str] = set()  # payments that a restore forgot altogether
        self._of_before: set[str] = set()  # payments that a restore has left
        self._reached: Counter[tuple[str, State]] = Counter()
        self._sent: Counter[str] = Counter()
        self._told: Counter[tuple[str, str]] = Counter()
        self._moved: dict[str, Counter[Direction]] = {}
        self.turned: set[str] = set()  # payments whose operators said one thing and then another
        # Of those the ones of which not only a payout was given back.
        self._turned_else: set[str] = set()
        self.looks_at_returned = False  # whether people look there before they rule on those
        # Payments whose money came by itself, as `is_paid_in` knows it of an ending.
        self.paid_in: dict[str, str] = {}
        self.is_paid_in: IsPaidIn = lambda *_: False
        self._ever_paid_in: set[str] = set()
        self._forgotten_pay_ins: set[str] = set()  # payments that a restore lost such money of
        self.states: Counter[str] = Counter()
        self.order_watchers: list[Callable[[SimulatedOperator, Order], None]] = []
        self.excuses = set(_EXCUSES)
        self.breach: str | None = None
        self.checks = 0
        model.watchers.append(self.on_plan)
        for port in operators.values():
            port.on_order = self.on_order
            port.on_move = self.on_move

    def broken(self, law: str, **details: object) -> None:
        """Keep the first breach."""
        if self.breach is None:
            shown = ", ".join(f"{name}={value}" for name, value in details.items())
            self.breach = f"{law} ({shown})"
            self._on_breach()

    # After every commit.

    def on_plan(self, plan: Plan) -> None:
        """One plan was applied."""
        if plan.version == NOTE:
            if plan.transfers:
                self.broken("a note moves money", payment=plan.payment)
            return
        if plan.state >= MANUAL_FROM:
            return  # what people move is no payment
        self.checks += 1
        state = State(plan.state)
        self.states[state.name] += 1
        self._reached[plan.payment, state] += 1
        for intent in plan.intents:
            if intent.kind == SMS:
                template = read_notice(intent.payload or "").template
                self._notices[intent.id] = plan.payment, template
        if plan.version > 0 and plan.facts is not None and '"proposal":' in plan.facts:
            self._check_ruling(plan, read_step(plan.facts))
        if plan.version > 0 and plan.facts is not None and '"receipt":"P' in plan.facts:
            self._note_pay_in(plan, read_step(plan.facts))
        if not plan.due and state not in TERMINAL:
            self.broken("nobody will look after it", payment=plan.payment, state=state.name)
        self._check_path(plan, state)
        self._check_books(plan, state)
        self._check_attempts(plan, state)

    def _check_ruling(self, plan: Plan, step: Ending | Ruling) -> None:
        """What two people agreed on is carried out once, and nothing else in their names."""
        if not isinstance(step, Ruling) or step.proposal is None:
            return
        ruling = plan.payment, step.proposal
        if ruling in self._ruled:
            self.broken("ruled twice", payment=plan.payment, proposal=step.proposal)
        self._ruled.add(ruling)
        if len(set(step.by)) != 2 or set(step.by) != self.agreed.get(step.proposal):
            self.broken("ruled by nobody", payment=plan.payment, proposal=step.proposal)

    def _note_pay_in(self, plan: Plan, step: Ending | Ruling) -> None:
        """Money that came by itself is one payment's, and no other's."""
        if not isinstance(step, Ending) or not step.succeeded:
            return
        row = self.rows[step.attempt_id]
        operator = self._operators[row.operator].facts.name
        quote = self._terms[plan.payment].quote
        if row.direction != D.COLLECT or not self.is_paid_in(step, plan.payment, operator, quote):
            return
        name = f"{operator} {step.receipt}"
        others = [id_ for id_, known in self.paid_in.items() if known == name]
        if others and others != [plan.payment]:
            self.broken("a pay-in is booked twice", receipt=name, payments=[*others, plan.payment])
        self.paid_in[plan.payment] = name
        self._ever_paid_in.add(plan.payment)

    def _check_path(self, plan: Plan, state: State) -> None:
        path = self._model.journal[plan.payment]
        if path[-1].version != len(path) or self._model.payments[plan.payment].version != len(path):
            self.broken("a gap in a payment's path", payment=plan.payment)
        if len(path) < 2:
            return
        before = State(path[-2].state)
        if before not in TERMINAL:
            return
        left = (before in MONEY_STAYED and state in {S.REFUNDING, S.REFUND_DUE, S.LATE_FUNDS}) or (
            before is S.PAID and state is S.RETURNED
        )
        if not left:
            self.broken("an end was left", payment=plan.payment, was=before.name, now=state.name)

    def _check_books(self, plan: Plan, state: State) -> None:
        """What one payment has on each guarded account is what its state says."""
        sums = self._sums.setdefault(plan.payment, Counter())
        for debit, credit, minor in plan.transfers:
            sums[debit] -= minor
            sums[credit] += minor
        by_kind: Counter[Kind] = Counter()
        for account, minor in sums.items():
            kind = Kind(account >> 24 & 0xFF)
            if kind in GUARDED and kind not in FREE:
                by_kind[kind] += minor
        expected = expected_balances(state, self._facts(plan))
        found = {kind: minor for kind, minor in by_kind.items() if minor}
        if found != expected:
            self.broken(
                "a payment's books do not fit its state", payment=plan.payment,
                state=state.name, found=found, expected=expected,
            )  # fmt: skip

    def _facts(self, plan: Plan) -> Facts:
        if plan.version == 0 or plan.terms == plan.version + 1:
            self._terms[plan.payment] = read_terms(str(plan.facts))
        return self._terms[plan.payment]

    def _check_attempts(self, plan: Plan, state: State) -> None:
        live = self._model.payments[plan.payment].live
        if (live is not None) != (state in LIVE_DIRECTION):
            self.broken(
                "an attempt lives in the wrong state", payment=plan.payment, state=state.name
            )
        if plan.ends is not None and plan.facts is not None:
            step = read_step(plan.facts)
            if isinstance(step, Ending):
                self._check_ending(plan, step)
        if plan.begins is not None:
            self._check_beginning(plan)

    def _check_ending(self, plan: Plan, ending: Ending) -> None:
        row = self.rows[ending.attempt_id]
        operator = self._operators[row.operator]
        if ending.succeeded and plan.payment in self.paid_in:
            name = f"{operator.facts.name} {ending.receipt}"
            if self.paid_in[plan.payment] == name:
                return
        if plan.payment in self.turned:
            return
        if ending.succeeded and not operator.has_succeeded(ending.attempt_id):
            self.broken("called done what is not", attempt=ending.attempt_id, code=ending.code)
        if not ending.succeeded and operator.may_still_act(ending.attempt_id):
            self.broken(
                "called failed what may still happen", attempt=ending.attempt_id, code=ending.code,
                direction=D(row.direction).name,
            )  # fmt: skip

    def _check_beginning(self, plan: Plan) -> None:
        attempts = self._attempts.setdefault(plan.payment, [])
        attempts.append(AttemptId(str(plan.begins)))
        self.rows[str(plan.begins)] = self._model.attempts[str(plan.begins)]
        for attempt_id in attempts:
            row = self.rows[attempt_id]
            same_way = row.direction == plan.direction or row.direction != D.COLLECT
            if attempt_id == plan.begins or not same_way or plan.payment in self.turned:
                continue
            if self._operators[row.operator].may_still_act(attempt_id):
                self.broken(
                    "a new reference while the old one may still act", payment=plan.payment,
                    old=attempt_id, new=plan.begins,
                )  # fmt: skip

    # After every line of an operator's ledger.

    def on_order(self, operator: SimulatedOperator, order: Order) -> None:
        """An order reached an operator."""
        if order.attempt_id not in self.rows:
            self.broken("an order before its attempt was committed", attempt=order.attempt_id)
        known = operator.jobs.get(order.attempt_id)
        if known and not operator.deduplicates(order):
            self.broken("sent twice where a repeat is a second order", attempt=order.attempt_id)
        if known and (known[0].order.amount, known[0].order.msisdn) != (order.amount, order.msisdn):
            self.broken("a repeat says something else", attempt=order.attempt_id)
        for watcher in self.order_watchers:
            watcher(operator, order)

    def on_move(self, operator: SimulatedOperator, job: Job, move: Move) -> None:
        """Money moved at an operator."""
        row = self.rows[move.attempt_id]
        payment = row.payment
        if job.turned:
            self.turned.add(payment)
            is_returned = job.undone and row.direction == D.DISBURSE
            if not is_returned or self._is_unheard(move.attempt_id, payment):
                self._turned_else.add(payment)
        moved = self._moved.setdefault(payment, Counter())
        # A refund that goes another way is a payout there.
        moved[D(row.direction)] += move.sign
        if payment in self.turned and not self._is_followed(payment):
            return
        if moved[D.DISBURSE] > 1:
            self.broken("paid out twice", payment=payment)
        if moved[D.COLLECT] > 1:
            self.broken("charged twice", payment=payment)
        if moved[D.REFUND] > 1:
            self.broken("refunded twice", payment=payment)
        came = moved[D.COLLECT] + (payment in self._ever_paid_in)
        if moved[D.DISBURSE] + moved[D.REFUND] > came:
            self.broken("more went out than came in", payment=payment, moved=dict(moved))

    def _is_unheard(self, attempt_id: AttemptId, payment: str) -> bool:
        """Whether no book can take in what comes of it: a restore forgot the attempt, and people
        have called its payment paid by it since. Only a statement tells, as of money of nobody."""
        known = self._model.payments.get(payment)
        is_forgotten = attempt_id not in self._model.attempts
        return is_forgotten and known is not None and known.state == S.PAID

    # After every message.

    def on_sms(self, message: Sms) -> None:
        """A text reached a phone."""
        known = self._notices.get(message.intent_id)
        if known is None:
            self.broken("a message nobody ordered", intent=message.intent_id)
            return
        payment, template = known
        self._sent[message.intent_id] += 1
        if self._sent[message.intent_id] > 1:
            self.broken("a message twice", payment=payment, template=template)
        self._told[payment, template] += 1
        if template in NEEDS_STATE:
            reached = self._reached[payment, NEEDS_STATE[template]]
            if self._told[payment, template] > reached:
                law = "a state told twice" if reached else "told what is not so"
                self.broken(law, payment=payment, template=template)

    # After a restore.

    def forget(self) -> None:
        """The model has gone back to what it was: what is summed up here, with it.

        What was ordered, moved and told has happened all the same.
        """
        model = self._model
        self.lost |= self._sums.keys() - model.payments.keys()
        self._of_before = set(model.payments)
        self._sums = {id_: _sums_of(model.journal[id_]) for id_ in model.payments}
        self._terms = {
            id_: read_terms(str(model.journal[id_][row.terms - 1].facts))
            for id_, row in model.payments.items()
            if row.customer is not None
        }
        before = self.paid_in
        self.paid_in = {
            id_: name
            for id_, name in before.items()
            if id_ in model.journal
            and any(f'"{name.split()[1]}"' in (row.facts or "") for row in model.journal[id_])
        }
        self._forgotten_pay_ins |= before.keys() - self.paid_in.keys()
        self._ruled &= {
            (id_, step.proposal)
            for id_, path in model.journal.items()
            for step in [read_step(str(row.facts)) for row in steps_of(path)]
            if isinstance(step, Ruling) and step.proposal is not None
        }

    def expect(self, intent: str, about: str, template: str) -> None:
        """A message was ordered that belongs to no payment."""
        self._notices[intent] = about, template

    def told_cancelled(self, payment: str) -> None:
        """Its payer was told that it is cancelled."""
        if not self._reached[payment, S.CANCELLED]:
            self.broken("told cancelled what is not", payment=payment)

    def of_payment(self, payment: str) -> list[AttemptId]:
        """All that was ever ordered for a payment, also what a restore forgot."""
        return self._attempts.get(payment, [])

    # Once the world is quiet.

    def unsettled(self) -> list[str]:
        """Payments that have not ended. People have looked after those that wait for them.

        Of one whose operator has said one thing and then another it is enough that they are called.
        """
        return [
            id_
            for id_, row in self._model.payments.items()
            if row.customer
            and State(row.state) not in TERMINAL
            and not (
                id_ in self.turned and self._model.open_kinds(id_) and not self._is_followed(id_)
            )
        ]

    def check_all(self, acknowledged: Iterable[str]) -> None:
        """The whole of the books, from nothing; and the ends against the operators' ledgers."""
        self.check_balances()
        for payment in acknowledged:
            if payment not in self._model.payments and payment not in self.lost:
                self.broken("an acknowledged payment is gone", payment=payment)
        excused = {id_ for id_ in self._model.payments if self.is_excused(id_)}
        for payment, row in self._model.payments.items():
            if row.customer is not None and payment not in excused:
                self._check_end(payment, State(row.state))
        left = [id_ for id_, row in self._model.outbox.items() if row.payment not in excused]
        if left:
            self.broken("an intent was left behind", intents=left[:3])
        for proposal in self._model.proposals.values():
            if proposal.state is Stands.APPROVED:
                self.broken("agreed on and never carried out", proposal=proposal)

    def is_excused(self, payment: str) -> bool:
        """Whether its end may be another than the operators' ledgers say: people know, or a restore
        has lost the news."""
        if not self.excuses.isdisjoint(self._model.open_kinds(payment)):
            return True
        is_known = any(key[0] == payment for key in self._model.cases)
        if self._is_followed(payment):
            return False
        return payment in self.turned and (is_known or payment in self._of_before)

    def _is_followed(self, payment: str) -> bool:
        """Whether its payout was given back and nothing else of it: people saw to it that it ended
        as the ledgers say."""
        is_returned = payment in self.turned and payment not in self._turned_else
        return self.looks_at_returned and is_returned

    def check_balances(self) -> None:
        """Every balance is the sum of its journal, and none that is guarded is below zero."""
        sums: Counter[int] = Counter()
        for path in self._model.journal.values():
            sums.update(_sums_of(path))
        for account, minor in self._model.balances.items():
            if sums[account] != minor:
                self.broken("a balance is not its journal", account=read_account(account))
            if minor < 0 and account in self._model.guarded:
                self.broken("below zero", account=read_account(account))

    def _check_end(self, payment: str, state: State) -> None:
        moved = self._moved.get(payment, Counter())
        came, paid, back = moved[D.COLLECT], moved[D.DISBURSE], moved[D.REFUND]
        if payment in self.paid_in:  # what came beside it is nobody's
            came = 1
        wanted = {S.PAID: (1, 1, 0), S.REFUNDED: (1, 0, 1)}.get(state, (0, 0, 0))
        # What had come by itself and gone again is two lines of nobody, once a restore lost it.
        is_squared = (came, paid + back) == (0, 1) and payment in self._forgotten_pay_ins
        if (came, paid, back) != wanted and not is_squared:
            self.broken(
                "the end is not what the operators' ledgers say", payment=payment,
                state=state.name, collected=came, paid=paid, refunded=back,
            )  # fmt: skip


def steps_of(path: Iterable[JournalRow]) -> list[JournalRow]:
    """What came after the first row of a payment, with what it is based on."""
    return [row for row in list(path)[1:] if row.facts is not None and row.state < MANUAL_FROM]


def _sums_of(path: Iterable[JournalRow]) -> Counter[int]:
    sums: Counter[int] = Counter()
    for row in path:
        for debit, credit, minor in row.transfers:
            sums[debit] -= minor
            sums[credit] += minor
    return sums


def expected_balances(state: State, facts: Facts) -> dict[Kind, int]:
    """What a payment in this state has on each guarded account, in minor units."""
    quote = facts.quote
    expected: dict[Kind, int] = {}
    if state in HELD:
        expected[K.POOL_HELD] = held_minor(quote)
    if state in PAYING:
        expected[K.PAYOUT_IN_FLIGHT] = held_minor(quote)
    if state in HOLDS_FUNDS:
        expected[K.CUSTOMER_FUNDS] = quote.total_minor
    if state is S.REFUND_DUE:
        expected[K.REFUND_DUE] = refund_minor(quote)
    if state in REFUNDING:
        expected[K.REFUND_IN_FLIGHT] = refund_minor(quote)
    if state is S.RETURNED:
        expected[K.RETURNED] = quote.receives.minor
    return expected
