"""What stands behind `capp propose`: the fields of each kind as people type them, and their help.

A payment is named by the code that its people see, an amount by major units, somebody by number;
what is proposed has ids, minor units and no number.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from channels.commands.customers import read_number
from channels.office import Office
from engine.clock import is_id
from engine.compliance.profiles import Profiles
from engine.decision_log import DecisionLog
from engine.desk.proposals import BODIES, NAMES_PAYEE, Kind, ProposalId
from engine.errors import StaffMistake
from engine.money import CURRENCIES, from_decimal
from engine.payments.decided import Decided
from engine.payments.payment import read_code

ID_PART_MIN = 4

DOES: Final[Mapping[Kind, str]] = {
    Kind.TOP_UP: "our money comes to a wallet of ours; counts once `capp seen` names its reference",
    Kind.WITHDRAWAL: "our money leaves one; set aside when approved, gone once `capp seen`",
    Kind.CANCEL_WITHDRAWAL: "a withdrawal, top-up or rebalancing that waits and never moved",
    Kind.REBALANCE: "from our wallet at one operator to that at another; counts once `capp seen`",
    Kind.CORRECTION: "one row of the journal is reversed: version counts a payment's rows from 1",
    Kind.ADJUSTMENT: "one transfer between accounts named as in `capp books --account`",
    Kind.WRITE_OFF: "what we no longer hope to get back is a loss",
    Kind.CLOSE_CASE: "a case at which money is at stake; its key as `capp cases` shows it",
    Kind.RELEASE_HOLD: "a held payment goes on to its payee",
    Kind.REFUSE_HOLD: "a held payment goes back to its payer",
    Kind.REPAY_RETURNED: "a returned payout is paid again, with payee= to another number",
    Kind.REFUND_RETURNED: "a returned payout goes back to its payer",
    Kind.REFUND_QUEUED: "a payment that waits for an operator goes back to its payer",
    Kind.PIN_RESET: "a customer who forgot the PIN chooses a new one",
    Kind.ERASE_CUSTOMER: "a customer is forgotten for good",
    Kind.ATTEMPT_SEEN: "how an attempt ended (succeeded or failed), as the operator shows it",
    Kind.PAYOUT_SEEN: "the payee of a held or returned payment has the money, under this reference",
    Kind.REFUND_SEEN: "a payer was paid back by hand, under this reference",
    Kind.REFUND_ELSEWHERE: "another operator is to pay a payer back",
    Kind.RETURN_PAY_IN: "money that came by itself goes back; its id as in `capp payins list`",
    Kind.RETURN_FAILED: "money that was to go back did not; proposal= is the RETURN_PAY_IN",
    Kind.ASSIGN_PAY_IN: "it was meant for this payment",
}
"""What each kind asks for, in a line."""

_TYPED: Final = {"minor": "amount", "customer": "msisdn"}
"""Fields under the names that people type them by."""


def fields_told(kind: Kind) -> str:
    """`operator= amount=`, and in brackets what may be left out."""
    fields = _typed(kind).items()
    return " ".join(f"{name}=" if required else f"[{name}=]" for name, required in fields)


def _typed(kind: Kind) -> dict[str, bool]:
    """The names that people type -> whether it must be there. A decision is a program's own."""
    return {
        _TYPED.get(field.name, field.name): field.required
        for field in msgspec.structs.fields(BODIES[kind])
        if field.name != "decision" and (field.name != "payee" or kind in NAMES_PAYEE)
    }


KINDS_TOLD: Final = "\n".join([
    "kinds, what each needs, and what it does once another person has approved it:",
    *(f"  {kind.value} {fields_told(kind)}\n      {DOES[kind]}" for kind in Kind),
    "",
    "amount= is in major units (5000.50); payment= is the code that customers see, or the id.",
    "withdrawal= and proposal= are ids as `capp proposals` shows them.",
])  # fmt: skip


