"""Transaction status, account balance and reversal: asked now, answered later at ResultURL.

Facts: reference mpesa.md, section 9. What a status query says about a transaction nobody knows
is not documented; here it is result 25, which was seen in the field.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import FaultTarget
from simulator.operators.base import Lie
from simulator.operators.mpesa import wire
from simulator.operators.mpesa.results import (
    Conversation,
    Outcome,
    Parameter,
    accepted,
    new_conversation_id,
    new_originator_id,
    send_result,
    wait_in_queue,
)
from simulator.operators.mpesa.sandbox import MpesaSandbox, PayIn, Payout, StkPush, Transaction
from simulator.operators.mpesa.wire import Fields, ResultCode
from simulator.operators.wallets import ShortOfFunds

_BROKEN = ("400.002.05", "Invalid Request Payload")
_OCCASION: Parameter = {"Key": "Occasion"}
# What a status query calls the end of a payment that moved no money.
_WORDS: dict[ResultCode, str] = {
    wire.SUCCESS: "Completed",
    wire.CANCELLED: "Cancelled",
    wire.UNREACHABLE: "Expired",
}
Work = Callable[[], Awaitable[Callable[[Lie | None], Outcome]]]


class EnquiryApi:
    """The handlers of the three calls."""

    def __init__(self, sandbox: MpesaSandbox) -> None:
        self._sandbox = sandbox

    async def transaction_status(self, request: Request) -> Response:
        """POST /mpesa/transactionstatus/v1/query, by receipt or by the original's originator id."""
        fields = await wire.read_fields(request, self._sandbox.world, broken=_BROKEN)
        original = self._find(fields)

        def check() -> None:
            fields.one_of("CommandID", "TransactionStatusQuery")
            fields.one_of("IdentifierType", "1", "2", "4")
            if not fields.peek("TransactionID", "OriginalConversationID"):
                raise fields.refuse("TransactionID")

        async def work() -> Callable[[Lie | None], Outcome]:
            return lambda lie: self._status_outcome(original, lie)

        return await self.enquire(
            request,
            fields,
            on="query",
            msisdn=original.msisdn if original else "",
            token_refused=(400, "400.003.01"),
            check=check,
            work=work,
        )

    async def account_balance(self, request: Request) -> Response:
        """POST /mpesa/accountbalance/v1/query. Codes in this Result are strings, as on its page."""
        fields = await wire.read_fields(request, self._sandbox.world)

        def check() -> None:
            fields.one_of("CommandID", "AccountBalance")
            fields.one_of("IdentifierType", "4")
            fields.shortcode("PartyA")

        async def work() -> Callable[[Lie | None], Outcome]:
            return lambda _: self._balance_outcome(fields.peek("PartyA"))

        return await self.enquire(
            request,
            fields,
            on="query",
            msisdn="",
            token_refused=(401, "401.002.01"),
            check=check,
            work=work,
        )

    async def reverse(self, request: Request) -> Response:
        """POST /mpesa/reversal/v1/request: a C2B or STK receipt to its payer, once; never a B2C."""
        fields = await wire.read_fields(request, self._sandbox.world)
        original = self._sandbox.by_receipt.get(fields.peek("TransactionID"))

        def check() -> None:
            fields.one_of("CommandID", "TransactionReversal")
            fields.one_of("RecieverIdentifierType", "11")  # Misspelt on the wire.
            fields.text("TransactionID")
            fields.shortcode("ReceiverParty")
            fields.shillings("Amount", low=1, high=250_000)

        async def work() -> Callable[[Lie | None], Outcome]:
            outcome = self._move_back(original, int(fields.peek("Amount")))
            return lambda _: outcome

        return await self.enquire(
            request,
            fields,
            on="refund",
            msisdn=original.msisdn if original else "",
            token_refused=(404, "404.001.03"),
            check=check,
            work=work,
        )

    async def enquire(
        self,
        request: Request,
        fields: Fields,
        *,
        on: FaultTarget,
        msisdn: str,
        token_refused: tuple[int, str],
        check: Callable[[], None],
        work: Work,
    ) -> Response:
        """Accept one question, or one order like a question, and POST its Result later."""
        sandbox = self._sandbox

        async def perform() -> Response:
            sandbox.check_token(request, on, msisdn, token_refused)
            name = fields.text("Initiator")
            credential = fields.text("SecurityCredential")
            check()
            fields.text("Remarks", high=100)
            conversation = Conversation(
                on=on,
                msisdn=msisdn,
                conversation_id=new_conversation_id(sandbox.world),
                originator_id=new_originator_id(sandbox.world),
                result_url=fields.url("ResultURL"),
                timeout_url=fields.url("QueueTimeOutURL"),
            )
            is_initiator = sandbox.initiator.opens(name, credential)
            await sandbox.start(on, msisdn, self._carry_out(conversation, is_initiator, work))
            return accepted(
                conversation_id=conversation.conversation_id,
                originator_id=conversation.originator_id,
            )

        return await sandbox.answer(on, msisdn, perform)

    async def _carry_out(self, conversation: Conversation, is_initiator: bool, work: Work) -> None:
        await wait_in_queue(self._sandbox, conversation)
        refused = Outcome(wire.INVALID_INITIATOR)
        outcome = await work() if is_initiator else lambda _: refused
        await send_result(self._sandbox, conversation, outcome)

    def _find(self, fields: Fields) -> Transaction | None:
        sandbox = self._sandbox
        by_receipt = sandbox.by_receipt.get(fields.peek("TransactionID"))
        return by_receipt or sandbox.payouts.get(fields.peek("OriginalConversationID"))

    def _status_outcome(self, original: Transaction | None, lie: Lie | None) -> Outcome:
        if original is None:
            return Outcome(wire.INVALID_PARAMETER, reference=_OCCASION)
        word = "Initiated"
        if original.result_code is not None:
            word = _WORDS.get(original.result_code, "Declined")
        if lie == "unknown_status":
            word = "Parked"  # The query worked; its word for the payment is on no list.
        customer = f"{original.msisdn} - {self._sandbox.wallets.open(original.msisdn).name}"
        ours = self._sandbox.settings.business_name
        pays_us = not isinstance(original, Payout)
        amount = original.shillings + (1 if lie == "wrong_amount" else 0)
        values: dict[str, str] = {
            "DebitPartyName": customer if pays_us else ours,
            "CreditPartyName": ours if pays_us else customer,
            "OriginatorConversationID": _originator_id(original),
            "InitiatedTime": wire.stamp(original.submitted_at),
            "DebitAccountType": "MMF Account For Customer" if pays_us else "Utility Account",
            "DebitPartyCharges": "",
            "TransactionReason": "",
            "ReasonType": "Pay Bill Online" if pays_us else "Business Payment to Customer via API",
            "TransactionStatus": word,
            "FinalisedTime": _stamp_or_empty(original.finished_at),
            "Amount": str(amount),
            "ConversationID": original.conversation_id if isinstance(original, Payout) else "",
            "ReceiptNo": original.receipt,
        }
        return Outcome(wire.SUCCESS, original.receipt, _parameters(values), reference=_OCCASION)

    def _balance_outcome(self, shortcode: str) -> Outcome:
        """Of one shortcode: what a paybill collects and what B2C pays out is its Utility Account.

        Section 13. Its Merchant Account is a till's.
        """
        credentials, balances = self._sandbox.credentials, self._sandbox.ledger.balances_minor
        utility = {
            credentials.shortcode: balances["collection"],
            credentials.payout_shortcode: balances["disbursement"],
        }
        if shortcode not in utility:
            return Outcome(wire.NOT_PERMITTED)
        accounts = {
            "Working Account": 0,
            "Utility Account": utility[shortcode],
            "Merchant Account": 0,
            "Charges Paid Account": 0,
        }
        listed = "&".join(
            f"{name}|{wire.CURRENCY}|{minor / 100:.2f}|{minor / 100:.2f}|0.00|0.00"
            for name, minor in accounts.items()
        )
        return Outcome(
            wire.SUCCESS,
            wire.new_receipt(self._sandbox.world),
            [
                {"Key": "AccountBalance", "Value": listed},
                {"Key": "BOCompletedTime", "Value": int(wire.stamp(self._sandbox.world.clock()))},
            ],
            codes_as_text=True,
        )

    def _move_back(self, original: Transaction | None, shillings: int) -> Outcome:
        sandbox = self._sandbox
        if original is None or isinstance(original, Payout) or shillings > original.shillings:
            return Outcome(wire.INVALID_ORIGINAL)
        if original.reversed:
            return Outcome(wire.ALREADY_REVERSED)
        receipt = wire.new_receipt(sandbox.world)
        try:
            sandbox.ledger.pay(
                sandbox.wallets.open(original.msisdn),
                amount_minor=shillings * 100,
                currency=wire.CURRENCY,
                reference=original.receipt,
                receipt=receipt,
                kind="refund",
                account="collection",
            )
        except ShortOfFunds:
            return Outcome(wire.INSUFFICIENT_FUNDS)
        original.reversed = True
        values: dict[str, object] = {
            "DebitAccountBalance": f"Utility Account|KES|"
            f"{sandbox.ledger.balances_minor['collection'] / 100:.2f}",
            "Amount": shillings,
            "TransCompletedTime": int(wire.stamp(sandbox.world.clock())),
            "OriginalTransactionID": original.receipt,
            "Charge": 0,
            "CreditPartyPublicName": f"{original.msisdn} - "
            f"{sandbox.wallets.open(original.msisdn).name.upper()}",
            "DebitPartyPublicName": sandbox.settings.business_name,
        }
        parameters: list[Parameter] = [{"Key": k, "Value": v} for k, v in values.items()]
        return Outcome(wire.SUCCESS, receipt, parameters)


def _originator_id(original: Transaction) -> str:
    match original:
        case StkPush():
            return original.merchant_request_id
        case Payout():
            return original.originator_id
        case PayIn():
            return ""  # nobody asked M-PESA for it


def _stamp_or_empty(moment: datetime | None) -> str:
    return wire.stamp(moment) if moment else ""


def _parameters(values: dict[str, str]) -> list[Parameter]:
    """Empty values are left out, the key stays: an entry may have a Key and no Value."""
    return [
        {"Key": key, "Value": value} if value else {"Key": key} for key, value in values.items()
    ]
