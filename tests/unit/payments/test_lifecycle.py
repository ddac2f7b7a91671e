import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
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


def test_the_moves_of_whole_steps_are_those_that_steps_make() -> None:
    allowed = lifecycle.moves()
    assert (S.NEW, S.COLLECTING) in allowed
    assert (S.COLLECTING, S.PAYING) in allowed and (S.COLLECTING, S.ON_HOLD) in allowed
    assert (S.PAYOUT_UNKNOWN, S.REFUNDING) in allowed and (S.PAYING, S.REFUND_DUE) in allowed
    never = {
        (S.PAID, S.PAYING), (S.PAID, S.REFUNDING), (S.PAID, S.REFUNDED), (S.PAID, S.PAID),
        (S.REFUNDED, S.PAYING), (S.NEW, S.PAYING), (S.COLLECTING, S.PAID),
        (S.PAYOUT_UNKNOWN, S.REFUNDED),
    }  # fmt: skip
    assert not never & allowed
    for state, event in itertools.product(State, Event):
        if lifecycle.may(state, event):
            assert (state, step(state, event).state) in allowed


def test_terminal_states_are_left_only_by_late_money_and_by_what_an_operator_undid() -> None:
    leaving = {(t.source, t.event) for t in TABLE if t.source in TERMINAL}
    assert leaving == {
        (S.COLLECT_FAILED, E.LATE_MONEY_PROVEN),
        (S.EXPIRED, E.LATE_MONEY_PROVEN),
        (S.CANCELLED, E.LATE_MONEY_PROVEN),
        (S.PAID, E.PAYOUT_RETURNED),
    }


def test_an_attempt_lives_exactly_in_the_states_that_say_so() -> None:
    """Walk everything reachable: begun, ended and live always agree with the state."""
    seen: set[tuple[State, Direction | None]] = set()
    ahead: list[tuple[State, Direction | None]] = [(S.NEW, None)]
    then = [None, E.HELD, E.PAYOUT_QUEUED, E.PAYOUT_ORDERED, E.REFUND_DECIDED]
    while ahead:
        state, live = ahead.pop()
        if (state, live) in seen:
            continue
        seen.add((state, live))
        assert LIVE_DIRECTION.get(state) == live, state
        for event, turn in itertools.product(Event, then):
            if lifecycle.may(state, event):
                taken = advance(state, event, QUOTE, ROUTE, then=turn)
                assert not taken.ends or live is not None
                after = taken.begins or (None if taken.ends else live)
                assert taken.begins is None or live is None or taken.ends
                ahead.append((taken.state, after))
    assert {state for state, _ in seen} >= TERMINAL


Events = Sequence[tuple[Any, ...]]
PATHS_TO_AN_END: dict[State, Events] = {
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
    S.CANCELLED: [(S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_WITHDRAWN)],
}  # fmt: skip
TO_PAID = PATHS_TO_AN_END[S.PAID]
OTHER_PATHS: dict[str, Events] = {
    "held and released": [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED, E.HELD),
        (S.ON_HOLD, E.RELEASED), (S.PAYING, E.PAYOUT_SUCCEEDED),
    ],
    "held and given back": [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED, E.HELD),
        (S.ON_HOLD, E.REFUND_DECIDED), (S.REFUNDING, E.REFUND_SUCCEEDED),
    ],
    "queued and paid": [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED, E.PAYOUT_QUEUED),
        (S.PAYOUT_QUEUED, E.PAYOUT_ORDERED), (S.PAYING, E.PAYOUT_SUCCEEDED),
    ],
    "queued and given back": [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED, E.PAYOUT_QUEUED),
        (S.PAYOUT_QUEUED, E.REFUND_DECIDED), (S.REFUNDING, E.REFUND_SUCCEEDED),
    ],
    "queued, held and released": [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED, E.PAYOUT_QUEUED),
        (S.PAYOUT_QUEUED, E.HELD), (S.ON_HOLD, E.RELEASED), (S.PAYING, E.PAYOUT_SUCCEEDED),
    ],
    "held and seen paid": [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED, E.HELD),
        (S.ON_HOLD, E.PAID_BEFORE),
    ],
    "held before another way": [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED),
        (S.PAYING, E.PAYOUT_FAILED, E.HELD), (S.ON_HOLD, E.RELEASED),
        (S.PAYING, E.PAYOUT_SUCCEEDED),
    ],
    "another way at once": [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED),
        (S.PAYING, E.PAYOUT_FAILED, E.PAYOUT_ORDERED), (S.PAYING, E.PAYOUT_SUCCEEDED),
    ],
    "too late to pay": [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED, E.REFUND_DECIDED),
        (S.REFUNDING, E.REFUND_SUCCEEDED),
    ],
    "returned and paid again": [
        *TO_PAID, (S.PAID, E.PAYOUT_RETURNED), (S.RETURNED, E.REPAY_DECIDED),
        (S.PAYING, E.PAYOUT_SUCCEEDED),
    ],
    "returned and seen paid again": [
        *TO_PAID, (S.PAID, E.PAYOUT_RETURNED), (S.RETURNED, E.PAID_BEFORE),
    ],
    "returned and given back": [
        *TO_PAID, (S.PAID, E.PAYOUT_RETURNED), (S.RETURNED, E.REFUND_DECIDED),
        (S.REFUNDING, E.REFUND_SUCCEEDED),
    ],
    "given back by hand": [
        (S.NEW, E.CONFIRMED), (S.COLLECTING, E.COLLECTION_SUCCEEDED), (S.PAYING, E.PAYOUT_FAILED),
        (S.REFUNDING, E.REFUND_FAILED), (S.REFUND_DUE, E.GIVEN_BACK),
    ],
    "cancelled, yet the money came": [
        *PATHS_TO_AN_END[S.CANCELLED], (S.CANCELLED, E.LATE_MONEY_PROVEN),
        (S.REFUNDING, E.REFUND_SUCCEEDED),
    ],
}  # fmt: skip


