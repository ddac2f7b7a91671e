"""Sends a message that somebody has claimed, once, and writes down what became of it.

Never two messages for one state: what may have been sent is not sent again. It is known later, by
a delivery report, or told to staff (`watch.py`). Knows no operator and moves no money.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Set
from typing import Protocol

import msgspec

from engine.clock import AttemptId, Clock, IntentId, PaymentId, epoch_of, made_at
from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreachable
from engine.ledger.plans import Intent
from engine.messages.gateways import Handed
from engine.messages.letters import KINDS, REPLY, WITHOUT_PAYMENT, Letter, Letters
from engine.msisdn import Msisdn
from engine.outbox import Leased, SmsEnding
from engine.payments.lifecycle import TERMINAL, State
from engine.payments.payment import Payment
from engine.ports import Sms

log = logging.getLogger(__name__)

RECEIPT = "receipt_payer"
UNKNOWN, QUIET, TOO_LATE = "unknown", "quiet", "refused:too_late"
SAID_BEFORE = "refused:said_before"
_DELAYED = "delayed"
_GOES_BACK = {State.LATE_FUNDS, State.REFUND_DUE, State.REFUNDING, State.REFUND_UNKNOWN}
_HOLDS_IN: Mapping[str, Set[State]] = {
    RECEIPT: {State.PAID},
    "receipt_payee": {State.PAID},
    "collect_failed": {State.COLLECT_FAILED},
    "expired": {State.EXPIRED},
    "cancelled": {State.CANCELLED},
    "returned": {State.RETURNED},
    # Not once it is paid again: maybe to another number, whose letter this would be.
    "taken_back": {State.RETURNED, State.REFUNDED} | _GOES_BACK,
    "refund_started": _GOES_BACK,
    "refund_decided": _GOES_BACK,
    "late_funds": _GOES_BACK,
    "refunded": {State.REFUNDED},
    _DELAYED: set(State) - TERMINAL - _GOES_BACK - {State.RETURNED},
}
"""In which states a notice tells what is so: it may be sent long after the commit that owed it."""


class Perseverance(msgspec.Struct, frozen=True):
    """How long a message that definitely did not leave is tried, in seconds."""

    first_pause: float = 10.0  # doubled after every try
    pause_max: float = 900.0
    worth_sending: float = 86_400.0  # later than this nobody is served by it
    # An answer tells a price, how a payment stands, that a PIN is asked for now: so much is so no
    # longer than a price lasts. Who got none asks again.
    worth_answering: float = 120.0
    link_pauses: tuple[float, ...] = (0.0, 2.0, 8.0)  # before each try of a link: it is short-lived


USUAL = Perseverance()


class Carriers(Protocol):
    """`gateways.Gateways`, or one that plays them."""

    async def send(self, message: Sms) -> Handed: ...


class Endings(Protocol):
    """What the sender asks of `outbox.Outbox`."""

    async def release(self, intent_id: str, claim: int, retry_at: float) -> None: ...

    async def put_back(self, left: Leased) -> None: ...

    async def end_sms(self, ending: SmsEnding) -> None: ...

    async def was_said(self, payment_id: PaymentId, template: str) -> bool: ...


class Quiet(Protocol):
    """`quiet.OptOuts`, or one that plays it."""

    async def are_quiet(self, msisdn: Msisdn) -> bool: ...


class Messages:
    """Everything outgoing of one tenant."""

    def __init__(
        self,
        *,
        gateways: Carriers,
        outbox: Endings,
        opt_outs: Quiet,
        letters: Letters,
        clock: Clock,
        draw: Callable[[], float],
        perseverance: Perseverance = USUAL,
    ) -> None:
        """`draw` gives a number from 0 up to 1: tries of several processes spread by it."""
        self._gateways = gateways
        self._outbox = outbox
        self._opt_outs = opt_outs
        self._letters = letters
        self._clock = clock
        self._draw = draw
        self._perseverance = perseverance

    @staticmethod
    def carries(kind: int) -> bool:
        """Whether an intent of this kind is a message."""
        return kind in KINDS

    @staticmethod
    def needs_payment(kind: int) -> bool:
        return kind not in WITHOUT_PAYMENT

    @staticmethod
    def is_missed(kind: int) -> bool:
        """Whether nobody asks again for one of this kind that does not come, as for an answer."""
        return kind != REPLY

    async def carry_out(self, intent: Intent, payment: Payment | None, claim: int) -> None:
        """Send what a fresh intent says, under a claim of ours.

        Raises ValueError or KeyError for a payload nobody wrote; the intent stays.
        """
        await self.send(self._letter(intent.id, intent.kind, intent.payload, payment), claim)

    async def take_over(self, left: Leased, payment: Payment | None) -> None:
        """The same for an intent whose process died; what may have left is not sent again.

        Raises as `carry_out` for what other code wrote, who can send it if it has not left.
        """
        try:
            letter = self._letter(left.id, left.kind, left.payload, payment)
        except (ValueError, LookupError):
            await self._outbox.put_back(left)
            raise
        if left.was_sent:
            # Better no receipt than two; the status can be asked for.
            await self._end(letter, UNKNOWN)
        elif payment is not None and _is_overtaken(letter.template, payment.state):
            await self._end(letter, TOO_LATE)  # what was put off would be untrue by now
        else:
            await self.send(letter, left.claim)

    async def send(self, letter: Letter, claim: int) -> None:
        """Send it under the claim of whoever calls. Not to be repeated under the same claim."""
        if self._clock.epoch() > self._worth_until(letter):
            await self._end(letter, TOO_LATE)
        elif not letter.is_required and await self._opt_outs.are_quiet(letter.to):
            await self._end(letter, QUIET)
        elif letter.template == _DELAYED and await self._was_said(letter):
            await self._end(letter, SAID_BEFORE)
        else:
            await self._offer(letter, claim)

    async def bring_link(self, payment: Payment, attempt_id: AttemptId, link: str) -> None:
        """Send the payer the page where an attempt is approved. Not to be repeated.

        The link is stored nowhere and in no log, so nobody can send it later: what definitely did
        not leave is tried again for some seconds, and what is lost lets the collection come to
        nothing, which its operator then says.
        """
        letter = self._letters.of_link(payment, attempt_id, link)
        for pause in self._perseverance.link_pauses:
            await asyncio.sleep(pause)
            later = await self._hand_over(letter)
            if later is None:
                return
            log.warning("SMS %s about %s not sent: %s", letter.template, letter.about, later)
        await self._end(letter, TOO_LATE)

    def receipt_of(self, payment: Payment) -> str:
        """What the payer's receipt says, for those who bring it another way."""
        payload = f"{RECEIPT}:payer:"
        letter = self._letters.of_payment(
            IntentId(payment.payment_id), payment, payload, self._clock.now()
        )
        return letter.planned.text

    async def _was_said(self, letter: Letter) -> bool:
        """A payment may wait in several states, and come to one of them many times."""
        return await self._outbox.was_said(PaymentId(letter.about), letter.template)

    def _letter(self, id_: str, kind: int, payload: str | None, payment: Payment | None) -> Letter:
        intent_id, payload = IntentId(id_), payload or ""
        if payment is None:
            return self._letters.without_payment(intent_id, kind, payload)
        return self._letters.of_payment(intent_id, payment, payload, made_at(intent_id))

    async def _offer(self, letter: Letter, claim: int) -> None:
        if (later := await self._hand_over(letter)) is not None:
            await self._put_off(letter, claim, later)

    async def _hand_over(self, letter: Letter) -> Throttled | Unreachable | None:
        """Offer it once; why it may be tried later, or None when its end is written down."""
        try:
            handed = await self._gateways.send(
                Sms(letter.intent_id, letter.to, letter.planned.text)
            )
        except (Throttled, Unreachable) as error:
            return error
        except Rejected as error:
            log.error("SMS %s about %s refused: %s", letter.template, letter.about, error)
            await self._end(letter, f"refused:{error.code}")
        except OutcomeUnknown as error:
            log.warning("SMS %s about %s unclear: %s", letter.template, letter.about, error)
            await self._end(letter, UNKNOWN, gateway=error.provider)
        else:
            self._compare(letter, handed)
            await self._end(letter, "sent", handed.gateway, handed.message_id, handed.counted)
        return None

    async def _put_off(self, letter: Letter, claim: int, error: ProviderError) -> None:
        """The pause doubles with every claim and is drawn, so that processes do not march."""
        patience = self._perseverance
        tries = min(max(claim, 1), 20)
        pause = min(patience.first_pause * 2.0 ** (tries - 1), patience.pause_max)
        pause *= 1 + 0.2 * self._draw()
        pause = max(pause, getattr(error, "retry_after_seconds", 0.0))
        log.warning("SMS %s not sent, again in %.0f s: %s", letter.template, pause, error)
        await self._outbox.release(letter.intent_id, claim, self._clock.epoch() + pause)

    def _worth_until(self, letter: Letter) -> float:
        patience = self._perseverance
        seconds = patience.worth_answering if letter.is_answer else patience.worth_sending
        return epoch_of(letter.intent_id) + seconds

    @staticmethod
    def _compare(letter: Letter, handed: Handed) -> None:
        """Another count than ours means that we are charged for what we did not plan."""
        if handed.counted is not None and handed.counted != letter.planned.segments:
            log.warning(
                "%s counts %d segments of %s, planned were %d",
                handed.gateway, handed.counted, letter.template, letter.planned.segments,
            )  # fmt: skip

    async def _end(
        self,
        letter: Letter,
        status: str,
        gateway: str = "",
        message_id: str = "",
        counted: int | None = None,
    ) -> None:
        await self._outbox.end_sms(
            SmsEnding(
                letter.intent_id, letter.about, letter.tenant, letter.template, status, message_id,
                gateway, letter.planned.segments, counted,
            )
        )  # fmt: skip


def _is_overtaken(template: str, state: State) -> bool:
    """Whether a notice that was put off would tell of what is no longer so."""
    return state not in _HOLDS_IN[template]
