"""The commit and the tables around it, written again from the contract: dicts, one plan at a time.

Independent of the SQL on purpose: where the two disagree, one of them breaks the contract. Does no
I/O and knows of states only which follows which; time is passed in. `test_conformance.py` compares
it with Postgres.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple

from engine.desk.proposals import Proposal
from engine.fx.quotes import Quote
from engine.ledger.entries import MANUAL_FROM
from engine.ledger.plans import CREATE, NOTE, UNLIMITED, Plan, Spend, Verdict, Verdicted
from engine.outbox import QUESTION
from engine.payments.lifecycle import State, moves
from engine.payments.payins.judging import PayIn
from engine.payments.request_store import Stored
from engine.payments.views import RequestState
from tests.simulation.deadlines import Deadlines
from tests.simulation.hook_rows import HookRows
from tests.simulation.paper_rows import Papers
from tests.simulation.settle_rows import SettleRows

V = Verdict
START = 1_795_219_200  # 2026-11-21, midnight UTC: when every world begins
BIGINT_MAX = 2**63 - 1
SMALLINT_MAX = 2**15 - 1


class Short(Exception):
    """Taken together the batch needs more than there is."""


class Indigestible(Exception):
    """The database would stop at this plan with an error of its own."""


@dataclass
class PaymentRow:
    """A payment as it stands."""

    tenant: int
    state: int
    version: int
    due: int | None
    live: str | None
    way: int
    terms: int
    customer: str | None


class JournalRow(NamedTuple):
    """One step of a payment."""

    version: int
    state: int
    at_ms: int
    transfers: tuple[tuple[int, int, int], ...]
    facts: str | None


class AttemptRow(NamedTuple):
    """One try at moving money."""

    payment: str
    tenant: int
    direction: int
    operator: int


@dataclass
class OutboxRow:
    """An intent that is still to be carried out, or under way."""

    payment: str
    kind: int
    payload: str | None
    not_before: int
    lease_until: int
    sent_at: int | None = None
    claims: int = 0
    ended: str | None = None


class EvidenceRow(NamedTuple):
    """What we were told, as it came."""

    payment: str
    tenant: int
    source: int
    body: str
    at_ms: int


@dataclass
class CaseRow:
    """Something that people are called for. Not closed: it lies on somebody's desk."""

    detail: str
    opened_ms: int
    closed_ms: int | None = None
    closed_by: str | None = None  # said only where it is not people


@dataclass
class RequestRow:
    """A request for money as it was made, under its key, and how it was closed."""

    made: Stored
    key: str
    closed_as: RequestState | None = None


@dataclass
class PayInRow:
    """Money that was paid in as it stands, and when somebody is to look at it."""

    stands: PayIn
    due_ms: int | None
    return_receipt: str | None = None


@dataclass
class QuoteRow:
    """A price that a client was promised, and the key of the payment that took it."""

    client: str
    key: str
    hash: bytes
    quote: Quote
    taken_by: str | None = None


@dataclass
class ReservationRow:
    """Liquidity that a client asked for. How it stands says its payment's row."""

    client: str
    account: int
    minor: int
    made_ms: int
    expires_ms: int
    is_ended: bool = False


class OwedRow(NamedTuple):
    """What one row of the journal makes one operator owe another."""

    source: str
    destination: str
    minor: int


class DecisionRow(NamedTuple):
    """A decision that no payment keeps, as the log writes it."""

    payment: str
    kind: str
    outcome: str
    reason: str
    inputs: str


OwedKey = tuple[str, int, int]  # payment, version, account


@dataclass
class OwedRows:
    """All of them. `look`: how far the readings have come, as `settlement_look` has it."""

    rows: dict[OwedKey, OwedRow] = field(default_factory=dict)
    look: tuple[int, int, int] | None = None

    def copy(self) -> "OwedRows":
        """None of it is shared."""
        return OwedRows(dict(self.rows), self.look)


class Spent(NamedTuple):
    """What counts against a customer's limits."""

    day: int = 0
    day_minor: int = 0
    month: int = 0
    month_minor: int = 0


Key = tuple[int, str]
Customer = tuple[int, str, int]
CaseKey = tuple[str, str, str]  # payment, kind, hash


TABLES = (
    "payments", "keys", "journal", "balances", "guarded", "attempts", "outbox", "said", "evidence",
    "cases", "proposals", "spending", "waiting", "of_attempt", "papers",
    "requests", "pay_ins", "receipts", "quotes", "reservations", "hooks", "owed",
    "decisions", "settle",
)  # fmt: skip


