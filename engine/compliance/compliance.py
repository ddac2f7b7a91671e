"""May this payment happen? Limits, then names, then patterns; one answer with its reasons.

It moves nothing and calls nobody: payments ask here before they confirm, and again before they
pay out if the lists have changed meanwhile.
"""

import logging
from collections.abc import Callable
from datetime import datetime

import msgspec

from engine.compliance.clearance import (
    Action,
    Clearance,
    Resemblance,
    Seen,
    SimSeen,
    Thresholds,
    clear,
    seen_in,
)
from engine.compliance.history import Dossier, HistoryStore, Question
from engine.compliance.limits import Ceiling, LocalTime
from engine.compliance.policy import Policy
from engine.compliance.profiles import Profile, Profiles
from engine.compliance.risk import apply_rules, is_watched, measure
from engine.compliance.screening import Screener
from engine.decisions import Decision
from engine.errors import NoWayNow
from engine.money import Money
from engine.msisdn import Msisdn

log = logging.getLogger(__name__)

RESEMBLANCES_MAX = 3
"""Of each side, so many are kept with the decision: enough to see why, and small."""


class Payer(msgspec.Struct, frozen=True):
    """What the caller knows of the payer. `tier` counts only while we have no profile."""

    msisdn: Msisdn
    country: str
    tier: int


class Standing(msgspec.Struct, frozen=True):
    """What binds a payer at one moment."""

    tier: int
    ceiling: Ceiling
    when: LocalTime


