"""B2B: from one of our shortcodes to another business, or between our own accounts.

Facts: reference mpesa.md, section 9.4. The failure sample there has a single object where success
has a list.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from simulator.operators.base import Lie
from simulator.operators.mpesa import wire
from simulator.operators.mpesa.enquiries import EnquiryApi
from simulator.operators.mpesa.results import Outcome, Parameter
from simulator.operators.mpesa.sandbox import MpesaSandbox
from simulator.operators.mpesa.wire import Fields
from simulator.operators.wallets import MerchantAccount, ShortOfFunds

_COMMANDS = (
    "BusinessPayBill",
    "BusinessBuyGoods",
    "BusinessPayToBulk",
    "BusinessTransferFromMMFToUtility",
)
_TO_ITSELF = "BusinessTransferFromMMFToUtility"


class BusinessApi:
    """The handler of B2B; it has the asynchronous half of every enquiry."""

    def __init__(self, sandbox: MpesaSandbox) -> None:
        self._sandbox = sandbox
        self._enquiries = EnquiryApi(sandbox)

    async def pay(self, request: Request) -> Response:
        """POST /mpesa/b2b/v1/paymentrequest. Not idempotent: sent twice, it pays twice."""
        fields = await wire.read_fields(request, self._sandbox.world)

        def check() -> None:
            fields.one_of("CommandID", *_COMMANDS)
            fields.one_of("SenderIdentifierType", "4")
            fields.one_of("RecieverIdentifierType", "2", "4")  # Misspelt on the wire.
            fields.shillings("Amount", low=1, high=250_000)
            fields.shortcode("PartyA")
            fields.shortcode("PartyB")
            fields.text("AccountReference", high=13)

        return await self._enquiries.enquire(
            request,
            fields,
            on="disburse",
            msisdn="",
            token_refused=(404, "404.001.03"),
            check=check,
            work=lambda: self._work(fields),
        )

    async def _work(self, fields: Fields) -> Callable[[Lie | None], Outcome]:
        outcome = self._move(fields)
        return lambda _: outcome

    def _move(self, fields: Fields) -> Outcome:
        sandbox, shillings = self._sandbox, int(fields.peek("Amount"))
        ours = self._accounts()
        source, target = ours.get(fields.peek("PartyA")), ours.get(fields.peek("PartyB"))
        command = fields.peek("CommandID")
        if source is None or (command == _TO_ITSELF and target != source):
            return _failed(sandbox, wire.NOT_PERMITTED)
        if command == "BusinessPayToBulk" and target is None:
            return _failed(sandbox, wire.NOT_PERMITTED)
        try:
            sandbox.ledger.move(amount_minor=shillings * 100, source=source, target=target)
        except ShortOfFunds:
            return _failed(sandbox, wire.INSUFFICIENT_FUNDS)
        receiver = f"{fields.peek('PartyB')} - {sandbox.settings.business_name}"
        held = sandbox.ledger.balances_minor[source] / 100
        balance = f"{{Amount={{CurrencyCode=KES, BasicAmount={held:.2f}}}}}"
        values: dict[str, object] = {
            "DebitAccountBalance": balance,
            "Amount": f"{shillings}.00",
            "DebitPartyAffectedAccountBalance": balance,
            "TransCompletedTime": wire.stamp(sandbox.world.clock()),
            "DebitPartyCharges": "",
            "ReceiverPartyPublicName": receiver,
            "Currency": wire.CURRENCY,
            "InitiatorAccountCurrentBalance": balance,
        }
        parameters: list[Parameter] = [{"Key": k, "Value": v} for k, v in values.items()]
        return Outcome(wire.SUCCESS, wire.new_receipt(sandbox.world), parameters)

    def _accounts(self) -> dict[str, MerchantAccount]:
        credentials = self._sandbox.credentials
        return {credentials.shortcode: "collection", credentials.payout_shortcode: "disbursement"}


def _failed(sandbox: MpesaSandbox, code: wire.ResultCode) -> Outcome:
    completed = {"Key": "BOCompletedTime", "Value": int(wire.stamp(sandbox.world.clock()))}
    return Outcome(code, failure=completed)