@dataclass
class Model:
    """The tables. `watchers` are told of every applied plan, notes included."""

    checks_versions: ClassVar[bool] = True  # off only to prove that the simulation would notice

    payments: dict[str, PaymentRow] = field(default_factory=dict)
    keys: dict[Key, tuple[str, str]] = field(default_factory=dict)
    journal: dict[str, list[JournalRow]] = field(default_factory=dict)
    balances: dict[int, int] = field(default_factory=dict)
    guarded: set[int] = field(default_factory=set)
    attempts: dict[str, AttemptRow] = field(default_factory=dict)
    outbox: dict[str, OutboxRow] = field(default_factory=dict)
    said: set[tuple[str, str]] = field(default_factory=set)  # payment and template
    evidence: dict[tuple[str, str], EvidenceRow] = field(default_factory=dict)
    cases: dict[CaseKey, CaseRow] = field(default_factory=dict)
    proposals: dict[str, Proposal] = field(default_factory=dict)
    spending: dict[Customer, Spent] = field(default_factory=dict)
    waiting: dict[str, None] = field(default_factory=dict)  # payments that have a deadline
    of_attempt: dict[str, list[str]] = field(default_factory=dict)
    papers: Papers = field(default_factory=Papers)
    requests: dict[str, RequestRow] = field(default_factory=dict)
    pay_ins: dict[str, PayInRow] = field(default_factory=dict)
    receipts: dict[tuple[int, str, str], int] = field(default_factory=dict)  # in which amount
    quotes: dict[str, QuoteRow] = field(default_factory=dict)  # by their ids, as are these
    reservations: dict[str, ReservationRow] = field(default_factory=dict)
    hooks: HookRows = field(default_factory=HookRows)
    owed: OwedRows = field(default_factory=OwedRows)
    decisions: dict[str, DecisionRow] = field(default_factory=dict)  # that no payment keeps
    settle: SettleRows = field(default_factory=SettleRows)
    watchers: list[Callable[[Plan], None]] = field(default_factory=list)
    on_deadline: Callable[[int], None] = field(default=lambda when: None)

    def __post_init__(self) -> None:
        self._dues = Deadlines(self._due)
        self._leases = Deadlines(self._lease_end)
        self._question_leases = Deadlines(self._lease_end)

    # Deadlines: written here alone, so that whoever waits for one hears of it (`on_deadline`).

    def next_due(self) -> int | None:
        """Epoch seconds when the next lease or deadline has run out."""
        times = [d.first() for d in (self._dues, self._leases, self._question_leases)]
        return min((when for when in times if when is not None), default=None)

    def set_due(self, payment: str, due: int) -> None:
        """When a payment is to be looked after again."""
        self.payments[payment].due = due
        if payment in self.waiting:
            self._dues.put(payment, due)
            self.on_deadline(due)

    def put_intent(self, intent: str, row: OutboxRow) -> None:
        """A new intent, with the time by which it is left behind."""
        self.outbox[intent] = row
        self.lease(intent, row.lease_until)

    def lease(self, intent: str, until: int) -> None:
        """How long an intent is somebody's. It is left behind once the second is over."""
        row = self.outbox[intent]
        row.lease_until = until
        deadlines = self._question_leases if row.kind == QUESTION else self._leases
        deadlines.put(intent, until + 1)
        self.on_deadline(until + 1)

    def is_due(self, now: int) -> bool:
        """Whether any payment is to be looked after by then."""
        first = self._dues.first()
        return first is not None and first <= now

    def is_left_behind(self, now: int, *, questions: bool) -> bool:
        """Whether any intent's lease is over by then, or any question's."""
        first = (self._question_leases if questions else self._leases).first()
        return first is not None and first <= now

    def take_due(self, now: int, most: int) -> list[str]:
        """Payments that are due by then, soonest first; the caller gives them a new time."""
        return self._dues.take(now, most)

    def take_left_behind(self, now: int, most: int, *, questions: bool) -> list[str]:
        """Intents whose lease is over by then, likewise."""
        return (self._question_leases if questions else self._leases).take(now, most)

    def _due(self, payment: str) -> int | None:
        return self.payments[payment].due if payment in self.waiting else None

    def _lease_end(self, intent: str) -> int | None:
        row = self.outbox.get(intent)
        return row.lease_until + 1 if row is not None else None

    # Cases.

    def open_case(self, key: CaseKey, detail: str, at_ms: int) -> None:
        """The same case twice is one."""
        self.cases.setdefault(key, CaseRow(detail, at_ms))

    def open_one(self, payment: str, kind: str, detail: str, at_ms: int) -> int:
        """Another one only once those before are closed; the number of the one that is open."""
        known = [row for key, row in self.cases.items() if key[:2] == (payment, kind)]
        closed = sum(row.closed_ms is not None for row in known)
        if closed == len(known):
            self.open_case((payment, kind, f"c{closed:031x}"), detail, at_ms)
        return closed + 1

    def open_kinds(self, payment: str) -> set[str]:
        """Of what kinds a payment's open cases are."""
        return {
            key[1] for key, row in self.cases.items() if key[0] == payment and row.closed_ms is None
        }

    # A backup, and what is left when all after it is lost.

    def copy(self) -> "Model":
        """The rows as they stand; none of them is shared. Nobody watches it."""
        return Model(
            payments={id_: replace(row) for id_, row in self.payments.items()},
            keys=dict(self.keys),
            journal={id_: list(path) for id_, path in self.journal.items()},
            balances=dict(self.balances),
            guarded=set(self.guarded),
            attempts=dict(self.attempts),
            outbox={id_: replace(row) for id_, row in self.outbox.items()},
            said=set(self.said),
            evidence=dict(self.evidence),
            cases={key: replace(row) for key, row in self.cases.items()},
            proposals=dict(self.proposals),
            spending=dict(self.spending),
            waiting=dict(self.waiting),
            of_attempt={id_: list(hashes) for id_, hashes in self.of_attempt.items()},
            papers=self.papers.copy(),
            requests={id_: replace(row) for id_, row in self.requests.items()},
            pay_ins={id_: replace(row) for id_, row in self.pay_ins.items()},
            receipts=dict(self.receipts),
            quotes={id_: replace(row) for id_, row in self.quotes.items()},
            reservations={id_: replace(row) for id_, row in self.reservations.items()},
            hooks=self.hooks.copy(),
            owed=self.owed.copy(),
            decisions=dict(self.decisions),
            settle=self.settle.copy(),
        )

    def restore(self, backup: "Model") -> None:
        """All is as it was there, which is not to be used any more."""
        for name in TABLES:
            setattr(self, name, getattr(backup, name))
        self.__post_init__()
        for id_ in self.waiting:
            self._dues.put(id_, self.payments[id_].due or 0)
        for id_, row in self.outbox.items():
            self.lease(id_, row.lease_until)

    # The commit.

    def open(self, account: int, *, guarded: bool) -> None:
        """Make the balance row of an account."""
        self.balances.setdefault(account, 0)
        if guarded:
            self.guarded.add(account)

    def commit(
        self, plans: Sequence[Plan], at_ms: int, *, careful: bool = False
    ) -> list[Verdicted]:
        """One verdict per plan, in order. One refused plan never fails the others."""
        for care in (careful, True):
            try:
                return self._together(plans, at_ms, careful=care)
            except Short:
                continue
            except Indigestible:
                break
        if len(plans) == 1:
            return [Verdicted(V.POISON)]
        half = len(plans) // 2
        return self.commit(plans[:half], at_ms) + self.commit(plans[half:], at_ms)

    def _together(self, plans: Sequence[Plan], at_ms: int, *, careful: bool) -> list[Verdicted]:
        """All in one transaction: judged first, so that nothing is written when one is refused."""
        batch = _Batch(self, careful=careful)
        for plan in plans:
            if _is_malformed(plan):
                raise Indigestible
        verdicts = [batch.judge(plan) for plan in plans]
        if not all(map(self._is_known_move, batch.applied)):
            raise Indigestible
        batch.add_up()
        for plan in batch.applied:
            self._write(plan, at_ms)
        self.spending.update(batch.spending)
        for plan in plans:
            self._keep_evidence(plan, at_ms)
        for account, moved in batch.moved.items():
            self.balances[account] += moved
        for watcher in self.watchers:
            for plan in batch.applied:
                watcher(plan)
        return verdicts

    def _is_known_move(self, plan: Plan) -> bool:
        """What people make goes by their proposals; a payment by the steps that there are."""
        if plan.version == NOTE:
            return True
        is_new = plan.version == CREATE
        before = State.NEW if is_new else self.payments[plan.payment].state
        is_entry = (is_new or before >= MANUAL_FROM) and plan.state >= MANUAL_FROM
        return is_entry or (before, plan.state) in moves()

    def _write(self, plan: Plan, at_ms: int) -> None:
        for intent in plan.intents:
            self.put_intent(intent.id, OutboxRow(plan.payment, *intent[1:]))
        for done in plan.done:
            self.outbox.pop(done, None)
        if plan.version == NOTE:
            return
        if plan.version == 0:
            self._create(plan)
        else:
            self._move(plan)
        if plan.due:
            self.waiting[plan.payment] = None
            self.set_due(plan.payment, plan.due)
        else:
            self.waiting.pop(plan.payment, None)
        self.journal.setdefault(plan.payment, []).append(
            JournalRow(plan.version + 1, plan.state, at_ms, plan.transfers, plan.facts)
        )
        if plan.begins is not None:
            self.attempts[plan.begins] = AttemptRow(
                plan.payment, plan.tenant, plan.direction, plan.operator
            )

    def _create(self, plan: Plan) -> None:
        assert plan.key is not None
        self.keys[plan.tenant, plan.key] = plan.payment, plan.hash
        self.payments[plan.payment] = PaymentRow(
            plan.tenant, plan.state, 1, plan.due or None, plan.begins, plan.way, plan.terms,
            plan.customer,
        )  # fmt: skip

    def _move(self, plan: Plan) -> None:
        row = self.payments[plan.payment]
        row.state, row.version, row.due = plan.state, row.version + 1, plan.due or None
        row.way, row.terms = plan.way, plan.terms
        if plan.begins is not None or plan.ends is not None:
            row.live = plan.begins

    def _keep_evidence(self, plan: Plan, at_ms: int) -> None:
        """What we were told is kept, whatever became of the plan that it came with."""
        for told in plan.evidence:
            if (told.attempt_id, told.hash) not in self.evidence:
                row = EvidenceRow(plan.payment, plan.tenant, told.source, told.body, at_ms)
                self.evidence[told.attempt_id, told.hash] = row
                self.of_attempt.setdefault(told.attempt_id, []).append(told.hash)

    def evidence_of(self, attempt_id: str) -> Iterator[tuple[str, EvidenceRow]]:
        """All that was said about an attempt, in the order it came: (hash, row)."""
        for hash_ in self.of_attempt.get(attempt_id, ()):
            yield hash_, self.evidence[attempt_id, hash_]


