"""Which lines are what people moved themselves: top-ups, withdrawals, rebalancings. Reads only.

They are booked by their proposals, under the word by which somebody saw them at the operator.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from engine.desk.proposals import Kind, Movement, Proposal, Rebalancing, read_body
from engine.desk.store import ProposalStore
from engine.payments.statements.lines import Side
from engine.payments.statements.matching import Theirs


class Moves:
    """What the people of one tenant moved."""

    def __init__(self, proposals: ProposalStore) -> None:
        self._proposals = proposals

    async def among(self, operator: str, lines: Sequence[Theirs]) -> Mapping[str, bool]:
        """Of an operator's lines the ids of those that go by such a word, as receipt or as
        reference, and whether each is of the amount that was booked."""
        by_word: dict[str, list[Theirs]] = defaultdict(list)
        for t in lines:
            for word in {t.line.receipt, t.line.reference or t.line.receipt}:
                by_word[word].append(t)
        return {
            t.line_id: minor in _amounts(t)
            for proposal in await self._proposals.done_as(list(by_word))
            for side, minor in _at(operator, proposal)
            for t in by_word[proposal.reference or ""]
            if t.line.side is side
        }


def _at(operator: str, proposal: Proposal) -> Iterator[tuple[Side, int]]:
    """What a movement did to our wallet at one operator, in minor units."""
    if proposal.kind not in (Kind.TOP_UP, Kind.WITHDRAWAL, Kind.REBALANCE):
        return
    body = read_body(proposal.kind, proposal.body)
    if isinstance(body, Movement) and body.operator == operator:
        yield Side.IN if proposal.kind is Kind.TOP_UP else Side.OUT, body.minor
    if isinstance(body, Rebalancing) and body.source == operator:
        yield Side.OUT, body.minor
    if isinstance(body, Rebalancing) and body.target == operator:
        yield Side.IN, body.minor


def _amounts(t: Theirs) -> tuple[int, int]:
    """As the line lists it, and without the fee that the operator kept of it or charged."""
    line = t.line
    return line.amount.minor, abs(line.effect_minor)
