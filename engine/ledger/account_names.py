"""Accounts as people type and read them: `POOL_AVAIL:UGX`, `FLOAT:mpesa_ke:KES`. Pure."""

from collections.abc import Mapping

from engine.errors import StaffMistake
from engine.ledger.chart import OF_OPERATOR, Account, Kind
from engine.money import BY_NUMERIC, CURRENCIES

_OF_OTHERS = {Kind.INTERPOOL, Kind.POOL_RESERVED}  # by currency, by number


def read_name(text: str, tenant: int, operators: Mapping[str, int]) -> Account:
    """The account a person means; an owner stands in the middle where the kind has one.

    Raises StaffMistake, which says what the name should look like.
    """
    words = text.split(":")
    kind = Kind.__members__.get(words[0])
    if kind is None or words[-1] not in CURRENCIES:
        raise StaffMistake(f"{text!r}: an account is KIND:CURRENCY or KIND:OWNER:CURRENCY")
    if kind not in OF_OPERATOR | _OF_OTHERS:
        if len(words) != 2:
            raise StaffMistake(f"{text!r}: {kind.name} belongs to no operator")
        return Account(tenant, words[-1], kind)
    if len(words) != 3:
        raise StaffMistake(f"{text!r}: {kind.name} needs its owner, as {kind.name}:OWNER:CURRENCY")
    return Account(tenant, words[-1], kind, _owner(kind, words[1], operators))


def spell(account: Account, operators: Mapping[int, str]) -> str:
    """The inverse of `read_name`; `operators` maps codes to names."""
    if account.kind in OF_OPERATOR:
        owner = operators.get(account.owner, str(account.owner))
        return f"{account.kind.name}:{owner}:{account.currency}"
    if account.kind is Kind.INTERPOOL:
        return f"{account.kind.name}:{BY_NUMERIC[account.owner].code}:{account.currency}"
    if account.kind is Kind.POOL_RESERVED:
        return f"{account.kind.name}:{account.owner}:{account.currency}"
    return f"{account.kind.name}:{account.currency}"


def _owner(kind: Kind, word: str, operators: Mapping[str, int]) -> int:
    if kind is Kind.INTERPOOL:
        if word not in CURRENCIES:
            raise StaffMistake(f"no such currency: {word}")
        return CURRENCIES[word].numeric
    if kind is Kind.POOL_RESERVED:
        if not word.isascii() or not word.isdecimal() or int(word) >= 2**24:
            raise StaffMistake(f"{word!r}: reservations have numbers")
        return int(word)
    if word not in operators:
        raise StaffMistake(f"no operator {word!r}; known: {', '.join(sorted(operators))}")
    return operators[word]
