"""The operator's own books: customers' wallets, our accounts there, and every movement between.

Amounts are whole minor units of the sandbox's one currency. It knows no wire format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

MovementKind = Literal["collection", "disbursement", "refund"]
MerchantAccount = Literal["collection", "disbursement", "remittance"]

# Names for wallets made on first sight; which one a number gets depends on its digits only.
_NAMES = (
    "Amina Otieno",
    "Brian Mwangi",
    "Grace Nakato",
    "Joseph Okello",
    "Mercy Wanjiru",
    "Samuel Kato",
    "Esther Achieng",
    "Peter Mugisha",
    "Faith Chebet",
    "Moses Ssali",
)


class ShortOfFunds(Exception):
    """Raised when the account to be debited holds less than the amount; nothing has moved."""


@dataclass
class Wallet:
    """One customer's account at the operator."""

    msisdn: str  # digits, no plus
    name: str
    balance_minor: int
    pin: str
    active: bool = True
    sim_changed_at: datetime | None = None  # the number has another SIM since


@dataclass(frozen=True)
class NewWallet:
    """What a wallet starts with; `on_first_sight` tells whether an unknown number gets one."""

    on_first_sight: bool
    balance_minor: int
    pin: str


@dataclass(frozen=True)
class Movement:
    """Money that really moved. `reference` is the caller's, `receipt` the operator's."""

    id: int
    kind: MovementKind
    reference: str
    msisdn: str
    amount_minor: int
    currency: str
    receipt: str
    at: datetime


class Wallets:
    """Every wallet by its number."""

    def __init__(self, new_wallet: Callable[[], NewWallet]) -> None:
        self._by_msisdn: dict[str, Wallet] = {}
        self._new_wallet = new_wallet

    def find(self, msisdn: str) -> Wallet | None:
        """The wallet of `msisdn`, made now if the settings say so; None: not registered."""
        wallet = self._by_msisdn.get(msisdn)
        if wallet is None and self._new_wallet().on_first_sight:
            wallet = self.open(msisdn)
        return wallet

    def open(self, msisdn: str) -> Wallet:
        """The wallet of `msisdn`, made now if there is none."""
        wallet = self._by_msisdn.get(msisdn)
        if wallet is None:
            start = self._new_wallet()
            name = _NAMES[int(msisdn[-2:]) % len(_NAMES)]
            wallet = Wallet(msisdn, name, start.balance_minor, start.pin)
            self._by_msisdn[msisdn] = wallet
        return wallet

    def all(self) -> list[Wallet]:
        """Every wallet seen so far, oldest first."""
        return list(self._by_msisdn.values())


class Ledger:
    """Our accounts at the operator, and the only code that changes a balance."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        collection_minor: int,
        disbursement_minor: int,
    ) -> None:
        self._clock = clock
        self.balances_minor: dict[MerchantAccount, int] = {
            "collection": collection_minor,
            "disbursement": disbursement_minor,
        }
        self.movements: list[Movement] = []

    def collect(
        self, wallet: Wallet, *, amount_minor: int, currency: str, reference: str, receipt: str
    ) -> None:
        """From the wallet to our collection account, or `ShortOfFunds`."""
        if wallet.balance_minor < amount_minor:
            raise ShortOfFunds
        wallet.balance_minor -= amount_minor
        self.balances_minor["collection"] += amount_minor
        self._record("collection", wallet, amount_minor, currency, reference, receipt)

    def pay(
        self,
        wallet: Wallet,
        *,
        amount_minor: int,
        currency: str,
        reference: str,
        receipt: str,
        kind: MovementKind = "disbursement",
        account: MerchantAccount = "disbursement",
    ) -> None:
        """From one of our accounts to the wallet, or `ShortOfFunds`."""
        if self.balances_minor[account] < amount_minor:
            raise ShortOfFunds
        self.balances_minor[account] -= amount_minor
        wallet.balance_minor += amount_minor
        self._record(kind, wallet, amount_minor, currency, reference, receipt)

    def move(
        self, *, amount_minor: int, source: MerchantAccount, target: MerchantAccount | None
    ) -> None:
        """Between our own accounts, or to another business (`target` None), or `ShortOfFunds`.

        No customer has part in it, so it is no movement.
        """
        if self.balances_minor[source] < amount_minor:
            raise ShortOfFunds
        self.balances_minor[source] -= amount_minor
        if target is not None:
            self.balances_minor[target] += amount_minor

    def _record(
        self,
        kind: MovementKind,
        wallet: Wallet,
        amount_minor: int,
        currency: str,
        reference: str,
        receipt: str,
    ) -> None:
        self.movements.append(
            Movement(
                id=len(self.movements) + 1,
                kind=kind,
                reference=reference,
                msisdn=wallet.msisdn,
                amount_minor=amount_minor,
                currency=currency,
                receipt=receipt,
                at=self._clock(),
            )
        )
