"""Asks MTN MoMo in one market: request to pay, payouts, refund, and how they went.

Facts: reference `mtn-momo.md`. It stores nothing: every reference is derived from the attempt, so
that a repeat is the same request to the operator, which refuses it as a duplicate.
"""

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

import httpx
import msgspec

from engine.clock import AttemptId, Clock
from engine.errors import OutcomeUnknown, Rejected, Unreadable
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import (
    Accepted,
    Acknowledgement,
    Callback,
    CallbackTrust,
    Direction,
    Finding,
    OperatorFacts,
    Order,
    Outcome,
    Preapproval,
    Reason,
)
from providers.http import Client, Trace, no_trace
from providers.mtn_momo.answers import FIELDS, error_of, finding_of, order_error_of, query_error_of
from providers.mtn_momo.balance import BALANCE, balance_of
from providers.mtn_momo.holder import HOLDER, holder_name_of, is_holder_active
from providers.mtn_momo.payouts import PLACES, Payout, Place, Way, read_way, sender_fields
from providers.mtn_momo.preapproval import (
    PREAPPROVAL,
    PREAPPROVALS,
    has_approved,
    not_asked,
    preapproval_message,
)
from providers.mtn_momo.product import KINDS, MtnMomoSettings, Product, reference_id
from providers.redaction import mark_of, printable
from providers.wire import json_object, order_amount, word

# Section 5: `&`, `(`, `)` and `#` were refused, so only what certainly passes is sent.
_UNSAFE_IN_NARRATION = re.compile(r"[^0-9A-Za-z ]")
_NARRATION_MAX = 100
_UNSAFE_IN_NOTICE = re.compile(r"[^0-9A-Za-z .,:+-]")
_NOTICE_MAX = 160


