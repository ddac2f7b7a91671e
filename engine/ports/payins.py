"""Money that customers send to a number of ours of their own accord."""

from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports.answers import Acknowledgement
from engine.ports.attempts import Accepted, Finding


class PayInRefusal(StrEnum):
    """Why money that a customer is about to send by themselves is not wanted."""

    REFERENCE = "reference"  # it names nothing that waits for money
    AMOUNT = "amount"  # of what it names, another amount is wanted
    PAYER = "payer"  # somebody else is to pay that
    OTHER = "other"  # nobody can tell now


class PaidIn(msgspec.Struct, frozen=True):
    """Money that a customer sends to a number of ours by themselves, as the operator tells it.

    People type their number where a reference is asked for: it is not in the `repr`.
    """

    receipt: str  # the operator's own number of it: the same again is the same money
    amount: Money
    reference: str  # what the customer typed; "" where there was nothing to type
    payer: str  # as told, masked or hashed, for `is_payer` alone; "" when it was not told

    def __repr__(self) -> str:
        return f"PaidIn({self.receipt!r}, {self.amount}, {len(self.reference)} characters)"


class PayInAnswer(msgspec.Struct, frozen=True):
    """What an operator says when it is asked about money that was sent to us, or sent back.

    `finding.msisdn` is the payer's number, where it is told whole.
    """

    finding: Finding
    acknowledgement: Acknowledgement


@runtime_checkable
class PayInPort(Protocol):
    """An operator by which customers send us money of their own accord. Ask `isinstance`.

    Before it takes the money it may ask us (PAY_IN_QUESTION), afterwards it says so
    (PAY_IN_NOTICE): once, twice, late, or never. Neither is signed.
    """

    pay_in_acknowledgement: Acknowledgement
    """What a notice is answered with."""

    def read_pay_in(self, body: bytes) -> PaidIn:
        """Translate a question or a notice. Raises `Unreadable`, also of a number not ours."""
        ...

    def answer_pay_in(self, refusal: PayInRefusal | None) -> Acknowledgement:
        """The answer to a question; None takes the money."""
        ...

    def is_payer(self, told: str, msisdn: Msisdn) -> bool:
        """Whether `PaidIn.payer` may be this number; nothing told disagrees with nobody."""
        ...

    async def register_pay_ins(self, *, question_url: str, notice_url: str) -> None:
        """Tell the operator where to ask and where to say so. Raises as `OperatorPort.collect`.

        Some operators take it once only: `Rejected` then says how to register anew.
        """
        ...

    async def ask_pay_in(self, receipt: str, callback_url: str) -> None:
        """Ask whether this money really came. The answer comes later, by kind PAY_IN_STATUS.

        Changes nothing, so a repeat is safe. Raises `Throttled`, `Unreachable`, `OutcomeUnknown`
        or `Rejected`: nobody told anything.
        """
        ...

    async def return_pay_in(self, paid: PaidIn, callback_url: str) -> Accepted:
        """Send it back to whoever sent it. How that went comes later, by kind PAY_IN_RETURN.

        A repeat is safe: what has gone back is found to have succeeded. Raises as
        `OperatorPort.refund`.
        """
        ...

    def read_pay_in_answer(self, kind: str, body: bytes) -> PayInAnswer:
        """Translate a late answer of a kind above. Raises `Unreadable`."""
        ...


PAY_IN_QUESTION = "c2b-validation"


PAY_IN_NOTICE = "c2b-confirmation"


PAY_IN_STATUS = "c2b-status"


PAY_IN_RETURN = "c2b-return"


PAY_IN_TIMEOUT = "c2b-timeout"  # one of our questions waited too long: says nothing


PAY_IN_KINDS = (PAY_IN_QUESTION, PAY_IN_NOTICE, PAY_IN_STATUS, PAY_IN_RETURN, PAY_IN_TIMEOUT)
"""The kinds in the addresses of `PayInPort`, as businesses know the first two."""
