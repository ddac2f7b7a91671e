"""One payment with everything known about it, and what staff may have done about it.

Numbers are masked; whoever may see them whole asks for that, and the log says that they did.
"""

from typing import Annotated

import msgspec

from channels.api.endpoints import Call, Nothing
from channels.api.problems import Code, Refusal
from channels.api.proposals import ProposalShown, check_reason, open_about, rivals_of, show
from channels.api.transaction_shown import (
    MessageShown,
    Possibilities,
    Transaction,
    show_amount,
    show_attempt,
    show_case,
    show_message,
    show_step,
)
from engine.clock import made_at
from engine.desk.desk import Desk
from engine.desk.proposals import TEXT_LENGTH_MAX, ProposalId
from engine.desk.store import ProposalStore
from engine.errors import AlreadyProposed, StaffMistake
from engine.msisdn import Msisdn
from engine.payments.payment import Payment
from engine.payments.routing import Directory
from engine.staff.actions import Action, Actions
from engine.staff.members import Role, Staff
from engine.staff.reading import Found, Reader
from engine.staff.remedies import reversal_of
from engine.staff.retrying import Retrying
from engine.traffic.conversation import Conversations
from engine.traffic.messages import Kind
from engine.traffic.veil import Veil

SEES_NUMBERS = Role.COMPLIANCE


class TransactionPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payment's code as both people see it, its id, or the id of one of its attempts."""

    transaction: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-Za-z]{10}|[0-9a-f]{32})\Z")]


class Sight(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`numbers=whole` for compliance; else they are masked."""

    numbers: Annotated[str, msgspec.Meta(pattern=r"^(masked|whole)\Z")] = "masked"


class RetriedShown(msgspec.Struct, frozen=True):
    """What was done, what came of it, and where the payment stands now."""

    code: str
    did: str  # "ask", "send", "leave_queue" or "order_refund"
    came_of_it: str
    state_before: str
    state: str


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reason, for the second person and for the books: one line of printable characters."""

    why: Annotated[str, msgspec.Meta(min_length=3, max_length=TEXT_LENGTH_MAX)]

    def __post_init__(self) -> None:
        check_reason(self.why)


class Transactions:
    """The handlers."""

    def __init__(
        self,
        *,
        reader: Reader,
        retrying: Retrying,
        desk: Desk,
        proposals: ProposalStore,
        conversations: Conversations,
        directory: Directory,
        actions: Actions,
    ) -> None:
        self._reader = reader
        self._retrying = retrying
        self._desk = desk
        self._proposals = proposals
        self._conversations = conversations
        self._directory = directory
        self._actions = actions

    async def look(self, call: Call[Staff, TransactionPath, Sight, Nothing]) -> Transaction:
        """Everything about one payment. Raises Refusal NOT_FOUND, or FORBIDDEN for numbers."""
        whole = call.query.numbers == "whole"
        if whole and SEES_NUMBERS not in call.caller.roles:
            raise Refusal(Code.FORBIDDEN, f"whole numbers are for {SEES_NUMBERS}")
        found = await self._find(call.path.transaction)
        if whole:  # before they are shown
            staff = call.caller
            seen = Action(staff.name, "see_numbers", found.payment.code, staff.session_id)
            await self._actions.write(seen, "ok")
        return await self._show(found, whole=whole)

    async def retry(self, call: Call[Staff, TransactionPath, Nothing, Nothing]) -> RetriedShown:
        """Ask again, or order again what is legal. A repeat is safe.

        Raises what `Retrying.retry` raises, and Refusal NOT_FOUND.
        """
        found = await self._find(call.path.transaction)
        before = found.payment.state.name
        did, came_of_it, after = await self._retrying.retry(found, call.caller.roles)
        return RetriedShown(after.code, did, came_of_it, before, after.state.name)

    async def reverse(self, call: Call[Staff, TransactionPath, Nothing, Why]) -> ProposalShown:
        """Propose to give a payment back; another person must agree. A repeat is the same proposal.

        Raises StaffMistake with the reason where it is not legal, and Refusal NOT_FOUND or
        ALREADY_PROPOSED.
        """
        payment = (await self._find(call.path.transaction)).payment
        kind, why_not = reversal_of(payment.state)
        if kind is None:
            raise StaffMistake(f"{payment.state.name}: {why_not}")
        try:
            made = await self._desk.propose(
                kind, {"payment": payment.payment_id}, by=call.caller.name, note=call.body.why,
                proposal_id=ProposalId(call.operation), rivals=rivals_of(payment.payment_id),
            )  # fmt: skip
        except AlreadyProposed as error:  # of staff each may know whose
            raise Refusal(Code.ALREADY_PROPOSED, str(error)) from None
        return show(made)

    async def _find(self, name: str) -> Found:
        found = await self._reader.find(name)
        if found is None:
            raise Refusal(Code.NOT_FOUND)
        return found

    async def _conversation(self, payment: Payment, veil: Veil) -> list[MessageShown]:
        """What was said, in the order of time; the payment's own steps are told beside it."""
        said = await self._conversations.of_payment(payment.payment_id) or []
        return [show_message(message, veil) for message in said if message.kind is not Kind.STATE]

    async def _show(self, found: Found, *, whole: bool) -> Transaction:
        payment, quote = found.payment, found.payment.quote
        names = {code: facts.name for code, facts in self._directory.by_code.items()}
        attempts = await self._reader.attempts(payment)
        legal = (await self._retrying.possible(found)).legal
        kind, why_not = reversal_of(payment.state)
        payer, payee = Msisdn(quote.payer), Msisdn(quote.payee)
        # Also whom people have paid since at another number: operators name things by the first.
        hidden = () if whole else await self._conversations.people_of(payment.payment_id)
        veil = Veil(hidden)
        return Transaction(
            code=payment.code,
            payment_id=payment.payment_id,
            state=payment.state.name,
            version=payment.version,
            made_at=made_at(payment.payment_id).isoformat(timespec="milliseconds"),
            amount=show_amount(quote.amount),
            fee=show_amount(quote.fee),
            receives=show_amount(quote.receives),
            payer=_number(payer, whole=whole),
            payee=_number(payee, whole=whole),
            payer_operator=quote.payer_operator,
            payee_operator=payment.payout_operator,
            attempts=[show_attempt(attempt, names, veil) for attempt in attempts],
            steps=[show_step(step, names) for step in await self._reader.steps(payment)],
            conversation=await self._conversation(payment, veil),
            cases=[show_case(case, veil) for case in await self._reader.cases(payment)],
            proposals=[show(p) for p in await open_about(self._proposals, payment.payment_id)],
            possible=Possibilities(legal.remedy, legal.why, kind, why_not),
        )


def _number(msisdn: Msisdn, *, whole: bool) -> str:
    return str(msisdn) if whole else msisdn.masked