def walk(path: Events, **changes: Any) -> list[Step]:
    """The steps of a path, each checked to begin where the one before ended."""
    priced, here, steps = msgspec.structs.replace(QUOTE, **changes), S.NEW, []
    for state, event, *then in path:
        assert state is here
        steps.append(advance(state, event, priced, ROUTE, then=then[0] if then else None))
        here = steps[-1].state
    assert here in TERMINAL
    return steps


@pytest.mark.parametrize("fee_is_refunded", [True, False])
@pytest.mark.parametrize("path", OTHER_PATHS)
def test_whatever_way_it_went_nothing_is_left_held_or_owed(
    path: str, fee_is_refunded: bool
) -> None:
    left = balances(*walk(OTHER_PATHS[path], fee_is_refunded=fee_is_refunded))
    guarded = {n for n in left if read_account(getattr(ROUTE, n)).kind in GUARDED}
    assert guarded <= {"pool_avail"}
    assert sum(left.values()) == 0


def test_what_cannot_be_given_back_by_itself_is_owed_until_people_have_done_it() -> None:
    steps = [
        step(S.NEW, E.CONFIRMED), step(S.COLLECTING, E.COLLECTION_SUCCEEDED),
        advance(S.PAYING, E.PAYOUT_FAILED, QUOTE, ROUTE, refunds_itself=False),
    ]  # fmt: skip
    assert (steps[-1].path, steps[-1].begins) == ((S.PAYOUT_FAILED, S.REFUND_DUE), None)
    assert balances(*steps)["refund_due"] == QUOTE.total_minor
    other = ROUTE._replace(source_float=-1, refund_in_flight=-2)
    by_hand = advance(S.REFUND_DUE, E.GIVEN_BACK, QUOTE, ROUTE, onward=other)
    assert by_hand.transfers == ((ROUTE.refund_due, other.source_float, QUOTE.total_minor),)
    elsewhere = advance(
        S.REFUND_DUE, E.REFUND_ORDERED, QUOTE, ROUTE, onward=other, refunds_itself=False
    )
    assert elsewhere.begins is Direction.REFUND
    assert elsewhere.transfers == ((ROUTE.refund_due, other.refund_in_flight, QUOTE.total_minor),)


@pytest.mark.parametrize(
    "path",
    [
        "held and released", "held and seen paid", "queued and paid", "queued, held and released",
        "held before another way", "another way at once",
    ],
)  # fmt: skip
def test_a_detour_ends_in_the_books_of_the_straight_way(path: str) -> None:
    assert balances(*walk(OTHER_PATHS[path])) == balances(*walk(TO_PAID))


