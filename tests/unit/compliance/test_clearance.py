import msgspec
import pytest

from engine.compliance.clearance import (
    OPERATOR,
    STAFF,
    Action,
    Resemblance,
    Seen,
    SimSeen,
    Thresholds,
    clear,
    judge,
    reasons_of,
    replay,
    seen_in,
)
from engine.compliance.lists.listed import Source
from engine.compliance.matching import BirthSays, Match
from engine.compliance.risk import Hit
from engine.decisions import Decision, Kind
from engine.payments.replays import differing

THRESHOLDS = Thresholds(name_hold=90, name_refuse=97, points_hold=60, points_refuse=120)


def seen(score: int = 0, points: int = 0, *, collected: bool = False) -> Seen:
    match = Match(Source.UN, "80001", 2, score, BirthSays.NOTHING)
    return Seen(
        thresholds=THRESHOLDS,
        lists={"un": 3},
        collected=collected,
        named=("payer",),
        resemblances=(Resemblance("payer", match),) if score else (),
        hits=(Hit("passed_on", points),) if points else (),
    )


@pytest.mark.parametrize(
    ("score", "points", "action"),
    [
        (0, 0, Action.ALLOW), (89, 59, Action.ALLOW), (90, 0, Action.HOLD), (0, 60, Action.HOLD),
        (96, 119, Action.HOLD), (97, 0, Action.REFUSE), (0, 120, Action.REFUSE),
    ],
)  # fmt: skip
def test_the_thresholds_decide(score: int, points: int, action: Action) -> None:
    assert judge(seen(score, points)) is action


def test_money_that_is_here_is_held_and_never_refused() -> None:
    assert judge(seen(100, 200, collected=True)) is Action.HOLD
    assert judge(seen(collected=True)) is Action.ALLOW


def test_the_decision_says_which_entry_which_name_and_which_rule() -> None:
    decision = clear(seen(93, 20), None).decision
    assert (decision.kind, decision.outcome) == (Kind.COMPLIANCE, "hold")
    assert "payer resembles un:80001 name 2 with 93 of 100" in decision.reason
    assert "rule passed_on: 20 points" in decision.reason


@pytest.mark.parametrize("what", [seen(), seen(93), seen(0, 70), seen(98, 10, collected=True)])
def test_a_stored_decision_is_made_again_the_same(what: Seen) -> None:
    decision = clear(what, None).decision
    stored = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)
    assert seen_in(stored) == what
    assert msgspec.json.encode(replay(stored)) == msgspec.json.encode(decision)


def found(
    entry_id: str, score: int = 95, *, who: str = "payer", named_by: str = STAFF
) -> Resemblance:
    return Resemblance(who, Match(Source.UN, entry_id, 0, score, BirthSays.NOTHING), named_by)


@pytest.mark.parametrize(
    ("known", "now", "action"),
    [
        ([found("1")], [found("1")], Action.ALLOW),
        ([found("1")], [found("1", 91), found("1", 93, named_by=OPERATOR)], Action.ALLOW),
        ([found("1")], [found("1"), found("2")], Action.HOLD),
        ([found("1")], [found("1", who="payee")], Action.HOLD),
        ([found("1", 89)], [found("1", 90)], Action.HOLD),  # it was not decided on before
        ([found("1", 95)], [found("1", 100)], Action.HOLD),  # the birth agrees by now
        ([found("1", 100), found("1", 95)], [found("1", 100)], Action.ALLOW),
        ([], [found("1")], Action.HOLD),
        ([found("1")], [], Action.ALLOW),
    ],
)
def test_what_was_decided_on_before_is_no_news(
    known: list[Resemblance], now: list[Resemblance], action: Action
) -> None:
    again = msgspec.structs.replace(
        seen(collected=True), known=tuple(known), resemblances=tuple(now)
    )
    decision = clear(again, None).decision
    assert decision.outcome == action.name.lower()
    stored = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)
    assert seen_in(stored) == again
    assert msgspec.json.encode(replay(stored)) == msgspec.json.encode(decision)


def test_what_was_decided_on_travels_on_and_grows() -> None:
    first = msgspec.structs.replace(
        seen(), resemblances=(found("1"), found("2", 85), found("3", who="payee"))
    )
    assert {(r.who, r.match.entry_id) for r in first.decided_on} == {("payer", "1"), ("payee", "3")}
    second = msgspec.structs.replace(
        seen(), known=first.decided_on, resemblances=(found("4"), found("1", 99))
    )
    assert {(r.match.entry_id, r.match.score) for r in second.decided_on} == {
        ("1", 99), ("3", 95), ("4", 95),
    }  # fmt: skip


