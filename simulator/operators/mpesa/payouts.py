"""B2C: money from our utility account to a customer's wallet.

Facts: reference mpesa.md, section 8. v3 refuses a repeated OriginatorConversationID; v1 has no
such field and so no protection at all.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import PAYEE_OUTCOMES, Refusal
from simulator.operators.base import Lie
from simulator.operators.mpesa import wire
from simulator.operators.mpesa.results import (
    Conversation,
    Outcome,
    accepted,
    new_conversation_id,
    new_originator_id,
    send_result,
    wait_in_queue,
)
from simulator.operators.mpesa.sandbox import MpesaSandbox, Payout
from simulator.operators.mpesa.wire import Fields, ResultCode
from simulator.operators.wallets import ShortOfFunds

_TOKEN_REFUSED = (404, "404.001.03")
_BY_FAULT: dict[str, ResultCode] = {
    "insufficient_funds": wire.INSUFFICIENT_FUNDS,
    "recipient_rejected": wire.NOT_REGISTERED,
}


class PayoutApi:
    """The handlers of both versions."""

    def __init__(self, sandbox: MpesaSandbox) -> None:
        self._sandbox = sandbox

    async def pay_v3(self, request: Request) -> Response:
        """POST /mpesa/b2c/v3/paymentrequest. A repeated OriginatorConversationID is refused."""
        return await self._pay(request, with_originator_id=True)

    async def pay_v1(self, request: Request) -> Response:
        """POST /mpesa/b2c/v1/paymentrequest. Sent twice, it pays twice."""
        return await self._pay(request, with_originator_id=False)

    async def _pay(self, request: Request, *, with_originator_id: bool) -> Response:
        fields = await wire.read_fields(request, self._sandbox.world)
        msisdn = fields.peek("PartyB")

        async def perform() -> Response:
            self._sandbox.check_token(request, "disburse", msisdn, _TOKEN_REFUSED)
            payout = self._accept(fields, with_originator_id=with_originator_id)
            work = self._carry_out(payout, self._is_authorised(fields))
            await self._sandbox.start("disburse", payout.msisdn, work)
            return accepted(
                conversation_id=payout.conversation_id, originator_id=payout.originator_id
            )

        return await self._sandbox.answer("disburse", msisdn, perform)

    def _accept(self, fields: Fields, *, with_originator_id: bool) -> Payout:
        sandbox = self._sandbox
        own_id = new_originator_id(sandbox.world)
        originator_id = fields.text("OriginatorConversationID") if with_originator_id else own_id
        fields.text("InitiatorName")
        fields.text("SecurityCredential")
        payout = Payout(
            originator_id=originator_id,
            conversation_id=new_conversation_id(sandbox.world),
            result_originator_id=originator_id if sandbox.settings.echo_originator_id else own_id,
            command=fields.one_of(
                "CommandID", "BusinessPayment", "SalaryPayment", "PromotionPayment"
            ),
            shillings=fields.shillings("Amount", low=10, high=250_000),
            msisdn=fields.msisdn("PartyB"),
            result_url=fields.url("ResultURL"),
            timeout_url=fields.url("QueueTimeOutURL"),
            submitted_at=sandbox.world.clock(),
        )
        fields.shortcode("PartyA")
        fields.text("Remarks", low=2, high=100)
        # The page spells it with two s, many callers with one (section 8).
        if len(fields.peek("Occassion", "Occasion")) > 100:
            raise fields.refuse("Occassion")
        if originator_id in sandbox.payouts:
            raise Refusal(
                wire.envelope(
                    sandbox.world, 500, "500.002.1001", "Duplicate OriginatorConversationID."
                )
            )
        sandbox.payouts[originator_id] = payout
        return payout

    def _is_authorised(self, fields: Fields) -> ResultCode | None:
        """Why the initiator may not do this; None if they may. Told later, in the Result."""
        sandbox = self._sandbox
        if not sandbox.initiator.opens(
            fields.text("InitiatorName"), fields.text("SecurityCredential")
        ):
            return wire.INVALID_INITIATOR
        if fields.shortcode("PartyA") != sandbox.credentials.payout_shortcode:
            return wire.NOT_PERMITTED
        return None

    async def _carry_out(self, payout: Payout, refused: ResultCode | None) -> None:
        sandbox = self._sandbox
        conversation = Conversation(
            on="disburse",
            msisdn=payout.msisdn,
            conversation_id=payout.conversation_id,
            originator_id=payout.result_originator_id,
            result_url=payout.result_url,
            timeout_url=payout.timeout_url,
        )
        await wait_in_queue(sandbox, conversation)
        code, receipt = (refused, "") if refused is not None else self._move_money(payout)
        payout.finish(code, sandbox.world.clock(), receipt)
        await send_result(sandbox, conversation, lambda lie: self._outcome(payout, lie))

    def _move_money(self, payout: Payout) -> tuple[ResultCode, str]:
        """The result, and the receipt if money moved."""
        sandbox = self._sandbox
        if fault := sandbox.faults.take(PAYEE_OUTCOMES, payout.msisdn, "disburse"):
            return _BY_FAULT[fault.fault], ""
        wallet = sandbox.wallets.find(payout.msisdn)
        if wallet is None:
            return wire.NOT_REGISTERED, ""
        if not wallet.active:
            return wire.ACCOUNT_STATUS, ""
        amount_minor = payout.shillings * 100
        most = sandbox.settings.wallet_balance_minor_max
        if most is not None and wallet.balance_minor + amount_minor > most:
            return wire.RECIPIENT_BALANCE_FULL, ""
        receipt = wire.new_receipt(sandbox.world)
        try:
            sandbox.ledger.pay(
                wallet,
                amount_minor=amount_minor,
                currency=wire.CURRENCY,
                reference=payout.originator_id,
                receipt=receipt,
            )
        except ShortOfFunds:
            return wire.INSUFFICIENT_FUNDS, ""
        sandbox.by_receipt[receipt] = payout
        return wire.SUCCESS, receipt

    def _outcome(self, payout: Payout, lie: Lie | None) -> Outcome:
        code, finished_at = payout.result_code, payout.finished_at
        assert code is not None and finished_at is not None
        if lie == "unknown_status":
            return Outcome(wire.UNLISTED)
        if code != wire.SUCCESS:
            return Outcome(code)
        wallet = self._sandbox.wallets.open(payout.msisdn)
        utility = self._sandbox.ledger.balances_minor["disbursement"] / 100
        completed_at = finished_at.astimezone(wire.NAIROBI).strftime("%d.%m.%Y %H:%M:%S")
        shillings = payout.shillings + (1 if lie == "wrong_amount" else 0)
        values: dict[str, object] = {
            "TransactionAmount": shillings,
            "TransactionReceipt": payout.receipt,
            "ReceiverPartyPublicName": f"{payout.msisdn} - {wallet.name.upper()}",
            "TransactionCompletedDateTime": completed_at,
            "B2CUtilityAccountAvailableFunds": utility,
            "B2CWorkingAccountAvailableFunds": 0.0,
            "B2CRecipientIsRegisteredCustomer": "Y",
            "B2CChargesPaidAccountAvailableFunds": 0.0,
        }
        parameters = [{"Key": key, "Value": value} for key, value in values.items()]
        return Outcome(wire.SUCCESS, payout.receipt, [*parameters])
