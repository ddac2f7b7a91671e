"""What rows that people made should be, by the proposals they carry out: for the auditor.

It knows how each kind is booked as its executor does, and reads what both agreed on. It tells what
differs, and changes nothing. That there are two people at all the auditor sees for itself.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from engine.desk.proposals import (
    Adjustment,
    Cancellation,
    Correction,
    Kind,
    Movement,
    OfPayIn,
    OfReturn,
    Proposal,
    Rebalancing,
    State,
    WriteOff,
    read_body,
)
from engine.desk.store import ProposalStore
from engine.errors import StaffMistake
from engine.ledger import pool_postings as postings
from engine.ledger.account_names import read_name
from engine.ledger.breach_store import ManualRow
from engine.ledger.corrections import adjustment, correction_facts, read_row
from engine.ledger.entries import Manual
from engine.ledger.postings import Transfers
from engine.ports import OperatorFacts

_OF_KIND: Mapping[int, Kind] = {
    Manual.TOPPED_UP: Kind.TOP_UP,
    Manual.WITHDRAWAL_RESERVED: Kind.WITHDRAWAL,
    Manual.WITHDRAWN: Kind.WITHDRAWAL,
    Manual.WITHDRAWAL_CANCELLED: Kind.WITHDRAWAL,
    Manual.REBALANCED: Kind.REBALANCE,
    Manual.REVERSED: Kind.CORRECTION,
    Manual.ADJUSTED: Kind.ADJUSTMENT,
    Manual.WRITTEN_OFF: Kind.WRITE_OFF,
    Manual.RETURN_RESERVED: Kind.RETURN_PAY_IN,
    Manual.RETURNED_TO_SENDER: Kind.RETURN_PAY_IN,
    Manual.RETURN_FAILED: Kind.RETURN_PAY_IN,
}
_UNREAD = "what they agreed on cannot be read"
_SEEN = frozenset({Manual.TOPPED_UP, Manual.WITHDRAWN, Manual.REBALANCED})
_ENDED_BY: Mapping[int, Kind] = {
    Manual.WITHDRAWAL_CANCELLED: Kind.CANCEL_WITHDRAWAL,
    Manual.RETURN_FAILED: Kind.RETURN_FAILED,
}


class Agreed:
    """Compares rows of one tenant with what was agreed on."""

    def __init__(
        self,
        store: ProposalStore,
        tenant: int,
        operators: Mapping[str, OperatorFacts],
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._operators = dict(operators)

    async def differing(
        self, connection: Any, rows: Sequence[ManualRow]
    ) -> list[tuple[ManualRow, str]]:
        """Those that are not what their proposal says, and why. One without a proposal is none.

        `connection` is in the moment in which the rows were read.
        """
        named = {row.payment for row in rows} | {n for row in rows if (n := _ended_by(row))}
        read = await self._store.read(connection, named)
        found = []
        for row in rows:
            if row.payment not in read:
                continue
            try:
                why = await self._why(connection, row, read)
            except StaffMistake as error:
                why = f"what they agreed on cannot be booked: {error}"
            except (msgspec.MsgspecError, ValueError, LookupError):
                why = _UNREAD  # whoever forges a proposal must not stop the auditor
            if why:
                found.append((row, why))
        return found

    async def _why(self, connection: Any, row: ManualRow, read: Mapping[str, Proposal]) -> str:
        """What is wrong; "" when nothing is."""
        proposal = read[row.payment]
        if _OF_KIND.get(row.state) is not proposal.kind:
            return f"they agreed on a {proposal.kind}"
        if not proposal.body:
            return _UNREAD
        if row.state in _SEEN and proposal.reference is None:
            return "nobody has seen it move"
        if why := _why_ended(row, read):
            return why
        transfers, facts = await self._expected(connection, proposal, Manual(row.state))
        if Counter(row.transfers) != Counter(transfers):
            return "it moves something else"
        return "" if facts in (None, row.facts) else "it speaks of something else"

    async def _expected(
        self, connection: Any, proposal: Proposal, state: Manual
    ) -> tuple[Transfers, str | None]:
        """What a row of this state moves, and what it says of itself where that counts."""
        body = read_body(proposal.kind, proposal.body)
        match body:
            case Movement():
                return _MOVED[state](*self._at(body.operator), body.minor), None
            case Rebalancing():
                tenant, currency, source = self._at(body.source)
                _, _, target = self._at(body.target)
                return postings.move_float(
                    tenant, currency, source=source, target=target, minor=body.minor
                ), None
            case WriteOff():
                return postings.write_off(self._tenant, body.currency, body.minor), None
            case OfPayIn():
                operator, minor = await self._store.pay_in(connection, body.pay_in)
                return _MOVED[state](*self._at(operator), minor), None
            case Correction():
                row = await read_row(connection, self._tenant, body.payment, body.version)
                facts = correction_facts(about=row.about, version=row.version, proposal=proposal.id)
                return postings.turned_round(row.transfers), facts
            case Adjustment():
                codes = {name: facts.code for name, facts in self._operators.items()}
                debit = read_name(body.debit, self._tenant, codes)
                credit = read_name(body.credit, self._tenant, codes)
                moved = adjustment(debit, credit, body.minor, about=body.payment)
                about = body.payment or proposal.id
                return moved, correction_facts(about=about, version=0, proposal=proposal.id)
        raise AssertionError(f"{proposal.kind} books no row")

    def _at(self, operator: str) -> tuple[int, str, int]:
        if operator not in self._operators:
            raise StaffMistake(f"{operator} is none of our operators now")
        facts = self._operators[operator]
        return self._tenant, facts.currency, facts.code


def _return_failed(tenant: int, currency: str, operator: int, minor: int) -> Transfers:
    return postings.turned_round(postings.reserve_return(tenant, currency, operator, minor))


_MOVED: Mapping[int, Callable[[int, str, int, int], Transfers]] = {
    Manual.TOPPED_UP: postings.pay_in,
    Manual.WITHDRAWAL_RESERVED: postings.reserve_withdrawal,
    Manual.WITHDRAWN: postings.complete_withdrawal,
    Manual.WITHDRAWAL_CANCELLED: postings.cancel_withdrawal,
    Manual.RETURN_RESERVED: postings.reserve_return,
    Manual.RETURNED_TO_SENDER: postings.complete_return,
    Manual.RETURN_FAILED: _return_failed,
}


class _Carried(msgspec.Struct):
    """What a row says of the proposal that booked it."""

    proposal: str = ""


def _ended_by(row: ManualRow) -> str:
    """The proposal that ended what another one had begun; "" where none did."""
    if row.state not in _ENDED_BY:
        return ""
    try:
        told = msgspec.json.decode(row.facts or "", type=_Carried).proposal
    except msgspec.MsgspecError:
        return ""
    return "" if told == row.payment else told


def _why_ended(row: ManualRow, read: Mapping[str, Proposal]) -> str:
    """Whether two people agreed to end it as this row does. A return fails by its operator too."""
    if row.state not in _ENDED_BY:
        return ""
    name = _ended_by(row)
    if not name:
        return "" if row.state == Manual.RETURN_FAILED else "nobody agreed to end it"
    ending = read.get(name)
    if ending is None or ending.kind is not _ENDED_BY[row.state] or not _is_agreed(ending):
        return "nobody agreed to end it"
    if not ending.body:
        return _UNREAD
    body = read_body(ending.kind, ending.body)
    about = body.withdrawal if isinstance(body, Cancellation) else ""
    about = body.proposal if isinstance(body, OfReturn) else about
    return "" if about == row.payment else "they agreed to end another one"


def _is_agreed(proposal: Proposal) -> bool:
    by = proposal.decided_by
    return by is not None and by != proposal.made_by and proposal.state is not State.REJECTED
