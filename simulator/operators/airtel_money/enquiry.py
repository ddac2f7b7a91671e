"""How a transaction went, as Airtel tells it when asked. Facts: airtel-money.md, 5.2 and 6."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import UNKNOWN_STATUS, Refusal
from simulator.operators.airtel_money import wire
from simulator.operators.airtel_money.sandbox import AirtelSandbox, Kind, Transaction
from simulator.operators.airtel_money.wire import COLLECTION, DISBURSEMENT

_UNLISTED_STATUS = "TX"
_NOT_FOUND = {"collection": COLLECTION + "025", "disbursement": DISBURSEMENT + "015"}
_IN_PROCESS = {"collection": COLLECTION + "006", "disbursement": DISBURSEMENT + "006"}


async def answer_enquiry(
    sandbox: AirtelSandbox, request: Request, kind: Kind, id_: str
) -> Response:
    """The answer to a GET by our own id, under the faults armed for queries."""
    transaction = sandbox.transactions.get((kind, id_))
    msisdn = transaction.msisdn if transaction else None

    async def perform() -> Response:
        sandbox.admit(request, "query", msisdn)
        sandbox.refuse_by_code("query", msisdn)
        if transaction is None:
            raise Refusal(wire.envelope(_NOT_FOUND[kind], http=400, result="ESB000045"))
        told = told_of(sandbox, transaction)
        if sandbox.faults.take(UNKNOWN_STATUS, msisdn, "query"):
            told["status"] = _UNLISTED_STATUS
        code = transaction.code or _IN_PROCESS[kind]
        return wire.envelope(code, data={"transaction": told})

    return await sandbox.answer("query", msisdn, perform)


def told_of(sandbox: AirtelSandbox, transaction: Transaction) -> dict[str, str]:
    """`airtel_money_id` is there whatever became of it, and dependable with `TS` alone."""
    currency = sandbox.currency
    amount = wire.format_minor(transaction.order.amount_minor, currency)
    paid = f"Paid {currency} {amount} to {sandbox.settings.business_name}"
    told = {"id": transaction.id, "status": transaction.status}
    if transaction.airtel_money_id:
        told["airtel_money_id"] = transaction.airtel_money_id
    is_paid = transaction.status == "TS"
    told["message"] = paid if is_paid else wire.MESSAGES.get(transaction.code, "In process")
    return told