def test_what_people_saw_paid_again_is_booked_as_if_we_had_paid_it_again() -> None:
    seen, paid = OTHER_PATHS["returned and seen paid again"], OTHER_PATHS["returned and paid again"]
    assert balances(*walk(seen)) == balances(*walk(paid))


def test_a_fee_that_the_quote_keeps_is_all_that_a_refund_lacks() -> None:
    whole = balances(*walk(OTHER_PATHS["queued and given back"]))
    less = balances(*walk(OTHER_PATHS["queued and given back"], fee_is_refunded=False))
    assert whole == {"source_float": 510, "source_cost": -510}
    assert less == {"source_float": 510 - 2_000, "source_cost": -510, "fee_income": 2_000}


def test_a_returned_payment_given_back_costs_us_the_payout_and_leaves_no_debt_of_pools() -> None:
    left = balances(*walk(OTHER_PATHS["returned and given back"]))
    cost = QUOTE.payout_cost_minor_max
    assert left == {
        "pool_avail": -cost, "destination_float": cost, "source_float": 510, "source_cost": -510,
    }  # fmt: skip


def test_the_next_payout_is_posted_at_the_operator_that_makes_it() -> None:
    other = ROUTE._replace(payout_in_flight=-1, destination_float=-2)
    for state, event, then in (
        (S.PAYING, E.PAYOUT_FAILED, E.PAYOUT_ORDERED), (S.PAYOUT_QUEUED, E.PAYOUT_ORDERED, None),
        (S.ON_HOLD, E.RELEASED, None), (S.COLLECTING, E.COLLECTION_SUCCEEDED, None),
    ):  # fmt: skip
        taken = advance(state, event, QUOTE, ROUTE, then=then, onward=other)
        assert (ROUTE.pool_held, other.payout_in_flight, HELD) in taken.transfers
    failed = advance(S.PAYING, E.PAYOUT_FAILED, QUOTE, ROUTE, then=E.PAYOUT_ORDERED, onward=other)
    assert (ROUTE.payout_in_flight, ROUTE.pool_held, HELD) in failed.transfers


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


DEAR, CHEAP = 300, 120
TWO_WAYS = msgspec.structs.replace(
    QUOTE, ways=("mtn_ug", "other_ug"), payout_cost_minor_max=DEAR, way_costs=(DEAR, CHEAP)
)


@pytest.mark.parametrize(
    ("way", "path", "left"),
    [
        (0, TO_PAID, 0),
        (1, TO_PAID, DEAR - CHEAP),
        (1, OTHER_PATHS["held and seen paid"], DEAR - CHEAP),
        (1, OTHER_PATHS["another way at once"], DEAR - CHEAP),
    ],
)
def test_what_the_way_that_paid_does_not_charge_is_free_again(
    way: int, path: Events, left: int
) -> None:
    """The dearest of the ways was promised; its operator's wallet is charged what it takes."""
    receives, steps = TWO_WAYS.receives.minor, []
    for state, event, *then in path:
        price = TWO_WAYS.by_way(way if state is not S.NEW else 0)
        steps.append(advance(state, event, price, ROUTE, then=then[0] if then else None))
    assert steps[0].transfers == ((ROUTE.pool_avail, ROUTE.pool_held, receives + DEAR),)
    books = balances(*steps)
    assert books["destination_float"] == receives + DEAR - left
    assert books["pool_avail"] == -(receives + DEAR - left)
    assert not {"pool_held", "payout_in_flight"} & set(books)


def test_what_came_back_and_was_seen_paid_once_more_costs_what_that_way_charges() -> None:
    dear, cheap = TWO_WAYS.by_way(0), TWO_WAYS.by_way(1)
    returned = [advance(s, e, dear, ROUTE) for s, e in (*TO_PAID, (S.PAID, E.PAYOUT_RETURNED))]
    seen = advance(S.RETURNED, E.PAID_BEFORE, cheap, ROUTE)
    books = balances(*returned, seen)
    assert books["pool_avail"] == -(TWO_WAYS.receives.minor + DEAR + CHEAP)
    assert books["destination_float"] == TWO_WAYS.receives.minor + DEAR + CHEAP


def test_a_price_of_one_cost_is_the_same_by_every_way() -> None:
    assert QUOTE.way_costs == ()
    assert [QUOTE.by_way(way).payout_cost_minor for way in (0, 1, 2)] == [300] * 3
    assert [TWO_WAYS.by_way(way).payout_cost_minor for way in (0, 1)] == [DEAR, CHEAP]


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
