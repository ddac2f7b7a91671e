"""What the console reads and does at the sandboxes, through their own door `/_sandbox`.

It knows no operator: whatever a sandbox does not offer is not there to be seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import msgspec

from simulator.faults import CATALOGUE, Fault, FaultName, FaultTarget

ALWAYS = 1_000_000_000
"""How often a fault strikes that is switched on: until it is switched off."""

Setting = bool | int | float | str | None
_MESSAGES: frozenset[FaultTarget] = frozenset({"sms", "delivery_report"})


class Wallet(msgspec.Struct, frozen=True):
    """A subscriber's account, in minor units of the sandbox's one currency."""

    msisdn: str
    name: str
    balance_minor: int
    pin: str
    active: bool = True


class Prompt(msgspec.Struct, frozen=True):
    """An operator waits for this subscriber's PIN."""

    id: str
    msisdn: str
    text: str


class Desk(msgspec.Struct, frozen=True):
    """One sandbox at one moment. `trouble` says why nothing else is known."""

    name: str
    currency: str = ""
    prompts: Sequence[Prompt] = ()
    wallets: Sequence[Wallet] = ()
    faults: Sequence[Fault] = ()
    settings: Mapping[str, Any] = {}
    accounts: Mapping[str, int] = {}  # our own money there, minor units
    carries_messages: bool = False  # an SMS gateway: it has no wallets that matter
    trouble: str = ""

    def armed(self, on: FaultTarget, fault: FaultName) -> int:
        """How many strikes of it are left for everybody, whatever the number."""
        return sum(one.times for one in self.faults if (one.on, one.fault) == (on, fault))

    @property
    def catalogue(self) -> Sequence[tuple[FaultTarget, FaultName]]:
        """What can be made to go wrong here, in a steady order."""
        return [
            (on, fault)
            for on in CATALOGUE
            if (on in _MESSAGES) == self.carries_messages
            for fault in sorted(CATALOGUE[on])
        ]


class _Prompts(msgspec.Struct):
    prompts: list[Prompt] = []


class _Wallets(msgspec.Struct):
    wallets: list[Wallet] = []


class _Faults(msgspec.Struct):
    faults: list[Fault] = []


class _Ledger(msgspec.Struct):
    merchant: dict[str, int | str] = {}


class Hands:
    """A tester's hands at every sandbox. Raises httpx.HTTPError when one refuses or is away."""

    def __init__(self, client: httpx.AsyncClient, sandboxes: Mapping[str, str]) -> None:
        """`sandboxes`: name -> address, in the order they are shown."""
        self._client = client
        self._sandboxes = dict(sandboxes)

    @property
    def names(self) -> Sequence[str]:
        return list(self._sandboxes)

    async def look(self, name: str) -> Desk:
        """Everything about one sandbox; one that is away is told of in `trouble`."""
        try:
            ledger = msgspec.json.decode(await self._read(name, "ledger"), type=_Ledger).merchant
            return Desk(
                name=name,
                currency=str(ledger.get("currency", "")),
                prompts=msgspec.json.decode(
                    await self._read(name, "prompts"), type=_Prompts
                ).prompts,
                wallets=msgspec.json.decode(
                    await self._read(name, "wallets"), type=_Wallets
                ).wallets,
                faults=msgspec.json.decode(await self._read(name, "faults"), type=_Faults).faults,
                settings=msgspec.json.decode(
                    await self._read(name, "settings"), type=dict[str, Any]
                ),
                carries_messages=await self._carries_messages(name),
                accounts={
                    account.removesuffix("_minor"): minor
                    for account, minor in ledger.items()
                    if isinstance(minor, int)
                },
            )
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            return Desk(name=name, trouble=str(error) or type(error).__name__)

    async def approve(self, desk: Desk, prompt: Prompt) -> None:
        """Type the wallet's own PIN."""
        pin = next(wallet.pin for wallet in desk.wallets if wallet.msisdn == prompt.msisdn)
        await self._write("POST", desk.name, f"prompts/{prompt.id}", {"pin": pin})

    async def decline(self, desk: Desk, prompt: Prompt) -> None:
        await self._write("POST", desk.name, f"prompts/{prompt.id}", {"decline": True})

    async def set_balance(self, desk: Desk, wallet: Wallet, balance_minor: int) -> None:
        await self._change(desk, wallet, {"balance_minor": balance_minor})

    async def set_active(self, desk: Desk, wallet: Wallet, *, active: bool) -> None:
        await self._change(desk, wallet, {"active": active})

    async def arm(self, desk: Desk, on: FaultTarget, fault: FaultName, *, times: int) -> None:
        """Let it strike so many more times, whoever calls."""
        await self._write("POST", desk.name, "faults", {"on": on, "fault": fault, "times": times})

    async def disarm(self, desk: Desk, on: FaultTarget, fault: FaultName) -> None:
        """Switch one fault off. The sandbox can only forget all: the others are armed again."""
        await self.disarm_all(desk)
        for other in desk.faults:
            if (other.on, other.fault) != (on, fault):
                await self._write("POST", desk.name, "faults", msgspec.to_builtins(other))

    async def disarm_all(self, desk: Desk) -> None:
        await self._write("DELETE", desk.name, "faults", None)

    async def change_setting(self, desk: Desk, name: str, value: Setting) -> None:
        await self._write("PUT", desk.name, "settings", {name: value})

    async def _change(self, desk: Desk, wallet: Wallet, change: Mapping[str, object]) -> None:
        await self._write("PUT", desk.name, f"wallets/{wallet.msisdn}", change)

    async def _carries_messages(self, name: str) -> bool:
        response = await self._client.get(f"{self._sandboxes[name]}/_sandbox/sms")
        return response.status_code != httpx.codes.NOT_FOUND

    async def _read(self, name: str, what: str) -> bytes:
        """What is not there reads as an empty object: a gateway has no wallets."""
        response = await self._client.get(f"{self._sandboxes[name]}/_sandbox/{what}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return b"{}"
        return response.raise_for_status().content

    async def _write(
        self, method: str, name: str, what: str, body: Mapping[str, object] | None
    ) -> None:
        url = f"{self._sandboxes[name]}/_sandbox/{what}"
        response = await self._client.request(method, url, json=body)
        if response.status_code == httpx.codes.BAD_REQUEST:
            raise Refused(response.json().get("error", "refused"))
        response.raise_for_status()


class Refused(ValueError):
    """A sandbox does not take a value, and says why."""


def read_setting(text: str, before: Setting) -> Setting:
    """What was typed, as the kind of value that stood there. Raises ValueError."""
    typed = text.strip()
    if isinstance(before, bool):
        if typed.lower() not in ("true", "false"):
            raise ValueError("true or false")
        return typed.lower() == "true"
    if isinstance(before, int | float):
        return type(before)(typed)
    return typed or None


def write_setting(value: object) -> str:
    """As it is shown, and typed again."""
    return value if isinstance(value, str) else json.dumps(value)
