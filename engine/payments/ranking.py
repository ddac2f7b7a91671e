"""Which operators may pay out a payment, the best first, and why. Pure: the same again, for ever.

All arithmetic is on whole numbers. Money is in minor units of the payout currency, a score in
millionths of such a unit ("micro"), a probability in millionths ("ppm"), a share in basis points.
Every division rounds down, also below zero, and each part of a score is divided once.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from engine.decisions import Decision, Kind
from engine.payments.breaker import Position
from engine.payments.health import MILLION, PRIOR, Belief

EXPLORE_PPM_MIN = 20_000
"""At least two payments of a hundred learn something about a way that does not look best."""

_MICRO_PER_BP = MILLION // 10_000


class Refusal(StrEnum):
    """Why an operator cannot serve a payment now."""

    CORRIDOR_CLOSED = "corridor_closed"  # nobody agreed what paying out through it costs
    AMOUNT_OUTSIDE = "amount_outside"  # of its limits, or not a multiple of its unit
    BREAKER_OPEN = "breaker_open"
    BREAKER_PROBING = "breaker_probing"  # half open: too large for a probe, or probes enough
    NO_LIQUIDITY = "no_liquidity"  # the pool does not cover the amount and the haircut
    NO_FLOAT = "no_float"  # our wallet at this operator does not cover the amount
    CAP_DAY = "cap_day"
    CAP_MONTH = "cap_month"
    CANARY = "canary"  # new, another way is proven, and the lot did not fall on it


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """What was agreed with an operator about volume in one direction, in minor units.

    `canary_ppm` is the share of payments a new connector gets while others are proven.
    """

    day_minor_max: int | None = None
    month_minor_max: int | None = None
    month_minor_promised: int = 0  # until it is reached, this operator is a little preferred
    canary_ppm: int | None = None


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """An operator at one end of a payment and all that is known of it at this moment.

    For a payout the amount is what the payee receives, for a collection what the payer pays, both
    in minor units of the operator's currency. `available_minor` and `float_minor` are None where
    nobody has looked: then the commit alone decides.
    """

    operator: str
    is_own: bool  # the wallet is one of its own
    amount_minor: int
    amount_minor_min: int
    amount_minor_max: int
    unit_minor: int
    cost_minor: int | None  # what it charges us; None when no corridor is open
    breaker: Position = Position.CLOSED
    may_probe: bool = False  # half open, small enough, and a probe is free
    belief: Belief = PRIOR
    available_minor: int | None = None  # of the currency's pool, not promised to anybody
    float_minor: int | None = None  # in our wallet there, less what is on its way out
    in_flight_minor: int = 0  # on its way out there: it may have left
    day_minor: int = 0  # moved since midnight UTC
    month_minor: int = 0
    terms: Terms = Terms()


class RouteRules(msgspec.Struct, frozen=True, array_like=True):
    """How ways are weighed."""

    explore_ppm: int = EXPLORE_PPM_MIN
    in_flight_haircut_bp: int = 1_000  # so much of what is in flight is kept back in the pool
    unclear_cost_bp: int = 200  # what an unclear payout costs us in work and bound liquidity
    shadow_bp: int = 50  # the price of taking all that is left of the pool
    promise_bp: int = 20  # what serving a promised volume is worth

    def __post_init__(self) -> None:
        if not EXPLORE_PPM_MIN <= self.explore_ppm < MILLION:
            raise ValueError(f"explore_ppm must be {EXPLORE_PPM_MIN} or more and below {MILLION}")


class Question(msgspec.Struct, frozen=True):
    """Everything a ranking is made from. `draw_ppm` is the lot: 0 to 999,999, uniform."""

    payer: Candidate | None
    candidates: tuple[Candidate, ...]
    margin_minor: int  # what we earn, in the payout currency: fee and spread less collection cost
    draw_ppm: int
    rules: RouteRules


class Scored(msgspec.Struct, frozen=True):
    """The parts of one candidate's score, in micro-units of the payout currency."""

    operator: str
    is_own: bool
    success_ppm: int
    margin_micro: int
    cost_micro: int
    unclear_micro: int  # expected cost of not knowing
    shadow_micro: int  # price of the liquidity it takes
    promise_micro: int
    score_micro: int


