"""Whose signature a transaction gets: names of the settings become addresses and keys."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from engine.errors import Rejected
from engine.ports import (
    DisputeAnswer,
    DisputeOpening,
    DisputeRuling,
    Instruction,
    Reason,
    SignerPort,
)
from providers.aptos import sdk
from providers.aptos.answers import NAME
from providers.aptos.calls import Contracts, corridor_of
from providers.aptos.sdk import Draft, Signed


class Account(NamedTuple):
    """A key by name. `address` is only set where the account's key was changed on the chain."""

    key: str
    address: bytes | None = None


class Roles(NamedTuple):
    """Who sends what, who pays for it. Members that sign elsewhere are not in `members`."""

    sponsor: Account
    submitters: tuple[Account, ...]
    members: Mapping[str, Account] = {}
    arbiter: Account | None = None

    @property
    def all(self) -> tuple[Account, ...]:
        arbiter = () if self.arbiter is None else (self.arbiter,)
        return (self.sponsor, *self.submitters, *self.members.values(), *arbiter)


class Owner(NamedTuple):
    """An account as the chain knows it."""

    address: bytes
    public_key: bytes


class Accounts:
    """Every public key is asked for once; a private one is never seen here."""

    def __init__(self, roles: Roles, contracts: Contracts, signer: SignerPort) -> None:
        self._roles = roles
        self._contracts = contracts
        self._signer = signer
        self._by_key = {account.key: account for account in roles.all}
        self._owners: dict[str, Owner] = {}

    def name_for(self, instruction: Instruction) -> str:
        """The account that must send it. Raises Rejected when we do not have that account.

        A corridor keeps its submitter as long as it keeps its place in the settlement file, so
        corridors are added at the end of it.
        """
        corridor = corridor_of(instruction)
        try:
            if isinstance(instruction, DisputeOpening | DisputeAnswer):
                members = dict(enumerate(self._contracts.corridor(corridor).members))
                return self._roles.members[members[instruction.member]].key
            place = self._contracts.place_of(corridor)
        except KeyError as error:
            raise _unknown("no account of ours may send this") from error
        if isinstance(instruction, DisputeRuling):
            if self._roles.arbiter is None:
                raise _unknown("no account of ours may rule")
            return self._roles.arbiter.key
        return self._roles.submitters[place % len(self._roles.submitters)].key

    async def owner(self, name: str) -> Owner:
        """Raises Rejected for a name that is no account of ours, and what the signer raises."""
        known = self._owners.get(name)
        if known is None:
            account = self._by_key.get(name)
            if account is None:
                raise _unknown("no such account")
            public_key = await self._signer.public_key(account.key)
            known = Owner(account.address or sdk.address_of(public_key), public_key)
            self._owners[name] = known
        return known

    async def sponsor(self) -> Owner:
        """Who pays for all of them."""
        return await self.owner(self._roles.sponsor.key)

    async def sign(self, name: str, draft: Draft) -> bytes:
        """The bytes to hand in: signed by the sender and by the sponsor."""
        message = sdk.to_be_signed(draft)
        sender, payer = await asyncio.gather(
            self._word(name, message), self._word(self._roles.sponsor.key, message)
        )
        return sdk.assembled(draft, sender, payer)

    async def unsigned(self, name: str, draft: Draft) -> bytes:
        """The bytes for a trial, which nobody could send."""
        sender, payer = await self.owner(name), await self.sponsor()
        return sdk.assembled(
            draft,
            Signed(sender.public_key, sdk.NO_SIGNATURE),
            Signed(payer.public_key, sdk.NO_SIGNATURE),
        )

    async def _word(self, name: str, message: bytes) -> Signed:
        owner = await self.owner(name)
        return Signed(owner.public_key, await self._signer.sign(self._by_key[name].key, message))


def _unknown(detail: str) -> Rejected:
    return Rejected(NAME, detail, code="account", reason=Reason.CONFIGURATION)
