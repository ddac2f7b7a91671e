"""What people do about a case, by its kind: a line each, for the terminal. Pure."""

from collections.abc import Mapping
from typing import Final

NEXT: Final[Mapping[str, str]] = {
    "AMOUNT_DIFFERS": "compare with the operator; ADJUSTMENT for what differs, then CLOSE_CASE",
    "AUDIT": "`capp audit` says what is still so; CORRECTION or ADJUSTMENT, then CLOSE_CASE",
    "CONFLICT": "the books stay as they were: ask the operator which of its words holds"
    " (`capp traffic CODE`); CORRECTION or ADJUSTMENT if money moved, then CLOSE_CASE",
    "CONTRADICTION": "the statement says otherwise than the operator did: ask it which holds"
    " (`capp traffic CODE`), then CLOSE_CASE",
    "FEES_DIFFER": "`capp statements fees OPERATOR DAY` lists them; with --as it proposes the"
    " entry, which closes this once another has approved it; charged wrongly: the operator gives it"
    " back, then CLOSE_CASE",
    "FLOAT_DRIFT": "`capp statements report`; find the difference in the operator's own list;"
    " a top-up or rebalancing that waits too long: `capp seen`, or CANCEL_WITHDRAWAL if it never"
    " moved; fees that nobody booked: `capp statements fees`; it closes itself once both agree",
    "FOREIGN_REFERENCE": "one movement was told of two attempts: ask the operator whose it is,"
    " then CLOSE_CASE",
    "HOOK_PAUSED": "`capp hooks deliveries`; the business mends its address; `capp hooks resume`,"
    " then `capp close`",
    "LOW_WATER": "`capp rebalance`, or TOP_UP; then `capp close`",
    "MISSING_HERE": "they list what we never made: was it people, TOP_UP or WITHDRAWAL and `capp"
    " seen` by the line's word; else ask the operator, then CLOSE_CASE",
    "MISSING_THERE": "we booked what they do not list: ask the operator; a later statement that"
    " has it closes this",
    "ON_HOLD": "`capp decisions --payment CODE`; RELEASE_HOLD or REFUSE_HOLD, which closes this;"
    " after a restore first `deploy/restoring.md`",
    "OUR_FAULT": "it says what keeps the payment: a key that is not set (`deploy/keys.md`), an"
    " operator that the settings lack, a row that was changed (`capp audit`), an error that the log"
    " tells; mend that: it goes on by itself, which closes this; where nothing does, CLOSE_CASE; of"
    " a message nobody can read whom it is for: after a day it is worth nothing and is not sent",
    "PAID_TWICE": "ask the operator whether the payer paid twice; its statement shows the money;"
    " then CLOSE_CASE",
    "PAY_IN": "`capp payins list`; RETURN_PAY_IN or ASSIGN_PAY_IN, which closes this",
    "PIN_RESET": "make sure who asks (`capp customer`, the key's first word, and `--sim`: somebody"
    " else may have the number now); PIN_RESET, or `capp close` to refuse",
    "REFUND_BY_HAND": "REFUND_ELSEWHERE; or pay the payer back at the operator, once, and"
    " REFUND_SEEN: either closes this",
    "REFUND_FAILED": "it is ordered again by itself; where it cannot succeed, REFUND_ELSEWHERE"
    " takes it over; then CLOSE_CASE",
    "REPORTED": "`capp traffic CODE`; call the customer; then `capp close`",
    "RESTORED": "go through `deploy/restoring.md`; when the other cases about it are closed,"
    " CLOSE_CASE",
    "RETURNED": "REPAY_RETURNED (payee= for another number) or REFUND_RETURNED, which closes this;"
    " after a restore first `deploy/restoring.md`: it may have been paid again (PAYOUT_SEEN)",
    "SETTLEMENT": "`capp settlement` says what waits for what; then CLOSE_CASE",
    "SMS_UNKNOWN": "tell the customer another way if it matters; then `capp close`",
    "STATEMENT_ABSENT": "fetch the day's file: `capp statements take` closes this",
    "STATEMENT_JUMP": "fetch the files of both days anew and take them in, which closes this",
    "STUCK": "no step follows its state in this version: is a newer one running? tell who wrote it",
    "UNRESOLVED": "find out at the operator (`capp traffic CODE`); it is asked on where it can be;"
    " else ATTEMPT_SEEN says how it ended. Its end closes this; one about late news, CLOSE_CASE",
}
"""In capitals what is proposed (`capp propose --help`); CODE is the payment's."""