def test_a_decision_of_before_names_were_told_is_made_again_to_the_byte() -> None:
    match = {"source": "un", "entry_id": "80001", "name_number": 2, "score": 93, "birth": "nothing"}
    inputs = {
        "thresholds": msgspec.to_builtins(THRESHOLDS), "lists": {"un": 3}, "collected": False,
        "named": ["payer"], "resemblances": [{"who": "payer", "match": match}], "hits": [],
        "signals": None, "tier": 1, "amount_minor": 100, "currency": "KES",
    }  # fmt: skip
    reason = "payer resembles un:80001 name 2 with 93 of 100, birth nothing"
    kept = Decision(Kind.COMPLIANCE, "hold", reason, inputs)
    assert differing([kept]) == []


def test_what_was_not_compared_is_said() -> None:
    nobody = Seen(THRESHOLDS, {}, collected=False, named=())
    assert clear(nobody, None).reasons == ("no list loaded",)
    nameless = msgspec.structs.replace(nobody, lists={"un": 1})
    assert clear(nameless, None).reasons == ("no name known",)
    assert clear(msgspec.structs.replace(nameless, told=("payee",)), None).reasons == ()
    hidden = msgspec.structs.replace(nameless, masked=("payee",))
    assert clear(hidden, None).reasons == (
        "payee: the operator hides letters of the name", "no name known",
    )  # fmt: skip


RECENT = SimSeen("mpesa_ke", is_told=True, changed_ms=1, hours=71)
SILENT = SimSeen("mpesa_ke", is_told=False)


def sim_seen(sim: SimSeen | None, *, hours: int = 72, unknown_holds: bool = False) -> Seen:
    limits = msgspec.structs.replace(THRESHOLDS, sim_hours=hours, sim_unknown_holds=unknown_holds)
    return msgspec.structs.replace(seen(collected=True), thresholds=limits, sim=sim)


@pytest.mark.parametrize(
    ("what", "action"),
    [
        (sim_seen(RECENT), Action.HOLD),
        (sim_seen(RECENT, hours=71), Action.ALLOW),  # so many hours are over
        (sim_seen(RECENT, hours=0), Action.ALLOW),
        (sim_seen(SimSeen("mpesa_ke", is_told=True)), Action.ALLOW),
        (sim_seen(msgspec.structs.replace(RECENT, is_ruled=True)), Action.ALLOW),
        (sim_seen(None, unknown_holds=True), Action.ALLOW),
        (sim_seen(SILENT), Action.ALLOW),
        (sim_seen(SILENT, unknown_holds=True), Action.HOLD),
        (sim_seen(SILENT, unknown_holds=True, hours=0), Action.ALLOW),
    ],
)
def test_a_fresh_sim_holds_once(what: Seen, action: Action) -> None:
    assert judge(what) is action


def silent_seen(*people: str, holds: bool = True, known: tuple[str, ...] = ()) -> Seen:
    limits = msgspec.structs.replace(THRESHOLDS, silence_holds=holds)
    return msgspec.structs.replace(
        seen(collected=True), thresholds=limits, silent=people, silence_known=known
    )


@pytest.mark.parametrize(
    ("what", "action"),
    [
        (silent_seen(), Action.ALLOW),
        (silent_seen("payee"), Action.HOLD),
        (silent_seen("payee", holds=False), Action.ALLOW),
        (silent_seen("payee", known=("payee",)), Action.ALLOW),
        (silent_seen("payer", "payee", known=("payee",)), Action.HOLD),
    ],
)
def test_an_operators_silence_holds_once_where_the_house_wants_a_name(
    what: Seen, action: Action
) -> None:
    assert judge(what) is action
    decision = clear(what, None).decision
    stored = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)
    assert replay(stored) == decision


def test_what_was_decided_before_names_were_asked_for_knows_of_no_silence() -> None:
    older = clear(seen(93), None).decision
    assert {"silent", "silence_known", "expected"}.isdisjoint(older.inputs)


def test_the_reason_names_who_told_and_how_long_ago() -> None:
    assert "the payer's SIM was changed 71 hours before, as mpesa_ke tells" in reasons_of(
        sim_seen(RECENT)
    )
    assert "mpesa_ke did not tell when the payer's SIM was changed" in reasons_of(sim_seen(SILENT))
    old = SimSeen("mpesa_ke", is_told=True, changed_ms=1, hours=400)
    assert not any("SIM" in reason for reason in reasons_of(sim_seen(old)))


def test_a_decision_about_a_sim_is_made_again_the_same_and_older_ones_know_of_none() -> None:
    decision = clear(sim_seen(RECENT), None).decision
    stored = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)
    assert replay(stored) == decision
    older = clear(seen(93), None).decision  # as it was written before anybody told of SIMs
    assert "sim" not in older.inputs
    assert older.inputs["thresholds"] == {
        "name_hold": 90, "name_refuse": 97, "points_hold": 60, "points_refuse": 120
    }  # fmt: skip
