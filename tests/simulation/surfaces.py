"""What the engine reads and writes through, with the model behind it instead of Postgres.

Each has the surface of the class it stands for (`Committer`, `PaymentStore`, `Outbox`). Between it
and the model lies a wire (`wire.py`). A sweep's look is sent only when it would find something: one
that finds nothing changes nothing, and there would be more of them than of all else.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from engine.clock import AttemptId, Clock, CustomerId, PaymentId, first_id_at, made_at
from engine.errors import CommitUnknown
from engine.gather import Gatherer
from engine.ledger.committer import Committer
from engine.ledger.plans import Plan, Verdicted
from engine.memory import end_if_refused
from engine.outbox import HELD, NEVER_SENT, QUESTION, Leased, Outbox, SmsEnding
from engine.payments.evidence import Source
from engine.payments.facts import Ending, Facts, Ruling, holds_terms, read_step, read_terms
from engine.payments.keys import PaymentKeys
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.routing import Directory
from engine.payments.spending import Spent
from engine.payments.store import (
    REFERENCE_SEEN_WITHIN,
    Attempted,
    PaymentStore,
    question_id,
)
from engine.ports import Direction
from engine.restored import NEVER, Restored
from tests.simulation.case_surface import ModelCaseStore
from tests.simulation.loop import fail, give
from tests.simulation.model import Model, OutboxRow
from tests.simulation.wire import Wire

RECONNECT_SECONDS = 0.5


class Door(Protocol):
    """Where plans are committed: the model, or Postgres."""

    def commit(self, plans: Sequence[Plan], at_ms: int) -> list[Verdicted]: ...


class WiredCommitter(Committer):
    """A batch is whatever was submitted in one turn of the loop; `submit_until_known` is real."""

    def __init__(self, door: Door, wire: Wire, clock: Clock) -> None:
        self._door = door
        self._wire = wire
        self._clock = clock
        self._gathered: list[tuple[Plan, asyncio.Future[Verdicted]]] = []
        self._until = {}
        self.on_submit: Callable[[Plan], None] = lambda plan: None
        self.is_stuck = False  # nothing is stored, whatever is read: its standby is away
        self._tries_until = None  # processes are killed here, and told to end by nobody

    def submit(
        self, plan: Plan, *, is_urgent: bool = True, until: float | None = None
    ) -> asyncio.Future[Verdicted]:
        self.on_submit(plan)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Verdicted] = loop.create_future()
        if until is not None:
            self._until[answer] = until
        self._gathered.append((plan, answer))
        if len(self._gathered) == 1:
            loop.call_soon(self._send)
        return answer

    def _send(self) -> None:
        if self._wire.is_cut or self.is_stuck:  # nothing is sent before there is a connection again
            asyncio.get_running_loop().call_later(RECONNECT_SECONDS, self._send)
            return
        gathered, self._gathered = self._gathered, []
        self._end_the_late(gathered)
        batch = [each for each in gathered if not each[1].done()]
        if not batch:
            return
        plans = [plan for plan, _ in batch]
        at_ms = int(self._clock.epoch() * 1000)

        def tell(verdicts: list[Verdicted]) -> None:
            for (_, answer), verdict in zip(batch, verdicts, strict=True):
                give(answer, verdict)

        def lose(error: Exception) -> None:
            end_if_refused(error)
            for _, answer in batch:
                fail(answer, CommitUnknown(str(error)))

        self._wire.send(lambda: self._door.commit(plans, at_ms), tell, lose)


class ModelKeys(PaymentKeys):
    """The model's keys. Nobody gives one up there: sessions are not simulated."""

    def __init__(self, model: Model, wire: Wire) -> None:
        self._model = model
        self._wire = wire

    async def payment(self, tenant: int, key: str) -> tuple[PaymentId, str] | None:
        found = await self._wire.ask(lambda: self._model.keys.get((tenant, key)))
        return (PaymentId(found[0]), found[1]) if found else None

    async def settled(self, tenant: int, key: str) -> tuple[PaymentId, str] | None:
        return await self.payment(tenant, key)  # what reached the model is done there at once


