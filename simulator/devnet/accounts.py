"""Accounts: keys, sequence numbers, APT, proposals of multisig accounts, used nonces.

Everything in it is immutable but the table itself, so that a copy is cheap and a draft can be
thrown away. It decides nothing. Amounts in octas (10^-8 APT).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Proposal:
    """A call that owners of a multisig account vote on: its payload, or the hash of it."""

    payload: bytes | None
    payload_hash: bytes | None
    votes: tuple[tuple[bytes, bool], ...]
    creator: bytes
    created_seconds: int

    def approvals(self, owners: tuple[bytes, ...]) -> int:
        """How many of today's owners are for it."""
        return sum(vote for owner, vote in self.votes if owner in owners)

    def rejections(self, owners: tuple[bytes, ...]) -> int:
        """How many of today's owners are against it."""
        return sum(not vote for owner, vote in self.votes if owner in owners)


@dataclass(frozen=True, slots=True)
class Multisig:
    """Whose word counts in a multisig account, and what it has before it, by number."""

    owners: tuple[bytes, ...]
    threshold: int
    proposals: Mapping[int, Proposal] = field(default_factory=dict)
    next_number: int = 1
    last_resolved: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """One account as it stands."""

    authentication_key: bytes
    sequence_number: int = 0
    balance_octas: int = 0
    multisig: Multisig | None = None


class Accounts:
    """All accounts by address, and the nonces that may not be used again, with their expiry."""

    def __init__(
        self,
        accounts: Mapping[bytes, Account] | None = None,
        nonces: Mapping[tuple[bytes, int], int] | None = None,
    ) -> None:
        self._accounts = dict(accounts or {})
        self._nonces = dict(nonces or {})

    def find(self, address: bytes) -> Account | None:
        """The account, or None."""
        return self._accounts.get(address)

    def balance_octas(self, address: bytes) -> int:
        """Its APT; nothing where there is no account."""
        account = self._accounts.get(address)
        return account.balance_octas if account else 0

    def sequence_number(self, address: bytes) -> int:
        """The number its next transaction has; 0 where there is no account."""
        account = self._accounts.get(address)
        return account.sequence_number if account else 0

    def has_used(self, sender: bytes, nonce: int) -> bool:
        """Whether the sender may not use this nonce again yet."""
        return (sender, nonce) in self._nonces

    def use_nonce(self, sender: bytes, nonce: int, *, until_seconds: int) -> None:
        """Remember a nonce until then."""
        self._nonces[sender, nonce] = until_seconds

    def forget_nonces(self, now_seconds: int) -> None:
        """Drop those whose time is over."""
        if any(until < now_seconds for until in self._nonces.values()):
            self._nonces = {
                key: until for key, until in self._nonces.items() if until >= now_seconds
            }

    def draft(self) -> Draft:
        """Changes that may be kept or not."""
        return Draft(self)

    def copy(self) -> Accounts:
        """All of it as it stands."""
        return Accounts(self._accounts, self._nonces)

    def keep(self, changes: Mapping[bytes, Account]) -> None:
        """Put these accounts in the place of what was there."""
        self._accounts.update(changes)

    def __len__(self) -> int:
        return len(self._accounts)


class Draft:
    """Accounts with changes on top that nobody else sees."""

    def __init__(self, below: Accounts) -> None:
        self._below = below
        self._changes: dict[bytes, Account] = {}
        self.created = 0

    def find(self, address: bytes) -> Account | None:
        """The account as it would be, or None."""
        return self._changes.get(address) or self._below.find(address)

    def open(self, address: bytes) -> Account:
        """The account, made when there is none."""
        account = self.find(address)
        if account is None:
            account = Account(authentication_key=address)
            self._changes[address] = account
            self.created += 1
        return account

    def put(self, address: bytes, account: Account) -> None:
        """The account is this now."""
        self._changes[address] = account

    def add_octas(self, address: bytes, octas: int) -> None:
        """More APT, or less. The account is made when there is none; never below nothing."""
        account = self.open(address)
        assert account.balance_octas + octas >= 0, "somebody else has looked at the balance"
        self.put(address, replace(account, balance_octas=account.balance_octas + octas))

    def balance_octas(self, address: bytes) -> int:
        """Its APT as it would be."""
        account = self.find(address)
        return account.balance_octas if account else 0

    def fork(self) -> Draft:
        """The same once more, to be tried on."""
        trial = Draft(self._below)
        trial.take(self)
        return trial

    def take(self, trial: Draft) -> None:
        """All that was tried counts."""
        self._changes = dict(trial._changes)
        self.created = trial.created

    def keep(self) -> None:
        """From now on everybody sees it."""
        self._below.keep(self._changes)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._changes)
