"""C2B: what customers pay to our shortcode of their own accord.

Facts: reference `mpesa.md`, sections 7, 9.1 and 9.2. It refuses to know what a reference stands
for. Nothing of M-PESA is signed, and the payer's number is hidden: masked in v2, hashed in v1.
"""

import hashlib
import re
from typing import Any, Final

import msgspec

from engine.errors import Rejected, Unreadable
from engine.msisdn import Msisdn
from engine.ports import (
    PAY_IN_RETURN,
    PAY_IN_STATUS,
    PAY_IN_TIMEOUT,
    Accepted,
    Acknowledgement,
    Finding,
    Outcome,
    PaidIn,
    PayInAnswer,
    PayInRefusal,
    Reason,
)
from providers.mpesa.answers import NAME, error_of
from providers.mpesa.api import Daraja, address_for, allowed
from providers.mpesa.callbacks import ACKNOWLEDGEMENT, read_callback, read_pay_in_status
from providers.mpesa.reversal import Reversals
from providers.mpesa.settings import MpesaSettings
from providers.redaction import printable
from providers.wire import json_object, read_amount, word

# Section 7, the table of reject codes.
_REFUSALS: Final = {
    PayInRefusal.PAYER: "C2B00011",
    PayInRefusal.REFERENCE: "C2B00012",
    PayInRefusal.AMOUNT: "C2B00013",
    PayInRefusal.OTHER: "C2B00016",
}
_REGISTERED_CODE: Final = "500.003.1001"
_REGISTERED_TEXTS: Final = ("already registered", "Duplicate notification info")
_REFERENCE_LENGTH_MAX: Final = 20
_RECEIPT = re.compile(r"[A-Z0-9]{10}")
_MASKED = re.compile(r"(\d{4})[ *]+(\d{3})")
_HASHED = re.compile(r"[0-9a-f]{64}")
_WHOLE = re.compile(r"\+?(\d{9,15})")


