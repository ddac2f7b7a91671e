import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.money import Money
from engine.payments.facts import read_terms, write
from engine.payments.lifecycle import State
from engine.payments.payment import CODE_LENGTH, code_of, id_ending, read_code
from engine.ports import Direction
from tests.unit.payments.examples import PAYEE, PAYER, payment


def test_facts_are_stored_and_read_back_unchanged() -> None:
    facts = payment(State.PAYING).facts
    assert read_terms(write(facts)) == facts


def test_a_code_has_no_letter_that_is_misread() -> None:
    codes = {code_of(f"0190a000000070008000{n:012x}") for n in range(500)}
    assert len(codes) == 500
    assert all(len(code) == CODE_LENGTH for code in codes)
    assert not set("".join(codes)) & set("ILOU")


def test_each_direction_touches_the_right_wallet() -> None:
    p = payment(State.PAYING)
    assert p.operator_of(Direction.DISBURSE) == "mtn_ug"
    assert p.operator_of(Direction.COLLECT) == p.operator_of(Direction.REFUND) == "mpesa_ke"
    assert p.msisdn_of(Direction.DISBURSE) == PAYEE
    assert p.msisdn_of(Direction.REFUND) == PAYER
    assert p.amount_of(Direction.DISBURSE) == Money(28_023, "UGX")
    assert p.amount_of(Direction.REFUND) == p.amount_of(Direction.COLLECT) == Money(102_000, "KES")


def test_what_is_given_back_is_less_where_the_fee_is_kept() -> None:
    p = payment(State.REFUND_DUE)
    kept = msgspec.structs.replace(p.quote, fee_is_refunded=False)
    p = msgspec.structs.replace(p, facts=msgspec.structs.replace(p.facts, quote=kept))
    assert p.amount_of(Direction.REFUND) == Money(100_000, "KES")
    assert p.amount_of(Direction.COLLECT) == Money(102_000, "KES")
    assert kept.keeps_fee
    assert not msgspec.structs.replace(kept, fee=Money(0, "KES")).keeps_fee  # nothing to tell of


def test_the_payees_number_stands_where_the_index_looks_for_it() -> None:
    """`journal_payee` of migration 0009: split_part counts from one."""
    assert write(payment(State.PAYING).facts).split('"')[5] == PAYEE


@given(st.integers(0, 2**128 - 1))
def test_an_id_is_found_by_the_end_that_its_code_tells(number: int) -> None:
    identifier = f"{number:032x}"
    assert identifier.endswith(id_ending(code_of(identifier)))


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("0123456789", "0123456789"),
        (" abcde fgh-jk", "ABCDEFGHJK"),
        ("OI23456L89", "0123456189"),
        ("", None),
        ("012345678", None),
        ("01234567890", None),
        ("012345678U", None),
        ("012345678\u0663", None),
        ("01234567'8", None),
    ],
)
def test_a_code_is_read_as_it_is_typed_or_not_at_all(typed: str, code: str | None) -> None:
    assert read_code(typed) == code
