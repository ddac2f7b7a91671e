"""Which lines of a statement are a pay-in, or its way back. Pure: an operator's lines and what is
stored of a pay-in in, what is known of each line out.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from engine.money import Money
from engine.payments.payins.judging import Stage
from engine.payments.statements.judged import Theirs
from engine.payments.statements.lines import Line, PaidInLine, Side

ON_ITS_WAY = (Stage.RETURNING, Stage.RETURNED)
"""Where a pay-in stands that may have left again."""


class Listed:
    """Lines of one operator, by the names that pay-ins go by."""

    def __init__(self, lines: Sequence[Theirs]) -> None:
        self._came: dict[str, list[Theirs]] = defaultdict(list)
        for t in lines:
            if t.line.side is Side.IN:
                self._came[t.line.receipt].append(t)
        went = [t for t in lines if t.line.side is Side.OUT]
        self._went = {t.line.receipt: t for t in went}
        self._went_for = {t.line.reference: t for t in went if t.line.reference}

    @property
    def receipts(self) -> list[str]:
        """What a pay-in may go by: a line names it as come, or as what went back."""
        return [*self._came, *self._went_for]

    @property
    def ways_back(self) -> list[str]:
        """The receipts of what went out."""
        return [*self._went]

    def those_of(
        self,
        pay_in_id: str,
        receipt: str,
        amount: Money,
        stage: Stage,
        *,
        return_receipt: str | None,
        calls: int,
    ) -> Mapping[str, PaidInLine]:
        """The lines of one pay-in, by their ids."""
        is_ordered = stage is Stage.RETURNING and calls > 0
        came = _in_amount(self._came.get(receipt, []), amount)
        of_it: list[tuple[Theirs | None, bool, str | None]]
        of_it = [(came, stage is Stage.SUSPENDED, None)]
        if stage in ON_ITS_WAY:
            back = self._went.get(return_receipt or "") or self._went_for.get(receipt)
            of_it.append((back, False, pay_in_id if is_ordered else None))
        return {
            t.line_id: PaidInLine(is_held and t.line.amount == amount, amount.minor, on_its_way)
            for t, is_held, on_its_way in of_it
            if t and amount in (t.line.amount, _with_fee(t.line))
        }


def _in_amount(listed: Sequence[Theirs], amount: Money) -> Theirs | None:
    """Of the lines with one receipt that of an amount, to the unit or else by its fee."""
    exact = [t for t in listed if t.line.amount == amount]
    by_fee = [t for t in listed if _with_fee(t.line) == amount]
    return next(iter([*exact, *by_fee]), None)


def _with_fee(line: Line) -> Money:
    """What the customer gave or got, of a line that lists what was left or taken of it."""
    fee = Money(line.fee_minor, line.amount.currency)
    return line.amount + fee if line.side is Side.IN else line.amount - fee