class PayIns:
    """What `engine.ports.PayInPort` asks for."""

    pay_in_acknowledgement = ACKNOWLEDGEMENT

    def __init__(self, api: Daraja, settings: MpesaSettings, reversals: Reversals) -> None:
        self._api = api
        self._settings = settings
        self._undo = reversals
        self._register_url = api.url(f"/mpesa/c2b/{settings.pay_in_version}/registerurl")
        self._status_url = api.url("/mpesa/transactionstatus/v1/query")

    def read_pay_in(self, body: bytes) -> PaidIn:
        """The body of a validation and of a confirmation: they have one shape (section 7).

        Raises Unreadable, also for a shortcode that is not ours.
        """
        message = json_object(body)
        receipt = word(message.get("TransID")) if message else ""
        if message is None or not _RECEIPT.fullmatch(receipt):
            raise Unreadable(NAME, "pay-in: no TransID")
        ours = {*self._settings.shortcodes, self._settings.till} - {""}
        if word(message.get("BusinessShortCode")) not in ours:
            raise Unreadable(NAME, "pay-in: for a shortcode that is not ours", code="shortcode")
        amount = read_amount(NAME, message.get("TransAmount"), "KES")
        if amount.minor <= 0:
            raise Unreadable(NAME, "pay-in: of nothing")
        return PaidIn(receipt, amount, _reference(message), _payer(message.get("MSISDN")))

    def answer_pay_in(self, refusal: PayInRefusal | None) -> Acknowledgement:
        """The codes of section 7."""
        code = "0" if refusal is None else _REFUSALS[refusal]
        text = "Accepted" if refusal is None else "Rejected"
        return Acknowledgement(body=msgspec.json.encode({"ResultCode": code, "ResultDesc": text}))

    def is_payer(self, told: str, msisdn: Msisdn) -> bool:
        """Compares what is left of the number; of a hash every way to write the number is tried.

        What exactly is hashed is not documented (section 7).
        """
        digits = msisdn.digits
        if _HASHED.fullmatch(told):
            local = digits[3:]
            written = (digits, f"+{digits}", f"0{local}", local)
            return told in {hashlib.sha256(number.encode()).hexdigest() for number in written}
        masked = _MASKED.fullmatch(told)
        if masked is None:
            return True  # nothing was told, or nothing that can be compared
        return digits.startswith(masked[1]) and digits.endswith(masked[2])

    async def register_pay_ins(self, *, question_url: str, notice_url: str) -> None:
        """Register both addresses for the shortcode (section 7), by v1 or v2 as set.

        In production this is taken once: Rejected then says so, and the portal's URL management
        has to delete the old ones first.
        """
        message = {
            "ShortCode": self._settings.till or self._settings.shortcode,
            "ResponseType": self._settings.pay_in_unanswered,
            "ConfirmationURL": allowed(notice_url),
            "ValidationURL": allowed(question_url),
        }
        answer = await self._api.post("c2b_register", self._register_url, message)
        if answer.is_accepted:
            return
        if answer.code == _REGISTERED_CODE and any(t in answer.text for t in _REGISTERED_TEXTS):
            raise Rejected(
                NAME,
                "addresses are registered already; delete them in the portal's URL management",
                code=answer.code,
                reason=Reason.CONFIGURATION,
            )
        raise error_of(answer)

    async def ask_pay_in(self, receipt: str, callback_url: str) -> None:
        """Transaction status by receipt (section 9.1)."""
        message = {
            **self._api.initiator,
            "CommandID": "TransactionStatusQuery",
            "TransactionID": receipt,
            "PartyA": self._settings.till or self._settings.shortcode,
            "IdentifierType": "2" if self._settings.till else "4",
            "ResultURL": address_for(callback_url, PAY_IN_STATUS),
            "QueueTimeOutURL": address_for(callback_url, PAY_IN_TIMEOUT),
            "Remarks": "Status check",
            "Occasion": "pay-in",
        }
        await self._api.ask("transaction_status", self._status_url, message)

    async def return_pay_in(self, paid: PaidIn, callback_url: str) -> Accepted:
        """By a reversal: it needs no number, and M-PESA hides the payer's."""
        shillings, rest = divmod(paid.amount.minor, 100)
        if rest:
            raise Rejected(NAME, "no whole shillings", code="amount", reason=Reason.CONFIGURATION)
        return await self._undo.order(
            paid.receipt, shillings, callback_url, kind=PAY_IN_RETURN, slow=PAY_IN_TIMEOUT
        )

    def read_pay_in_answer(self, kind: str, body: bytes) -> PayInAnswer:
        """The result of a status query or a reversal; a queue that timed out says nothing."""
        if kind == PAY_IN_TIMEOUT:
            return PayInAnswer(Finding(Outcome.PENDING, code="queue_timeout"), ACKNOWLEDGEMENT)
        if kind == PAY_IN_RETURN:
            finding = read_callback("reversal-result", body).finding
        elif kind == PAY_IN_STATUS:
            finding = read_pay_in_status(body)
        else:
            raise Unreadable(NAME, f"no answer about a pay-in: {printable(kind, length_max=20)!r}")
        return PayInAnswer(finding, ACKNOWLEDGEMENT)


def _reference(message: dict[str, Any]) -> str:
    return printable(word(message.get("BillRefNumber")), length_max=_REFERENCE_LENGTH_MAX)


def _payer(value: Any) -> str:
    """As it may be stored: a hash, or four digits and three; "" when there is nothing of the kind.

    Revisions before v1 and v2 told the whole number; it is masked at once.
    """
    told = word(value)
    if _HASHED.fullmatch(told.lower()):
        return told.lower()
    if whole := _WHOLE.fullmatch(told):
        return f"{whole[1][:4]} ***** {whole[1][-3:]}"
    return told if _MASKED.fullmatch(told) else ""
