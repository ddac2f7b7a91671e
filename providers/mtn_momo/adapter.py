"""Asks MTN MoMo in one market: request to pay, transfer, refund, and how they went.

Facts: reference `mtn-momo.md`. It stores nothing: every reference is derived from the attempt, so
that a repeat is the same request to the operator, which refuses it as a duplicate.
"""

import re
from functools import partial
from typing import Any

import httpx

from engine.clock import AttemptId, Clock
from engine.errors import OutcomeUnknown, Rejected, Unreadable
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import (
    Accepted,
    Acknowledgement,
    Callback,
    Direction,
    Finding,
    OperatorFacts,
    Order,
    Outcome,
    Reason,
)
from providers.http import Client, Trace, no_trace
from providers.mtn_momo.answers import FIELDS, error_of, finding_of, query_error_of
from providers.mtn_momo.balance import BALANCE, balance_of
from providers.mtn_momo.holder import HOLDER, holder_name_of
from providers.mtn_momo.product import MtnMomoSettings, Product, reference_id
from providers.redaction import printable
from providers.wire import json_object, order_amount, word

# Section 5: `&`, `(`, `)` and `#` were refused, so only what certainly passes is sent.
_UNSAFE_IN_NARRATION = re.compile(r"[^0-9A-Za-z ]")
_NARRATION_MAX = 100


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
        self.facts = facts
        self._client = Client(
            facts.name,
            settings.base_url,
            timeouts=settings.timeouts,
            connections=settings.connections,
            per_second=settings.per_second,
            transport=transport,
            trace=trace,
        )
        make_product = partial(Product, client=self._client, settings=settings, clock=clock)
        self._collection = make_product(
            "collection", "requesttopay", BALANCE, key=settings.collection_key
        )
        self._disbursement = make_product(
            "disbursement", "transfer", "refund", BALANCE, HOLDER, key=settings.disbursement_key
        )

    async def collect(self, order: Order) -> Accepted:
        """Ask the payer for approval (section 5). A repeat is refused as a duplicate: accepted."""
        message = self._message(order, party="payer")
        return await self._create(self._collection, "requesttopay", order, message)

    async def disburse(self, order: Order) -> Accepted:
        """Transfer to the payee (section 6); a repeat is safe."""
        message = self._message(order, party="payee")
        return await self._create(self._disbursement, "transfer", order, message)

    async def refund(self, order: Order) -> Accepted:
        """Give a collection back (section 6); a repeat is safe."""
        if order.collected_attempt_id is None:
            raise Rejected(
                self.facts.name,
                "a refund that names no collection",
                code="no_collection",
                reason=Reason.CONFIGURATION,
            )
        message = self._message(order, party=None)
        message["referenceIdToRefund"] = reference_id(order.collected_attempt_id)
        return await self._create(self._disbursement, "refund", order, message)

    async def query(self, order: Order) -> Finding:
        """The operator's answer at once; NOT_FOUND when it has no such reference."""
        product, resource = self._place_of(order.direction)
        reference = reference_id(order.attempt_id)
        try:
            answer = await product.fetch(resource, reference)
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
        """Kind `momo`, by POST or PUT: the status body, without a reference (section 10)."""
        message = json_object(body)
        if kind != "momo" or message is None or not word(message.get("status")):
            shown = printable(kind, length_max=20)
            raise Unreadable(self.facts.name, f"no status body of kind {shown!r}")
        finding = finding_of(self.facts.name, message, pays="payer" not in message)
        return Callback(finding, Acknowledgement(), FIELDS.redact(message))

    balance_accounts = ("collection", "disbursement")

    async def ask_balance(self, account: str, callback_url: str) -> Money:
        """What one product's account holds (section 8), told at once."""
        del callback_url
        product = {"collection": self._collection, "disbursement": self._disbursement}[account]
        return balance_of(self.facts, await product.look(BALANCE))

    def read_balance(self, body: bytes) -> Money | None:
        """No balance ever comes later."""
        raise Unreadable(self.facts.name, f"{len(body)} bytes about a balance nobody awaits")

    async def name_of(self, msisdn: Msisdn) -> str | None:
        """The basic user info of a wallet (section 8); asked where payees are paid from."""
        below = f"/{msisdn.digits}/basicuserinfo"
        return holder_name_of(self.facts.name, await self._disbursement.look(HOLDER, below))

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        """The X-Reference-Id, as we send it."""
        return (reference_id(attempt_id),)

    async def aclose(self) -> None:
        await self._collection.aclose()
        await self._disbursement.aclose()
        await self._client.aclose()

    def _place_of(self, direction: Direction) -> tuple["Product", str]:
        if direction is Direction.COLLECT:
            return self._collection, "requesttopay"
        if direction is Direction.REFUND:
            return self._disbursement, "refund"
        return self._disbursement, "transfer"

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
        if answer.status == 202 or (
            answer.status == 409 and answer.code == "RESOURCE_ALREADY_EXIST"
        ):
            return Accepted()  # a later query derives the reference again
        raise error_of(self.facts.name, answer, pays=order.direction is not Direction.COLLECT)


def _narration(text: str) -> str:
    return _UNSAFE_IN_NARRATION.sub(" ", text)[:_NARRATION_MAX]