class ModelStore(PaymentStore):
    """Reads of the model, many at once like the real ones."""

    def __init__(
        self, model: Model, wire: Wire, directory: Directory, restored: Restored = NEVER
    ) -> None:
        super().__init__(None, directory, restored)
        self.keys = ModelKeys(model, wire)
        self.cases = ModelCaseStore(model, wire)
        self._model = model
        self._wire = wire
        self._codes = directory.by_code
        self._terms: dict[tuple[str, int], Facts] = {}
        self._many: Gatherer[str, Payment] = Gatherer(self._read_payments)
        self._many_attempts: Gatherer[str, Attempted] = Gatherer(self._read_attempts)

    async def payment(self, payment_id: PaymentId) -> Payment | None:
        return await self._many.get(payment_id)

    async def attempt(self, attempt_id: AttemptId) -> Attempted | None:
        return await self._many_attempts.get(attempt_id)

    async def provider_reference(self, attempt_id: AttemptId) -> str | None:
        def read() -> str | None:
            for _, row in self._model.evidence_of(attempt_id):
                if row.source == Source.ACCEPTED:
                    return msgspec.json.decode(row.body, type=str)
            return None

        return await self._wire.ask(read)

    async def provider_references(self, attempt_id: AttemptId) -> frozenset[str]:
        return await self._wire.ask(
            lambda: frozenset(
                msgspec.json.decode(row.body, type=str)
                for _, row in self._model.evidence_of(attempt_id)
                if row.source == Source.ACCEPTED
            )
        )

    async def heard_last(self, payment: Payment, attempt_id: AttemptId) -> int:
        def read() -> int:
            step = self._model.journal[payment.payment_id][payment.version - 1]
            accepted = [
                row.at_ms
                for _, row in self._model.evidence_of(attempt_id)
                if row.source in (Source.ACCEPTED, Source.REPEATED)
            ]
            return max([step.at_ms, *accepted])

        return self.left_by(attempt_id, await self._wire.ask(read))

    async def is_held_elsewhere(self, digest: str, attempt_id: AttemptId) -> bool:
        since = first_id_at(made_at(attempt_id) - REFERENCE_SEEN_WITHIN)
        return await self._wire.ask(
            lambda: any(
                hash_ == digest and other != attempt_id and other >= since
                for (other, hash_), row in self._model.evidence.items()
                if row.source == Source.ACCEPTED
            )
        )

    async def _steps(self, payment_id: PaymentId) -> list[Ending | Ruling]:
        def read() -> list[Ending | Ruling]:
            rows = self._model.journal.get(payment_id, [])
            return [read_step(row.facts) for row in rows[1:] if row.facts is not None]

        return await self._wire.ask(read)

    async def spent(self, tenant: int, customer_id: CustomerId, currency: int) -> Spent | None:
        found = await self._wire.ask(
            lambda: self._model.spending.get((tenant, customer_id, currency))
        )
        return Spent(*found) if found else None

    async def payees(self, payment: Payment) -> frozenset[str]:
        def read() -> frozenset[str]:
            rows = self._model.journal[payment.payment_id][: payment.terms]
            texts = [row.facts for row in rows if row.facts is not None]
            return frozenset(str(read_terms(t).quote.payee) for t in texts if holds_terms(t))

        return await self._wire.ask(read)

    async def put_question(
        self, payment: Payment, attempt_id: AttemptId, now: int, ask_at: int
    ) -> None:
        fresh = OutboxRow(payment.payment_id, QUESTION, str(now), now, ask_at)
        id_ = question_id(attempt_id)

        def write() -> None:
            if id_ not in self._model.outbox:
                self._model.put_intent(id_, fresh)
            row = self._model.outbox[id_]
            row.not_before = max(row.not_before, now)

        await self._wire.ask(write)

    async def strike_question(self, attempt_id: AttemptId, news_before: int) -> None:
        def write() -> None:
            row = self._model.outbox.get(question_id(attempt_id))
            if row is not None and row.not_before <= news_before:
                del self._model.outbox[question_id(attempt_id)]

        await self._wire.ask(write)

    async def set_due(self, payment: Payment, due: int) -> None:
        def write() -> None:
            row = self._model.payments.get(payment.payment_id)
            if row is not None and row.version == payment.version:
                self._model.set_due(payment.payment_id, due)

        await self._wire.ask(write)

    async def hurry(self, payment: Payment, due: int) -> None:
        def write() -> None:
            row = self._model.payments.get(payment.payment_id)
            if row is not None and row.version == payment.version and row.due is not None:
                self._model.set_due(payment.payment_id, min(row.due, due))

        await self._wire.ask(write)

    async def put_off(self, payment_id: PaymentId, leased_until: int, due: int) -> None:
        def write() -> None:
            row = self._model.payments.get(payment_id)
            if row is not None and row.due == leased_until:
                self._model.set_due(payment_id, due)

        await self._wire.ask(write)

    async def lease_due(self, now: int, lease_seconds: int, most: int) -> list[PaymentId]:
        def lease() -> list[PaymentId]:
            leased = self._model.take_due(now, most)
            for id_ in leased:
                self._model.set_due(id_, now + lease_seconds)
            return [PaymentId(id_) for id_ in leased]

        if not self._model.is_due(now):
            return []
        return await self._wire.ask(lease)

    async def waits(self, payment_id: PaymentId) -> bool:
        def read() -> bool:
            row = self._model.payments.get(payment_id)
            return row is not None and row.due is not None

        return await self._wire.ask(read)

    async def _read_payments(self, ids: Sequence[str]) -> dict[str, Payment]:
        def read() -> dict[str, Payment]:
            return {id_: self._stored(id_) for id_ in ids if id_ in self._model.payments}

        return await self._wire.ask(read)

    async def _read_attempts(self, ids: Sequence[str]) -> dict[str, Attempted]:
        def read() -> dict[str, Attempted]:
            rows = {id_: self._model.attempts[id_] for id_ in ids if id_ in self._model.attempts}
            return {
                id_: Attempted(
                    attempt_id=AttemptId(id_),
                    direction=Direction(row.direction),
                    operator=self._codes[row.operator].name,
                    payment=self._stored(row.payment),
                )
                for id_, row in rows.items()
            }

        return await self._wire.ask(read)

    def _stored(self, payment_id: str) -> Payment:
        row = self._model.payments[payment_id]
        facts = self._facts(payment_id, row.terms)
        live = AttemptId(row.live) if row.live is not None else None
        return Payment(
            PaymentId(payment_id), facts, self.route(facts, row.way), State(row.state),
            row.version, live, row.way, row.terms,
        )  # fmt: skip

    def _facts(self, payment_id: str, terms: int) -> Facts:
        """Terms never change once they are written, so each is decoded once a process."""
        if (known := self._terms.get((payment_id, terms))) is None:
            text = self._model.journal[payment_id][terms - 1].facts
            known = self._terms[payment_id, terms] = read_terms(str(text))
        return known


