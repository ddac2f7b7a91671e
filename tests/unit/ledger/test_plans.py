from engine.ledger.plans import Evidence, Intent, Plan, evidence_of, intent_of, plan_of


def test_what_is_made_from_a_tuple_is_what_its_name_makes() -> None:
    intent = intent_of(("a" * 32, 10, None, 5, 65))
    assert intent == Intent("a" * 32, 10, None, 5, 65)
    assert type(intent) is Intent
    told = evidence_of(("a" * 32, "b" * 32, 2, "{}"))
    assert told == Evidence("a" * 32, "b" * 32, 2, "{}")
    assert type(told) is Evidence
    plan = Plan("c" * 32, 0, 7, 3, intents=(intent,), evidence=(told,))
    assert plan_of(tuple(plan)) == plan
    assert type(plan_of(tuple(plan))) is Plan
