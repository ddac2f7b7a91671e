"""Asks Safaricom M-PESA in Kenya: STK push, B2C payouts, refunds, and how they went.

Facts: reference `mpesa.md`. It refuses to decide anything about a payment, and to remember any.
What customers pay in of their own accord is `pay_ins`, money between businesses `business`.
"""

import base64
from typing import Any, get_args

import httpx
import msgspec

from engine.clock import AttemptId, Clock
from engine.errors import OutcomeUnknown, Rejected
from engine.money import Money
from engine.ports import (
    BALANCE_KIND,
    Accepted,
    Callback,
    Direction,
    Finding,
    OperatorFacts,
    Order,
    Outcome,
    Reason,
)
from providers.http import Trace, no_trace
from providers.mpesa import balance
from providers.mpesa.answers import NAME, error_of
from providers.mpesa.api import Daraja, address_for, forbidden_in
from providers.mpesa.business import Business
from providers.mpesa.callbacks import PUSH_FAILED, UNNAMED_KIND, read_callback, verdict
from providers.mpesa.pay_ins import PayIns
from providers.mpesa.reversal import Reversals
from providers.mpesa.settings import MpesaSettings, PayoutVersion
from providers.mpesa.sims import NAIROBI, SimChanges
from providers.mpesa.way import Way, read_way, way_of
from providers.wire import order_amount