class ModelOutbox(Outbox):
    """Claims, releases and endings of the model's intents."""

    def __init__(
        self, model: Model, wire: Wire, clock: Clock, *, lease_seconds: int,
        tell: Callable[..., None], restored: Restored = NEVER,
    ) -> None:  # fmt: skip
        """`tell` hears of every claim, release and takeover, for the story of the world."""
        self._model = model
        self._wire = wire
        self._clock = clock
        self._tell = tell
        self._lease_seconds = lease_seconds
        self._restored = restored
        self._claims: Gatherer[str, int] = Gatherer(self._take)

    async def claim(self, intent_id: str) -> int:
        return await self._claims.get(intent_id) or 0

    async def take_again(
        self, intent_id: str, payment_id: PaymentId, tenant: int, kind: int, ended: str | None
    ) -> int:
        now, held = int(self._clock.epoch()), HELD if ended is not None else None

        def write() -> int:
            row = self._model.outbox.get(intent_id)
            if row is None:
                row = OutboxRow(payment_id, kind, None, now, now, now, 0, held)
                self._model.outbox[intent_id] = row
            elif held is None or row.ended not in (ended, held):
                return 0
            row.claims += 1
            self._model.lease(intent_id, now + self._lease_seconds)
            self._tell("take_again" if held is None else "hold", intent_id, now)
            return row.claims

        return await self._wire.ask(write)

    async def let_go(self, intent_id: str, claim: int) -> None:
        def write() -> None:
            row = self._held(intent_id, claim)
            if row is not None and row.ended == HELD:
                del self._model.outbox[intent_id]
                self._tell("let_go", intent_id)

        await self._wire.ask(write)

    async def release(self, intent_id: str, claim: int, retry_at: float) -> None:
        def write() -> None:
            if (row := self._held(intent_id, claim)) is not None:
                row.sent_at = None
                self._model.lease(intent_id, int(retry_at))
                self._tell("release", intent_id, row.lease_until)

        await self._wire.ask(write)

    async def put_back(self, left: Leased) -> None:
        raise AssertionError("one version plays alone: it can read all that it wrote")

    async def renew(self, intent_id: str, claim: int) -> bool:
        now = int(self._clock.epoch())

        def write() -> bool:
            row = self._held(intent_id, claim)
            if row is None or row.sent_at is None:
                return False
            self._model.lease(intent_id, now + self._lease_seconds)
            self._tell("renew", intent_id, row.lease_until)
            return True

        return await self._wire.ask(write)

    async def end(self, intent_id: str, claim: int, how: str) -> bool:
        def write() -> bool:
            row = self._held(intent_id, claim)
            if row is not None:
                row.ended = how
            self._tell("end", intent_id, how if row is not None else "not ours")
            return row is not None

        return await self._wire.ask(write)

    async def withhold(self, intent_id: str) -> bool:
        now = int(self._clock.epoch())

        def write() -> bool:
            row = self._model.outbox.get(intent_id)
            if row is None or self.may_be_lost(intent_id):
                return False
            if row.sent_at is not None and row.ended != NEVER_SENT:
                return False
            row.sent_at = row.sent_at or now
            row.claims, row.ended = row.claims + 1, NEVER_SENT
            self._model.lease(intent_id, now + self._lease_seconds)
            return True

        return await self._wire.ask(write)

    async def lease_left_behind(self, most: int, *, newest: bool = False) -> list[Leased]:
        del newest  # here one sweep takes all there are
        return await self._lease_many(most, questions=False)

    async def lease_questions(self, most: int) -> list[Leased]:
        return await self._lease_many(most, questions=True)

    def _held(self, intent_id: str, claim: int) -> OutboxRow | None:
        """The intent, unless somebody has claimed it since."""
        row = self._model.outbox.get(intent_id)
        return row if row is not None and row.claims == claim else None

    async def _lease_many(self, most: int, *, questions: bool) -> list[Leased]:
        now = int(self._clock.epoch())

        def lease() -> list[Leased]:
            old = self._model.take_left_behind(now, most, questions=questions)
            return [self._leased(id_, now) for id_ in old]

        if not self._model.is_left_behind(now, questions=questions):
            return []
        return await self._wire.ask(lease)

    async def still_there(self, intent_id: str) -> bool:
        return await self._wire.ask(lambda: intent_id in self._model.outbox)

    async def end_sms(self, ending: SmsEnding) -> None:
        def end() -> None:
            self._model.outbox.pop(ending.id, None)
            if not ending.status.startswith("refused"):
                self._model.said.add((ending.payment_id, ending.template))

        await self._wire.ask(end)

    async def was_said(self, payment_id: PaymentId, template: str) -> bool:
        return await self._wire.ask(lambda: (payment_id, template) in self._model.said)

    async def keep_report(self, tenant: int, report: Any) -> None:
        raise AssertionError("nobody reports deliveries here")

    def _leased(self, id_: str, now: int) -> Leased:
        row = self._model.outbox[id_]
        was_sent = row.sent_at is not None or self.may_be_lost(id_)
        row.sent_at = row.sent_at or now
        self._model.lease(id_, now + self._lease_seconds)
        row.claims += 1
        self._tell("take over", id_, now, "sent" if was_sent else "not sent")
        return Leased(
            id_, PaymentId(row.payment), row.kind, row.payload, was_sent, row.claims, row.ended
        )

    async def _take(self, ids: Sequence[str]) -> dict[str, int]:
        now = int(self._clock.epoch())

        def claim() -> dict[str, int]:
            free = [
                id_ for id_ in ids
                if (row := self._model.outbox.get(id_)) is not None and row.sent_at is None
            ]  # fmt: skip
            for id_ in free:
                row = self._model.outbox[id_]
                row.sent_at = now
                row.claims += 1
                self._model.lease(id_, now + self._lease_seconds)
                self._tell("claim", id_, now)
            return {id_: self._model.outbox[id_].claims for id_ in free}

        return await self._wire.ask(claim)
