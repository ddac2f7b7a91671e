"""May this payment happen? Limits, then names, then patterns; one answer with its reasons.

It moves nothing and calls nobody: payments ask here before they confirm, and again before they
pay out, for the lists and the names that staff take down may have changed meanwhile.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from engine.compliance.clearance import (
    CLIENT,
    OPERATOR,
    STAFF,
    Action,
    Clearance,
    Resemblance,
    Seen,
    SimSeen,
    Thresholds,
    clear,
    judge,
    seen_in,
)
from engine.compliance.history import Dossier, HistoryStore, Named, Question
from engine.compliance.limits import Ceiling, LocalTime
from engine.compliance.matching import is_same_name
from engine.compliance.people import PAYEE, PAYER, People
from engine.compliance.policy import Policy
from engine.compliance.profiles import Profiles
from engine.compliance.risk import apply_rules, is_watched, measure
from engine.compliance.screening import Screener
from engine.decisions import Decision
from engine.errors import NoWayNow
from engine.money import Money
from engine.msisdn import Msisdn

log = logging.getLogger(__name__)

RESEMBLANCES_MAX = 3
"""Of each name, so many are kept with the decision: enough to see why, and small."""


_NOTHING: Mapping[str, str | None] = {}


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
        """`is_screening_required`: while a list is lacking nothing is allowed, and what was is not
        paid out. `note` hears of refusals.
        """
        self._policy = policy
        self._screener = screener
        self._history = history
        self._profiles = profiles
        self._is_screening_required = is_screening_required
        self._note = note

    def check_amount(self, tier: int, amount: Money) -> None:
        """What is known before anybody confirms. Raises CustomerMistake `mistake.limit_payment`."""
        self._policy.limits.check_payment(tier, amount)

    async def check(
        self, payer: Payer, question: Question, told: str = "", *, expected: str = ""
    ) -> Clearance:
        """Whether the payment may be taken on, and what it counts against the payer's limits.

        `told` is the payee's name as their operator told it for this price, `expected` as the
        client that asks tells it, "" where nobody did: they are compared beside the one that staff
        have taken down.
        ALLOW and HOLD are returned; a held payment is collected and then waits for people. Raises
        CustomerMistake `mistake.limit_payment`, and NoWayNow `no_way.refused` with a sentence that
        tells nobody why; `no_way.busy` when screening is required and a list is lacking.
        """
        if await self.why_waiting() is not None:
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
        people = People(
            {PAYER: dossier.payer, PAYEE: dossier.payee}, {PAYEE: told} if told else {}, expected
        )
        clearance = clear(
            self._see(payer, question, dossier, people, tier, ceiling),
            self._policy.limits.allowance(ceiling, question.amount, when),
        )
        await self._keep(question, clearance, people)
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

    async def why_waiting(self) -> Decision | None:
        """Where screening is required and a list is lacking: the decision that says so (`WAIT`).

        What was collected is put off until the list is there. Costs nothing; raises as `need`.
        """
        await self._screener.need()
        lacking = self._screener.lacking() if self._is_screening_required else ()
        if not lacking:
            return None
        versions = self._screener.versions
        seen = Seen(self._thresholds, versions, collected=True, named=(), lacking=lacking)
        return clear(seen, None).decision

    @property
    def asks_of_sims(self) -> bool:
        """Whether it matters when a payer's SIM was changed."""
        return self._policy.sim.hold_hours > 0

    async def unnamed(self, earlier: Decision | None) -> tuple[str, ...]:
        """For whose name (`payer`, `payee`) their operator is to be asked before a payout, as far
        as it tells any: of whom it has told none that was compared by the lists in force.

        `earlier` as in `recheck`. Nobody without a list: there is nothing to compare with.
        """
        await self._screener.need()
        versions, asked = self._screener.versions, self._policy.names.asked_of
        if not versions:
            return ()
        before = _seen_in(earlier) if earlier is not None else None
        if before is None:
            return tuple(dict.fromkeys((PAYEE, *asked)))  # what was told for it was not kept
        if before.lists != versions:
            return tuple(dict.fromkeys((*before.told, *before.was_told, *asked)))
        return tuple(who for who in asked if who not in (*before.told, *before.masked))

    async def recheck(
        self,
        earlier: Decision | None,
        question: Question,
        told: Mapping[str, str | None] = _NOTHING,
        *,
        sim: SimSeen | None = None,
        expected: str = "",
    ) -> Clearance | None:
        """Before a payout, once the money is here: the names of this moment, by today's lists, and
        what is told of the payer's `sim`.

        `told` is what the operators of those who are `unnamed` told, None where one was asked and
        did not answer in time; `expected` is as in `check`. By the lists of `earlier` only what is
        new counts: a name that was told, taken down or corrected since, and a SIM; None when
        nothing is. Where the lists have changed everything counts anew but for what `earlier` knows
        of a SIM, or of an operator's silence. Never refuses: what resembles an entry now is held,
        and a person decides between payout and refund.
        """
        await self._screener.need()
        before = _seen_in(earlier) if earlier is not None else None
        if before is not None and sim is not None and before.has_ruled(sim):
            # Terms that know of it are those of a payment that people have released.
            sim = msgspec.structs.replace(sim, is_ruled=True)
        versions = self._screener.versions
        is_by_other_lists = before is None or before.lists != versions
        if not is_by_other_lists and not versions and not self._thresholds.is_news(sim):
            return None
        payer, payee = await self._profiles.of_both(question.payer, question.payee)
        people = People({PAYER: payer, PAYEE: payee}, told, expected)
        seen = self._compare(people, collected=True, sim=sim)
        if before is not None:
            answered = {who for who, name in told.items() if name is not None}
            silent = (*seen.silent, *(who for who in before.silent if who not in answered))
            seen = msgspec.structs.replace(
                _with_what_was_known(seen, before, is_by_other_lists=is_by_other_lists),
                silent=tuple(dict.fromkeys(silent)), silence_known=before.silent,
                ruled=before.ruled,
            )  # fmt: skip
        clearance = clear(seen, None)
        if not is_by_other_lists and clearance.action is Action.ALLOW:
            return None
        # What it was held for before is reported with its rules, which nobody counts again here.
        names_alone = msgspec.structs.replace(seen, sim=None, silent=())
        is_no_name = judge(names_alone) is Action.ALLOW
        if is_by_other_lists or not (_is_hold(earlier) and is_no_name):
            await self._keep(question, clearance, people)
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

    async def _keep(self, question: Question, clearance: Clearance, people: People) -> None:
        """What is held or refused is kept with the names that resemble somebody, for staff."""
        if clearance.action is Action.ALLOW:
            return
        found = seen_in(clearance.decision).resemblances
        alike = {(each.who, each.named_by) for each in found}
        named = [
            Named(name.who, name.named_by, name.name)
            for name in people.names(self._is_same)
            if (name.who, name.named_by) in alike
        ]
        await self._history.keep(question, clearance, named)

    def _is_same(self, one: str, other: str) -> bool:
        return is_same_name(one, other, self._policy.screening)

    def _see(
        self,
        payer: Payer,
        question: Question,
        dossier: Dossier,
        people: People,
        tier: int,
        ceiling: Ceiling,
    ) -> Seen:
        seen = self._compare(people, collected=False)
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
            sim.hold_hours, sim.unknown == "hold", self._policy.names.unknown == "hold",
        )  # fmt: skip

    def _compare(self, people: People, *, collected: bool, sim: SimSeen | None = None) -> Seen:
        """The names that are known, compared with the lists in force at this one moment."""
        names = tuple(people.names(self._is_same))
        return Seen(
            thresholds=self._thresholds,
            lists=self._screener.versions,
            collected=collected,
            named=tuple(each.who for each in names if each.named_by == STAFF),
            resemblances=tuple(
                Resemblance(each.who, match, each.named_by)
                for each in names
                for match in self._screener.screen(each.name, each.born)[:RESEMBLANCES_MAX]
            ),
            told=tuple(each.who for each in names if each.named_by == OPERATOR),
            masked=people.masked,
            sim=sim,
            expected=tuple(each.who for each in names if each.named_by == CLIENT),
            silent=people.silent,
        )


def _with_what_was_known(seen: Seen, before: Seen, *, is_by_other_lists: bool) -> Seen:
    """With what an earlier decision rested on that need not be asked, or decided on, again."""
    if not is_by_other_lists:
        seen = msgspec.structs.replace(
            seen, known=before.decided_on, told=tuple(dict.fromkeys((*before.told, *seen.told))),
            masked=tuple(dict.fromkeys((*before.masked, *seen.masked))),
        )  # fmt: skip
    was_told = dict.fromkeys((*before.told, *before.was_told))
    return msgspec.structs.replace(
        seen, was_told=tuple(who for who in was_told if who not in seen.told)
    )


def _is_hold(decision: Decision | None) -> bool:
    return decision is not None and decision.outcome == Action.HOLD.name.lower()


def _seen_in(decision: Decision) -> Seen | None:
    """What a decision was made by; None when another release wrote it otherwise."""
    try:
        return seen_in(decision)
    except msgspec.ValidationError:
        return None
