"""One payment with all that is kept about it, as the API shows it. Values only; asks nobody."""

from collections.abc import Mapping

import msgspec

from channels.api.proposals import ProposalShown
from channels.times import iso_millis_of
from engine.clock import made_at
from engine.desk.cases import Case
from engine.ledger.books import describe
from engine.ledger.chart import read_account
from engine.money import Money
from engine.staff.reading import Attempt, Step
from engine.traffic.messages import Message
from engine.traffic.veil import Veil


class Amount(msgspec.Struct, frozen=True):
    """Minor units of a currency."""

    minor: int
    currency: str


class AttemptShown(msgspec.Struct, frozen=True):
    """One try. `outcome` is "succeeded", "failed", "live" or "open"; the rest is the operator's."""

    id: str
    direction: str
    operator: str
    at: str
    outcome: str
    code: str | None
    receipt: str | None
    provider_reference: str | None


class Posting(msgspec.Struct, frozen=True):
    """One transfer of an entry."""

    debit: str
    credit: str
    amount: Amount


class StepShown(msgspec.Struct, frozen=True):
    """One row of the journal."""

    version: int
    state: str
    at: str
    postings: list[Posting]


class MessageShown(msgspec.Struct, frozen=True):
    """One thing said between an operator and us, redacted as it is kept.

    `kind` is "request" (we called them), "callback" (they called us) or "evidence" (what was taken
    as proof or hint). Texts are JSON, null where nothing was said.
    """

    at: str
    kind: str
    operation: str
    operator: str
    attempt: str | None
    outcome: str
    status: int | None  # of HTTP; null for a call that was not answered
    elapsed_ms: int | None
    source: str
    asked: msgspec.Raw
    answered: msgspec.Raw
    times: int


class CaseShown(msgspec.Struct, frozen=True):
    """What people had, or have, to look at."""

    key: str
    kind: str
    opened_at: str
    detail: str
    owner: str | None
    closed_at: str | None
    closed_by: str | None
    note: str | None


class Possibilities(msgspec.Struct, frozen=True):
    """What a retry would do and what a reversal would propose; null: nothing, see why."""

    retry: str | None
    retry_why_not: str
    reverse: str | None
    reverse_why_not: str


class Transaction(msgspec.Struct, frozen=True):
    """A payment and all that is kept about it."""

    code: str
    payment_id: str
    state: str
    version: int
    made_at: str
    amount: Amount
    fee: Amount
    receives: Amount
    payer: str
    payee: str
    payer_operator: str
    payee_operator: str
    attempts: list[AttemptShown]
    steps: list[StepShown]
    conversation: list[MessageShown]
    cases: list[CaseShown]
    proposals: list[ProposalShown]
    possible: Possibilities


def show_amount(money: Money) -> Amount:
    """An amount of money."""
    return Amount(money.minor, money.currency)


def show_attempt(attempt: Attempt, names: Mapping[int, str], veil: Veil) -> AttemptShown:
    """One try; `names` are operators by their codes."""
    if attempt.succeeded is not None:
        outcome = "succeeded" if attempt.succeeded else "failed"
    else:
        outcome = "live" if attempt.is_live else "open"
    reference = msgspec.json.decode(attempt.reference, type=str) if attempt.reference else None
    return AttemptShown(
        attempt.id, attempt.direction.name.lower(),
        names.get(attempt.operator_code, str(attempt.operator_code)),
        made_at(attempt.id).isoformat(timespec="milliseconds"), outcome, attempt.code,
        veil.maybe(attempt.receipt), veil.maybe(reference),
    )  # fmt: skip


def show_step(step: Step, names: Mapping[int, str]) -> StepShown:
    """One row of the journal, accounts by name."""
    postings = [
        Posting(
            describe(debit, names), describe(credit, names),
            Amount(minor, read_account(debit).currency),
        )
        for debit, credit, minor in step.transfers
    ]  # fmt: skip
    return StepShown(step.version, step.state.name, iso_millis_of(step.at_ms), postings)


def show_message(message: Message, veil: Veil) -> MessageShown:
    """One line of the conversation."""
    return MessageShown(
        message.at.isoformat(timespec="milliseconds"), message.kind, message.operation,
        message.operator, message.attempt_id, message.outcome, message.status,
        message.elapsed_ms, message.source, _json(message.asked, veil),
        _json(message.answered, veil),
        message.times,
    )  # fmt: skip


def _json(text: str, veil: Veil) -> msgspec.Raw:
    """A kept text; what is no JSON after all as a string, so that the answer stays one."""
    if not text:
        return msgspec.Raw(b"null")
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    return msgspec.Raw(msgspec.json.encode(veil.value(value)))


def show_case(case: Case, veil: Veil) -> CaseShown:
    """One case."""
    return CaseShown(
        str(case.key), case.key.kind, iso_millis_of(case.opened_ms), veil.text(case.detail),
        case.owner, iso_millis_of(case.closed_ms) if case.closed_ms else None, case.closed_by,
        veil.maybe(case.note),
    )  # fmt: skip