async def read_fields(kind: Kind, words: list[str], office: Office) -> dict[str, str]:
    """`operator=mpesa_ke amount=5000.50` as the fields of a body; `amount` is major units.

    Raises StaffMistake for a word that is no field, a field that is missing or that the kind has
    not, an amount of no currency, a code of no payment, a part of no proposal's id, and a number
    that is not registered.
    """
    fields: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or name in fields:
            raise StaffMistake(f"{word!r} is no FIELD=VALUE, or there twice")
        fields[name] = value
    _check_names(kind, fields)
    if "amount" in fields:
        if "minor" in fields:
            raise StaffMistake("amount= and minor= both say how much: give one")
        minor = read_minor(fields.pop("amount"), _currency(fields, office))
        if minor <= 0:
            raise StaffMistake(f"{kind}: amount= is not above zero")
        fields["minor"] = str(minor)
    if fields.get("payment"):
        fields["payment"] = await _payment(fields["payment"], office)
    for name in ("withdrawal", "proposal"):
        if fields.get(name) and not is_id(fields[name]):
            fields[name] = await find_proposal(office, fields[name])
    if kind in (Kind.PIN_RESET, Kind.ERASE_CUSTOMER):
        return await _of_customer(fields, office)
    return fields


def _check_names(kind: Kind, given: Mapping[str, str]) -> None:
    """By the names people type: they never heard of `minor`. Raises StaffMistake."""
    typed = _typed(kind)
    read = {name: _TYPED.get(name, name) for name in given}  # those of the body are heard as well
    if unknown := sorted(name for name in given if read[name] not in typed):
        raise StaffMistake(f"{kind}: there is no {unknown[0]}=; it has {fields_told(kind)}")
    said = {read[name] for name in given if given[name]}  # `reference=` alone says nothing
    if lacks := [f"{name}=" for name in typed if typed[name] and name not in said]:
        verb = "is" if len(lacks) == 1 else "are"
        raise StaffMistake(f"{kind}: {', '.join(lacks)} {verb} missing")


async def _payment(text: str, office: Office) -> str:
    """The id of the payment that people name by its code. Raises StaffMistake."""
    if is_id(text):
        return text
    code = read_code(text)
    log = DecisionLog(office.pool, office.tenant, office.ids)
    found = await Decided(office.pool, office.tenant, log).payment_of(code) if code else None
    if found is None:
        raise StaffMistake(f"no payment {text}")
    return found


async def _of_customer(fields: dict[str, str], office: Office) -> dict[str, str]:
    """`msisdn=` as the customer's id: a proposal keeps no number. Raises StaffMistake."""
    if "msisdn" not in fields:
        return fields
    try:
        msisdn = read_number(fields.pop("msisdn"))
    except ValueError as error:
        raise StaffMistake(str(error)) from error
    found = (await Profiles(office.pool, office.tenant).find([msisdn])).get(msisdn)
    if found is None:
        raise StaffMistake(f"{msisdn.masked} is not registered")
    return {**fields, "customer": found.customer_id}


def _currency(fields: Mapping[str, str], office: Office) -> str:
    for name in ("operator", "source"):
        if (word := fields.get(name)) and word not in office.operators:
            known = ", ".join(sorted(office.operators))
            raise StaffMistake(f"no operator {word!r}; known: {known}")
    found = known_currency(fields, office)
    if not found:
        raise StaffMistake("an amount of which currency? Give minor= instead")
    return found


def known_currency(fields: Mapping[str, str], office: Office) -> str:
    """What the amount of a body is of; "" where nobody can tell, as of an operator that is gone."""
    operator = office.operators.get(fields.get("operator") or fields.get("source", ""))
    found = operator.currency if operator else fields.get("currency", "")
    found = found or fields.get("debit", "").rpartition(":")[2]
    return found if found in CURRENCIES else ""


def read_minor(text: str, currency: str) -> int:
    """Major units as somebody typed them. Raises StaffMistake."""
    try:
        return from_decimal(Decimal(text), currency).minor
    except (InvalidOperation, ValueError):
        raise StaffMistake(f"{text!r} is no amount of {currency}") from None


async def find_proposal(office: Office, part: str) -> ProposalId:
    """The one proposal that is meant by a part of its id. Raises StaffMistake."""
    part = part.lower()
    if len(part) < ID_PART_MIN or set(part) - set("0123456789abcdef"):
        raise StaffMistake(f"{part!r} is no part of an id")
    found = await office.proposals.ending_in(part)
    if len(found) != 1:
        raise StaffMistake(f"{len(found)} proposals end in {part}")
    return found[0]