class _Batch:
    """What a transaction has decided so far and not yet written."""

    def __init__(self, model: Model, *, careful: bool) -> None:
        self._model = model
        self._careful = careful
        self._firsts: dict[object, tuple[Plan, Verdicted]] = {}
        self._ids: set[str] = set()
        self.applied: list[Plan] = []
        self.moved: Counter[int] = Counter()
        self.spending: dict[Customer, Spent] = {}

    def judge(self, plan: Plan) -> Verdicted:
        """The plan's verdict, given those before it."""
        if plan.version == NOTE:
            return self._judge_note(plan)
        kind: object = (plan.tenant, plan.key) if plan.key is not None else plan.payment
        first = self._firsts.get(kind)
        verdict = self._verdict(plan, first)
        if first is None:
            self._firsts[kind] = plan, verdict
        return verdict

    def _judge_note(self, plan: Plan) -> Verdicted:
        if plan.transfers or plan.begins is not None or plan.spend:
            return Verdicted(V.UNBALANCED)
        self.applied.append(plan)
        return Verdicted(V.APPLIED)

    def add_up(self) -> None:
        """Raises Short, or Indigestible when an account is unknown or would burst."""
        for account, moved in self.moved.items():
            if account not in self._model.balances:
                raise Indigestible
            after = self._model.balances[account] + moved
            if abs(after) > BIGINT_MAX:
                raise Indigestible
            if after < 0 and account in self._model.guarded:
                raise Short

    def _verdict(self, plan: Plan, first: tuple[Plan, Verdicted] | None) -> Verdicted:
        if not all(_is_balanced(transfer) for transfer in plan.transfers):
            return Verdicted(V.UNBALANCED)
        refusal = self._repeats(plan, first) if plan.version == 0 else self._is_late(plan, first)
        if refusal is not None:
            return refusal
        if self._careful and not self._has_money(plan):
            return Verdicted(V.INSUFFICIENT)
        if not self._spend(plan):
            return Verdicted(V.OVER_LIMIT)
        self._take(plan)
        return Verdicted(V.APPLIED)

    def _repeats(self, plan: Plan, first: tuple[Plan, Verdicted] | None) -> Verdicted | None:
        assert plan.key is not None
        if (stored := self._model.keys.get((plan.tenant, plan.key))) is not None:
            return _repeat_of(*stored, plan)
        if first is None:
            return None
        if first[1].verdict is V.APPLIED:
            return _repeat_of(first[0].payment, first[0].hash, plan)
        return Verdicted(V.STALE)  # the one before it was refused: ask again

    def _is_late(self, plan: Plan, first: tuple[Plan, Verdicted] | None) -> Verdicted | None:
        row = self._model.payments.get(plan.payment)
        if first is not None or row is None or row.tenant != plan.tenant:
            return Verdicted(V.STALE)
        if row.version != plan.version and self._model.checks_versions:
            return Verdicted(V.STALE)
        if plan.ends is not None and plan.ends != row.live:
            return Verdicted(V.STALE)
        if plan.ends is None and plan.begins is not None and row.live is not None:
            return Verdicted(V.STALE)
        return None

    def _has_money(self, plan: Plan) -> bool:
        wanted: Counter[int] = Counter()
        for debit, credit, minor in plan.transfers:
            wanted[debit] -= minor
            wanted[credit] += minor
        model = self._model
        if not wanted.keys() <= model.balances.keys():
            raise Indigestible
        for account, minor in wanted.items():
            left = model.balances[account] + self.moved[account] + minor
            if minor < 0 and left < 0 and account in model.guarded:
                return False
        return True

    def _spend(self, plan: Plan) -> bool:
        """Count it, or give it back. False when a limit would be passed."""
        counted: dict[Customer, Spent] = {}
        for spend in plan.spend:
            who = plan.tenant, spend.customer, spend.currency
            before = counted.get(who) or self.spending.get(who) or self._model.spending.get(who)
            if before is None and spend.minor < 0:
                continue
            after = _counted(before, spend) if spend.minor > 0 else _given_back(before, spend)
            if after is None:
                return False
            counted[who] = after
        self.spending.update(counted)
        return True

    def _take(self, plan: Plan) -> None:
        model = self._model
        fresh = [intent.id for intent in plan.intents]
        if plan.version == 0:
            fresh.append("payment " + plan.payment)
        if plan.begins is not None:
            fresh.append("attempt " + plan.begins)
        taken = plan.version == 0 and plan.payment in model.payments
        taken = taken or plan.begins in model.attempts
        if taken or any(i in self._ids or i in model.outbox for i in fresh):
            raise Indigestible
        self._ids.update(fresh)
        for debit, credit, minor in plan.transfers:
            self.moved[debit] -= minor
            self.moved[credit] += minor
        self.applied.append(plan)


