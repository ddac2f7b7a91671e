"""What MTN says an account of ours holds. Facts: reference `mtn-momo.md`, section 8."""

from typing import Final

from engine.errors import Unreadable
from engine.money import Money
from engine.ports import OperatorFacts
from providers.mtn_momo.answers import Answer, query_error_of
from providers.wire import read_amount, word

BALANCE: Final = "account/balance"


def balance_of(facts: OperatorFacts, answer: Answer) -> Money:
    """The available balance in the answer.

    Raises Throttled or OutcomeUnknown when it holds none, Unreadable for an amount that is none
    or of another currency.
    """
    amount = answer.message.get("availableBalance")
    if answer.status != 200 or amount is None:
        raise query_error_of(facts.name, answer)
    if word(answer.message.get("currency")) != facts.currency:
        raise Unreadable(facts.name, "a balance of another currency")
    return read_amount(facts.name, amount, facts.currency)
