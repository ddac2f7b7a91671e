"""Which lines are what people moved themselves: top-ups, withdrawals, rebalancings. Reads only.

They are booked by their proposals, under the word by which somebody saw them at the operator.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from engine.desk.proposals import Kind, Movement, Proposal, Rebalancing, read_body, spelled
from engine.desk.store import ProposalStore
from engine.payments.statements.judged import Theirs
from engine.payments.statements.lines import Moved, Side
from engine.payments.statements.store import StatementStore

UNHELD: Final = (Kind.TOP_UP, Kind.REBALANCE)
"""They are booked when they are seen, and stand nowhere in the books before."""
MOVEMENTS: Final = (Kind.TOP_UP, Kind.WITHDRAWAL, Kind.REBALANCE)


class Moves:
    """What the people of one tenant moved."""

    def __init__(self, proposals: ProposalStore, lines: StatementStore) -> None:
        self._proposals = proposals
        self._lines = lines

    async def among(
        self, operator: str, lines: Sequence[Theirs], paid_in: Collection[str]
    ) -> Mapping[str, Moved | None]:
        """Of an operator's lines the ids of those that go by such a word, as receipt or as
        reference (as `spelled`), with what each is; None in another amount than was booked or in
        one that cannot be read.

        What was booked once is one line, which it stays: another one that goes by the same word, as
        each of a standing order does, is not. A pay-in's (`paid_in`) goes by its receipt alone: its
        reference is what somebody typed.
        """
        by_receipt: dict[str, list[Theirs]] = defaultdict(list)
        by_reference: dict[str, list[Theirs]] = defaultdict(list)
        for t in sorted(lines, key=lambda t: (t.line.completed_ms, t.line_id)):
            by_receipt[spelled(t.line.receipt)].append(t)
            if t.line.reference and t.line_id not in paid_in:
                by_reference[spelled(t.line.reference)].append(t)
        made = await self._proposals.done_as({*by_receipt, *by_reference})
        kept = await self._lines.kept_as(operator, [p.id for p in made])
        undone = await self._lines.undone([p.id for p in made]) if made else frozenset()
        made.sort(key=lambda p: p.id in undone)  # what stands has the first choice
        rest = [(p, side, minor) for p in made for side, minor in _at(operator, p)]
        found: dict[str, Moved | None] = {}
        for named in (by_receipt, by_reference):
            unlisted = []
            for proposal, side, minor in rest:
                free = [
                    t
                    for t in named[spelled(proposal.reference or "")]
                    if t.line.side is side and not ((known := found.get(t.line_id)) and known.by)
                    if kept.get(proposal.id, t.line_id) == t.line_id
                ]
                listed = next((t for t in free if minor in _amounts(t)), None)
                if listed is not None:
                    by = "" if proposal.id in undone else proposal.id
                    found[listed.line_id] = Moved(by, minor)
                    continue
                unlisted.append((proposal, side, minor))
                if proposal.id not in undone:
                    found |= {t.line_id: None for t in free}
            rest = unlisted
        for proposal in made:
            if not proposal.body and proposal.kind in MOVEMENTS and proposal.id not in undone:
                name = spelled(proposal.reference or "")
                for t in (*by_receipt[name], *by_reference[name]):
                    if not ((known := found.get(t.line_id)) and known.by):
                        is_kept = kept.get(proposal.id) == t.line_id
                        whole = Moved(proposal.id, abs(t.line.effect_minor))
                        found[t.line_id] = whole if is_kept else None
        return found

    async def under_way(self, operator: str, *, since_ms: int, at_ms: int) -> tuple[int, int]:
        """What at a moment may have left our wallet there, and what may have come, in minor units:
        agreed on from `since_ms` on and not seen by then. What a line explains is booked there."""
        asked = await self._proposals.under_way(UNHELD, since_ms=since_ms, at_ms=at_ms)
        listed = await self._lines.kept_as(operator, [p.id for p in asked]) if asked else {}
        moved = [step for p in asked if p.id not in listed for step in _at(operator, p)]
        left = sum(minor for side, minor in moved if side is Side.OUT)
        return left, sum(minor for side, minor in moved if side is Side.IN)


def _at(operator: str, proposal: Proposal) -> Iterator[tuple[Side, int]]:
    """What a movement did to our wallet at one operator, in minor units."""
    if proposal.kind not in MOVEMENTS or not proposal.body:
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
