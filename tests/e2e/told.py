"""Which SMS somebody was to get, and which nobody expected."""

from collections.abc import Iterable, Sequence

from simulator.inspect import Payment

DELAYED = "is taking longer than usual"
DELAYS = (DELAYED, "inachukua muda kuliko kawaida", "prend plus de temps que d'habitude")
"""In the languages of the city; told at most once of a payment."""

DELAYING = frozenset({"COLLECT_UNKNOWN", "PAYOUT_UNKNOWN", "PAYOUT_QUEUED", "ON_HOLD"})
"""States of which a payer hears that."""


def is_delay(text: str) -> bool:
    return any(delay in text for delay in DELAYS)


def compare(texts: Iterable[str], phrases: Iterable[str]) -> tuple[list[str], list[str]]:
    """Each phrase stands in a text of its own: the phrases that do not, and the texts left over."""
    missing, left = [], list(texts)
    for phrase in phrases:
        found = next((text for text in left if phrase in text), None)
        if found is None:
            missing.append(phrase)
        else:
            left.remove(found)
    return missing, left


def but_delays(texts: Sequence[str], payments: Iterable[Payment]) -> list[str]:
    """The texts without what was rightly told of the payer's payments that took long: once of each.

    A machine that gives an operator no time delays payments of which no test expects it. That they
    really were delayed, their own steps say.
    """
    left = list(texts)
    for payment in payments:
        if DELAYING.isdisjoint(step.state for step in payment.steps):
            continue
        told = (text for text in left if payment.code in text and is_delay(text))
        if (text := next(told, None)) is not None:
            left.remove(text)
    return left