class Mpesa(PayIns, Business, SimChanges):
    """The operator `mpesa_ke`. See `engine.ports.OperatorPort` for what callers may rely on."""

    def __init__(
        self,
        settings: MpesaSettings,
        *,
        clock: Clock,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the certificate or the address is none."""
        api = Daraja(settings, clock=clock, trace=trace, transport=transport)
        reversals = Reversals(api, settings)
        PayIns.__init__(self, api, settings, reversals)
        Business.__init__(self, api, settings)
        SimChanges.__init__(self, api, settings)
        self._way = way_of(settings)
        self.facts = _facts(self._way, settings.confirm_above_minor)
        self._reversals = reversals
        self._clock = clock
        self._push_url = api.url("/mpesa/stkpush/v1/processrequest")
        self._push_query_url = api.url("/mpesa/stkpushquery/v1/query")
        self._payout_urls = {
            version: api.url(f"/mpesa/b2c/{version}/paymentrequest")
            for version in get_args(PayoutVersion)
        }
        self._balance_url = api.url("/mpesa/accountbalance/v1/query")
        self.balance_accounts = settings.shortcodes

    async def collect(self, order: Order) -> Accepted:
        """Send the prompt (section 4). After OutcomeUnknown a repeat may charge the payer twice."""
        answer = await self._api.post("stk_push", self._push_url, self._push_message(order))
        checkout_id = answer.word("CheckoutRequestID")
        if not answer.is_accepted or not checkout_id:
            raise error_of(answer)
        return Accepted(provider_reference=checkout_id)

    async def disburse(self, order: Order) -> Accepted:
        """Pay out by B2C (section 8). By v3 a repeat is refused as a duplicate, by v1 it pays."""
        return await self._pay_out("b2c_payout", order)

    async def refund(self, order: Order) -> Accepted:
        """Give back by a reversal where that is set and can be done, else by a payout.

        Which of the two is the same at every repeat of an order: its receipt never changes.
        """
        if _is_reversal(order, self._way_of(order)):
            assert order.collected_receipt is not None
            amount = order_amount(self._facts_of(order), order)
            return await self._reversals.order(
                order.collected_receipt, int(amount), order.callback_url, kind="reversal-result"
            )
        return await self._pay_out("b2c_refund", order)

    async def query(self, order: Order) -> Finding:
        """STK query for a collection; for all else the answer comes by `status-result`."""
        try:
            if order.direction is Direction.COLLECT:
                return await self._query_push(order)
            return await self._query_later(order)
        except Rejected as error:
            # A refused question is no evidence about the money.
            raise OutcomeUnknown(NAME, "the query was refused", code=error.code) from error

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """Kinds: those of `callbacks.READERS`, and `timeout`."""
        callback = read_callback(kind, body)
        if kind == "stk-callback" or (kind != UNNAMED_KIND and self._is_known_by_conversation):
            return callback
        # Known by the id that questions need, and results may show another (section 8): the
        # unguessable address alone says whose they are.
        finding = msgspec.structs.replace(callback.finding, provider_reference=None)
        return msgspec.structs.replace(callback, finding=finding)

    async def ask_balance(self, account: str, callback_url: str) -> Money | None:
        """Ask for what a shortcode holds (section 9.3); always answered later."""
        url = address_for(callback_url, BALANCE_KIND)
        message = balance.balance_message(self._api.initiator, shortcode=account, url=url)
        await self._api.ask("account_balance", self._balance_url, message)
        return None

    def read_balance(self, body: bytes) -> Money | None:
        return balance.read_balance(body)

    def address_fault(self, callback_url: str) -> str | None:
        """Section 11: some words are refused in any address, in any case."""
        word = forbidden_in(callback_url)
        return None if word is None else f"an address may not contain {word!r}"

    def may_repeat(self, direction: Direction, by: str) -> bool:
        """v3 refuses an id that this shortcode has paid out under before, v1 has none.

        A reversal's repeat says that it was done already; where it has no receipt it is a payout.
        """
        try:
            way = read_way(by)
        except Rejected:
            return False
        is_prompt = direction is Direction.COLLECT
        return not is_prompt and way.names_payouts and way.shortcode == self._way.shortcode

    def refunds_by_payout(self, by: str) -> bool:
        try:
            return read_way(by).refund_by == "payout"
        except Rejected:
            return self.facts.refund_is_payout

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        """The OriginatorConversationID of payouts; a push is known by its CheckoutRequestID."""
        return (attempt_id,)

    async def aclose(self) -> None:
        await self._api.aclose()

    def _push_message(self, order: Order) -> dict[str, Any]:
        settings, number = self._settings, int(order.msisdn.digits)
        by_till = "CustomerBuyGoodsOnline" if settings.till else "CustomerPayBillOnline"
        return {
            "BusinessShortCode": int(settings.shortcode),
            **self._signature(),
            "TransactionType": by_till,
            "Amount": int(order_amount(self.facts, order)),
            "PartyA": number,
            "PartyB": int(settings.till or settings.shortcode),
            "PhoneNumber": number,
            "CallBackURL": address_for(order.callback_url, "stk-callback"),
            "AccountReference": order.code,
            "TransactionDesc": "Send money",  # left out: "Invalid Remarks" (section 4)
        }

    def _signature(self) -> dict[str, str]:
        timestamp = self._clock.now().astimezone(NAIROBI).strftime("%Y%m%d%H%M%S")
        plain = self._settings.shortcode + self._settings.passkey + timestamp
        return {
            "Password": base64.b64encode(plain.encode()).decode(),
            "Timestamp": timestamp,
        }

    async def _pay_out(self, operation: str, order: Order) -> Accepted:
        way = self._way_of(order)
        if way.shortcode != self._way.shortcode:
            raise Rejected(
                NAME,
                f"it began at shortcode {way.shortcode}, which pays out no more",
                code="shortcode",
                reason=Reason.CONFIGURATION,
            )
        url = self._payout_urls[way.payout_version]
        answer = await self._api.post(operation, url, self._payout_message(order, way))
        if answer.is_duplicate:
            return Accepted()  # the first one was taken; its ConversationID is not told again
        if not answer.is_accepted:
            raise error_of(answer)
        # What a later question needs: by v1 only the id that the gateway made (section 9.1).
        told = "ConversationID" if way.names_payouts else "OriginatorConversationID"
        return Accepted(provider_reference=answer.word(told) or None)

    def _payout_message(self, order: Order, way: Way) -> dict[str, Any]:
        named = {"OriginatorConversationID": order.attempt_id} if way.names_payouts else {}
        kind = "b2c-result" if way.names_payouts else UNNAMED_KIND
        return {
            **named,
            "InitiatorName": self._settings.initiator,
            "SecurityCredential": self._api.credential,
            "CommandID": "BusinessPayment",
            "Amount": int(order_amount(self._facts_of(order), order)),
            "PartyA": int(way.shortcode),
            "PartyB": int(order.msisdn.digits),
            "Remarks": f"Payment {order.code}",
            "QueueTimeOutURL": address_for(order.callback_url, "timeout"),
            "ResultURL": address_for(order.callback_url, kind),
            "Occassion": order.code,
        }

    @property
    def _is_known_by_conversation(self) -> bool:
        """Whether every result of an order is of one that is known by its ConversationID."""
        return self._way.names_payouts and self._way.refund_by == "payout"

    def _way_of(self, order: Order) -> Way:
        """How it began: a setting changes what begins from then on. Raises Rejected."""
        return read_way(order.by) if order.by else self._way

    def _facts_of(self, order: Order) -> OperatorFacts:
        """What limits it: a refund may have begun as what refunds are no more."""
        way = self._way_of(order)
        is_usual = way.refund_by == self._way.refund_by
        return self.facts if is_usual else _facts(way, self._settings.confirm_above_minor)

    async def _query_push(self, order: Order) -> Finding:
        if order.provider_reference is None:
            # The answer to the push was lost, and with it the only id: wait for the callback.
            return Finding(Outcome.PENDING, code="no_checkout_id")
        message = {
            "BusinessShortCode": self._settings.shortcode,
            **self._signature(),
            "CheckoutRequestID": order.provider_reference,
        }
        answer = await self._api.post("stk_query", self._push_query_url, message)
        if answer.code == "500.001.1001" and not answer.is_rejected:
            # Under way, or settled long ago and forgotten (section 6): never a failure.
            is_unknown = "does not exist" in answer.text.lower()
            return Finding(Outcome.NOT_FOUND if is_unknown else Outcome.PENDING, code=answer.code)
        code = answer.word("ResultCode")
        if not answer.is_accepted or not code:
            raise error_of(answer)
        outcome, reason = verdict(code, PUSH_FAILED)
        checkout_id = answer.word("CheckoutRequestID") or None
        return Finding(outcome, code=code, reason=reason, provider_reference=checkout_id)

    async def _query_later(self, order: Order) -> Finding:
        """Ask for a payout or a reversal by the OriginatorConversationID of its request."""
        way = self._way_of(order)
        is_reversal = _is_reversal(order, way)
        is_ours = way.names_payouts and not is_reversal
        original = order.attempt_id if is_ours else order.provider_reference
        if original is None:
            # Its answer was lost, and with it the only id: wait for the result.
            return Finding(Outcome.PENDING, code="no_conversation_id")
        message = {
            **self._api.initiator,
            "CommandID": "TransactionStatusQuery",
            "OriginalConversationID": original,
            "PartyA": self._settings.shortcode if is_reversal else way.shortcode,
            "IdentifierType": "4",
            "ResultURL": address_for(order.callback_url, "status-result"),
            "QueueTimeOutURL": address_for(order.callback_url, "timeout"),
            "Remarks": "Status check",
            "Occasion": order.code,
        }
        await self._api.ask("transaction_status", self._status_url, message)
        return Finding(Outcome.ASKED, code="asked")


def _is_reversal(order: Order, way: Way) -> bool:
    reverses = way.refund_by == "reversal"
    is_refund = order.direction is Direction.REFUND
    return reverses and is_refund and order.collected_receipt is not None


def _facts(way: Way, confirm_above_minor: int) -> OperatorFacts:
    # B2C v3 refuses a second OriginatorConversationID; v1 has none.
    payout_repeat_is_safe = way.names_payouts
    return OperatorFacts(
        code=1,
        name=NAME,
        country="KE",
        currency="KES",
        unit_minor=100,
        collect_minor_min=100,
        collect_minor_max=25_000_000,
        disburse_minor_min=1_000,
        disburse_minor_max=25_000_000,
        collect_repeat_is_safe=False,  # two pushes are two prompts, maybe two payments
        disburse_repeat_is_safe=payout_repeat_is_safe,
        # Where a receipt is not known the refund is a payout, whatever is set.
        refund_repeat_is_safe=payout_repeat_is_safe,
        confirm_callback_above_minor=confirm_above_minor,
        refund_is_payout=way.refund_by == "payout",
        refund_by_receipt=way.refund_by == "reversal",
        orders_by=str(way),
        callback_tells_receipt=True,  # section 5: `MpesaReceiptNumber` of every success
        # Section 11 again: an address with the first word businesses look for is refused.
        webhooks=("daraja", "mpesa"),
    )
