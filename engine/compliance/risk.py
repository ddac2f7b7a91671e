"""Patterns of misuse as rules with points, over a small summary of what went before. Pure.

It sees counts and sums, never names or numbers, and decides nothing: `clearance.py` does.
"""

from typing import NamedTuple

import msgspec

from engine.compliance.limits import Ceiling, LocalTime
from engine.money import CURRENCIES, Money

NIGHT_HOURS = range(5)
"""Midnight to five in the payer's country."""
_ROUND_MAJOR = 1_000
_AGE_UNKNOWN_HOURS = 1 << 31


class History(msgspec.Struct, frozen=True):
    """What was asked of us before this payment, by payer and payee; all zero when nothing was.

    Counts stop growing at a few hundred. Amounts are minor units of the payer's currency.
    """

    sent_hour_count: int = 0
    payees_day_count: int = 0
    near_limit_week_count: int = 0
    received_recent_minor: int = 0  # what was sent to the payer within half an hour
    payers_day_count: int = 0  # how many people paid the payer within a day
    payee_payers_day_count: int = 0  # how many others paid this payee within a day
    passed_on_minor: int = 0  # sent since the first of what was received, in parts no larger


class Signals(msgspec.Struct, frozen=True):
    """What the rules measure: one whole number each. Stored: a new one comes last, with a default.

    `passed_on_percent`: this payment of what its payer received within half an hour;
    `passed_on_together_percent`: with what they sent since, so that nobody hides it by halving it.
    """

    sent_hour_count: int
    payees_day_count: int
    near_limit_week_count: int
    passed_on_percent: int
    payers_day_count: int
    payee_payers_day_count: int
    limit_percent: int
    account_age_hours: int
    is_round: int
    is_night: int
    passed_on_together_percent: int = 0


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measure within bounds, both included."""

    measure: str
    at_least: int | None = None
    at_most: int | None = None

    def __post_init__(self) -> None:
        if self.measure not in Signals.__struct_fields__:
            raise ValueError(f"nothing measures {self.measure!r}")
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"{self.measure}: neither at_least nor at_most")

    def holds(self, signals: Signals) -> bool:
        value: int = getattr(signals, self.measure)
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points that a payment gets when all conditions hold; `why` is for staff, never customers."""

    id: str
    points: int
    why: str
    all: tuple[Condition, ...]

    def __post_init__(self) -> None:
        if not self.all or self.points <= 0:
            raise ValueError(f"rule {self.id!r} needs conditions and points")


class RiskPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules, and what their points lead to."""

    hold_points: int
    refuse_points: int
    near_limit_percent: int
    watched_percent_min: int
    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        ids = [rule.id for rule in self.rules]
        if len(set(ids)) != len(ids):
            raise ValueError("two rules of one id")
        if not 0 < self.hold_points <= self.refuse_points:
            raise ValueError("hold_points must be above 0 and at most refuse_points")


class Hit(NamedTuple):
    """A rule that applied."""

    rule: str
    points: int


def is_watched(policy: RiskPolicy, amount: Money, ceiling: Ceiling) -> bool:
    """Whether a payment is large enough for its history to matter."""
    return amount.minor * 100 >= ceiling.payment_minor_max * policy.watched_percent_min


def measure(
    history: History,
    amount: Money,
    ceiling: Ceiling,
    when: LocalTime,
    account_age_seconds: float | None,
) -> Signals:
    """The payment in figures. `account_age_seconds` is None when the payer is not registered."""
    received = history.received_recent_minor
    together = history.passed_on_minor + amount.minor
    round_minor = _ROUND_MAJOR * 10 ** CURRENCIES[amount.currency].decimals
    return Signals(
        sent_hour_count=history.sent_hour_count,
        payees_day_count=history.payees_day_count,
        near_limit_week_count=history.near_limit_week_count,
        passed_on_percent=amount.minor * 100 // received if received else 0,
        payers_day_count=history.payers_day_count,
        payee_payers_day_count=history.payee_payers_day_count,
        limit_percent=amount.minor * 100 // max(ceiling.payment_minor_max, 1),
        account_age_hours=(
            _AGE_UNKNOWN_HOURS
            if account_age_seconds is None
            else max(int(account_age_seconds // 3600), 0)
        ),
        is_round=int(amount.minor % round_minor == 0),
        is_night=int(when.hour in NIGHT_HOURS),
        passed_on_together_percent=together * 100 // received if received else 0,
    )


def apply_rules(rules: tuple[Rule, ...], signals: Signals) -> tuple[Hit, ...]:
    """The rules that apply, in the order of the policy."""
    return tuple(
        Hit(rule.id, rule.points)
        for rule in rules
        if all(condition.holds(signals) for condition in rule.all)
    )
