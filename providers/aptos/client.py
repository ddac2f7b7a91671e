"""One node's REST API: what it was asked, what it told, and how far its history reached then.

Shapes and codes: reference, sections 2 and 4. It refuses to know what a transaction is for, and it
sends nothing twice by itself; every question may be repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import httpx
import msgspec

from engine.errors import OutcomeUnknown, Rejected, Throttled, Unreadable
from engine.ports import Position, Reason
from providers.aptos import sdk
from providers.aptos.answers import (
    ACCOUNT,
    NAME,
    PRICES,
    SIMULATED,
    TRANSACTION,
    TRANSACTIONS,
    VALUES,
    Aborted,
    Asked,
    Prices,
    Simulated,
    Transaction,
    bytes_of,
    position_in,
    whole,
)
from providers.aptos.refusals import abort_inside
from providers.aptos.sdk import Call
from providers.aptos.validation import OURS, chain_word
from providers.http import Client, Timeouts, Trace, no_trace, retry_after_seconds
from providers.redaction import Fields
from providers.transport import Transport
from providers.wire import json_object, word

TIMEOUTS: Final = Timeouts(connect_seconds=3.0, read_seconds=10.0, pool_seconds=5.0)
LIST_MAX: Final = 100  # of transactions in one answer (section 2)

SHOWN: Final = Fields(
    kept=frozenset(
        {
            "error_code",
            "vm_error_code",
            "type",
            "success",
            "vm_status",
            "version",
            "hash",
            "gas_used",
            "gas_unit_price",
            "sequence_number",
            "expiration_timestamp_secs",
            "chain_id",
            "ledger_version",
        }
    ),
    texts=frozenset(),
    numbers=False,
)

ANSWER_BYTES_MAX: Final = 16_000_000
"""A hundred transactions with all that they changed: a settlement alone may take 100 KB."""

_SIGNED = (b"Content-Type", b"application/x.aptos.signed_transaction+bcs")
_VIEW = (b"Content-Type", b"application/x.aptos.view_function+bcs")
_JSON = (b"Accept", b"application/json")
_RETRY_SECONDS: Final = 1.0
_LATER: Final = frozenset({429, 503, 507})  # full or not ready: not taken in
_CLOSED: Final = frozenset({401, 403, 413})  # our key for the node, its rules, its limits
_BEHIND_TRIES: Final = 5
_BEHIND_PAUSE_SECONDS: Final = 0.2

Answered = TypeVar("Answered")


class Node:
    """One address behind which there is one node, or many of which each may be a little behind."""

    def __init__(
        self,
        url: str,
        *,
        chain_id: int,
        api_key: str = "",
        timeouts: Timeouts = TIMEOUTS,
        connections: int = 200,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`api_key` goes as a bearer token. Raises ValueError when `url` is no address."""
        self._client = Client(
            NAME,
            url,
            timeouts=timeouts,
            transport=transport
            or Transport(connections=connections, answer_bytes_max=ANSWER_BYTES_MAX),
            trace=trace,
            shown=SHOWN,
        )
        self._chain_id = chain_id
        self._sleep = sleep
        self._headers = [_JSON]
        if api_key:
            self._headers.append((b"Authorization", b"Bearer " + api_key.encode("ascii")))
        self._newest: Position | None = None
        self._root = self._client.url("")
        self._accounts = self._client.url("/accounts/")
        self._submit = self._client.url("/transactions")
        self._simulate = self._client.url("/transactions/simulate")
        self._by_hash = self._client.url("/transactions/by_hash/")
        self._wait_by_hash = self._client.url("/transactions/wait_by_hash/")
        self._view = self._client.url("/view")
        self._price = self._client.url("/estimate_gas_price")

    async def position(self) -> Position:
        """Where its history stands. Raises Rejected when it is of another chain."""
        response = await self._get("info", self._root)
        if response.status_code != 200:
            raise self._unusable(response)
        told = json_object(response.content) or {}
        chain, version = whole(told.get("chain_id")), whole(told.get("ledger_version"))
        microseconds = whole(told.get("ledger_timestamp"))
        if chain is None or version is None or microseconds is None:
            raise Unreadable(NAME, "a node that does not say where it stands")
        if chain != self._chain_id:
            raise Rejected(
                NAME,
                f"the node is of chain {chain}, and we are told {self._chain_id}",
                code="chain_id",
                reason=Reason.CONFIGURATION,
            )
        position = Position(chain, version, microseconds // 1_000_000)
        self._remember(position)
        return position

    def is_behind(self, position: Position) -> bool:
        """Whether some answer before has told of a longer history than this one."""
        newest = self._newest
        return newest is not None and (
            position.version < newest.version or position.seconds < newest.seconds
        )

    async def submit(self, body: bytes) -> None:
        """Hand signed bytes in. Returns when the node has them, also when it had them before.

        Raises Rejected with the chain's word for a refusal at the door, Throttled when it is full,
        Unreachable and OutcomeUnknown as `Client.send` does.
        """
        headers = [*self._headers, _SIGNED]
        response = await self._client.send(
            "submit", "POST", self._submit, headers=headers, body=body
        )
        if response.status_code == 202:
            if self._told_chain(response) not in (None, self._chain_id):
                raise OutcomeUnknown(NAME, "taken in by a node of another chain", code="chain_id")
            self._note(response)
            return
        raise self._refusal(response)

    async def simulate(self, body: bytes) -> Simulated:
        """Try bytes with an empty signature on a copy of the state."""
        headers = [*self._headers, _SIGNED]
        response = await self._client.send(
            "simulate", "POST", self._simulate, headers=headers, body=body
        )
        if response.status_code == 400:
            raise self._refusal(response)
        found = self._read(response, SIMULATED)
        if len(found) != 1:
            raise Unreadable(NAME, "a simulation of something else")
        return found[0]

    async def transaction(self, transaction_hash: bytes, *, waits: bool = False) -> Asked:
        """What the node has of this hash. `waits`: it may take about a second for a final one."""
        url = self._wait_by_hash if waits else self._by_hash
        response = await self._get("wait" if waits else "find", url, sdk.shown(transaction_hash))
        position = self._position_of(response)
        if self._is_absent(response, "transaction_not_found"):
            return Asked(None, position)
        found = self._read(response, TRANSACTION)
        if bytes_of(found.hash) != transaction_hash:
            raise Unreadable(NAME, "another transaction than was asked for")
        return Asked(found, position)

    async def committed(
        self, account: bytes, *, first: int, count: int
    ) -> tuple[list[Transaction], Position]:
        """An account's own transactions in its order from number `first`; fewer when pruned."""
        below = f"{sdk.shown(account)}/transactions?start={first}&limit={count}"
        response = await self._get("committed", self._accounts, below)
        position = self._position_of(response)
        if self._is_absent(response, "account_not_found"):
            return [], position
        return self._read(response, TRANSACTIONS), position

    async def sequence_number(self, account: bytes) -> tuple[int | None, Position]:
        """The first number the account has not used; None when there is no such account."""
        response = await self._get("account", self._accounts, sdk.shown(account))
        position = self._position_of(response)
        if self._is_absent(response, "account_not_found"):
            return None, position
        number = whole(self._read(response, ACCOUNT).sequence_number)
        if number is None:
            raise Unreadable(NAME, "an account without a number")
        return number, position

    async def up_to_date(self, ask: Callable[[], Awaitable[tuple[Answered, Position]]]) -> Answered:
        """What `ask` tells, from a node that is not behind what was told before.

        One that is behind is asked again, a few times: OutcomeUnknown when it stays so.
        """
        for tried in range(_BEHIND_TRIES):
            if tried:
                await self._sleep(_BEHIND_PAUSE_SECONDS)
            told, position = await ask()
            if not self.is_behind(position):
                return told
        raise OutcomeUnknown(NAME, "the node stays behind what it told before", code="stale")

    async def prices(self) -> Prices:
        """What a unit of work costs about now."""
        return self._read(await self._get("price", self._price), PRICES)

    async def view(self, call: Call) -> list[Any]:
        """What a `#[view]` function returns. Raises Aborted when it refuses."""
        body, headers = sdk.view_body(call), [*self._headers, _VIEW]

        async def ask() -> tuple[list[Any], Position]:
            response = await self._client.send(
                call.function, "POST", self._view, headers=headers, body=body
            )
            if response.status_code == 400:
                raise self._refused_view(response)
            return self._read(response, VALUES), self._position_of(response)

        return await self.up_to_date(ask)

    async def aclose(self) -> None:
        await self._client.aclose()

    # Answers.

    async def _get(self, operation: str, url: httpx.URL, below: str = "") -> httpx.Response:
        return await self._client.send(operation, "GET", url, headers=self._headers, below=below)

    def _read(
        self, response: httpx.Response, decoder: "msgspec.json.Decoder[Answered]"
    ) -> Answered:
        if response.status_code != 200:
            raise self._unusable(response)
        self._note(response)
        try:
            return decoder.decode(response.content)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Unreadable(NAME, "an answer of another shape than documented") from error

    def _is_absent(self, response: httpx.Response, code: str) -> bool:
        if response.status_code != 404:
            return False
        if (json_object(response.content) or {}).get("error_code") != code:
            raise self._unusable(response)  # a 404 of some door before the node says nothing
        self._note(response)
        return True

    def _unusable(self, response: httpx.Response) -> Throttled | OutcomeUnknown:
        """Nothing was told. Whatever the reason, the question may be asked again."""
        status = response.status_code
        code = _code_of(response)
        if status in _LATER:
            return _later(response, code)
        return OutcomeUnknown(NAME, "no answer to rely on", code=code)

    def _refusal(self, response: httpx.Response) -> Throttled | OutcomeUnknown | Rejected:
        """Why bytes were not taken in. Only the chain's own listed words are a refusal."""
        status = response.status_code
        if status in _LATER:
            return _later(response, _code_of(response))
        told = json_object(response.content) or {}
        error_code = word(told.get("error_code"))
        if status in _CLOSED or (status == 400 and error_code):
            code = chain_word(told.get("vm_error_code"), error_code) or str(status)
            ours = status in _CLOSED or code in OURS
            reason = Reason.CONFIGURATION if ours else Reason.OTHER
            return Rejected(NAME, "refused at the door", code=code, reason=reason)
        return OutcomeUnknown(NAME, "no answer to rely on", code=error_code or str(status))

    def _refused_view(self, response: httpx.Response) -> Aborted | OutcomeUnknown:
        # Errors of views come without headers (section 2): nobody can say how old they are.
        message = (json_object(response.content) or {}).get("message")
        status = abort_inside(message) if isinstance(message, str) else None
        if status is not None:
            return Aborted(status)
        return OutcomeUnknown(NAME, "a view that cannot be asked so", code=_code_of(response))

    # How far the history reached.

    def _position_of(self, response: httpx.Response) -> Position:
        """Raises what an answer without it is worth."""
        position = position_in(response)
        if position is None:
            raise self._unusable(response)
        if position.chain_id != self._chain_id:
            raise Unreadable(NAME, "an answer of another chain")
        return position

    def _told_chain(self, response: httpx.Response) -> int | None:
        return whole(response.headers.get("x-aptos-chain-id"))

    def _note(self, response: httpx.Response) -> None:
        position = position_in(response)
        if position is not None:
            if position.chain_id != self._chain_id:
                raise Unreadable(NAME, "an answer of another chain")
            self._remember(position)

    def _remember(self, position: Position) -> None:
        if not self.is_behind(position):
            self._newest = position


def _code_of(response: httpx.Response) -> str:
    return word((json_object(response.content) or {}).get("error_code")) or str(
        response.status_code
    )


def _later(response: httpx.Response, code: str) -> Throttled:
    return Throttled(
        NAME,
        "not taken in for now",
        code=code,
        retry_after_seconds=retry_after_seconds(response, _RETRY_SECONDS),
    )
