"""Accounts by name, there and back."""

import pytest

from engine.errors import StaffMistake
from engine.ledger.account_names import read_name, spell
from engine.ledger.chart import OF_OPERATOR, Account, Kind
from engine.money import CURRENCIES

OPERATORS = {"mpesa_ke": 1, "mtn_ug": 2}
NAMES = {code: name for name, code in OPERATORS.items()}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_name_is_read_back(kind: Kind) -> None:
    owner = 1 if kind in OF_OPERATOR else 0
    owner = CURRENCIES["UGX"].numeric if kind is Kind.INTERPOOL else owner
    account = Account(3, "KES", kind, owner)
    assert read_name(spell(account, NAMES), 3, OPERATORS) == account


def test_names_look_as_people_say_them() -> None:
    assert spell(Account(1, "KES", Kind.FLOAT, 1), NAMES) == "FLOAT:mpesa_ke:KES"
    assert spell(Account(1, "KES", Kind.POOL_AVAIL), NAMES) == "POOL_AVAIL:KES"
    ugx = CURRENCIES["UGX"].numeric
    assert spell(Account(1, "KES", Kind.INTERPOOL, ugx), NAMES) == "INTERPOOL:UGX:KES"
    assert spell(Account(1, "KES", Kind.POOL_RESERVED, 7), NAMES) == "POOL_RESERVED:7:KES"
    assert read_name("POOL_RESERVED:7:KES", 1, {}) == Account(1, "KES", Kind.POOL_RESERVED, 7)


@pytest.mark.parametrize(
    "text",
    [
        "", "FLOAT", "FLOAT:KES", "FLOAT:nobody:KES", "FLOAT:mpesa_ke:XXX", "POOL_AVAIL",
        "POOL_AVAIL:mpesa_ke:KES", "INTERPOOL:XXX:KES", "float:mpesa_ke:KES", "A:B:C:KES",
        "FLOAT:mpesa_ke:x:KES", "POOL_RESERVED:KES", "POOL_RESERVED:-1:KES", "POOL_RESERVED:x:KES",
        "POOL_RESERVED:16777216:KES",
    ],
)  # fmt: skip
def test_what_is_no_account_is_refused(text: str) -> None:
    with pytest.raises(StaffMistake):
        read_name(text, 1, OPERATORS)
