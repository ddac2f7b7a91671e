import itertools
from collections import Counter
from pathlib import Path

import pytest

from engine.errors import Impossible
from engine.ledger.chart import GUARDED, read_account
from engine.payments import lifecycle
from engine.payments.lifecycle import LIVE_DIRECTION, TABLE, TERMINAL, Event, State, Step, advance
from engine.ports import Direction
from tests.unit.payments.examples import ROUTE, quote

S, E = State, Event
QUOTE = quote()
HELD = QUOTE.receives.minor + QUOTE.payout_cost_minor_max


def step(state: State, event: Event) -> Step:
    return advance(state, event, QUOTE, ROUTE)


def balances(*steps: Step) -> dict[str, int]:
    """What the steps together did, by name of the account in the route."""
    names = {number: name for name, number in ROUTE._asdict().items()}
    moved: Counter[str] = Counter()
    for debit, credit, minor in itertools.chain.from_iterable(s.transfers for s in steps):
        moved[names[debit]] -= minor
        moved[names[credit]] += minor
    return {name: minor for name, minor in moved.items() if minor}


@pytest.mark.parametrize(
    ("state", "event", "path", "begins", "ends"),
    [
        (S.NEW, E.CONFIRMED, (S.RESERVED, S.COLLECTING), Direction.COLLECT, False),
        (S.COLLECTING, E.COLLECTION_FAILED, (S.COLLECT_FAILED,), None, True),
        (S.COLLECTING, E.COLLECTION_NEVER_SENT, (S.EXPIRED,), None, True),
        (S.COLLECTING, E.COLLECTION_UNCLEAR, (S.COLLECT_UNKNOWN,), None, False),
        (
            S.COLLECT_UNKNOWN, E.COLLECTION_SUCCEEDED,
            (S.COLLECTED, S.PAYING), Direction.DISBURSE, True,
        ),
        (
            S.COLLECTING, E.COLLECTION_SUCCEEDED,
            (S.COLLECTED, S.PAYING), Direction.DISBURSE, True,
        ),
        (S.PAYING, E.PAYOUT_SUCCEEDED, (S.PAID,), None, True),
        (S.PAYING, E.PAYOUT_UNCLEAR, (S.PAYOUT_UNKNOWN,), None, False),
        (
            S.PAYOUT_UNKNOWN, E.PAYOUT_FAILED,
            (S.PAYOUT_FAILED, S.REFUND_DUE, S.REFUNDING), Direction.REFUND, True,
        ),
        (S.REFUNDING, E.REFUND_SUCCEEDED, (S.REFUNDED,), None, True),
        (S.REFUNDING, E.REFUND_FAILED, (S.REFUND_DUE,), None, True),
        (S.REFUND_DUE, E.REFUND_ORDERED, (S.REFUNDING,), Direction.REFUND, False),
        (
            S.COLLECT_FAILED, E.LATE_MONEY_PROVEN,
            (S.LATE_FUNDS, S.REFUND_DUE, S.REFUNDING), Direction.REFUND, False,
        ),
    ],
)  # fmt: skip
def test_what_follows_without_waiting_is_one_step(
    state: State, event: Event, path: tuple[State, ...], begins: Direction | None, ends: bool
) -> None:
    taken = step(state, event)
    assert (taken.path, taken.begins, taken.ends) == (path, begins, ends)
    assert taken.state is path[-1]


def test_everything_the_table_does_not_list_is_impossible() -> None:
    listed = {(t.source, t.event) for t in TABLE}
    for state, event in itertools.product(State, Event):
        assert lifecycle.may(state, event) is ((state, event) in listed)
        if (state, event) not in listed:
            with pytest.raises(Impossible):
                step(state, event)


def test_terminal_states_are_left_only_by_late_money() -> None:
    leaving = {(t.source, t.event) for t in TABLE if t.source in TERMINAL}
    assert leaving == {
        (S.COLLECT_FAILED, E.LATE_MONEY_PROVEN),
        (S.EXPIRED, E.LATE_MONEY_PROVEN),
    }


def test_an_attempt_lives_exactly_in_the_states_that_say_so() -> None:
    """Walk everything reachable: begun, ended and live always agree with the state."""
    seen: set[tuple[State, Direction | None]] = set()
    ahead: list[tuple[State, Direction | None]] = [(S.NEW, None)]
    while ahead:
        state, live = ahead.pop()
        if (state, live) in seen:
            continue
        seen.add((state, live))
        assert LIVE_DIRECTION.get(state) == live, state
        for event in Event:
            if lifecycle.may(state, event):
                taken = step(state, event)
                assert not taken.ends or live is not None
                after = taken.begins or (None if taken.ends else live)
                assert taken.begins is None or live is None or taken.ends
                ahead.append((taken.state, after))
    assert {state for state, _ in seen} >= TERMINAL - {S.CANCELLED}


PATHS_TO_AN_END = {
    S.PAID: [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED),
        (S.PAYING, E.PAYOUT_SUCCEEDED),
    ],
    S.COLLECT_FAILED: [(S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_FAILED)],
    S.EXPIRED: [(S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_NEVER_SENT)],
    S.REFUNDED: [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED), (S.PAYING, E.PAYOUT_FAILED),
        (S.REFUNDING, E.REFUND_FAILED), (S.REFUND_DUE, E.REFUND_ORDERED),
        (S.REFUNDING, E.REFUND_SUCCEEDED),
    ],
}  # fmt: skip


@pytest.mark.parametrize("end", PATHS_TO_AN_END)
def test_at_an_end_nothing_is_held_in_flight_or_owed(end: State) -> None:
    steps = [step(state, event) for state, event in PATHS_TO_AN_END[end]]
    assert steps[-1].state is end
    left = balances(*steps)
    guarded = {n for n in left if read_account(getattr(ROUTE, n)).kind in GUARDED}
    assert guarded <= {"pool_avail"}
    assert sum(left.values()) == 0


def test_the_books_of_a_paid_payment_to_the_unit() -> None:
    steps = [step(state, event) for state, event in PATHS_TO_AN_END[S.PAID]]
    assert balances(*steps) == {
        "pool_avail": -HELD,
        "destination_float": HELD,
        "source_float": -(102_000 - 510),
        "source_cost": -510,
        "fee_income": 2_000,
        "fx_spread": 1_500,
        "rounding": 1,
        "interpool": 98_499,
    }


def test_the_books_of_a_refunded_payment_keep_only_what_the_operator_took() -> None:
    steps = [step(state, event) for state, event in PATHS_TO_AN_END[S.REFUNDED]]
    assert balances(*steps) == {"source_float": 510, "source_cost": -510}


def test_money_that_may_have_left_is_a_balance() -> None:
    steps = [step(S.NEW, E.CONFIRMED), step(S.COLLECTING, E.COLLECTION_SUCCEEDED)]
    assert balances(*steps)["payout_in_flight"] == HELD


def test_every_transfer_stays_in_its_book() -> None:
    for transition in TABLE:
        for debit, credit, minor in step(transition.source, transition.event).transfers:
            assert debit >> 32 == credit >> 32
            assert minor > 0


def test_the_diagram_names_every_transition() -> None:
    drawn = lifecycle.diagram()
    assert drawn.count("-->") == len(TABLE) + len(TERMINAL & {t.target for t in TABLE})
    assert all(str(t.event) in drawn for t in TABLE)


def test_the_readme_of_the_room_shows_the_table_as_it_is() -> None:
    readme = Path(lifecycle.__file__).with_name("README.md").read_text()
    assert lifecycle.diagram() in readme
