"""A transaction's last check, its run, and what stays of it: on the chain, or on a branch of it.

A branch is what a node believes that has left the others: it grows by what is handed to that node
alone, and is forgotten as a whole. The chain never hears of it.
"""

from __future__ import annotations

from simulator.devnet.accounts import Accounts
from simulator.devnet.addresses import sha3
from simulator.devnet.executor import Environment, Executor
from simulator.devnet.ledger import Committed
from simulator.devnet.performing import Performed, Performer
from simulator.devnet.refusals import Invalid
from simulator.devnet.transactions import SignedTransaction
from simulator.devnet.validation import Rules, check_prologue

# How long a nonce is remembered after its transaction has expired.
NONCE_KEPT_SECONDS = 65


def carry_out(
    signed: SignedTransaction,
    accounts: Accounts,
    executor: Executor,
    rules: Rules,
    environment: Environment,
) -> Performed:
    """Run it and keep what it did. Raises `Invalid` when it is not the next, or not any more."""
    check_prologue(signed, accounts, environment.timestamp_microseconds, rules, exact=True)
    performer = Performer(accounts, executor, rules.gas)
    performed = performer.perform(signed, environment)
    performer.keep(signed, performed)
    raw = signed.raw
    if raw.payload.nonce is not None:
        until = raw.expiration_seconds + NONCE_KEPT_SECONDS
        accounts.use_nonce(raw.sender, raw.payload.nonce, until_seconds=until)
    return performed


class Branch:
    """What one node has carried out by itself since it left the chain at version `since`."""

    def __init__(self, accounts: Accounts, executor: Executor, since: int) -> None:
        """`accounts` and `executor` are its own: copies of what stood there."""
        self.accounts = accounts
        self.executor = executor
        self.since = since
        self._by_hash: dict[bytes, Committed] = {}

    def by_hash(self, hash: bytes) -> Committed | None:
        """The transaction with this hash, if it stands on this branch."""
        return self._by_hash.get(hash)

    def of_sender(self, sender: bytes, *, start: int | None) -> list[Committed]:
        """A sender's numbered transactions on this branch, from number `start` on."""
        return [
            committed
            for committed in self._by_hash.values()
            if (raw := committed.signed.raw).sender == sender
            and not raw.is_orderless
            and raw.sequence_number >= (start or 0)
        ]

    def add(self, signed: SignedTransaction, rules: Rules, environment: Environment) -> None:
        """A block more, of this one. What is not the next of its sender is lost here as well."""
        try:
            performed = carry_out(signed, self.accounts, self.executor, rules, environment)
        except Invalid:
            return
        told = environment.transaction_hash
        self._by_hash[told] = Committed(
            self.since + 2 * len(self._by_hash) + 2,  # a version for the block, one for itself
            environment.height,
            environment.timestamp_microseconds,
            signed,
            told,
            performed.refusal,
            performed.charge,
            performed.events,
            performed.changes,
            sha3(b"branch", told),
        )
