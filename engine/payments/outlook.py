"""Will this payment succeed now? A summary of a ranking, for whoever asks before paying. Pure.

It refuses to know anything a ranking was not made from, and it promises nothing.
"""

from enum import StrEnum

import msgspec

from engine.money import Money
from engine.payments.breaker import Position
from engine.payments.health import MILLION
from engine.payments.ranking import Candidate, Ranking, Refusal


class Condition(StrEnum):
    """How an operator does at its end of the payment."""

    WELL = "well"
    SHAKY = "shaky"  # it answers, but not as it should
    DOWN = "down"  # nothing is sent there for a while


class End(msgspec.Struct, frozen=True):
    """One end of the payment. `refusal` is why it cannot be served there now."""

    operator: str
    condition: Condition
    success_ppm: int  # chance of this half, in millionths
    refusal: Refusal | None


class Outlook(msgspec.Struct, frozen=True):
    """What is to be expected of one possible payment at this moment."""

    would_be_taken: bool
    success_ppm: int  # of the whole payment by its first way; 0 when it would not be taken
    payer: End | None
    payee: tuple[End, ...]  # the ways in order, then those that cannot now
    has_liquidity: bool  # for at least one way
    is_within_limits: bool  # of both operators, at least one way
    holds: (
        Money  # what it would take of a pool: what arrives, and the most that its payout may cost
    )


SHAKY_PPM = 850_000
"""Below this chance an operator is called shaky."""

_LIQUIDITY = {Refusal.NO_LIQUIDITY, Refusal.NO_FLOAT}
_LIMITS = {Refusal.AMOUNT_OUTSIDE, Refusal.CAP_DAY, Refusal.CAP_MONTH}


def outlook(ranking: Ranking, receives: Money) -> Outlook:
    """What the ranking says about the payment it was made for, of which that much arrives."""
    question = ranking.question
    refusals = {refused.operator: refused.why for refused in ranking.refused}
    by_name = {candidate.operator: candidate for candidate in question.candidates}
    able = [scored.operator for scored in ranking.scored]
    names = [*(ranking.ways or able), *sorted(refusals)]
    payer = _end(question.payer, ranking.payer_refused) if question.payer is not None else None
    payee = tuple(_end(by_name[name], refusals.get(name)) for name in names)
    return Outlook(
        would_be_taken=bool(ranking.ways),
        success_ppm=_chance(payer, payee) if ranking.ways else 0,
        payer=payer,
        payee=payee,
        has_liquidity=not _all_refused_by(_LIQUIDITY, payee),
        is_within_limits=not _all_refused_by(_LIMITS, payee)
        and ranking.payer_refused not in _LIMITS,
        holds=receives + Money(ranking.payout_cost_minor_max, receives.currency),
    )


def condition_of(breaker: Position, success_ppm: int) -> Condition:
    """How an operator does, by its breaker and the chance of one half, in millionths."""
    if breaker is Position.OPEN:
        return Condition.DOWN
    if breaker is Position.HALF_OPEN or success_ppm < SHAKY_PPM:
        return Condition.SHAKY
    return Condition.WELL


def _end(candidate: Candidate, why: Refusal | None) -> End:
    chance = candidate.belief.success_ppm
    return End(candidate.operator, condition_of(candidate.breaker, chance), chance, why)


def _chance(payer: End | None, payee: tuple[End, ...]) -> int:
    collecting = payer.success_ppm if payer is not None else MILLION
    return collecting * payee[0].success_ppm // MILLION


def _all_refused_by(reasons: set[Refusal], ends: tuple[End, ...]) -> bool:
    return bool(ends) and all(end.refusal in reasons for end in ends)