class Refused(msgspec.Struct, frozen=True):
    """Why a candidate was left out."""

    operator: str
    why: Refusal


class Ranking(msgspec.Struct, frozen=True):
    """The answer, with the question it answers: it explains itself and can be given again."""

    question: Question
    ways: tuple[str, ...]  # payout operators in the order they are tried; none when none will do
    lead: str  # why the first is first: best, explored or canary; "none"
    scored: tuple[Scored, ...]  # every candidate that could, the best first
    refused: tuple[Refused, ...]
    payer_refused: Refusal | None

    @property
    def payout_cost_minor_max(self) -> int:
        """The most any of the ways may charge: what a quote must hold to cover them all."""
        costs = {c.operator: c.cost_minor or 0 for c in self.question.candidates}
        return max((costs[name] for name in self.ways), default=0)

    @property
    def way_costs(self) -> tuple[int, ...]:
        """What each of the ways charges; none where they all charge the same."""
        costs = {c.operator: c.cost_minor or 0 for c in self.question.candidates}
        by_way = tuple([costs[name] for name in self.ways])
        return by_way if len({*by_way}) > 1 else ()

    @property
    def decision(self) -> Decision:
        """What is kept: the ways, why, and the whole question."""
        why = [self.lead, *(f"{refused.operator}: {refused.why}" for refused in self.refused)]
        if self.payer_refused is not None and self.question.payer is not None:
            why.append(f"collecting, {self.question.payer.operator}: {self.payer_refused}")
        inputs: dict[str, Any] = msgspec.to_builtins(self.question)
        return Decision(Kind.ROUTE, ">".join(self.ways) or "none", "; ".join(why), inputs)


def rank(
    candidates: Iterable[Candidate],
    draw_ppm: int,
    rules: RouteRules,
    *,
    margin_minor: int,
    payer: Candidate | None = None,
) -> Ranking:
    """The ways of a payment. The order of the candidates does not matter.

    With a `payer` who cannot be collected from there are no ways at all.
    """
    ordered = tuple(sorted(candidates, key=lambda candidate: candidate.operator))
    return answer(Question(payer, ordered, margin_minor, draw_ppm, rules))


def answer(question: Question) -> Ranking:
    """The ranking of a question. Pure."""
    rules = question.rules
    refused = {c.operator: why for c in question.candidates if (why := refusal(c, rules))}
    able = [c for c in question.candidates if c.operator not in refused]
    proven, canaries, drawn = _sift(able, question)
    refused |= dict.fromkeys((c.operator for c in canaries), Refusal.CANARY)

    scored = sorted(
        (_score(c, question.margin_minor, rules) for c in [*proven, *drawn]),
        key=lambda s: (-s.score_micro, not s.is_own, s.operator),
    )
    ways, lead = _in_order(scored, {c.operator for c in drawn}, question)
    payer = question.payer
    payer_refused = refusal(payer, rules) if payer is not None else None
    return Ranking(
        question,
        () if payer_refused else ways,
        "none" if payer_refused or not ways else lead,
        tuple(scored),
        tuple(Refused(name, why) for name, why in sorted(refused.items())),
        payer_refused,
    )


def replay(decision: Decision) -> Ranking:
    """The ranking of a kept decision, made again. Raises msgspec.ValidationError."""
    return answer(msgspec.convert(decision.inputs, Question))


def refusal(candidate: Candidate, rules: RouteRules) -> Refusal | None:
    """Why this operator cannot serve this amount now; None when it can."""
    checks = (_refused_by_limits, _refused_by_breaker, _refused_by_liquidity, _refused_by_caps)
    return next((why for check in checks if (why := check(candidate, rules))), None)


def _refused_by_limits(candidate: Candidate, _: RouteRules) -> Refusal | None:
    amount = candidate.amount_minor
    if candidate.cost_minor is None:
        return Refusal.CORRIDOR_CLOSED
    within = candidate.amount_minor_min <= amount <= candidate.amount_minor_max
    return None if within and amount % candidate.unit_minor == 0 else Refusal.AMOUNT_OUTSIDE


