"""A plan as it is stored: its people's numbers and the outside's own words sealed. Pure.

Given to the committer, which hands every plan through it, so that no writer can forget. Whoever
made the plan keeps it as it was.
"""

from engine.ledger.plans import Evidence, Intent, Plan
from engine.payments.facts import seal_terms
from engine.payments.notices import SMS
from engine.privacy.places import evidence_place, payload_place
from engine.privacy.seals import Seals

_FACTS, _INTENTS, _EVIDENCE = map(Plan._fields.index, ("facts", "intents", "evidence"))


class PlanSealer:
    """Seals plans under one tenant's keys. The same plan again is sealed anew, to the same end."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals

    def __call__(self, plan: Plan) -> Plan:
        facts, intents, evidence = plan.facts, plan.intents, plan.evidence
        if facts is not None:
            facts = seal_terms(facts, self._seals, plan.payment)
        if intents:
            intents = self._intents(intents)
        if evidence:
            evidence = tuple([self._evidence(told) for told in evidence])
        elif facts is plan.facts and intents is plan.intents:
            return plan  # most hold nothing about people
        fields = list(plan)
        fields[_FACTS], fields[_INTENTS], fields[_EVIDENCE] = facts, intents, evidence
        return Plan._make(fields)

    def _intents(self, intents: tuple[Intent, ...]) -> tuple[Intent, ...]:
        for intent in intents:
            if intent.payload is not None:
                return tuple([self._intent(each) for each in intents])
        return intents

    def _intent(self, intent: Intent) -> Intent:
        if intent.payload is None or intent.kind == SMS:
            return intent  # a notice only names a sentence: its numbers are in the terms
        sealed = self._seals.seal(intent.payload, payload_place(intent.id))
        return intent._replace(payload=sealed)

    def _evidence(self, told: Evidence) -> Evidence:
        attempt_id, hash_, source, body = told
        sealed = self._seals.seal(body, evidence_place(attempt_id))
        return Evidence(attempt_id, hash_, source, sealed)
