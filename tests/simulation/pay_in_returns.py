"""Operators that send money back to whoever paid it in, once, and what their portals show of that.

An order to do so meets every fate that any order does; carried out or not it is told once, twice,
late or never. What has gone back has; asked again an operator says so, or that the first is still
under way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.errors import OutcomeUnknown, Rejected, Throttled, Unreachable
from engine.ports import Accepted, Finding, Outcome, PaidIn, Reason
from tests.simulation.operators import HOUR
from tests.simulation.payers import PayInOperator, Sent

ALREADY = "already"
UNDER_WAY = "under_way"


@dataclass
class Back:
    """Money on its way back to whoever sent it. `outcome` is None until it was carried out."""

    sent: Sent
    receipt: str
    pay_in: str  # as our address names it
    ordered_at: float
    outcome: bool | None = None


class ReturningOperator(PayInOperator):
    """One that people may pay in at, and that sends it back."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.backs: dict[str, list[Back]] = {}  # by the receipt of what was paid in
        self._on_the_way: dict[str, int] = {}  # orders that have not arrived, likewise
        self.on_back: Callable[[ReturningOperator, Back], None] = lambda *_: None
        self.on_told: Callable[[ReturningOperator, str, Finding], None] = lambda *_: None

    async def return_pay_in(self, paid: PaidIn, callback_url: str) -> Accepted:
        """An order like any other; a repeat finds what was done."""
        fate, pay_in_id = self._fate(), callback_url.rpartition("/")[2]
        self._happened["return " + fate] += 1
        answer_after = self._between(0.05, 2.0)
        if fate in ("answer_lost", "request_vanishes"):
            answer_after = self._between(10.0, 29.0)
        arrives_after = self._between(0.0, min(answer_after, 1.0))
        if fate not in ("unreachable", "request_vanishes"):
            self._on_the_way[paid.receipt] = self._on_the_way.get(paid.receipt, 0) + 1

        def arrive() -> Accepted:
            if fate == "unreachable":
                raise Unreachable(self.facts.name, "connection refused")
            if fate == "request_vanishes":
                raise OutcomeUnknown(self.facts.name, "silence")
            self._on_the_way[paid.receipt] -= 1
            return self._take_back(paid, pay_in_id, fate)

        return await self._loop.remote(arrives_after, arrive, answer_after - arrives_after)

    # What the world asks.

    def shown_back(self, receipt: str) -> Back | None:
        """What its portal shows of money that was paid in: that it went back, or is about to, or
        the last try."""
        backs = self.backs.get(receipt, [])
        return next((b for b in backs if b.outcome is not False), backs[-1] if backs else None)

    def may_still_go(self, receipt: str) -> bool:
        """Whether it went back, or yet may."""
        backs = self.backs.get(receipt, ())
        return self._on_the_way.get(receipt, 0) > 0 or any(b.outcome is not False for b in backs)

    def has_gone(self, receipt: str) -> bool:
        """Whether its ledger shows that the sender has it again."""
        return any(b.outcome for b in self.backs.get(receipt, ()))

    @property
    def returns_open(self) -> bool:
        """Whether anything that was ordered is not carried out yet."""
        return any(b.outcome is None for backs in self.backs.values() for b in backs)

    def settle(self) -> None:
        super().settle()
        for back in [b for backs in self.backs.values() for b in backs if b.outcome is None]:
            self._loop.outside(self._between(0, HOUR), self._send_back, back)

    # An order arrives, and is carried out.

    def _take_back(self, paid: PaidIn, pay_in_id: str, fate: str) -> Accepted:
        name, sent = self.facts.name, self.sent.get(paid.receipt)
        if self.announced is not None:
            self.announced.on_return(self, paid.receipt)
        if fate == "throttled":
            raise Throttled(name, "busy", code="429", retry_after_seconds=self._between(1.0, 120.0))
        if fate == "refused" or sent is None:
            raise Rejected(name, "no", code="refused", reason=Reason.CONFIGURATION)
        known = self.shown_back(paid.receipt)
        if known is not None and known.outcome:
            told = known.receipt if self._odds(0.5) else None
            self._tell_of(pay_in_id, Finding(Outcome.SUCCEEDED, ALREADY, receipt=told))
        elif known is not None and known.outcome is None:
            if self._odds(0.3):
                raise Rejected(name, UNDER_WAY, code=UNDER_WAY, reason=Reason.OTHER)
            self._tell_of(pay_in_id, Finding(Outcome.FAILED, UNDER_WAY, reason=Reason.OTHER))
        else:
            self._begin(sent, pay_in_id)
        if fate in ("answer_lost", "server_error"):
            raise OutcomeUnknown(name, fate)
        return Accepted()

    def _begin(self, sent: Sent, pay_in_id: str) -> None:
        number = sum(map(len, self.backs.values()))
        back = Back(sent, f"B{number}-{self.facts.code}", pay_in_id, self._loop.time())
        self.backs.setdefault(sent.receipt, []).append(back)
        if self._happens("never_acts"):
            return  # until the world grows quiet
        delay = self._between(0.2, 45.0)
        if self._happens("acts_late"):
            delay = self._between(60.0, 26 * HOUR)
        self._loop.outside(delay, self._send_back, back)

    def _send_back(self, back: Back) -> None:
        if back.outcome is not None:
            return
        back.outcome = not self._happens("fails")
        if back.outcome:
            self.on_back(self, back)
        if self._happens("silent"):
            return
        finding = Finding(Outcome.FAILED, "failed", reason=Reason.CANNOT_RECEIVE)
        if back.outcome:
            finding = Finding(
                Outcome.SUCCEEDED, "ok", amount=back.sent.amount, receipt=back.receipt
            )
        for _ in range(2 if self._happens("callback_twice") else 1):
            self._tell_of(back.pay_in, finding)

    def _tell_of(self, pay_in_id: str, finding: Finding) -> None:
        is_late = self._happens("callback_late")
        delay = self._between(600.0, 2 * 24 * HOUR) if is_late else self._between(0.0, 5.0)
        self._loop.outside(delay, self.on_told, self, pay_in_id, finding)