def _refused_by_breaker(candidate: Candidate, _: RouteRules) -> Refusal | None:
    if candidate.breaker is Position.OPEN:
        return Refusal.BREAKER_OPEN
    if candidate.breaker is Position.HALF_OPEN and not candidate.may_probe:
        return Refusal.BREAKER_PROBING
    return None


def _refused_by_liquidity(candidate: Candidate, rules: RouteRules) -> Refusal | None:
    needed = candidate.amount_minor + (candidate.cost_minor or 0)
    haircut = -(-candidate.in_flight_minor * rules.in_flight_haircut_bp // 10_000)
    if candidate.available_minor is not None and candidate.available_minor < needed + haircut:
        return Refusal.NO_LIQUIDITY
    if candidate.float_minor is not None and candidate.float_minor < needed:
        return Refusal.NO_FLOAT
    return None


def _refused_by_caps(candidate: Candidate, _: RouteRules) -> Refusal | None:
    """What is in flight counts as moved: it may have been."""
    terms, more = candidate.terms, candidate.in_flight_minor + candidate.amount_minor
    if terms.day_minor_max is not None and candidate.day_minor + more > terms.day_minor_max:
        return Refusal.CAP_DAY
    if terms.month_minor_max is not None and candidate.month_minor + more > terms.month_minor_max:
        return Refusal.CAP_MONTH
    return None


def _sift(
    able: list[Candidate], question: Question
) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
    """Proven operators, canaries that are not drawn, and the canary that is.

    Each canary owns a stretch of the lots after those that explore. Where nothing is proven a
    canary is an operator like any other: better a new way than none.
    """
    proven = [c for c in able if c.terms.canary_ppm is None]
    if not proven:
        return able, [], []
    left: list[Candidate] = []
    drawn: list[Candidate] = []
    edge = question.rules.explore_ppm
    for canary in (c for c in able if c.terms.canary_ppm is not None):
        after = edge + (canary.terms.canary_ppm or 0)
        (drawn if edge <= question.draw_ppm < after else left).append(canary)
        edge = after
    return proven, left, drawn


def _in_order(
    scored: list[Scored], drawn: set[str], question: Question
) -> tuple[tuple[str, ...], str]:
    names = [s.operator for s in scored]
    explore_ppm = question.rules.explore_ppm
    if drawn:
        return tuple(sorted(names, key=lambda name: name not in drawn)), "canary"
    if len(names) > 1 and question.draw_ppm < explore_ppm:
        chosen = names[1 + question.draw_ppm * (len(names) - 1) // explore_ppm]
        return tuple(sorted(names, key=lambda name: name != chosen)), "explored"
    return tuple(names), "best"


def _score(candidate: Candidate, margin_minor: int, rules: RouteRules) -> Scored:
    amount, belief = candidate.amount_minor, candidate.belief
    margin = margin_minor * MILLION
    cost = (candidate.cost_minor or 0) * MILLION
    unclear = belief.unclear_ppm * amount * rules.unclear_cost_bp // 10_000
    shadow = _shadow_micro(candidate, rules)
    promised = candidate.month_minor < candidate.terms.month_minor_promised
    promise = amount * rules.promise_bp * _MICRO_PER_BP if promised else 0
    value = margin - cost - unclear - shadow + promise
    # A loss does not shrink by failing often: below zero the odds work the other way round.
    odds = belief.success_ppm if value >= 0 else 2 * MILLION - belief.success_ppm
    return Scored(
        operator=candidate.operator,
        is_own=candidate.is_own,
        success_ppm=belief.success_ppm,
        margin_micro=margin,
        cost_micro=cost,
        unclear_micro=unclear,
        shadow_micro=shadow,
        promise_micro=promise,
        score_micro=value * odds // MILLION,
    )


def _shadow_micro(candidate: Candidate, rules: RouteRules) -> int:
    """The scarcer of pool and float sets the price: the amount as a share of what is left."""
    known = [m for m in (candidate.available_minor, candidate.float_minor) if m is not None]
    if not known:
        return 0
    amount = candidate.amount_minor
    return amount * amount * rules.shadow_bp * _MICRO_PER_BP // max(min(known), 1)
