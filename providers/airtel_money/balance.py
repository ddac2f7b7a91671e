"""What Airtel says a wallet of ours holds. Facts: reference `airtel-money.md`, section 7."""

import re
from typing import Final

from engine.errors import Unreadable
from engine.money import Money
from engine.ports import OperatorFacts
from providers.airtel_money.answers import Answer, child, query_error_of
from providers.wire import read_amount, word

ACCOUNTS: Final = {1: {"wallet": ""}, 2: {"collection": "COLL", "disbursement": "DISB"}}
"""By version: our names of the accounts, and theirs. Version 1 tells of one."""

_OK = "DP02100000001"
_GROUPED = re.compile(r"-?\d{1,3}(,\d{3})*(\.\d+)?")  # "37,600.00"


def balance_of(facts: OperatorFacts, answer: Answer, currency_word: str) -> Money:
    """The balance in the answer; `currency_word` is theirs for our currency.

    Raises Throttled or OutcomeUnknown when it holds none, Unreadable for an amount that is none
    or of another currency.
    """
    told = child(answer.message, "data")
    amount = told.get("balance")
    if answer.response.status_code != 200 or answer.code != _OK or amount is None:
        raise query_error_of(facts.name, answer)
    if word(told.get("currency")) not in (facts.currency, currency_word):
        raise Unreadable(facts.name, "a balance of another currency")
    if isinstance(amount, str) and _GROUPED.fullmatch(amount):
        amount = amount.replace(",", "")
    return read_amount(facts.name, amount, facts.currency)
