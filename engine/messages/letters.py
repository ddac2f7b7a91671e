"""One message as it is to be sent: to whom, which sentence, with what in it. Pure.

Reads the payloads of SMS intents; knows no gateway and sends nothing.
"""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from engine.clock import AttemptId, IntentId, PaymentId
from engine.errors import TextKey
from engine.messages.planning import Planned, Writer, as_it_is
from engine.messages.quiet import REQUIRED
from engine.msisdn import Msisdn, country_of
from engine.payments.notices import MESSAGE, SMS, Notice, read_message, read_notice
from engine.payments.payment import Payment
from engine.ports import Direction, Reason

REPLY = 13
"""The intent kind of an answer to what a phone has sent us. Its row names its own id where a
payment's would be."""

ANSWER = "answer"
"""What stands for the template of a REPLY."""

LINK = "pay_link"
"""The template of a message that brings a payer the page where an attempt is approved."""

WITHOUT_PAYMENT = frozenset({MESSAGE, REPLY})
"""Intents that are sent as they are: no payment is read for them."""

KINDS = frozenset({SMS}) | WITHOUT_PAYMENT


class Answer(msgspec.Struct, frozen=True):
    """A text for the phone that has just asked for it; what a REPLY holds."""

    to: str
    text: str


class Letter(NamedTuple):
    """`about` is the payment, or its own id when there is none; `is_required` passes a STOP."""

    intent_id: IntentId
    about: PaymentId
    tenant: int
    template: str
    to: Msisdn
    planned: Planned
    is_required: bool

    @property
    def is_answer(self) -> bool:
        return self.template == ANSWER


def write_answer(to: Msisdn, text: str) -> str:
    """The payload of an intent of kind REPLY."""
    return msgspec.json.encode(Answer(str(to), text)).decode()


class Letters:
    """Writes the letters of one tenant's intents."""

    def __init__(self, writer: Writer, *, tenant: int, shortcode: str) -> None:
        """`shortcode` is what people are told to dial."""
        self._writer = writer
        self._tenant = tenant
        self._always = {"shortcode": shortcode}

    def without_payment(self, intent_id: IntentId, kind: int, payload: str) -> Letter:
        """The letter of an intent of its own. Raises ValueError for a payload nobody wrote."""
        about = PaymentId(intent_id)
        if kind == REPLY:
            answer = msgspec.json.decode(payload, type=Answer)
            to, planned = Msisdn(answer.to), as_it_is(answer.text)
            return Letter(intent_id, about, self._tenant, ANSWER, to, planned, is_required=True)
        message = read_message(payload)
        template, variables = message.template, {**self._always, **message.variables}
        planned = self._writer.write(message.language, f"sms.{template}", variables)
        required = template in REQUIRED
        return Letter(intent_id, about, self._tenant, template, message.to, planned, required)

    def of_payment(
        self, intent_id: IntentId, payment: Payment, payload: str, now: datetime
    ) -> Letter:
        """The letter a payment owes. Raises ValueError for a payload nobody wrote."""
        notice = read_notice(payload)
        quote = payment.quote
        to, language = (
            (quote.payee, quote.payee_language)
            if notice.to_payee
            else (quote.payer, quote.payer_language)
        )
        variables = {**self._always, **_variables(payment, notice, now)}
        planned = self._writer.write(
            language, f"sms.{notice.template}", variables, country=country_of(Msisdn(to))
        )
        return Letter(
            intent_id, payment.payment_id, payment.facts.tenant, notice.template, Msisdn(to),
            planned, notice.template in REQUIRED,
        )  # fmt: skip

    def of_link(self, payment: Payment, attempt_id: AttemptId, link: str) -> Letter:
        """The page where the payer approves an attempt; it goes by the attempt's own id.

        The link stands behind the sentence, whole: how long it is, its operator decides. Of what a
        business asked for it is the first word that the payer reads, so it says whom it is for.
        """
        quote = payment.quote
        variables = {
            "code": payment.code,
            "receives": quote.receives,
            "payee": Msisdn(quote.payee),
            "total": quote.total,
            "payer_operator": TextKey(f"operator.{quote.payer_operator}"),
        }
        sentence = self._writer.write(quote.payer_language, f"sms.{LINK}", variables)
        return Letter(
            IntentId(attempt_id), payment.payment_id, payment.facts.tenant, LINK,
            Msisdn(quote.payer), as_it_is(f"{sentence.text}\n{link}"), True,
        )  # fmt: skip


def _variables(payment: Payment, notice: Notice, now: datetime) -> dict[str, Any]:
    quote = payment.quote
    return {
        "code": payment.code,
        "amount": quote.amount,
        "fee": quote.fee,
        "total": quote.total,
        "refund": payment.amount_of(Direction.REFUND),
        "receives": quote.receives,
        "payer": Msisdn(quote.payer),
        "payee": Msisdn(quote.payee),
        "time": now,
        "reason": TextKey(f"reason.{notice.reason or Reason.OTHER}"),
    }
