"""One batch as it is held in memory, and what it was made from. Pure; it knows no storage."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from engine.ledger.chart import read_account
from engine.payments.settlement import leaves, merkle, netting
from engine.payments.settlement.leaves import Leaf
from engine.payments.settlement.netting import Gross, Mid, Nets
from engine.payments.settlement.state import BatchState
from engine.payments.settlement.windows import Cause
from engine.ports import SettlementTerms


class Basis(msgspec.Struct, frozen=True):
    """What the nets were made from, kept so that anybody can make them again."""

    grosses: tuple[Gross, ...]
    mids: tuple[Mid, ...]
    interpool: dict[int, int]  # INTERPOOL account -> what was taken out of it, minor units

    def rates(self) -> dict[str, str]:
        return {mid.currency: mid.mid for mid in self.mids}


class Batch(msgspec.Struct, frozen=True):
    """A closed window. `terms_hash` and `expires_at` are set once somebody is asked to approve."""

    id: str  # 32 hex digits; its 16 bytes are the rail's batch id
    corridor: str
    state: BatchState
    cause: Cause
    closed_ms: int
    payment_count: int
    merkle_root: bytes
    basis: Basis
    debits: tuple[int, ...]
    credits: tuple[int, ...]
    expires_at: int | None = None  # epoch seconds by the rail's clock
    terms_hash: bytes | None = None
    reason: str = ""
    ended_ms: int | None = None
    settled_at: int | None = None

    @property
    def net_minor(self) -> int:
        return sum(self.debits)

    def terms(self, expires_at: int) -> SettlementTerms:
        """What is approved, if approvals are to be good until then."""
        return SettlementTerms(
            self.corridor, bytes.fromhex(self.id), self.merkle_root, self.payment_count,
            self.debits, self.credits, expires_at,
        )  # fmt: skip


class Content(msgspec.Struct, frozen=True):
    """What follows from the obligations of a batch, whoever works it out."""

    payment_count: int
    merkle_root: bytes
    basis: Basis
    nets: Nets


def work_out(
    obligations: Sequence[tuple[int, Leaf]],
    mids: Iterable[Mid],
    *,
    members: tuple[str, str],
    asset: str,
    salt_key: bytes,
) -> Content:
    """Root, sums and nets of (INTERPOOL account, leaf), in the order of the leaves.

    The same from the same, always. Raises KeyError for a currency without a rate, ValueError for
    an operator that is no member.
    """
    interpool: dict[int, int] = {}
    grosses: dict[tuple[str, str], int] = {}
    for account, leaf in obligations:
        interpool[account] = interpool.get(account, 0) + leaf.minor
        key = (leaf.source, leaf.currency)
        grosses[key] = grosses.get(key, 0) + leaf.minor
    basis = Basis(
        tuple(Gross(*key, minor) for key, minor in sorted(grosses.items())),
        tuple(sorted(mids, key=lambda mid: mid.currency)),
        dict(sorted(interpool.items())),
    )
    nets = netting.net(members, basis.grosses, basis.rates(), asset)
    tree = tree_of([leaf for _, leaf in obligations], salt_key)
    return Content(len(obligations), tree.root, basis, nets)


def tree_of(told: Iterable[Leaf], salt_key: bytes) -> merkle.Tree:
    """The tree over leaves in their order."""
    return merkle.Tree([leaves.hash_of(leaf, leaves.salt_of(salt_key, leaf)) for leaf in told])


def fits(batch: Batch, operators: Collection[str], members: Sequence[str], asset: str) -> bool:
    """Whether these are the members, in the order, for whom the batch was netted.

    `operators`: the two of its payments. Its sums name who collected alone, which in a window is
    often always the same.
    """
    if set(operators) != set(members):
        return False
    try:
        nets = netting.net(members, batch.basis.grosses, batch.basis.rates(), asset)
    except ValueError:  # somebody in it is no member
        return False
    return (batch.debits, batch.credits) == nets


def faults_of(batch: Batch, content: Content, mids: Mapping[str, Mid]) -> list[str]:
    """How a batch differs from what its obligations and the accepted rates come to.

    `mids`: the accepted rates of that moment, by currency, as they are stored: those that the
    content was worked out by.
    """
    said = {
        "its number of payments": (batch.payment_count, content.payment_count),
        "its root": (batch.merkle_root, content.merkle_root),
        "its debits": (batch.debits, content.nets.debits),
        "its credits": (batch.credits, content.nets.credits),
        "its sums": (batch.basis.grosses, content.basis.grosses),
        "what it takes out of the books": (batch.basis.interpool, content.basis.interpool),
    }
    faults = [what for what, (there, expected) in said.items() if there != expected]
    used = {mid.currency: mid for mid in batch.basis.mids}
    needed = {read_account(account).currency for account in content.basis.interpool}
    wrong = [c for c in sorted(needed) if used.get(c) != mids[c]]
    return faults + [f"its rate of {currency}" for currency in wrong]
