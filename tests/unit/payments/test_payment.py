from engine.money import Money
from engine.payments.facts import read_terms, write
from engine.payments.lifecycle import State
from engine.payments.payment import CODE_LENGTH, code_of
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
