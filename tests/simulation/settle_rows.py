"""The tables of settlement in the model: windows, approvals, instructions and places. Rows only."""

from collections import Counter
from dataclasses import dataclass, field

from engine.payments.settlement.batch import Batch
from engine.payments.settlement.batch_store import KeptApproval, Rest
from engine.payments.settlement.errand_store import Errand, Transaction

OwedKey = tuple[str, int, int]


@dataclass
class SettleRows:
    """Of one tenant. `of`: obligation -> its batch and its place in that."""

    batches: dict[str, Batch] = field(default_factory=dict)
    of: dict[OwedKey, tuple[str, int]] = field(default_factory=dict)
    approvals: dict[tuple[str, int], tuple[bytes, KeptApproval]] = field(default_factory=dict)
    errands: dict[str, Errand] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    accounts: dict[str, tuple[str, int]] = field(default_factory=dict)  # holder, lease
    rests: dict[str, Rest] = field(default_factory=dict)
    closed: Counter[int] = field(default_factory=Counter)  # by INTERPOOL account

    def copy(self) -> "SettleRows":
        """None of it is shared."""
        return SettleRows(
            dict(self.batches), dict(self.of), dict(self.approvals), dict(self.errands),
            dict(self.transactions), dict(self.accounts), dict(self.rests), Counter(self.closed),
        )  # fmt: skip
