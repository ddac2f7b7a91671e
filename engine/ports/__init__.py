"""What the engine asks of the outside world, in neutral words: collect, disburse, query, send.

Adapters in `providers` implement these; the engine never learns a company's field names. One
module a noun; everybody imports from here.
"""

from engine.ports.answers import FORGED, Acknowledgement
from engine.ports.attempts import (
    Accepted,
    Callback,
    Direction,
    Finding,
    Order,
    Outcome,
    Reason,
    Sender,
    callback_at,
)
from engine.ports.operators import (
    BALANCE_KIND,
    FIXED_KIND,
    AddressPort,
    BalancePort,
    CallbackTrust,
    FixedAddressPort,
    OperatorFacts,
    OperatorPort,
    SignedCallbackPort,
    StatementPort,
)
from engine.ports.payins import (
    PAY_IN_KINDS,
    PAY_IN_NOTICE,
    PAY_IN_QUESTION,
    PAY_IN_RETURN,
    PAY_IN_STATUS,
    PAY_IN_TIMEOUT,
    PaidIn,
    PayInAnswer,
    PayInPort,
    PayInRefusal,
)
from engine.ports.rates import Observation, Pair, RateSource
from engine.ports.sms import Sms, SmsAccepted, SmsCallback, SmsMessage, SmsPort, SmsReport
from engine.ports.ussd import EndNotices, EndReason, Reply, SessionEnd, Turn, UssdPort
from engine.ports.wallets import (
    DeliveryNoticePort,
    HolderPort,
    NamePort,
    PortabilityPort,
    Preapproval,
    PreapprovalPort,
)

__all__ = [
    "BALANCE_KIND",
    "FIXED_KIND",
    "FORGED",
    "PAY_IN_KINDS",
    "PAY_IN_NOTICE",
    "PAY_IN_QUESTION",
    "PAY_IN_RETURN",
    "PAY_IN_STATUS",
    "PAY_IN_TIMEOUT",
    "Accepted",
    "Acknowledgement",
    "AddressPort",
    "BalancePort",
    "Callback",
    "CallbackTrust",
    "DeliveryNoticePort",
    "Direction",
    "EndNotices",
    "EndReason",
    "Finding",
    "FixedAddressPort",
    "HolderPort",
    "NamePort",
    "Observation",
    "OperatorFacts",
    "OperatorPort",
    "Order",
    "Outcome",
    "PaidIn",
    "Pair",
    "PayInAnswer",
    "PayInPort",
    "PayInRefusal",
    "PortabilityPort",
    "Preapproval",
    "PreapprovalPort",
    "RateSource",
    "Reason",
    "Reply",
    "Sender",
    "SessionEnd",
    "SignedCallbackPort",
    "Sms",
    "SmsAccepted",
    "SmsCallback",
    "SmsMessage",
    "SmsPort",
    "SmsReport",
    "StatementPort",
    "Turn",
    "UssdPort",
    "callback_at",
]