def _repeat_of(payment: str, hash_: str, plan: Plan) -> Verdicted:
    return Verdicted(V.DUPLICATE if plan.hash == hash_ else V.CONFLICT, payment)


def _is_balanced(transfer: tuple[int, int, int]) -> bool:
    """Both accounts in one book (tenant and currency), and an amount above zero."""
    debit, credit, minor = transfer
    return debit >> 32 == credit >> 32 and minor > 0


def _is_malformed(plan: Plan) -> bool:
    """What no column can hold."""
    return (
        not isinstance(plan.tenant, int)
        or not 0 <= plan.state <= SMALLINT_MAX
        or not isinstance(plan.facts, str | None)
        or (plan.version == 0 and plan.key is None)
    )


def _counted(before: Spent | None, spend: Spend) -> Spent | None:
    """None when a limit would be passed. A new day or month begins at nothing."""
    row = before or Spent()
    day_minor = row.day_minor if row.day >= spend.day else 0
    month_minor = row.month_minor if row.month >= spend.month else 0
    # Money that came late counts in no newer day or month, where it could not be given back.
    is_late = spend.day_minor_max == spend.month_minor_max == UNLIMITED
    if not (is_late and row.day > spend.day):
        day_minor += spend.minor
    if not (is_late and row.month > spend.month):
        month_minor += spend.minor
    if day_minor > spend.day_minor_max or month_minor > spend.month_minor_max:
        return None
    return Spent(max(row.day, spend.day), day_minor, max(row.month, spend.month), month_minor)


def _given_back(before: Spent | None, spend: Spend) -> Spent:
    """Only what still counts in the row's day and month is taken off."""
    row = before or Spent()
    day_minor = row.day_minor + (spend.minor if spend.day >= row.day else 0)
    month_minor = row.month_minor + (spend.minor if spend.month >= row.month else 0)
    return row._replace(day_minor=max(day_minor, 0), month_minor=max(month_minor, 0))