class Compliance:
    """The rules of one installation. Every question may be repeated with the same answer."""

    def __init__(
        self,
        *,
        policy: Policy,
        screener: Screener,
        history: HistoryStore,
        profiles: Profiles,
        is_screening_required: bool = False,
        note: Callable[[Decision], None] = lambda _: None,
    ) -> None:
        """`is_screening_required`: without a list nothing is allowed. `note` hears of refusals."""
        self._policy = policy
        self._screener = screener
        self._history = history
        self._profiles = profiles
        self._is_screening_required = is_screening_required
        self._note = note

    def check_amount(self, tier: int, amount: Money) -> None:
        """What is known before anybody confirms. Raises CustomerMistake `mistake.limit_payment`."""
        self._policy.limits.check_payment(tier, amount)

    async def check(self, payer: Payer, question: Question) -> Clearance:
        """Whether the payment may be taken on, and what it counts against the payer's limits.

        ALLOW and HOLD are returned; a held payment is collected and then waits for people. Raises
        CustomerMistake `mistake.limit_payment`, and NoWayNow `no_way.refused` with a sentence that
        tells nobody why; `no_way.busy` when screening is required and no list is loaded.
        """
        if self._is_screening_required and not self._screener.versions:
            raise NoWayNow("no_way.busy")
        # The tier the caller knows bounds what is near or watched; the profile's has the last word.
        assumed = self._policy.limits.of(payer.tier, question.amount.currency)
        dossier = await self._history.look(
            question,
            near_minor=assumed.payment_minor_max * self._policy.risk.near_limit_percent // 100,
            watched=is_watched(self._policy.risk, question.amount, assumed),
        )
        tier = dossier.payer.tier_at(question.at) if dossier.payer is not None else payer.tier
        ceiling = self._policy.limits.check_payment(tier, question.amount)
        when = self._policy.limits.local_time(payer.country, question.at)
        clearance = clear(
            self._see(payer, question, dossier, tier, ceiling),
            self._policy.limits.allowance(ceiling, question.amount, when),
        )
        if clearance.action is not Action.ALLOW:
            await self._history.keep(question, clearance)
        if clearance.action is Action.REFUSE:
            log.warning("quote %s refused by compliance", question.quote_id)
            self._note(clearance.decision)
            raise NoWayNow("no_way.refused")
        return clearance

    async def limits_now(self, payer: Payer, currency: str, at: datetime) -> Standing:
        """The payer's tier, what it allows, and the day and month it counts in.

        Raises NoWayNow `no_way.corridor` for a currency without limits.
        """
        profile = (await self._profiles.find([payer.msisdn])).get(payer.msisdn)
        tier = profile.tier_at(at) if profile is not None else payer.tier
        when = self._policy.limits.local_time(payer.country, at)
        return Standing(tier, self._policy.limits.of(tier, currency), when)

    @property
    def asks_of_sims(self) -> bool:
        """Whether it matters when a payer's SIM was changed."""
        return self._policy.sim.hold_hours > 0

    async def recheck(
        self, earlier: Decision | None, question: Question, sim: SimSeen | None = None
    ) -> Clearance | None:
        """Before a payout, once the money is here: screen again if the lists have changed, or if
        `sim` tells of a change that `earlier` did not know.

        None when there is nothing new. Never refuses: what resembles an entry now is held, and a
        person decides between payout and refund.
        """
        before = _seen_by(earlier)
        if before is not None and sim is not None and sim.is_same_as(before.sim):
            # Terms that know of it are those of a payment that people have released.
            sim = msgspec.structs.replace(sim, is_ruled=True)
        is_screened = before is not None and before.lists == self._screener.versions
        if is_screened and not self._thresholds.is_news(sim):
            return None
        people = await self._profiles.find([question.payer, question.payee])
        sides = {"payer": people.get(question.payer), "payee": people.get(question.payee)}
        clearance = clear(self._compare(sides, collected=True, sim=sim), None)
        # What held it before is reported with its rules, which nobody looks at again here.
        is_reported = is_screened and earlier is not None and _is_hold(earlier)
        if clearance.action is not Action.ALLOW and not is_reported:
            await self._history.keep(question, clearance)
        return clearance

    def explain(self, decision: Decision) -> list[str]:
        """What its reason names, in sentences for staff: entries as their publisher does, and why
        there is a rule. Entries that are listed no more are left out.

        These texts hold names of listed people: they are for a screen, not for a log. Raises
        msgspec.ValidationError for what another release stored.
        """
        seen, lines = seen_in(decision), list[str]()
        for found in seen.resemblances:
            match = found.match
            listed = self._screener.listed(match.source, match.entry_id)
            if listed is not None and match.name_number < len(listed.names):
                births = ", ".join(f"{b.first} to {b.last}" for b in listed.births) or "unknown"
                lines.append(
                    f"{match.source}:{match.entry_id} is {listed.names[0].text}"
                    f" ({listed.subject}; {', '.join(listed.programmes)}; born {births});"
                    f" the name that resembles is {listed.names[match.name_number].text}"
                )
        whys = {rule.id: rule.why for rule in self._policy.risk.rules}
        lines += [f"{hit.rule}: {whys[hit.rule]}" for hit in seen.hits if hit.rule in whys]
        return lines

    def _see(
        self, payer: Payer, question: Question, dossier: Dossier, tier: int, ceiling: Ceiling
    ) -> Seen:
        seen = self._compare({"payer": dossier.payer, "payee": dossier.payee}, collected=False)
        signals = None
        if dossier.history is not None:
            age = None
            if dossier.payer is not None:
                age = (question.at - dossier.payer.created_at).total_seconds()
            when = self._policy.limits.local_time(payer.country, question.at)
            signals = measure(dossier.history, question.amount, ceiling, when, age)
        return msgspec.structs.replace(
            seen,
            hits=apply_rules(self._policy.risk.rules, signals) if signals is not None else (),
            signals=signals,
            tier=tier,
            amount_minor=question.amount.minor,
            currency=question.amount.currency,
        )

    @property
    def _thresholds(self) -> Thresholds:
        screening, risk, sim = self._policy.screening, self._policy.risk, self._policy.sim
        return Thresholds(
            screening.hold_min, screening.refuse_min, risk.hold_points, risk.refuse_points,
            sim.hold_hours, sim.unknown == "hold",
        )  # fmt: skip

    def _compare(
        self, sides: dict[str, Profile | None], *, collected: bool, sim: SimSeen | None = None
    ) -> Seen:
        """The names that are known, compared with the lists in force at this one moment."""
        named = {who: p for who, p in sides.items() if p is not None and p.name is not None}
        return Seen(
            thresholds=self._thresholds,
            lists=self._screener.versions,
            collected=collected,
            named=tuple(named),
            resemblances=tuple(
                Resemblance(who, match)
                for who, profile in named.items()
                for match in self._screener.screen(profile.name or "", profile.born)[
                    :RESEMBLANCES_MAX
                ]
            ),
            sim=sim,
        )


def _is_hold(decision: Decision) -> bool:
    return decision.outcome == Action.HOLD.name.lower()


def _seen_by(decision: Decision | None) -> Seen | None:
    """What a decision rested on; None when another release wrote it otherwise."""
    if decision is None:
        return None
    try:
        return seen_in(decision)
    except msgspec.ValidationError:
        return None
