"""Requests for money in the model: the table and its verdicts, from the contract of `RequestStore`.

Each method is one transaction. Whether one is being paid is read from the keys of payments.
"""

from collections.abc import Callable

from engine.clock import CustomerId
from engine.errors import OurFault
from engine.ledger.plans import NIL
from engine.msisdn import Msisdn
from engine.payments.confirming import request_key
from engine.payments.lifecycle import State
from engine.payments.notices import MESSAGE, read_message
from engine.payments.planning import GIVES_BACK
from engine.payments.request_store import Bounds, Intended, Stored
from engine.payments.views import RequestState
from tests.simulation.model import Model, OutboxRow, RequestRow

TENANT = 1


class RequestTable:
    """All requests of a model. `on_message` is told of every message that is owed."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.on_message: Callable[[str, str, str], None] = lambda *_: None
        self.on_closed: Callable[[Stored, RequestState], None] = lambda *_: None

    def known(self, key: str) -> Stored | None:
        made = next((self._read(r) for r in self._rows() if r.key == key), None)
        answered = self._model.keys.get((TENANT, f"asked:{key}"))
        if made is None and answered is not None:
            return self._read(self._model.requests[answered[0]])
        return made

    def put(
        self, request: Stored, *, key: str, message: Intended, bounds: Bounds, now_ms: int
    ) -> Stored | None:
        if (before := self.known(key)) is not None:
            return before
        if (same := self._same(request, bounds, now_ms)) is not None:
            self._model.keys[TENANT, f"asked:{key}"] = same.id, NIL
            return same
        of_both = [
            s for s in self._newest(lambda s: self._is_between(s, request))
            if s.closed_as is None and s.expires_ms > now_ms and s.last_try is not State.PAID
        ]  # fmt: skip
        recent = [
            s for s in self._newest(lambda s: s.requester == request.requester)
            if s.id >= bounds.recent_since
        ]  # fmt: skip
        if len(of_both) >= bounds.unpaid_most or len(recent) >= bounds.recent_most:
            return None
        if self.by_code(request.code) is not None:
            raise OurFault(f"request {request.code}: its key or code is another's")
        self._model.requests[request.id] = RequestRow(request, key)
        self._owe(request.id, message)
        return request

    def by_code(self, code: str) -> Stored | None:
        return next((self._read(r) for r in self._rows() if r.made.code == code), None)

    def to(self, payer: Msisdn, now_ms: int, most: int) -> list[Stored]:
        found = self._newest(lambda s: s.payer == payer and s.expires_ms > now_ms)
        return [s for s in found if _is_free(s)][:most]

    def by(self, requester: CustomerId, most: int) -> list[Stored]:
        return self._newest(lambda s: s.requester == requester)[:most]

    def over(self, now_ms: int, most: int) -> list[Stored]:
        found = [
            s
            for s in map(self._read, self._rows())
            if s.closed_as is None
            and s.expires_ms <= now_ms
            and (_is_free(s) or s.last_try is State.PAID)
        ]
        return sorted(found, key=lambda s: s.expires_ms)[:most]

    def close(self, request: Stored, closed_as: RequestState, now_ms: int, told: Intended) -> bool:
        key = TENANT, request_key(request.code, request.tries)
        if key in self._model.keys:
            return False
        self._model.keys[key] = request.id, NIL
        row = self._model.requests[request.id]
        if row.closed_as is not None:
            return False
        row.closed_as = closed_as
        self._owe(request.id, told)
        self.on_closed(request, closed_as)
        return True

    def settle(self, request: Stored, now_ms: int) -> None:
        row = self._model.requests[request.id]
        if row.closed_as is None:
            row.closed_as = RequestState.PAID
            self.on_closed(request, RequestState.PAID)

    def _rows(self) -> list[RequestRow]:
        return list(self._model.requests.values())

    def _newest(self, which: Callable[[Stored], bool]) -> list[Stored]:
        found = [s for s in map(self._read, self._rows()) if which(s)]
        return sorted(found, key=lambda s: s.id, reverse=True)

    def _is_between(self, s: Stored, request: Stored) -> bool:
        return (s.requester, s.payer) == (request.requester, request.payer)

    def _same(self, request: Stored, bounds: Bounds, now_ms: int) -> Stored | None:
        found = [
            s
            for s in self._newest(lambda s: self._is_between(s, request))
            if (s.requester_operator, s.amount) == (request.requester_operator, request.amount)
            and s.id >= bounds.same_since
            and s.expires_ms > now_ms
            and s.closed_as is None
            and s.last_try is not State.PAID
        ]
        return found[0] if found else None

    def _read(self, row: RequestRow) -> Stored:
        tries, last_try = 0, None
        if row.closed_as is None:
            while found := self._model.keys.get((TENANT, request_key(row.made.code, tries))):
                payment = self._model.payments.get(found[0])
                last_try = State(payment.state) if payment is not None else None
                tries += 1
        return row.made._replace(closed_as=row.closed_as, tries=tries, last_try=last_try)

    def _owe(self, request_id: str, message: Intended) -> None:
        row = OutboxRow(request_id, MESSAGE, message.payload, message.now, message.now)
        self._model.put_intent(message.id, row)
        self.on_message(message.id, request_id, read_message(message.payload).template)


def _is_free(s: Stored) -> bool:
    return s.closed_as is None and (not s.tries or s.last_try in GIVES_BACK)