class MtnMomo:
    """One market of MTN; another one is other facts. See `engine.ports.OperatorPort`."""

    def __init__(
        self,
        facts: OperatorFacts,
        settings: MtnMomoSettings,
        *,
        clock: Clock,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the address is none."""
        self.facts = msgspec.structs.replace(
            facts,
            prompts_payer=not settings.only_preapproved,
            callback=facts.callback if settings.calls_back else CallbackTrust.NONE,
            orders_by=str(way := Way(settings.payout, mark_of(settings.api_user))),
        )
        self._way = way
        self.notifies = settings.notifies
        self._settings = settings
        self._client = Client(
            facts.name,
            settings.base_url,
            timeouts=settings.timeouts,
            connections=settings.connections,
            per_second=settings.per_second,
            transport=transport,
            trace=trace,
            shown=FIELDS.without("message"),
        )
        make_product = partial(Product, client=self._client, settings=settings, clock=clock)
        self._collection = make_product(
            "collection", "requesttopay", BALANCE, PREAPPROVAL, PREAPPROVALS,
            key=settings.collection_key,
        )  # fmt: skip
        self._disbursement = make_product(
            "disbursement", "transfer", "deposit", "refund", BALANCE, HOLDER,
            key=settings.disbursement_key,
        )  # fmt: skip
        self._products = {"collection": self._collection, "disbursement": self._disbursement}
        if settings.remittance_key:
            self._products["remittance"] = make_product(
                "remittance", "transfer", "cashtransfer", BALANCE, key=settings.remittance_key
            )
        self.balance_accounts = tuple(self._products)

    async def collect(self, order: Order) -> Accepted:
        """Ask the payer for approval (section 5). A repeat is refused as a duplicate: accepted.

        Where only those are collected from who have agreed beforehand, nobody else is asked.
        """
        self._sent_by(order)
        message = self._message(order, party="payer")
        if self._settings.only_preapproved:
            await self._check_preapproved(order)
        return await self._create(self._collection, "requesttopay", order, message)

    async def disburse(self, order: Order) -> Accepted:
        """Pay the payee by the product it began by (sections 6 and 7); a repeat is safe."""
        message = self._message(order, party="payee")
        place = PLACES[present := self._sent_by(order).payout]
        if place.product not in self._products:
            raise self._malformed("its product has no key any more", code="no_product")
        before = [] if order.by else self._settings.payouts_before
        if present is Payout.CASH_TRANSFER:
            if order.sender is None:
                raise self._malformed("a cash transfer from nobody", code="no_sender")
            message |= sender_fields(order.sender, self._settings.sender_fields)
        if await self._was_taken_before(order, before):
            return Accepted()
        return await self._create(self._products[place.product], place.resource, order, message)

    async def refund(self, order: Order) -> Accepted:
        """Give a collection back (section 6); a repeat is safe."""
        if order.collected_attempt_id is None:
            raise self._malformed("a refund that names no collection", code="no_collection")
        self._sent_by(order)
        message = self._message(order, party=None)
        message["referenceIdToRefund"] = reference_id(order.collected_attempt_id)
        return await self._create(self._disbursement, "refund", order, message)

    async def query(self, order: Order) -> Finding:
        """The operator's answer at once; NOT_FOUND when it has no such reference anywhere."""
        *others, last = self._places_of(order)
        for place in others:
            finding = await self._query_at(place, order)
            if finding.outcome is not Outcome.NOT_FOUND:
                return finding
        return await self._query_at(last, order)

    async def _query_at(self, place: Place, order: Order) -> Finding:
        reference = reference_id(order.attempt_id)
        if place.product not in self._products:
            raise OutcomeUnknown(self.facts.name, "its product has no key", code="no_product")
        try:
            answer = await self._products[place.product].fetch(place.resource, reference)
            if answer.status == 404 and answer.code == "RESOURCE_NOT_FOUND":
                return Finding(Outcome.NOT_FOUND, code=answer.code)
            if answer.status != 200 or not word(answer.message.get("status")):
                raise query_error_of(self.facts.name, answer)
            pays = order.direction is not Direction.COLLECT
            return finding_of(self.facts.name, answer.message, pays=pays)
        except (Rejected, Unreadable) as error:
            # Neither a refused question nor a senseless answer is evidence about the money.
            raise OutcomeUnknown(
                self.facts.name, "the query brought no evidence", code=error.code
            ) from error

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """A kind per product, by POST or PUT: the status body without a reference (section 10)."""
        message = json_object(body)
        if kind not in KINDS or message is None or not word(message.get("status")):
            shown = printable(kind, length_max=20)
            raise Unreadable(self.facts.name, f"no status body of kind {shown!r}")
        finding = finding_of(self.facts.name, message, pays="payer" not in message)
        return Callback(finding, Acknowledgement(), FIELDS.redact(message))

    async def ask_balance(self, account: str, callback_url: str) -> Money:
        """What one product's account holds (section 8), told at once."""
        del callback_url
        return balance_of(self.facts, await self._products[account].look(BALANCE))

    def read_balance(self, body: bytes) -> Money | None:
        """No balance ever comes later."""
        raise Unreadable(self.facts.name, f"{len(body)} bytes about a balance nobody awaits")

    async def name_of(self, msisdn: Msisdn) -> str | None:
        """The basic user info of a wallet (section 8); asked where payees are paid from."""
        below = f"/{msisdn.digits}/basicuserinfo"
        return holder_name_of(self.facts.name, await self._disbursement.look(HOLDER, below))

    async def is_active(self, msisdn: Msisdn) -> bool | None:
        """Whether a wallet is registered and works (section 8); asked where payees are paid."""
        below = f"/{msisdn.digits}/active"
        return is_holder_active(self.facts.name, await self._disbursement.look(HOLDER, below))

    async def notify_delivered(self, collected: AttemptId, text: str) -> None:
        """A delivery notification (section 5), only of a collection that succeeded."""
        message = {"notificationMessage": _UNSAFE_IN_NOTICE.sub(" ", text)[:_NOTICE_MAX]}
        reference = reference_id(collected)
        answer = await self._collection.notify("requesttopay", reference, message)
        if answer.status != 200 or answer.is_firewall_page:
            raise error_of(self.facts.name, answer, pays=False)

    async def ask_preapproval(self, asked: Preapproval) -> None:
        """Have a payer asked (`preapproval`); a repeat is refused as a duplicate."""
        message = preapproval_message(asked, self.facts.currency, _narration(asked.text))
        reference = reference_id(AttemptId(asked.id))
        answer = await self._collection.make_uncalled(PREAPPROVAL, reference, message)
        if not answer.is_taken:
            raise error_of(self.facts.name, answer, pays=False)

    async def preapproval_stands(self, asked: Preapproval) -> Finding:
        """What the payer said; NOT_FOUND when the operator has no such question."""
        answer = await self._collection.fetch(PREAPPROVAL, reference_id(AttemptId(asked.id)))
        if answer.status == 404 and answer.code == "RESOURCE_NOT_FOUND":
            return Finding(Outcome.NOT_FOUND, code=answer.code)
        if answer.status != 200 or not word(answer.message.get("status")):
            raise query_error_of(self.facts.name, answer)
        return finding_of(self.facts.name, answer.message, pays=False)

    async def cancel_preapproval(self, asked: Preapproval) -> None:
        """Take it back; one that the operator does not know is not good any more either."""
        answer = await self._collection.cancel(reference_id(AttemptId(asked.id)))
        is_gone = answer.status == 404 and answer.code == "RESOURCE_NOT_FOUND"
        is_done = answer.status in (200, 202, 204) and not answer.tells_of_an_error
        if not is_gone and not is_done:
            raise error_of(self.facts.name, answer, pays=False)

    async def is_preapproved(self, msisdn: Msisdn) -> bool:
        """Whether the payer has agreed beforehand, and still does."""
        answer = await self._collection.look(PREAPPROVALS, f"/{msisdn.digits}")
        return has_approved(self.facts.name, answer)

    def may_repeat(self, direction: Direction, by: str) -> bool:
        """Where the reference was sent before it is refused: by the same user and product."""
        try:
            way = read_way(self.facts.name, by)
        except Rejected:
            return False
        has_key = PLACES[way.payout].product in self._products
        return way.user == self._way.user and (has_key or direction is not Direction.DISBURSE)

    def refunds_by_payout(self, by: str) -> bool:
        """Never: it has a refund of its own, whatever pays out."""
        del by
        return self.facts.refund_is_payout

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        """The X-Reference-Id, as we send it."""
        return (reference_id(attempt_id),)

    async def aclose(self) -> None:
        for product in self._products.values():
            await product.aclose()
        await self._client.aclose()

    def _sent_by(self, order: Order) -> Way:
        """The way it began, to send it: of another user its reference would be a new one."""
        way = read_way(self.facts.name, order.by) if order.by else self._way
        if way.user != self._way.user:
            raise self._malformed("it began with an API user that is no longer set", code="user")
        return way

    def _places_of(self, order: Order) -> list[Place]:
        direction = order.direction
        if direction is Direction.COLLECT:
            return [Place("collection", "requesttopay")]
        if direction is Direction.REFUND:
            return [Place("disbursement", "refund")]
        if not order.by:
            return [PLACES[payout] for payout in self._settings.payouts]
        try:
            return [PLACES[read_way(self.facts.name, order.by).payout]]
        except Rejected as error:
            raise OutcomeUnknown(self.facts.name, "no such way", code=error.code) from error

    async def _was_taken_before(self, order: Order, before: Iterable[Payout]) -> bool:
        """Whether an earlier call went by a product that was ours before: it would not be noticed.

        Raises what `query` raises; then nothing new was sent.
        """
        for payout in before:
            finding = await self._query_at(PLACES[payout], order)
            if finding.outcome is not Outcome.NOT_FOUND:
                return True
        return False

    async def _check_preapproved(self, order: Order) -> None:
        """Raises Rejected for a payer who has not agreed; what nobody told is asked later."""
        try:
            if await self.is_preapproved(order.msisdn):
                return
        except (OutcomeUnknown, Unreadable) as error:
            raise not_asked(self.facts.name) from error
        raise Rejected(
            self.facts.name,
            "the payer has not agreed beforehand",
            code="not_preapproved",
            reason=Reason.DECLINED,
        )

    def _malformed(self, detail: str, *, code: str) -> Rejected:
        return Rejected(self.facts.name, detail, code=code, reason=Reason.CONFIGURATION)

    def _message(self, order: Order, *, party: str | None) -> dict[str, Any]:
        note = _narration(f"Payment {order.code}")
        message: dict[str, Any] = {
            "amount": str(order_amount(self.facts, order)),
            "currency": order.amount.currency,
            "externalId": order.code,
            "payerMessage": note,
            "payeeNote": note,
        }
        if party is not None:
            message[party] = {"partyIdType": "MSISDN", "partyId": order.msisdn.digits}
        return message

    async def _create(
        self, product: "Product", resource: str, order: Order, message: dict[str, Any]
    ) -> Accepted:
        answer = await product.create(resource, order, message)
        if answer.is_taken:
            return Accepted()  # a later query derives the reference again
        pays = order.direction is not Direction.COLLECT
        raise order_error_of(self.facts.name, answer, pays=pays)


def _narration(text: str) -> str:
    return _UNSAFE_IN_NARRATION.sub(" ", text)[:_NARRATION_MAX]
