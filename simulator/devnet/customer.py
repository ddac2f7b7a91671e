"""Somebody who uses a chain as every application does: calls of entry functions, views, the faucet.

The unmodified SDK builds and signs what is sent; it goes to any node over HTTP. It knows nothing of
our contracts.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import httpx
from aptos_sdk.account import Account
from aptos_sdk.account_address import AccountAddress
from aptos_sdk.bcs import Serializer
from aptos_sdk.transactions import (
    EntryFunction,
    ModuleId,
    RawTransaction,
    SignedTransaction,
    TransactionArgument,
    TransactionPayload,
)

PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.05
IN_FLIGHT_MAX = 50  # a node keeps a hundred of one account
UNITS_MAX, UNIT_PRICE = 2_000_000, 100
EXPIRES_SECONDS = 600

Argument = TransactionArgument


class ChainRefused(RuntimeError):
    """The chain did not do what was asked; the message is the node's own word."""


class Call(NamedTuple):
    """An entry function, `0xca04::settlement::settle` in two parts, and its arguments."""

    module: str
    function: str
    arguments: tuple[Argument, ...]


def call(module: str, function: str, *arguments: Argument) -> Call:
    """One call, its arguments one after the other."""
    return Call(module, function, arguments)


def address(value: AccountAddress) -> Argument:
    """An address, or an object by its address."""
    return Argument(value, Serializer.struct)


def octets(value: bytes) -> Argument:
    """A `vector<u8>`."""
    return Argument(value, Serializer.to_bytes)


def u8(value: int) -> Argument:
    """One byte."""
    return Argument(value, Serializer.u8)


def u64(value: int) -> Argument:
    """Eight bytes."""
    return Argument(value, Serializer.u64)


def addresses(values: Sequence[AccountAddress]) -> Argument:
    """A `vector<address>`."""
    return Argument(list(values), Serializer.sequence_serializer(Serializer.struct))


def many_octets(values: Sequence[bytes]) -> Argument:
    """A `vector<vector<u8>>`."""
    return Argument(list(values), Serializer.sequence_serializer(Serializer.to_bytes))


class Customer:
    """A node's and its faucet's client. `node` ends in `/v1`."""

    def __init__(self, node: str, faucet: str, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives epoch seconds: a chain whose time is moved needs one that goes with it."""
        self.node = node
        self._clock = clock
        self._faucet = faucet
        # A node beside us speaks plain HTTP. All the certificates of this world would take half a
        # second to load; with none of them nobody is believed over TLS.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client = httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False, verify=nobody)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def wait_until_it_answers(self, seconds: float) -> None:
        """Raises ChainRefused when nobody answers for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                answer = await self._client.get(self.node)
                if answer.status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass  # Nobody listens yet.
            await asyncio.sleep(POLL_SECONDS)
        raise ChainRefused(f"{self.node} does not answer")

    async def chain_id(self) -> int:
        return int((await self._get(self.node))["chain_id"])

    async def fund(self, accounts: Sequence[tuple[AccountAddress, int]]) -> None:
        """APT in octas from the faucet, for all at once; an account comes to be by it."""
        hashes = await asyncio.gather(*(self._mint(who, amount) for who, amount in accounts))
        for hash_ in hashes:
            await self._committed(hash_)

    async def octas(self, who: AccountAddress) -> int:
        """What an account can pay fees with."""
        values = await self.view("0x1::coin::balance", str(who), types=[_APT])
        return int(values[0])

    async def carry_out(self, sender: Account, calls: Sequence[Call]) -> list[Mapping[str, Any]]:
        """All of them, in this order, each as the chain recorded it. Raises ChainRefused."""
        done: list[Mapping[str, Any]] = []
        for first in range(0, len(calls), IN_FLIGHT_MAX):
            done += await self._carry_out(sender, calls[first : first + IN_FLIGHT_MAX])
        return done

    async def view(self, function: str, *arguments: str, types: Sequence[str] = ()) -> list[Any]:
        """What a view returns, as the node's JSON has it. Raises ChainRefused."""
        body = {"function": function, "type_arguments": [*types], "arguments": [*arguments]}
        answer = await self._client.post(f"{self.node}/view", json=body)
        if answer.is_error:
            raise ChainRefused(f"{function}: {answer.text}")
        values: list[Any] = answer.json()
        return values

    async def _carry_out(self, sender: Account, calls: Sequence[Call]) -> list[Mapping[str, Any]]:
        chain_id, number = await self.chain_id(), await self._next_number(sender.address())
        hashes = [
            await self._submit(sender, one, number + place, chain_id)
            for place, one in enumerate(calls)
        ]
        await self._committed(hashes[-1])  # and with it all before it
        done = [await self._committed(hash_) for hash_ in hashes]
        for one, recorded in zip(calls, done, strict=True):
            if not recorded["success"]:
                raise ChainRefused(f"{one.module}::{one.function}: {recorded['vm_status']}")
        return done

    async def _mint(self, who: AccountAddress, amount: int) -> str:
        answer = await self._client.post(
            f"{self._faucet}/mint", params={"amount": amount, "address": str(who)}
        )
        answer.raise_for_status()
        return str(answer.json()[0])

    async def _next_number(self, who: AccountAddress) -> int:
        return int((await self._get(f"{self.node}/accounts/{who}"))["sequence_number"])

    async def _submit(self, sender: Account, wanted: Call, number: int, chain_id: int) -> str:
        raw = RawTransaction(
            sender.address(), number, _payload(wanted), UNITS_MAX, UNIT_PRICE,
            int(self._clock()) + EXPIRES_SECONDS, chain_id,
        )  # fmt: skip
        signed = SignedTransaction(raw, sender.sign_transaction(raw))
        answer = await self._client.post(
            f"{self.node}/transactions", content=signed.bytes(), headers=_SIGNED
        )
        if answer.is_error:
            raise ChainRefused(f"{wanted.module}::{wanted.function}: {answer.text}")
        return str(answer.json()["hash"])

    async def _committed(self, hash_: str) -> Mapping[str, Any]:
        # The SDK's own waiter looks once a second and ends in an assertion.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            answer = await self._client.get(f"{self.node}/transactions/by_hash/{hash_}")
            if answer.is_success and answer.json()["type"] != "pending_transaction":
                recorded: Mapping[str, Any] = answer.json()
                return recorded
            await asyncio.sleep(POLL_SECONDS)
        raise ChainRefused(f"{hash_} is not committed after {PATIENCE_SECONDS:g} s")

    async def _get(self, url: str) -> Mapping[str, Any]:
        answer = await self._client.get(url)
        if answer.is_error:
            raise ChainRefused(f"{url}: {answer.text}")
        found: Mapping[str, Any] = answer.json()
        return found


_APT = "0x1::aptos_coin::AptosCoin"
_SIGNED = {"content-type": "application/x.aptos.signed_transaction+bcs"}


def _payload(wanted: Call) -> TransactionPayload:
    package, name = wanted.module.split("::")
    # Not `EntryFunction.natural`: it takes no address without all its zeros.
    module = ModuleId(AccountAddress.from_str_relaxed(package), name)
    arguments = [argument.encode() for argument in wanted.arguments]
    return TransactionPayload(EntryFunction(module, wanted.function, [], arguments))
